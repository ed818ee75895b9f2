// What a job has made of a piece, side by side: the one before and after, keep this one, or go back to what it was made of.
import { api, type Piece } from "../api";
import { ask } from "../asking";
import { fill, h } from "../dom";
import { attempt } from "../messages";
import { store } from "../store";
import { t } from "../texts";
import { siblings } from "./groups";
import { iconButton } from "./icons";
import { Versions } from "./versions";
import type { Work } from "./work";

const KEPT = "partimento.compose.kept";
const kept = new Set<string>(JSON.parse(sessionStorage.getItem(KEPT) ?? "[]") as string[]); // jobs of which one was chosen

export class Variations {
  readonly element = h("div", { class: "variations", role: "group", "aria-label": t("variations"), hidden: true });
  private readonly versions: Versions;
  private readonly bar = h("div", { class: "row variations-bar" });
  private drawn = "";

  constructor(private readonly work: Work, private readonly open: (id: string) => Promise<boolean>, hear: (id: string) => void) {
    this.versions = new Versions((id) => void open(id), hear);
    fill(this.element, this.bar, this.versions.element);
    this.show();
  }

  show(): void {
    const { piece, writing } = this.work;
    const beside = this.beside;
    const before = piece?.from ? store.pieces.get(piece.from) : undefined;
    this.element.hidden = !piece?.job || writing || kept.has(piece.job) || (beside.length < 2 && !before);
    if (!piece || this.element.hidden) return;
    this.versions.show(beside, piece.id);
    const fresh = this.work.score.fresh.length;
    const now = [piece.id, fresh, before?.name, ...beside.map((each) => each.id)].join();
    if (now === this.drawn) return;
    this.drawn = now;
    const place = beside.findIndex((each) => each.id === piece.id) + 1;
    fill(this.bar,
      h("span", { role: "status", "aria-live": "polite" },
        beside.length > 1 ? t("variation.place", { n: place, all: beside.length }) : t("variation.one"),
        fresh > 0 && h("span", { class: "muted" }, " · ", t("variation.fresh", { n: fresh }))),
      beside.length > 1 && h("div", { class: "joined" },
        iconButton("variation-before", "before", t("variation.before"), () => this.go(-1), "["),
        iconButton("variation-after", "after", t("variation.after"), () => this.go(1), "]")),
      h("button", { type: "button", class: "small", id: "variation-keep", onclick: () => this.keep(piece) }, t("variation.keep")),
      before && h("button", {
        type: "button", class: "small", id: "variation-back", title: t("variation.backTo", { name: before.name }), onclick: () => void this.open(before.id),
      }, t("variation.back")),
      beside.length > 1 && h("button", {
        type: "button", class: "small danger", id: "variation-others", onclick: () => void this.forgetOthers(piece),
      }, t("variation.others")));
  }

  end(): void {
    this.versions.end();
  }

  /** To the next or the one before; round at the end. */
  go(way: 1 | -1): void {
    const { beside } = this;
    const place = beside.findIndex((each) => each.id === this.work.piece?.id);
    const next = beside[(place + way + beside.length) % beside.length];
    if (beside.length > 1 && next) void this.open(next.id);
  }

  private get beside(): Piece[] {
    const { piece } = this.work;
    return piece ? siblings(store.pieces.values(), piece, (job) => store.isSeries(job)) : [];
  }

  private keep(piece: Piece): void {
    if (piece.job) kept.add(piece.job);
    sessionStorage.setItem(KEPT, JSON.stringify([...kept]));
    this.work.acceptFresh();
    this.show();
    this.work.roll.focus();
  }

  private async forgetOthers(piece: Piece): Promise<void> {
    const others = this.beside.filter((each) => each.id !== piece.id);
    if (!(await ask(t("variation.othersSure", { n: others.length }), t("delete")))) return;
    for (const { id } of others) {
      if (!(await attempt(api.forgetPiece(id).then(() => true)))) return;
      store.remove("piece", id);
    }
  }
}
