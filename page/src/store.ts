// What the page knows of the server's corpora, jobs, models and pieces, kept fresh by what the server tells.
import { api, listen, Refused, type About, type Corpus, type Heard, type Job, type Model, type Piece, type Recipe, type Told } from "./api";
import { complain } from "./messages";

export type Topic = "corpora" | "jobs" | "models" | "pieces" | "connection";
type Hear = () => void;
type HearNote = (heard: { job: string; note: Heard }) => void;

const TOGETHER = 60; // milliseconds in which changes are told as one
const UNSEEN = 20_000; // milliseconds after which a page that nobody sees listens no more
const AGAIN = 3000; // milliseconds until the next try where the browser has given up

class Store {
  about: About | null = null;
  readonly corpora = new Map<string, Corpus>();
  readonly jobs = new Map<string, Job>();
  readonly pieces = new Map<string, Piece>();
  models: Model[] = [];
  recipes: Recipe[] = [];
  loaded = false;
  connected = true; // until it is known that it is not

  private readonly hearers = new Map<Hear, Set<Topic>>();
  private readonly noteHearers = new Set<HearNote>();
  private source: EventSource | null = null;
  private changed = new Set<Topic>();
  private timer = 0;
  private waiting: (() => void)[] | null = null; // what was told while everything is fetched

  /** Hear of changes, many at once; gives back what ends it. */
  subscribe(topics: Topic[], hear: Hear): () => void {
    this.hearers.set(hear, new Set(topics));
    return () => this.hearers.delete(hear);
  }

  /** Hear each note that a job is writing now. */
  hearNotes(hear: HearNote): () => void {
    this.noteHearers.add(hear);
    return () => this.noteHearers.delete(hear);
  }

  start(): void {
    const told: Told = {
      job: (job) => this.take(() => this.takeJob(job)),
      corpus: (corpus) => this.take(() => this.put("corpora", this.corpora, corpus)),
      piece: (piece) => this.take(() => this.put("pieces", this.pieces, piece)),
      gone: ({ kind, id }) => this.take(() => this.remove(kind, id)),
      note: (heard) => this.noteHearers.forEach((hear) => hear(heard)),
      connected: (there) => {
        this.connected = there;
        this.tell("connection");
        if (there) void this.refetch();
        else if (source.readyState === EventSource.CLOSED) window.setTimeout(() => this.start(), AGAIN);
      },
    };
    this.source?.close();
    const source = listen(told);
    this.source = source;
  }

  /** Listen no more while the page is in a tab that nobody sees: browsers allow one server six connections in all. */
  restWhileUnseen(): void {
    let timer = 0;
    document.addEventListener("visibilitychange", () => {
      window.clearTimeout(timer);
      if (document.hidden) timer = window.setTimeout(() => this.source?.close(), UNSEEN);
      else if (this.source?.readyState === EventSource.CLOSED) this.start();
    });
  }

  /** Take an answer to the page's own call at once, before the server tells of it. */
  takeJob(job: Job): Job {
    const before = this.jobs.get(job.id);
    if (before && before.as_of > job.as_of) return before;
    this.put("jobs", this.jobs, job);
    if (job.state === "done" && before?.state !== "done") void this.refetchModels();
    return job;
  }

  takeCorpus(corpus: Corpus): Corpus {
    this.put("corpora", this.corpora, corpus);
    return corpus;
  }

  takePiece(piece: Piece): Piece {
    this.put("pieces", this.pieces, piece);
    return piece;
  }

  remove(kind: "job" | "piece" | "corpus", id: string): void {
    const [topic, map] = kind === "job" ? (["jobs", this.jobs] as const)
      : kind === "piece" ? (["pieces", this.pieces] as const) : (["corpora", this.corpora] as const);
    const model = this.jobs.get(id)?.model;
    if (!map.delete(id)) return;
    this.tell(topic);
    if (kind === "job" && model) void this.refetchModels();
  }

  jobsOf(...kinds: Job["kind"][]): Job[] {
    return [...this.jobs.values()].filter((job) => kinds.includes(job.kind)).sort((a, b) => b.made - a.made);
  }

  /** Whether the pieces of a job are a series, as those that were heard while a run learnt, and no versions. */
  isSeries(job: string): boolean {
    return this.jobs.get(job)?.kind === "audition";
  }

  private take(change: () => void): void {
    if (this.waiting) this.waiting.push(change);
    else change();
  }

  private put<T extends { id: string }>(topic: Topic, map: Map<string, T>, value: T): void {
    map.set(value.id, value);
    this.tell(topic);
  }

  private tell(...topics: Topic[]): void {
    for (const topic of topics) this.changed.add(topic);
    if (this.timer) return;
    this.timer = window.setTimeout(() => {
      const changed = this.changed;
      this.timer = 0;
      this.changed = new Set();
      for (const [hear, wanted] of [...this.hearers]) {
        if ([...changed].some((topic) => wanted.has(topic))) hear();
      }
    }, TOGETHER);
  }

  private async refetch(): Promise<void> {
    const waiting: (() => void)[] = [];
    this.waiting = waiting;
    try {
      const [about, corpora, jobs, models, pieces, recipes] = await Promise.all([
        otherwise(api.about(), this.about), otherwise(api.corpora(), []), otherwise(api.jobs(), []),
        otherwise(api.models(), []), otherwise(api.pieces(), []), otherwise(api.recipes(), []),
      ]);
      this.about = about;
      this.models = models;
      this.recipes = recipes;
      replace(this.corpora, corpora);
      replace(this.jobs, jobs);
      replace(this.pieces, pieces);
      this.loaded = this.connected = true;
    } catch {
      this.connected = false; // told of in the banner
      window.setTimeout(() => void this.refetch(), AGAIN);
    }
    if (this.waiting === waiting) this.waiting = null;
    for (const change of waiting) change();
    this.tell("corpora", "jobs", "models", "pieces", "connection");
  }

  private async refetchModels(): Promise<void> {
    this.models = await api.models().catch(() => this.models);
    this.tell("models");
  }
}

/** What a call gives; where the server refuses it, that is said, and the rest of the page goes on without. */
async function otherwise<T>(call: Promise<T>, instead: T): Promise<T> {
  return call.catch((error: unknown) => {
    if (!(error instanceof Refused)) throw error; // the server is away
    complain(error);
    return instead;
  });
}

function replace<T extends { id: string }>(map: Map<string, T>, values: T[]): void {
  map.clear();
  for (const value of values) map.set(value.id, value);
}

export const store = new Store();
