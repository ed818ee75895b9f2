// The doctor's verdict on a corpus in a few lines: what serves, what does not and why.
import type { CorpusFile, CorpusReport } from "../api";
import { h, type Child } from "../dom";
import { clock, count } from "../figures";
import { said, t, type Key } from "../texts";
import { uploadOf } from "../uploading";
import type { FileTable } from "./table";

const SHOWN = 4; // reasons that are shown without asking

export function summary(report: CorpusReport, table: FileTable): HTMLElement | null {
  if (report.list.length === 0) return uploadOf(report.id) ? null : h("p", { class: "empty" }, t("corpus.noFiles"));
  if (report.pieces === null) return null;
  const serving = report.list.filter((file) => file.verdict === "serves" && !file.left_out);
  const out = report.list.filter((file) => file.verdict === "left out" && !file.left_out);
  const notes = serving.reduce((sum, file) => sum + file.notes, 0);
  const seconds = serving.reduce((sum, file) => sum + file.seconds, 0);
  return h("section", { class: "summary", "aria-label": t("summary.label") },
    h("dl", { class: "counts" },
      number(report.pieces, "summary.serve", "good"),
      number(out.length, "summary.out", out.length > 0 ? "bad" : ""),
      report.left_out_by_hand > 0 && number(report.left_out_by_hand, "summary.byHand"),
      number(notes, "summary.notes"),
      h("div", {}, h("dd", {}, clock(seconds)), h("dt", {}, t("summary.length")))),
    splits(serving),
    reasons(out, table));
}

function number(n: number, key: Key, kind = ""): HTMLElement {
  return h("div", {}, h("dd", { class: kind }, count(n)), h("dt", {}, t(key, { n })));
}

function splits(files: CorpusFile[]): Child {
  const of = (split: string): number => files.filter((file) => file.split === split).length;
  const [train, valid, test] = [of("train"), of("valid"), of("test")];
  return train + valid + test > 0 && h("p", { class: "muted" }, t("summary.splits", { train, valid, test }));
}

/** The reasons, most frequent first; each shows its files in the table. */
function reasons(files: CorpusFile[], table: FileTable): Child {
  const grouped = new Map<string, number>();
  for (const { reason } of files) grouped.set(reason, (grouped.get(reason) ?? 0) + 1);
  const sorted = [...grouped].sort((a, b) => b[1] - a[1]);
  if (sorted.length === 0) return null;
  const items = sorted.map(([reason, n]) => h("li", {},
    h("span", { class: "times" }, `${count(n)} ×`), h("span", {}, said(reason))));
  return h("div", { class: "reasons" },
    h("div", { class: "row" }, h("h3", {}, t("summary.why")),
      h("button", { type: "button", class: "small", id: "show-left-out", onclick: () => table.showOnly("left out") },
        t("summary.show"))),
    h("ul", { class: "plain" }, items.slice(0, SHOWN)),
    items.length > SHOWN && h("details", {},
      h("summary", {}, t("more", { n: count(items.length - SHOWN) })), h("ul", { class: "plain" }, items.slice(SHOWN))));
}
