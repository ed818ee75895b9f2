// Playing the open piece: where it plays, what it plays over again, and what is played along on a keyboard meanwhile.
// The player itself is made once and stays, since its instruments take a while to come.
import type { Player, PlayerState } from "../player";
import { listen } from "../listening";
import { attempt } from "../messages";
import { barStart, endOf } from "../ticks";
import { Take, quantised } from "./take";
import type { Work } from "./work";

type Tell = { state(state: PlayerState): void; position(tick: number): void; progress(share: number | null): void };

let player: Promise<Player> | null = null;
let present: Tell | null = null; // the page that is shown

function thePlayer(): Promise<Player> {
  player ??= import("../player").then(({ Player }) => new Player({
    onState: (state) => present?.state(state),
    onPosition: (tick) => present?.position(tick),
    onProgress: (share) => present?.progress(share),
  }));
  return player;
}

export class Deck {
  state: PlayerState = "stopped";
  progress: number | null = null;
  position = 0; // ticks
  loops = false;
  follows = true;
  recording = false;
  tempo = 1;
  volume = 1;
  private player: Player | null = null;
  private quarter = 480; // ticks of it in the score that is played
  private take: { take: Take; track: number } | null = null;
  private readonly ready: Promise<Player>;
  private readonly hearers = new Set<(what: "state" | "position") => void>();

  constructor(private readonly work: () => Work) {
    present = {
      state: (state) => this.became(state),
      position: (tick) => this.moved(tick),
      progress: (share) => {
        this.progress = share;
        this.tell("state");
      },
    };
    this.ready = thePlayer().then((ready) => {
      this.player = ready;
      this.tempo = ready.tempo;
      this.volume = ready.volume;
      this.loop();
      this.tell("state");
      return ready;
    });
    this.ready.catch(() => (player = null)); // the next page tries again
  }

  hear(hearer: (what: "state" | "position") => void): void {
    this.hearers.add(hearer);
  }

  /** What can be told which tracks are heard. */
  get listener(): Player | null {
    return this.player;
  }

  whenReady(act: () => void): void {
    void this.ready.then(act, () => {});
  }

  async play(from?: number): Promise<void> {
    const work = this.work();
    listen.stop();
    await attempt(this.ready.then((ready) => {
      ready.setScore(work.score);
      const { span } = this;
      const beyond = span && (this.position < span.from || this.position >= span.to);
      return ready.play(from ?? (beyond ? span.from : this.position));
    }));
  }

  toggle(): void {
    if (this.state === "playing" || this.state === "loading") this.player?.pause();
    else void this.play();
  }

  stop(): void {
    this.player?.stop();
    if (!this.player) this.moved(0);
  }

  seek(tick: number): void {
    this.endTake();
    if (this.player) this.player.seek(tick);
    else this.moved(tick);
  }

  /** The open piece is another, or another than before. */
  follow(opened: boolean): void {
    const { player: there } = this;
    const { score } = this.work();
    const scale = score.quarter / this.quarter; // the same place may have another tick
    this.quarter = score.quarter;
    if (opened) this.take = null;
    if (scale !== 1) this.position *= scale;
    if (opened && !this.playing) this.position = Math.min(this.position, endOf(score));
    there?.setScore(score);
    this.loop();
    if (scale !== 1) this.seek(this.position);
    else if (opened) this.moved(this.position);
  }

  get playing(): boolean {
    return this.state === "playing";
  }

  /** Play the chosen bars over and over, or all where none are chosen. */
  loop(loops = this.loops): void {
    this.loops = loops;
    if (this.player) this.player.loop = this.span;
    this.tell("state");
  }

  setTempo(factor: number): void {
    this.tempo = factor;
    if (this.player) this.player.tempo = factor;
  }

  setVolume(volume: number): void {
    this.volume = volume;
    if (this.player) this.player.volume = volume;
  }

  /** Write down what is played along, from now on until the music is paused. */
  record(): void {
    if (this.recording) return void this.player?.pause();
    this.recording = true;
    this.take = this.newTake();
    if (!this.playing) void this.play();
    this.tell("state");
  }

  press(pitch: number, velocity: number): void {
    if (this.playing) this.take?.take.press(pitch, velocity, this.player?.position ?? this.position);
  }

  release(pitch: number): void {
    if (this.playing) this.take?.take.release(pitch, this.player?.position ?? this.position);
  }

  async sound(track: number, pitch: number, velocity: number, seconds: number): Promise<void> {
    const { program = 0, drums = false } = this.work().tracks[track] ?? {};
    await attempt(this.ready.then((ready) => ready.sound(program, drums, pitch, velocity, seconds)));
  }

  async hold(track: number, pitch: number, velocity: number): Promise<() => void> {
    const { program = 0, drums = false } = this.work().tracks[track] ?? {};
    return (await attempt(this.ready.then((ready) => ready.press(program, drums, pitch, velocity)))) ?? (() => {});
  }

  end(): void {
    this.endTake();
    present = null;
    const { player: there } = this;
    if (!there) return;
    there.stop();
    there.loop = null;
    there.tempo = 1;
  }

  private get span(): { from: number; to: number } | null {
    if (!this.loops) return null;
    const { score, roll: { region } } = this.work();
    return region ? { from: barStart(score, region.from), to: barStart(score, region.to + 1) } : { from: 0, to: endOf(score) };
  }

  private became(state: PlayerState): void {
    this.state = state;
    if (state === "stopped" || state === "paused") {
      this.endTake();
      this.recording = false;
    }
    this.tell("state");
  }

  private moved(tick: number): void {
    if (this.take && this.playing && tick < this.position - 1) this.endTake(); // round the loop: the next pass
    this.position = tick;
    this.work().roll.setPlayhead(tick, this.follows && this.playing);
    this.tell("position");
  }

  private newTake(): { take: Take; track: number } {
    return { take: new Take(), track: this.work().roll.activeTrack };
  }

  // What was played is one step that can be undone.
  private endTake(): void {
    const { take } = this;
    this.take = this.recording && this.playing ? this.newTake() : null;
    if (!take) return;
    const work = this.work();
    work.addNotes(take.track, quantised(work.score, work.roll.grid, take.take.end(this.position)));
  }

  private tell(what: "state" | "position"): void {
    for (const hear of [...this.hearers]) hear(what);
  }
}
