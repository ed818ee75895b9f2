// When which note of a score begins and ends in seconds of a running clock, while it plays on, round a loop, faster or
// slower, and while the score is being edited. Knows nothing of sound: it tells what is due, others sound it.

import type { Note, Score } from "./api";
import { Clock, endOf, lastNotAbove } from "./ticks";

export interface Due {
  time: number; // seconds of the clock that `advance` is asked by
  on: boolean;
  track: number;
  pitch: number;
  velocity: number;
}

export interface Span {
  from: number; // ticks; the end is not within
  to: number;
}

interface Begin {
  note: Note;
  track: number;
}

// A score as what begins when, in order.
export class Music {
  readonly begins: Begin[];
  readonly clock: Clock;
  readonly end: number;

  constructor(score: Score) {
    this.clock = new Clock(score);
    this.begins = score.tracks
      .flatMap((track, place) => track.notes.map((note) => ({ note, track: place })))
      .sort((one, other) => one.note[0] - other.note[0]);
    this.end = this.begins.reduce((latest, { note }) => Math.max(latest, note[0] + note[1]), endOf(score));
  }
}

interface Mark {
  time: number;
  tick: number;
  rate: number;
  clock: Clock;
}

export class Transport {
  ended = false;
  private marks: Mark[]; // from each on the ticks run evenly by its clock and rate; the last is where `advance` got to
  private sounding: { track: number; pitch: number; end: number }[] = [];
  private span: Span | null = null;

  constructor(private music: Music, tick: number, time: number, private speed = 1) {
    this.marks = [{ time, tick: Math.max(0, tick), rate: speed, clock: music.clock }];
  }

  // Loop, tempo and score change from where the music has been handed out to, which is a little ahead of what is heard.
  set loop(span: Span | null) {
    this.span = span && span.to - span.from >= 1 ? span : null;
  }

  set rate(rate: number) {
    this.speed = rate;
    this.turn();
  }

  set score(music: Music) {
    this.music = music;
    this.turn();
  }

  get end(): number {
    return this.music.end;
  }

  private get head(): Mark {
    return this.marks.at(-1)!;
  }

  private turn(tick = this.head.tick): void {
    this.marks.push({ time: this.head.time, tick, rate: this.speed, clock: this.music.clock });
  }

  tickAt(time: number): number {
    const mark = this.marks[Math.max(0, lastNotAbove(this.marks, time, (each) => each.time))]!;
    return mark.clock.tickAt(mark.clock.secondsAt(mark.tick) + Math.max(0, time - mark.time) * mark.rate);
  }

  // All that is due before `until` and has not been told yet.
  advance(until: number): Due[] {
    const due: Due[] = [];
    while (this.head.time < until && !this.ended) {
      const { head, music, span } = this;
      const { clock } = music;
      const began = clock.secondsAt(head.tick);
      const limit = span && head.tick < span.to ? span.to : Math.max(music.end, head.tick);
      const wanted = clock.tickAt(began + (until - head.time) * this.speed);
      const tick = Math.min(limit, wanted);
      const timeOf = (each: number) => head.time + (clock.secondsAt(each) - began) / this.speed;
      this.hand(due, head.tick, tick, timeOf);
      const time = wanted < limit ? until : timeOf(limit);
      this.marks.push({ time, tick, rate: this.speed, clock });
      if (wanted < limit) break;
      this.silence(due, time);
      if (span && limit === span.to) this.turn(span.from);
      else this.ended = true;
    }
    this.marks.splice(0, this.marks.length - 64); // those long past
    return due;
  }

  private hand(due: Due[], from: number, to: number, timeOf: (tick: number) => number): void {
    const { begins } = this.music;
    const found: (Due & { order: number })[] = [];
    const near = 1e-6; // fractions of ticks that come of reckoning in seconds
    const first = lastNotAbove(begins, from - near, ({ note }) => note[0]) + 1;
    for (let place = first; place < begins.length; place++) {
      const { note, track } = begins[place]!;
      if (note[0] >= to - near) break;
      found.push({ time: timeOf(note[0]), on: true, track, pitch: note[2], velocity: note[3], order: note[0] });
      this.sounding.push({ track, pitch: note[2], end: note[0] + note[1] });
    }
    this.sounding = this.sounding.filter(({ track, pitch, end }) => {
      if (end >= to - near) return true;
      const order = Math.max(from - near, end);
      found.push({ time: timeOf(order), on: false, track, pitch, velocity: 0, order });
      return false;
    });
    found.sort((one, other) => one.order - other.order || Number(one.on) - Number(other.on));
    for (const { order: _, ...each } of found) due.push(each);
  }

  // At the end of a loop everything ends, at the end of the music all that is still held.
  private silence(due: Due[], time: number): void {
    for (const { track, pitch } of this.sounding) due.push({ time, on: false, track, pitch, velocity: 0 });
    this.sounding = [];
  }
}
