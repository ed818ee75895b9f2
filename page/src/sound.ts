// The player of the studio as listening needs it: opened when something is first heard, seconds instead of ticks.
import type { Score } from "./api";
import { Clock } from "./ticks";

export interface Sound {
  play(score: Score): Promise<void>; // from its beginning
  resume(): Promise<void>;
  pause(): void;
  stop(): void;
  seek(seconds: number): void;
  readonly position: number; // seconds
  readonly length: number;
}

/** Open the player; `ended` is called when a piece has come to its end by itself. */
export async function openSound(ended: () => void, loads: (share: number | null) => void): Promise<Sound> {
  const [{ Player }, { Music }] = await Promise.all([import("./player"), import("./transport")]);
  let clock: Clock | null = null;
  let length = 0;
  let mine = true; // whether it was the page that stopped it
  const player = new Player({
    onProgress: loads,
    onState: (state) => {
      if (state === "stopped" && !mine) ended();
    },
  });
  const stop = (): void => {
    mine = true;
    player.stop();
  };
  return {
    async play(score) {
      stop();
      const music = new Music(score);
      clock = music.clock;
      length = clock.secondsAt(music.end);
      player.setScore(score);
      await player.play(0);
      mine = false;
    },
    resume: () => player.play(),
    pause: () => player.pause(),
    stop,
    seek: (seconds) => player.seek(clock?.tickAt(seconds) ?? 0),
    get position() {
      return clock?.secondsAt(player.position) ?? 0;
    },
    get length() {
      return length;
    },
  };
}
