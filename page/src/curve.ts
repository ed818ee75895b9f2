// A training curve: the loss and the held-out loss against updates, drawn as lines, and the same as a table.
import { fill, h, svg } from "./dom";
import { count, figure } from "./figures";
import { t, type Key } from "./texts";

type Row = Record<string, number>;
interface Line {
  column: string;
  label: Key;
  points: { x: number; y: number }[];
}

const COLUMNS: [column: string, label: Key][] = [["loss", "curve.loss"], ["held-out loss", "curve.heldOut"]];
const HIGH = 190;
const ROOM = { left: 46, right: 12, top: 10, bottom: 26 };

let made = 0;

export class Curve {
  private readonly picture = h("div", { class: "curve-picture" });
  private readonly legend = h("div", { class: "legend" });
  private readonly numbers = h("div", { class: "scrolls" });
  private readonly details = h("details", {}, h("summary", {}, t("curve.table")), this.numbers);
  readonly element = h("div", { class: "curve", hidden: true }, this.legend, this.picture, this.details);
  private readonly id = `curve-${++made}`;
  private readonly watch = new ResizeObserver(() => this.draw());
  private rows: Row[] = [];

  constructor(private readonly label: string) {
    this.watch.observe(this.picture);
    this.details.addEventListener("toggle", () => this.list());
  }

  show(rows: Row[]): void {
    this.rows = rows;
    this.element.hidden = rows.length === 0;
    this.draw();
    this.list();
  }

  end(): void {
    this.watch.disconnect();
  }

  private draw(): void {
    const wide = this.picture.clientWidth;
    const lines = linesOf(this.rows);
    const points = lines.flatMap((line) => line.points);
    if (wide < 80 || points.length === 0) return;
    const most = Math.max(...points.map((point) => point.x), 1);
    const scale = steps(Math.min(...points.map((point) => point.y)), Math.max(...points.map((point) => point.y)));
    const [low, high] = [scale[0] ?? 0, scale.at(-1) ?? 1];
    const x = (update: number): number => ROOM.left + (update / most) * (wide - ROOM.left - ROOM.right);
    const y = (loss: number): number => HIGH - ROOM.bottom - ((loss - low) / (high - low)) * (HIGH - ROOM.top - ROOM.bottom);
    const best = bestOf(lines);
    fill(this.legend, lines.map((line) => h("span", { class: `key ${classOf(line)}` }, t(line.label))),
      best && h("span", { class: "muted" }, t("curve.best", { loss: figure(best.y), update: best.x })));
    fill(this.picture, svg("svg", {
      viewBox: `0 0 ${wide} ${HIGH}`, width: wide, height: HIGH, role: "img", "aria-labelledby": this.id,
    },
      svg("title", { id: this.id }, t("curve.title", { name: this.label, last: lines.map((line) =>
        `${t(line.label)} ${figure(line.points.at(-1)?.y ?? NaN)}`).join(", ") })),
      scale.map((value) => [
        svg("line", { class: "grid", x1: ROOM.left, x2: wide - ROOM.right, y1: y(value), y2: y(value) }),
        svg("text", { class: "tick", x: ROOM.left - 8, y: y(value) + 4, "text-anchor": "end" }, figure(value))]),
      steps(0, most).filter((value) => value <= most).map((value) =>
        svg("text", { class: "tick", x: x(value), y: HIGH - 8, "text-anchor": value === 0 ? "start" : "middle" }, count(value))),
      lines.map((line) => [
        svg("polyline", { class: `line ${classOf(line)}`, points: line.points.map((point) => `${x(point.x)},${y(point.y)}`).join(" ") }),
        line.points.length === 1 && svg("circle", { class: `dot ${classOf(line)}`, cx: x(line.points[0]!.x), cy: y(line.points[0]!.y), r: 3 })]),
      best && svg("circle", { class: "dot held-out", cx: x(best.x), cy: y(best.y), r: 4 })));
  }

  /** The table is made only while it is open: a long run has many rows. */
  private list(): void {
    if (!this.details.open) return fill(this.numbers);
    const lines = linesOf(this.rows);
    const columns = lines.map((line) => line.column);
    fill(this.numbers, h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("curve.update")),
        lines.map((line) => h("th", { scope: "col", class: "figure" }, t(line.label))))),
      h("tbody", {}, this.rows.map((row) => h("tr", {}, h("th", { scope: "row" }, count(row.update ?? 0)),
        columns.map((column) => h("td", { class: "figure" }, figure(row[column] ?? NaN))))))));
  }
}

const classOf = (line: Line): string => (line.column === "loss" ? "learnt" : "held-out");

function linesOf(rows: Row[]): Line[] {
  return COLUMNS.map(([column, label]) => ({
    column,
    label,
    points: rows.flatMap((row, place) => {
      const value = row[column];
      return value !== undefined && Number.isFinite(value) ? [{ x: row.update ?? place, y: value }] : [];
    }),
  })).filter((line) => line.points.length > 0);
}

function bestOf(lines: Line[]): { x: number; y: number } | undefined {
  const points = lines.find((line) => line.column === "held-out loss")?.points ?? [];
  return points.length > 1 ? points.reduce((best, point) => (point.y < best.y ? point : best)) : undefined;
}

/** Some round values that hold everything from `low` to `high`. */
function steps(low: number, high: number, about = 4): number[] {
  const rough = Math.max(high - low, Math.abs(high) * 1e-6, 1e-9) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough) ?? rough;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, place) => Number(((first + place) * step).toPrecision(12)));
}
