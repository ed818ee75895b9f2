// The tracks of the open piece: which one is worked on, who plays it, which are silenced, alone or hidden; new ones.
import type { Track } from "../api";
import { fill, h, type Child } from "../dom";
import { t, type Key } from "../texts";
import { instrumentName, instrumentOptions } from "./choices";
import { iconButton, press } from "./icons";
import { DRUMS } from "./instruments";
import type { Mixing } from "./mixing";
import type { Work } from "./work";

const MOST = 64;

export class Tracks {
  private readonly list = h("ol", { class: "plain track-list" });
  private readonly add = h("button", { type: "button", class: "small", id: "add-track", onclick: () => this.addTrack() }, `+ ${t("track.add")}`);
  readonly element = h("section", { class: "tracks", "aria-labelledby": "tracks-title" },
    h("div", { class: "row head" }, h("h2", { id: "tracks-title" }, t("tracks")), this.add), this.list);
  private drawn = "";

  constructor(private readonly work: Work, private readonly mixing: Mixing) {
    this.show();
  }

  show(): void {
    const { work } = this;
    const { tracks, writing } = work;
    this.add.disabled = writing || tracks.length >= MOST;
    const states = tracks.map((_, track) => this.mixing.of(track));
    const look = tracks.map(({ name, program, drums, notes }) => [name, program, drums, notes.length]);
    const now = JSON.stringify([look, states, work.roll.activeTrack, writing, work.roll.trackColour(0)]);
    if (now === this.drawn) return;
    this.drawn = now;
    fill(this.list, tracks.map((track, place) => this.line(track, place)));
  }

  private line(track: Track, place: number): Child {
    const { work } = this;
    const number = place + 1;
    const state = this.mixing.of(place);
    const active = work.roll.activeTrack === place;
    const program = track.drums ? DRUMS : track.program;
    const instrument = h("select", {
      id: `instrument-${place}`, class: "instrument", "aria-label": t("track.instrument", { n: number }), disabled: work.writing,
      onchange: () => this.play(place, Number(instrument.value)),
    }, instrumentOptions());
    instrument.value = String(program);
    const swatch = h("span", { class: "swatch", "aria-hidden": true });
    swatch.style.background = work.roll.trackColour(place);
    const toggle = (what: "muted" | "solo" | "hidden"): HTMLElement => {
      const label = t(`track.${what}` as Key, { n: number });
      const button = h("button", {
        type: "button", id: `${what}-${place}`, class: `letter ${what}`, "aria-label": label, title: label,
        onclick: () => {
          this.mixing.toggle(place, what);
          this.show();
        },
      }, t(`track.${what}.letter` as Key));
      press(button, state[what]);
      return button;
    };
    const name = shownName(track.name, program);
    return h("li", { class: active ? "active" : "" },
      h("label", { class: "which", title: t("track.work", { n: number }) },
        h("input", {
          type: "radio", name: "active-track", id: `track-${place}`, checked: active, "aria-label": t("track.work", { n: number }),
          onchange: () => (work.roll.activeTrack = place),
        }), swatch),
      instrument,
      h("div", { class: "track-foot" },
        h("small", { class: "muted", title: name }, name, name && " · ", t("track.notes", { n: track.notes.length })),
        toggle("muted"), toggle("solo"), toggle("hidden"),
        iconButton(`delete-track-${place}`, "cross", t("track.delete", { n: number }), () => this.remove(place))));
  }

  private play(place: number, program: number): void {
    const { score } = this.work;
    this.work.change({ ...score, tracks: score.tracks.map((track, each) => (each === place ? playedBy(track, program) : track)) });
  }

  private addTrack(): void {
    const { score } = this.work;
    this.work.change({ ...score, tracks: [...score.tracks, { name: instrumentName(0), program: 0, drums: false, notes: [] }] });
    const last = score.tracks.length;
    this.work.roll.activeTrack = last;
    this.show();
    document.getElementById(`instrument-${last}`)?.focus();
  }

  private remove(place: number): void {
    const { score } = this.work;
    const tracks = score.tracks.filter((_, each) => each !== place);
    const fresh = score.fresh.filter(([track]) => track !== place)
      .map(([track, note]): [number, number] => [track > place ? track - 1 : track, note]);
    this.work.change({ ...score, tracks, fresh });
    document.getElementById(`instrument-${Math.min(place, tracks.length - 1)}`)?.focus();
  }
}

/** The track with another instrument; where it was called by its instrument, it is called by the new one. */
export function playedBy(track: Track, program: number): Track {
  const drums = program === DRUMS;
  const before = instrumentName(track.drums ? DRUMS : track.program);
  const name = track.name === "" || track.name === before ? instrumentName(program) : track.name;
  return { ...track, name, drums, program: drums ? 0 : program };
}

/** A name that only says the instrument again says nothing. */
function shownName(name: string, program: number): string {
  return name.toLowerCase().replace(/ \d+$/, "") === instrumentName(program).toLowerCase().replace(/ \d+$/, "") ? "" : name;
}
