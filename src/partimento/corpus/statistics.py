"""Statistics: what a piece is like, and what a corpus is like.

`facts` describes one score in a few numbers, in the process that has read it; `Summary` adds the facts of many pieces
up. The key is the written one; where there is none, or only the C major that many programs write unasked, it is found
by the key profiles of Krumhansl and Kessler (1982, "Tracing the dynamic changes in perceived tonal organization"): the
profile that correlates best with how long each pitch class sounds (Krumhansl and Schmuckler). Leaves out: modulation,
and keys other than major and minor.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.instruments import DRUMS, instrument_name
from partimento.keys import MAJOR_TONICS, MINOR_TONICS, key_fits, key_name
from partimento.score import NoteArray, Score, bar_lines, seconds_at, tempo_changes

__all__ = ["Summary", "facts", "key_of"]

GRID = 12  # steps of a beat that hold both 16ths and triplets
STEPS = 24  # of a histogram
WRITTEN = 0.75  # share of onsets on that grid from which a piece counts as written, not performed


def facts(score: Score, notes: NoteArray) -> dict[str, Any]:
    """Describe one piece.

    Args:
        score: the piece.
        notes: its notes, at least one, as `note_array` gives them.

    Returns:
        Plain numbers, strings, lists and dicts. Its names: notes, seconds, bars, tracks, instruments (name: notes),
        metres (name: bars), tempo (quarter notes a minute, the one in force longest), tempo_changes, key, polyphony
        (mean of notes sounding at once, silence not counted), most_polyphony, pitches (128 counts, drums not counted),
        velocities (128 counts), on_sixteenths and on_grid (shares of onsets on the 16ths, and on 16ths or triplets).
    """
    pitched = notes[notes["program"] >= 0]
    ends = notes["onset"] + notes["duration"]
    bars = bar_lines(score)
    mean, most = _polyphony(notes["onset"], ends)
    programs, played = np.unique(notes["program"], return_counts=True)
    names = map(instrument_name, np.where(programs < 0, DRUMS, programs).tolist())
    tempo, changes = _tempo(score, int(ends.max()))
    beat = notes["onset"] / score.ticks_per_quarter
    return {
        "notes": len(notes),
        "seconds": round(float(seconds_at(score, ends.max(keepdims=True))[0]), 3),
        "bars": len(bars),
        "tracks": len(np.unique(notes["track"])),
        "instruments": dict(zip(names, played.tolist(), strict=True)),
        "metres": _metres(score, bars),
        "tempo": tempo,
        "tempo_changes": changes,
        "key": _written_key(score) or key_of(pitched),
        "polyphony": round(mean, 3),
        "most_polyphony": most,
        "pitches": np.bincount(pitched["pitch"], minlength=128).tolist(),
        "velocities": np.bincount(notes["velocity"], minlength=128).tolist(),
        "on_sixteenths": _share_on_grid(beat, 4),
        "on_grid": _share_on_grid(beat, GRID),
    }


def _share_on_grid(beat: NDArray[np.float64], steps: int) -> float:
    """The share of onsets within 1/192 beat of a grid: what a sequencer's rounding makes of a written onset."""
    return round(float((np.abs(beat - np.rint(beat * steps) / steps) <= 1 / 192).mean()), 4)


def _polyphony(onsets: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[float, int]:
    """Mean and most notes that sound at once, where any does."""
    ticks = np.concatenate([ends, onsets])  # at one tick notes end before others begin
    steps = np.repeat([-1, 1], len(onsets))
    order = np.argsort(ticks, kind="stable")
    sounding = np.cumsum(steps[order])
    lengths = np.diff(ticks[order], append=ticks.max())
    heard = lengths[sounding > 0].sum()
    mean = float((sounding * lengths)[sounding > 0].sum() / heard) if heard else 1.0
    return mean, max(int(sounding.max()), 1)


def _tempo(score: Score, end: int) -> tuple[float, int]:
    """The tempo in force for the most ticks, and how often it changes before `end`."""
    changes = {tick: qpm for tick, qpm in tempo_changes(score).items() if tick < max(end, 1)}
    at = sorted(changes)
    lasts: Counter[float] = Counter()
    for start, stop in zip(at, [*at[1:], max(end, at[-1] + 1)], strict=True):
        lasts[round(changes[start], 2)] += stop - start
    names = [round(changes[start], 2) for start in at]
    return lasts.most_common(1)[0][0], sum(a != b for a, b in itertools.pairwise(names))


def _metres(score: Score, bars: NDArray[np.int64]) -> dict[str, int]:
    """How many bars each metre has."""
    signatures = {0: "4/4"} | {max(s.time, 0): f"{s.numerator}/{s.denominator}" for s in score.time_signatures}
    at = np.array(sorted(signatures))
    counts = np.bincount(np.searchsorted(at, bars, side="right") - 1, minlength=len(at))
    metres: Counter[str] = Counter()
    for tick, count in zip(at.tolist(), counts.tolist(), strict=True):
        metres[signatures[tick]] += count
    return {name: count for name, count in metres.items() if count}


def _written_key(score: Score) -> str:
    """The first key signature that says more than a program's default; "" if there is none."""
    for signature in score.key_signatures:
        sharps, minor = signature.key, bool(signature.tonality)
        if -7 <= sharps <= 7 and (sharps, minor) != (0, False):
            return f"{MINOR_TONICS[(7 * sharps + 9) % 12]} minor" if minor else f"{MAJOR_TONICS[7 * sharps % 12]} major"
    return ""


def key_of(notes: NoteArray) -> str:
    """The key that fits best to how long each pitch class sounds, e.g. "G major"; "" for drums alone.

    Args:
        notes: pitched notes of dtype `NOTE`.
    """
    if not len(notes):
        return ""
    heard = np.bincount(notes["pitch"] % 12, weights=np.maximum(notes["duration"], 1), minlength=12)
    return key_name(int(key_fits(heard).argmax()))


class Summary:
    """Adds up the facts of pieces, one at a time, so that none need be kept."""

    def __init__(self) -> None:
        self.columns: dict[str, list[float]] = {name: [] for name in ("notes", "seconds", "tempo", "polyphony")}
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in ("instruments", "metres", "keys")}
        self.pitches = np.zeros(128, dtype=np.int64)
        self.velocities = np.zeros(128, dtype=np.int64)
        self.dynamic = self.written = self.changing = 0
        self.on_sixteenths = 0.0

    def add(self, facts: Mapping[str, Any]) -> None:
        """Count a piece in, by what `facts` gave for it."""
        for name, column in self.columns.items():
            column.append(facts[name])
        self.counts["instruments"].update(facts["instruments"])
        self.counts["metres"].update(facts["metres"])
        self.counts["keys"].update([facts["key"]] if facts["key"] else [])
        self.pitches += np.array(facts["pitches"])
        self.velocities += np.array(facts["velocities"])
        self.dynamic += sum(1 for n in facts["velocities"] if n) > 1
        self.written += facts["on_grid"] >= WRITTEN
        self.changing += facts["tempo_changes"] > 0
        self.on_sixteenths += facts["on_sixteenths"] * facts["notes"]

    def table(self) -> dict[str, Any]:
        """Names and plain values.

        Counts are ordered from the most frequent. A spread is {"least", "quarter", "median", "three_quarters", "most"}
        over pieces, None where there is no piece; a histogram has the edges of its steps and the pieces in each.
        """
        total = int(sum(self.columns["notes"]))
        heard = np.nonzero(self.pitches)[0]
        return {
            "notes": total,
            "hours": round(sum(self.columns["seconds"]) / 3600, 4),
            **{name: dict(count.most_common()) for name, count in self.counts.items()},
            "tempi": _spread(self.columns["tempo"]) | {"changing": self.changing},
            "notes_a_piece": _spread(self.columns["notes"], logarithmic=True),
            "seconds_a_piece": _spread(self.columns["seconds"], logarithmic=True),
            "polyphony": _spread(self.columns["polyphony"]),
            "pitches": self.pitches.tolist(),
            "pitch_range": [int(heard[0]), int(heard[-1])] if len(heard) else None,
            "velocities": self.velocities.tolist(),
            "pieces_with_dynamics": self.dynamic,
            "pieces_written": self.written,
            "pieces_performed": len(self.columns["notes"]) - self.written,
            "share_on_sixteenths": round(self.on_sixteenths / total, 4) if total else None,
        }


def _spread(values: Sequence[float], logarithmic: bool = False) -> dict[str, Any]:
    """Five quantiles and a histogram, whose steps are even in the value or in its logarithm."""
    if not values:
        return {"spread": None, "histogram": {"edges": [], "pieces": []}}
    names = ("least", "quarter", "median", "three_quarters", "most")
    low, high = min(values), max(values)
    if logarithmic:
        edges = np.geomspace(max(low, 0.1), max(high, low * 1.5, 0.2), STEPS + 1)
    else:
        edges = np.linspace(low, max(high, low + 1), STEPS + 1)
    pieces = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    return {
        "spread": dict(zip(names, np.round(np.quantile(values, (0, 0.25, 0.5, 0.75, 1)), 3).tolist(), strict=True)),
        "histogram": {"edges": np.round(edges, 4).tolist(), "pieces": pieces.tolist()},
    }
