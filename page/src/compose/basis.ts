// What of a piece stays while a job writes: the score to which the notes that it tells of are added.
import type { Job, Note, Score } from "../api";
import { emptyScore } from "../roll/desk";
import { barStart } from "../ticks";

/** The score that a job begins with; the piece is the one that it was asked of. */
export function basisOf({ kind, asked }: Pick<Job, "kind" | "asked">, piece: Score): Score {
  const score = { ...piece, fresh: [] };
  const keep = (stays: (note: Note, number: number) => boolean): Score => {
    let number = 0; // tracks without notes are not counted
    const tracks = score.tracks.map((track) => {
      if (!track.notes.length) return track;
      const mine = ++number;
      return { ...track, notes: track.notes.filter((note) => stays(note, mine)) };
    });
    return { ...score, tracks };
  };
  if (kind === "compose") {
    if (!asked.prompt) return emptyScore;
    const end = barStart(score, Number(asked.prompt_bars ?? 4) + 1);
    return { ...keep((note) => note[0] < end), bars: score.bars.filter((bar) => bar <= end) };
  }
  if (kind === "harmonise") {
    const melody = score.tracks.filter((track) => track.notes.length)[Number(asked.track ?? 1) - 1];
    return melody ? { ...score, tracks: [melody] } : score;
  }
  if (kind !== "fill") return score;
  const bars = asked.bars as { first: number; last: number } | undefined;
  const tracks = asked.tracks as number[] | undefined;
  const from = bars ? barStart(score, bars.first) : 0;
  const to = bars ? barStart(score, bars.last + 1) : Infinity;
  return keep((note, number) => note[0] < from || note[0] >= to || (tracks !== undefined && !tracks.includes(number)));
}
