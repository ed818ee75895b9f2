// Every sentence of the page, in the language that the reader has chosen; what the server says, as far as it is known.
import { en } from "./texts/en";
import { zh } from "./texts/zh";
import { translator } from "./texts/matching";
import { refusals } from "./texts/refusals-zh";
import { said as words } from "./texts/said-zh";
import { sentences } from "./texts/sentences-zh";
import { help, labels } from "./texts/settings-zh";
import { models, titles } from "./texts/titles-zh";

export type Key = keyof typeof en;
export type Language = "en" | "zh";
type Values = Record<string, string | number>;

const KEPT = "partimento.language";
const texts: Record<Language, Record<Key, string>> = { en, zh };
const asked = () => ({
  said: translator({ ...words, ...help }, [...sentences, ...refusals]),
  title: translator({}, titles),
  model: translator({}, models),
});
let made: ReturnType<typeof asked> | null = null; // where nobody reads Chinese, nothing is compiled
const inChinese = (): ReturnType<typeof asked> => (made ??= asked());

let chosen: Language = first();
const hearers = new Set<() => void>();

function first(): Language {
  const kept = localStorage.getItem(KEPT);
  if (kept === "en" || kept === "zh") return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export const language = (): Language => chosen;
export const locale = (): string => (chosen === "zh" ? "zh-CN" : "en");

export function speak(other: Language): void {
  chosen = other;
  localStorage.setItem(KEPT, other);
  for (const hear of hearers) hear();
}

export function whenLanguageChanges(hear: () => void): () => void {
  hearers.add(hear);
  return () => hearers.delete(hear);
}

/** A sentence: {name} becomes a value, {name:file|files} one of two words as the value is 1 or not. */
export function t(key: Key, values: Values = {}): string {
  return texts[chosen][key].replace(/\{(\w+)(?::([^|}]*)\|([^}]*))?\}/g, (_, name: string, one?: string, more?: string) => {
    const value = values[name];
    if (one !== undefined && more !== undefined) return value === 1 || value === "1" ? one : more;
    return typeof value === "number" ? value.toLocaleString(locale()) : (value ?? "");
  });
}

/** A word of the server's, e.g. a state: as the texts have it under `family.word`, else as it is. */
export function named(family: string, word: string): string {
  const key = `${family}.${word}`;
  return key in en ? t(key as Key) : said(word);
}

/** What the server says in English, in the reader's language as far as it is known (`texts/matching`). */
export const said = (sentence: string): string => (chosen === "zh" ? inChinese().said(sentence) : sentence);

/** Sentences one after the other; nothing of those that are empty. */
export const joined = (...sentences: (string | false)[]): string => sentences.filter(Boolean).join(chosen === "zh" ? "" : " ");

/** What a job is called. */
export const titled = (label: string): string => (chosen === "zh" ? inChinese().title(label) : label);

/** What a model is called. */
export const modelNamed = (name: string): string => (chosen === "zh" ? inChinese().model(name) : name);

/** What a setting is called, e.g. "training.learning_rate": the last part of its name, as words. */
export function settingNamed(name: string): string {
  const label = chosen === "zh" ? labels[name] : undefined;
  const last = (name.split(".").at(-1) ?? name).replaceAll("_", " ");
  return label ?? last.charAt(0).toUpperCase() + last.slice(1);
}
