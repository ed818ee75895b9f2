import assert from "node:assert/strict";
import test from "node:test";
import { bundled } from "./bundled.mjs";
import { score } from "./scores.mjs";

const { Desk } = await bundled("roll/desk");
const { Keys } = await bundled("roll/keys");
const { History } = await bundled("roll/history");
const { fitted, hit, kept, pitchAt, scrolled, tickAt, withPitches, xOf, yOf, zoomedInPitch, zoomedInTime } = await bundled("roll/view");
const { english, inEnglish, noteName } = await bundled("roll/words");
const { sheetOf } = await bundled("roll/edits");

function seat(given = score([[0, 480, 60, 90], [480, 480, 64, 90], [960, 480, 67, 90]], [[0, 1920, 40, 90]])) {
  const said = [];
  const changes = [];
  const nothing = () => {};
  const desk = new Desk({
    score: (byHand) => byHand && changes.push(desk.score),
    selection: nothing, region: nothing, look: nothing, hear: nothing,
    say: (key, values) => said.push(inEnglish(key, values)),
    sayNote: (note) => said.push(noteName(inEnglish, desk.sheet, desk.track, note)),
  });
  desk.load(given, false);
  const keys = new Keys(desk, { zoom: nothing, show: nothing, sayCursor: nothing });
  const press = (combination) => {
    const parts = combination.split("+");
    const key = parts.pop() || "+";
    return keys.press({ key, control: parts.includes("Ctrl"), shift: parts.includes("Shift"), alt: parts.includes("Alt") });
  };
  return { desk, press, said, changes };
}

test("history goes back as far as it is to, and forgets what was undone at a new step", () => {
  const history = new History(0, 3);
  for (const state of [1, 2, 3, 4, 5]) history.push(state);
  assert.deepEqual([history.undo(), history.undo(), history.undo(), history.undo()], [true, true, true, false]);
  assert.equal(history.present, 2);
  assert.ok(history.redo());
  history.push(9);
  assert.equal(history.canRedo, false);
  assert.equal(history.undo() && history.present, 3);
});

test("Tab goes from note to note, says each, and lets go at the end", () => {
  const { press, said } = seat();
  assert.deepEqual([press("Tab"), press("Tab"), press("Tab"), press("Tab")], [true, true, true, false]);
  assert.deepEqual(said, ["C4, bar 1, beat 1, quarter", "E4, bar 1, beat 2, quarter", "G4, bar 1, beat 3, quarter"]);
  assert.equal(press("Shift+Tab"), true);
  press("Escape");
  assert.equal(press("Tab"), false, "after Escape Tab leaves");
});

test("arrows move what is selected by the grid and by semitones", () => {
  const { desk, press } = seat();
  press("Tab");
  for (const key of ["ArrowRight", "ArrowUp", "Shift+ArrowDown", "Shift+ArrowRight"]) press(key);
  assert.deepEqual([...desk.chosen], [[2040, 480, 49, 90]]);
  press("Ctrl+ArrowRight");
  press("Ctrl+ArrowLeft");
  press("Ctrl+ArrowLeft");
  assert.deepEqual([...desk.chosen], [[2040, 360, 49, 90]]);
});

test("everything can be undone and done again, and the listener is told", () => {
  const { desk, press, changes, said } = seat();
  const before = JSON.stringify(desk.score);
  press("Ctrl+a");
  press("ArrowUp");
  press("Delete");
  press("Enter");
  const after = JSON.stringify(desk.score);
  assert.equal(changes.length, 3);
  for (let step = 0; step < 3; step++) press("Ctrl+z");
  assert.equal(JSON.stringify(desk.score), before);
  assert.equal(desk.chosen.size, 3, "what was selected is so again");
  press("Ctrl+z");
  assert.equal(said.at(-1), "Nothing to undo");
  press("Ctrl+Shift+Z");
  press("Ctrl+y");
  press("Ctrl+y");
  assert.equal(JSON.stringify(desk.score), after);
});

test("an edit of one track leaves the others as they are", () => {
  const { desk, press } = seat();
  const other = desk.score.tracks[1];
  press("Ctrl+a");
  press("Delete");
  assert.equal(desk.score.tracks[1], other);
  assert.equal(desk.score.tracks[0].notes.length, 0);
});

test("what is copied comes in at the cursor, as often as one likes, and into another roll", () => {
  const { desk, press } = seat();
  press("Ctrl+a");
  press("Ctrl+c");
  press("End");
  press("Ctrl+v");
  press("Ctrl+v");
  assert.deepEqual(desk.notes.map((note) => note[0]), [0, 480, 960, 3840, 4320, 4800, 5280, 5760, 6240]);
  const other = seat({ ...score([]), quarter: 96 });
  other.press("Ctrl+v");
  assert.deepEqual(other.desk.notes.map((note) => [note[0], note[1]]), [[0, 96], [96, 96], [192, 96]]);
});

test("with nothing selected arrows move the cursor, and Enter writes there", () => {
  const { desk, press } = seat(score([]));
  for (const key of ["ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowUp", "Enter"]) press(key);
  assert.deepEqual(desk.notes, [[240, 120, 73, 90]]);
  for (const key of ["ArrowUp", "Enter", "ArrowRight", "Enter"]) press(key);
  assert.deepEqual(desk.notes.map((note) => [note[0], note[2]]), [[240, 73], [240, 74], [360, 74]]);
});

test("bars are selected by keys, and Escape lets go of them", () => {
  const { desk, press, said } = seat();
  press("b");
  press("End");
  press("Shift+B");
  assert.deepEqual(desk.region, { from: 1, to: 3 });
  assert.deepEqual(said, ["Bar 1 selected", "Bars 1 to 3 selected"]);
  press("Escape");
  assert.equal(desk.region, null);
});

test("an edit that is dropped leaves nothing behind", () => {
  const { desk, changes } = seat();
  const before = desk.score;
  desk.choose(desk.notes);
  const { chosen } = desk;
  desk.show({ sheet: sheetOf(score([])), chosen: new Set() });
  assert.equal(desk.notes.length, 0);
  desk.drop(chosen);
  assert.equal(desk.score, before);
  assert.deepEqual([changes.length, desk.canUndo, desk.chosen.size], [0, false, 3]);
});

test("a roll that is only to be read is not edited", () => {
  const { desk, press } = seat();
  desk.readOnly = true;
  const before = desk.score;
  for (const key of ["Ctrl+a", "ArrowUp", "Delete", "Enter", "Ctrl+x", "Ctrl+v", "Alt+ArrowUp"]) press(key);
  assert.equal(desk.score, before);
});

test("notes that are heard come in without a step of history", () => {
  const { desk } = seat({ ...score(), bars: [0] });
  desk.receive({ bar: 1, onset: 1.5, duration: 0.5, seconds: 1, pitch: 38, velocity: 80, program: -1, track: 1 });
  assert.deepEqual(desk.score.tracks.map((track) => [track.drums, track.notes]), [[true, []], [true, [[720, 240, 38, 80]]]]);
  assert.equal(desk.canUndo, false);
});

const view = { left: 1000, top: 90, perTick: 0.1, perPitch: 10, width: 800, height: 400 };
const bounds = { quarter: 480, end: 100000 };

test("pixels, ticks and pitches are one another's inverse", () => {
  assert.equal(tickAt(view, xOf(view, 3210)), 3210);
  for (let pitch = 52; pitch < 90; pitch++) {
    assert.equal(pitchAt(view, yOf(view, pitch) + 0.01), pitch);
    assert.equal(pitchAt(view, yOf(view, pitch) + 9.99), pitch);
  }
});

test("zooming keeps what is under the pointer, scrolling stays within the music", () => {
  const nearer = zoomedInTime(view, bounds, 2, 300);
  assert.ok(Math.abs(tickAt(nearer, 300) - tickAt(view, 300)) < 1e-6);
  const taller = zoomedInPitch(view, bounds, 1.5, 120);
  assert.ok(Math.abs(taller.top - 120 / taller.perPitch - (view.top - 12)) < 1e-6);
  assert.equal(scrolled(view, bounds, -99999, 0).left, 0);
  assert.equal(scrolled(view, bounds, 9e9, 0).left, bounds.end - 8000);
  assert.equal(scrolled(view, bounds, 0, -99999).top, 128);
  assert.equal(scrolled(view, bounds, 0, 99999).top, 40);
  const far = kept({ ...view, perTick: 0 }, bounds);
  assert.ok(far.perTick > 0 && far.left === 0);
});

test("all of the music fits", () => {
  const sheet = sheetOf(score([[0, 480, 30, 90], [3800, 400, 100, 90]]));
  const fit = fitted(view, sheet, "all");
  assert.ok(xOf(fit, 0) >= 0 && xOf(fit, 3840) <= 800.001);
  assert.ok(yOf(fit, 100) >= 0 && yOf(fit, 30) + fit.perPitch <= 400);
  for (const empty of [sheetOf(score()), sheetOf({ ...score(), bars: [] })]) {
    for (const number of Object.values(fitted(view, empty, "read"))) assert.ok(Number.isFinite(number));
  }
});

test("a pointer hits the note on top, and its edge", () => {
  const { notes } = sheetOf(score([[1000, 1000, 60, 90], [1500, 100, 60, 90], [1000, 1000, 62, 90]])).tracks[0];
  const y = yOf(view, 60) + 5;
  assert.deepEqual(hit(view, notes, 55, y), { note: [1500, 100, 60, 90], end: false });
  assert.deepEqual(hit(view, notes, 20, y), { note: [1000, 1000, 60, 90], end: false });
  assert.equal(hit(view, notes, 98, y).end, true);
  assert.equal(hit(view, notes, 110, y), null);
  assert.notEqual(hit(view, notes, 106, y, 6), null);
  assert.equal(hit(view, notes, 20, yOf(view, 61) + 5), null);
});

test("notes are named as one says them", () => {
  const sheet = sheetOf(score([]));
  const name = (note) => noteName(inEnglish, sheet, 0, note);
  assert.equal(name([2640, 450, 66, 90]), "F sharp 4, bar 2, beat 2.5, quarter");
  assert.equal(name([0, 720, 60, 90]), "C4, bar 1, beat 1, dotted quarter");
  assert.equal(name([0, 160, 60, 90]), "C4, bar 1, beat 1, eighth triplet");
  assert.equal(name([0, 600, 60, 90]), "C4, bar 1, beat 1, 1.25 quarters");
  for (const key of Object.keys(english)) assert.equal(typeof inEnglish(key), "string");
});

test("another version of the same music is seen whole in height, and in the same bars", () => {
  const view = { left: 960, top: 70, perTick: 0.1, perPitch: 10, width: 600, height: 300 };
  const low = sheetOf(score([[0, 480, 30, 90], [480, 480, 50, 90]]));
  const seen = withPitches(view, low);
  assert.equal(seen.left, view.left);
  for (const pitch of [30, 50]) assert.ok(yOf(seen, pitch) >= 0 && yOf(seen, pitch - 1) <= seen.height);
  assert.equal(withPitches(seen, low), seen, "what is in sight stays where it is");
});
