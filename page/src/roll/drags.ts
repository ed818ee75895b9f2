// What a pointer that is held down does, one kind of dragging after the other: moving notes, making them longer,
// a rubber band, velocities, the region, the keyboard, scrolling. Where a drag begins is decided in gestures.ts.

import type { Note } from "../api";
import { barAt, snap } from "../ticks";
import type { Desk } from "./desk";
import * as edits from "./edits";
import { type Layout, velocityAt } from "./layout";
import type { Band } from "./overlay";
import { type View, pitchAt, tickAt, xOf } from "./view";

// What of a roll a gesture needs.
export interface Hand {
  readonly desk: Desk;
  readonly layout: Layout;
  view: View;
  band: Band | null;
  scroll(x: number, y: number): boolean; // by pixels; false where there is nothing more
  press(pitch: number | null): void; // a key of the keyboard
  seek(tick: number): void;
}

export interface At {
  x: number; // from the corner of the notes
  y: number;
  top: number; // from the upper edge of the roll
  shift: boolean;
  free: boolean; // the alt key lets notes lie between the lines of the grid
}

export interface Drag {
  move(at: At): void;
  end(moved: boolean, at: At): void;
  cancel?(): void;
}

const drop = (hand: Hand, chosen: ReadonlySet<Note>) => () => hand.desk.drop(chosen);

// At the edges the music comes along.
function follow(hand: Hand, at: At): void {
  const across = at.x < 0 ? -14 : at.x > hand.view.width ? 14 : 0;
  const down = at.y < 0 ? -10 : at.y > hand.view.height ? 10 : 0;
  if (across || down) hand.scroll(across, down);
}

export function moving(hand: Hand, grabbed: Note, from: At): Drag {
  const { desk } = hand;
  const [before, sheet, track] = [desk.chosen, desk.base, desk.track];
  const start = { tick: tickAt(hand.view, from.x), pitch: pitchAt(hand.view, from.y) };
  let higher = 0;
  return {
    move(at) {
      follow(hand, at);
      const wanted = grabbed[0] + tickAt(hand.view, at.x) - start.tick;
      const onset = at.free ? Math.round(wanted) : snap(sheet, desk.grid, wanted);
      // a note that is off the grid keeps its place while it goes up and down only
      const near = Math.abs(at.x - xOf(hand.view, start.tick)) < 4;
      const semitones = pitchAt(hand.view, at.y) - start.pitch;
      const moved = edits.move(sheet, track, before, near ? 0 : onset - grabbed[0], semitones);
      desk.show(moved);
      const [first] = desk.chosen;
      if (first && semitones !== higher) {
        higher = semitones;
        desk.told.hear([first[0], first[1], Math.max(0, Math.min(127, grabbed[2] + semitones)), grabbed[3]]);
      }
    },
    end(moved) {
      if (moved) desk.keep();
      desk.sayChosen();
    },
    cancel: drop(hand, before),
  };
}

export function stretching(hand: Hand, grabbed: Note, from: At): Drag {
  const { desk } = hand;
  const [before, sheet, track] = [desk.chosen, desk.base, desk.track];
  const end = grabbed[0] + grabbed[1];
  const start = tickAt(hand.view, from.x);
  return {
    move(at) {
      follow(hand, at);
      const wanted = end + tickAt(hand.view, at.x) - start;
      const snapped = at.free ? Math.round(wanted) : snap(sheet, desk.grid, wanted);
      const least = at.free ? 1 : Math.round(desk.step);
      desk.show(edits.stretch(sheet, track, before, Math.max(snapped, grabbed[0] + least) - end, least));
    },
    end(moved) {
      if (moved) desk.keep();
      desk.sayChosen();
    },
    cancel: drop(hand, before),
  };
}

// A new note, which grows to the right as long as it is held.
export function adding(hand: Hand, from: At): Drag | null {
  const { desk } = hand;
  if (desk.readOnly || !desk.sheet.tracks[desk.track]) return null;
  const [before, sheet, track] = [desk.chosen, desk.base, desk.track];
  const wanted = Math.max(0, tickAt(hand.view, from.x));
  const onset = from.free ? Math.round(wanted) : snap(sheet, desk.grid, wanted, "before");
  const pitch = pitchAt(hand.view, from.y);
  const step = Math.round(desk.step);
  const put = (duration: number) => desk.show(edits.add(sheet, track, [[onset, duration, pitch, 90]]));
  put(step);
  desk.told.hear([onset, step, pitch, 90]);
  return {
    move(at) {
      follow(hand, at);
      const end = snap(sheet, desk.grid, tickAt(hand.view, at.x) + step / 2);
      put(Math.max(step, end - onset));
    },
    end() {
      desk.keep();
      const [note] = desk.chosen;
      if (note) desk.choose([note]);
      desk.sayChosen();
    },
    cancel: drop(hand, before),
  };
}

export function banding(hand: Hand, from: At): Drag {
  const { desk } = hand;
  const before = from.shift ? desk.chosen : new Set<Note>();
  const start = { tick: tickAt(hand.view, from.x), pitch: hand.view.top - from.y / hand.view.perPitch };
  if (!from.shift && desk.chosen.size) desk.choose([]);
  return {
    move(at) {
      follow(hand, at);
      const x = xOf(hand.view, start.tick);
      const y = (hand.view.top - start.pitch) * hand.view.perPitch;
      const [left, top] = [Math.min(x, at.x), Math.min(y, at.y)];
      hand.band = { x: left, y: top, width: Math.abs(at.x - x), height: Math.abs(at.y - y) };
      const [from, to] = [tickAt(hand.view, left), tickAt(hand.view, left + hand.band.width)];
      const low = pitchAt(hand.view, top + hand.band.height);
      const inside = edits.notesIn(desk.notes, from, to, low, pitchAt(hand.view, top));
      desk.choose([...before, ...inside]);
    },
    end(moved, at) {
      hand.band = null;
      if (!moved) desk.putCursor(snap(desk.sheet, desk.grid, tickAt(hand.view, at.x), "before"), pitchAt(hand.view, at.y));
      if (moved) desk.sayChosen();
    },
    cancel() {
      hand.band = null;
      desk.choose(before);
    },
  };
}

// Velocities follow the pointer as a pencil does; where notes are selected only theirs.
export function strengthening(hand: Hand, from: At): Drag {
  const { desk } = hand;
  const [before, sheet, track] = [desk.chosen, desk.base, desk.track];
  const all = sheet.tracks[track]?.notes ?? [];
  const wanted = new Map<Note, number>();
  let last = from;
  const paint = (at: At) => {
    const beside = at.x === last.x ? 6 : 2;
    const low = tickAt(hand.view, Math.min(at.x, last.x) - beside);
    const high = tickAt(hand.view, Math.max(at.x, last.x) + beside);
    const [first, after] = edits.reach(all, low, high);
    for (let place = first; place < after; place++) {
      const note = all[place]!;
      if (note[0] < low || note[0] > high || (before.size && !before.has(note))) continue;
      const share = at.x === last.x ? 1 : (xOf(hand.view, note[0]) - last.x) / (at.x - last.x);
      wanted.set(note, velocityAt(hand.layout, last.top + (at.top - last.top) * Math.max(0, Math.min(1, share))));
    }
    last = at;
    if (!wanted.size) return;
    const edited = edits.strengthen(sheet, track, new Set(wanted.keys()), (note) => wanted.get(note) ?? note[3]);
    // what was selected stays so, also where only some of it was painted
    const rest = [...before].filter((note) => !wanted.has(note));
    desk.show({ sheet: edited.sheet, chosen: before.size ? new Set([...rest, ...edited.chosen]) : before });
  };
  paint(from);
  return {
    move: paint,
    end(_, at) {
      desk.keep();
      if (wanted.size) desk.told.say("roll.velocity", { velocity: velocityAt(hand.layout, at.top) });
    },
    cancel: drop(hand, before),
  };
}

export function regioning(hand: Hand, from: At): Drag {
  const { desk } = hand;
  const before = desk.region;
  const start = barAt(desk.sheet, tickAt(hand.view, Math.max(0, from.x)));
  const to = (at: At) => {
    const bar = barAt(desk.sheet, Math.max(0, tickAt(hand.view, at.x)));
    const other = from.shift && before ? (bar > before.from ? before.from : before.to) : start;
    desk.setRegion({ from: Math.min(other, bar), to: Math.max(other, bar) });
  };
  return {
    move(at) {
      follow(hand, { ...at, y: 0 });
      to(at);
    },
    end(moved, at) {
      if (moved || from.shift) {
        to(at);
        desk.sayRegion();
        return;
      }
      const tick = tickAt(hand.view, at.x);
      hand.seek(at.free ? Math.max(0, Math.round(tick)) : snap(desk.sheet, desk.grid, tick));
    },
    cancel: () => desk.setRegion(before),
  };
}

export function playing(hand: Hand, from: At): Drag {
  let last = pitchAt(hand.view, from.y);
  hand.press(last);
  return {
    move(at) {
      const pitch = pitchAt(hand.view, at.y);
      if (pitch !== last) hand.press((last = pitch));
    },
    end: () => hand.press(null),
    cancel: () => hand.press(null),
  };
}

export function panning(hand: Hand, from: At): Drag {
  let last = from;
  return {
    move(at) {
      hand.scroll(last.x - at.x, last.y - at.y);
      last = at;
    },
    end(moved, at) {
      if (moved) return;
      hand.desk.putCursor(snap(hand.desk.sheet, hand.desk.grid, tickAt(hand.view, at.x), "before"), pitchAt(hand.view, at.y));
      if (hand.desk.chosen.size) hand.desk.choose([]);
    },
  };
}

// The thumb of the scroll bar is dragged; a press beside it brings it there first.
export function thumbing(hand: Hand, from: At, thumb: { from: number; width: number; perPixel: number }): Drag {
  const scale = thumb.perPixel * hand.view.perTick;
  if (from.x < thumb.from || from.x > thumb.from + thumb.width) {
    hand.scroll((from.x - thumb.from - thumb.width / 2) * scale, 0);
  }
  let last = from;
  return {
    move(at) {
      hand.scroll((at.x - last.x) * scale, 0);
      last = at;
    },
    end() {},
  };
}
