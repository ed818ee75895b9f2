// Which ticks and pitches a roll shows and where they lie in its pixels; scrolling, zooming, and what is under a
// pointer. All of it without a page. Pixels are counted from the left upper corner of the notes.

import type { Note } from "../api";
import { endOf } from "../ticks";
import { type Sheet, reach } from "./edits";

export interface View {
  left: number; // tick at the left edge
  top: number; // pitch of which the upper edge is the upper edge of the view, plus one: 128 shows the highest
  perTick: number; // pixels
  perPitch: number;
  width: number;
  height: number;
}

export interface Bounds {
  quarter: number;
  end: number; // how far can be scrolled, in ticks
}

const leastRow = 3;
const mostRow = 36;

export const xOf = (view: View, tick: number) => (tick - view.left) * view.perTick;
export const yOf = (view: View, pitch: number) => (view.top - pitch - 1) * view.perPitch;
export const tickAt = (view: View, x: number) => view.left + x / view.perTick;
export const pitchAt = (view: View, y: number) => Math.min(127, Math.max(0, Math.ceil(view.top - y / view.perPitch) - 1));

// There is room for some more bars after the end, to write into.
export function boundsOf(sheet: Sheet): Bounds {
  const end = endOf(sheet);
  return { quarter: sheet.quarter, end: end + Math.max(sheet.quarter * 16, end * 0.1) };
}

export function kept(view: View, bounds: Bounds): View {
  const least = Math.min(view.width / bounds.end, 4 / bounds.quarter);
  const perTick = Math.min(600 / bounds.quarter, Math.max(least, view.perTick));
  const perPitch = Math.min(mostRow, Math.max(leastRow, view.perPitch, view.height / 128));
  const rows = view.height / perPitch;
  return {
    ...view,
    perTick,
    perPitch,
    left: Math.max(0, Math.min(bounds.end - view.width / perTick, view.left)),
    top: Math.min(128, Math.max(rows, view.top)),
  };
}

export function scrolled(view: View, bounds: Bounds, x: number, y: number): View {
  return kept({ ...view, left: view.left + x / view.perTick, top: view.top - y / view.perPitch }, bounds);
}

// What is at pixel x stays there.
export function zoomedInTime(view: View, bounds: Bounds, factor: number, x: number): View {
  const tick = tickAt(view, x);
  const { perTick } = kept({ ...view, perTick: view.perTick * factor }, bounds);
  return kept({ ...view, perTick, left: tick - x / perTick }, bounds);
}

export function zoomedInPitch(view: View, bounds: Bounds, factor: number, y: number): View {
  const pitch = view.top - y / view.perPitch;
  const { perPitch } = kept({ ...view, perPitch: view.perPitch * factor }, bounds);
  return kept({ ...view, perPitch, top: pitch + y / perPitch }, bounds);
}

// All of the music, or its pitches and as many bars as can be read.
export function fitted(view: View, sheet: Sheet, how: "all" | "read"): View {
  const [low, high] = compass(sheet.tracks) ?? [55, 79];
  const rows = Math.max(18, high - low + 5);
  const perPitch = how === "all" ? Math.min(16, view.height / rows) : Math.min(16, Math.max(7, view.height / rows));
  const middle = (low + high + 1) / 2;
  const end = Math.max(endOf(sheet), sheet.quarter * 4);
  const perTick = how === "all" ? view.width / end : Math.max(view.width / end, 32 / sheet.quarter);
  const fit = { ...view, left: 0, perTick, perPitch, top: middle + view.height / perPitch / 2 };
  return kept(fit, { ...boundsOf(sheet), end: Math.max(end, boundsOf(sheet).end) });
}

// The same bars, and all pitches of the music, where some of them are out of sight.
export function withPitches(view: View, sheet: Sheet): View {
  const pitches = compass(sheet.tracks);
  if (!pitches || (yOf(view, pitches[1]) >= 0 && yOf(view, pitches[0] - 1) <= view.height)) return view;
  const { top, perPitch } = fitted(view, sheet, "read");
  return kept({ ...view, top, perPitch }, boundsOf(sheet));
}

// The lowest and the highest pitch.
export function compass(tracks: Iterable<{ notes: Iterable<Note> }>): [number, number] | null {
  let [low, high] = [128, -1];
  for (const track of tracks) {
    for (const note of track.notes) {
      low = Math.min(low, note[2]);
      high = Math.max(high, note[2]);
    }
  }
  return low > high ? null : [low, high];
}

// Scrolls no further than is needed for a tick and a pitch to be seen.
export function showing(view: View, bounds: Bounds, tick: number, pitch: number | null): View {
  const margin = Math.min(40, view.width / 8);
  const x = xOf(view, tick);
  const across = x < margin ? x - margin : x > view.width - 2 * margin ? x - view.width + 2 * margin : 0;
  const y = pitch === null ? 0 : yOf(view, pitch);
  const row = view.perPitch;
  const down = pitch === null ? 0 : y < row ? y - row : y > view.height - 2 * row ? y - view.height + 2 * row : 0;
  return across || down ? scrolled(view, bounds, across, down) : view;
}

export interface Hit {
  note: Note;
  end: boolean; // its right edge, by which it is made longer
}

// The note under a pointer; of several the one that is drawn last. `slack` is how far beside it still counts.
export function hit(view: View, notes: readonly Note[], x: number, y: number, slack = 0): Hit | null {
  const tick = tickAt(view, x);
  const pitch = pitchAt(view, y);
  const beside = (3 + slack) / view.perTick;
  const [first, after] = reach(notes, tick - beside, tick + beside);
  for (let place = after - 1; place >= first; place--) {
    const note = notes[place]!;
    if (note[2] !== pitch) continue;
    const begin = xOf(view, note[0]);
    const end = Math.max(begin + 3, xOf(view, note[0] + note[1]));
    if (x < begin - slack || x > end + 3 + slack) continue;
    const grip = Math.min(7 + slack, (end - begin) / 3);
    return { note, end: x >= end - grip };
  }
  return null;
}
