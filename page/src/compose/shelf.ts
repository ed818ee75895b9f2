// The pieces that there are: the newest first, those that one job made side by side; to open, hear and delete.
import { type Piece } from "../api";
import { fill, h, type Child } from "../dom";
import { clock, when } from "../figures";
import { chosen, type Gathered } from "../gathering";
import { store } from "../store";
import { t } from "../texts";
import { grouped, type Group } from "./groups";
import { iconButton } from "./icons";
import type { Work } from "./work";

const MANY = 8; // from so many on they can be searched
const AT_ONCE = 60; // groups that are listed before more are asked for

export interface OnShelf {
  open(id: string): void;
  hear(id: string): void;
  forget(piece: Piece): void;
  begin(): void;
  take(gathered: Gathered): void;
}

export class Shelf {
  private readonly search = h("input", { type: "search", id: "search-pieces", placeholder: t("pieces.search"), "aria-label": t("pieces.search") });
  private readonly list = h("ul", { class: "plain shelf-list" });
  readonly element: HTMLElement;
  private drawn = "";
  private most = AT_ONCE;

  constructor(private readonly work: Work, private readonly does: OnShelf) {
    this.search.addEventListener("input", () => this.show());
    this.list.addEventListener("keydown", (event) => this.step(event));
    this.element = h("section", { class: "shelf", "aria-labelledby": "shelf-title" },
      h("div", { class: "row head" }, h("h2", { id: "shelf-title" }, t("pieces"))),
      h("div", { class: "row begin" },
        h("button", { type: "button", class: "small", id: "new-sheet", title: t("compose.newHelp"), onclick: () => this.does.begin() }, t("compose.new")),
        this.chooser()),
      this.search, this.list);
    this.show();
  }

  show(): void {
    const words = this.search.value.trim().toLowerCase();
    const pieces = [...store.pieces.values()];
    this.search.hidden = pieces.length < MANY && !words;
    const groups = grouped(pieces.filter((piece) => piece.name.toLowerCase().includes(words)), (job) => store.isSeries(job));
    const shown = groups.slice(0, this.most);
    const now = JSON.stringify([shown, this.work.piece?.id, groups.length, store.loaded]);
    if (now === this.drawn) return;
    this.drawn = now;
    fill(this.list, shown.map((group) => this.group(group)),
      pieces.length === 0 && h("li", { class: "hint" }, t(store.loaded ? "compose.noPieces" : "loading")),
      groups.length > shown.length && h("li", {}, h("button", {
        type: "button", class: "small", id: "more-pieces",
        onclick: () => {
          this.most += AT_ONCE;
          this.show();
        },
      }, t("more", { n: groups.length - shown.length }))));
    this.reach();
    if (!this.list.matches(":hover, :focus-within")) this.list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  // One piece is reached by Tab, the others from it by arrow keys: there can be hundreds.
  private step(event: KeyboardEvent): void {
    const names = [...this.list.querySelectorAll<HTMLButtonElement>(".piece-name")];
    const row = (event.target as Element).closest(".piece");
    const place = names.findIndex((name) => row?.contains(name));
    const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: names.length - 1 }[event.key];
    const next = to === undefined || place < 0 ? undefined : names[to];
    if (!next) return;
    event.preventDefault();
    this.reach(next);
    next.focus();
  }

  private reach(wanted: Element | null = this.list.contains(document.activeElement) ? document.activeElement : null): void {
    const rows = [...this.list.querySelectorAll(".piece")];
    const row = wanted?.closest(".piece") ?? this.list.querySelector(".piece.open") ?? rows[0];
    for (const each of rows) {
      for (const button of each.querySelectorAll("button")) button.tabIndex = each === row ? 0 : -1;
    }
  }

  private chooser(): Child {
    const input = h("input", { type: "file", hidden: true, multiple: true });
    input.addEventListener("change", () => {
      if (input.files?.length) this.does.take(chosen(input.files));
      input.value = "";
    });
    return [input, h("button", { type: "button", class: "small", id: "open-file", onclick: () => input.click() }, t("compose.openFile"))];
  }

  private group({ pieces }: Group): Child {
    const [first] = pieces;
    if (pieces.length === 1 && first) return h("li", {}, this.line(first, first.name));
    return h("li", { class: "together" },
      h("p", { class: "together-name" }, common(pieces), h("small", { class: "muted" }, [t("score.bars", { n: first?.bars ?? 0 }), when(first?.made ?? 0)].join(" · "))),
      h("ul", { class: "plain" }, pieces.map((piece, place) =>
        h("li", {}, this.line(piece, t("shelf.version", { n: place + 1 }), true)))));
  }

  private line(piece: Piece, name: string, ofSeveral = false): HTMLElement {
    const open = this.work.piece?.id === piece.id;
    const about = ofSeveral ? clock(piece.seconds) : [t("score.bars", { n: piece.bars }), clock(piece.seconds), when(piece.made)].join(" · ");
    return h("div", { class: open ? "piece open" : "piece" },
      h("button", {
        type: "button", class: "piece-name", id: `open-${piece.id}`, "aria-current": open ? "true" : undefined, title: piece.name,
        onclick: () => this.does.open(piece.id),
      }, h("span", {}, name), h("small", {}, about)),
      iconButton(`hear-${piece.id}`, "play", t("listen.to", { name: piece.name }), () => this.does.hear(piece.id)),
      iconButton(`forget-${piece.id}`, "bin", t("shelf.delete", { name: piece.name }), () => this.does.forget(piece)));
  }
}

/** What the names of pieces have in common: "Filling a tune, 1" and "Filling a tune, 2" are of "Filling a tune". */
function common(pieces: Piece[]): string {
  const [first = "", ...others] = pieces.map((piece) => piece.name.replace(/, \d+$/, ""));
  return others.every((name) => name === first) ? first : `${first} …`;
}
