import assert from "node:assert/strict";
import test from "node:test";
import { bundled } from "./bundled.mjs";

const { Keyboard } = await bundled("keyboard");

function browser(requestMIDIAccess) {
  Object.defineProperty(globalThis, "navigator", { value: requestMIDIAccess ? { requestMIDIAccess } : {}, configurable: true });
}

test("a browser without Web MIDI is told of, and asking does no harm", async () => {
  browser(null);
  const keyboard = new Keyboard({ onNote() {} });
  assert.equal(keyboard.state, "missing");
  assert.equal(await keyboard.open(), "missing");
});

test("a refusal is told of, and one can ask again", async () => {
  let refuse = true;
  browser(async () => {
    if (refuse) throw new Error("no");
    return { inputs: new Map() };
  });
  const states = [];
  const keyboard = new Keyboard({ onNote() {}, onState: (state) => states.push(state) });
  assert.equal(await keyboard.open(), "denied");
  refuse = false;
  assert.equal(await keyboard.open(), "ready");
  assert.deepEqual(states, ["asking", "denied", "asking", "ready"]);
});

test("keys are heard, and those that are down when it goes are released", async () => {
  const input = { id: "1", name: "Piano" };
  const access = { inputs: new Map([["1", input]]) };
  browser(async () => access);
  const heard = [];
  const keyboard = new Keyboard({ onNote: (on, pitch, velocity) => heard.push([on, pitch, velocity]) });
  await keyboard.open();
  assert.deepEqual(keyboard.names, ["Piano"]);
  const send = (...data) => input.onmidimessage({ data: new Uint8Array(data), timeStamp: 5 });
  send(0x93, 60, 80);
  send(0x93, 60, 0);
  send(0x90, 64, 70);
  send(0xb0, 64, 127);
  send(0x80, 64, 10);
  send(0x90, 67, 90);
  access.inputs.clear();
  access.onstatechange();
  keyboard.close();
  assert.deepEqual(heard, [[true, 60, 80], [false, 60, 0], [true, 64, 70], [false, 64, 10], [true, 67, 90], [false, 67, 0]]);
  assert.equal(keyboard.state, "off");
});
