// Several instruments in order: each as a chip that can be taken away, and a list from which another is taken.
import { fill, h } from "../dom";
import { t } from "../texts";
import { instrumentName, instrumentOptions } from "./choices";
import { icon } from "./icons";

const MOST = 16;

export function instrumentPicker(id: string, label: string, chosen: number[], changed: () => void): HTMLElement {
  const chips = h("ul", { class: "plain chosen", "aria-label": label });
  const more = h("select", { id, "aria-label": t("make.addInstrument") });
  const draw = (): void => {
    fill(chips, chosen.map((program, place) => h("li", {}, h("button", {
      type: "button", id: `${id}-${place}`, class: "chip", "aria-label": t("make.withoutInstrument", { name: instrumentName(program) }),
      title: t("make.withoutInstrument", { name: instrumentName(program) }),
      onclick: () => {
        chosen.splice(place, 1);
        changed();
        draw();
        (document.getElementById(`${id}-${Math.min(place, chosen.length - 1)}`) ?? more).focus();
      },
    }, instrumentName(program), icon("cross")))));
    chips.hidden = chosen.length === 0;
    more.disabled = chosen.length >= MOST;
  };
  fill(more, h("option", { value: "" }, t("make.addInstrument")), instrumentOptions());
  more.addEventListener("change", () => {
    if (more.value !== "") chosen.push(Number(more.value));
    more.value = "";
    changed();
    draw();
  });
  draw();
  return h("div", { class: "field whole" }, h("label", { for: id }, label), chips, more);
}
