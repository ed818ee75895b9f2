// Keys that mean something anywhere on the page but where one types, and the dialog that lists all keys.
import { h } from "../dom";
import { t, type Key } from "../texts";

export type Shortcuts = Record<string, () => void>; // by the key as a browser names it, with "Control+" before it

const TYPED = "input:not([type=checkbox], [type=radio], [type=range]), select, textarea, [contenteditable]";
const PRESSED = "button, a, summary, input, select, textarea";

/** Act on keys; gives back what ends it. */
export function takeKeys(shortcuts: Shortcuts): () => void {
  const hear = (event: KeyboardEvent): void => {
    if (event.isComposing || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const target = event.target instanceof Element ? event.target : document.body;
    const control = event.ctrlKey || event.metaKey;
    const name = control ? `Control+${event.key.toLowerCase()}` : event.key.toLowerCase();
    const act = shortcuts[name];
    const saves = name === "Control+s";
    if (!act || (!saves && target.matches(TYPED)) || (event.key === " " && target.matches(PRESSED))) return;
    event.preventDefault();
    act();
  };
  document.addEventListener("keydown", hear);
  return () => document.removeEventListener("keydown", hear);
}

const LISTED: [heading: Key, keys: [keys: string, what: Key][]][] = [
  ["keys.page", [
    ["Space", "keys.play"], ["[ ]", "keys.variations"], ["L", "play.loop"], ["F", "play.follow"], ["P", "keys.tool"],
    ["Ctrl+S", "compose.save"], ["Ctrl+Z", "undo"], ["Ctrl+Y", "tool.redo"], ["?", "keys"],
  ]],
  ["keys.roll", [
    ["← → ↑ ↓", "keys.arrows"], ["Shift+← →", "keys.bar"], ["Shift+↑ ↓", "keys.octave"], ["Ctrl+← →", "keys.length"],
    ["Alt+↑ ↓", "keys.velocity"], ["Tab", "keys.next"], ["Enter", "keys.add"], ["Delete", "keys.remove"],
    ["B", "keys.region"], ["Shift+B", "keys.longer"], ["Ctrl+A", "keys.all"], ["Ctrl+C X V", "keys.copy"],
    ["Home End", "keys.ends"], ["+ − 0", "keys.zoom"], ["Esc", "keys.leave"],
  ]],
  ["keys.pointer", [
    ["keys.double", "keys.doubleDoes"], ["keys.ruler", "keys.rulerDoes"], ["keys.edge", "keys.edgeDoes"],
    ["keys.wheel", "keys.wheelDoes"], ["keys.alt", "keys.altDoes"],
  ]],
];

export function showKeys(): void {
  const dialog = h("dialog", { class: "keys", "aria-labelledby": "keys-title" },
    h("div", { class: "row head" }, h("h2", { id: "keys-title" }, t("keys")),
      h("button", { type: "button", autofocus: true, onclick: () => dialog.close() }, t("close"))),
    h("div", { class: "keys-columns" }, LISTED.map(([heading, keys]) => h("section", {}, h("h3", {}, t(heading)),
      h("dl", {}, keys.map(([key, what]) => h("div", {}, h("dt", {}, keyName(key)), h("dd", {}, t(what)))))))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

const keyName = (key: string): string | HTMLElement =>
  key.startsWith("keys.") ? t(key as Key) : h("kbd", {}, key.replace("Space", t("key.space")));
