// The jobs that are running, in a small list that opens from the head of the page.
import type { Job } from "./api";
import { fill, h, write } from "./dom";
import { left } from "./figures";
import { active, ProgressLine, share, titleOf } from "./progress";
import { store } from "./store";
import { named, t } from "./texts";

/** Where on the page a job can be seen. */
function placeOf(job: Job): string {
  if (job.kind === "inspect") return `#/corpus?corpus=${encodeURIComponent(String(job.asked.corpus))}`;
  if (job.kind === "evaluate" || job.kind === "compare") return `#/report?job=${encodeURIComponent(job.id)}`;
  return job.kind === "train" || job.kind === "audition" ? "#/train" : "#/compose";
}

export function jobsPanel(): { element: HTMLElement; end: () => void } {
  const words = h("span", {});
  const done = h("span", {});
  const bar = h("span", { class: "tiny-bar", "aria-hidden": true }, done);
  const list = h("ul", { class: "plain" });
  const element = h("details", { class: "jobs" }, h("summary", {}, bar, words), h("div", { class: "sheet" }, list));
  const lines = new Map<string, { item: HTMLElement; line: ProgressLine; title: HTMLElement }>();

  const show = (): void => {
    const jobs = [...store.jobs.values()].filter(active).sort((a, b) => a.made - b.made);
    const running = jobs.find((job) => job.state === "running");
    element.classList.toggle("idle", jobs.length === 0);
    const time = running?.progress ? left(running.progress.left) : "";
    write(words, jobs.length === 0 ? t("jobs.none") : t("jobs.some", { n: jobs.length }) + (time ? ` · ${time}` : ""));
    bar.hidden = !running;
    done.style.width = `${100 * ((running && share(running)) ?? 0)}%`;
    for (const [id, { item }] of lines) {
      if (!jobs.some((job) => job.id === id)) {
        item.remove();
        lines.delete(id);
      }
    }
    if (jobs.length === 0) fill(list, h("li", { class: "muted" }, t("jobs.empty")));
    else if (lines.size === 0) fill(list);
    for (const job of jobs) {
      const known = lines.get(job.id);
      if (known) {
        known.line.show(job);
        write(known.title, titleOf(job));
      } else {
        const line = new ProgressLine(job);
        const title = h("a", { href: placeOf(job) }, titleOf(job));
        const item = h("li", {}, title, " ", h("span", { class: "muted" }, named("kind", job.kind)), line.element);
        lines.set(job.id, { item, line, title });
        list.append(item);
      }
    }
  };

  const close = (event: Event): void => {
    if (event instanceof KeyboardEvent && event.key === "Escape" && element.open) {
      element.open = false;
      element.querySelector("summary")?.focus();
    } else if (event.type === "pointerdown" && !element.contains(event.target as Node)) element.open = false;
  };
  document.addEventListener("keydown", close);
  document.addEventListener("pointerdown", close);
  const unsubscribe = store.subscribe(["jobs"], show);
  show();
  return {
    element,
    end: () => {
      unsubscribe();
      document.removeEventListener("keydown", close);
      document.removeEventListener("pointerdown", close);
    },
  };
}
