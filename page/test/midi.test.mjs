import assert from "node:assert/strict";
import test from "node:test";
import { BasicMIDI } from "spessasynth_core";
import { bundled } from "./bundled.mjs";
import { score } from "./scores.mjs";

const { channelsOf, toMidi } = await bundled("midi");

const tracks = (programs) => programs.map((program) => ({ program: Math.max(0, program), drums: program < 0 }));

test("each track has a channel of its own while there are any; drums are on the tenth", () => {
  assert.deepEqual(channelsOf(tracks([0, -1, 0, 40])), [0, 9, 1, 2]);
  const fifteen = channelsOf(tracks(Array.from({ length: 15 }, () => 0)));
  assert.equal(new Set(fifteen).size, 15);
  assert.ok(!fifteen.includes(9));
});

test("where there are too many, tracks of one program share, then those of one family", () => {
  const shared = channelsOf(tracks(Array.from({ length: 30 }, (_, place) => place % 10)));
  assert.equal(shared[0], shared[10]);
  assert.equal(new Set(shared).size, 10);
  const families = channelsOf(tracks(Array.from({ length: 128 }, (_, place) => place)));
  assert.equal(families[0], families[7]);
  assert.ok(families.every((channel) => channel >= 0 && channel < 16 && channel !== 9));
});

test("another reader finds the music in the file", () => {
  const given = {
    ...score([[0, 480, 60, 90], [480, 240, 60, 91], [100000, 480, 72, 1]], [[0, 1920, 38, 127]]),
    tempi: [[0, 96.5], [1920, 120]],
    metres: [[0, 3, 4], [1440, 6, 8]],
    bars: [0, 1440, 2880],
  };
  given.tracks[1].drums = true;
  given.tracks[0].program = 73;
  given.tracks[0].name = "Flöte";
  const midi = BasicMIDI.fromArrayBuffer(toMidi(given).buffer);
  assert.equal(midi.format, 1);
  assert.equal(midi.timeDivision, 480);
  assert.equal(midi.tracks.length, 3);
  const plain = (track) => midi.tracks[track].events.map((event) => [event.ticks, event.statusByte, ...event.data]);
  const notes = (track) => plain(track).filter((event) => event[1] >= 0x80 && event[1] < 0xa0);
  assert.deepEqual(notes(1), [
    [0, 0x90, 60, 90], [480, 0x80, 60, 64], [480, 0x90, 60, 91], [720, 0x80, 60, 64],
    [100000, 0x90, 72, 1], [100480, 0x80, 72, 64],
  ]);
  assert.deepEqual(notes(2), [[0, 0x99, 38, 127], [1920, 0x89, 38, 64]]);
  assert.ok(plain(1).some((event) => event[1] === 0xc0 && event[2] === 73));
  const tempi = plain(0).filter((event) => event[1] === 0x51);
  const tempo = ([tick, , ...bytes]) => [tick, Math.round(6e8 / bytes.reduce((value, byte) => value * 256 + byte)) / 10];
  assert.deepEqual(tempi.map(tempo), [[0, 96.5], [1920, 120]]);
  assert.deepEqual(plain(0).filter((event) => event[1] === 0x58), [[0, 0x58, 3, 2, 24, 8], [1440, 0x58, 6, 3, 24, 8]]);
});

test("an empty score is a file too", () => {
  assert.equal(BasicMIDI.fromArrayBuffer(toMidi(score()).buffer).tracks.length, 1);
});
