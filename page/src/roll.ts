// A piano roll in an element of the page: shows a score, lets it be edited by mouse, finger, pen and keys, and tells
// what has changed. Brings together the parts in roll/; makes no sound and has no buttons of its own.

import type { Heard, Note, Score } from "./api";
import { type TrackState, plain } from "./mix";
import { type Grid, barAt, barStart } from "./ticks";
import { type Colours, coloursOf, whenColoursChange } from "./roll/colours";
import { Desk, type Region } from "./roll/desk";
import { draw } from "./roll/drawing";
import { Gestures } from "./roll/gestures";
import { Keys } from "./roll/keys";
import { type Layer, Layers } from "./roll/layers";
import { type Layout, laidOut } from "./roll/layout";
import { type Band, drawMoving } from "./roll/overlay";
import { type View, boundsOf, fitted, kept, scrolled, showing, withPitches, xOf, zoomedInPitch, zoomedInTime } from "./roll/view";
import { type RollText, type Translate, type Values, cursorName, english, inEnglish, noteName } from "./roll/words";

export type { Grid, Region, RollText, TrackState, Translate };
export { english as rollTexts };

export interface RollOptions {
  t?: Translate;
  readOnly?: boolean;
  onChange?(score: Score): void; // after every edit, undoing too
  onRegion?(region: Region | null): void;
  onSeek?(tick: number): void;
  onSelect?(selected: { track: number; notes: readonly Note[] }): void;
  onHear?(asked: { track: number; pitch: number; velocity: number; seconds: number }): void; // a note to be sounded
}

export class Roll {
  private readonly root = document.createElement("div");
  private readonly spoken = document.createElement("div");
  private readonly desk: Desk;
  private readonly keys: Keys;
  private readonly gestures: Gestures;
  private readonly t: Translate;
  private readonly layers: Layers;
  private readonly endColours: () => void;
  private readonly glowing = new Map<Note, { since: number; track: number }>();
  private layout: Layout = laidOut(0, 0);
  private sight: View = { left: 0, top: 84, perTick: 0.1, perPitch: 10, width: 1, height: 1 };
  private colours: Colours;
  private font = "sans-serif";
  private tool_: "select" | "pencil" = "select";
  private band: Band | null = null;
  private pressed: number | null = null;
  private playhead: number | null = null;
  private focused = false;
  private unseen = true; // nothing has been fitted to the element yet

  constructor(element: HTMLElement, private readonly options: RollOptions = {}) {
    this.t = options.t ?? inEnglish;
    this.desk = new Desk({
      score: (byHand) => {
        this.layers.redraw();
        if (byHand) options.onChange?.(this.desk.score);
      },
      selection: () => {
        this.layers.redraw();
        options.onSelect?.({ track: this.desk.track, notes: [...this.desk.chosen] });
      },
      region: () => {
        this.layers.redraw();
        options.onRegion?.(this.desk.region);
      },
      look: () => this.layers.redraw(),
      say: (key, values) => this.say(key, values),
      sayNote: (note, added) => {
        const name = noteName(this.t, this.desk.sheet, this.desk.track, note);
        this.write(added ? this.t("roll.added", { note: name }) : name);
      },
      hear: (note) => this.hear(note[2], note[3]),
    });
    this.desk.readOnly = options.readOnly ?? false;
    this.build(element);
    this.layers = new Layers(this.root, {
      sized: (width, height) => this.sized(width, height),
      paint: (layer, context, now) => this.paint(layer, context, now),
      moves: () => this.glowing.size > 0,
    });
    this.name();
    this.colours = coloursOf(this.root);
    this.endColours = whenColoursChange(() => this.restyle());
    this.keys = new Keys(this.desk, {
      zoom: (way) => this.zoom(way),
      show: () => this.showPlace(),
      sayCursor: () => this.write(cursorName(this.t, this.desk.sheet, this.desk.drums, this.desk.cursor)),
    });
    this.gestures = new Gestures(this.root, this.surface());
    this.layers.resize();
  }

  private build(element: HTMLElement): void {
    const { root, spoken } = this;
    root.className = "roll";
    root.tabIndex = 0;
    root.setAttribute("role", "application");
    root.style.cssText =
      "position:relative;width:100%;height:100%;min-height:160px;overflow:hidden;outline:none;touch-action:none;user-select:none;-webkit-user-select:none";
    spoken.setAttribute("aria-live", "polite");
    spoken.className = "roll-spoken";
    spoken.style.cssText = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap";
    root.append(spoken);
    element.append(root);
    root.addEventListener("keydown", (event) => {
      this.focused = true;
      this.layers.redraw("moving");
      const { key, shiftKey: shift, altKey: alt } = event;
      if (event.isComposing || !this.keys.press({ key, shift, alt, control: event.ctrlKey || event.metaKey })) return;
      event.preventDefault();
      event.stopPropagation();
    });
    for (const kind of ["focus", "blur"] as const) {
      root.addEventListener(kind, () => {
        this.focused = kind === "focus" && root.matches(":focus-visible");
        this.layers.redraw("moving");
      });
    }
  }

  private name(): void {
    this.root.setAttribute("aria-label", this.t("roll.label"));
    this.root.setAttribute("aria-description", this.t("roll.help"));
  }

  private surface() {
    const roll = this;
    return {
      desk: this.desk,
      get layout() { return roll.layout; },
      get view() { return roll.sight; },
      set view(view: View) { roll.look(view); },
      get tool() { return roll.tool_; },
      get band() { return roll.band; },
      set band(band: Band | null) {
        roll.band = band;
        roll.layers.redraw("moving");
      },
      scroll: (x: number, y: number) => this.scrollBy(x, y),
      press: (pitch: number | null) => {
        this.pressed = pitch;
        if (pitch !== null) this.hear(pitch, 90);
        this.layers.redraw();
      },
      seek: (tick: number) => {
        this.setPlayhead(tick);
        this.options.onSeek?.(tick);
      },
      focus: () => {
        this.root.focus({ preventScroll: true });
        this.focused = false; // a pointer shows where it is by itself
      },
      pointing: (cursor: string) => {
        if (this.root.style.cursor !== cursor) this.root.style.cursor = cursor;
      },
    };
  }

  // ---- the score

  get score(): Score {
    return this.desk.score;
  }

  setScore(score: Score, keepHistory = false): void {
    const first = this.unseen || !this.desk.sheet.tracks.length;
    this.glowing.clear();
    this.desk.load(score, keepHistory);
    if (first && score.tracks.length) this.look(fitted(this.sight, this.desk.sheet, "read"));
    else this.look(this.sight);
  }

  // A note that is being written now; `follow` scrolls to it.
  addHeard(heard: Heard, follow = false): void {
    const note = this.desk.receive(heard);
    if (follow) this.look(showing(this.sight, boundsOf(this.desk.sheet), note[0], note[2]));
    this.glowing.set(note, { since: performance.now(), track: heard.track });
    this.layers.redraw();
  }

  undo(): void {
    this.desk.undo();
  }

  redo(): void {
    this.desk.redo();
  }

  get canUndo(): boolean {
    return this.desk.canUndo;
  }

  get canRedo(): boolean {
    return this.desk.canRedo;
  }

  // ---- what is worked on

  get activeTrack(): number {
    return this.desk.track;
  }

  set activeTrack(track: number) {
    if (track === this.desk.track || !this.desk.sheet.tracks[track]) return;
    this.desk.choose([], track);
    this.say("roll.track", { number: track + 1, name: this.desk.sheet.tracks[track]?.name ?? "" });
  }

  setTrackState(track: number, state: Partial<TrackState>): void {
    const states = [...this.desk.states];
    while (states.length <= track) states.push(plain);
    states[track] = { ...(states[track] ?? plain), ...state };
    this.desk.states = states;
    this.layers.redraw();
  }

  trackState(track: number): TrackState {
    return this.desk.stateOf(track);
  }

  trackColour(track: number): string {
    return this.colours.tracks[track % this.colours.tracks.length] ?? this.colours.ink;
  }

  get selection(): readonly Note[] {
    return [...this.desk.chosen];
  }

  select(notes: Iterable<Note>, track = this.desk.track): void {
    this.desk.choose(notes, track);
  }

  get region(): Region | null {
    return this.desk.region;
  }

  set region(region: Region | null) {
    this.desk.setRegion(region);
  }

  get grid(): Grid {
    return this.desk.grid;
  }

  set grid(grid: Grid) {
    this.desk.grid = grid;
    this.layers.redraw();
  }

  get tool(): "select" | "pencil" {
    return this.tool_;
  }

  set tool(tool: "select" | "pencil") {
    this.tool_ = tool;
  }

  get readOnly(): boolean {
    return this.desk.readOnly;
  }

  set readOnly(readOnly: boolean) {
    this.desk.readOnly = readOnly;
    this.layers.redraw("moving");
  }

  // ---- what is seen

  // While music plays, `follow` turns the page when the playhead reaches its end.
  setPlayhead(tick: number | null, follow = false): void {
    if (tick === this.playhead) return;
    this.playhead = tick;
    if (follow && tick !== null) {
      const x = xOf(this.sight, tick);
      const { width } = this.sight;
      if (x < 0 || x > width * 0.94) this.scrollBy(x - width * 0.06, 0);
    }
    this.layers.redraw("moving");
  }

  zoom(way: "in" | "out" | "fit", axis: "time" | "pitch" = "time"): void {
    const bounds = boundsOf(this.desk.sheet);
    const factor = way === "in" ? 1.3 : 1 / 1.3;
    if (way === "fit") this.look(fitted(this.sight, this.desk.sheet, "all"));
    else if (axis === "pitch") this.look(zoomedInPitch(this.sight, bounds, factor, this.sight.height / 2));
    else this.look(zoomedInTime(this.sight, bounds, factor, this.sight.width / 2));
  }

  scrollBy(x: number, y: number): boolean {
    const next = scrolled(this.sight, boundsOf(this.desk.sheet), x, y);
    const gone = next.left !== this.sight.left || next.top !== this.sight.top;
    if (gone) this.look(next);
    return gone;
  }

  // Its beginning, as large as can be read.
  showBeginning(): void {
    this.look(fitted(this.sight, this.desk.sheet, "read"));
  }

  // The bar in which the first new note begins.
  showFresh(): void {
    const { tracks, fresh } = this.score;
    const ticks = fresh.flatMap(([track, note]) => tracks[track]?.notes[note]?.[0] ?? []);
    if (ticks.length) this.showBar(barAt(this.desk.sheet, ticks.reduce((one, other) => Math.min(one, other))));
  }

  // Of another version of the same music: where one is in it stays, what it has is all in sight.
  showPitches(): void {
    this.look(withPitches(this.sight, this.desk.sheet));
  }

  showBar(bar: number): void {
    this.look({ ...this.sight, left: barStart(this.desk.sheet, bar) });
  }

  focus(): void {
    this.root.focus({ preventScroll: true });
  }

  // After another theme, which is mostly noticed by itself, or another language.
  restyle(): void {
    this.name();
    this.colours = coloursOf(this.root);
    this.font = getComputedStyle(this.root).fontFamily || "sans-serif";
    this.layers.redraw();
  }

  destroy(): void {
    this.layers.destroy();
    this.endColours();
    this.gestures.destroy();
    this.root.remove();
  }

  private look(view: View): void {
    this.sight = kept(view, boundsOf(this.desk.sheet));
    this.layers.redraw();
  }

  private showPlace(): void {
    const { tick, pitch } = this.desk.cursor;
    this.look(showing(this.sight, boundsOf(this.desk.sheet), tick, pitch));
  }

  private hear(pitch: number, velocity: number): void {
    this.options.onHear?.({ track: this.desk.track, pitch, velocity, seconds: 0.35 });
  }

  private say(key: RollText, values?: Values): void {
    this.write(this.t(key, values));
  }

  // A text that is said twice has to be another the second time, or it is not read out.
  private write(text: string): void {
    this.spoken.textContent = this.spoken.textContent === text ? `${text}\u00a0` : text;
  }

  private sized(width: number, height: number): void {
    this.layout = laidOut(width, height);
    this.font = getComputedStyle(this.root).fontFamily || "sans-serif";
    const view = { ...this.sight, width: Math.max(1, width - this.layout.keys), height: this.layout.notes };
    this.sight = this.unseen ? fitted(view, this.desk.sheet, "read") : kept(view, boundsOf(this.desk.sheet));
    this.unseen = false;
  }

  private paint(layer: Layer, context: CanvasRenderingContext2D, now: number): void {
    const { desk, sight: view, layout, colours, pressed, font, playhead, focused, band, glowing } = this;
    const scene = { desk, view, layout, colours, pressed, font };
    if (layer === "still") draw(context, scene);
    else drawMoving(context, scene, { playhead, focused, band, glowing, now });
  }
}
