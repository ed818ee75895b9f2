// What is asked for a report: which pieces, beside which music, and whose training set is looked through for copies.
import { api, type Job } from "../api";
import { fill, h } from "../dom";
import { clock } from "../figures";
import { choosers, takeDrops, type Gathered } from "../gathering";
import { attempt, complain } from "../messages";
import { store } from "../store";
import { modelNamed, t } from "../texts";
import { field } from "../train/form";

const kept = new Set<string>(); // what is chosen stays so while other reports are looked at

export class EvaluateForm {
  private readonly chosen = kept;
  private readonly search = h("input", {
    type: "search", id: "search-pieces", placeholder: t("pieces.search"), "aria-label": t("pieces.search"), oninput: () => this.list(),
  });
  private readonly pieces = h("ul", { class: "plain choose", tabindex: 0, "aria-label": t("report.pieces") });
  private readonly all = h("button", { type: "button", class: "small", onclick: () => this.chooseAll() }, t("pieces.all"));
  private readonly number = h("span", { class: "muted", role: "status", "aria-live": "polite" });
  private readonly like = h("select", { id: "report-like", required: true });
  private readonly model = h("select", { id: "report-model" });
  private readonly begin = h("button", { class: "primary", type: "submit" }, t("report.start"));
  private readonly hint = h("p", { class: "hint" });
  private readonly endDrops = takeDrops(t("pieces.drop"), (gathered) => void this.upload(gathered), complain);

  readonly element = h("form", { class: "panel columns", onsubmit: (event: Event) => void this.start(event) },
    h("fieldset", { class: "stack" }, h("legend", {}, t("report.pieces")),
      h("div", { class: "row" }, this.search, this.all, this.number),
      this.pieces,
      h("div", { class: "row" }, choosers((gathered) => void this.upload(gathered), ["files"], true),
        h("span", { class: "muted" }, t("pieces.orDrop")))),
    h("div", { class: "stack" },
      field("report-like", t("report.like"), this.like, h("small", { class: "muted" }, t("report.likeHelp"))),
      field("report-model", t("report.model"), this.model, h("small", { class: "muted" }, t("report.modelHelp"))),
      this.hint,
      h("div", { class: "row" }, this.begin)));

  constructor(private readonly begun: (job: Job) => void, piece: string | null) {
    if (piece) this.chosen.add(piece);
    this.refresh();
  }

  end(): void {
    this.endDrops();
  }

  refresh(): void {
    const [like, model] = [this.like.value, this.model.value];
    const corpora = [...store.corpora.values()].sort((a, b) => b.made - a.made);
    fill(this.like, corpora.map((one) => h("option", { value: one.id }, one.name)));
    fill(this.model, h("option", { value: "" }, t("report.noModel")), store.models.map((one) => h("option", { value: one.id }, modelNamed(one.name))));
    if (store.corpora.has(like)) this.like.value = like;
    if (store.models.some((one) => one.id === model)) this.model.value = model;
    for (const id of this.chosen) if (store.loaded && !store.pieces.has(id)) this.chosen.delete(id);
    this.list();
  }

  private found() {
    const words = this.search.value.toLowerCase();
    return [...store.pieces.values()].filter((piece) => piece.name.toLowerCase().includes(words)).sort((a, b) => b.made - a.made);
  }

  private list(): void {
    const found = this.found();
    const place = this.pieces.scrollTop;
    fill(this.pieces, found.length === 0 ? h("li", { class: "muted" }, t(store.pieces.size === 0 ? "pieces.none" : "table.nothing"))
      : found.map((piece) => h("li", {}, h("label", { class: "row" },
        h("input", {
          type: "checkbox", id: `choose-${piece.id}`, checked: this.chosen.has(piece.id), onchange: () => {
            if (!this.chosen.delete(piece.id)) this.chosen.add(piece.id);
            this.mark();
          },
        }),
        h("span", {}, piece.name), h("span", { class: "space" }), h("small", { class: "muted" }, clock(piece.seconds))))));
    this.pieces.scrollTop = place;
    this.mark();
  }

  private chooseAll(): void {
    const found = this.found();
    const all = found.every((piece) => this.chosen.has(piece.id));
    for (const piece of found) {
      if (all) this.chosen.delete(piece.id);
      else this.chosen.add(piece.id);
    }
    this.list();
  }

  private mark(): void {
    fill(this.number, t("pieces.chosen", { n: this.chosen.size }));
    this.begin.disabled = this.chosen.size === 0 || this.like.value === "";
    this.all.hidden = store.pieces.size === 0;
    fill(this.hint, store.loaded && store.corpora.size === 0
      ? [t("report.noCorpus"), " ", h("a", { href: "#/corpus" }, t("train.toCorpus"))] : null);
    this.hint.hidden = !this.hint.firstChild;
  }

  private async upload(gathered: Gathered): Promise<void> {
    for (const { path, file } of gathered.files) {
      const piece = await attempt(api.addPiece(file, path));
      if (!piece) continue;
      store.takePiece(piece);
      this.chosen.add(piece.id);
    }
    this.list();
  }

  private async start(event: Event): Promise<void> {
    event.preventDefault();
    this.begin.disabled = true;
    const job = await attempt(api.start("evaluate", {
      pieces: [...this.chosen], like: this.like.value, ...(this.model.value ? { model: this.model.value } : {}),
    }));
    if (job) this.chosen.clear();
    this.mark();
    if (job) this.begun(job);
  }
}
