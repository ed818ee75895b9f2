// The transport below the roll: play, stop, record, loop, follow; where it is; how fast and how loud; the keyboard.
import { h, write } from "../dom";
import { clock } from "../figures";
import { t, type Key } from "../texts";
import { Clock, placeOf } from "../ticks";
import type { Deck } from "./deck";
import { icon, iconButton, press } from "./icons";
import type { Pianist } from "./pianist";
import type { Work } from "./work";

export class Controls {
  private readonly play = iconButton("play", "play", t("transport.play"), () => this.deck.toggle(), t("key.space"));
  private readonly stop = iconButton("stop", "stop", t("transport.stop"), () => this.deck.stop());
  private readonly record = iconButton("record", "record", t("play.record"), () => this.deck.record());
  private readonly loop = iconButton("loop", "loop", t("play.loop"), () => this.deck.loop(!this.deck.loops), "L");
  private readonly follow = iconButton("follow", "follow", t("play.follow"), () => this.toggleFollow(), "F");
  private readonly place = h("output", { class: "place", "aria-label": t("play.place"), title: t("play.place") });
  private readonly time = h("output", { class: "time muted", "aria-label": t("play.time") });
  private readonly state = h("span", { class: "muted loads", role: "status", "aria-live": "polite" });
  private readonly tempo = slider("tempo", 25, 200, 100, (value) => this.deck.setTempo(value / 100));
  private readonly volume = slider("volume", 0, 100, 100, (value) => this.deck.setVolume(value / 100));
  private readonly keyboard = iconButton("keyboard", "piano", t("play.keyboard"), () => this.pianist.toggle());
  private readonly keyboardState = h("small", { class: "muted keyboard-state", role: "status", "aria-live": "polite" });
  readonly element: HTMLElement;
  private clock: { score: unknown; clock: Clock } | null = null;
  private drawnPlay = "";

  constructor(private readonly work: Work, private readonly deck: Deck, private readonly pianist: Pianist) {
    this.element = h("div", { class: "controls", role: "region", "aria-label": t("play.controls") },
      h("div", { class: "joined" }, this.play, this.stop, this.record),
      h("div", { class: "where" }, this.place, this.time, this.state),
      h("div", { class: "joined" }, this.loop, this.follow),
      h("span", { class: "space" }),
      labelled("tempo", "speed", this.tempo), labelled("volume", "loud", this.volume),
      h("div", { class: "row keyboard" }, this.keyboard, this.keyboardState));
    this.show();
    this.showPlace();
  }

  show(): void {
    const { deck, pianist } = this;
    const active = deck.state === "playing" || deck.state === "loading";
    if (this.drawnPlay !== deck.state) {
      this.drawnPlay = deck.state;
      const label = t(`transport.${active ? "pause" : "play"}` as Key);
      this.play.replaceChildren(icon(active ? "pause" : "play"));
      this.play.setAttribute("aria-label", label);
      this.play.title = `${label} (${t("key.space")})`;
    }
    const share = deck.progress;
    write(this.state, deck.state !== "loading" ? "" : share === null || share >= 1 ? t("listen.loading") : `${t("listen.loading")} ${Math.round(share * 100)} %`);
    press(this.record, deck.recording);
    press(this.loop, deck.loops);
    press(this.follow, deck.follows);
    this.record.disabled = this.work.writing || pianist.state !== "ready";
    this.record.title = t(pianist.state === "ready" ? "play.record" : "play.recordNeeds");
    press(this.keyboard, pianist.state === "ready");
    this.keyboard.disabled = pianist.state === "missing";
    const { names } = pianist;
    write(this.keyboardState, pianist.state === "ready"
      ? names.length ? names.join(", ") : t("keyboard.none")
      : pianist.state === "off" ? "" : t(`keyboard.${pianist.state}` as Key));
    this.tempo.value = String(Math.round(deck.tempo * 100));
    this.volume.value = String(Math.round(deck.volume * 100));
    for (const each of [this.tempo, this.volume]) tellValue(each);
  }

  showPlace(): void {
    const { score } = this.work;
    const { bar, beat } = placeOf(score, this.deck.position);
    write(this.place, `${bar}.${Math.floor(beat)}`);
    if (this.clock?.score !== score) this.clock = { score, clock: new Clock(score) };
    write(this.time, clock(this.clock.clock.secondsAt(this.deck.position)));
  }

  toggleFollow(): void {
    this.deck.follows = !this.deck.follows;
    press(this.follow, this.deck.follows);
  }
}

function slider(name: "tempo" | "volume", min: number, max: number, value: number, act: (value: number) => void): HTMLInputElement {
  const made: HTMLInputElement = h("input", {
    type: "range", id: name, min, max, step: name === "tempo" ? 5 : 1, value, title: t(`play.${name}`),
    oninput: () => {
      act(made.valueAsNumber);
      tellValue(made);
    },
    ondblclick: () => {
      made.value = "100";
      act(100);
      tellValue(made);
    },
  });
  return made;
}

function tellValue(made: HTMLInputElement): void {
  made.setAttribute("aria-valuetext", `${made.value} %`);
  const shown = made.nextElementSibling;
  if (shown) write(shown, `${made.value} %`);
}

function labelled(name: "tempo" | "volume", picture: "speed" | "loud", made: HTMLInputElement): HTMLElement {
  return h("label", { class: "slider", title: t(`play.${name}`) }, icon(picture), h("span", { class: "unseen" }, t(`play.${name}`)), made,
    h("span", { class: "figure", "aria-hidden": true }, "100 %"));
}
