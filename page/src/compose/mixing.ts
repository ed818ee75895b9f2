// Which tracks of the open piece are silenced, alone or hidden: told to the roll and to the player alike, and kept with
// their tracks when others come or go.
import type { Track } from "../api";
import { plain, type TrackState } from "../mix";

interface Listener {
  setTrackState(track: number, state: Partial<TrackState>): void;
}

export class Mixing {
  private states: TrackState[] = [];
  private tracks: readonly Track[] = [];

  constructor(private readonly listeners: () => Listener[]) {}

  of(track: number): TrackState {
    return this.states[track] ?? plain;
  }

  toggle(track: number, what: keyof TrackState): void {
    const state = this.of(track);
    this.states[track] = { ...state, [what]: !state[what] };
    this.tell();
  }

  /** The same piece with other tracks. */
  follow(tracks: readonly Track[]): void {
    const states = carried(this.states, this.tracks, tracks);
    this.tracks = tracks;
    if (JSON.stringify(states) === JSON.stringify(this.states)) return;
    this.states = states;
    this.tell();
  }

  /** Another piece, in which everything is heard and seen. */
  reset(tracks: readonly Track[]): void {
    this.tracks = tracks;
    this.states = tracks.map(() => plain);
    this.tell();
  }

  private tell(): void {
    const most = Math.max(this.states.length, this.tracks.length);
    for (const listener of this.listeners()) {
      for (let track = 0; track < most; track++) listener.setTrackState(track, this.of(track));
    }
  }
}

/** The states of tracks after some came or went: a track is known again by its notes, which such a change leaves alone. */
export function carried(states: readonly TrackState[], before: readonly Track[], after: readonly Track[]): TrackState[] {
  if (before.length === after.length) return after.map((_, track) => states[track] ?? plain);
  return after.map((track) => {
    const place = before.findIndex((each) => each.notes === track.notes);
    return (place < 0 ? undefined : states[place]) ?? plain;
  });
}
