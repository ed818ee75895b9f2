// Mouse, pen and fingers on a roll: tells by where and how a pointer goes down which drag begins, and takes the wheel
// and two fingers for scrolling and zooming. What a drag does is in drags.ts.

import type { At, Drag, Hand } from "./drags";
import * as drags from "./drags";
import { type Area, areaAt } from "./layout";
import { thumb } from "./overlay";
import { boundsOf, hit, zoomedInPitch, zoomedInTime } from "./view";

const doubleTime = 350; // milliseconds between two clicks that are one double click
const holdTime = 420; // and until a finger that stays draws a rubber band instead of scrolling
const lines = 36; // pixels of one line that a wheel turns

export interface Surface extends Hand {
  tool: "select" | "pencil";
  focus(): void;
  pointing(cursor: string): void;
}

export class Gestures {
  private drag: Drag | null = null;
  private pointer = -1;
  private began = { x: 0, y: 0, far: false };
  private fingers = new Map<number, { x: number; y: number }>();
  private lastDown = { time: 0, x: 0, y: 0 };
  private holding = 0;
  private readonly ended = new AbortController();

  constructor(private readonly element: HTMLElement, private readonly surface: Surface) {
    const on = <Kind extends keyof HTMLElementEventMap>(kind: Kind, hear: (event: HTMLElementEventMap[Kind]) => void) =>
      element.addEventListener(kind, hear, { signal: this.ended.signal, passive: false });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.moved(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", (event) => this.cancelled(event));
    on("wheel", (event) => this.wheel(event));
    on("contextmenu", (event) => event.preventDefault());
  }

  destroy(): void {
    clearTimeout(this.holding);
    this.ended.abort();
  }

  private at(event: MouseEvent): At {
    const box = this.element.getBoundingClientRect();
    const { layout } = this.surface;
    const top = event.clientY - box.top;
    return {
      x: event.clientX - box.left - layout.keys,
      y: top - layout.ruler,
      top,
      shift: event.shiftKey,
      free: event.altKey,
    };
  }

  private area(at: At): Area {
    return areaAt(this.surface.layout, at.x + this.surface.layout.keys, at.top);
  }

  private down(event: PointerEvent): void {
    this.surface.focus();
    if (event.pointerType === "touch") {
      this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (this.fingers.size === 2) this.cancel();
    }
    if (this.drag || this.fingers.size > 1) return;
    event.preventDefault();
    const at = this.at(event);
    const twice = event.timeStamp - this.lastDown.time < doubleTime &&
      Math.hypot(at.x - this.lastDown.x, at.top - this.lastDown.y) < 12;
    this.lastDown = { time: twice ? 0 : event.timeStamp, x: at.x, y: at.top };
    this.pointer = event.pointerId;
    this.began = { x: event.clientX, y: event.clientY, far: false };
    this.drag = this.begin(event, at, twice);
    if (this.drag) this.element.setPointerCapture(event.pointerId);
  }

  private begin(event: PointerEvent, at: At, twice: boolean): Drag | null {
    const { surface } = this;
    if (event.button === 1) return drags.panning(surface, at);
    if (event.button !== 0) return null;
    switch (this.area(at)) {
      case "ruler":
        if (twice) surface.desk.setRegion(null);
        if (twice) surface.desk.sayRegion();
        return twice ? null : drags.regioning(surface, at);
      case "keys": return drags.playing(surface, at);
      case "lane": return surface.desk.readOnly ? null : drags.strengthening(surface, at);
      case "scroll": return drags.thumbing(surface, at, thumb(surface));
      case "notes": return this.onNotes(event, at, twice);
      default: return null;
    }
  }

  private onNotes(event: PointerEvent, at: At, twice: boolean): Drag | null {
    const { surface } = this;
    const { desk } = surface;
    const touch = event.pointerType === "touch";
    const found = this.find(at, touch ? 6 : 0);
    if (!found) {
      if (twice || surface.tool === "pencil") return drags.adding(surface, at);
      if (!touch) return drags.banding(surface, at);
      this.holding = window.setTimeout(() => {
        if (!this.began.far && this.drag) this.drag = drags.banding(surface, at);
      }, holdTime);
      return drags.panning(surface, at);
    }
    const { note, end, track } = found;
    if (at.shift && track === desk.track) {
      const chosen = new Set(desk.chosen);
      if (!chosen.delete(note)) chosen.add(note);
      desk.choose(chosen, track);
      desk.sayChosen();
      if (!chosen.has(note)) return null;
    } else if (!desk.chosen.has(note)) {
      desk.choose([note], track);
      desk.told.hear(note);
    }
    if (desk.readOnly) {
      desk.sayChosen();
      return null;
    }
    return end ? drags.stretching(surface, note, at) : drags.moving(surface, note, at);
  }

  // A note of the track that is worked on comes before those of others.
  private find(at: At, slack: number) {
    const { desk, view } = this.surface;
    const others = [...desk.sheet.tracks.keys()].reverse().filter((track) => track !== desk.track);
    for (const track of [desk.track, ...others]) {
      if (desk.stateOf(track).hidden) continue;
      const found = hit(view, desk.sheet.tracks[track]?.notes ?? [], at.x, at.y, slack);
      if (found) return { ...found, track };
    }
    return null;
  }

  private moved(event: PointerEvent): void {
    const finger = this.fingers.get(event.pointerId);
    if (finger && this.fingers.size === 2) return this.pinch(event, finger);
    if (!this.drag) return this.hover(event);
    if (event.pointerId !== this.pointer) return;
    const far = event.pointerType === "touch" ? 9 : 3;
    if (Math.hypot(event.clientX - this.began.x, event.clientY - this.began.y) >= far) this.began.far = true;
    if (this.began.far) this.drag.move(this.at(event));
  }

  private up(event: PointerEvent): void {
    this.fingers.delete(event.pointerId);
    if (event.pointerId !== this.pointer) return;
    clearTimeout(this.holding);
    this.pointer = -1;
    const { drag } = this;
    this.drag = null;
    drag?.end(this.began.far, this.at(event));
  }

  private cancelled(event: PointerEvent): void {
    this.fingers.delete(event.pointerId);
    if (event.pointerId === this.pointer) this.cancel();
  }

  private cancel(): void {
    clearTimeout(this.holding);
    const { drag } = this;
    this.drag = null;
    this.pointer = -1;
    drag?.cancel?.();
  }

  private pinch(event: PointerEvent, finger: { x: number; y: number }): void {
    const { surface } = this;
    const [other] = [...this.fingers].filter(([id]) => id !== event.pointerId).map(([, each]) => each);
    if (!other) return;
    const box = this.element.getBoundingClientRect();
    const [wasWide, wasTall] = [Math.abs(finger.x - other.x), Math.abs(finger.y - other.y)];
    const [wide, tall] = [Math.abs(event.clientX - other.x), Math.abs(event.clientY - other.y)];
    const middle = (event.clientX + other.x) / 2 - box.left - surface.layout.keys;
    const height = (event.clientY + other.y) / 2 - box.top - surface.layout.ruler;
    const bounds = boundsOf(surface.desk.sheet);
    let { view } = surface;
    if (wasWide > 40 && wide > 40) view = zoomedInTime(view, bounds, wide / wasWide, middle);
    if (wasTall > 40 && tall > 40) view = zoomedInPitch(view, bounds, tall / wasTall, height);
    surface.view = view;
    surface.scroll((finger.x - event.clientX) / 2, (finger.y - event.clientY) / 2);
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  private hover(event: PointerEvent): void {
    const at = this.at(event);
    const { surface } = this;
    const area = this.area(at);
    if (area === "notes") {
      const found = this.find(at, 0);
      const edge = surface.desk.readOnly ? "pointer" : found?.end ? "ew-resize" : "move";
      surface.pointing(found ? edge : surface.tool === "pencil" ? "crosshair" : "default");
    } else surface.pointing(area === "lane" ? "ns-resize" : area === "ruler" || area === "keys" ? "pointer" : "default");
  }

  private wheel(event: WheelEvent): void {
    const { surface } = this;
    const unit = event.deltaMode === 1 ? lines : event.deltaMode === 2 ? surface.view.height : 1;
    const [across, down] = [event.deltaX * unit, event.deltaY * unit];
    const at = this.at(event);
    const bounds = boundsOf(surface.desk.sheet);
    const factor = Math.exp(-Math.max(-120, Math.min(120, down || across)) / 400);
    if (event.ctrlKey || event.metaKey) surface.view = zoomedInTime(surface.view, bounds, factor, at.x);
    else if (event.altKey) surface.view = zoomedInPitch(surface.view, bounds, factor, at.y);
    else {
      const area = this.area(at);
      const flat = event.shiftKey || (area !== "notes" && area !== "keys");
      const gone = flat && !across ? surface.scroll(down, 0) : surface.scroll(across, down);
      if (!gone) return; // the page scrolls on
    }
    event.preventDefault();
  }
}
