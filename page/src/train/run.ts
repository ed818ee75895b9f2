// One run of training: how far it is, how it learns, what it sounds like on the way, and what can be done with it.
import { api, type Job } from "../api";
import { ask } from "../asking";
import { Curve } from "../curve";
import { fill, h, write, type Child } from "../dom";
import { figure, when } from "../figures";
import { listenButton } from "../listening";
import { attempt } from "../messages";
import { active, ProgressLine } from "../progress";
import { store } from "../store";
import { joined, modelNamed, named, said, t } from "../texts";

const AT_MOST_EVERY = 1000; // milliseconds between two looks at the curve

export class RunCard {
  private readonly title = h("h3", {});
  private readonly state = h("span", { class: "badge" });
  private readonly about = h("p", { class: "muted" });
  private readonly buttons = h("div", { class: "row" });
  private readonly facts = h("dl", { class: "facts" });
  private readonly remarks = h("ul", { class: "remarks" });
  private readonly samples = h("div", { class: "samples" });
  private readonly smaller = h("div", { class: "samples" });
  private readonly line: ProgressLine;
  private readonly curve: Curve;
  readonly element: HTMLElement;
  private drawn = { buttons: "", remarks: -1, samples: "", smaller: "" };
  private latest = ""; // how far the run is, and was when its curve was fetched last
  private curveKnown = "";
  private timer = 0;
  private looked = 0;

  constructor(job: Job) {
    this.line = new ProgressLine(job);
    this.curve = new Curve(job.label);
    this.element = h("article", { class: "panel run", id: `run-${job.id}` },
      h("div", { class: "row head" }, h("div", { class: "row title" }, this.title, this.state), this.buttons),
      this.about, this.line.element,
      h("div", { class: "run-body" }, this.curve.element, h("div", { class: "stack" }, this.facts, this.remarks)),
      this.samples, this.smaller);
  }

  show(job: Job): void {
    write(this.title, job.label);
    write(this.state, named("state", job.state));
    this.state.className = `badge ${{ done: "good", failed: "bad" }[job.state as string] ?? ""}`;
    write(this.about, aboutOf(job));
    this.line.show(job);
    this.line.element.hidden = job.state === "done";
    this.showFacts(job);
    this.showButtons(job);
    if (job.remarks.length !== this.drawn.remarks) {
      this.drawn.remarks = job.remarks.length;
      fill(this.remarks, job.remarks.map((remark) => h("li", {}, said(remark))));
    }
    this.showSamples(job);
    this.showSmaller(job);
    this.lookAtCurve(job);
  }

  end(): void {
    window.clearTimeout(this.timer);
    this.curve.end();
  }

  private showFacts(job: Job): void {
    const facts = Object.entries(job.progress?.facts ?? {});
    fill(this.facts, facts.map(([name, value]) => h("div", {}, h("dt", {}, named("fact", name)), h("dd", {}, figure(value)))));
  }

  private showButtons(job: Job): void {
    const can = store.models.find((one) => one.id === job.model)?.modes;
    const now = `${job.state} ${job.ending} ${job.model} ${can?.shrink}`;
    if (now === this.drawn.buttons) return;
    this.drawn.buttons = now;
    const button = (word: "pause" | "resume" | "stop" | "again", call: (id: string) => Promise<Job>): HTMLElement =>
      h("button", { type: "button", id: `${word}-${job.id}`, onclick: () => void this.act(call(job.id)) }, t(word));
    const over = !active(job);
    fill(this.buttons,
      job.state === "running" && button("pause", api.pause),
      (job.state === "paused" || job.state === "stopped") && button("resume", api.resume),
      job.state === "failed" && button("again", api.resume),
      !over && button("stop", api.stop),
      over && job.state !== "failed" && !hearings(job).length && h("button", {
        type: "button", id: `hear-${job.id}`, onclick: () => void this.act(api.start("audition", { run: job.id })),
      }, t("run.hear")),
      can?.shrink === "" && h("button", {
        type: "button", id: `shrink-${job.id}`, title: t("run.shrinkHelp"),
        onclick: () => void this.act(api.start("shrink", { model: job.id })),
      }, t("run.shrink")),
      over && !job.ending && h("button", { type: "button", class: "danger", id: `delete-${job.id}`, onclick: () => void this.forget(job) }, t("delete")),
      job.model && h("a", { class: "button primary", href: `#/compose?model=${encodeURIComponent(job.model)}` }, t("run.compose")));
  }

  private async act(call: Promise<Job>): Promise<void> {
    const job = await attempt(call);
    if (job) store.takeJob(job);
  }

  private async forget(job: Job): Promise<void> {
    if (!(await ask(t("run.deleteSure", { name: job.label }), t("delete")))) return;
    if (await attempt(api.forgetJob(job.id).then(() => true))) store.remove("job", job.id);
  }

  /** What the checkpoints composed, the earliest first. */
  private showSamples(job: Job): void {
    const jobs = hearings(job);
    const pieces = jobs.flatMap((one) => one.pieces.flatMap((id) => store.pieces.get(id) ?? []));
    const waits = jobs.some(active);
    const now = `${pieces.map((piece) => piece.id).join()} ${waits}`;
    if (now === this.drawn.samples) return;
    this.drawn.samples = now;
    this.drawn.buttons = "";
    this.showButtons(job);
    const items: Child = pieces.map((piece) => h("li", {},
      h("span", {}, piece.name), listenButton(`piece-${piece.id}`, piece.name, () => api.score(piece.id))));
    fill(this.samples, (pieces.length > 0 || waits) && [
      h("h4", {}, t("run.samples")),
      pieces.length > 0 && h("ul", { class: "plain chips" }, items),
      waits && h("p", { class: "muted" }, t("run.samplesComing"))]);
  }

  /** The copies in fewer bits that were made of it: what each costs, and the way to compose with it. */
  private showSmaller(job: Job): void {
    const copies = store.jobsOf("shrink").filter((one) => one.asked.model === job.id);
    const now = JSON.stringify(copies);
    if (now === this.drawn.smaller) return;
    this.drawn.smaller = now;
    fill(this.smaller, copies.length > 0 && h("h4", {}, t("run.smaller")), copies.map((copy) => h("div", { class: "row" },
      copy.state === "done" ? h("span", {}, joined(...copy.remarks.map(said)) || when(copy.made)) : new ProgressLine(copy).element,
      active(copy) && h("button", { type: "button", class: "small", id: `stop-${copy.id}`, onclick: () => void this.act(api.stop(copy.id)) }, t("stop")),
      !active(copy) && h("button", { type: "button", class: "small danger", id: `delete-${copy.id}`, onclick: () => void this.forget(copy) }, t("delete")),
      copy.model && h("a", { class: "button small", href: `#/compose?model=${encodeURIComponent(copy.model)}` }, t("run.compose")))));
  }

  private lookAtCurve(job: Job): void {
    this.latest = `${job.state} ${job.progress?.done ?? ""}`;
    if (this.latest === this.curveKnown || this.timer || job.state === "waiting") return;
    const look = (): void => {
      this.timer = 0;
      this.looked = performance.now();
      this.curveKnown = this.latest;
      api.curves(job.id).then((rows) => this.curve.show(rows), () => {}); // a run has no curve before its first look
    };
    const wait = this.looked ? this.looked + AT_MOST_EVERY - performance.now() : 0;
    this.timer = window.setTimeout(look, Math.max(0, wait));
  }
}

const hearings = (run: Job): Job[] => store.jobsOf("audition").filter((job) => job.asked.run === run.id).reverse();

function aboutOf(job: Job): string {
  const corpus = store.corpora.get(String(job.asked.corpus ?? ""))?.name;
  const model = store.models.find((one) => one.id === job.asked.model)?.name;
  const parts = [
    corpus && t("run.from", { corpus }),
    typeof job.asked.recipe === "string" ? job.asked.recipe : model && t("run.goesOn", { model: modelNamed(model) }),
    typeof job.asked.minutes === "number" && t("minutes.value", { n: job.asked.minutes }),
    when(job.began ?? job.made),
  ];
  return parts.filter(Boolean).join(" · ");
}
