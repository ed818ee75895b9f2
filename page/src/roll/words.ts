// What a roll says: the English of its sentences, and notes as one would name them. Another language comes from the
// function that the roll is given, under the same keys.

import type { Note } from "../api";
import { type Timing, placeOf } from "../ticks";
import type { Sheet } from "./edits";

// {name} becomes a value, {name:one|more} one of two words as the value is 1 or not.
export const english = {
  "roll.label": "Piano roll",
  "roll.help":
    "Arrow keys move what is selected, or the cursor where nothing is. Tab goes from note to note, Enter adds a note, " +
    "Delete removes, B selects the bar and Shift B more bars. Escape, then Tab, leaves the roll.",
  "roll.pitch": "{letter}{octave}",
  "roll.pitch.sharp": "{letter} sharp {octave}",
  "roll.drum": "drum {number}",
  "roll.note": "{pitch}, bar {bar}, beat {beat}, {length}",
  "roll.cursor": "{pitch}, bar {bar}, beat {beat}",
  "roll.chosen": "{count} {count:note|notes} selected",
  "roll.none": "Nothing selected",
  "roll.added": "Added: {note}",
  "roll.removed": "{count} {count:note|notes} removed",
  "roll.copied": "{count} {count:note|notes} copied",
  "roll.velocity": "Velocity {velocity}",
  "roll.undone": "Undone",
  "roll.redone": "Done again",
  "roll.nothing to undo": "Nothing to undo",
  "roll.nothing to redo": "Nothing to do again",
  "roll.region": "Bars {from} to {to} selected",
  "roll.region.one": "Bar {from} selected",
  "roll.region.none": "No bars selected",
  "roll.track": "Track {number}, {name}",
  "roll.length.whole": "whole",
  "roll.length.half": "half",
  "roll.length.quarter": "quarter",
  "roll.length.eighth": "eighth",
  "roll.length.sixteenth": "sixteenth",
  "roll.length.thirty-second": "thirty-second",
  "roll.length.dotted": "dotted {length}",
  "roll.length.triplet": "{length} triplet",
  "roll.length.quarters": "{count} {count:quarter|quarters}",
} as const;

export type RollText = keyof typeof english;
export type Values = Record<string, string | number>;
export type Translate = (key: RollText, values?: Values) => string;

export const inEnglish: Translate = (key, values = {}) =>
  english[key].replace(/\{(\w+)(?::([^|}]*)\|([^}]*))?\}/g, (_, name: string, one?: string, more?: string) => {
    const value = values[name];
    if (one !== undefined && more !== undefined) return Number(value) === 1 ? one : more;
    return String(value ?? "");
  });

const letters = ["C", "C", "D", "D", "E", "F", "F", "G", "G", "A", "A", "B"];
const black = new Set([1, 3, 6, 8, 10]);

export const isBlack = (pitch: number) => black.has(pitch % 12);

export function pitchName(t: Translate, pitch: number, drums: boolean): string {
  if (drums) return t("roll.drum", { number: pitch });
  const values = { letter: letters[pitch % 12] ?? "", octave: String(Math.floor(pitch / 12) - 1) };
  return t(isBlack(pitch) ? "roll.pitch.sharp" : "roll.pitch", values);
}

const lengths: [quarters: number, key: RollText][] = [
  [4, "roll.length.whole"],
  [2, "roll.length.half"],
  [1, "roll.length.quarter"],
  [1 / 2, "roll.length.eighth"],
  [1 / 4, "roll.length.sixteenth"],
  [1 / 8, "roll.length.thirty-second"],
];

// The note value that a length is near to (notes as played are cut short), else its quarters.
export function lengthName(t: Translate, quarters: number): string {
  const near = (value: number, share = 0.05) => Math.abs(quarters - value) <= value * share;
  for (const [value, key] of lengths) if (near(value, 0.1)) return t(key);
  for (const [value, key] of lengths) {
    if (near(value * 1.5)) return t("roll.length.dotted", { length: t(key) });
    if (near((value * 2) / 3)) return t("roll.length.triplet", { length: t(key) });
  }
  return t("roll.length.quarters", { count: Math.round(quarters * 100) / 100 });
}

export function noteName(t: Translate, sheet: Sheet, track: number, note: Note): string {
  return t("roll.note", {
    pitch: pitchName(t, note[2], sheet.tracks[track]?.drums ?? false),
    ...placeOf(sheet, note[0]),
    length: lengthName(t, note[1] / sheet.quarter),
  });
}

export function cursorName(t: Translate, timing: Timing, drums: boolean, cursor: { tick: number; pitch: number }): string {
  return t("roll.cursor", { pitch: pitchName(t, cursor.pitch, drums), ...placeOf(timing, cursor.tick) });
}
