// Pieces as they lie on the shelf: those that one job made lie together, the newest first.
import type { Piece } from "../api";

export interface Group {
  key: string; // the job, or the piece that lies alone
  pieces: Piece[]; // in the order in which they were made
}

/** Each piece of a job that is a `series`, as of one that was heard while it learnt, lies alone. */
export function grouped(pieces: Iterable<Piece>, series: (job: string) => boolean = () => false): Group[] {
  const groups = new Map<string, Piece[]>();
  for (const piece of pieces) {
    const key = piece.job && !series(piece.job) ? piece.job : piece.id;
    const group = groups.get(key);
    if (group) group.push(piece);
    else groups.set(key, [piece]);
  }
  const newest = (group: Group): number => Math.max(...group.pieces.map((piece) => piece.made));
  return [...groups]
    .map(([key, together]) => ({ key, pieces: together.sort((one, other) => one.made - other.made || byName(one, other)) }))
    .sort((one, other) => newest(other) - newest(one));
}

/** The pieces that were made beside this one, itself among them. */
export function siblings(pieces: Iterable<Piece>, piece: Piece, series: (job: string) => boolean = () => false): Piece[] {
  if (!piece.job || series(piece.job)) return [piece];
  const together = [...pieces].filter((each) => each.job === piece.job);
  return grouped(together)[0]?.pieces ?? [piece];
}

const byName = (one: Piece, other: Piece): number => one.name.localeCompare(other.name, "en", { numeric: true });
