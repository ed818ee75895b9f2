// The open piece by its name: named otherwise and saved, downloaded, deleted; and whether something is not saved yet.
import { api } from "../api";
import { h, fill, write } from "../dom";
import { store } from "../store";
import { named, t } from "../texts";
import { iconButton } from "./icons";
import type { Work } from "./work";

const FORMATS = ["mid", "wav", "mp3", "musicxml", "svg", "pdf", "png"];

export class Heading {
  private readonly name = h("input", {
    type: "text", id: "piece-name", maxlength: 120, autocomplete: "off", "aria-label": t("compose.name"),
    placeholder: t("compose.unnamed"), oninput: () => this.work.rename(this.name.value),
    onkeydown: (event: KeyboardEvent) => {
      if (event.key === "Enter" && !event.isComposing) void this.save();
    },
    onblur: () => {
      if (!this.name.value.trim() && this.work.piece) this.work.rename(this.work.piece.name); // a piece has a name
    },
  });
  private readonly state = h("span", { class: "muted piece-state", role: "status", "aria-live": "polite" });
  private readonly keep = h("button", { type: "button", id: "save", title: `${t("compose.save")} (Ctrl+S)`, onclick: () => void this.save() }, t("compose.save"));
  private readonly menu = h("details", { class: "menu", id: "downloads" });
  private readonly bin = iconButton("delete-piece", "bin", t("compose.delete"), () => this.forget());
  readonly element = h("div", { class: "heading" }, this.name, this.state, this.keep, this.menu, this.bin);
  private drawn = "";
  private saving = false;

  constructor(private readonly work: Work, private readonly forget: () => void) {
    this.menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.menu.open) return;
      event.stopPropagation();
      this.menu.open = false;
      this.menu.querySelector("summary")?.focus();
    });
    this.menu.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !this.menu.contains(event.relatedTarget as Node)) this.menu.open = false;
    });
    this.show();
  }

  async save(): Promise<void> {
    if (this.saving || !this.savable) return;
    this.saving = true;
    this.show();
    await this.work.save();
    this.saving = false;
    this.show();
  }

  show(): void {
    const { work } = this;
    const { piece } = work;
    if (this.name !== document.activeElement || this.name.value !== work.name) this.name.value = work.name;
    this.name.disabled = work.writing;
    this.keep.disabled = this.saving || !this.savable;
    this.keep.classList.toggle("primary", this.savable);
    write(this.state, t(work.writing ? "compose.writing" : work.opening ? "look.opening"
      : work.edited ? "compose.edited" : work.renamed ? "compose.renamed" : piece ? "compose.saved" : "compose.sheet"));
    this.bin.disabled = !piece || work.writing;
    const now = `${piece?.id} ${work.edited} ${store.about?.formats.join()}`;
    if (now === this.drawn) return;
    this.drawn = now;
    this.menu.hidden = !piece;
    if (!piece) return;
    const can = store.about?.formats ?? FORMATS;
    fill(this.menu, h("summary", { class: "button" }, t("score.download")),
      h("div", { class: "sheet" },
        work.edited && h("p", { class: "hint" }, t("compose.downloadSaved")),
        h("ul", { class: "plain" }, FORMATS.filter((format) => can.includes(format)).map((format) =>
          h("li", {}, h("a", { href: api.pieceFile(piece.id, format), download: true, onclick: () => (this.menu.open = false) },
            named("format", format)))))));
  }

  private get savable(): boolean {
    const { work } = this;
    return !work.writing && !work.opening && (work.edited || work.renamed);
  }
}
