// Draws the still layer of a roll: rows, bars and beats, notes, velocities, ruler and keys. Draws what is visible and
// nothing else, in as few strokes of the canvas as there are colours. Leaves out all that moves by itself.

import type { Note } from "../api";
import { heard } from "../mix";
import { barAt, barStart, barTicks, beatTicks, endOf, stepOf } from "../ticks";
import type { Colours } from "./colours";
import type { Desk } from "./desk";
import { reach } from "./edits";
import { type Layout, velocityTop } from "./layout";
import { type View, pitchAt, tickAt, xOf, yOf } from "./view";
import { isBlack } from "./words";

export interface Scene {
  desk: Desk;
  view: View;
  layout: Layout;
  colours: Colours;
  pressed: number | null; // the key that is held
  font: string;
}

type Context = CanvasRenderingContext2D;
const rounded = 1500; // with more notes than this in sight, corners are not worth their time

export function draw(context: Context, scene: Scene): void {
  const { layout, colours } = scene;
  context.globalAlpha = 1;
  context.fillStyle = colours.paper;
  context.fillRect(0, 0, layout.width, layout.height);
  context.save();
  context.translate(layout.keys, 0);
  context.beginPath();
  context.rect(0, 0, layout.width - layout.keys, layout.height);
  context.clip();
  rows(context, scene);
  beyond(context, scene);
  lines(context, scene);
  notes(context, scene);
  if (layout.lane) lane(context, scene);
  ruler(context, scene);
  context.restore();
  keys(context, scene);
}

function rows(context: Context, { view, layout, colours, desk }: Scene): void {
  const [low, high] = [pitchAt(view, view.height), pitchAt(view, 0)];
  context.fillStyle = colours.ink;
  context.globalAlpha = colours.dark ? 0.05 : 0.035;
  if (!desk.drums) {
    for (let pitch = low; pitch <= high; pitch++) {
      if (isBlack(pitch)) context.fillRect(0, layout.ruler + yOf(view, pitch), view.width, view.perPitch);
    }
  }
  context.fillStyle = colours.line;
  for (let pitch = low; pitch <= high + 1; pitch++) {
    const octave = pitch % 12 === 0;
    if (!octave && view.perPitch < 9) continue;
    context.globalAlpha = octave ? 0.9 : 0.3;
    context.fillRect(0, Math.round(layout.ruler + yOf(view, pitch - 1)), view.width, 1);
  }
}

// Where the music has ended, and the bars that are selected.
function beyond(context: Context, { view, layout, colours, desk }: Scene): void {
  const bottom = layout.ruler + layout.notes + layout.lane;
  const end = xOf(view, endOf(desk.sheet));
  if (end < view.width) {
    context.fillStyle = colours.ink;
    context.globalAlpha = 0.06;
    context.fillRect(Math.max(0, end), layout.ruler, view.width, bottom - layout.ruler);
  }
  if (!desk.region) return;
  const from = xOf(view, barStart(desk.sheet, desk.region.from));
  const to = xOf(view, barStart(desk.sheet, desk.region.to + 1));
  context.fillStyle = colours.accent;
  context.globalAlpha = colours.dark ? 0.16 : 0.1;
  context.fillRect(from, layout.ruler, to - from, bottom - layout.ruler);
  context.globalAlpha = 0.7;
  context.fillRect(from, layout.ruler, 1, bottom - layout.ruler);
  context.fillRect(to - 1, layout.ruler, 1, bottom - layout.ruler);
}

// Bars in sight; where they are narrow only every second, fourth, and so on.
function* barsInSight({ desk, view }: Scene, least: number): Generator<{ bar: number; tick: number; x: number }> {
  const { sheet } = desk;
  const first = barAt(sheet, tickAt(view, 0));
  const last = barAt(sheet, tickAt(view, view.width));
  let every = 1;
  while (barTicks(sheet, tickAt(view, 0)) * view.perTick * every < least) every *= 2;
  for (let bar = first; bar <= last + 1; bar++) {
    if ((bar - 1) % every) continue;
    const tick = barStart(sheet, bar);
    yield { bar, tick, x: Math.round(xOf(view, tick)) };
  }
}

function lines(context: Context, scene: Scene): void {
  const { view, layout, colours, desk } = scene;
  const height = layout.notes + layout.lane;
  context.fillStyle = colours.line;
  for (const { bar, tick, x } of barsInSight(scene, 8)) {
    context.globalAlpha = 1;
    context.fillRect(x, layout.ruler, 1, height);
    const next = barStart(desk.sheet, bar + 1);
    const beat = beatTicks(desk.sheet, tick);
    const step = stepOf(desk.sheet, desk.grid);
    if (beat * view.perTick >= 9) strokes(context, view, layout, tick, next, beat, 0.55);
    if (step && step < beat && step * view.perTick >= 9) strokes(context, view, layout, tick, next, step, 0.25);
  }
}

function strokes(
  context: Context, view: View, layout: Layout, from: number, to: number, step: number, strength: number,
): void {
  context.globalAlpha = strength;
  for (let tick = from + step; tick < to - 1; tick += step) {
    context.fillRect(Math.round(xOf(view, tick)), layout.ruler, 1, layout.notes + layout.lane);
  }
}

// Shapes of one colour. Many small ones are filled as rectangles, which is several times as fast as a path of them.
class Batch {
  private readonly path = new Path2D();
  private readonly boxes: number[] = [];

  constructor(readonly alpha: number, private readonly round: boolean) {}

  add(x: number, y: number, wide: number, tall: number): void {
    if (!this.round) this.boxes.push(Math.round(x), y, Math.max(1, Math.round(wide)), tall);
    else shape(this.path, x, y, wide, tall, true);
  }

  fill(context: Context): void {
    context.globalAlpha = this.alpha;
    if (this.round) context.fill(this.path);
    const { boxes } = this;
    for (let at = 0; at < boxes.length; at += 4) context.fillRect(boxes[at]!, boxes[at + 1]!, boxes[at + 2]!, boxes[at + 3]!);
  }
}

function notes(context: Context, scene: Scene): void {
  const { desk, view, layout } = scene;
  context.save();
  context.beginPath();
  context.rect(0, layout.ruler, view.width, layout.notes);
  context.clip();
  const order = [...desk.sheet.tracks.keys()].filter((track) => track !== desk.track);
  if (desk.sheet.tracks[desk.track]) order.push(desk.track);
  for (const track of order) if (!desk.stateOf(track).hidden) notesOf(context, scene, track);
  context.restore();
}

function notesOf(context: Context, { desk, view, layout, colours }: Scene, track: number): void {
  const all = desk.sheet.tracks[track]?.notes ?? [];
  const [first, after] = reach(all, tickAt(view, 0), tickAt(view, view.width));
  const round = view.perPitch >= 6 && after - first < rounded;
  const tall = Math.max(2, view.perPitch - 1);
  const [low, high] = [pitchAt(view, view.height), pitchAt(view, 0)];
  const active = track === desk.track;
  const strength = heard(desk.states, track) ? (active ? 1 : 0.7) : 0.18;
  const anyFresh = desk.sheet.fresh.size > 0;
  const chosen = active ? desk.chosen : null;
  const batches = new Map<number, Batch>();
  const fresh = new Path2D();
  const outlined = new Path2D();
  const covered = new Int32Array(128).fill(-1); // up to which pixel a row is drawn: more on it would not be seen
  for (let place = first; place < after; place++) {
    const note = all[place]!;
    const [onset, duration, pitch, velocity] = note;
    if (pitch < low || pitch > high) continue;
    const x = (onset - view.left) * view.perTick;
    const wide = Math.max(2, duration * view.perTick - 1);
    if (x + wide < 0) continue;
    const edge = Math.round(x + wide);
    const isChosen = chosen?.has(note) ?? false;
    if (!isChosen && edge <= covered[pitch]!) continue;
    covered[pitch] = edge;
    const y = layout.ruler + (view.top - pitch - 1) * view.perPitch + 0.5;
    const isFresh = anyFresh && desk.sheet.fresh.has(note);
    const faint = anyFresh && !isFresh ? 0.5 : 1;
    const step = velocity >> 4;
    const key = step * 2 + (faint < 1 ? 1 : 0);
    let batch = batches.get(key);
    if (!batch) batches.set(key, (batch = new Batch((0.4 + (step / 7) * 0.6) * faint * strength, round)));
    batch.add(x, y, wide, tall);
    if (isFresh) shape(fresh, x + 0.5, y + 0.5, wide - 1, tall - 1, round);
    if (isChosen) shape(outlined, x, y, wide, tall, round);
  }
  context.fillStyle = colours.tracks[track % colours.tracks.length]!;
  for (const batch of batches.values()) batch.fill(context);
  outline(context, fresh, colours.ink, view.perPitch < 6 ? 0.75 : 1.25, 0.85 * strength);
  if (!chosen?.size) return;
  context.globalAlpha = 1;
  context.fill(outlined);
  outline(context, outlined, colours.ink, 2, 1);
}

function outline(context: Context, path: Path2D, colour: string, width: number, alpha: number): void {
  context.globalAlpha = alpha;
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke(path);
}

function shape(path: Path2D, x: number, y: number, wide: number, tall: number, round: boolean): void {
  if (round && wide > 5) path.roundRect(x, y, wide, tall, Math.min(3, tall / 3));
  else path.rect(x, y, wide, tall);
}

function lane(context: Context, { desk, view, layout, colours }: Scene): void {
  const top = layout.ruler + layout.notes;
  const bottom = top + layout.lane;
  context.globalAlpha = 1;
  context.fillStyle = colours.line;
  context.fillRect(0, top, view.width, 1);
  if (desk.stateOf(desk.track).hidden) return;
  const all: readonly Note[] = desk.notes;
  const [first, after] = reach(all, tickAt(view, -4), tickAt(view, view.width));
  const others = new Batch(desk.chosen.size ? 0.4 : 0.85, false);
  const chosen = new Batch(1, false);
  const heads = after - first < rounded;
  let [column, highest] = [-1, 0];
  for (let place = first; place < after; place++) {
    const note = all[place]!;
    const x = Math.round(xOf(view, note[0]));
    if (x < -4) continue;
    const isChosen = desk.chosen.has(note);
    // of notes on one pixel the strongest stem covers the others
    if (!isChosen && !heads && x === column && note[3] <= highest) continue;
    [column, highest] = [x, x === column ? Math.max(highest, note[3]) : note[3]];
    const y = velocityTop(layout, note[3]);
    const into = isChosen ? chosen : others;
    into.add(x, y, heads ? 2 : 1, bottom - 3 - y);
    if (heads) into.add(x - 1, y - 2, 4, 4);
  }
  context.fillStyle = colours.tracks[desk.track % colours.tracks.length]!;
  others.fill(context);
  context.fillStyle = colours.ink;
  chosen.fill(context);
}

function ruler(context: Context, scene: Scene): void {
  const { view, layout, colours, desk } = scene;
  context.globalAlpha = 1;
  context.fillStyle = colours.paper;
  context.fillRect(0, 0, view.width, layout.ruler);
  if (desk.region) {
    const from = xOf(view, barStart(desk.sheet, desk.region.from));
    const to = xOf(view, barStart(desk.sheet, desk.region.to + 1));
    context.fillStyle = colours.accent;
    context.globalAlpha = colours.dark ? 0.45 : 0.28;
    context.fillRect(from, 0, to - from, layout.ruler);
  }
  context.globalAlpha = 1;
  context.fillStyle = colours.line;
  context.fillRect(0, layout.ruler - 1, view.width, 1);
  context.font = `12px ${scene.font}`;
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (const { bar, x } of barsInSight(scene, 40)) {
    context.fillStyle = colours.line;
    context.fillRect(x, 6, 1, layout.ruler - 6);
    context.fillStyle = colours.ink;
    context.fillText(String(bar), x + 5, layout.ruler / 2 + 1);
  }
}

function keys(context: Context, { view, layout, colours, desk, pressed, font }: Scene): void {
  const bottom = layout.ruler + layout.notes;
  context.save();
  context.beginPath();
  context.rect(0, layout.ruler, layout.keys, layout.notes);
  context.clip();
  context.globalAlpha = 1;
  context.fillStyle = colours.whiteKey;
  context.fillRect(0, layout.ruler, layout.keys, layout.notes);
  const length = Math.round(layout.keys * 0.6);
  context.font = `${Math.max(9, Math.min(11, view.perPitch + 1))}px ${font}`;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (let pitch = pitchAt(view, view.height); pitch <= pitchAt(view, 0); pitch++) {
    const y = layout.ruler + yOf(view, pitch);
    const black = isBlack(pitch);
    context.fillStyle = colours.blackKey;
    if (black) context.fillRect(0, y, length, view.perPitch);
    context.globalAlpha = 0.35;
    if (black) context.fillRect(length, Math.round(y + view.perPitch / 2), layout.keys - length, 1);
    else if (pitch % 12 === 0 || pitch % 12 === 5) context.fillRect(0, Math.round(y + view.perPitch), layout.keys, 1);
    context.globalAlpha = 1;
    if (pitch === pressed) {
      context.fillStyle = colours.tracks[desk.track % colours.tracks.length]!;
      context.fillRect(0, y, black ? length : layout.keys, view.perPitch);
    }
    if (pitch % 12 === 0) {
      context.fillStyle = "#3a3f47";
      context.fillText(`C${pitch / 12 - 1}`, layout.keys - 5, y + view.perPitch / 2 + 0.5);
    }
  }
  context.restore();
  context.globalAlpha = 1;
  context.fillStyle = colours.line;
  context.fillRect(layout.keys - 1, 0, 1, bottom + layout.lane);
  context.fillRect(0, layout.ruler - 1, layout.keys, 1);
}
