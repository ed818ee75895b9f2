// What the machine is composing now: how far it is, how to stop it, and why it failed. What was asked for on this page is
// opened when it is there.
import { api, type Job, type Kind } from "../api";
import { fill, h, write } from "../dom";
import { attempt, tell } from "../messages";
import { active, ProgressLine, titleOf } from "../progress";
import { store } from "../store";
import { joined, named, said, t } from "../texts";
import type { Score } from "../api";
import { iconButton } from "./icons";
import type { Work } from "./work";

export const COMPOSING: readonly Kind[] = ["compose", "fill", "vary", "accompany", "harmonise", "interpolate"];
const MOST_REMARKS = 4; // that are told of what is done
const KEPT = "partimento.compose.jobs";

const dismissed = new Set<string>();

export class Making {
  readonly element = h("ul", { class: "plain making", "aria-label": t("make.jobs") });
  private readonly lines = new Map<string, { item: HTMLElement; line: ProgressLine; button: HTMLElement; title: HTMLElement }>();
  private readonly ours = new Map<string, Score | null>(); // what the roll had when it was asked for

  constructor(private readonly work: Work, private readonly open: (id: string) => Promise<boolean>) {
    for (const id of JSON.parse(sessionStorage.getItem(KEPT) ?? "[]") as string[]) this.ours.set(id, null);
  }

  isOurs(job: string): boolean {
    return this.ours.has(job);
  }

  /** Whether a job whose pieces are waited for has them. */
  get ready(): boolean {
    return [...this.ours.keys()].some((id) => store.jobs.get(id)?.state === "done");
  }

  async start(kind: Kind, asked: Record<string, unknown>): Promise<boolean> {
    const job = await attempt(api.start(kind, asked));
    if (!job) return false;
    for (const id of [...this.ours.keys()]) { // what failed before has been read
      const state = store.jobs.get(id)?.state;
      if (state === "failed" || state === "stopped") this.forget(id);
    }
    this.ours.set(job.id, this.work.score);
    this.keep();
    store.takeJob(job);
    this.show();
    return true;
  }

  show(): void {
    const jobs = store.jobsOf(...COMPOSING).filter((job) =>
      active(job) || (this.ours.has(job.id) && (job.state === "failed" || job.state === "stopped") && !dismissed.has(job.id)));
    for (const [id, { item }] of this.lines) {
      if (jobs.some((job) => job.id === id)) continue;
      item.remove();
      this.lines.delete(id);
    }
    for (const job of jobs) this.line(job);
    for (const id of this.ours.keys()) {
      const job = store.jobs.get(id);
      if (job?.state === "done") this.take(job);
    }
  }

  private line(job: Job): void {
    let known = this.lines.get(job.id);
    if (!known) {
      const title = h("strong", {});
      const button = h("span", {});
      const line = new ProgressLine(job);
      known = { line, title, button, item: h("li", {}, h("div", { class: "row together" }, title, h("span", { class: "space" }), button), line.element) };
      this.lines.set(job.id, known);
      this.element.prepend(known.item);
    }
    known.line.show(job);
    write(known.title, job.asked.prompt ? t("mode.continue") : named("mode", job.kind));
    known.title.title = titleOf(job);
    const over = !active(job);
    if (known.button.dataset.over === String(over)) return;
    known.button.dataset.over = String(over);
    fill(known.button, over
      ? iconButton(`dismiss-${job.id}`, "cross", t("dismiss"), () => {
          dismissed.add(job.id);
          this.forget(job.id);
          this.show();
        })
      : h("button", { type: "button", class: "small", id: `stop-${job.id}`, onclick: () => void this.stop(job.id) }, t("stop")));
  }

  private async stop(id: string): Promise<void> {
    const job = await attempt(api.stop(id));
    if (job) store.takeJob(job);
  }

  // The first of its pieces opens, unless the reader has gone on to edit meanwhile.
  private take(job: Job): void {
    const before = this.ours.get(job.id);
    this.forget(job.id);
    const [first] = job.pieces;
    if (!first) return;
    if (job.remarks.length) tell(joined(...job.remarks.slice(0, MOST_REMARKS).map(said)));
    const busy = before && this.work.edited && this.work.score !== before;
    if (busy) tell(t("make.ready", { name: titleOf(job) }), { label: t("make.open"), act: () => void this.open(first) });
    else void this.open(first);
  }

  private forget(id: string): void {
    this.ours.delete(id);
    this.keep();
  }

  private keep(): void {
    sessionStorage.setItem(KEPT, JSON.stringify([...this.ours.keys()]));
  }
}
