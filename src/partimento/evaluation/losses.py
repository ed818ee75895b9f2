"""Losses: what a codec does not keep, measured on real pieces by writing them down and reading them back.

A note is *kept* if one of its pitch comes back, and *in place* if one does within a thirty-second note of where it was
(a piece may begin sooner than it did, if its first silence alone is lost). Leaves out: pedals, bends and lyrics, which
no codec here keeps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.score import NoteArray, Score, bar_edges, end_tick, note_array, seconds_at

__all__ = ["Kept", "kept"]

NEAR = 1 / 8  # beats within which a note is in place, and its length the same
LOUDNESS = 8  # of 127, within which a note is as loud as it was: finer than musicians' signs, coarser than rounding
TENTH = 0.1  # of a length or of a piece's seconds, which no one takes for another
SAID = 0.98  # what holds of fewer notes, or pieces, than this is lost


@dataclass(frozen=True)
class Kept:
    """What of some pieces came back.

    Attributes:
        notes: the share of notes of which the pitch came back, 0 to 1.
        in_place: the share of notes that came back where they were.
        lost: what else did not come back, of "lengths", "instruments", "loudness", "tempo" and "metre".
    """

    notes: float
    in_place: float
    lost: tuple[str, ...]


def kept(pairs: Iterable[tuple[Score, Score]]) -> Kept:
    """Compare pieces with what came back of them.

    Args:
        pairs: each piece as it was and as it came back.

    Returns:
        The shares over all notes together; NaN where there is none.
    """
    notes = came = in_place = pieces = 0
    same: Counter[str] = Counter()
    for before, after in pairs:
        one, other = note_array(before), note_array(after)
        pieces += 1
        notes += len(one)
        came += _common(one, other)
        mine, theirs = _paired(one, other, before.ticks_per_quarter, after.ticks_per_quarter)
        in_place += len(mine)
        length = mine["duration"] / before.ticks_per_quarter
        off = np.abs(theirs["duration"] / after.ticks_per_quarter - length)
        same["lengths"] += int((off <= np.maximum(NEAR, TENTH * length)).sum())
        same["instruments"] += set(one["program"].tolist()) == set(other["program"].tolist())
        same["loudness"] += int((np.abs(mine["velocity"] - theirs["velocity"]) <= LOUDNESS).sum())
        same["tempo"] += _alike_in_seconds(before, after)
        same["metre"] += _alike_in_bars(before, after)
    of = {"lengths": in_place, "loudness": in_place, "instruments": pieces, "tempo": pieces, "metre": pieces}
    lost = tuple(name for name, total in of.items() if same[name] < SAID * total)
    return Kept(came / notes if notes else np.nan, in_place / notes if notes else np.nan, lost)


def _kind(notes: NoteArray) -> NDArray[np.int64]:
    """A number for each pitch and each drum."""
    return np.asarray(notes["pitch"] + np.where(notes["program"] < 0, 128, 0), dtype=np.int64)


def _common(one: NoteArray, other: NoteArray) -> int:
    """How many notes have one of their pitch on the other side, each counted once."""
    counts = [np.bincount(_kind(notes), minlength=256) for notes in (one, other)]
    return int(np.minimum(*counts).sum())


def _paired(one: NoteArray, other: NoteArray, ticks: int, other_ticks: int) -> tuple[NoteArray, NoteArray]:
    """Notes that came back in place, and as what: (K,) of each, from whichever beginning more of them do."""
    if not len(one) or not len(other):
        return one[:0], other[:0]
    at, other_at = one["onset"] / ticks, other["onset"] / other_ticks
    shifts = {0.0, float(at.min() - other_at.min())}
    found = [_matched(_kind(one), at, _kind(other), other_at + shift) for shift in sorted(shifts, key=abs)]
    mine, theirs = max(found, key=lambda pair: len(pair[0]))
    return one[mine], other[theirs]


def _matched(
    kind: NDArray[np.int64], at: NDArray[np.float64], other_kind: NDArray[np.int64], other_at: NDArray[np.float64]
) -> tuple[list[int], list[int]]:
    """Pair notes of one kind that lie within `NEAR`, each once, in order of time."""
    mine: list[int] = []
    theirs: list[int] = []
    order = np.lexsort((other_at, other_kind))
    begins = np.searchsorted(other_kind[order], np.arange(257))
    following = begins[:-1].tolist()  # of each kind, the first note that is not paired yet
    ends, queue, times = begins[1:].tolist(), order.tolist(), other_at.tolist()
    for index in np.argsort(at, kind="stable").tolist():
        k, when = int(kind[index]), float(at[index])
        while following[k] < ends[k] and times[queue[following[k]]] < when - NEAR - 1e-9:
            following[k] += 1
        if following[k] < ends[k] and times[queue[following[k]]] <= when + NEAR + 1e-9:
            mine.append(index)
            theirs.append(queue[following[k]])
            following[k] += 1
    return mine, theirs


def _alike_in_seconds(before: Score, after: Score) -> bool:
    """Whether a beat lasts as long as it did, on average."""
    paces: list[Any] = []
    for score in (before, after):
        end = max(end_tick(score), 1)
        paces.append(float(seconds_at(score, np.array([end]))[0]) / (end / score.ticks_per_quarter))
    return bool(abs(paces[0] - paces[1]) <= TENTH * paces[0])


def _alike_in_bars(before: Score, after: Score) -> bool:
    """Whether the bar lines lie where they did, as far as the shorter of the two goes."""
    one, other = (bar_edges(score) / score.ticks_per_quarter for score in (before, after))
    both = min(len(one), len(other)) - 1
    return bool(np.abs(one[:both] - other[:both]).max(initial=0.0) <= NEAR)
