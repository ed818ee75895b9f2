// The wishes of a mode as a form: what matters most first, the rest under "more". Writes into the wishes as one types.
import { h, fill, type Child } from "../dom";
import { store } from "../store";
import { t, type Key } from "../texts";
import { iconButton } from "./icons";
import { instrumentPicker } from "./picker";
import { ofBars, ofTracks, wishesOf, type Wish, type Wishes } from "./wishes";
import type { Work } from "./work";

const TONICS = ["C", "G", "D", "A", "E", "B", "F#", "Db", "Ab", "Eb", "Bb", "F"];
const SCALES = ["major", "minor", "dorian", "phrygian", "lydian", "mixolydian", "pentatonic", "minor pentatonic", "blues"];
const RARE: Wish[] = ["density", "lowest", "highest", "polyphony", "varied", "temperature", "topP", "of"];
const WHOLE: Wish[] = ["chords", "instruments", "track", "other"]; // as wide as the panel
const FOOT: Wish[] = ["versions", "seed"]; // beside the button, for all modes
const NUMBERS: Partial<Record<Wish, [least: number, most: number, step: number | "any"]>> = {
  length: [1, 7200, "any"], more: [1, 2000, "any"], keep: [1, 2000, 1], varied: [0, 1, 0.05], tempo: [10, 400, "any"],
  steps: [3, 64, 1], temperature: [0.05, 10, 0.05], topP: [0.05, 1, 0.01], of: [2, 32, 1], versions: [1, 8, 1], seed: [0, 2 ** 53 - 1, 1],
};
const EXAMPLES: Partial<Record<Wish, string>> = {
  form: "AABA", varied: "0.3", metre: "4/4", tempo: "96", key: "G minor", chords: "C G Am F", density: "2", lowest: "C3",
  highest: "C6", polyphony: "4", temperature: "1", topP: "0.98",
};
let moreIsOpen = false;

export class Fields {
  readonly element = h("div", { class: "wishes" });
  readonly foot = h("div", { class: "wishes-foot" });
  private drawn = "";
  private drawnTracks = "";
  private putting = false;
  private readonly tracks = h("div", { class: "field whole" });
  private readonly bars = h("div", { class: "field whole" });
  private readonly first = this.barInput("first-bar", t("make.firstBar"));
  private readonly last = this.barInput("last-bar", t("make.lastBar"));

  constructor(private readonly work: Work, private readonly wishes: Wishes, private readonly changed: () => void) {}

  show(planned: boolean): void {
    const { mode, unit } = this.wishes;
    const others = mode === "interpolate" ? [...store.pieces.values()].map((piece) => piece.id).join() : "";
    const tracks = mode === "harmonise" ? this.work.tracks.map((track) => `${track.name} ${track.notes.length > 0}`).join() : "";
    const now = [mode, planned, unit, others, tracks, this.work.piece?.bars].join();
    if (now !== this.drawn) {
      this.drawn = now;
      this.draw(wishesOf(mode, planned));
    }
    if (ofBars(mode)) this.showBars();
    if (ofTracks(mode)) this.showTracks();
  }

  /** Whether all that is typed is what it should be; else says so at the first that is not. */
  valid(): boolean {
    const inputs = [...this.element.querySelectorAll("input"), ...this.foot.querySelectorAll("input")];
    const wrong = inputs.find((input) => !input.checkValidity());
    const more = wrong?.closest("details");
    if (more) more.open = true;
    return wrong?.reportValidity() ?? true;
  }

  private draw(wishes: Wish[]): void {
    const { mode } = this.wishes;
    const isRare = (wish: Wish): boolean => RARE.includes(wish) && (wish !== "density" || mode === "compose");
    const usual = wishes.filter((wish) => !isRare(wish) && !FOOT.includes(wish) && wish !== "unit");
    const rare = wishes.filter(isRare);
    const more = h("details", { class: "more-wishes", open: moreIsOpen }, h("summary", {}, t("make.moreWishes")),
      h("div", { class: "wishes" }, rare.map((wish) => this.field(wish))));
    more.addEventListener("toggle", () => (moreIsOpen = more.open));
    this.drawnTracks = "";
    fill(this.element, ofBars(mode) && this.bars, ofTracks(mode) && this.tracks, usual.map((wish) => this.field(wish)), rare.length > 0 && more);
    if (ofBars(mode)) this.drawBars();
    fill(this.foot, FOOT.filter((wish) => wishes.includes(wish)).map((wish) => this.field(wish)));
  }

  private field(wish: Wish): Child {
    const { wishes } = this;
    if (wish === "share") return this.share();
    if (wish === "instruments") return instrumentPicker("wish-instruments", t("make.instruments"), wishes.instruments, this.changed);
    const id = `wish-${wish}`;
    const label = h("label", { for: id }, t(`make.${wish}` as Key));
    const control = wish === "track" ? this.choice(id, wish, this.melodies()) : wish === "other" ? this.choice(id, wish, this.others()) : this.input(id, wish);
    const beside = wish === "length" || wish === "more" ? this.units() : wish === "seed" ? this.dice(control) : null;
    const list = wish === "key" && h("datalist", { id: "keys-known" },
      SCALES.flatMap((scale) => TONICS.map((tonic) => h("option", { value: `${tonic} ${scale}` }))));
    return h("div", { class: WHOLE.includes(wish) ? "field whole" : `field ${beside ? "joint" : ""}` },
      label, beside ? h("div", { class: "row together" }, control, beside) : control, list);
  }

  private input(id: string, wish: Wish): HTMLInputElement {
    const range = NUMBERS[wish];
    const help = `make.${wish}.help` as Key;
    const input: HTMLInputElement = h("input", {
      id, type: range ? "number" : "text", min: range?.[0], max: range?.[1], step: range?.[2], autocomplete: "off", maxlength: range ? undefined : 400,
      value: String(this.wishes[wish]), title: t(help), "aria-description": t(help),
      placeholder: wish === "keep" ? String(this.work.piece?.bars ?? "") : (EXAMPLES[wish] ?? ""),
      required: wish === "versions" || wish === "seed" || wish === "steps" || wish === "more",
      list: wish === "key" ? "keys-known" : undefined, spellcheck: "false",
      oninput: () => this.put(wish, input.value),
    });
    return input;
  }

  private put(wish: Wish, value: string): void {
    Object.assign(this.wishes, { [wish]: value });
    this.changed();
  }

  private share(): Child {
    const value = h("span", { class: "figure", "aria-hidden": true });
    const tell = (): void => {
      const words = `${input.value} %`;
      input.setAttribute("aria-valuetext", words);
      fill(value, words);
    };
    const input: HTMLInputElement = h("input", {
      type: "range", id: "wish-share", min: 5, max: 100, step: 5, value: this.wishes.share, title: t("make.share.help"),
      oninput: () => {
        this.put("share", input.value);
        tell();
      },
    });
    tell();
    return h("div", { class: "field whole" }, h("label", { for: "wish-share" }, t("make.share")), h("div", { class: "row together" }, input, value));
  }

  private units(): HTMLElement {
    const select: HTMLSelectElement = h("select", {
      id: "wish-unit", "aria-label": t("make.unit"), onchange: () => this.put("unit", select.value),
    }, h("option", { value: "bars" }, t("make.bars")), h("option", { value: "seconds" }, t("make.seconds")));
    select.value = this.wishes.unit;
    return select;
  }

  private dice(control: HTMLElement): HTMLElement {
    return iconButton("another-seed", "dice", t("make.anotherSeed"), () => {
      (control as HTMLInputElement).value = anySeed();
      this.put("seed", (control as HTMLInputElement).value);
    });
  }

  private choice(id: string, wish: "track" | "other", options: HTMLElement[]): HTMLSelectElement {
    const select: HTMLSelectElement = h("select", {
      id, onchange: () => (wish === "track" ? (this.wishes.track = Number(select.value), this.changed()) : this.put(wish, select.value)),
    }, options);
    select.value = String(this.wishes[wish]);
    if (select.selectedIndex < 0) {
      select.value = (options.find((option) => !(option as HTMLOptionElement).disabled) as HTMLOptionElement | undefined)?.value ?? "";
      if (wish === "track") this.wishes.track = Number(select.value);
      else this.wishes.other = select.value;
    }
    return select;
  }

  private melodies(): HTMLElement[] {
    return this.work.tracks.map((track, place) =>
      h("option", { value: place, disabled: track.notes.length === 0 }, t("make.trackName", { n: place + 1, name: track.name })));
  }

  private others(): HTMLElement[] {
    const pieces = [...store.pieces.values()].filter((piece) => piece.id !== this.work.piece?.id).sort((one, other) => other.made - one.made);
    return pieces.map((piece) => h("option", { value: piece.id }, piece.name));
  }

  private barInput(id: string, label: string): HTMLInputElement {
    return h("input", {
      id, type: "number", min: 1, max: 100000, step: 1, "aria-label": label, title: label,
      onchange: () => this.putBars(),
      onblur: () => window.setTimeout(() => this.showBars()),
    });
  }

  private drawBars(): void {
    fill(this.bars, h("span", { class: "label", id: "bars-label" }, t("make.region")),
      h("div", { class: "row together", role: "group", "aria-labelledby": "bars-label" }, this.first, "–", this.last,
        h("button", { type: "button", class: "small", id: "all-bars", onclick: () => (this.work.roll.region = null) }, t("make.allBars"))));
  }

  private showBars(): void {
    const { region } = this.work.roll;
    if (this.putting) return;
    for (const [input, value] of [[this.first, region?.from], [this.last, region?.to]] as const) {
      if (input !== document.activeElement) input.value = value === undefined ? "" : String(value);
      input.placeholder = t("make.all");
      input.max = String(Math.max(1, this.work.score.bars.length - 1));
    }
  }

  private putBars(): void {
    const [from, to] = [this.first.valueAsNumber, this.last.valueAsNumber];
    const one = Number.isFinite(from) ? from : to;
    this.putting = true; // the next field, which is about to have the focus, stays as it is
    this.work.roll.region = Number.isFinite(one) ? { from: one, to: Number.isFinite(to) ? to : one } : null;
    this.putting = false;
    window.setTimeout(() => this.showBars());
  }

  private showTracks(): void {
    const { tracks, roll } = this.work;
    const now = JSON.stringify([tracks.map(({ name, notes }) => [name, notes.length > 0]), [...this.wishes.tracks]]);
    if (now === this.drawnTracks) return;
    this.drawnTracks = now;
    fill(this.tracks, h("span", { class: "label", id: "tracks-label" }, t("make.tracks")),
      h("ul", { class: "plain checks", role: "group", "aria-labelledby": "tracks-label" }, tracks.map((track, place) => {
        const swatch = h("span", { class: "swatch", "aria-hidden": true });
        swatch.style.background = roll.trackColour(place);
        const box: HTMLInputElement = h("input", {
          type: "checkbox", id: `of-track-${place}`, checked: this.wishes.tracks.has(place), disabled: track.notes.length === 0,
          onchange: () => {
            if (box.checked) this.wishes.tracks.add(place);
            else this.wishes.tracks.delete(place);
            this.changed();
          },
        });
        return h("li", {}, h("label", {}, box, swatch, t("make.trackName", { n: place + 1, name: track.name })));
      })));
  }
}

export const anySeed = (): string => String(Math.floor(Math.random() * 1_000_000));
