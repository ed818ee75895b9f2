// Which tracks are heard and seen: silenced, alone, hidden. Where any is alone, only those that are alone are heard.

export interface TrackState {
  muted: boolean;
  solo: boolean;
  hidden: boolean;
}

export const plain: TrackState = { muted: false, solo: false, hidden: false };

export function heard(states: readonly (TrackState | undefined)[], track: number): boolean {
  const state = states[track] ?? plain;
  return !state.muted && (state.solo || !states.some((each) => each?.solo));
}
