// Edits that have not been saved yet, kept in the browser by the piece that they are of, so that a reload loses nothing.
import type { Score, Track } from "../api";

export interface Draft {
  name: string;
  tracks: Track[];
  bars: number[];
  fresh: Score["fresh"];
  made: number; // milliseconds since 1970
}

type Storing = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

const PREFIX = "partimento.draft.";

export class Drafts {
  constructor(private readonly storage: Storing) {}

  get(piece: string): Draft | null {
    try {
      const draft = JSON.parse(this.storage.getItem(PREFIX + piece) ?? "null") as Draft | null;
      return draft && Array.isArray(draft.tracks) && Array.isArray(draft.bars) ? draft : null;
    } catch {
      return null; // of a page that wrote otherwise
    }
  }

  /** Keep it; where there is no room, older drafts go. False where there is none even then. */
  put(piece: string, draft: Draft): boolean {
    const text = JSON.stringify(draft);
    const others = this.others(piece);
    for (;;) {
      try {
        this.storage.setItem(PREFIX + piece, text);
        return true;
      } catch {
        const oldest = others.shift();
        if (oldest === undefined) return false;
        this.storage.removeItem(oldest);
      }
    }
  }

  forget(piece: string): void {
    this.storage.removeItem(PREFIX + piece);
  }

  private others(piece: string): string[] {
    const keys = Array.from({ length: this.storage.length }, (_, place) => this.storage.key(place) ?? "");
    const made = (key: string): number => this.get(key.slice(PREFIX.length))?.made ?? 0;
    return keys.filter((key) => key.startsWith(PREFIX) && key !== PREFIX + piece).sort((one, other) => made(one) - made(other));
  }
}
