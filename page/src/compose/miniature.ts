// Where the notes of a piece lie in a small picture of it, at one scale for all that stand beside one another.
import type { Note, Score } from "../api";
import { compass } from "../roll/view";
import { endOf } from "../ticks";

export const WIDE = 168; // pixels of a picture
export const HIGH = 46;
const LEAST_ROWS = 12; // semitones that a picture has room for at least

export interface Frame {
  quarters: number;
  low: number;
  high: number;
}

/** How long the longest is, and all pitches of all. */
export function frameOf(scores: readonly Score[]): Frame {
  const [low, high] = compass(scores.flatMap((score) => score.tracks)) ?? [60, 60];
  return { quarters: Math.max(1, ...scores.map((score) => endOf(score) / score.quarter)), low, high };
}

/** Where a note lies in a picture. */
export function boxOf(note: Note, quarter: number, frame: Frame): [x: number, y: number, width: number, height: number] {
  const row = HIGH / Math.max(frame.high - frame.low + 1, LEAST_ROWS);
  const scale = WIDE / (frame.quarters * quarter);
  const middle = (HIGH - (frame.high - frame.low + 1) * row) / 2;
  return [note[0] * scale, middle + (frame.high - note[2]) * row, Math.max(1, note[1] * scale), Math.max(1, row)];
}
