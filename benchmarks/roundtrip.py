"""What survives of real music when each codec has encoded and decoded it, as a Markdown table.

    python benchmarks/roundtrip.py FOLDER... [--files 100] [--seed 0] [--codec NAME]

Each FOLDER is searched for MIDI files; of more than `--files` that many are drawn. Of all notes the columns give the
share that comes back with its pitch (counted as a bag: however late), that has its onset within 1/24 of a quarter note
as well, and of those onsets the share that also keeps its duration within 1/24, its velocity within 2 and its
instrument. A note is matched once only. Of those onsets, *ms* says how far off they are on average, in milliseconds at
the tempo there, *bar* for how many the bar that they stand in still begins there, and *tempo* how many keep the tempo,
within 2 %; *pedal* is the share of the sustain pedal's turns that come back within 1/24 of a quarter note ("–" where
nobody presses it). Sizes are ids or steps of the grid for each note that the codec keeps; speed is notes encoded for
each second of processor time.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from partimento.codec import Codec, TokenSpec, codec_named, codecs
from partimento.errors import Unreadable
from partimento.files import read
from partimento.score import NoteArray, Score, bar_lines, end_tick, note_array, tempo_changes
from partimento.settings import from_table

TOLERANCE = 1 / 24 + 1e-6  # quarter notes
VELOCITY_TOLERANCE = 2
COLUMNS = ("pitch", "onset", "duration", "velocity", "instrument", "all")
AROUND = ("bar", "tempo")
TEMPO_TOLERANCE = 0.02
HOLD, HALF = 64, 64  # the sustain pedal's controller, and from where on it is down
OTHER_SETTINGS: dict[str, list[dict[str, Any]]] = {
    "tokens": [{"steps_per_beat": 8}, {"steps_per_beat": 24}, {"velocities": 16, "tempi": 31}],
    "roll": [{"steps_per_beat": 12, "low": 0, "pitches": 128, "planes": "velocity"}],
    "chords": [{"classic": True}],
}


@dataclass
class Tally:
    """Counts over a data set."""

    notes: int = 0
    kept: int = 0
    size: int = 0
    seconds: float = 0.0
    late: float = 0.0  # milliseconds, of all matched notes together
    turns: int = 0  # of the pedal
    shares: Counter[str] = field(default_factory=Counter)

    def add(self, codec: Codec[Any], score: Score) -> None:
        """Encode and decode one score and count what came back."""
        start = time.process_time()
        x = codec.encode(score)
        self.seconds += time.process_time() - start
        decoded = codec.decode(x)
        before, after = note_array(score), note_array(decoded)
        self.notes += len(before)
        self.kept += codec.notes(x)
        self.size += len(x)
        bags = Counter(before["pitch"].tolist()), Counter(after["pitch"].tolist())
        self.shares["pitch"] += (bags[0] & bags[1]).total()
        a, b = matched(before, after, score.ticks_per_quarter, decoded.ticks_per_quarter)
        longer = np.abs(a["duration"] / score.ticks_per_quarter - b["duration"] / decoded.ticks_per_quarter)
        duration = longer <= TOLERANCE
        velocity = np.abs(a["velocity"] - b["velocity"]) <= VELOCITY_TOLERANCE
        instrument = a["program"] == b["program"]
        self.shares["onset"] += len(a)
        self.shares["duration"] += int(duration.sum())
        self.shares["velocity"] += int(velocity.sum())
        self.shares["instrument"] += int(instrument.sum())
        self.shares["all"] += int((duration & velocity & instrument).sum())
        self._add_around(score, decoded, a, b)

    def _add_around(self, score: Score, decoded: Score, a: NoteArray, b: NoteArray) -> None:
        """Count what stands around the matched notes: bars, tempi, the pedal."""
        onsets = [notes["onset"] / s.ticks_per_quarter for notes, s in ((a, score), (b, decoded))]
        speeds = [tempo_at(s, notes["onset"]) for notes, s in ((a, score), (b, decoded))]
        mine, its = bars_of(score, a["onset"]), np.append(bars_of(decoded), np.inf)
        near = its[np.searchsorted(its, mine - TOLERANCE)]
        self.late += float((np.abs(onsets[0] - onsets[1]) * 60_000 / speeds[0]).sum())
        self.shares["bar"] += int((near <= mine + TOLERANCE).sum())
        self.shares["tempo"] += int((np.abs(speeds[1] / speeds[0] - 1) <= TEMPO_TOLERANCE).sum())
        before, after = pedal_turns(score), pedal_turns(decoded)
        self.turns += len(before)
        for down, at in before:
            near = [turn for turn in after if turn[0] == down and abs(turn[1] - at) <= TOLERANCE]
            if near:
                after.remove(near[0])
                self.shares["pedal"] += 1


def tempo_at(score: Score, ticks: np.ndarray) -> np.ndarray:
    """Quarter notes a minute at each tick."""
    named = tempo_changes(score)
    return np.array(list(named.values()))[np.searchsorted(list(named), ticks, side="right") - 1]


def bars_of(score: Score, ticks: np.ndarray | None = None) -> np.ndarray:
    """Where the bar of each tick begins, in quarter notes; where all bars begin, if no ticks are given."""
    lines = bar_lines(score, end_tick(score) + 1)
    if ticks is not None:
        lines = lines[np.searchsorted(lines, ticks, side="right") - 1]
    return lines / score.ticks_per_quarter


def pedal_turns(score: Score) -> list[tuple[bool, float]]:
    """Each time that a track's pedal goes down or up, while there are notes: which way, and the quarter note."""
    turns = []
    last = max((note.time for track in score.tracks for note in track.notes), default=0)
    for track in score.tracks:
        is_down = False
        for control in sorted((c for c in track.controls if c.number == HOLD), key=lambda c: c.time):
            if (control.value >= HALF) != is_down and control.time <= last and len(track.notes):
                is_down = not is_down
                turns.append((is_down, control.time / score.ticks_per_quarter))
    return turns


def matched(before: NoteArray, after: NoteArray, ticks_before: int, ticks_after: int) -> tuple[NoteArray, NoteArray]:
    """Pairs of notes with one pitch and, within the tolerance, one onset; of one instrument wherever there are such."""
    pairs: list[tuple[int, int]] = []
    left = (np.arange(len(before)), np.arange(len(after)))
    for keys in (("pitch", "program"), ("pitch",)):
        waiting: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for j in left[1]:
            waiting[tuple(int(after[k][j]) for k in keys)].append(int(j))
        found = []
        at = dict.fromkeys(waiting, 0)
        for i in left[0]:
            key = tuple(int(before[k][i]) for k in keys)
            onset, queue = before["onset"][i] / ticks_before, waiting.get(key, [])
            while at.get(key, 0) < len(queue):
                j = queue[at[key]]
                late = after["onset"][j] / ticks_after - onset
                if late > TOLERANCE:
                    break
                at[key] += 1
                if late >= -TOLERANCE:
                    found.append((int(i), j))
                    break
        pairs += found
        taken = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        left = (np.setdiff1d(left[0], taken[:, 0]), np.setdiff1d(left[1], taken[:, 1]))
    return before[taken[:, 0]], after[taken[:, 1]]


def music(folder: Path, files: int, seed: int) -> list[Score]:
    """The scores of a folder, or of as many files drawn from it; what cannot be read is left out and told."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".mid", ".midi"))
    if len(paths) > files:
        chosen = np.random.default_rng(seed).choice(len(paths), files, replace=False)
        paths = [paths[i] for i in sorted(chosen)]
    scores = []
    for path in paths:
        try:
            scores.append(read(path).score)
        except Unreadable as refusal:
            print(f"<!-- {path.name}: {refusal} -->")
    return scores


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--codec", action="append", help="only this codec; may be given again")
    options = parser.parse_args()
    heads = [
        "codec",
        "settings",
        "music",
        "notes",
        *(f"{c} %" for c in COLUMNS),
        *("ms", "bar %", "tempo %", "pedal %"),
        "size a note",
        "vocabulary",
        "notes/s",
    ]
    print("| " + " | ".join(heads) + " |")
    print("|" + " --- |" * 3 + " ---: |" * (len(heads) - 3))
    for folder in options.folders:
        scores = music(folder, options.files, options.seed)
        for name in options.codec or codecs():
            for table in ({}, *OTHER_SETTINGS.get(name, [])):
                print(row(name, table, folder.name, scores), flush=True)


def row(name: str, table: dict[str, Any], music_name: str, scores: list[Score]) -> str:
    """One line of the table."""
    kind = codec_named(name)
    codec = kind(from_table(kind.Settings, table, "codec"))
    codec.learn(scores)
    tally = Tally()
    for score in scores:
        tally.add(codec, score)
    shares = [f"{100 * tally.shares[k] / max(tally.notes, 1):.1f}" for k in COLUMNS]
    matches = max(tally.shares["onset"], 1)
    shares += [f"{tally.late / matches:.1f}", *(f"{100 * tally.shares[k] / matches:.1f}" for k in AROUND)]
    shares += [f"{100 * tally.shares['pedal'] / tally.turns:.1f}" if tally.turns else "–"]
    spec = codec.spec
    size = str(spec.vocab_size) if isinstance(spec, TokenSpec) else f"{spec.channels} × {spec.pitches}"
    changed = ", ".join(f"{k} {v}" for k, v in table.items()) or "default"
    figures = [f"{tally.size / max(tally.kept, 1):.2f}", size, f"{tally.notes / tally.seconds:,.0f}"]
    return "| " + " | ".join([name, changed, music_name, f"{tally.notes:,}", *shares, *figures]) + " |"


if __name__ == "__main__":
    main()
