"""Marks above and below the staves: tempi where they change and stay changed, dynamics where loudness does.

A file that was played may name a tempo for every beat and a velocity for every note; a reader wants those that last.
Leaves out: ritardando and accelerando, hairpins and accents.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from partimento.engraving.bars import UNITS, Bar
from partimento.score import NoteArray, Score, tempo_changes

__all__ = ["dynamics", "tempi"]

CHANGE = 0.08  # share by which a tempo differs from the one before
LOUDNESS = ((24, "ppp"), (40, "pp"), (56, "p"), (72, "mp"), (88, "mf"), (104, "f"), (128, "ff"))
STAYS = 4  # bars that loudness is heard over
CLEARLY = 6.0  # velocities by which it lies beyond a mark before another is written


def tempi(score: Score, bars: Sequence[Bar]) -> dict[int, float]:
    """Quarter notes a minute by the bar from which they hold, the first 0."""
    changes = tempo_changes(score)
    at = np.array(list(changes), dtype=np.float64) * UNITS / score.ticks_per_quarter
    seconds_each = 60.0 / (np.array(list(changes.values())) * UNITS)
    edges = np.array([bar.start for bar in bars] + [bars[-1].end], dtype=np.float64)
    passed = np.concatenate([[0.0], np.cumsum(np.diff(at) * seconds_each[:-1])])
    segment = np.searchsorted(at, edges, side="right") - 1
    seconds = passed[segment] + (edges - at[segment]) * seconds_each[segment]
    mean = np.diff(edges) / UNITS * 60 / np.maximum(np.diff(seconds), 1e-9)
    marks: dict[int, float] = {}
    for bar, qpm in enumerate(mean.tolist()):
        following = float(mean[min(bar + 1, len(bars) - 1)])
        if not marks or (_differ(qpm, marks[max(marks)]) and not _differ(following, qpm)):
            marks[bar] = qpm
    return marks


def _differ(one: float, other: float) -> bool:
    return abs(one / other - 1) > CHANGE


def dynamics(notes: NoteArray, bar_of: np.ndarray[tuple[int], np.dtype[np.int64]], bars: int) -> dict[int, str]:
    """The dynamic marks of one track by the bar that they stand in; none where all is equally loud, nor for drums.

    Args:
        notes: of the track.
        bar_of: (N,) the bar that each begins in.
        bars: of the whole score.
    """
    if not len(notes) or notes["program"][0] < 0:
        return {}
    counts = np.bincount(bar_of, minlength=bars)
    sums = np.bincount(bar_of, weights=notes["velocity"], minlength=bars)
    marks: dict[int, str] = {}
    for bar in np.flatnonzero(counts).tolist():
        ahead = slice(bar, bar + STAYS)
        loudness = float(sums[ahead].sum() / counts[ahead].sum())
        if not marks or all(_left(marks[max(marks)], own) for own in (loudness, float(sums[bar] / counts[bar]))):
            mark = _mark(loudness)
            if not marks or mark != marks[max(marks)]:
                marks[bar] = mark
    return marks if len(marks) > 1 else {}


def _left(mark: str, loudness: float) -> bool:
    """Whether loudness is clearly beyond what a mark means."""
    names = [name for _, name in LOUDNESS]
    limits = [0, *(limit for limit, _ in LOUDNESS)]
    place = names.index(mark)
    return loudness < limits[place] - CLEARLY or loudness >= limits[place + 1] + CLEARLY


def _mark(loudness: float) -> str:
    return next((name for limit, name in LOUDNESS if loudness < limit), "ff")
