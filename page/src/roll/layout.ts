// How a roll's space is shared out: keys at the left, the ruler above, the notes, velocities below, a bar to scroll
// with. In pixels from the roll's own left upper corner.

export interface Layout {
  width: number;
  height: number;
  keys: number; // width of the keyboard
  ruler: number; // height of the ruler
  notes: number; // height of the notes
  lane: number; // height of the velocities; 0 where there is no room
  scroll: number; // height of the bar to scroll with
}

export type Area = "corner" | "ruler" | "keys" | "notes" | "lane" | "scroll" | "beside";

export function laidOut(width: number, height: number): Layout {
  const keys = width < 520 ? 40 : 56;
  const ruler = 26;
  const scroll = 12;
  const lane = height < 260 ? 0 : height < 420 ? 52 : 76;
  return { width, height, keys, ruler, scroll, lane, notes: Math.max(20, height - ruler - lane - scroll) };
}

export function areaAt(layout: Layout, x: number, y: number): Area {
  const inKeys = x < layout.keys;
  if (y < layout.ruler) return inKeys ? "corner" : "ruler";
  if (y < layout.ruler + layout.notes) return inKeys ? "keys" : "notes";
  if (y < layout.ruler + layout.notes + layout.lane) return inKeys ? "beside" : "lane";
  return inKeys ? "beside" : "scroll";
}

// The velocity at a height of the lane, and back; both from the upper edge of the roll.
const room = 8;

export function velocityAt(layout: Layout, y: number): number {
  const bottom = layout.ruler + layout.notes + layout.lane - 3;
  return Math.max(1, Math.min(127, Math.round(((bottom - y) / (layout.lane - room - 3)) * 127)));
}

export function velocityTop(layout: Layout, velocity: number): number {
  return layout.ruler + layout.notes + layout.lane - 3 - (velocity / 127) * (layout.lane - room - 3);
}
