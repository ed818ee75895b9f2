// What is happening to a corpus now: its upload, with what was refused, and the doctor's look.
import { fill, h } from "../dom";
import { count, left } from "../figures";
import { active, ProgressLine } from "../progress";
import { store } from "../store";
import { said, t } from "../texts";
import { breakOff, dismiss, timeLeft, uploadOf, whenUploadsChange } from "../uploading";

const SHOWN = 5; // refused files that are shown without asking

export function progressPanel(corpus: string): { element: HTMLElement; end: () => void } {
  const upload = h("div", {});
  const doctor = h("div", {});
  const element = h("div", { class: "now" }, upload, doctor);
  let line: { id: string; line: ProgressLine } | null = null;

  const showUpload = (): void => fill(upload, uploadPanel(corpus));
  const showDoctor = (): void => {
    const job = store.jobsOf("inspect").find((one) => one.asked.corpus === corpus);
    if (!job || job.state === "done") {
      line = null;
      fill(doctor);
    } else if (line?.id === job.id && active(job)) line.line.show(job);
    else {
      line = { id: job.id, line: new ProgressLine(job) };
      fill(doctor, h("section", { class: `panel ${job.state === "failed" ? "bad" : ""}` },
        h("h3", {}, active(job) ? t("doctor.looks") : t("doctor.stopped")), line.line.element));
    }
  };
  const ends = [whenUploadsChange(showUpload), store.subscribe(["jobs"], showDoctor)];
  showUpload();
  showDoctor();
  return { element, end: () => ends.forEach((end) => end()) };
}

function uploadPanel(corpus: string): HTMLElement | null {
  const upload = uploadOf(corpus);
  if (!upload || (upload.state === "done" && upload.refused.length === 0)) return null;
  const sending = upload.state === "sending";
  const time = sending ? left(timeLeft(upload)) : "";
  const far = t("upload.far", { sent: upload.sent, files: upload.files });
  return h("section", { class: "panel" },
    h("div", { class: "row" },
      h("h3", {}, sending ? t("upload.sending") : upload.state === "done" ? t("upload.done") : t("upload.brokenOff")),
      h("span", { class: "space" }),
      sending
        ? h("button", { type: "button", class: "small", id: "break-off", onclick: () => breakOff(corpus) }, t("upload.breakOff"))
        : h("button", { type: "button", class: "small", id: "dismiss-upload", onclick: () => dismiss(corpus) }, t("dismiss"))),
    sending && h("div", { class: "progress-line" },
      h("progress", { max: Math.max(1, upload.bytes), value: upload.bytesSent, "aria-label": t("upload.sending") }),
      h("span", { class: "progress-words" }, time ? `${far} · ${time}` : far)),
    refusals(upload.refused));
}

function refusals(refused: string[]): HTMLElement | null {
  if (refused.length === 0) return null;
  const items = refused.map((sentence) => h("li", {}, said(sentence)));
  return h("div", { class: "refused" },
    h("p", {}, t("upload.refused", { n: refused.length })),
    h("ul", {}, items.slice(0, SHOWN)),
    items.length > SHOWN && h("details", {},
      h("summary", {}, t("more", { n: count(items.length - SHOWN) })), h("ul", {}, items.slice(SHOWN))));
}
