import assert from "node:assert/strict";
import test from "node:test";
import { bundled } from "./bundled.mjs";

const { Clock, barAt, barStart, barsTo, placeOf, snap } = await bundled("ticks");

const timing = {
  quarter: 480,
  tempi: [[0, 120], [1920, 60], [3360, 240]],
  metres: [[0, 4, 4], [1920, 3, 4], [3360, 6, 8]],
  bars: [0, 1920, 3360, 4800],
};

test("a tick lies in a bar, and after the last bar they go on in its metre", () => {
  for (const [tick, bar] of [[0, 1], [1919, 1], [1920, 2], [3359, 2], [3360, 3], [4799, 3], [4800, 4], [6239, 4], [6240, 5]]) {
    assert.equal(barAt(timing, tick), bar, `tick ${tick}`);
  }
  for (let bar = 1; bar < 9; bar++) assert.equal(barAt(timing, barStart(timing, bar)), bar);
});

test("beats are of the metre", () => {
  assert.deepEqual(placeOf(timing, 720), { bar: 1, beat: 2.5 });
  assert.deepEqual(placeOf(timing, 1920 + 960), { bar: 2, beat: 3 });
  assert.deepEqual(placeOf(timing, 3360 + 240), { bar: 3, beat: 2 });
});

test("bars are added until a note has room, and only then", () => {
  assert.equal(barsTo(timing, 4800), timing.bars);
  assert.deepEqual(barsTo(timing, 4801), [0, 1920, 3360, 4800, 6240]);
  assert.deepEqual(barsTo({ ...timing, bars: [0] }, 1), [0, 1920]);
});

test("the grid begins anew at each bar and takes the nearest line", () => {
  assert.equal(snap(timing, "1/16", 65), 120);
  assert.equal(snap(timing, "1/16", 55), 0);
  assert.equal(snap(timing, "1/16", 119, "before"), 0);
  assert.equal(snap(timing, "1/16", 120, "before"), 120);
  assert.equal(snap(timing, "1/8 triplet", 330), 320);
  assert.equal(snap(timing, "off", 333.4), 333);
  assert.equal(snap(timing, "1/4", -70), 0);
  const odd = { ...timing, metres: [[0, 5, 16]], bars: [0, 600, 1200] };
  assert.equal(snap(odd, "1/4", 590), 600, "a bar line counts, also where the grid does not meet it");
  assert.equal(snap(odd, "1/4", 1000), 1080);
});

test("triplets stay whole ticks and do not drift", () => {
  const five = { ...timing, quarter: 100, metres: [[0, 4, 4]], bars: [0, 400] };
  assert.deepEqual([10, 33, 66, 100, 134].map((tick) => snap(five, "1/8 triplet", tick)), [0, 33, 67, 100, 133]);
});

test("seconds follow the tempi, there and back", () => {
  const clock = new Clock(timing);
  assert.equal(clock.secondsAt(1920), 2);
  assert.equal(clock.secondsAt(1920 + 480), 3);
  assert.equal(clock.secondsAt(3360 + 480), 5.25);
  for (const tick of [0, 7, 1919, 1920, 2500, 3360, 9999]) assert.ok(Math.abs(clock.tickAt(clock.secondsAt(tick)) - tick) < 1e-6);
  assert.equal(new Clock({ ...timing, tempi: [] }).secondsAt(960), 1, "120 where nothing is said");
});
