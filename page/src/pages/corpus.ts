// Corpora: music is dropped here, looked at by the doctor, sifted by hand, and handed to training.
import { api, type Corpus, type CorpusReport } from "../api";
import { ask } from "../asking";
import { corpusList } from "../corpus/list";
import { progressPanel } from "../corpus/progress";
import { statistics } from "../corpus/statistics";
import { summary } from "../corpus/summary";
import { FileTable } from "../corpus/table";
import { fill, h, write } from "../dom";
import { choosers, takeDrops, type Gathered } from "../gathering";
import { attempt, complain } from "../messages";
import { store } from "../store";
import { t } from "../texts";
import { send } from "../uploading";

const TOGETHER = 700; // milliseconds in which changes are looked at once

const address = (id: string): string => `#/corpus?corpus=${encodeURIComponent(id)}`;

export function page(root: HTMLElement, query: URLSearchParams): () => void {
  const wanted = query.get("corpus");
  const ends: (() => void)[] = [];
  const list = h("div", {});
  const view = h("div", { class: "view" });
  fill(root, h("h1", {}, t("route.corpus")), h("div", { class: "beside" }, list, view));

  const take = (into: Corpus | null) => (gathered: Gathered): void => {
    void send(gathered, into, (corpus) => {
      location.hash = address(corpus.id);
    });
  };
  ends.push(takeDrops(t("corpus.drop"), take(null), complain));

  let shown: string | null = null; // the corpus in the view; "" for none
  let endView = (): void => {};
  const draw = (): void => {
    const corpora = [...store.corpora.values()].sort((a, b) => b.made - a.made);
    const id = store.corpora.has(wanted ?? "") ? wanted : (corpora[0]?.id ?? "");
    fill(list, corpora.length > 0 && corpusList(corpora, id ?? "", take(null)));
    root.classList.toggle("nothing", corpora.length === 0);
    if (id === shown || !store.loaded) return;
    shown = id;
    endView();
    endView = () => {};
    const corpus = store.corpora.get(id ?? "");
    if (corpus) endView = corpusView(view, corpus, take(corpus));
    else fill(view, emptyState(take(null)));
  };
  ends.push(store.subscribe(["corpora"], draw), () => endView());
  draw();
  return () => ends.forEach((end) => end());
}

function emptyState(take: (gathered: Gathered) => void): HTMLElement {
  return h("section", { class: "welcome" },
    h("p", { class: "lead" }, t("corpus.welcome")),
    h("p", { class: "muted" }, t("corpus.formats")),
    choosers(take, ["folder", "files"]),
    h("p", { class: "muted" }, t("corpus.orCompose"), " ", h("a", { href: "#/compose" }, t("corpus.composeAtOnce"))));
}

function corpusView(view: HTMLElement, corpus: Corpus, take: (gathered: Gathered) => void): () => void {
  const id = corpus.id;
  const title = h("h2", {}, corpus.name);
  const progress = progressPanel(id);
  const facts = h("div", {});
  const table = new FileTable(id);
  const figures = h("div", {});
  const train = h("a", { class: "button primary", href: `#/train?corpus=${encodeURIComponent(id)}` }, t("corpus.train"));
  const look = h("button", { type: "button", onclick: () => void inspect(id) }, t("corpus.lookAgain"));
  fill(view,
    h("div", { class: "row head" }, title, h("div", { class: "row" },
      choosers(take, ["more"]), look,
      h("button", { type: "button", class: "danger", onclick: () => void forget(id) }, t("corpus.delete")), train)),
    progress.element, facts, table.element, figures);

  let report: CorpusReport | null = null;
  let asked = 0;
  const fetchReport = async (): Promise<void> => {
    const mine = ++asked;
    const found = await attempt(api.corpus(id));
    if (!found || mine !== asked) return;
    report = found;
    table.show(report);
    fill(facts, summary(report, table));
    const since = report.list.filter((file) => file.verdict === "serves" && file.left_out).length;
    fill(figures, report.statistics && statistics(report.statistics, since));
  };

  let known = "";
  const change = (): void => {
    const now = store.corpora.get(id);
    if (!now) return;
    write(title, now.name);
    const inspecting = store.jobsOf("inspect").some((job) => job.asked.corpus === id && job.state === "running");
    look.disabled = inspecting;
    train.hidden = !now.pieces;
    const state = JSON.stringify([now.files, now.left_out_by_hand, now.pieces, now.inspecting, inspecting]);
    if (state === known) return;
    known = state;
    timer ||= window.setTimeout(() => { // files may be coming by the dozen
      timer = 0;
      void fetchReport();
    }, report ? TOGETHER : 0);
  };
  let timer = 0;
  const unsubscribe = store.subscribe(["corpora", "jobs"], change);
  change();
  return () => {
    window.clearTimeout(timer);
    asked += 1;
    unsubscribe();
    progress.end();
  };
}

async function inspect(id: string): Promise<void> {
  const job = await attempt(api.start("inspect", { corpus: id }));
  if (job) store.takeJob(job);
}

async function forget(id: string): Promise<void> {
  const name = store.corpora.get(id)?.name ?? "";
  if (!(await ask(t("corpus.deleteSure", { name }), t("corpus.delete")))) return;
  if ((await attempt(api.forgetCorpus(id).then(() => true))) === undefined) return;
  store.remove("corpus", id);
  location.hash = "#/corpus";
}
