"""Changing: how seldom metres and tempi change in learnt music, and which ids would change them.

A model that has learnt for minutes knows which metres there are long before it knows that they stay, and drawn from its
distribution each second bar has another. So what changes no oftener in the learnt music is drawn no oftener, unless the
model is sure of it (`sampling`). Leaves out: when it changes, and to what, which is the model's to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass

import numpy as np

from partimento.codecs.cells.clock import Clock
from partimento.codecs.cells.fields import BAR, TEMPI, TEMPO, Ids, Mask, kinds, tempi, values, vocabulary

LEAP = 1.25  # times as fast, or as slow: a tempo that is no slowing down, nor any other nuance


@dataclass(frozen=True)
class Changes:
    """Shares of the chances that were taken, 0 to 1; 1 where nobody knows.

    Attributes:
        metre: of a piece's bars after its first those that have another metre than the one before.
        tempo: … that begin at another tempo than the one before ended at.
        within: of the moments at which a bar may still change its tempo those at which it does.
        leap: of the changes of tempo those by more than a quarter.
    """

    metre: float = 1.0
    tempo: float = 1.0
    within: float = 1.0
    leap: float = 1.0

    def __post_init__(self) -> None:
        if not all(0 <= share <= 1 for share in astuple(self)):
            raise ValueError("a share is from 0 to 1")

    def seldom(self, begun: list[int], clock: Clock) -> list[tuple[Ids, float]]:
        """Ids that would change metre or tempo now, and how likely such a change is in learnt music.

        Args:
            begun: the ids of the event that has begun; none where a bar, or a change of tempo in it, is over.
            clock: the bar before, or the one that is being written.
        """
        ids = vocabulary()
        if not begun:
            return [(np.array(ids["tempo at"]), self.within)]
        kind, field = int(kinds(np.array(begun[0]))), len(begun)
        if kind == BAR and field == 1:
            return [(np.delete(np.array(ids["metre"]), clock.metre), self.metre)]
        if kind not in (BAR, TEMPO) or field != 2 or clock.level < 0:
            return []
        levels = np.array(ids["tempo"])
        leaps = levels[far(np.arange(TEMPI), clock.level)]
        if kind == TEMPO:
            return [(leaps, self.leap)]
        return [(np.delete(levels, clock.level), self.tempo), (leaps, self.tempo * self.leap)]


def counted_changes(pieces: Iterable[Ids]) -> Changes:
    """How often pieces change.

    Args:
        pieces: of each the events (E, 6) of its bars, which all name their tempi, and of its tempi within them.
    """
    bars = metres = starts = within = leaps = moments = 0
    for events in pieces:
        is_bar, level = kinds(events[:, 0]) == BAR, values(events[:, 2])
        metre = values(events[is_bar, 1])
        bars += max(len(metre) - 1, 0)
        metres += int((metre[1:] != metre[:-1]).sum())
        changed = level[1:] != level[:-1]
        starts += int((changed & is_bar[1:]).sum())
        within += int((changed & ~is_bar[1:]).sum())
        leaps += int((changed & far(level[1:], level[:-1])).sum())
        moments += len(level)
    return Changes(
        metres / bars if bars else 1.0,
        starts / bars if bars else 1.0,
        within / moments if moments else 1.0,
        leaps / (starts + within) if starts + within else 0.0,
    )


def far(levels: Ids, level: Ids | int) -> Mask:
    """Which tempi, by their indices, are leaps from another."""
    ratio = tempi()[levels] / tempi()[level]
    return np.asarray((ratio > LEAP) | (ratio < 1 / LEAP))
