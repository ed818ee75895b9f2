import assert from "node:assert/strict";
import test from "node:test";
import { bundled } from "./bundled.mjs";
import { score } from "./scores.mjs";

const { Wishes, lacking, orderOf, wishesOf } = await bundled("compose/wishes");
const { grouped, siblings } = await bundled("compose/groups");
const { Drafts } = await bundled("compose/drafts");
const { Take, quantised } = await bundled("compose/take");
const { basisOf } = await bundled("compose/basis");
const { carried } = await bundled("compose/mixing");
const { boxOf, frameOf } = await bundled("compose/miniature");
const { INSTRUMENTS, DRUMS, nameForServer } = await bundled("compose/instruments");

const subject = (more = {}) => ({ piece: "abc", bars: 8, region: null, notes: [4, 0, 7], ...more });
const wished = ({ instruments = [], ...more } = {}) => {
  const wishes = Object.assign(new Wishes(), { seed: "5" }, more);
  wishes.instruments.push(...instruments);
  return wishes;
};

test("only what was said is sent", () => {
  const { kind, asked } = orderOf(wished(), "shipped", subject(), true);
  assert.equal(kind, "compose");
  assert.deepEqual(asked, { model: "shipped", seed: 5, n: 1, bars: 16 });
});

test("composing takes all wishes, and drums among the instruments", () => {
  const all = {
    length: "30", unit: "seconds", instruments: [40, 128], form: "AABA", varied: "0.2", metre: "3/4", tempo: "96", key: " G minor ",
    chords: "Gm Cm", density: "2,-", lowest: "C3", highest: "C6", polyphony: "1,4", temperature: "1.1", topP: "0.95", versions: "2", of: "8",
  };
  assert.deepEqual(orderOf(wished(all), "shipped", subject(), true).asked, {
    model: "shipped", seed: 5, n: 8, best: 2, seconds: 30, instruments: "violin,drums", form: "AABA", varied: 0.2, metre: "3/4", tempo: 96,
    key: "G minor", chords: "Gm Cm", density: "2,-", lowest: "C3", highest: "C6", polyphony: "1,4", temperature: 1.1, top_p: 0.95,
  });
});

test("who was chosen for one way plays in no other", () => {
  const wishes = wished({ instruments: [33] });
  assert.equal(orderOf(wishes, "shipped", subject(), true).asked.instruments, "fingered bass");
  wishes.mode = "accompany";
  assert.ok(!("instruments" in orderOf(wishes, "shipped", subject(), true).asked));
});

test("a model that knows no plan is asked for length and key alone; without a form nothing returns", () => {
  const all = { instruments: [0], chords: "C", form: "AB", key: "C" };
  assert.deepEqual(orderOf(wished(all), "abc", subject(), false).asked, { model: "abc", seed: 5, n: 1, bars: 16, key: "C" });
  assert.ok(!("varied" in orderOf(wished({ varied: "0.5" }), "abc", subject(), true).asked));
});

test("tracks are counted as the server does: those without notes are not", () => {
  const region = { from: 3, to: 4 };
  const { asked } = orderOf(wished({ mode: "fill", tracks: new Set([2, 1]) }), "shipped", subject({ region }), true);
  assert.deepEqual(asked, { model: "shipped", seed: 5, n: 1, piece: "abc", bars: { first: 3, last: 4 }, tracks: [2] });
  assert.equal(orderOf(wished({ mode: "harmonise", track: 2 }), "shipped", subject(), true).asked.track, 2);
});

test("each way of composing has its own order", () => {
  const order = (mode, more = {}) => orderOf(wished({ mode, ...more }), "shipped", subject(), true);
  assert.deepEqual(order("continue", { chords: "C", of: "4" }), {
    kind: "compose", asked: { model: "shipped", seed: 5, n: 4, best: 1, bars: 8, prompt: "abc", prompt_bars: 8 },
  });
  assert.deepEqual(order("vary", { share: "30", of: "4" }), { kind: "vary", asked: { model: "shipped", seed: 5, n: 1, piece: "abc", share: 0.3 } });
  assert.deepEqual(order("accompany", { instruments: [33] }).asked.instruments, "fingered bass");
  assert.deepEqual(order("interpolate", { other: "def", versions: "3" }), {
    kind: "interpolate", asked: { model: "shipped", seed: 5, first: "abc", second: "def", steps: 7 },
  });
  assert.ok(!wishesOf("continue", true).includes("chords"));
});

test("what is missing is said before anything is asked", () => {
  assert.equal(lacking(wished(), subject({ piece: "" })), null);
  const lack = (mode, change = {}, more = {}) => lacking(wished({ mode, ...more }), subject(change));
  assert.equal(lack("vary", { piece: "" }), "piece");
  assert.equal(lack("vary", { notes: [0] }), "notes");
  assert.equal(lack("fill"), "place");
  assert.equal(lack("fill", {}, { tracks: new Set([1]) }), "place"); // it has no notes
  assert.equal(lack("fill", { region: { from: 1, to: 1 } }), null);
  assert.equal(lack("harmonise", {}, { track: 1 }), "melody");
  assert.equal(lack("interpolate"), "other");
});

test("pieces of one job lie together, the newest group first", () => {
  const piece = (id, job, made) => ({ id, job, made, name: id });
  const all = [piece("a", null, 1), piece("b2", "job", 3), piece("b1", "job", 3), piece("c", null, 2)];
  assert.deepEqual(grouped(all).map((group) => group.pieces.map((each) => each.id)), [["b1", "b2"], ["c"], ["a"]]);
  assert.deepEqual(siblings(all, all[1]).map((each) => each.id), ["b1", "b2"]);
  assert.deepEqual(siblings(all, all[0]).map((each) => each.id), ["a"]);
});

class Storing {
  kept = new Map();
  constructor(room) { this.room = room; }
  get length() { return this.kept.size; }
  key(place) { return [...this.kept.keys()][place] ?? null; }
  getItem(key) { return this.kept.get(key) ?? null; }
  removeItem(key) { this.kept.delete(key); }
  setItem(key, value) {
    const others = [...this.kept].filter(([each]) => each !== key).reduce((sum, [, text]) => sum + text.length, 0);
    if (others + value.length > this.room) throw new Error("full");
    this.kept.set(key, value);
  }
}
const draft = (made, notes = 1) => ({ name: "x", bars: [0], fresh: [], made, tracks: [{ name: "", program: 0, drums: false, notes: Array(notes).fill([0, 1, 60, 90]) }] });

test("drafts are kept by piece; where there is no room the oldest goes", () => {
  const storing = new Storing(700);
  storing.setItem("something else", "x".repeat(50));
  const drafts = new Drafts(storing);
  assert.ok(drafts.put("new", draft(5, 8)));
  assert.ok(drafts.put("old", draft(1, 8)));
  assert.ok(drafts.put("third", draft(9, 16)));
  assert.equal(drafts.get("old"), null);
  assert.deepEqual(drafts.get("new"), draft(5, 8));
  assert.equal(drafts.put("huge", draft(10, 200)), false);
  assert.equal(storing.getItem("something else").length, 50);
  storing.kept.set("partimento.draft.broken", "{");
  assert.equal(drafts.get("broken"), null);
});

test("what is played becomes notes, at its end too, and lies on the grid", () => {
  const take = new Take();
  take.press(60, 80, 10);
  take.press(64, 90, 470);
  take.release(60, 250);
  take.release(72, 300); // was pressed before
  take.press(64, 70, 700); // was never released
  const notes = take.end(1000);
  assert.deepEqual(notes, [[10, 240, 60, 80], [470, 230, 64, 90], [700, 300, 64, 70]]);
  const timing = score([]);
  assert.deepEqual(quantised(timing, "1/16", notes), [[0, 240, 60, 80], [480, 240, 64, 90], [720, 360, 64, 70]]);
  assert.deepEqual(quantised(timing, "off", [[11.4, 2.2, 60, 80]]), [[11, 2, 60, 80]]);
  assert.equal(quantised(timing, "1/4", [[0, 5, 60, 80]])[0][1], 480);
});

test("a silenced track stays so when others come or go", () => {
  const track = () => ({ name: "", program: 0, drums: false, notes: [] });
  const [one, two, three] = [track(), track(), track()];
  const muted = { muted: true, solo: false, hidden: false };
  const states = [undefined, undefined, muted];
  assert.deepEqual(carried(states, [one, two, three], [one, three])[1], muted);
  assert.equal(carried(states, [one, two, three], [one, track(), three, track()])[2], muted);
  assert.equal(carried(states, [one, two, three], [track(), track(), track()])[2], muted);
});

test("instruments have the names that the server knows", () => {
  assert.equal(INSTRUMENTS.length, 128);
  assert.equal(DRUMS, 128);
  assert.deepEqual([INSTRUMENTS[0], INSTRUMENTS[40], INSTRUMENTS[127]], ["Acoustic Grand Piano", "Violin", "Gunshot"]);
  assert.deepEqual([nameForServer(33), nameForServer(DRUMS)], ["fingered bass", "drums"]);
});

test("while a job writes, what it writes anew is gone, and all else stays", () => {
  const piece = score([[0, 480, 60, 90], [1920, 480, 62, 90]], [], [[0, 480, 40, 90], [1920, 480, 42, 90]]);
  const left = (kind, asked) => basisOf({ kind, asked }, piece).tracks.map((track) => track.notes.map((note) => note[2]));
  assert.deepEqual(left("compose", {}), []);
  assert.deepEqual(left("compose", { prompt: "abc", prompt_bars: 1 }), [[60], [], [40]]);
  assert.deepEqual(left("fill", { bars: { first: 2, last: 2 } }), [[60], [], [40]]);
  assert.deepEqual(left("fill", { tracks: [2] }), [[60, 62], [], []]); // the second with notes
  assert.deepEqual(left("fill", { bars: { first: 1, last: 1 }, tracks: [1] }), [[62], [], [40, 42]]);
  assert.deepEqual(left("harmonise", { track: 2 }), [[40, 42]]);
  assert.deepEqual(left("vary", {}), [[60, 62], [], [40, 42]]);
});

test("versions side by side are drawn at one scale", () => {
  const [one, other] = [score([[0, 480, 60, 90]]), { ...score([[1920, 240, 84, 90]]), bars: [0, 1920, 3840, 5760] }];
  const frame = frameOf([one, other]);
  assert.deepEqual(frame, { quarters: 12, low: 60, high: 84 });
  const [low, high] = [boxOf(one.tracks[0].notes[0], 480, frame), boxOf(other.tracks[0].notes[0], 480, frame)];
  assert.deepEqual([low[0], high[0]], [0, 56]);
  assert.equal(low[2], 2 * high[2]);
  assert.ok(high[1] === 0 && low[1] > 40 && low[1] + low[3] <= 46.001);
  assert.deepEqual(frameOf([score([])]).quarters, 8);
});

test("pieces of a series lie alone", () => {
  const pieces = [1, 2].map((made) => ({ id: String(made), name: "", job: "run", made }));
  assert.equal(grouped(pieces).length, 1);
  assert.deepEqual(grouped(pieces, (job) => job === "run").map((group) => group.key), ["2", "1"]);
  assert.deepEqual(siblings(pieces, pieces[0], () => true), [pieces[0]]);
});
