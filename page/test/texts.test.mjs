import assert from "node:assert/strict";
import test from "node:test";
import { bundled } from "./bundled.mjs";

const kept = new Map([["partimento.language", "zh"]]);
globalThis.localStorage = { getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value) };

const { translator } = await bundled("texts/matching");
const { joined, modelNamed, said, settingNamed, speak, titled } = await bundled("texts");

const small = translator({ "It is empty.": "空的。", files: "个文件" }, [
  ["Leave it out.", "不用它。"],
  ["It repeats {name}, byte for byte.", "与 {name} 相同。"],
  ["It is the same music as {name}.", "同 {name}。"],
  ["It is the same music as {name}, {n} semitones higher.", "比 {name} 高 {n} 个半音。"],
  ["{n} of {m} are {name}.", "{m} 个中有 {n} 个 {name}。"],
  ["It fails ({=why}).", "失败（{=why}）。"],
  ["no room", "没有空间"],
]);

test("a sentence is matched whole", () => {
  assert.equal(small("It is empty."), "空的。");
  assert.equal(small("files"), "个文件");
  for (const other of ["It is empty", "Now It is empty.", "It is empty.x", "filesystem", "It repeats , byte for byte.", ""]) {
    assert.equal(small(other), other);
  }
});

test("values stand where they belong", () => {
  assert.equal(small("It repeats a.mid, byte for byte."), "与 a.mid 相同。");
  assert.equal(small("3 of 1,200 are good."), "1,200 个中有 3 个 good。");
  assert.equal(small("It is the same music as a.mid, 3 semitones higher."), "比 a.mid 高 3 个半音。");
  assert.equal(small("It is the same music as Bach, J. S.mid, 3 semitones higher."), "比 Bach, J. S.mid 高 3 个半音。");
  assert.equal(small("It is the same music as a, two semitones higher."), "同 a, two semitones higher。", "a single letter is a number");
});

test("what stands for {=why} is said as well", () => {
  assert.equal(small("It fails (no room)."), "失败（没有空间）。");
  assert.equal(small("It fails (nobody knows)."), "失败（nobody knows）。");
});

test("of several sentences each is said", () => {
  assert.equal(small("It is empty. Leave it out."), "空的。不用它。");
  assert.equal(small("It repeats Op. 3 No. 2. A.mid, byte for byte. Leave it out."), "与 Op. 3 No. 2. A.mid 相同。不用它。");
  assert.equal(small("It repeats It is empty. Leave it out., byte for byte."), "与 It is empty. Leave it out. 相同。");
});

test("what is not known stays as it is", () => {
  assert.equal(small("x.mid: It is empty. Who knows? Leave it out."), "x.mid: 空的。Who knows? 不用它。");
  assert.equal(small("Nobody. Knows:  this ! "), "Nobody. Knows:  this ! ");
  const long = "It is empty. ".repeat(1000);
  assert.equal(small(long), long);
});

test("names may hold anything", () => {
  for (const name of ["巴赫：前奏曲。", "a(b)[c]{d}*+?.^$|\\1 $& $1 {n} {name}", "constructor", "__proto__", "𝄞, byte", " ", "1.5e3%"]) {
    assert.equal(small(`It repeats ${name}, byte for byte.`), `与 ${name} 相同。`);
    assert.equal(small(`${name}: It is empty.`), `${name}: 空的。`);
    assert.equal(small(name), name);
  }
});

test("no text takes long", () => {
  const began = performance.now();
  for (const part of ["It is the same music as ", "a, 1 ", "1 of 1 are ", "I. ", ", byte for byte. It repeats ", "It fails ("]) {
    for (const [before, behind] of [["", ""], ["It is the same music as ", " semitones higher."], ["It fails (", ")."]]) {
      small(`${before}${part.repeat(3900 / part.length)}${behind}`);
    }
  }
  assert.ok(performance.now() - began < 2000);
});

test("the studio's own sentences, in Chinese and in English", () => {
  const sentence = "It is the same music as 茉莉花.mid, 1 semitone lower. Nothing needs to be done: one of them is enough.";
  speak("zh");
  assert.equal(said(sentence), "与 茉莉花.mid 是同一首音乐，只是低 1 个半音。无需处理：留一个就够了。");
  assert.equal(said("Windows trained on at once."), "同时训练的窗口数。");
  assert.equal(said("files"), "个文件");
  assert.equal(
    said("On test pieces never seen: 2.31 bits a note, 45.2% of tokens foretold (a Markov chain: 4.10 bits)."),
    "在从未见过的测试曲目上：每音符 2.31 比特，词元预测正确率 45.2%（马尔可夫链：4.10 比特）。");
  assert.equal(settingNamed("training.learning_rate"), "学习率");
  assert.equal(settingNamed("some.new_setting"), "New setting");
  assert.equal(titled("Filling 茉莉花 · the model that comes along"), "填充 茉莉花 · 自带的模型");
  assert.equal(modelNamed("training"), "training", "what a person named stays as it is");
  assert.equal(joined("一。", "", "二。"), "一。二。");
  speak("en");
  assert.equal(said(sentence), sentence);
  assert.equal(settingNamed("training.learning_rate"), "Learning rate");
  assert.equal(titled("Looking at x"), "Looking at x");
  assert.equal(joined("One.", false, "Two."), "One. Two.");
});
