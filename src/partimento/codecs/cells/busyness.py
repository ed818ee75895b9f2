"""Busyness: how many notes begin in a quarter note, lately and as the piece began.

A piece is about as busy throughout as it began, more or less so by a half, and a model that has drawn a chord too many
takes what it has drawn for the measure. Counted from the first note on. Leaves out: how long the notes are, how loud,
and by which tracks.
"""

from __future__ import annotations

from collections import deque

from partimento.codecs.cells.fields import STEPS

LATELY = 16 * STEPS  # what is compared with the beginning
BEGINNING = 48 * STEPS  # the longest that it is taken to be
SHORTEST = 8 * STEPS  # the shortest


class Busyness:
    """How busy a piece is, note by note."""

    def __init__(self) -> None:
        self._first = -1  # the step of the first note
        self._began = 0  # notes of the beginning, as far as they are no more of late
        self._late: deque[int] = deque()

    def strike(self, step: int) -> None:
        """A note begins at a step of the piece: in the bar of the last one, or later."""
        if self._first < 0:
            self._first = step
        self._late.append(step)
        self._forget(step)

    def times(self, now: int) -> float | None:
        """How many times as busy it is up to that step as it began; None where that cannot be said yet."""
        self._forget(now)
        length = min(now - LATELY - self._first, BEGINNING)
        if self._first < 0 or length < SHORTEST or not self._began:
            return None
        return max(len(self._late), 1) / LATELY * length / self._began

    def _forget(self, now: int) -> None:
        """Let go of what is no more of late."""
        while self._late and self._late[0] < now - LATELY:
            self._began += self._late.popleft() < self._first + BEGINNING
