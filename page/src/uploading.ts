// Files on their way to the server, one after another; they go on while other pages are looked at.
import { api, Refused, type Corpus } from "./api";
import { size } from "./figures";
import type { Gathered } from "./gathering";
import { complain, sentenceOf } from "./messages";
import { store } from "./store";
import { t } from "./texts";

const TRIES = 6;
const AGAIN = 1000; // milliseconds until the second try, and so much more until each that follows

export interface Upload {
  corpus: Corpus;
  files: number;
  sent: number;
  added: number; // pieces or files that the server took: an archive holds many
  bytes: number;
  bytesSent: number;
  began: number; // milliseconds
  refused: string[]; // a sentence each
  state: "sending" | "done" | "broken off";
}

const uploads = new Map<string, Upload>(); // by corpus
const hearers = new Set<() => void>();
const tell = (): void => hearers.forEach((hear) => hear());

export const uploadOf = (corpus: string): Upload | undefined => uploads.get(corpus);

export function whenUploadsChange(hear: () => void): () => void {
  hearers.add(hear);
  return () => hearers.delete(hear);
}

/** Seconds until all is sent, about; nothing before that can be known. */
export function timeLeft(upload: Upload): number | null {
  const seconds = (performance.now() - upload.began) / 1000;
  return seconds < 1 || upload.bytesSent === 0 ? null : (seconds * (upload.bytes - upload.bytesSent)) / upload.bytesSent;
}

export function breakOff(corpus: string): void {
  const upload = uploads.get(corpus);
  if (upload?.state === "sending") upload.state = "broken off";
  tell();
}

export function dismiss(corpus: string): void {
  uploads.delete(corpus);
  tell();
}

/** Send files into a corpus, a new one if none is given; the doctor looks at them when they are there. */
export async function send(gathered: Gathered, into: Corpus | null, made: (corpus: Corpus) => void): Promise<void> {
  try {
    if (gathered.files.length === 0) throw new Refused(t("upload.nothing"));
    const corpus = into ?? store.takeCorpus(await api.newCorpus(gathered.name || t("corpus.unnamed")));
    if (uploads.get(corpus.id)?.state === "sending") throw new Refused(t("upload.busy"));
    const upload: Upload = {
      corpus, files: gathered.files.length, sent: 0, added: 0, bytesSent: 0, began: performance.now(),
      bytes: gathered.files.reduce((sum, { file }) => sum + file.size, 0), refused: [], state: "sending",
    };
    uploads.set(corpus.id, upload);
    tell();
    made(corpus);
    await sendAll(gathered, upload);
    if (upload.added > 0) store.takeJob(await api.start("inspect", { corpus: corpus.id }));
  } catch (error) {
    complain(error);
  }
}

async function sendAll(gathered: Gathered, upload: Upload): Promise<void> {
  for (const { path, file } of gathered.files) {
    if (upload.state !== "sending") return;
    try {
      const most = store.about?.most_bytes ?? Infinity;
      if (file.size > most) throw new Refused(t("upload.large", { most: size(most) }));
      const answer = await sent(() => api.addFile(upload.corpus.id, file, path), () => upload.state === "sending");
      upload.added += answer.added;
      upload.refused.push(...answer.refused);
    } catch (error) {
      if (!(error instanceof Refused)) upload.state = "broken off"; // whoever drops the same again sends what is lacking
      upload.refused.push(t("upload.refusedFile", { file: path, why: sentenceOf(error) }));
    }
    upload.sent += 1;
    upload.bytesSent += file.size;
    tell();
  }
  if (upload.state === "sending") upload.state = "done";
  tell();
}

/** Send once more, and once more, while the studio cannot be reached: it may be starting again. */
async function sent<T>(send: () => Promise<T>, wanted: () => boolean): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await send();
    } catch (error) {
      if (error instanceof Refused || tries === TRIES || !wanted()) throw error;
      await new Promise((go) => window.setTimeout(go, tries * AGAIN));
    }
  }
}

window.addEventListener("beforeunload", (event) => {
  if ([...uploads.values()].some((upload) => upload.state === "sending")) event.preventDefault();
});
