// What models and jobs are called, in Chinese; what a person has named in them stays as it is.
import type { Known } from "./matching";

export const models: readonly Known[] = [
  ["the model that comes along", "自带的模型"],
  ["{=model}, in fewer bits", "{=model}（压缩）"],
];

export const titles: readonly Known[] = [
  ...models,
  ["Looking at {corpus}", "检查 {corpus}"],
  ["Composing · {=model}", "作曲 · {=model}"],
  ["Continuing {piece} · {=model}", "续写 {piece} · {=model}"],
  ["Filling {piece} · {=model}", "填充 {piece} · {=model}"],
  ["Varying {piece} · {=model}", "变奏 {piece} · {=model}"],
  ["Accompanying {piece} · {=model}", "为 {piece} 伴奏 · {=model}"],
  ["Harmonising {piece} · {=model}", "为 {piece} 配和声 · {=model}"],
  ["From {first} to {second}", "从 {first} 到 {second}"],
  ["Hearing how {run} learnt", "听 {run} 如何学会"],
  ["Comparing systems on {corpus}", "在 {corpus} 上比较各系统"],
  ["{n} pieces beside {corpus}", "{n} 首乐曲与 {corpus} 对照"],
  ["{piece} beside {corpus}", "{piece} 与 {corpus} 对照"],
];
