// A question before what cannot be taken back.
import { h } from "./dom";
import { t } from "./texts";

/** Ask; true if the reader says yes. Escape says no. */
export function ask(question: string, yes: string): Promise<boolean> {
  return new Promise((answer) => {
    const agree = h("button", { class: "danger", value: "yes" }, yes);
    const dialog = h("dialog", { class: "question", "aria-label": question },
      h("form", { method: "dialog" },
        h("p", {}, question),
        h("div", { class: "row end" }, h("button", { value: "no", autofocus: true }, t("cancel")), agree)));
    dialog.addEventListener("close", () => {
      answer(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
