// The corpora that there are, one of which is looked at.
import type { Corpus } from "../api";
import { h } from "../dom";
import { when } from "../figures";
import { choosers, type Gathered } from "../gathering";
import { t } from "../texts";

export function corpusList(corpora: Corpus[], chosen: string, take: (gathered: Gathered) => void): HTMLElement {
  return h("nav", { class: "side", "aria-label": t("corpus.all") },
    h("ul", { class: "plain" }, corpora.map((corpus) => h("li", {},
      h("a", {
        class: "entry", id: `corpus-${corpus.id}`, href: `#/corpus?corpus=${encodeURIComponent(corpus.id)}`,
        "aria-current": corpus.id === chosen ? "true" : undefined,
      }, h("strong", {}, corpus.name), h("small", {}, about(corpus)))))),
    h("div", { class: "new" }, h("p", { class: "muted" }, t("corpus.new")), choosers(take, ["folder", "files"], true)));
}

function about(corpus: Corpus): string {
  const pieces = corpus.pieces === null ? t("corpus.files", { n: corpus.files }) : t("corpus.pieces", { n: corpus.pieces });
  return `${pieces} · ${when(corpus.made)}`;
}
