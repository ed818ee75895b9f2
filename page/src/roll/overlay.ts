// Draws the moving layer of a roll: playhead, cursor, rubber band, the glow of notes that come in, the scroll bar.
// It is redrawn while music plays, so it holds little.

import type { Note } from "../api";
import { endOf } from "../ticks";
import type { Scene } from "./drawing";
import { type Bounds, boundsOf, tickAt, xOf, yOf } from "./view";

export interface Band {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Moving {
  playhead: number | null;
  focused: boolean; // by keys, so that where one is has to be seen
  band: Band | null; // counted as the view is
  glowing: Map<Note, { since: number; track: number }>;
  now: number; // milliseconds
}

export const glow = 1200; // milliseconds

export function drawMoving(context: CanvasRenderingContext2D, scene: Scene, moving: Moving): void {
  const { layout, view, colours, desk } = scene;
  context.clearRect(0, 0, layout.width, layout.height);
  context.save();
  context.translate(layout.keys, 0);
  context.beginPath();
  context.rect(0, 0, view.width, layout.height);
  context.clip();
  glowing(context, scene, moving);
  if (moving.focused && !desk.chosen.size && !desk.readOnly) {
    const { tick, pitch } = desk.cursor;
    context.globalAlpha = 1;
    context.strokeStyle = colours.accent;
    context.lineWidth = 2;
    context.setLineDash([4, 3]);
    context.strokeRect(xOf(view, tick), layout.ruler + yOf(view, pitch), Math.max(6, desk.step * view.perTick), view.perPitch);
    context.setLineDash([]);
  }
  if (moving.band) {
    const { x, y, width, height } = moving.band;
    context.fillStyle = context.strokeStyle = colours.accent;
    context.globalAlpha = 0.15;
    context.fillRect(x, y + layout.ruler, width, height);
    context.globalAlpha = 1;
    context.lineWidth = 1;
    context.strokeRect(x + 0.5, y + layout.ruler + 0.5, width, height);
  }
  if (moving.playhead !== null) {
    const x = Math.round(xOf(view, moving.playhead));
    context.globalAlpha = 1;
    context.fillStyle = colours.accent;
    context.fillRect(x - 1, layout.ruler - 8, 2, layout.notes + layout.lane + 8);
    context.beginPath();
    context.moveTo(x - 6, layout.ruler - 10);
    context.lineTo(x + 6, layout.ruler - 10);
    context.lineTo(x, layout.ruler - 1);
    context.fill();
  }
  scrollBar(context, scene);
  context.restore();
  if (!moving.focused) return;
  context.globalAlpha = 1;
  context.strokeStyle = colours.accent;
  context.lineWidth = 2;
  context.strokeRect(1, 1, layout.width - 2, layout.height - 2);
}

function glowing(context: CanvasRenderingContext2D, { layout, view, colours }: Scene, moving: Moving): void {
  for (const [note, { since, track }] of moving.glowing) {
    const left = 1 - (moving.now - since) / glow;
    if (left <= 0) {
      moving.glowing.delete(note);
      continue;
    }
    const x = xOf(view, note[0]);
    const y = layout.ruler + yOf(view, note[2]);
    const width = Math.max(3, note[1] * view.perTick);
    context.fillStyle = colours.tracks[track % colours.tracks.length]!;
    for (const [around, strength] of [[7, 0.16], [4, 0.25], [1, 0.5]] as const) {
      context.globalAlpha = strength * left;
      context.beginPath();
      context.roundRect(x - around, y - around, width + 2 * around, view.perPitch + 2 * around, around + 2);
      context.fill();
    }
    context.globalAlpha = left;
    context.strokeStyle = colours.ink;
    context.lineWidth = 1.5;
    context.strokeRect(x, y, width, view.perPitch);
  }
}

// Where the thumb of the scroll bar is, and which part of the music a pixel of it stands for.
export function thumb({ view, desk }: Pick<Scene, "view" | "desk">): { from: number; width: number; perPixel: number } {
  const bounds: Bounds = boundsOf(desk.sheet);
  const end = Math.max(bounds.end, tickAt(view, view.width));
  const perPixel = end / view.width;
  const width = Math.max(24, view.width / view.perTick / perPixel);
  return { from: Math.min(view.width - width, view.left / perPixel), width, perPixel };
}

function scrollBar(context: CanvasRenderingContext2D, scene: Scene): void {
  const { layout, view, colours, desk } = scene;
  const { from, width, perPixel } = thumb(scene);
  const top = layout.height - layout.scroll;
  context.fillStyle = colours.paper;
  context.globalAlpha = 1;
  context.fillRect(0, top, view.width, layout.scroll);
  context.fillStyle = colours.ink;
  context.globalAlpha = 0.08;
  context.fillRect(0, top + 2, endOf(desk.sheet) / perPixel, layout.scroll - 4);
  context.globalAlpha = 0.35;
  context.beginPath();
  context.roundRect(from, top + 2, width, layout.scroll - 4, 4);
  context.fill();
}
