// Training: a new run, and the runs that there are.
import { fill, h } from "../dom";
import { store } from "../store";
import { t } from "../texts";
import { TrainForm } from "../train/form";
import { RunCard } from "../train/run";

export function page(root: HTMLElement, query: URLSearchParams): () => void {
  const form = new TrainForm(query.get("corpus"));
  const list = h("div", { class: "runs" });
  fill(root, h("h1", {}, t("route.train")), form.element,
    h("section", { "aria-labelledby": "runs" }, h("h2", { id: "runs" }, t("runs")), list));

  const cards = new Map<string, RunCard>();
  const drawRuns = (): void => {
    const jobs = store.jobsOf("train", "shrink").filter((job) => job.kind === "train" || !store.jobs.has(String(job.asked.model)));
    for (const [id, card] of cards) {
      if (!store.jobs.has(id)) {
        card.end();
        card.element.remove();
        cards.delete(id);
      }
    }
    if (jobs.length === 0) fill(list, h("p", { class: "empty" }, t(store.loaded ? "runs.none" : "loading")));
    else if (cards.size === 0) fill(list);
    jobs.forEach((job, place) => {
      let card = cards.get(job.id);
      if (!card) {
        card = new RunCard(job);
        cards.set(job.id, card);
        list.insertBefore(card.element, list.children[place] ?? null);
      }
      card.show(job);
    });
  };
  const ends = [
    store.subscribe(["jobs", "pieces", "models"], drawRuns),
    store.subscribe(["corpora", "models"], () => form.refresh()),
  ];
  drawRuns();
  return () => {
    ends.forEach((end) => end());
    cards.forEach((card) => card.end());
  };
}
