// Small pictures for buttons, drawn in the colour of their text, and buttons that have one.
import { h, svg } from "../dom";

// on a field of 20 by 20; what begins with "F" is filled
const PICTURES = {
  play: "F6 4l10 6-10 6z",
  pause: "F5 4h3.5v12H5zM11.5 4H15v12h-3.5z",
  stop: "F5 5h10v10H5z",
  record: "F10 5a5 5 0 1 0 .01 0z",
  loop: "M4 9V8a3 3 0 0 1 3-3h8m-2.5-2.5L15 5l-2.5 2.5M16 11v1a3 3 0 0 1-3 3H5m2.5 2.5L5 15l2.5-2.5",
  follow: "M4 4v12M8 10h8m-3-3 3 3-3 3",
  select: "M5 3.5 15 10l-4.5 1L8 15.5z",
  pencil: "M4 16l.8-3.2L13 4.6l2.4 2.4-8.2 8.2zM11.4 6.2l2.4 2.4",
  in: "M4 10h12M10 4v12",
  out: "M4 10h12",
  fit: "M3.5 5v10M16.5 5v10M6.5 10h7M9 7.5 6.5 10 9 12.5M11 7.5l2.5 2.5-2.5 2.5",
  undo: "M7 4 3.5 7.5 7 11M4 7.5h7.5a4.3 4.3 0 0 1 0 8.6H8",
  redo: "M13 4l3.5 3.5L13 11M16 7.5H8.5a4.3 4.3 0 0 0 0 8.6H12",
  keys: "M2.5 5.5h15v9h-15zM5 8.3h.01M8 8.3h.01M11 8.3h.01M14.5 8.3h.01M6.5 11.7h7",
  wide: "M8 3.5H3.5V8M12 16.5h4.5V12M3.5 3.5 8.5 8.5M16.5 16.5l-5-5",
  before: "M12 5l-5 5 5 5",
  after: "M8 5l5 5-5 5",
  cross: "M5.5 5.5l9 9M14.5 5.5l-9 9",
  bin: "M4 6h12M8 6V4h4v2M5.5 6l.8 10h7.4l.8-10M8.5 9v4.5M11.5 9v4.5",
  dice: "M4 4h12v12H4zM7.2 7.2h.01M12.8 7.2h.01M10 10h.01M7.2 12.8h.01M12.8 12.8h.01",
  piano: "M3.5 4h13v12h-13zM7.8 4v7M12.2 4v7M7.8 11v5M12.2 11v5",
  loud: "M3.5 8h3l4-3.5v11L6.5 12h-3zM13.2 7.5a3.6 3.6 0 0 1 0 5M15.3 5.5a6.4 6.4 0 0 1 0 9",
  speed: "M4 15a7 7 0 1 1 12 0M10 12l3.2-4.2",
  eye: "M2.5 10S5.2 5.5 10 5.5 17.5 10 17.5 10 14.8 14.5 10 14.5 2.5 10 2.5 10zM10 8.2a1.8 1.8 0 1 0 .01 0z",
  plus: "M10 4.5v11M4.5 10h11",
} as const;

export type Icon = keyof typeof PICTURES;

export function icon(name: Icon): SVGElement {
  const drawn: string = PICTURES[name];
  const filled = drawn.startsWith("F");
  const parts = filled ? `M${drawn.slice(1)}` : drawn;
  return svg("svg", { viewBox: "0 0 20 20", class: filled ? "icon filled" : "icon", "aria-hidden": true }, svg("path", { d: parts }));
}

/** A button that shows a picture; its label is read out, and shown when it is pointed at. */
export function iconButton(id: string, name: Icon, label: string, act: () => void, keys = ""): HTMLButtonElement {
  return h("button", {
    type: "button", id, class: "icon-button", "aria-label": label, title: keys ? `${label} (${keys})` : label,
    "aria-keyshortcuts": keys ? shortcut(keys) : undefined, onclick: act,
  }, icon(name));
}

const shortcut = (keys: string): string => keys.replace("Ctrl", "Control").replaceAll(" ", "");

/** Say of a button that can be on or off how it is. */
export function press(button: HTMLElement, on: boolean): void {
  button.setAttribute("aria-pressed", String(on));
}
