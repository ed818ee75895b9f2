// What to do with the piece: by which model, in which way, with which wishes; and the button that has it done.
import type { Model } from "../api";
import { fill, h, write } from "../dom";
import { forgive } from "../messages";
import { store } from "../store";
import { modelNamed, said, t, type Key } from "../texts";
import { anySeed, Fields } from "./fields";
import type { Making } from "./making";
import { lacking, MODES, ofPiece, orderOf, Wishes, type Mode, type Subject } from "./wishes";
import type { Work } from "./work";

const wishes = new Wishes(); // they stay while one looks at other pages
wishes.seed = anySeed();
let chosenModel = "";
let drawnSeed = wishes.seed; // that nobody typed

export class Panel {
  private readonly model = h("select", { id: "model", onchange: () => this.choose(this.model.value) });
  private readonly tabs = new Map<Mode, HTMLButtonElement>();
  private readonly reasons = h("ul", { class: "plain reasons-list" });
  private readonly help = h("p", { class: "hint" });
  private readonly fields: Fields;
  private readonly begin = h("button", { type: "submit", class: "primary", id: "make" });
  private readonly why = h("p", { class: "hint lack", id: "make-lack" });
  readonly element: HTMLElement;
  private drawn = "";
  private starting = false;

  constructor(private readonly work: Work, private readonly making: Making, model: string | null) {
    if (model) {
      chosenModel = model;
      wishes.mode = "compose";
    }
    this.fields = new Fields(work, wishes, () => this.show());
    for (const mode of MODES) {
      this.tabs.set(mode, h("button", { type: "button", role: "radio", id: `mode-${mode}`, onclick: () => this.turn(mode) }, t(`mode.${mode}`)));
    }
    const tabs = h("div", {
      class: "modes", role: "radiogroup", "aria-label": t("make.title"), onkeydown: (event: KeyboardEvent) => this.step(event),
    }, ...this.tabs.values());
    this.element = h("form", { class: "what", "aria-labelledby": "what-title", novalidate: true, onsubmit: (event: Event) => void this.start(event) },
      h("h2", { id: "what-title" }, t("make.title")),
      h("div", { class: "what-body" },
        h("div", { class: "model" }, h("label", { for: "model" }, t("make.model")), this.model),
        tabs, this.help, this.fields.element, this.reasons),
      h("div", { class: "what-foot" }, this.fields.foot, this.why, this.begin, making.element));
    this.show();
  }

  /** Turn to a way of composing. */
  turn(mode: Mode): void {
    if (this.reason(mode)) return;
    wishes.mode = mode;
    this.show();
  }

  /** Another piece has other tracks. */
  forgetTracks(): void {
    wishes.tracks.clear();
    wishes.track = 0;
  }

  show(): void {
    this.showModels();
    if (this.reason(wishes.mode)) wishes.mode = MODES.find((mode) => !this.reason(mode)) ?? "compose";
    const { mode } = wishes;
    for (const [each, tab] of this.tabs) {
      const reason = this.reason(each);
      tab.setAttribute("aria-checked", String(each === mode));
      tab.tabIndex = each === mode ? 0 : -1;
      tab.setAttribute("aria-disabled", String(Boolean(reason)));
      tab.title = reason;
    }
    write(this.help, t(`mode.${mode}.help` as Key));
    this.fields.show(this.planned);
    const lack = lacking(wishes, this.subject);
    write(this.why, lack ? t(`make.lack.${lack}`) : "");
    this.why.hidden = !lack;
    this.begin.disabled = Boolean(lack) || this.starting || !this.chosen || this.work.writing;
    write(this.begin, this.words());
    this.making.show();
  }

  private get chosen(): Model | undefined {
    return store.models.find((model) => model.id === chosenModel) ?? store.models[0];
  }

  private get planned(): boolean {
    return this.chosen?.modes.compose === "" && (this.chosen.modes as Record<string, string>).plan === "";
  }

  private get subject(): Subject {
    const { piece, score, roll } = this.work;
    const written = piece !== null || this.work.edited; // a sheet is saved as a piece first
    return { piece: piece?.id ?? (written ? "sheet" : ""), bars: piece?.bars ?? 1, region: roll.region, notes: score.tracks.map((track) => track.notes.length) };
  }

  private reason(mode: Mode): string {
    const reason = this.chosen?.modes[mode];
    return reason ? said(reason) : "";
  }

  private words(): string {
    const { region } = this.work.roll;
    const { mode } = wishes;
    if ((mode === "fill" || mode === "vary" || mode === "accompany") && region) {
      return region.from === region.to ? t(`make.${mode}.bar`, { n: region.from }) : t(`make.${mode}.bars`, { from: region.from, to: region.to });
    }
    return t(`mode.${mode}.do` as Key);
  }

  private showModels(): void {
    const { chosen } = this;
    const now = JSON.stringify([store.models.map((model) => [model.id, model.name]), chosen?.id]);
    if (now === this.drawn) return;
    this.drawn = now;
    fill(this.model, store.models.map((model) => h("option", { value: model.id }, modelNamed(model.name))));
    this.model.value = chosen?.id ?? "";
    this.model.title = chosen ? said(chosen.about) : "";
    const reasons = new Map<string, Mode[]>();
    for (const mode of MODES) {
      const reason = this.reason(mode);
      if (reason) reasons.set(reason, [...(reasons.get(reason) ?? []), mode]);
    }
    const comma = t("make.comma");
    fill(this.reasons, [...reasons].map(([reason, modes]) =>
      h("li", {}, h("strong", {}, modes.map((mode) => t(`mode.${mode}`)).join(comma)), t("make.colon"), reason)));
  }

  private choose(model: string): void {
    chosenModel = model;
    this.show();
  }

  // Arrow keys go from one way to the next that there is.
  private step(event: KeyboardEvent): void {
    const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const can = MODES.filter((mode) => !this.reason(mode));
    const next = can[(can.indexOf(wishes.mode) + way + can.length) % can.length];
    if (!next) return;
    this.turn(next);
    this.tabs.get(next)?.focus();
  }

  private async start(event: Event): Promise<void> {
    event.preventDefault();
    const { chosen } = this;
    if (!chosen || this.begin.disabled || !this.fields.valid()) return;
    this.starting = true;
    this.show();
    forgive();
    const piece = ofPiece(wishes.mode) ? await this.work.settled() : null;
    if (piece || !ofPiece(wishes.mode)) {
      const { kind, asked } = orderOf(wishes, chosen.id, { ...this.subject, piece: piece?.id ?? "", bars: piece?.bars ?? 1 }, this.planned);
      if (await this.making.start(kind, asked)) this.anotherSeed();
    }
    this.starting = false;
    this.show();
  }

  // The same seed gives the same music: another is drawn for the next time, unless one was typed.
  private anotherSeed(): void {
    if (wishes.seed !== drawnSeed) return;
    wishes.seed = drawnSeed = anySeed();
    const input = document.getElementById("wish-seed") as HTMLInputElement | null;
    if (input) input.value = wishes.seed;
  }
}
