"""Timing: when the groups of ids of a piece are, in musical time, read off the ids alone.

Which notes sound together, and how far one is from another, is told by bars, metres and places within a bar; in what is
told after the rest, a hidden cell's notes, by the bar that it was hidden in. A model that knows the time of each group
can look at what sounds then, wherever it is told (`blocks`: positions by time). Models with positions by bar and beat
are told so by ids of their own (Guo et al. 2022, "A domain-knowledge-inspired music embedding space and a novel
attention mechanism for symbolic music modeling"); here it is derived, and the ids stay as they are.

Leaves out: tempo. Time is counted in quarter notes, as it is written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONGEST = 1 << 20  # steps of a bar
STAYS, BAR, AT, HIDES, ANSWERS = range(5)


@dataclass(frozen=True)
class Timing:
    """What ids say of time.

    Attributes:
        roles: (V,) what a group that begins with each id does: it is where its bar begins (`STAYS`), begins the next
            bar (`BAR`), is at a time of its own within the bar (`AT`), marks the bar (`HIDES`), or goes back to a
            marked bar (`ANSWERS`).
        amounts: (V,) steps: of the second id of a group that begins a bar, how long the bar is; of the first two ids of
            a group at a time of its own, whose sum is counted from the bar's beginning. Of a mark, its number.
        steps: of a quarter note.
        mark: which id of a group is the mark.

    Raises:
        ValueError: a number is below 0 or beyond all bars, or there is not one of each for every id.
    """

    roles: tuple[int, ...]
    amounts: tuple[int, ...]
    steps: int
    mark: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "roles", tuple(self.roles))  # JSON has made lists of them
        object.__setattr__(self, "amounts", tuple(self.amounts))
        numbers = (*self.roles, *self.amounts, self.steps - 1, self.mark)
        whole = all(type(number) is int and 0 <= number <= LONGEST for number in numbers)
        if not whole or len(self.roles) != len(self.amounts) or max(self.roles, default=STAYS) > ANSWERS:
            raise ValueError("timing needs a role and an amount for each id")

    def times(self, groups: NDArray[np.int64]) -> NDArray[np.float64]:
        """At which quarter note each group of (B, G, n) ids is, (B, G); each row is entered anew."""
        found = np.empty(groups.shape[:2])
        for row, piece in enumerate(groups.tolist()):
            keeper = Timekeeper(self)
            found[row] = [keeper.hear(group) for group in piece]
        return found


class Timekeeper:
    """Goes through one piece, from its beginning or from anywhere, and says when each group is.

    A bar whose beginning was not heard lasts as long as anything in it.

    Args:
        timing: what the ids say.
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._bar = self._next = 0  # where this bar begins, and where the next does
        self._marked: dict[int, int] = {}

    def hear(self, group: list[int]) -> float:
        """At which quarter note this group (n,) is. One that begins with no id is where its bar begins."""
        return self._move(group) / self._timing.steps

    def _move(self, group: list[int]) -> int:
        roles, amounts, mark = self._timing.roles, self._timing.amounts, self._timing.mark
        role = roles[group[0]] if group[0] < len(roles) else STAYS
        if role == AT:
            time = self._bar + amounts[group[0]] + amounts[group[1]]
            self._next = max(self._next, time + 1)
            return time
        if role == BAR:
            self._bar = self._next
            self._next += amounts[group[1]]
        elif role == HIDES:
            self._marked[amounts[group[mark]]] = self._bar
        elif role == ANSWERS:
            self._bar = self._marked.get(amounts[group[mark]], self._bar)
        return self._bar
