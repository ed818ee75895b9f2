// A keyboard that is plugged in, by Web MIDI: tells which notes are pressed and released. Where the browser has no Web
// MIDI, or it was refused, the state says so. Leaves out pedals, wheels and sending.

export type KeyboardState =
  | "off" // not asked for yet
  | "asking"
  | "missing" // this browser has no Web MIDI
  | "denied" // it or its user does not want it
  | "ready"; // keyboards, if any, are in `names`

export interface KeyboardOptions {
  onNote(on: boolean, pitch: number, velocity: number, time: number): void; // time as performance.now() counts
  onState?(state: KeyboardState, names: string[]): void;
}

export class Keyboard {
  private access: MIDIAccess | null = null;
  private now: KeyboardState = Keyboard.possible ? "off" : "missing";
  private readonly pressed = new Set<number>();

  constructor(private readonly options: KeyboardOptions) {}

  static get possible(): boolean {
    return typeof navigator !== "undefined" && "requestMIDIAccess" in navigator;
  }

  get state(): KeyboardState {
    return this.now;
  }

  get names(): string[] {
    return this.access ? [...this.access.inputs.values()].map((input) => input.name ?? input.id) : [];
  }

  // The browser may ask its user; to be called from a click.
  async open(): Promise<KeyboardState> {
    if (this.now === "ready" || this.now === "missing" || this.now === "asking") return this.now;
    this.become("asking");
    try {
      const access = await navigator.requestMIDIAccess({ sysex: false });
      if (this.state !== "asking") return this.now; // closed meanwhile
      this.access = access;
    } catch {
      if (this.state === "asking") this.become("denied");
      return this.now;
    }
    this.access.onstatechange = () => this.listen();
    this.listen();
    return this.now;
  }

  close(): void {
    if (this.access) {
      this.access.onstatechange = null;
      for (const input of this.access.inputs.values()) input.onmidimessage = null;
    }
    this.release();
    this.access = null;
    if (this.now !== "missing") this.become("off");
  }

  private listen(): void {
    if (!this.access) return;
    for (const input of this.access.inputs.values()) input.onmidimessage = (event) => this.hear(event);
    if (!this.access.inputs.size) this.release(); // unplugged with keys down
    this.become("ready");
  }

  private hear(event: MIDIMessageEvent): void {
    const [status = 0, pitch = 0, velocity = 0] = event.data ?? [];
    const kind = status & 0xf0;
    if (kind !== 0x80 && kind !== 0x90) return;
    const on = kind === 0x90 && velocity > 0;
    if (on) this.pressed.add(pitch);
    else this.pressed.delete(pitch);
    this.options.onNote(on, pitch, velocity, event.timeStamp);
  }

  private release(): void {
    for (const pitch of this.pressed) this.options.onNote(false, pitch, 0, performance.now());
    this.pressed.clear();
  }

  private become(state: KeyboardState): void {
    this.now = state;
    this.options.onState?.(state, this.names);
  }
}
