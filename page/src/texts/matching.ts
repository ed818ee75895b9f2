// Finds what is said in English in a list of known sentences, and says it in the other language with the same values.
//
// A known sentence has holes for values: {n}, a single letter, is a number; {name} is any text, and is taken as it is;
// {=why} is itself said in the other language, as far as it is known. A text may be several sentences one after the
// other: it is cut, where sentences may end, so that most of it is known; what is not known stays as it is. Sentences are
// no regular expressions: what a hole could be is tried once at each place, whatever a text holds.

export type Known = readonly [english: string, other: string];
export type Translate = (text: string) => string;

interface Sentence {
  holes: string[];
  head: string; // what stands before the first hole
  follows: string[]; // and after each
  tail: string; // the last of these
  other: string;
  weight: number; // letters of the literals: the more of a text they are, the surer it is that this is the sentence
}

interface Said {
  text: string;
  weight: number;
  parts: number;
}

const HOLE = /\{(=?\w+)\}/;
const HOLES = new RegExp(HOLE, "g");
const NUMBER = /-?\d+(,\d{3})*(\.\d+)?(e[+-]?\d+)?%?/y;
const ENDS = /[.:;!?] (?! )/g; // where a sentence may end, and another begin
const MOST_ENDS = 12; // of a sentence: its values may hold some
const LONGEST = 4000; // letters of a text; none that is known is as long
const MOST_KEPT = 50_000; // answers

/** What says a text in the other language: `whole` are sentences and words without holes, `known` may have some. */
export function translator(whole: Record<string, string>, known: readonly Known[]): Translate {
  const words = new Map(Object.entries(whole));
  const sentences = new Map<string, Sentence[]>(); // by their first letter, "" for a hole; the surest first
  for (const [english, other] of known) {
    if (HOLE.test(english)) {
      const sentence = compiled(english, other);
      const first = sentence.head.slice(0, 1);
      sentences.set(first, [...(sentences.get(first) ?? []), sentence].sort((one, two) => two.weight - one.weight));
    } else words.set(english, other);
  }
  const kept = new Map<string, string>();

  const translate: Translate = (text) => {
    let answer = kept.get(text);
    if (answer === undefined) {
      answer = words.get(text) ?? (text.length > LONGEST ? text : pieced(text));
      if (kept.size >= MOST_KEPT) kept.clear();
      kept.set(text, answer);
    }
    return answer;
  };

  /** A text of several parts, from its last one to its first: of what begins with each, the best way to say it. */
  function pieced(text: string): string {
    const cuts = [...text.matchAll(ENDS)].map((end) => end.index + 1);
    const starts = [0, ...cuts.map((cut) => cut + 1)];
    const stops = [...cuts, text.length];
    const best: Said[] = [];
    for (let first = starts.length - 1; first >= 0; first -= 1) {
      best[first] = after(text.slice(starts[first], stops[first]), 0, best[first + 1]);
      for (let last = first; last < Math.min(starts.length, first + MOST_ENDS); last += 1) {
        const found = single(text.slice(starts[first], stops[last]));
        const whole = found && after(found.text, found.weight, best[last + 1]);
        if (whole && better(whole, best[first] as Said)) best[first] = whole;
      }
    }
    return best[0]?.text ?? text;
  }

  /** One sentence, where it is known. */
  function single(text: string): { text: string; weight: number } | null {
    const word = words.get(text);
    if (word !== undefined) return { text: word, weight: text.length };
    let found: { text: string; weight: number } | null = null;
    for (const first of [text.slice(0, 1), ""]) {
      for (const sentence of sentences.get(first) ?? []) {
        if (found && found.weight >= sentence.weight) break;
        const values = valuesOf(sentence, text);
        if (values) found = { text: filled(sentence, values), weight: sentence.weight };
      }
    }
    return found;
  }

  const filled = ({ other, holes }: Sentence, values: string[]): string => other.replace(HOLES, (_, hole: string) => {
    const value = values[holes.indexOf(hole)] ?? "";
    return hole.startsWith("=") ? translate(value) : value;
  });

  return translate;
}

function compiled(english: string, other: string): Sentence {
  const parts = english.split(HOLE); // literals and holes by turns
  const [head = "", ...follows] = parts.filter((_, place) => place % 2 === 0);
  const holes = parts.filter((_, place) => place % 2 === 1);
  return { holes, head, follows, tail: follows.at(-1) ?? "", other, weight: head.length + follows.join("").length };
}

/** A part and what follows it; Chinese has no space after its full stop. */
function after(text: string, weight: number, rest: Said | undefined): Said {
  if (!rest) return { text, weight, parts: 1 };
  const between = weight > 0 && /[。：；！？…]$/.test(text) ? "" : " ";
  return { text: text + between + rest.text, weight: weight + rest.weight, parts: 1 + rest.parts };
}

const better = (one: Said, other: Said): boolean =>
  one.weight > other.weight || (one.weight === other.weight && one.parts < other.parts);

/** What stands in the holes of a sentence, where a text is that sentence. */
function valuesOf({ holes, head, follows, tail }: Sentence, text: string): string[] | null {
  if (!text.startsWith(head) || !text.endsWith(tail)) return null;
  const values: string[] = [];
  const failed = new Set<number>(); // holes and the places at which they cannot begin
  const fits = (hole: number, place: number): boolean => {
    if (hole === holes.length) return place === text.length;
    const key = place * holes.length + hole;
    if (failed.has(key)) return false;
    const next = follows[hole] ?? "";
    for (const end of endsOf(text, place, holes[hole] ?? "", next, hole + 1 === holes.length)) {
      if (text.startsWith(next, end) && fits(hole + 1, end + next.length)) {
        values[hole] = text.slice(place, end);
        return true;
      }
    }
    failed.add(key);
    return false;
  };
  return fits(0, head.length) ? values : null;
}

/** Where a value that begins at a place may end, before what comes next. */
function* endsOf(text: string, place: number, hole: string, next: string, last: boolean): Generator<number> {
  if (hole.length === 1) {
    NUMBER.lastIndex = place;
    const number = NUMBER.exec(text)?.[0];
    if (number) yield place + number.length;
  } else if (last) {
    if (text.length - next.length > place) yield text.length - next.length;
  } else {
    for (let end = text.indexOf(next, place + 1); end > 0; end = text.indexOf(next, end + 1)) yield end;
  }
}
