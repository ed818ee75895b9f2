// What is played on a keyboard while music runs: which note began and ended where, and the same on the lines of a grid.
import type { Note } from "../api";
import { snap, stepOf, type Grid, type Timing } from "../ticks";

export class Take {
  private readonly held = new Map<number, { tick: number; velocity: number }>();
  private readonly notes: Note[] = [];

  press(pitch: number, velocity: number, tick: number): void {
    this.release(pitch, tick); // a keyboard that forgot to say so
    this.held.set(pitch, { tick, velocity });
  }

  release(pitch: number, tick: number): void {
    const begun = this.held.get(pitch);
    if (!begun) return;
    this.held.delete(pitch);
    this.notes.push([begun.tick, Math.max(1, tick - begun.tick), pitch, begun.velocity]);
  }

  /** All of it; what is still held ends here. */
  end(tick: number): Note[] {
    for (const pitch of [...this.held.keys()]) this.release(pitch, tick);
    return this.notes;
  }
}

/** Notes on the lines of a grid, none shorter than one of its steps; where it is off they stay as they were played. */
export function quantised(timing: Timing, grid: Grid, notes: readonly Note[]): Note[] {
  const step = stepOf(timing, grid);
  return notes.map(([onset, duration, pitch, velocity]) => [
    snap(timing, grid, onset),
    step ? Math.max(1, Math.round(Math.max(1, Math.round(duration / step)) * step)) : Math.max(1, Math.round(duration)),
    pitch,
    velocity,
  ]);
}
