import assert from "node:assert/strict";
import test from "node:test";
import { bundled } from "./bundled.mjs";
import { chance, score } from "./scores.mjs";

const { add, edit, move, notesIn, receive, remove, scoreOf, sheetOf, strengthen, stretch } = await bundled("roll/edits");

function sound(notes) {
  const ends = new Map();
  let last = -1;
  for (const [onset, duration, pitch, velocity] of notes) {
    assert.ok(Number.isInteger(onset) && onset >= 0 && onset >= last);
    assert.ok(Number.isInteger(duration) && duration >= 1);
    assert.ok(Number.isInteger(pitch) && pitch >= 0 && pitch <= 127);
    assert.ok(Number.isInteger(velocity) && velocity >= 1 && velocity <= 127);
    assert.ok(onset >= (ends.get(pitch) ?? 0), `overlap at ${onset} on ${pitch}`);
    ends.set(pitch, onset + duration);
    last = onset;
  }
}

test("what an edit does not touch is shared, and nothing is changed in place", () => {
  const sheet = sheetOf(score([[0, 480, 60, 90], [480, 480, 62, 90]], [[0, 480, 40, 90]]));
  const before = JSON.stringify(scoreOf(sheet));
  const [note, other] = sheet.tracks[0].notes;
  const moved = move(sheet, 0, new Set([note]), 120, 1);
  assert.equal(moved.sheet.tracks[1], sheet.tracks[1]);
  assert.ok(moved.sheet.tracks[0].notes.includes(other));
  assert.deepEqual([...moved.chosen], [[120, 480, 61, 90]]);
  assert.equal(JSON.stringify(scoreOf(sheet)), before);
});

test("an earlier note ends where one of its pitch begins", () => {
  const sheet = sheetOf(score([[0, 960, 60, 90]]));
  assert.deepEqual(add(sheet, 0, [[480, 480, 60, 80]]).sheet.tracks[0].notes, [[0, 480, 60, 90], [480, 480, 60, 80]]);
  const late = add(sheetOf(score([[480, 480, 60, 90]])), 0, [[0, 960, 60, 80]]);
  assert.deepEqual(late.sheet.tracks[0].notes, [[0, 480, 60, 80], [480, 480, 60, 90]]);
  assert.deepEqual([...late.chosen], [[0, 480, 60, 80]], "what was added is selected as it came out");
});

test("of two that begin together the edited one stays", () => {
  const sheet = sheetOf(score([[0, 960, 60, 90], [960, 480, 62, 70]]));
  const moved = move(sheet, 0, new Set([sheet.tracks[0].notes[1]]), -960, -2);
  assert.deepEqual(moved.sheet.tracks[0].notes, [[0, 480, 60, 70]]);
});

test("a block of notes keeps its shape at the borders", () => {
  const sheet = sheetOf(score([[100, 480, 2, 90], [580, 480, 120, 90]]));
  const all = new Set(sheet.tracks[0].notes);
  assert.deepEqual(move(sheet, 0, all, -5000, -12).sheet.tracks[0].notes, [[0, 480, 0, 90], [480, 480, 118, 90]]);
  assert.deepEqual(move(sheet, 0, all, 0, 12).sheet.tracks[0].notes, [[100, 480, 9, 90], [580, 480, 127, 90]]);
  assert.equal(move(sheet, 0, all, 0, 0).sheet, sheet);
});

test("lengths and velocities stay valid", () => {
  const sheet = sheetOf(score([[0, 480, 60, 90], [0, 30, 64, 90]]));
  const all = new Set(sheet.tracks[0].notes);
  assert.deepEqual(stretch(sheet, 0, all, -9999, 120).sheet.tracks[0].notes.map((note) => note[1]), [120, 30]);
  assert.deepEqual(strengthen(sheet, 0, all, () => 900).sheet.tracks[0].notes.map((note) => note[3]), [127, 127]);
  assert.deepEqual(strengthen(sheet, 0, all, () => -3).sheet.tracks[0].notes.map((note) => note[3]), [1, 1]);
});

test("fresh notes are known by themselves, not by their places", () => {
  const given = { ...score([[0, 480, 60, 90], [480, 480, 62, 90], [960, 480, 64, 90]]), fresh: [[0, 1], [0, 2]] };
  const sheet = sheetOf(given);
  assert.deepEqual(scoreOf(sheet).fresh, [[0, 1], [0, 2]]);
  const first = sheet.tracks[0].notes[0];
  assert.deepEqual(scoreOf(remove(sheet, 0, new Set([first])).sheet).fresh, [[0, 0], [0, 1]]);
  const moved = move(sheet, 0, new Set([sheet.tracks[0].notes[1]]), 1920, 0);
  assert.deepEqual(scoreOf(moved.sheet).fresh, [[0, 1], [0, 2]], "a fresh note that moves stays fresh");
  const shortened = add(sheet, 0, [[600, 100, 62, 90]]).sheet;
  assert.deepEqual(scoreOf(shortened).fresh, [[0, 1], [0, 3]], "and one that is shortened");
  assert.deepEqual(scoreOf(add(sheet, 0, [[480, 10, 62, 90]]).sheet).fresh, [[0, 2]], "but not one that is replaced");
});

test("unsorted files are put in order and their fresh notes with them", () => {
  const sheet = sheetOf({ ...score([[960, 480, 64, 90], [0, 480, 60, 90]]), fresh: [[0, 0]] });
  assert.deepEqual(scoreOf(sheet).fresh, [[0, 1]]);
});

test("bars grow with the music", () => {
  const sheet = sheetOf(score([]));
  assert.deepEqual(add(sheet, 0, [[5000, 480, 60, 90]]).sheet.bars, [0, 1920, 3840, 5760]);
});

test("a note from elsewhere makes the tracks that it needs", () => {
  const sheet = sheetOf({ ...score(), bars: [0] });
  const found = receive(sheet, 2, { name: "", program: 33, drums: false }, [100, 50, 40, 80]);
  assert.deepEqual(found.tracks.map((track) => track.notes.length), [0, 0, 1]);
  assert.deepEqual(receive(found, 2, { name: "", program: 33, drums: false }, [50, 50, 40, 80]).tracks[2].notes[0][0], 50);
  assert.deepEqual(found.bars, [0, 1920]);
});

test("whatever is done, notes stay valid and never overlap", () => {
  const random = chance(7);
  const whole = (most) => Math.floor(random() * most);
  let sheet = sheetOf(score(Array.from({ length: 200 }, () => [whole(4000), 1 + whole(900), 55 + whole(12), 1 + whole(127)])));
  for (let step = 0; step < 400; step++) {
    const chosen = new Set(sheet.tracks[0].notes.filter(() => random() < 0.1));
    const kind = whole(5);
    const edited =
      kind === 0 ? move(sheet, 0, chosen, whole(2000) - 1000, whole(40) - 20)
      : kind === 1 ? stretch(sheet, 0, chosen, whole(2000) - 1000)
      : kind === 2 ? add(sheet, 0, [[whole(6000) - 500, whole(800), whole(140) - 5, whole(140)]])
      : kind === 3 ? strengthen(sheet, 0, chosen, (note) => note[3] + whole(60) - 30)
      : remove(sheet, 0, new Set([...chosen].slice(0, 2)));
    if (edited.sheet === sheet) continue;
    sheet = edited.sheet;
    sound(sheet.tracks[0].notes);
    const there = new Set(sheet.tracks[0].notes);
    for (const note of edited.chosen) assert.ok(there.has(note), "what is selected is in the track");
  }
});

test("the notes within a box are found, long ones too", () => {
  const sheet = sheetOf(score([[0, 9000, 40, 90], [100, 50, 60, 90], [5000, 100, 60, 90], [5000, 100, 90, 90]]));
  const { notes } = sheet.tracks[0];
  assert.deepEqual(notesIn(notes, 4900, 5050, 30, 70), [notes[0], notes[2]]);
  assert.deepEqual(notesIn(notes, 151, 4999, 50, 70), []);
  const random = chance(3);
  const many = sheetOf(score(Array.from({ length: 3000 }, () => [Math.floor(random() * 1e5), 1 + Math.floor(random() * 3000), Math.floor(random() * 128), 64])));
  const all = many.tracks[0].notes;
  for (let from = 0; from < 1e5; from += 7919) {
    const slow = all.filter((note) => note[0] <= from + 500 && note[0] + note[1] > from && note[2] >= 50 && note[2] <= 80);
    assert.deepEqual(notesIn(all, from, from + 500, 50, 80), slow);
  }
});

test("an edit of a track that is not there does nothing", () => {
  const sheet = sheetOf(score());
  assert.equal(edit(sheet, 3, new Set(), (note) => note, [[0, 1, 60, 90]]).sheet, sheet);
});
