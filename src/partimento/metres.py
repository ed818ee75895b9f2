"""Metres: the time signatures that codecs tell, and where in a score they hold.

A score may name any time signature anywhere, also within a bar. Here each is one of `METRES`, holds from the beginning
of a bar, and fills whole bars: a bar that a new metre cuts short becomes a bar of the shorter metre; n/2 is told as
2n/4, and a metre that `METRES` lacks as one of the same length (18/8 as 9/4), else the metre before it stays. Changes
lie on sixteenths.
"""

from __future__ import annotations

from typing import NamedTuple

from partimento.score import Score


class Metre(NamedTuple):
    """A time signature."""

    numerator: int
    denominator: int

    def bar(self, ticks_per_quarter: int) -> int:
        """A bar's length in ticks; a multiple of four ticks are a quarter."""
        return self.numerator * 4 * ticks_per_quarter // self.denominator

    def strong_beats(self, ticks_per_quarter: int) -> tuple[int, ...]:
        """Ticks from the beginning of a bar at which its strong beats are.

        The first, and each that begins a group of three (6/8, 9/8, 12/8) or of two (4/4, 8/8); of what can be grouped
        in neither way, the first alone.

        Example:
            >>> Metre(4, 4).strong_beats(24), Metre(6, 8).strong_beats(24), Metre(3, 4).strong_beats(24)
            ((0, 48), (0, 36), (0,))
        """
        group = next((size for size in (3, 2) if self.numerator > size and self.numerator % size == 0), self.numerator)
        beat = 4 * ticks_per_quarter // self.denominator
        return tuple(range(0, self.numerator * beat, group * beat))


METRES = tuple(Metre(n, d) for d in (4, 8, 16) for n in range(1, 13))


class Change(NamedTuple):
    """A metre and the tick of the bar from which it holds."""

    tick: int
    metre: Metre


def changes(score: Score, ticks_per_quarter: int) -> list[Change]:
    """The metres by the bars at which they begin, the first at 0; the same metre never twice running.

    Args:
        score: gives the time signatures; 4/4 where there is none.
        ticks_per_quarter: of the ticks that are returned; a multiple of four.
    """
    found = [Change(0, Metre(4, 4))]

    def put(tick: int, metre: Metre) -> None:
        if tick == found[-1].tick:
            found.pop()
        if not found or found[-1].metre != metre:
            found.append(Change(tick, metre))

    sixteenth = ticks_per_quarter // 4
    scale = ticks_per_quarter / score.ticks_per_quarter
    named = {max(s.time, 0): (s.numerator, s.denominator) for s in score.time_signatures}
    for time in sorted(named):
        metre = same_length(*named[time])
        if metre is None:
            continue
        start, old = found[-1]
        since = max(round(time * scale / sixteenth) * sixteenth - start, 0)
        line = start + since - since % old.bar(ticks_per_quarter)
        for part in _short_bars((start + since - line) // sixteenth):
            put(line, part)
            line += part.bar(ticks_per_quarter)
        put(line, metre)
    return found


def same_length(numerator: int, denominator: int) -> Metre | None:
    """The metre itself where it is one of `METRES`, else one of `METRES` with bars as long, else None."""
    if numerator < 1 or denominator < 1:
        return None
    if (numerator, denominator) in METRES:
        return Metre(numerator, denominator)
    for other in (4, 8, 16) if denominator < 4 else (16, 8, 4):
        count, rest = divmod(numerator * other, denominator)
        if rest == 0 and (count, other) in METRES:
            return Metre(count, other)
    return None


def _short_bars(sixteenths: int) -> list[Metre]:
    """Bars that together last so long: one wherever there is such a metre, else quarters and what is over."""
    if sixteenths == 0:
        return []
    for beat, denominator in ((4, 4), (2, 8), (1, 16)):
        if sixteenths % beat == 0 and sixteenths // beat <= METRES[-1].numerator:
            return [Metre(sixteenths // beat, denominator)]
    return [*_short_bars(sixteenths - sixteenths % 4), *_short_bars(sixteenths % 4)]
