// Scores to try things on. Not a test itself.
export function score(...tracks) {
  return {
    quarter: 480,
    tracks: tracks.map((notes, place) => ({ name: `Track ${place + 1}`, program: place, drums: false, notes })),
    tempi: [[0, 120]],
    metres: [[0, 4, 4]],
    bars: [0, 1920, 3840],
    fresh: [],
  };
}

// The same numbers at every run.
export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
