// Where ticks lie in a score: bars, beats, metres, the grid that edits snap to, and seconds. Knows nothing of pixels.

import type { Score } from "./api";

export type Timing = Pick<Score, "quarter" | "tempi" | "metres" | "bars">;

// What a grid's step is, in quarter notes; 0 snaps to nothing.
export const grids = {
  "1/4": 1,
  "1/8": 1 / 2,
  "1/16": 1 / 4,
  "1/8 triplet": 1 / 3,
  "1/16 triplet": 1 / 6,
  off: 0,
} as const;
export type Grid = keyof typeof grids;

// The place of the last entry that is not above `value`, or -1; `at` gives the value of an entry, and they ascend.
export function lastNotAbove<T>(entries: ArrayLike<T>, value: number, at: (entry: T) => number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at(entries[middle] as T) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

export function metreAt(timing: Timing, tick: number): [numerator: number, denominator: number] {
  const found = timing.metres[Math.max(0, lastNotAbove(timing.metres, tick, (metre) => metre[0]))];
  return found ? [found[1], found[2]] : [4, 4];
}

export function beatTicks(timing: Timing, tick: number): number {
  return (timing.quarter * 4) / metreAt(timing, tick)[1];
}

export function barTicks(timing: Timing, tick: number): number {
  return beatTicks(timing, tick) * metreAt(timing, tick)[0];
}

export function endOf(timing: Timing): number {
  return timing.bars.at(-1) ?? 0;
}

// Bars are counted from 1; after the last they go on in its metre, so that music can grow.
export function barAt(timing: Timing, tick: number): number {
  const end = endOf(timing);
  const bars = Math.max(0, timing.bars.length - 1);
  if (tick >= end) return bars + 1 + Math.floor((tick - end) / barTicks(timing, end));
  return Math.max(1, lastNotAbove(timing.bars, tick, (bar) => bar) + 1);
}

export function barStart(timing: Timing, bar: number): number {
  const listed = timing.bars[Math.max(0, bar - 1)];
  if (listed !== undefined) return listed;
  const end = endOf(timing);
  return end + (bar - Math.max(1, timing.bars.length)) * barTicks(timing, end);
}

// The bars, and as many more as a note that ends at `tick` needs.
export function barsTo(timing: Timing, tick: number): number[] {
  if (timing.bars.length > 1 && endOf(timing) >= tick) return timing.bars;
  const bars = timing.bars.length ? [...timing.bars] : [0];
  const length = barTicks(timing, bars.at(-1) ?? 0);
  do bars.push((bars.at(-1) ?? 0) + length);
  while ((bars.at(-1) ?? 0) < tick);
  return bars;
}

// Beats are counted from 1 too: the middle of the second is 2.5.
export function placeOf(timing: Timing, tick: number): { bar: number; beat: number } {
  const bar = barAt(timing, tick);
  const start = barStart(timing, bar);
  return { bar, beat: Math.round((1 + (tick - start) / beatTicks(timing, start)) * 100) / 100 };
}

export function stepOf(timing: Timing, grid: Grid): number {
  return timing.quarter * grids[grid];
}

// The nearest line of the grid, which begins anew at every bar; `how` chooses the line before instead.
export function snap(timing: Timing, grid: Grid, tick: number, how: "nearest" | "before" = "nearest"): number {
  const step = stepOf(timing, grid);
  if (!step) return Math.max(0, Math.round(tick));
  const bar = barAt(timing, Math.max(0, tick));
  const start = barStart(timing, bar);
  const steps = (tick - start) / step;
  const line = start + Math.round((how === "before" ? Math.floor(steps + 1e-6) : Math.round(steps)) * step);
  const next = barStart(timing, bar + 1);
  return Math.max(0, how === "nearest" && Math.abs(next - tick) < Math.abs(line - tick) ? next : line);
}

// Seconds of ticks and back, by the tempi; `qpm` is quarter notes a minute.
export class Clock {
  private readonly marks: { tick: number; seconds: number; perTick: number }[] = [];

  constructor(timing: Timing) {
    const tempi: [number, number][] = timing.tempi[0]?.[0] === 0 ? timing.tempi : [[0, 120], ...timing.tempi];
    let seconds = 0;
    for (const [tick, qpm] of tempi) {
      const last = this.marks.at(-1);
      if (last) seconds += (tick - last.tick) * last.perTick;
      this.marks.push({ tick, seconds, perTick: 60 / Math.max(1, qpm) / timing.quarter });
    }
  }

  secondsAt(tick: number): number {
    const mark = this.marks[Math.max(0, lastNotAbove(this.marks, tick, (each) => each.tick))]!;
    return mark.seconds + (tick - mark.tick) * mark.perTick;
  }

  tickAt(seconds: number): number {
    const mark = this.marks[Math.max(0, lastNotAbove(this.marks, seconds, (each) => each.seconds))]!;
    return mark.tick + (seconds - mark.seconds) / mark.perTick;
  }
}
