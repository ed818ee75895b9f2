"""Busyness: how many notes begin in a quarter note, lately and as the piece began; and where cells are filled.

A piece is about as busy throughout as it began, more or less so by a half, and a model that has drawn a chord too many
takes what it has drawn for the measure. How it began is the measure as far as learnt pieces usually are as busy: a
beginning that is fuller than is usual, or emptier, counts as the fullest or the emptiest that is, and is not kept to.
Counted from the first note on, and compared anew at each bar, so that all its tracks are treated alike. What is filled
is compared track by track with what is expected of it, by whoever knows what stands around. Leaves out: how long the
notes are, and how loud.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from partimento.codecs.cells.fields import STEPS

LATELY = 16 * STEPS  # what is compared with the beginning
BEGINNING = 64 * STEPS  # the longest that it is taken to be
SHORTEST = 16 * STEPS  # the shortest
ANY = (0.0, 1000.0)  # notes a quarter note, where nobody knows what is usual
FARTHEST = 4.0  # times as busy, or less so, that are told
BESIDE = 2  # notes that count beside those of a track's filled cells, so that few say little


class Busyness:
    """How busy a piece is, bar by bar.

    Args:
        usual: how many notes a quarter note learnt pieces have, from the least to the most that is usual.

    Attributes:
        times: how many times as busy it was lately, when the bar began, as in the beginning; None where that cannot be
            said yet.
    """

    def __init__(self, usual: tuple[float, float] = ANY) -> None:
        self._usual = usual
        self.times: float | None = None
        self._first = -1  # the step of the first note
        self._began = 0  # notes of the beginning, as far as they are no more of late
        self._late: Counter[int] = Counter()  # how many notes begin at each step of late

    def strike(self, step: int) -> None:
        """A note begins at a step of the piece."""
        if self._first < 0:
            self._first = step
        self._late[step] += 1

    def enter(self, bar: int) -> None:
        """A bar begins at a step of the piece, after all notes so far."""
        for step in [step for step in self._late if step < bar - LATELY]:
            count = self._late.pop(step)
            self._began += count if step < self._first + BEGINNING else 0
        length = min(bar - LATELY - self._first, BEGINNING)
        if self._first >= 0 and length >= SHORTEST and self._began:
            lately, began = self._late.total() * STEPS / LATELY, self._began * STEPS / length
            times = lately / min(max(began, self._usual[0]), self._usual[1])
            self.times = min(max(times, 1 / FARTHEST), FARTHEST)


class Filling:
    """How busy what is written into hidden cells becomes, track by track.

    Args:
        expected: notes a quarter note by track, from the least to the most that is expected of its hidden cells.
    """

    def __init__(self, expected: Mapping[int, tuple[float, float]]) -> None:
        self._expected = expected
        self._track = -1
        self._quarters = defaultdict[int, float](float)  # by track how long its cells before this one are
        self._notes: Counter[int] = Counter()  # and how many notes begin in them
        self._length, self._struck = 0.0, 0  # the same of this cell

    def answer(self, track: int, steps: int) -> None:
        """A cell of a track begins that is so long."""
        self._quarters[self._track] += self._length
        self._notes[self._track] += self._struck
        self._track, self._length, self._struck = track, steps / STEPS, 0

    def strike(self) -> None:
        """A note of it begins."""
        self._struck += 1

    @property
    def times(self) -> float | None:
        """How many times as busy a track is as most that is expected, or as the least where it is less busy.

        Up to the end of the cell where it is too busy, and then as many times again as the cell is, too; up to the
        cell's beginning where it is not busy enough. 1 between these, and None where nothing is expected.
        """
        if self._track not in self._expected:
            return None
        least, most = self._expected[self._track]
        before, notes = self._quarters[self._track], self._notes[self._track] + self._struck
        if notes > (most_here := most * (before + self._length)):
            cell = (self._struck + BESIDE) / (most * self._length + BESIDE)
            return min((notes + BESIDE) / (most_here + BESIDE) * max(cell, 1), FARTHEST**2)
        return max((notes + BESIDE) / (max(notes, least * before) + BESIDE), 1 / FARTHEST)
