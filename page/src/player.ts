// Plays a score in the browser through spessasynth's synthesiser, and single notes beside it.
//
// The notes are handed to the synthesiser a fifth of a second ahead, by the clock of the sound, rather than as a file to
// its own sequencer. That one plays a finished file: it loads anew at every edit, loops only as the file says, and
// mutes whole channels, of which a file has sixteen. Here a loop begins and ends at any tick, an edit is heard at
// once, and each track has a channel, so that any number of them can be silenced alone.
//
// Leaves out: notes that began before the place from which it plays are not sounded; a score's pedals and bends are not
// known to the page. Nothing is fetched but the worklet and the SoundFont, both from the studio itself.

import type { WorkletSynthesizer } from "spessasynth_lib";
import type { Score } from "./api";
import { type Machine, built, loudnessOf, possible } from "./machine";
import { type TrackState, heard, plain } from "./mix";
import { Music, type Span, Transport } from "./transport";

export type PlayerState = "stopped" | "loading" | "playing" | "paused";

export interface PlayerOptions {
  synthesiser?: string; // address of the worklet
  soundfont?: string;
  onProgress?(share: number | null): void; // of the SoundFont, 0 to 1; null where its length is not known
  onPosition?(tick: number): void; // in each frame while it plays, and at every seek
  onState?(state: PlayerState): void;
}

const ahead = 0.2; // seconds that are handed out at a time
const aheadUnseen = 1.6; // a page that is not seen is woken once a second only
const pulse = 50; // milliseconds
const idle = 10_000; // milliseconds without a note after which the sound machine rests
const single = [0, 9] as const; // channels of single notes: of instruments, of drums
const firstOfTracks = 16;

export class Player {
  private machine: Machine | null = null;
  private coming: Promise<Machine> | null = null;
  private score: Score | null = null;
  private transport: Transport | null = null;
  private states: TrackState[] = [];
  private given: { program: number; drums: boolean; muted: boolean }[] = []; // what the tracks' channels were told
  private channels = firstOfTracks; // the synthesiser's own count of them runs ahead of what there is
  private place = 0; // ticks, while nothing plays
  private clear = 0; // time from which on nothing that was handed out before a stop is left
  private turn = 0; // counts what was asked, so that what loads too long does not begin to play after a stop
  private timer = 0;
  private resting = 0;
  private frame = 0;
  private doing: PlayerState = "stopped";
  private span: Span | null = null;
  private rate = 1;
  private loudness = 1;
  private held = new Map<string, number>();
  private readonly seen = () => this.hand();

  constructor(private readonly options: PlayerOptions = {}) {
    document.addEventListener("visibilitychange", this.seen);
  }

  // Browsers have worklets on https and on this machine's own address only.
  static get possible(): boolean {
    return possible();
  }

  get state(): PlayerState {
    return this.doing;
  }

  // Also while it plays: what comes next is played as the new score has it.
  setScore(score: Score): void {
    this.score = score;
    if (this.transport) this.transport.score = new Music(score);
    if (this.machine) this.give(this.machine);
  }

  get position(): number {
    if (!this.transport || !this.machine) return this.place;
    const { context } = this.machine;
    return Math.min(this.transport.end, this.transport.tickAt(context.currentTime - (context.outputLatency || 0)));
  }

  // To be called from a click or a key the first time: a browser lets a page sound only then.
  async play(from?: number): Promise<void> {
    const turn = ++this.turn;
    if (from !== undefined) this.place = from;
    else if (this.transport) this.place = this.position;
    this.halt();
    if (!this.machine) this.become("loading");
    try {
      const machine = await this.awake();
      if (turn !== this.turn || !this.score) return;
      this.give(machine);
      this.begin(machine);
    } catch (error) {
      if (turn === this.turn) this.become("stopped");
      throw error;
    }
  }

  pause(): void {
    if (this.doing !== "playing" && this.doing !== "loading") return;
    this.turn++;
    this.place = this.position;
    this.halt();
    this.become("paused");
  }

  stop(): void {
    this.turn++;
    this.halt();
    this.place = this.span?.from ?? 0;
    this.become("stopped");
    this.options.onPosition?.(this.place);
  }

  seek(tick: number): void {
    this.place = Math.max(0, tick);
    this.options.onPosition?.(this.place);
    if (this.doing === "playing") void this.play(this.place);
  }

  get loop(): Span | null {
    return this.span;
  }

  set loop(span: Span | null) {
    this.span = span;
    if (this.transport) this.transport.loop = span;
  }

  get tempo(): number {
    return this.rate;
  }

  set tempo(factor: number) {
    this.rate = Math.min(2, Math.max(0.25, factor));
    if (this.transport) this.transport.rate = this.rate;
  }

  get volume(): number {
    return this.loudness;
  }

  set volume(volume: number) {
    this.loudness = Math.min(1, Math.max(0, volume));
    const { machine } = this;
    machine?.gain.gain.setTargetAtTime(this.loudness ** 2, machine.context.currentTime, 0.02);
  }

  setTrackState(track: number, state: Partial<Pick<TrackState, "muted" | "solo">>): void {
    while (this.states.length <= track) this.states.push(plain);
    this.states[track] = { ...(this.states[track] ?? plain), ...state };
    if (this.machine) this.give(this.machine);
  }

  // One note now; resolves when it has begun.
  async sound(program: number, drums: boolean, pitch: number, velocity: number, seconds: number): Promise<void> {
    const release = await this.press(program, drums, pitch, velocity);
    setTimeout(release, seconds * 1000);
  }

  // One note from now until what it gives is called.
  async press(program: number, drums: boolean, pitch: number, velocity: number): Promise<() => void> {
    const { synth } = await this.awake();
    const channel = single[drums ? 1 : 0];
    const key = `${channel} ${pitch}`;
    const count = (this.held.get(key) ?? 0) + 1;
    if (this.held.has(key)) synth.noteOff(channel, pitch);
    this.held.set(key, count);
    synth.programChange(channel, program);
    synth.noteOn(channel, pitch, velocity);
    return () => {
      if (this.held.get(key) !== count) return; // it has been pressed again since
      this.held.delete(key);
      synth.noteOff(channel, pitch);
      this.rest();
    };
  }

  // How loud it is just now: the root of the mean square, 0 for silence.
  rms(): number {
    if (!this.machine) return 0;
    return loudnessOf(this.machine);
  }

  // Fetches what sounding needs; later calls have it at once. It may be called before the first note, in a gesture.
  load(): Promise<Machine> {
    const { synthesiser = "/synthesiser.js", soundfont = "/api/soundfont", onProgress } = this.options;
    this.coming ??= built(synthesiser, soundfont, onProgress).then(
      (machine) => {
        machine.gain.gain.value = this.loudness ** 2;
        return (this.machine = machine);
      },
      (error: unknown) => {
        this.coming = null; // the next time may do better
        throw error;
      },
    );
    return this.coming;
  }

  destroy(): void {
    this.turn++;
    this.halt();
    clearTimeout(this.resting);
    document.removeEventListener("visibilitychange", this.seen);
    void this.coming?.then(({ synth, context }) => {
      synth.destroy();
      return context.close();
    });
    this.machine = null;
  }

  private async awake(): Promise<Machine> {
    clearTimeout(this.resting);
    const machine = await this.load();
    if (machine.context.state !== "running") await machine.context.resume();
    return machine;
  }

  // Even silence is computed as long as it is asked for.
  private rest(): void {
    clearTimeout(this.resting);
    this.resting = window.setTimeout(() => {
      if (this.doing !== "playing" && !this.held.size) void this.machine?.context.suspend();
    }, idle);
  }

  private become(state: PlayerState): void {
    if (state === this.doing) return;
    this.doing = state;
    if (state === "stopped" || state === "paused") this.rest();
    this.options.onState?.(state);
  }

  // Tells each track's channel its instrument and whether it is heard, where that is news.
  private give({ synth }: Machine, silent = false): void {
    const tracks = this.score?.tracks ?? [];
    this.grow(synth, firstOfTracks + tracks.length);
    for (const [track, { program, drums }] of tracks.entries()) {
      const channel = firstOfTracks + track;
      const before = this.given[track]!;
      const muted = silent || !heard(this.states, track);
      if (before.drums !== drums) synth.midiChannels[channel]?.setDrums(drums);
      if (before.program !== program || before.drums !== drums) synth.programChange(channel, program);
      if (before.muted !== muted) synth.midiChannels[channel]?.setSystemParameter("isMuted", muted);
      this.given[track] = { program, drums, muted };
    }
    // channels of tracks that the score no longer has
    for (let track = tracks.length; track < this.given.length; track++) {
      synth.midiChannels[firstOfTracks + track]?.setSystemParameter("isMuted", true);
      this.given[track]!.muted = true;
    }
  }

  // A channel that is added has no volume before all are reset, which sets them to the first program, and every
  // sixteenth to drums.
  private grow(synth: WorkletSynthesizer, wanted: number): void {
    if (this.channels >= wanted) return;
    for (; this.channels < wanted; this.channels++) synth.addNewChannel();
    synth.reset();
    this.given = Array.from({ length: this.channels - firstOfTracks }, (_, track) => ({
      program: 0, drums: (firstOfTracks + track) % 16 === 9, muted: this.given[track]?.muted ?? false,
    }));
  }

  private begin(machine: Machine): void {
    if (!this.score) return;
    // what was handed out before a stop cannot be called back; it passes muted first
    const start = Math.max(machine.context.currentTime + 0.03, this.clear);
    const music = new Music(this.score);
    const beyond = this.place >= music.end - 1 || (this.span && this.place >= this.span.to);
    if (beyond) this.place = this.span?.from ?? 0;
    const wait = Math.max(0, (start - machine.context.currentTime) * 1000 - 20);
    const transport = new Transport(music, this.place, start, this.rate);
    transport.loop = this.span;
    this.transport = transport;
    this.become("playing");
    const { turn } = this;
    setTimeout(() => {
      if (turn !== this.turn) return;
      this.give(machine);
      this.hand();
      this.timer = window.setInterval(() => this.hand(), pulse);
    }, wait);
    this.show();
  }

  // Silences what sounds and what has been handed out but is still to come.
  private halt(): void {
    clearInterval(this.timer);
    cancelAnimationFrame(this.frame);
    if (!this.transport || !this.machine) return;
    this.transport = null;
    this.give(this.machine, true);
  }

  private hand(): void {
    const { transport, machine } = this;
    if (!transport || !machine) return;
    const now = machine.context.currentTime;
    const until = now + (document.hidden ? aheadUnseen : ahead);
    this.clear = Math.max(this.clear, until + 0.02);
    for (const { time, on, track, pitch, velocity } of transport.advance(until)) {
      const channel = firstOfTracks + track;
      if (on) machine.synth.noteOn(channel, pitch, velocity, { time });
      else machine.synth.noteOff(channel, pitch, { time });
    }
    if (transport.ended && transport.tickAt(now) >= transport.end) this.finish();
  }

  // The end of the music: its last notes ring out.
  private finish(): void {
    this.turn++;
    clearInterval(this.timer);
    cancelAnimationFrame(this.frame);
    this.transport = null;
    this.place = 0;
    this.become("stopped");
    this.options.onPosition?.(0);
  }

  private show(): void {
    this.options.onPosition?.(this.position);
    this.frame = requestAnimationFrame(() => this.show());
  }
}
