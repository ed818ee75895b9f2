// Listening to a piece from anywhere on the page: one piece at a time, with a transport at the foot of the page.
import type { Score } from "./api";
import { fill, h, write } from "./dom";
import { clock } from "./figures";
import { attempt } from "./messages";
import { openSound, type Sound } from "./sound";
import { t, type Key } from "./texts";

/** What plays pieces. A page gives each piece a key, by which it knows again which one is heard. */
export interface Listen {
  play(score: Score, key?: string, name?: string): Promise<void>;
  pause(): void;
  stop(): void;
  readonly playing: string | null; // the key of the piece that is heard or paused
}

type State = "nothing" | "loading" | "playing" | "paused";

const PAINT_EVERY = 100; // milliseconds

let sound: Promise<Sound> | null = null;
let now: { key: string; name: string; state: State; sound: Sound | null } = { key: "", name: "", state: "nothing", sound: null };
let loaded: number | null = null; // the share of the instruments that has come
let turn = 0; // of what is asked for: what loads slowly must not sound after something later
const hearers = new Set<() => void>();

function become(state: State, change: Partial<typeof now> = {}): void {
  now = { ...now, ...change, state };
  for (const hear of [...hearers]) hear();
}

export const listen: Listen = {
  async play(score, key = "", name = "") {
    await playWhenReady(key, name, async () => score);
  },
  pause() {
    if (now.state !== "playing") return;
    now.sound?.pause();
    become("paused");
  },
  stop() {
    turn += 1;
    now.sound?.stop();
    become("nothing", { key: "", name: "" });
  },
  get playing() {
    return now.state === "nothing" ? null : now.key;
  },
};

async function playWhenReady(key: string, name: string, fetchScore: () => Promise<Score>): Promise<void> {
  listen.stop();
  const mine = ++turn;
  become("loading", { key, name });
  sound ??= openSound(() => listen.stop(), (share) => {
    loaded = share;
    if (now.state === "loading") become("loading");
  });
  sound.catch(() => (sound = null)); // the next one tries again
  try {
    const [player, score] = await Promise.all([sound, fetchScore()]);
    if (mine !== turn) return;
    await player.play(score);
    if (mine === turn) become("playing", { sound: player });
    else player.stop();
  } catch (error) {
    if (mine === turn) listen.stop();
    throw error;
  }
}

/** A button that plays a piece, and stops it while it is heard; a small one has no word. */
export function listenButton(key: string, name: string, fetchScore: () => Promise<Score>, small = false): HTMLElement {
  const button = h("button", {
    type: "button", class: small ? "small listen bare" : "small listen", id: `listen-${key}`,
    onclick: () => {
      if (listen.playing === key) listen.stop();
      else void attempt(playWhenReady(key, name, fetchScore));
    },
  });
  const show = (): void => {
    if (button.isConnected) shown = true;
    else if (shown) return void hearers.delete(show); // its part of the page was drawn anew
    const mine = listen.playing === key;
    button.classList.toggle("on", mine);
    if (small) button.title = t(mine ? "listen.stop" : "listen");
    else write(button, t(mine ? "listen.stop" : "listen"));
    button.setAttribute("aria-label", t(mine ? "listen.stopOf" : "listen.to", { name }));
  };
  let shown = false;
  hearers.add(show);
  show();
  return button;
}

/** The transport at the foot of the page: made once for each language, seen while there is something to hear. */
export function transport(): HTMLElement {
  for (const hear of forgotten.splice(0)) hear();
  const button = (word: "play" | "stop", act: () => void): HTMLButtonElement =>
    h("button", { type: "button", id: `transport-${word}`, onclick: act });
  const play = button("play", () => void toggle());
  const stop = button("stop", () => listen.stop());
  const place = h("input", {
    type: "range", min: 0, step: 0.1, id: "transport-position", "aria-label": t("transport.position"),
    oninput: () => {
      now.sound?.seek(place.valueAsNumber);
      paint();
    },
  });
  const name = h("strong", { role: "status", "aria-live": "polite" });
  const time = h("span", { class: "figure muted" });
  const element = h("footer", { class: "transport", role: "region", "aria-label": t("transport"), hidden: true }, play, stop, name, place, time);
  fill(stop, t("transport.stop"));
  let timer = 0;
  const paint = (): void => {
    if (!now.sound || now.state === "loading") return;
    const { position, length } = now.sound;
    place.max = String(length);
    place.value = String(position);
    const text = `${clock(position)} / ${clock(length)}`;
    place.setAttribute("aria-valuetext", text);
    write(time, text);
  };
  const show = (): void => {
    element.hidden = now.state === "nothing";
    document.documentElement.classList.toggle("listening", !element.hidden);
    play.disabled = place.disabled = now.state === "loading";
    write(play, t(`transport.${now.state === "playing" ? "pause" : "play"}` as Key));
    write(name, now.state === "loading" ? t("listen.loading") : now.name);
    if (now.state === "loading") write(time, loaded === null || loaded >= 1 ? "" : `${Math.round(loaded * 100)} %`);
    window.clearInterval(timer);
    if (now.state === "playing") timer = window.setInterval(paint, PAINT_EVERY);
    paint();
  };
  hearers.add(show);
  forgotten.push(() => {
    hearers.delete(show);
    window.clearInterval(timer);
  });
  show();
  return element;
}

const forgotten: (() => void)[] = []; // what ends the transport of before

async function toggle(): Promise<void> {
  if (now.state === "playing") listen.pause();
  else if (now.sound && (await attempt(now.sound.resume().then(() => true)))) become("playing");
}
