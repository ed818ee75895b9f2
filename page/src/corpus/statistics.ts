// What a corpus is like, as bars: its instruments, metres and keys, and how pitches, lengths and tempi are spread.
import { h, svg, type Child } from "../dom";
import { clock, count, figure } from "../figures";
import { t } from "../texts";

const SHOWN = 8; // bars of a list
const WIDE = 320;
const HIGH = 90;
const PITCHES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

type Found = Record<string, unknown>;

/** What was found at the last look; `since` pieces have been left out after it. */
export function statistics(found: Found, since: number): HTMLElement {
  return h("section", { class: "statistics", "aria-label": t("statistics") },
    h("h3", {}, t("statistics")),
    since > 0 && h("p", { class: "muted" }, t("statistics.since", { n: since })),
    h("div", { class: "figures" },
      list(t("statistics.instruments"), found.instruments),
      list(t("statistics.metres"), found.metres),
      list(t("statistics.keys"), found.keys),
      pitches(found.pitches),
      histogram(t("statistics.length"), found.seconds_a_piece, clock),
      histogram(t("statistics.notes"), found.notes_a_piece, figure),
      histogram(t("statistics.tempi"), found.tempi, figure),
      histogram(t("statistics.polyphony"), found.polyphony, figure)));
}

function isTable(value: unknown): value is Found {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function numbers(value: unknown): number[] {
  return Array.isArray(value) && value.every((one) => typeof one === "number") ? value : [];
}

/** A table of names and counts as bars, if it is one. */
function list(title: string, value: unknown): Child {
  if (!isTable(value)) return null;
  const counts = Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  const most = Math.max(...counts.map(([, n]) => n));
  if (counts.length === 0 || most <= 0) return null;
  const rest = counts.length - SHOWN;
  return h("figure", {}, h("figcaption", {}, title),
    h("table", { class: "bars" }, h("tbody", {}, counts.slice(0, SHOWN).map(([name, n]) => {
      const bar = h("span", { class: "bar", "aria-hidden": true });
      bar.style.width = `${Math.max(1, (100 * n) / most)}%`;
      return h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "track" }, bar), h("td", { class: "figure" }, count(n)));
    }))),
    rest > 0 && h("p", { class: "muted" }, t("more", { n: count(rest) })));
}

/** How many notes each pitch has. */
function pitches(value: unknown): Child {
  const counts = numbers(value);
  const heard = counts.flatMap((n, pitch) => (n > 0 ? [pitch] : []));
  const [low, high] = [heard[0], heard.at(-1)];
  if (low === undefined || high === undefined) return null;
  const name = (pitch: number): string => `${PITCHES[pitch % 12] ?? ""}${Math.floor(pitch / 12) - 1}`;
  return bars(t("statistics.pitches"), counts.slice(low, high + 1), name(low), name(high));
}

/** A spread as the doctor counts it: edges, and the pieces between them. */
function histogram(title: string, value: unknown, say: (edge: number) => string): Child {
  if (!isTable(value) || !isTable(value.histogram)) return null;
  const [edges, pieces] = [numbers(value.histogram.edges), numbers(value.histogram.pieces)];
  const [least, most] = [edges[0], edges.at(-1)];
  if (pieces.length === 0 || least === undefined || most === undefined) return null;
  const middle = isTable(value.spread) && typeof value.spread.median === "number"
    ? t("statistics.median", { value: say(value.spread.median) }) : "";
  return bars(title, pieces, say(least), say(most), middle);
}

function bars(title: string, counts: number[], from: string, to: string, middle = ""): HTMLElement {
  const most = Math.max(1, ...counts);
  const step = WIDE / counts.length;
  const gap = step > 4 ? 1 : 0;
  const label = [t("statistics.from", { title, from, to }), middle].filter(Boolean).join(", ");
  return h("figure", {}, h("figcaption", {}, title),
    svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label, class: "histogram", preserveAspectRatio: "none" },
      counts.map((n, place) => svg("rect", {
        x: place * step, width: step - gap, y: HIGH - (n / most) * HIGH, height: (n / most) * HIGH,
      }))),
    h("div", { class: "row ends", "aria-hidden": true }, h("span", {}, from), h("span", {}, middle), h("span", {}, to)));
}
