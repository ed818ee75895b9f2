import assert from "node:assert/strict";
import test from "node:test";
import { bundled } from "./bundled.mjs";
import { chance, score } from "./scores.mjs";

const { Music, Transport } = await bundled("transport");

const near = (one, other) => assert.ok(Math.abs(one - other) < 1e-6, `${one} is not ${other}`);
const told = (due) => due.map(({ time, on, pitch }) => [Math.round(time * 1e4) / 1e4, on, pitch]);

function all(transport, until, step = 0.05, from = 0) {
  const due = [];
  for (let time = from; time < until; time += step) due.push(...transport.advance(time + 0.2));
  return due;
}

test("each note begins and ends once, at its time, however it is asked for", () => {
  const random = chance(5);
  const notes = Array.from({ length: 500 }, (_, place) => [place * 37, 1 + Math.floor(random() * 300), 20 + (place % 90), 90]);
  const given = { ...score(notes), tempi: [[0, 120], [4000, 77], [9000, 200]] };
  const music = new Music(given);
  for (const step of [0.011, 0.05, 0.7, 50]) {
    const due = all(new Transport(music, 0, 10), 60, step, 9);
    assert.equal(due.filter(({ on }) => on).length, 500);
    assert.equal(due.filter(({ on }) => !on).length, 500);
    const begins = due.filter(({ on }) => on);
    notes.forEach((note, place) => near(begins[place].time, 10 + music.clock.secondsAt(note[0])));
    for (let place = 1; place < due.length; place++) assert.ok(due[place].time >= due[place - 1].time - 1e-9);
  }
});

test("a note ends before the next on its pitch begins", () => {
  const due = all(new Transport(new Music(score([[0, 480, 60, 90], [480, 480, 60, 90]])), 0, 0), 3);
  assert.deepEqual(told(due), [[0, true, 60], [0.5, false, 60], [0.5, true, 60], [1, false, 60]]);
});

test("a loop goes round without a gap, and nothing sounds over its end", () => {
  const transport = new Transport(new Music(score([[0, 960, 60, 90], [480, 1000, 62, 90]])), 0, 0);
  transport.loop = { from: 480, to: 960 };
  const due = told(all(transport, 1.95));
  assert.deepEqual(due, [
    [0, true, 60], [0.5, true, 62],
    [1, false, 60], [1, false, 62], [1, true, 62],
    [1.5, false, 62], [1.5, true, 62], [2, false, 62], [2, true, 62],
  ]);
  near(transport.tickAt(0.25), 240);
  near(transport.tickAt(1.25), 720);
  near(transport.tickAt(1.75), 720);
});

test("the end comes once, after the last bar or note", () => {
  const transport = new Transport(new Music(score([[0, 480, 60, 90]])), 0, 0);
  all(transport, 3.7);
  assert.equal(transport.ended, false);
  all(transport, 4.2, 0.05, 3.7);
  assert.equal(transport.ended, true);
  assert.equal(transport.end, 3840);
});

test("another tempo counts from where the music has been handed out to", () => {
  const transport = new Transport(new Music(score([[0, 10, 60, 90], [960, 10, 62, 90]])), 0, 0);
  transport.advance(0.5);
  transport.rate = 0.5;
  const [next] = all(transport, 3, 0.05, 0.5).filter(({ on }) => on);
  near(next.time, 1.5);
  near(transport.tickAt(0.25), 240);
  near(transport.tickAt(1), 720);
});

test("an edit is heard in what comes next", () => {
  const transport = new Transport(new Music(score([[0, 960, 60, 90], [960, 480, 62, 90]])), 0, 0);
  transport.advance(0.5);
  transport.score = new Music(score([[960, 480, 70, 90]]));
  assert.deepEqual(told(all(transport, 2, 0.05, 0.5)), [[1, false, 60], [1, true, 70], [1.5, false, 70]]);
});

test("it can begin anywhere", () => {
  const transport = new Transport(new Music(score([[0, 3000, 60, 90], [960, 480, 62, 90]])), 960, 5);
  assert.deepEqual(told(all(transport, 7, 0.05, 4.9)), [[5, true, 62], [5.5, false, 62]]);
  near(transport.tickAt(4), 960);
});
