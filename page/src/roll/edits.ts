// What can be done to the notes of a track, as functions from one state of a score to the next. A state is never
// changed: what an edit does not touch is shared with the state before. Leaves out who asks for it, and undoing.

import type { Note, Score, Track } from "../api";
import { barsTo, lastNotAbove } from "../ticks";

// A score whose fresh notes are told by themselves, so that they stay known when places in the lists change.
export interface Sheet extends Omit<Score, "fresh"> {
  readonly fresh: ReadonlySet<Note>;
}

export interface Edited {
  sheet: Sheet;
  chosen: ReadonlySet<Note>; // what the edit was about, as it is now
}

const scores = new WeakMap<Sheet, Score>();
const ends = new WeakMap<readonly Note[], Float64Array>();

const inOrder = (one: Note, other: Note) => one[0] - other[0] || one[2] - other[2];

export function sheetOf(score: Score): Sheet {
  const fresh = new Set<Note>();
  for (const [track, place] of score.fresh) {
    const note = score.tracks[track]?.notes[place];
    if (note) fresh.add(note);
  }
  const tracks = score.tracks.map((track) => {
    const sorted = track.notes.every((note, place) => !place || inOrder(track.notes[place - 1]!, note) <= 0);
    return sorted ? track : { ...track, notes: [...track.notes].sort(inOrder) };
  });
  return { ...score, tracks, fresh };
}

export function scoreOf(sheet: Sheet): Score {
  let score = scores.get(sheet);
  if (!score) {
    const fresh: [number, number][] = [];
    if (sheet.fresh.size) {
      for (const [track, { notes }] of sheet.tracks.entries()) {
        for (const [place, note] of notes.entries()) if (sheet.fresh.has(note)) fresh.push([track, place]);
      }
    }
    score = { ...sheet, fresh };
    scores.set(sheet, score);
  }
  return score;
}

const within = (value: number, low: number, high: number) => Math.min(high, Math.max(low, Math.round(value)));

export function valid([onset, duration, pitch, velocity]: Note): Note {
  return [Math.max(0, Math.round(onset)), Math.max(1, Math.round(duration)), within(pitch, 0, 127), within(velocity, 1, 127)];
}

// Puts edited notes among the rest. Of two that begin together on one pitch the edited one stays; one that would
// sound into the next on its pitch ends where that begins. `became` tells what was shortened.
export function settle(rest: readonly Note[], edited: readonly Note[]): { notes: Note[]; became: Map<Note, Note> } {
  const ours = new Set(edited);
  const became = new Map<Note, Note>();
  const kept: (Note | null)[] = [];
  const last = new Map<number, number>(); // by pitch: the place in `kept`
  for (const note of [...rest, ...edited].sort((one, other) => one[0] - other[0])) {
    const place = last.get(note[2]);
    const before = place === undefined ? null : kept[place];
    if (before && place !== undefined) {
      if (before[0] === note[0]) {
        // neither was edited: the file had both, and the longer one is what is heard
        if (!ours.has(note) && before[1] >= note[1]) continue;
        kept[place] = null;
      } else if (before[0] + before[1] > note[0]) {
        const shorter: Note = [before[0], note[0] - before[0], before[2], before[3]];
        kept[place] = shorter;
        became.set(before, shorter);
      }
    }
    last.set(note[2], kept.push(note) - 1);
  }
  return { notes: kept.filter((note) => note !== null).sort(inOrder), became };
}

// The one way in which notes change: `change` gives what a chosen note becomes, null where it goes.
export function edit(
  sheet: Sheet,
  track: number,
  chosen: ReadonlySet<Note>,
  change: (note: Note) => Note | null,
  added: readonly Note[] = [],
): Edited {
  const old = sheet.tracks[track];
  if (!old) return { sheet, chosen };
  const fresh = new Set(sheet.fresh);
  const rest: Note[] = [];
  const edited: Note[] = [];
  for (const note of old.notes) {
    if (!chosen.has(note)) {
      rest.push(note);
      continue;
    }
    const next = change(note);
    const wasFresh = fresh.delete(note);
    if (!next) continue;
    const sound = valid(next);
    edited.push(sound);
    if (wasFresh) fresh.add(sound);
  }
  edited.push(...added.map(valid));
  const { notes, became } = settle(rest, edited);
  for (const [before, after] of became) if (fresh.delete(before)) fresh.add(after);
  const there = new Set(notes);
  for (const note of rest) if (fresh.has(note) && !there.has(note)) fresh.delete(note);
  const end = edited.reduce((latest, note) => Math.max(latest, note[0] + note[1]), 0);
  const tracks = sheet.tracks.map((each, place) => (place === track ? { ...each, notes } : each));
  return {
    sheet: { ...sheet, tracks, fresh, bars: end ? barsTo(sheet, end) : sheet.bars },
    chosen: new Set(edited.map((note) => became.get(note) ?? note).filter((note) => there.has(note))),
  };
}

// The chosen notes move as one block: where one of them would leave the range, none goes further.
export function move(sheet: Sheet, track: number, chosen: ReadonlySet<Note>, ticks: number, semitones: number): Edited {
  if (!chosen.size) return { sheet, chosen };
  let [first, low, high] = [Infinity, 127, 0];
  for (const [onset, , pitch] of chosen) {
    first = Math.min(first, onset);
    low = Math.min(low, pitch);
    high = Math.max(high, pitch);
  }
  const later = Math.max(-first, Math.round(ticks));
  const higher = within(semitones, -low, 127 - high);
  if (!later && !higher) return { sheet, chosen };
  return edit(sheet, track, chosen, (note) => [note[0] + later, note[1], note[2] + higher, note[3]]);
}

export function stretch(sheet: Sheet, track: number, chosen: ReadonlySet<Note>, ticks: number, least = 1): Edited {
  if (!chosen.size || !Math.round(ticks)) return { sheet, chosen };
  return edit(sheet, track, chosen, (note) => [note[0], Math.max(Math.min(least, note[1]), note[1] + ticks), note[2], note[3]]);
}

export function strengthen(sheet: Sheet, track: number, chosen: ReadonlySet<Note>, velocity: (note: Note) => number): Edited {
  return edit(sheet, track, chosen, (note) => [note[0], note[1], note[2], velocity(note)]);
}

export function remove(sheet: Sheet, track: number, chosen: ReadonlySet<Note>): Edited {
  return edit(sheet, track, chosen, () => null);
}

export function add(sheet: Sheet, track: number, notes: readonly Note[]): Edited {
  return edit(sheet, track, new Set(), (note) => note, notes);
}

// A note that is written elsewhere comes in as it is, into a track that is made where there is none yet.
export function receive(sheet: Sheet, place: number, made: Omit<Track, "notes">, note: Note): Sheet {
  const tracks = [...sheet.tracks];
  while (tracks.length <= place) tracks.push({ ...made, notes: [] });
  const track = tracks[place]!;
  const at = lastNotAbove(track.notes, note[0], (each) => each[0]) + 1;
  tracks[place] = { ...track, notes: [...track.notes.slice(0, at), note, ...track.notes.slice(at)] };
  return { ...sheet, tracks, bars: barsTo(sheet, note[0] + note[1]) };
}

// The latest end among a list's notes up to each: it ascends, so the first that can reach a tick is found by halving.
function endsOf(notes: readonly Note[]): Float64Array {
  let found = ends.get(notes);
  if (!found) {
    found = new Float64Array(notes.length);
    let latest = 0;
    for (const [place, note] of notes.entries()) found[place] = latest = Math.max(latest, note[0] + note[1]);
    ends.set(notes, found);
  }
  return found;
}

// The places between which all notes lie that sound between two ticks; a few there may not.
export function reach(notes: readonly Note[], from: number, to: number): [first: number, after: number] {
  return [lastNotAbove(endsOf(notes), from, (end) => end) + 1, lastNotAbove(notes, to, (note) => note[0]) + 1];
}

export function notesIn(notes: readonly Note[], from: number, to: number, low: number, high: number): Note[] {
  const [first, after] = reach(notes, from, to);
  return notes.slice(first, after).filter((note) => note[0] + note[1] > from && note[2] >= low && note[2] <= high);
}
