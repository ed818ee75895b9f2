// Reports: how good pieces are and how new, and models side by side; each is a page that a job has written.
import { api, type Job } from "../api";
import { ask } from "../asking";
import { fill, h, type Child } from "../dom";
import { when } from "../figures";
import { attempt } from "../messages";
import { active, ProgressLine, titleOf } from "../progress";
import { compareForm } from "../report/compare";
import { EvaluateForm } from "../report/evaluate";
import { store } from "../store";
import { named, said, t, type Key } from "../texts";

const TABS = ["evaluate", "compare"] as const;
type Tab = (typeof TABS)[number];

const address = (job: string): string => `#/report?job=${encodeURIComponent(job)}`;

export function page(root: HTMLElement, query: URLSearchParams): () => void {
  const begun = (job: Job): void => {
    store.takeJob(job);
    location.hash = address(job.id);
  };
  const evaluate = new EvaluateForm(begun, query.get("piece"));
  const compare = compareForm(begun);
  const forms: Record<Tab, HTMLElement> = { evaluate: h("div", {}, evaluate.element), compare: h("div", {}, compare.element) };
  const tabs = h("div", { class: "row tabs", role: "tablist", "aria-label": t("report.what") });
  const show = (tab: Tab): void => {
    for (const name of TABS) forms[name].hidden = name !== tab;
    fill(tabs, TABS.map((name) => h("button", {
      type: "button", role: "tab", id: `tab-${name}`, "aria-selected": name === tab, "aria-controls": `form-${name}`,
      tabindex: name === tab ? 0 : -1, onclick: () => show(name),
      onkeydown: (event: KeyboardEvent) => {
        if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
        show(name === "evaluate" ? "compare" : "evaluate");
        tabs.querySelector<HTMLElement>("[aria-selected=true]")?.focus();
      },
    }, t(`report.${name}` as Key))));
  };
  for (const name of TABS) {
    forms[name].id = `form-${name}`;
    forms[name].setAttribute("role", "tabpanel");
    forms[name].setAttribute("aria-labelledby", `tab-${name}`);
  }
  const wanted = query.get("job");
  show("evaluate");
  const list = h("ul", { class: "plain reports" });
  const view = h("section", { class: "report-view", "aria-label": t("report.one") });
  fill(root, h("h1", {}, t("route.report")), tabs, ...TABS.map((tab) => forms[tab]),
    h("h2", {}, t("report.earlier")), list, view);

  let shown = "";
  let line: ProgressLine | null = null;
  const draw = (): void => {
    const jobs = store.jobsOf("evaluate", "compare");
    fill(list, jobs.length === 0 ? h("li", { class: "empty" }, t("report.none")) : jobs.map((job) => entry(job, wanted)));
    const job = store.jobs.get(wanted ?? "");
    const now = job ? `${job.id} ${job.state} ${job.files.length}` : "";
    if (job?.kind === "compare" && !shown) show("compare");
    if (now === shown) {
      if (job && line) line.show(job);
      return;
    }
    shown = now;
    line = job ? new ProgressLine(job) : null;
    fill(view, job && line && report(job, line));
    if (job) view.scrollIntoView({ block: "nearest" });
  };
  const ends = [
    store.subscribe(["jobs"], draw),
    store.subscribe(["corpora", "models", "pieces"], () => {
      evaluate.refresh();
      compare.refresh();
    }),
    () => evaluate.end(),
  ];
  draw();
  return () => ends.forEach((end) => end());
}

function entry(job: Job, wanted: string | null): HTMLElement {
  const bad = job.state === "failed" ? "bad" : job.state === "done" ? "good" : "";
  return h("li", { class: "row" },
    h("a", { href: address(job.id), id: `report-${job.id}`, "aria-current": job.id === wanted ? "true" : undefined }, titleOf(job)),
    h("span", { class: "muted" }, `${named("kind", job.kind)} · ${when(job.made)}`),
    h("span", { class: `badge ${bad}` }, named("state", job.state)),
    h("span", { class: "space" }),
    job.kind === "compare" && (job.state === "running" || job.state === "waiting") && button("pause", job, api.pause),
    job.state === "paused" && button("resume", job, api.resume),
    (job.state === "stopped" || job.state === "failed") && button("again", job, api.resume),
    active(job)
      ? button("stop", job, api.stop)
      : h("button", { type: "button", class: "small danger", id: `delete-${job.id}`, onclick: () => void forget(job) }, t("delete")));
}

function button(word: "pause" | "resume" | "again" | "stop", job: Job, call: (id: string) => Promise<Job>): HTMLElement {
  const act = async (): Promise<void> => {
    const now = await attempt(call(job.id));
    if (now) store.takeJob(now);
  };
  return h("button", { type: "button", class: "small", id: `${word}-${job.id}`, onclick: () => void act() }, t(word));
}

async function forget(job: Job): Promise<void> {
  if (!(await ask(t("report.deleteSure", { name: titleOf(job) }), t("delete")))) return;
  if (await attempt(api.forgetJob(job.id).then(() => true))) store.remove("job", job.id);
}

function report(job: Job, line: ProgressLine): Child {
  const file = job.files.find((name) => /(^|\/)(report|index)\.html$/.test(name));
  const title = h("h2", {}, titleOf(job));
  if (job.state !== "done" || !file) {
    return h("div", { class: `panel ${job.state === "failed" ? "bad" : ""}` }, title, line.element);
  }
  const at = api.jobFile(job.id, file);
  return [
    h("div", { class: "row head" }, title,
      h("a", { class: "button", href: at, target: "_blank", rel: "noopener" }, t("report.open"))),
    job.remarks.length > 0 && h("ul", { class: "remarks" }, job.remarks.map((remark) => h("li", {}, said(remark)))),
    frame(at, titleOf(job))];
}

/** A page that a job has written, as tall as it is: nobody scrolls in what scrolls. */
function frame(at: string, title: string): HTMLElement {
  const made = h("iframe", { src: at, sandbox: "allow-same-origin allow-popups", title });
  const fit = (): void => {
    const page = made.contentDocument?.documentElement;
    if (page) made.style.height = `${page.scrollHeight + 2}px`;
  };
  made.addEventListener("load", () => {
    fit();
    const page = made.contentDocument?.documentElement;
    if (page) new ResizeObserver(fit).observe(page); // pictures come later
  });
  return made;
}
