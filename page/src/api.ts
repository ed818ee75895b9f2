// What the server has and takes: the same shapes as its OpenAPI (/api/openapi.json), and the calls that fetch them.

export interface Corpus {
  id: string;
  name: string;
  made: number; // seconds since 1970
  files: number;
  left_out_by_hand: number;
  pieces: number | null; // that serve; null until the doctor has looked
  inspecting: string | null; // the job that looks at it now
}

export interface CorpusFile {
  number: number; // its name on the server
  name: string; // its name where it came from
  bytes: number;
  left_out: boolean; // by hand
  verdict: "serves" | "left out" | "unknown";
  reason: string; // why it is left out, with what could be done
  notes: number;
  seconds: number;
  bars: number;
  tempo: number;
  key: string;
  instruments: string[];
  split: string;
  repairs: string[];
}

export interface CorpusReport extends Corpus {
  list: CorpusFile[];
  statistics: Record<string, unknown> | null;
}

export type Kind =
  | "inspect" | "train" | "compose" | "fill" | "vary" | "accompany" | "harmonise" | "interpolate"
  | "audition" | "evaluate" | "compare" | "shrink";
export type State = "waiting" | "running" | "paused" | "done" | "failed" | "stopped";

export interface Progress {
  job: string; // what is being done, for a person
  done: number;
  total: number | null;
  unit: string;
  facts: Record<string, number>; // e.g. loss, notes/s
  left: number | null; // seconds, about
}

export interface Job {
  id: string;
  kind: Kind;
  label: string;
  state: State;
  made: number;
  began: number | null;
  ended: number | null;
  why: string; // a sentence where it failed or was stopped
  progress: Progress | null;
  remarks: string[];
  ending: boolean; // it was stopped or paused, and still keeps what it has
  ahead: number; // jobs that run before it while it waits
  asked: Record<string, unknown>; // what was sent
  pieces: string[]; // ids of what it made
  files: string[]; // other things it wrote, e.g. "report.html"
  model: string | null; // of a finished training
  as_of: number; // microseconds; of two tellings that cross on their way the later counts
}

export interface Model {
  id: string;
  name: string;
  recipe: string; // e.g. "nested on cells"
  about: string;
  modes: Partial<Record<Kind | "continue" | "stream" | "plan", string>>; // "" where it can; else the reason why not
  scores: Record<string, number>;
  learnt: boolean; // whether what it learnt from can be searched for copies
}

export interface Piece {
  id: string;
  name: string;
  job: string | null;
  made: number;
  notes: number;
  seconds: number;
  bars: number;
  from: string | null; // the piece that it was made of
}

export type Note = [onset: number, duration: number, pitch: number, velocity: number]; // ticks, ticks, MIDI, 1..127

export interface Track {
  name: string;
  program: number; // General MIDI, 0..127
  drums: boolean;
  notes: Note[];
}

export interface Score {
  quarter: number; // ticks of a quarter note
  tracks: Track[];
  tempi: [tick: number, qpm: number][];
  metres: [tick: number, numerator: number, denominator: number][];
  bars: number[]; // ticks at which bars begin, and the end of the last
  fresh: [track: number, note: number][]; // what was written by the job, by place in `tracks` and `notes`
}

export interface Recipe {
  name: string;
  about: string;
  model: string;
  codec: string;
}

export interface Setting {
  name: string; // e.g. "training.learning_rate"
  help: string;
  type: "number" | "whole" | "truth" | "text" | "choice" | "list" | "other";
  value: unknown;
  minimum: number | null;
  maximum: number | null;
  choices: string[];
  items: "number" | "whole" | "text" | "other" | ""; // what a list is of
  optional: boolean; // whether it can be nothing
}

export interface RecipeForm extends Recipe {
  settings: Setting[];
}

export interface Heard {
  bar: number;
  onset: number; // quarter notes
  duration: number;
  seconds: number;
  pitch: number;
  velocity: number;
  program: number; // -1 for drums
  track: number;
}

export interface About {
  version: string;
  cores: number;
  soundfont: string;
  formats: string[]; // what a piece can be downloaded as
  most_bytes: number; // of one upload
}

export class Refused extends Error {
  constructor(sentence: string, readonly status = 0) { // 0: refused by the page itself
    super(sentence);
  }
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const raw = body instanceof Blob;
  const answer = await fetch(`/api/${path}`, {
    method,
    headers: body === undefined ? {} : { "Content-Type": raw ? "application/octet-stream" : "application/json" },
    body: body === undefined ? undefined : raw ? body : JSON.stringify(body),
  });
  const found = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused((found as { detail?: string } | null)?.detail ?? "", answer.status);
  return found as T;
}

const name = encodeURIComponent;

export const api = {
  about: () => call<About>("GET", "about"),
  corpora: () => call<Corpus[]>("GET", "corpora"),
  corpus: (id: string) => call<CorpusReport>("GET", `corpora/${id}`),
  newCorpus: (called: string) => call<Corpus>("POST", "corpora", { name: called }),
  addFile: (id: string, file: Blob, called: string) =>
    call<{ added: number; refused: string[] }>("POST", `corpora/${id}/files?name=${name(called)}`, file),
  leaveOut: (id: string, numbers: number[]) => call<Corpus>("PUT", `corpora/${id}/left-out`, { numbers }),
  forgetCorpus: (id: string) => call<null>("DELETE", `corpora/${id}`),
  corpusPiece: (id: string, number: number) => call<Score>("GET", `corpora/${id}/files/${number}/score`),
  recipes: () => call<Recipe[]>("GET", "recipes"),
  recipe: (called: string) => call<RecipeForm>("GET", `recipes/${name(called)}`),
  models: () => call<Model[]>("GET", "models"),
  model: (id: string) => call<RecipeForm>("GET", `models/${id}`), // how it would go on
  jobs: () => call<Job[]>("GET", "jobs"),
  job: (id: string) => call<Job>("GET", `jobs/${id}`),
  // asked: see POST /api/jobs/{kind} in the OpenAPI for what each kind takes
  start: (kind: Kind, asked: Record<string, unknown>) => call<Job>("POST", `jobs/${kind}`, asked),
  pause: (id: string) => call<Job>("POST", `jobs/${id}/pause`),
  resume: (id: string) => call<Job>("POST", `jobs/${id}/resume`),
  stop: (id: string) => call<Job>("POST", `jobs/${id}/stop`),
  forgetJob: (id: string) => call<null>("DELETE", `jobs/${id}`),
  curves: (id: string) => call<Record<string, number>[]>("GET", `jobs/${id}/curves`), // rows of the training curve
  pieces: () => call<Piece[]>("GET", "pieces"),
  piece: (id: string) => call<Piece>("GET", `pieces/${id}`),
  score: (id: string) => call<Score>("GET", `pieces/${id}/score`),
  addPiece: (file: Blob, called: string) => call<Piece>("POST", `pieces?name=${name(called)}`, file),
  // a piece as it was edited by hand, kept as a new one; tempi and controllers are taken from the old one
  edited: (id: string, called: string, tracks: Track[]) =>
    call<Piece>("POST", `pieces/${id}/edited`, { name: called, tracks }),
  rename: (id: string, called: string) => call<Piece>("PATCH", `pieces/${id}`, { name: called }),
  forgetPiece: (id: string) => call<null>("DELETE", `pieces/${id}`),
  pieceFile: (id: string, format: string) => `/api/pieces/${id}/file?format=${format}`, // an address to download
  jobFile: (id: string, file: string) => `/api/jobs/${id}/files/${file.split("/").map(name).join("/")}`,
  soundfont: "/api/soundfont",
};

// What the server tells of its own accord, by server-sent events; the browser connects again by itself.
export interface Told {
  job?: (job: Job) => void; // a job is new, or something of it has changed
  gone?: (gone: { kind: "job" | "piece" | "corpus"; id: string }) => void;
  note?: (heard: { job: string; note: Heard }) => void; // a note that a job is writing now
  piece?: (piece: Piece) => void;
  corpus?: (corpus: Corpus) => void;
  connected?: (there: boolean) => void;
}

export function listen(told: Told): EventSource {
  const source = new EventSource("/api/events");
  for (const kind of ["job", "gone", "note", "piece", "corpus"] as const) {
    source.addEventListener(kind, (event) => {
      const hear = told[kind] as ((value: unknown) => void) | undefined;
      hear?.(JSON.parse((event as MessageEvent<string>).data));
    });
  }
  source.addEventListener("open", () => told.connected?.(true));
  source.addEventListener("error", () => told.connected?.(false));
  return source;
}
