// What the page tells of its own accord: errors, which stay until they are dismissed, and news, which pass.
import { Refused } from "./api";
import { h } from "./dom";
import { said, t } from "./texts";

const PASSES = 9000; // milliseconds

const errors = h("div", { class: "messages", role: "alert" });
const news = h("div", { class: "messages", role: "status", "aria-live": "polite" });
export const messages = h("div", { class: "message-corner" }, errors, news);

/** Say what went wrong, in a sentence that can be dismissed. */
export function complain(error: unknown): void {
  const sentence = sentenceOf(error);
  for (const old of [...errors.children]) {
    if (old.firstChild?.textContent === sentence) old.remove();
  }
  errors.append(message(sentence, "bad"));
}

/** Take back what went wrong, since the reader has gone on to something else. */
export function forgive(): void {
  errors.replaceChildren();
}

export function sentenceOf(error: unknown): string {
  if (error instanceof Refused) {
    return error.message ? said(error.message) : t("error.status", { status: error.status });
  }
  if (error instanceof TypeError) return t("error.unreachable");
  return t("error.unexpected", { what: error instanceof Error ? error.message : String(error) });
}

/** Say what was done; the action, e.g. to undo it, can be taken as long as the message is there. */
export function tell(sentence: string, action?: { label: string; act: () => void }): void {
  const made: HTMLElement = message(sentence, "", action && h("button", {
    class: "small",
    type: "button",
    onclick: () => {
      made.remove();
      action.act();
    },
  }, action.label));
  news.replaceChildren(made);
  const pass = (): void => {
    if (made.matches(":hover, :focus-within")) window.setTimeout(pass, PASSES);
    else made.remove();
  };
  window.setTimeout(pass, PASSES);
}

function message(sentence: string, kind: string, action?: HTMLElement): HTMLElement {
  const made = h("div", { class: `message ${kind}` },
    h("p", {}, sentence),
    action,
    h("button", { class: "quiet cross", type: "button", "aria-label": t("dismiss"), onclick: () => made.remove() }, "×"));
  return made;
}

/** Wait for something; where it fails, say so and give nothing. */
export async function attempt<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    complain(error);
    return undefined;
  }
}
