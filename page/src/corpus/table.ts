// The files of a corpus as a table: sorted, filtered, fifty at a time, each to be heard, looked at and left out.
import { api, type CorpusFile, type CorpusReport } from "../api";
import { fill, h, write, type Child } from "../dom";
import { clock, count } from "../figures";
import { listenButton } from "../listening";
import { look } from "../looking";
import { tell } from "../messages";
import { joined, said, t, type Key } from "../texts";
import { LeavingOut } from "./leaving";

type Column = "name" | "verdict" | "notes" | "seconds" | "bars" | "tempo" | "key" | "instruments";
type Shown = "all" | "serves" | "left out" | "unknown" | "by hand";

const COLUMNS: Column[] = ["name", "verdict", "notes", "seconds", "bars", "tempo", "key", "instruments"];
const NUMBERS = new Set<Column>(["notes", "seconds", "bars", "tempo"]);
const SHOWN: Shown[] = ["all", "serves", "left out", "unknown", "by hand"];
const AT_ONCE = 50;

export class FileTable {
  private files: CorpusFile[] = [];
  private column: Column = "name";
  private falling = false;
  private folder = ""; // in which all files are, which need not be said of each
  private place = 0; // of the first row that is shown
  private readonly leaving: LeavingOut;

  private readonly search = h("input", { type: "search", id: "search-files", placeholder: t("table.search"), "aria-label": t("table.search") });
  private readonly verdict = h("select", { id: "filter-files", "aria-label": t("table.show") },
    SHOWN.map((one) => h("option", { value: one }, t(`table.show.${one}` as Key))));
  private readonly bulk = h("div", { class: "row" });
  private readonly table = h("table", { class: "files" });
  private readonly foot = h("div", { class: "row pages" });
  private readonly found = h("span", { class: "muted", role: "status", "aria-live": "polite" });
  readonly element = h("section", { class: "files-section", "aria-label": t("table.label"), hidden: true },
    h("div", { class: "row tools" }, this.search, this.verdict, this.found, h("span", { class: "space" }), this.bulk),
    h("div", { class: "scrolls", tabindex: 0, role: "group", "aria-label": t("table.label") }, this.table),
    this.foot);

  constructor(private readonly corpus: string) {
    this.leaving = new LeavingOut(corpus, () => this.draw());
    const again = (): void => {
      this.place = 0;
      this.draw();
    };
    this.search.addEventListener("input", again);
    this.verdict.addEventListener("change", again);
  }

  show(report: CorpusReport): void {
    this.files = report.list;
    this.folder = commonFolder(report.list);
    this.leaving.take(report.list.filter((file) => file.left_out).map((file) => file.number));
    this.element.hidden = report.list.length === 0;
    this.draw();
  }

  showOnly(verdict: Shown): void {
    this.verdict.value = verdict;
    this.place = 0;
    this.draw();
    this.element.scrollIntoView({ block: "start" });
  }

  private wanted(): CorpusFile[] {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdict = this.verdict.value as Shown;
    const found = this.files.filter((file) => {
      const out = this.leaving.numbers.has(file.number);
      if (verdict === "by hand" ? !out : verdict !== "all" && (file.verdict !== verdict || (out && verdict === "serves"))) return false;
      if (words.length === 0) return true;
      const shown = [file.name, said(file.reason), file.key, ...file.instruments, ...file.repairs.map(said)];
      const text = shown.join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    });
    const { column } = this;
    const way = this.falling ? -1 : 1;
    const names = new Intl.Collator(undefined, { numeric: true });
    const value = (file: CorpusFile): string => (column === "instruments" ? file.instruments.join(", ") : String(file[column]));
    return found.sort((a, b) => way * (NUMBERS.has(column)
      ? (a[column] as number) - (b[column] as number)
      : names.compare(value(a), value(b))));
  }

  private draw(): void {
    const files = this.wanted();
    this.place = Math.min(this.place, Math.max(0, Math.floor((files.length - 1) / AT_ONCE) * AT_ONCE));
    const rows = files.slice(this.place, this.place + AT_ONCE);
    write(this.found, files.length === this.files.length ? t("table.files", { n: files.length })
      : t("table.found", { n: files.length, all: this.files.length }));
    fill(this.bulk, this.bulkButtons(files));
    fill(this.table, h("thead", {}, h("tr", {},
      h("th", { scope: "col" }, t("table.use")), h("th", { scope: "col" }, h("span", { class: "unseen" }, t("table.actions"))),
      COLUMNS.map((column) => this.head(column)))),
      h("tbody", {}, rows.length > 0 ? rows.map((file) => this.row(file))
        : h("tr", {}, h("td", { colspan: COLUMNS.length + 2, class: "empty" }, t("table.nothing")))));
    fill(this.foot, this.pageButtons(files.length));
  }

  private head(column: Column): HTMLElement {
    const sorted = this.column === column ? (this.falling ? "descending" : "ascending") : undefined;
    return h("th", { scope: "col", "aria-sort": sorted, class: kind(column) },
      h("button", {
        type: "button", id: `sort-${column}`, class: "quiet", onclick: () => {
          this.falling = this.column === column ? !this.falling : NUMBERS.has(column);
          this.column = column;
          this.place = 0;
          this.draw();
        },
      }, t(`table.${column}` as Key), h("span", { class: "arrow", "aria-hidden": true }, sorted ? (this.falling ? "↓" : "↑") : "")));
  }

  private row(file: CorpusFile): HTMLElement[] {
    const out = this.leaving.numbers.has(file.number);
    const refused = file.verdict === "left out" && !out;
    const known = file.notes > 0;
    const cell = (column: Column, text: string): HTMLElement => h("td", { class: kind(column) }, known ? text : "");
    const score = () => api.corpusPiece(this.corpus, file.number);
    const verdict = out ? t("table.byHand") : t(`table.show.${file.verdict}` as Key);
    const why = explained(file);
    const row = h("tr", { class: out || refused ? "out" : "" },
      h("td", {}, h("input", {
        type: "checkbox", id: `use-${file.number}`, checked: !out && !refused, disabled: refused,
        "aria-label": t("table.useFile", { name: file.name }),
        onchange: () => this.leave([file], !out),
      })),
      h("td", { class: "actions" }, known && [
        listenButton(`corpus-${this.corpus}-${file.number}`, file.name, score, true),
        h("button", {
          type: "button", class: "small look", id: `look-${file.number}`, title: t("look"),
          "aria-label": t("look.at", { name: file.name }), onclick: () => void look(file.name, score),
        })]),
      h("th", { scope: "row" }, breakable(file.name.slice(this.folder.length))),
      h("td", {}, h("span", { class: `verdict ${out ? "" : file.verdict === "serves" ? "good" : refused ? "bad" : ""}` }, verdict)),
      cell("notes", count(file.notes)), cell("seconds", clock(file.seconds)), cell("bars", count(file.bars)),
      cell("tempo", count(Math.round(file.tempo))), cell("key", file.key), cell("instruments", file.instruments.join(", ")));
    return why ? [row, h("tr", { class: "why" }, h("td", { colspan: 2 }), h("td", { colspan: COLUMNS.length }, why))] : [row];
  }

  private leave(files: CorpusFile[], out: boolean): void {
    this.leaving.put(files.map((file) => file.number), out);
    const [first] = files;
    const words = files.length === 1 && first
      ? t(out ? "leave.one" : "leave.oneBack", { name: first.name })
      : t(out ? "leave.many" : "leave.manyBack", { n: files.length });
    tell(words, { label: t("undo"), act: () => this.leaving.undo() });
  }

  private bulkButtons(files: CorpusFile[]): Child {
    const { numbers } = this.leaving;
    const used = files.filter((file) => !numbers.has(file.number) && file.verdict !== "left out");
    const out = files.filter((file) => numbers.has(file.number));
    const filtered = files.length < this.files.length;
    return [
      this.leaving.canUndo && h("button", { type: "button", class: "small", id: "undo", onclick: () => this.leaving.undo() }, t("undo")),
      filtered && used.length > 0 && h("button", { type: "button", class: "small", id: "leave-shown", onclick: () => this.leave(used, true) },
        t("leave.shown", { n: used.length })),
      out.length > 0 && h("button", { type: "button", class: "small", id: "use-shown", onclick: () => this.leave(out, false) },
        t("leave.use", { n: out.length }))];
  }

  private pageButtons(all: number): Child {
    if (all <= AT_ONCE) return null;
    const go = (place: number) => (): void => {
      this.place = place;
      this.draw();
      this.element.scrollIntoView({ block: "nearest" });
    };
    const last = Math.floor((all - 1) / AT_ONCE) * AT_ONCE;
    const button = (id: string, key: Key, place: number, off: boolean): HTMLElement =>
      h("button", { type: "button", class: "small", id, disabled: off, onclick: go(place) }, t(key));
    return [
      button("page-first", "page.first", 0, this.place === 0),
      button("page-before", "page.before", this.place - AT_ONCE, this.place === 0),
      h("span", { class: "muted" }, t("page.place", { from: this.place + 1, to: Math.min(all, this.place + AT_ONCE), all })),
      button("page-after", "page.after", this.place + AT_ONCE, this.place >= last),
      button("page-last", "page.last", last, this.place >= last)];
  }
}

/** How a column looks: figures stand to the right, and the less needed give way on a small screen. */
function kind(column: Column): string {
  return `${NUMBERS.has(column) ? "figure" : ""} ${column === "bars" || column === "tempo" ? "wide-only" : ""}`.trim();
}

function explained(file: CorpusFile): string {
  const mended = file.repairs.length > 0 ? t("table.mended", { repairs: file.repairs.map(said).join(t("table.and")) }) : "";
  return joined(said(file.reason), mended);
}

function commonFolder(files: CorpusFile[]): string {
  const folder = /^[^/]+\//.exec(files[0]?.name ?? "")?.[0] ?? "";
  return files.every((file) => file.name.startsWith(folder)) ? folder : "";
}

/** A path that may be broken after each of its folders. */
function breakable(path: string): Child {
  return path.split("/").flatMap((part, place, parts) => (place < parts.length - 1 ? [`${part}/`, h("wbr")] : [part]));
}
