// The piece that is worked on: opened, edited in the roll, saved. Edits that are not saved are kept for the next visit;
// a sheet that is no piece yet can be written on, too.
import { api, type Note, type Piece, type Score, type Track } from "../api";
import { attempt, complain } from "../messages";
import { toMidi } from "../midi";
import { Roll, type RollOptions } from "../roll";
import { add, scoreOf, sheetOf } from "../roll/edits";
import { store } from "../store";
import { t } from "../texts";
import { instrumentName } from "./choices";
import { Drafts } from "./drafts";

export type News = "opened" | "edited" | "saved" | "named" | "region" | "selected" | "written";

const SHEET = "sheet"; // under which the edits of what is no piece yet are kept
const LAST = "partimento.compose.piece";
const KEEP_AFTER = 400; // milliseconds without another edit
const BARS_OF_A_SHEET = 8;
const BAR = 1920;

export class Work {
  piece: Piece | null = null;
  name = "";
  writing = false; // a job writes into the roll, and nobody else
  opening = false;
  kin = false; // the open piece was made of the one before it, or beside it
  writer = ""; // the job that wrote last
  readonly roll: Roll;
  private saved: Score;
  private readonly drafts = new Drafts(localStorage);
  private readonly hearers = new Set<(news: News) => void>();
  private touched = false; // here, since it was opened or kept: another tab's draft is not this one's to change
  private turn = 0;
  private timer = 0;
  private readonly keepAtOnce = (): void => this.keep();

  constructor(place: HTMLElement, options: Pick<RollOptions, "onSeek" | "onHear">) {
    this.roll = new Roll(place, {
      ...options,
      t,
      onChange: () => this.edited_(),
      onRegion: () => this.tell("region"),
      onSelect: () => this.tell("selected"),
    });
    this.saved = this.roll.score;
    window.addEventListener("pagehide", this.keepAtOnce);
  }

  static get last(): string {
    return localStorage.getItem(LAST) ?? "";
  }

  hear(hearer: (news: News) => void): void {
    this.hearers.add(hearer);
  }

  get score(): Score {
    return this.roll.score;
  }

  get tracks(): Track[] {
    return this.score.tracks;
  }

  /** Whether there are notes that are not saved. */
  get edited(): boolean {
    return !this.writing && this.score !== this.saved;
  }

  get renamed(): boolean {
    return this.piece !== null && this.name.trim() !== "" && this.name.trim() !== this.piece.name;
  }

  /** Open a piece; false where it could not be, or something else was opened meanwhile. */
  async open(id: string): Promise<boolean> {
    this.keep();
    const mine = ++this.turn;
    this.opening = true;
    const found = await attempt(Promise.all([store.pieces.get(id) ?? api.piece(id), api.score(id)]));
    if (mine !== this.turn) return false;
    this.opening = false;
    if (!found) return false;
    const [piece, score] = found;
    localStorage.setItem(LAST, id);
    this.show(piece, piece.name, piece.job ? score : { ...score, fresh: [] }, id); // what was new by hand is known
    return true;
  }

  /** An empty sheet, or what was written on it and not saved. */
  begin(): void {
    this.keep();
    this.turn += 1;
    localStorage.removeItem(LAST);
    this.show(null, "", sheet(), SHEET);
  }

  /** What a job writes from now on, on this score; kin, where it is of the open piece. */
  watch(job: string, score: Score, kin: boolean): void {
    this.keep();
    this.turn += 1;
    this.writing = true;
    this.writer = job;
    this.kin = kin;
    this.name = "";
    this.roll.readOnly = true;
    this.roll.setScore(score);
    if (!kin) this.roll.showBeginning();
    this.tell("written");
  }

  /** Back to what was there before a job wrote. */
  async unwatch(): Promise<void> {
    if (!this.writing) return;
    if (!this.piece) this.begin();
    else if (!(await this.open(this.piece.id))) this.begin();
  }

  /** Another state of the score, as one step that can be undone. */
  change(score: Score): void {
    this.roll.setScore(score, true);
    this.edited_();
  }

  addNotes(track: number, notes: readonly Note[]): void {
    if (notes.length) this.change(scoreOf(add(sheetOf(this.score), track, notes).sheet));
  }

  rename(name: string): void {
    this.name = name;
    this.touched = true;
    this.tell("named");
    this.keepSoon();
  }

  /** What is new in it is as good as the rest. */
  acceptFresh(): void {
    const edited = this.edited;
    if (!this.score.fresh.length) return;
    this.roll.setScore({ ...this.score, fresh: [] }, edited);
    if (!edited) this.saved = this.score;
    this.tell("edited");
  }

  /** Keep it as a new piece, and go on with that one. */
  async save(): Promise<boolean> {
    const { score, piece, turn } = this;
    const called = this.name.trim().slice(0, 120) || t("compose.unnamed");
    const there = piece !== null && store.pieces.has(piece.id); // else it was deleted elsewhere, or is none yet
    const name = there && this.edited && called === piece.name ? another(called) : called; // what it was stays beside it
    const tracks = score.tracks.map(({ name: player, program, drums, notes }) => ({ name: player.slice(0, 200), program, drums, notes }));
    const kept = await attempt(there
      ? this.edited ? api.edited(piece.id, name, tracks) : api.rename(piece.id, name)
      : api.addPiece(new Blob([toMidi(score)]), `${name.replaceAll(/[/\\]/g, "-")}.mid`));
    if (!kept) return false;
    store.takePiece(kept);
    this.drafts.forget(piece?.id ?? SHEET);
    if (turn !== this.turn) return false;
    this.piece = kept;
    this.name = kept.name;
    this.saved = score;
    localStorage.setItem(LAST, kept.id);
    this.tell("saved");
    if (this.edited) this.keepSoon(); // what was done while it was being saved
    return true;
  }

  /** The piece as it is in the roll, saved first where it has to be; nothing where that cannot be. */
  async settled(): Promise<Piece | null> {
    if (this.edited && !(await this.save())) return null;
    return this.piece;
  }

  forgetDraft(id: string): void {
    this.drafts.forget(id);
    if (this.piece?.id === id) this.saved = this.score;
  }

  end(): void {
    this.turn += 1;
    this.keep();
    window.removeEventListener("pagehide", this.keepAtOnce);
    this.roll.destroy();
  }

  private show(piece: Piece | null, name: string, score: Score, key: string): void {
    const { roll } = this;
    const draft = this.drafts.get(key);
    this.touched = false;
    this.kin = akin(this.piece, piece) || (this.writing && piece?.job === this.writer);
    if (!piece) roll.tool = "pencil";
    else if (!this.piece) roll.tool = "select";
    const region = this.kin ? roll.region : null;
    this.writing = false;
    this.piece = piece;
    this.name = draft?.name ?? name;
    roll.readOnly = false;
    roll.setScore(score);
    this.saved = roll.score;
    if (draft) roll.setScore({ ...score, tracks: draft.tracks, bars: draft.bars, fresh: draft.fresh }, true);
    if (!this.kin) roll.activeTrack = 0;
    if (this.kin) roll.showPitches();
    else roll.showBeginning();
    roll.region = region;
    this.tell("opened");
  }

  private edited_(): void {
    this.touched = true;
    this.tell("edited");
    this.keepSoon();
  }

  private keepSoon(): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(this.keepAtOnce, KEEP_AFTER);
  }

  private keep(): void {
    window.clearTimeout(this.timer);
    if (this.writing || !this.touched) return;
    this.touched = false;
    const key = this.piece?.id ?? SHEET;
    if (!this.edited && !this.renamed) return this.drafts.forget(key);
    const { tracks, bars, fresh } = this.score;
    if (!this.drafts.put(key, { name: this.name, tracks, bars, fresh, made: Date.now() })) complain(new Error(t("compose.noRoom")));
  }

  private tell(news: News): void {
    for (const hear of [...this.hearers]) hear(news);
  }
}

function akin(one: Piece | null, other: Piece | null): boolean {
  if (!one || !other) return false;
  return one.id === other.id || one.from === other.id || other.from === one.id || (one.job !== null && one.job === other.job);
}

/** A name with the next number that no piece has. */
function another(name: string): string {
  const [, stem = name] = /^(.*?)(?: \(\d+\))?$/.exec(name) ?? [];
  const known = new Set([...store.pieces.values()].map((piece) => piece.name));
  for (let number = 2; ; number += 1) {
    const next = `${stem.slice(0, 110)} (${number})`;
    if (!known.has(next)) return next;
  }
}

function sheet(): Score {
  return {
    quarter: 480,
    tracks: [{ name: instrumentName(0), program: 0, drums: false, notes: [] }],
    tempi: [[0, 120]],
    metres: [[0, 4, 4]],
    bars: Array.from({ length: BARS_OF_A_SHEET + 1 }, (_, bar) => bar * BAR),
    fresh: [],
  };
}
