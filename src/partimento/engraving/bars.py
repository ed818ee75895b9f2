"""Bars: where they begin on the grid, and how each divides into groups, beats and parts of beats.

Time here is counted in units of a 24th of a quarter note, in which thirty-second notes and the triplets of sixteenths
are whole numbers. A bar's pulse is a list of levels as Lerdahl and Jackendoff draw them (1983, "A Generative Theory of
Tonal Music", ch. 4): each divides the one before it, and the earlier a position occurs, the stronger it is.

A time signature that comes in the middle of a bar ends it there; what is left is a short bar with a metre of its own.
Leaves out: pickup bars, and metres whose bars are no whole number of thirty-second notes: the one before them goes on.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

from partimento.score import Score

__all__ = ["UNITS", "Bar", "Pulse", "bars_of", "pulse"]

UNITS = 24  # of a quarter note
STEP = 3  # units of a thirty-second note, the finest that bars begin on
LONGEST = 32 * UNITS  # of a bar; a longer one is a fault of the file

Pulse = tuple[tuple[int, ...], ...]


class Bar(NamedTuple):
    """A bar: where it begins and how long it is, in units, and its time signature."""

    start: int
    length: int
    numerator: int
    denominator: int

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.start + self.length


def bars_of(score: Score, until: int, most: int) -> list[Bar]:
    """The bars up to a time, at least one.

    Args:
        score: gives the time signatures; 4/4 where there is none.
        until: the last bar begins before it, in units.
        most: bars there may be.
    """
    named = {0: (4, 4)}
    for signature in sorted(score.time_signatures, key=lambda s: s.time):
        metre = (signature.numerator, signature.denominator)
        if _length(*metre):
            at = max(signature.time, 0) * UNITS / (score.ticks_per_quarter * STEP)
            named[round(at) * STEP] = metre
    starts = [at for at in sorted(named) if at == 0 or at < until]
    bars: list[Bar] = []
    for start, stop in zip(starts, [*starts[1:], max(until, starts[-1] + 1)], strict=True):
        length, last = _length(*named[start]), start == starts[-1]
        for at in itertools.islice(range(start, stop, length), most - len(bars)):
            short = stop - at < length and not last
            bars.append(_short(at, stop - at) if short else Bar(at, length, *named[start]))
    return bars


def _length(numerator: int, denominator: int) -> int:
    """Units in a bar; 0 where that is no bar that can be written."""
    if numerator < 1 or denominator not in (1, 2, 4, 8, 16, 32):
        return 0
    length, rest = divmod(numerator * 4 * UNITS, denominator)
    return length if rest == 0 and length % STEP == 0 and length <= LONGEST else 0


def _short(start: int, length: int) -> Bar:
    """What is left of a bar, in the simplest metre of that length."""
    denominator = next(d for d in (4, 8, 16, 32) if length % (4 * UNITS // d) == 0)
    return Bar(start, length, length * denominator // (4 * UNITS), denominator)


def pulse(numerator: int, denominator: int) -> Pulse:
    """The levels of a bar, strongest first: positions in units, each from 0 to the bar's length.

    Example:
        >>> pulse(6, 8)[:3]
        ((0, 72), (0, 36, 72), (0, 12, 24, 36, 48, 60, 72))
    """
    unit = 4 * UNITS // denominator
    counts = _groups(numerator, denominator)
    levels: list[tuple[int, ...]] = [(0, numerator * unit)]
    for sizes in (*counts, (1,) * numerator):
        level = tuple(unit * at for at in itertools.accumulate(sizes, initial=0))
        if level != levels[-1]:
            levels.append(level)
    while unit % 2 == 0 and unit > STEP:
        unit //= 2
        levels.append(tuple(range(0, levels[0][1] + 1, unit)))
    return tuple(levels)


def _groups(numerator: int, denominator: int) -> list[tuple[int, ...]]:
    """How the counts of a bar are grouped: by half bars and the like, then by beats that hold several of them."""
    if denominator >= 8:
        if numerator % 3 == 0:
            beats = numerator // 3
            halves: list[tuple[int, ...]] = [(6, 6)] if beats == 4 else []
            return [*halves, (3,) * beats]
        if numerator % 2 == 0:
            pairs = numerator // 2
            halves = [(4,) * (numerator // 4)] if pairs % 2 == 0 else []
            return [*halves, (2,) * pairs]
        if numerator == 5:
            return [(3, 2)]
        return [(2,) * ((numerator - 3) // 2) + (3,)] if numerator > 1 else []
    if numerator == 4:
        return [(2, 2)]
    if numerator % 4 == 0:
        return [(4,) * (numerator // 4), (2,) * (numerator // 2)]
    if numerator % 3 == 0:
        return [(3,) * (numerator // 3)]
    threes = {5: (3, 2), 7: (4, 3)}.get(numerator)
    if threes:
        return [threes]
    return [(2,) * (numerator // 2) + (1,) * (numerator % 2)] if numerator > 2 else []
