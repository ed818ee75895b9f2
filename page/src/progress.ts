// How far a job is: a bar, what it does, and the time left.
import type { Job } from "./api";
import { h, write } from "./dom";
import { figure, left } from "./figures";
import { named, said, t, titled } from "./texts";

/** Jobs that are not over. */
export const active = (job: Job): boolean => job.state === "waiting" || job.state === "running" || job.state === "paused";

/** What a job is called; a training as its maker has called it. */
export const titleOf = (job: Job): string => (job.kind === "train" ? job.label : titled(job.label));

export class ProgressLine {
  private readonly bar = h("progress", { max: 1 });
  private readonly words = h("span", { class: "progress-words" });
  readonly element = h("div", { class: "progress-line" }, this.bar, this.words);

  constructor(job: Job) {
    this.show(job);
  }

  show(job: Job): void {
    this.bar.setAttribute("aria-label", titleOf(job));
    const done = share(job);
    this.bar.hidden = job.state === "failed" || (job.state === "stopped" && !done);
    this.element.classList.toggle("bad", job.state === "failed");
    if (done === null && job.state === "running") this.bar.removeAttribute("value");
    else this.bar.value = done ?? 0;
    write(this.words, wordsOf(job));
  }
}

/** The part of a job that is done, from 0 to 1; nothing where nobody can know. */
export function share(job: Job): number | null {
  if (job.state === "done") return 1;
  const { progress } = job;
  return progress?.total ? Math.min(1, progress.done / progress.total) : null;
}

export function wordsOf(job: Job): string {
  if (job.ending) return t("job.ending");
  if (job.state === "waiting") return job.ahead > 0 ? t("job.ahead", { n: job.ahead }) : t("job.begins");
  if (job.state === "failed" || job.state === "stopped") return said(job.why) || named("state", job.state);
  if (job.state === "done" || !job.progress) return named("state", job.state);
  const { progress } = job;
  const unit = said(progress.unit);
  const far = progress.total !== null && progress.unit === "parts" // of which some are done by halves
    ? t("job.share", { job: said(progress.job), share: Math.floor(100 * (share(job) ?? 0)) })
    : progress.total === null
    ? t("job.far", { job: said(progress.job), done: figure(progress.done), unit })
    : t("job.farOf", { job: said(progress.job), done: figure(progress.done), total: figure(progress.total), unit });
  const time = job.state === "paused" ? named("state", "paused") : left(progress.left);
  return time ? `${far} · ${time}` : far;
}
