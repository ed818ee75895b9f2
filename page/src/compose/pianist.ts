// Who plays on a keyboard that is plugged in: what is pressed sounds as the active track does, and is written down
// while something is recorded.
import { Keyboard, type KeyboardState } from "../keyboard";
import type { Deck } from "./deck";
import type { Work } from "./work";

export class Pianist {
  private readonly sounding = new Map<number, Promise<() => void>>();
  private readonly keyboard: Keyboard;

  constructor(private readonly work: Work, private readonly deck: Deck, changed: (state: KeyboardState, names: string[]) => void) {
    this.keyboard = new Keyboard({
      onState: changed,
      onNote: (on, pitch, velocity) => (on ? this.press(pitch, velocity) : this.release(pitch)),
    });
  }

  get state(): KeyboardState {
    return this.keyboard.state;
  }

  get names(): string[] {
    return this.keyboard.names;
  }

  toggle(): void {
    if (this.state === "ready" || this.state === "asking") this.keyboard.close();
    else void this.keyboard.open();
  }

  end(): void {
    this.keyboard.close();
  }

  private press(pitch: number, velocity: number): void {
    this.release(pitch);
    this.deck.press(pitch, velocity);
    this.sounding.set(pitch, this.deck.hold(this.work.roll.activeTrack, pitch, velocity));
  }

  private release(pitch: number): void {
    this.deck.release(pitch);
    void this.sounding.get(pitch)?.then((end) => end());
    this.sounding.delete(pitch);
  }
}
