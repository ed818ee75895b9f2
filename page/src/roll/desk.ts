// What is being edited and everything that can be done with it: the score and its history, the track that is worked
// on, what is selected, the cursor, the region, what was copied. Knows nothing of pixels and of the page.

import type { Heard, Note, Score } from "../api";
import { type TrackState, plain } from "../mix";
import { type Grid, barAt, barTicks, endOf, snap, stepOf } from "../ticks";
import * as edits from "./edits";
import { History } from "./history";
import type { RollText, Values } from "./words";

export interface Region {
  from: number; // bars, counted from 1, both within
  to: number;
}

// Whoever shows a desk is told what is new.
export interface Told {
  score(byHand: boolean): void; // shown otherwise than before; by hand: the listener of changes wants to know
  selection(): void;
  region(): void;
  look(): void; // anything else that is seen
  say(key: RollText, values?: Values): void;
  sayNote(note: Note, added?: boolean): void;
  hear(note: Note): void;
}

interface Moment {
  sheet: edits.Sheet;
  track: number;
  chosen: ReadonlySet<Note>;
}

const none: ReadonlySet<Note> = new Set();
let clipboard: { notes: Note[]; quarter: number } | null = null; // of the page: from one roll to another

export const emptyScore: Score = {
  quarter: 480, tracks: [], tempi: [[0, 120]], metres: [[0, 4, 4]], bars: [0], fresh: [],
};

export class Desk {
  grid: Grid = "1/16";
  readOnly = false;
  track = 0;
  chosen: ReadonlySet<Note> = none;
  cursor = { tick: 0, pitch: 60 };
  region: Region | null = null;
  states: TrackState[] = [];
  private shown: edits.Edited | null = null; // an edit that is still under way
  private before: ReadonlySet<Note> = none; // what was selected when it began
  private readonly history: History<Moment>;

  constructor(readonly told: Told) {
    this.history = new History<Moment>({ sheet: edits.sheetOf(emptyScore), track: 0, chosen: none });
  }

  get sheet(): edits.Sheet {
    return this.shown?.sheet ?? this.history.present.sheet;
  }

  get score(): Score {
    return edits.scoreOf(this.sheet);
  }

  get canUndo(): boolean {
    return this.history.canUndo;
  }

  get canRedo(): boolean {
    return this.history.canRedo;
  }

  get notes(): readonly Note[] {
    return this.sheet.tracks[this.track]?.notes ?? [];
  }

  get drums(): boolean {
    return this.sheet.tracks[this.track]?.drums ?? false;
  }

  get step(): number {
    return stepOf(this.sheet, this.grid) || this.sheet.quarter / 16;
  }

  stateOf(track: number): TrackState {
    return this.states[track] ?? plain;
  }

  load(score: Score, keepHistory: boolean): void {
    this.shown = null;
    const sheet = edits.sheetOf(score);
    this.track = Math.max(0, Math.min(this.track, sheet.tracks.length - 1));
    const moment = { sheet, track: this.track, chosen: none };
    if (keepHistory) this.history.push(moment);
    else this.history.clear(moment);
    this.chosen = none;
    this.told.score(false);
    this.told.selection();
  }

  receive(heard: Heard): Note {
    const { present } = this.history;
    const ticks = (quarters: number) => Math.round(quarters * present.sheet.quarter);
    const note = edits.valid([ticks(heard.onset), ticks(heard.duration), heard.pitch, heard.velocity]);
    const made = { name: "", program: Math.max(0, heard.program), drums: heard.program < 0 };
    this.history.present = { ...present, sheet: edits.receive(present.sheet, heard.track, made, note) };
    this.told.score(false);
    return note;
  }

  // An edit is shown while it is under way, and counts as one step when it is kept. It begins at `base` each time.
  get base(): edits.Sheet {
    return this.history.present.sheet;
  }

  show(edited: edits.Edited): void {
    if (this.readOnly) return;
    if (!this.shown) this.before = this.chosen;
    this.shown = edited;
    this.chosen = edited.chosen;
    this.told.score(false);
  }

  keep(): void {
    const { shown } = this;
    this.shown = null;
    if (!shown || shown.sheet === this.base) return;
    this.history.present = { ...this.history.present, track: this.track, chosen: this.before };
    this.history.push({ sheet: shown.sheet, track: this.track, chosen: shown.chosen });
    this.chosen = shown.chosen;
    this.told.score(true);
    this.told.selection();
  }

  drop(chosen: ReadonlySet<Note>): void {
    this.shown = null;
    this.chosen = chosen;
    this.told.score(false);
    this.told.selection();
  }

  private apply(edited: edits.Edited): void {
    this.show(edited);
    this.keep();
  }

  choose(notes: Iterable<Note>, track = this.track): void {
    const other = track !== this.track;
    this.track = track;
    this.chosen = new Set(notes);
    const [first] = this.chosen;
    if (first) this.cursor = { tick: first[0], pitch: first[2] };
    this.told.selection();
    if (other) this.told.look();
  }

  // Says what is selected; apart from selecting, which happens at every step of a rubber band.
  sayChosen(): void {
    const [first] = this.chosen;
    if (this.chosen.size === 1 && first) this.told.sayNote(first);
    else if (first) this.told.say("roll.chosen", { count: this.chosen.size });
    else this.told.say("roll.none");
  }

  move(ticks: number, semitones: number): void {
    if (this.readOnly) return;
    this.apply(edits.move(this.sheet, this.track, this.chosen, ticks, semitones));
    const [first] = this.chosen;
    if (first) {
      this.cursor = { tick: first[0], pitch: first[2] };
      if (semitones) this.told.hear(first);
    }
    this.sayChosen();
  }

  moveCursor(steps: number, semitones: number, bars = 0): void {
    const { tick, pitch } = this.cursor;
    const wanted = tick + steps * this.step + bars * barTicks(this.sheet, tick);
    this.putCursor(steps || bars ? snap(this.sheet, this.grid, wanted) : tick, pitch + semitones);
  }

  putCursor(tick: number, pitch: number): void {
    this.cursor = { tick: Math.max(0, Math.round(tick)), pitch: Math.max(0, Math.min(127, pitch)) };
    this.told.look();
  }

  stretch(steps: number): void {
    if (this.readOnly) return;
    this.apply(edits.stretch(this.sheet, this.track, this.chosen, steps * this.step, this.step));
    this.sayChosen();
  }

  strengthen(by: number): void {
    if (this.readOnly || !this.chosen.size) return;
    this.apply(edits.strengthen(this.sheet, this.track, this.chosen, (note) => note[3] + by));
    const [first] = this.chosen;
    if (first) {
      this.told.say("roll.velocity", { velocity: first[3] });
      this.told.hear(first);
    }
  }

  addAtCursor(): void {
    if (this.readOnly || !this.sheet.tracks[this.track]) return;
    const { tick, pitch } = this.cursor;
    this.apply(edits.add(this.sheet, this.track, [[tick, Math.round(this.step), pitch, 90]]));
    const [note] = this.chosen;
    if (!note) return;
    this.choose([]); // the arrows go on with the cursor
    this.told.hear(note);
    this.told.sayNote(note, true);
  }

  remove(): void {
    if (this.readOnly || !this.chosen.size) return;
    const count = this.chosen.size;
    this.apply(edits.remove(this.sheet, this.track, this.chosen));
    this.told.say("roll.removed", { count });
  }

  copy(): void {
    if (!this.chosen.size) return;
    clipboard = { notes: [...this.chosen], quarter: this.sheet.quarter };
    this.told.say("roll.copied", { count: this.chosen.size });
  }

  cut(): void {
    if (this.readOnly) return;
    this.copy();
    this.remove();
  }

  // What was copied comes in at the cursor, which then stands after it, so that it can come in again.
  paste(): void {
    if (this.readOnly || !clipboard || !this.sheet.tracks[this.track]) return;
    const scale = this.sheet.quarter / clipboard.quarter;
    const first = clipboard.notes.reduce((least, note) => Math.min(least, note[0]), Infinity);
    const begin = this.cursor.tick;
    const added = clipboard.notes.map(
      (note): Note => [begin + (note[0] - first) * scale, note[1] * scale, note[2], note[3]],
    );
    const end = added.reduce((most, note) => Math.max(most, note[0] + note[1]), 0);
    this.apply(edits.add(this.sheet, this.track, added));
    this.cursor = { tick: snap(this.sheet, this.grid, end), pitch: this.cursor.pitch };
    this.sayChosen();
  }

  chooseAll(): void {
    this.choose(this.notes);
    this.sayChosen();
  }

  // To the note after or before; false where there is none.
  chooseNext(way: 1 | -1): boolean {
    const { notes } = this;
    const places = [...this.chosen].map((note) => notes.indexOf(note)).filter((place) => place >= 0);
    let place = way > 0 ? Math.max(...places) + 1 : Math.min(...places) - 1;
    if (!places.length) {
      const after = notes.findIndex((note) => note[0] >= this.cursor.tick);
      place = way > 0 ? after : after < 0 ? notes.length - 1 : after - 1;
    }
    const note = notes[place];
    if (!note) return false;
    this.choose([note]);
    this.told.hear(note);
    this.sayChosen();
    return true;
  }

  goTo(end: boolean): void {
    const last = endOf(this.sheet);
    this.chosen = none;
    this.told.selection();
    this.putCursor(end ? last : 0, this.cursor.pitch);
  }

  undo(): void {
    this.went(this.history.undo(), "roll.undone", "roll.nothing to undo");
  }

  redo(): void {
    this.went(this.history.redo(), "roll.redone", "roll.nothing to redo");
  }

  private went(done: boolean, said: RollText, otherwise: RollText): void {
    this.told.say(done ? said : otherwise);
    if (!done) return;
    const { track, chosen } = this.history.present;
    this.shown = null;
    this.track = track;
    this.chosen = chosen;
    this.told.score(true);
    this.told.selection();
  }

  setRegion(region: Region | null): void {
    const from = region && Math.max(1, Math.min(region.from, region.to));
    const to = region && Math.max(1, region.from, region.to);
    if (from === (this.region?.from ?? null) && to === (this.region?.to ?? null)) return;
    this.region = from && to ? { from, to } : null;
    this.told.region();
  }

  sayRegion(): void {
    const { region } = this;
    if (!region) this.told.say("roll.region.none");
    else this.told.say(region.from === region.to ? "roll.region.one" : "roll.region", { ...region });
  }

  regionAtCursor(longer: boolean): void {
    const bar = barAt(this.sheet, this.cursor.tick);
    const { from, to } = (longer && this.region) || { from: bar, to: bar };
    this.setRegion({ from: Math.min(from, bar), to: Math.max(to, bar) });
    this.sayRegion();
  }
}
