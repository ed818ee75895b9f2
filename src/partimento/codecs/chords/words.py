"""The vocabulary of the way with rhythm: which ids there are, and what each means.

Ids lie together by kind, so that a grammar allows a kind by one slice.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from partimento.codecs.chords.naming import chord_name

PAD, BOS, EOS = 0, 1, 2
TEMPOS = tuple(round(30 * 2 ** (i / 8), 1) for i in range(27))  # quarter notes a minute, 30 to 286
VELOCITY = 80  # the level nearest to it holds before the first is told
LONGEST = 16  # beats; longer notes are cut
LONGEST_BAR = 8  # beats; longer bars are read as 4/4


@functools.cache
def lengths(steps_per_beat: int) -> NDArray[np.int64]:
    """The lengths of notes in steps, ascending: every step up to a beat, then coarser, whole beats from eight on."""
    finest = {1: (1,), 2: (6,), 4: (4, 3), 8: (2,), LONGEST: (1,)}  # parts of a beat, up to so many beats
    found = set(range(1, steps_per_beat + 1))
    for (low, _), (high, parts) in itertools.pairwise(finest.items()):
        for part in parts:
            unit = max(steps_per_beat // part, 1)
            found.update(n for n in range(unit, high * steps_per_beat + 1, unit) if n > low * steps_per_beat)
    return np.array(sorted(found), dtype=np.int64)


def bar_steps(metre: tuple[int, int], steps_per_beat: int) -> int:
    """Steps in a bar of that metre; 0 where they are no whole number, or where the bar is too long."""
    numerator, denominator = metre
    steps, rest = divmod(numerator * 4 * steps_per_beat, max(denominator, 1))
    return steps if not rest and 0 < steps <= LONGEST_BAR * steps_per_beat else 0


class Kind:
    """The ids of one kind: `first` to `first + count - 1`, as a slice `span`."""

    def __init__(self, first: int, count: int) -> None:
        self.first = first
        self.count = count
        self.span = slice(first, first + count)


class Words:
    """The vocabulary: what each id means.

    Args:
        steps_per_beat: steps of a quarter note.
        velocities: that of each level of loudness, ascending; where there is but one, it is not told.
        metres: (numerator, denominator), the commonest first; 4/4 is added where it is missing.
        chords: pitches of each note and chord that was learnt, ascending; single notes that are missing are added.

    Raises:
        ValueError: a metre, a velocity or a chord cannot be.
    """

    def __init__(
        self,
        steps_per_beat: int,
        velocities: Sequence[int] = (VELOCITY,),
        metres: Sequence[tuple[int, int]] = (),
        chords: Sequence[tuple[int, ...]] = (),
    ) -> None:
        if not all(bar_steps(metre, steps_per_beat) for metre in metres):
            raise ValueError("a metre's bars must be of whole steps")
        if not velocities or not all(1 <= velocity <= 127 for velocity in velocities):
            raise ValueError("velocities must be from 1 to 127")
        if any(low >= high for chord in chords for low, high in itertools.pairwise(chord)):
            raise ValueError("a chord's pitches must ascend")
        self.steps_per_beat = steps_per_beat
        self.velocities = list(velocities)
        self.metres = [*metres, *([(4, 4)] if (4, 4) not in metres else [])]
        known = set(chords)
        self.chords = [*chords, *((pitch,) for pitch in range(128) if (pitch,) not in known)]
        self.bars = [bar_steps(metre, steps_per_beat) for metre in self.metres]
        self.lengths: list[int] = lengths(steps_per_beat).tolist()
        counts = {
            "tempo": len(TEMPOS),
            "metre": len(self.metres),
            "bar": 1,
            "at": max(self.bars),
            "loud": len(self.velocities) if len(self.velocities) > 1 else 0,
            "long": len(self.lengths),
            "chord": len(self.chords),
        }
        firsts = np.cumsum([3, *counts.values()])
        kinds = {name: Kind(int(first), n) for (name, n), first in zip(counts.items(), firsts, strict=False)}
        self.tempo, self.metre, self.bar, self.at = (kinds[name] for name in ("tempo", "metre", "bar", "at"))
        self.loud, self.long, self.chord = (kinds[name] for name in ("loud", "long", "chord"))
        self.size = int(firsts[-1])
        self.long_ids = {steps: self.long.first + i for i, steps in enumerate(self.lengths)}
        self.ids = {chord: self.chord.first + i for i, chord in enumerate(self.chords)}
        self.widest = max(len(chord) for chord in self.chords)
        self.metre_ids = {metre: self.metre.first + i for i, metre in enumerate(self.metres)}
        self.common_time = self.metres.index((4, 4))

    def names(self) -> list[str]:
        """A name for each id, for people."""
        return [
            *("pad", "bos", "eos"),
            *(f"tempo {qpm:g}" for qpm in TEMPOS),
            *(f"metre {numerator}/{denominator}" for numerator, denominator in self.metres),
            "bar",
            *(f"at {i}" for i in range(self.at.count)),
            *(f"loud {velocity}" for velocity in self.velocities[: self.loud.count]),
            *(f"long {steps}" for steps in self.lengths),
            *(chord_name(chord) for chord in self.chords),
        ]

    def level(self, velocity: float, held: int) -> int:
        """The level nearest to a velocity, or the one held so far where that is about as near (lest it swing)."""
        away = [abs(velocity - level) for level in self.velocities]
        nearest = min(away)
        return held if away[held] <= 1.5 * nearest else away.index(nearest)

    @functools.cached_property
    def first_level(self) -> int:
        """The level that holds before one is told."""
        return min(range(len(self.velocities)), key=lambda level: abs(self.velocities[level] - VELOCITY))
