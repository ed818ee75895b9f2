// A score as a Standard MIDI File of type 1: tempi, metres, names, programs and notes. Leaves out everything that a
// score here does not hold, such as pedals and bends.

import type { Score, Track } from "./api";

const drumChannel = 9;
const others = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15];

// A channel for every track: drums on the tenth, the rest on a channel of their own while there are any. Where there
// are not, tracks of one program share; and beyond fifteen programs those of one family of instruments do.
export function channelsOf(tracks: readonly Pick<Track, "program" | "drums">[]): number[] {
  const groupings: ((track: Pick<Track, "program">, place: number) => number)[] = [
    (_, place) => place,
    (track) => track.program,
    (track) => track.program >> 3,
  ];
  const melodic = [...tracks.entries()].filter(([, track]) => !track.drums);
  for (const group of groupings) {
    const groups = [...new Set(melodic.map(([place, track]) => group(track, place)))];
    if (groups.length > others.length && group !== groupings.at(-1)) continue;
    return tracks.map((track, place) =>
      track.drums ? drumChannel : others[groups.indexOf(group(track, place)) % others.length]!,
    );
  }
  return [];
}

function number(value: number): number[] {
  const bytes = [value & 127];
  for (let rest = value >>> 7; rest; rest >>>= 7) bytes.unshift((rest & 127) | 128);
  return bytes;
}

interface Event {
  tick: number;
  order: number; // at one tick: ends of notes, then programs, then beginnings
  bytes: number[];
}

function trackBytes(events: Event[], end: number): number[] {
  const bytes: number[] = [];
  let last = 0;
  for (const event of events.sort((one, other) => one.tick - other.tick || one.order - other.order)) {
    const tick = Math.max(0, Math.round(event.tick));
    for (const byte of number(tick - last)) bytes.push(byte);
    for (const byte of event.bytes) bytes.push(byte);
    last = tick;
  }
  bytes.push(...number(Math.max(0, Math.round(end) - last)), 0xff, 0x2f, 0);
  return [0x4d, 0x54, 0x72, 0x6b, ...word(bytes.length, 4)].concat(bytes);
}

function word(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, place) => (value >>> (8 * (bytes - 1 - place))) & 255);
}

function meta(tick: number, kind: number, data: number[]): Event {
  return { tick, order: -1, bytes: [0xff, kind, ...number(data.length), ...data] };
}

export function toMidi(score: Score): Uint8Array<ArrayBuffer> {
  const end = score.bars.at(-1) ?? 0;
  const channels = channelsOf(score.tracks);
  const conductor: Event[] = [];
  for (const [tick, qpm] of score.tempi) {
    conductor.push(meta(tick, 0x51, word(Math.min(0xffffff, Math.round(60_000_000 / Math.max(1, qpm))), 3)));
  }
  for (const [tick, numerator, denominator] of score.metres) {
    conductor.push(meta(tick, 0x58, [numerator & 255, Math.round(Math.log2(denominator)), 24, 8]));
  }
  const chunks = [trackBytes(conductor, end)];
  for (const [place, track] of score.tracks.entries()) {
    const channel = channels[place]!;
    const events: Event[] = [{ tick: 0, order: 1, bytes: [0xc0 | channel, track.program & 127] }];
    if (track.name) events.push(meta(0, 3, [...new TextEncoder().encode(track.name)]));
    for (const [onset, duration, pitch, velocity] of track.notes) {
      events.push({ tick: onset, order: 2, bytes: [0x90 | channel, pitch, velocity] });
      events.push({ tick: onset + duration, order: 0, bytes: [0x80 | channel, pitch, 64] });
    }
    chunks.push(trackBytes(events, end));
  }
  const head = [0x4d, 0x54, 0x68, 0x64, ...word(6, 4), ...word(1, 2), ...word(chunks.length, 2), ...word(score.quarter, 2)];
  const file = new Uint8Array(chunks.reduce((bytes, chunk) => bytes + chunk.length, head.length));
  file.set(head);
  let at = head.length;
  for (const chunk of chunks) {
    file.set(chunk, at);
    at += chunk.length;
  }
  return file;
}
