// What can be done in the roll by buttons: the tool, the grid, zooming, undoing, and more room for it.
import { h } from "../dom";
import { t, type Key } from "../texts";
import { grids, type Grid } from "../ticks";
import { iconButton, press } from "./icons";
import type { Work } from "./work";

const GRID = "partimento.compose.grid";

export class Toolbar {
  private readonly select = iconButton("tool-select", "select", t("tool.select"), () => this.use("select"), "P");
  private readonly pencil = iconButton("tool-pencil", "pencil", t("tool.pencil"), () => this.use("pencil"), "P");
  private readonly undo = iconButton("undo", "undo", t("undo"), () => this.work.roll.undo(), "Ctrl+Z");
  private readonly redo = iconButton("redo", "redo", t("tool.redo"), () => this.work.roll.redo(), "Ctrl+Y");
  private readonly wide = iconButton("wide", "wide", t("tool.wide"), () => this.widen());
  readonly element: HTMLElement;

  constructor(private readonly work: Work, private readonly page: HTMLElement, help: () => void) {
    const { roll } = work;
    const kept = localStorage.getItem(GRID) as Grid | null;
    if (kept && kept in grids) roll.grid = kept;
    const grid = h("select", {
      id: "grid", "aria-label": t("tool.grid"), title: t("tool.grid"),
      onchange: () => {
        roll.grid = grid.value as Grid;
        localStorage.setItem(GRID, grid.value);
      },
    }, Object.keys(grids).map((each) => h("option", { value: each }, t(`grid.${each}` as Key))));
    grid.value = roll.grid;
    const zoom = (way: "in" | "out" | "fit"): HTMLElement =>
      iconButton(`zoom-${way}`, way, t(`tool.${way}`), () => roll.zoom(way), { in: "+", out: "-", fit: "0" }[way]);
    this.element = h("div", { class: "toolbar", role: "group", "aria-label": t("tools") },
      h("div", { class: "joined" }, this.select, this.pencil), grid,
      h("div", { class: "joined" }, zoom("out"), zoom("in"), zoom("fit")),
      h("div", { class: "joined" }, this.undo, this.redo),
      h("span", { class: "space" }),
      iconButton("show-keys", "keys", t("keys"), help, "?"), this.wide);
    this.show();
  }

  use(tool: "select" | "pencil"): void {
    this.work.roll.tool = tool;
    this.show();
  }

  show(): void {
    const { roll, writing } = this.work;
    press(this.select, roll.tool === "select");
    press(this.pencil, roll.tool === "pencil");
    press(this.wide, this.page.classList.contains("wide"));
    this.undo.disabled = writing || !roll.canUndo;
    this.redo.disabled = writing || !roll.canRedo;
  }

  private widen(): void {
    this.page.classList.toggle("wide");
    this.show();
  }
}
