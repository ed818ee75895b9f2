// What is asked of the machine: the wishes of the panel, and the order for the server that comes of them. No page here.
import type { Kind } from "../api";
import type { Region } from "../roll/desk";
import { nameForServer } from "./instruments";

export const MODES = ["compose", "continue", "fill", "vary", "accompany", "harmonise", "interpolate"] as const;
export type Mode = (typeof MODES)[number];

/** All that can be wished, as it is typed; an empty text is no wish. */
export class Wishes {
  mode: Mode = "compose";
  length = "16";
  unit: "bars" | "seconds" = "bars";
  more = "8"; // bars or seconds that are written when a piece is continued
  keep = ""; // bars of the piece that it goes on from; all of them if empty
  readonly players = new Map<Mode, number[]>(); // programs for each way, in order; drums stand after them
  form = "";
  varied = "";
  metre = "";
  tempo = "";
  key = "";
  chords = "";
  density = "";
  lowest = "";
  highest = "";
  polyphony = "";
  share = "50"; // per cent
  tracks = new Set<number>(); // places in the piece; none means all
  track = 0; // the melody
  other = ""; // the piece to arrive at
  steps = "7";
  temperature = "";
  topP = "";
  versions = "1";
  of = ""; // how many are made for the best of them to be kept
  seed = "";

  /** Programs for the way that is chosen. */
  get instruments(): number[] {
    const there = this.players.get(this.mode) ?? [];
    this.players.set(this.mode, there);
    return there;
  }
}

/** The piece that it is about. */
export interface Subject {
  piece: string;
  bars: number;
  region: Region | null;
  notes: number[]; // how many each track has: the server counts those only that have some
}

export type Wish = Exclude<keyof Wishes, "mode" | "tracks" | "players">;

const LIKE = ["key", "density", "chords", "lowest", "highest", "polyphony"] as const;
const DRAWN = ["temperature", "topP"] as const;

/** What can be wished in a mode; a model without a plan is asked for length and key alone. */
export function wishesOf(mode: Mode, planned: boolean): Wish[] {
  switch (mode) {
    case "compose":
      return planned
        ? ["length", "unit", "instruments", "form", "varied", "metre", "tempo", ...LIKE, ...DRAWN, "versions", "of", "seed"]
        : ["length", "unit", "key", ...DRAWN, "versions", "of", "seed"];
    case "continue": return ["keep", "key", "more", "unit", ...DRAWN, "versions", "of", "seed"];
    case "fill": return [...LIKE, ...DRAWN, "versions", "seed"];
    case "vary": return ["share", ...LIKE, ...DRAWN, "versions", "seed"];
    case "accompany": return ["instruments", ...LIKE, ...DRAWN, "versions", "seed"];
    case "harmonise": return ["track", "instruments", ...LIKE, ...DRAWN, "versions", "seed"];
    case "interpolate": return ["other", "steps", "seed"];
  }
}

export const ofBars = (mode: Mode): boolean => mode === "fill" || mode === "vary" || mode === "accompany";
export const ofTracks = (mode: Mode): boolean => mode === "fill" || mode === "vary";
export const ofPiece = (mode: Mode): boolean => mode !== "compose";

export type Lack = "piece" | "notes" | "place" | "other" | "melody";

/** What is missing before it can be asked for; nothing where all is there. */
export function lacking(wishes: Wishes, subject: Subject): Lack | null {
  const { mode } = wishes;
  if (mode === "compose") return null;
  if (!subject.piece) return "piece";
  if (!subject.notes.some(Boolean)) return "notes";
  if (mode === "fill" && !subject.region && !chosenTracks(wishes, subject).length) return "place";
  if (mode === "harmonise" && !subject.notes[wishes.track]) return "melody";
  return mode === "interpolate" && !wishes.other ? "other" : null;
}

/** The kind of job, and what is sent: only what was said. */
export function orderOf(wishes: Wishes, model: string, subject: Subject, planned: boolean): { kind: Kind; asked: Record<string, unknown> } {
  const { mode } = wishes;
  const can = new Set<Wish>(wishesOf(mode, planned));
  const said = <T>(wish: Wish, value: T): T | undefined => (can.has(wish) ? value : undefined);
  const asked: Record<string, unknown> = { model, seed: number(wishes.seed) };
  for (const wish of LIKE) asked[wish] = said(wish, text(wishes[wish]));
  asked.temperature = said("temperature", number(wishes.temperature));
  asked.top_p = said("topP", number(wishes.topP));
  if (can.has("instruments") && wishes.instruments.length) asked.instruments = wishes.instruments.map(nameForServer).join(",");
  if (can.has("versions")) Object.assign(asked, versions(wishes, can.has("of")));
  if (can.has("unit")) asked[wishes.unit] = number(mode === "continue" ? wishes.more : wishes.length);
  if (mode === "compose") {
    const form = said("form", text(wishes.form));
    const varied = form ? number(wishes.varied) : undefined; // nothing returns without a form
    Object.assign(asked, { form, varied, metre: said("metre", text(wishes.metre)), tempo: said("tempo", number(wishes.tempo)) });
  }
  if (mode === "continue") Object.assign(asked, { prompt: subject.piece, prompt_bars: number(wishes.keep) ?? subject.bars });
  else if (mode === "interpolate") Object.assign(asked, { first: subject.piece, second: wishes.other, steps: number(wishes.steps) });
  else if (ofPiece(mode)) asked.piece = subject.piece;
  if (ofBars(mode) && subject.region) asked.bars = { first: subject.region.from, last: subject.region.to };
  if (ofTracks(mode)) {
    const tracks = chosenTracks(wishes, subject);
    if (tracks.length) asked.tracks = tracks.map((track) => numberOf(subject, track));
  }
  if (mode === "vary") asked.share = (number(wishes.share) ?? 50) / 100;
  if (mode === "harmonise") asked.track = numberOf(subject, wishes.track);
  const given = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
  return { kind: mode === "continue" ? "compose" : mode, asked: given };
}

// So many, or the best of more than those.
function versions(wishes: Wishes, choosing: boolean): Record<string, number> {
  const wanted = number(wishes.versions) ?? 1;
  const made = choosing ? (number(wishes.of) ?? 0) : 0;
  return made > wanted ? { n: made, best: wanted } : { n: wanted };
}

/** Those tracks that were chosen, and have notes. */
export function chosenTracks(wishes: Wishes, subject: Subject): number[] {
  return [...wishes.tracks].filter((track) => subject.notes[track]).sort((one, other) => one - other);
}

/** The number of a track as the server counts: from 1, those without notes left out. */
function numberOf(subject: Subject, track: number): number {
  return subject.notes.slice(0, track + 1).filter(Boolean).length;
}

const text = (value: string): string | undefined => value.trim() || undefined;

function number(value: string): number | undefined {
  const found = value.trim() === "" ? NaN : Number(value);
  return Number.isFinite(found) ? found : undefined;
}
