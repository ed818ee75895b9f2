"""Clefs: which one each staff has, and where it changes.

Each instrument has its own, the first the usual one. A staff changes its clef at a bar where that saves more ledger
lines than a change costs a reader, which is found for the whole staff at once (Viterbi 1967). Leaves out: changes
within a bar, and signs for an octave higher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from partimento.engraving.bars import Bar
from partimento.engraving.voices import Tone

__all__ = ["BASS", "PERCUSSION", "TREBLE", "Clef", "candidates", "clefs_of"]

CHANGE = 60.0  # semitones beyond the staff that a change of clef must save
REACH = 9  # semitones from the middle line that need no more than one ledger line


@dataclass(frozen=True)
class Clef:
    """A clef: its sign, the line that it stands on, and the octaves by which it is put up."""

    sign: str
    line: int
    octave: int = 0


TREBLE, BASS, ALTO, TENOR = Clef("G", 2), Clef("F", 4), Clef("C", 3), Clef("C", 4)
HIGH, GUITAR, LOW = Clef("G", 2, 1), Clef("G", 2, -1), Clef("F", 4, -1)
PERCUSSION = Clef("percussion", 2)
MIDDLES = {TREBLE: 71, BASS: 50, ALTO: 60, TENOR: 57, HIGH: 83, GUITAR: 59, LOW: 38}  # pitches on the middle line
OWN = {
    9: (HIGH, TREBLE),
    41: (ALTO, TREBLE),
    42: (BASS, TENOR, TREBLE),
    57: (BASS, TENOR),
    70: (BASS, TENOR),
    72: (HIGH,),
}
OWN |= dict.fromkeys((32, *range(33, 40), 43), (LOW, BASS)) | dict.fromkeys(range(24, 32), (GUITAR,))


def candidates(tones: Sequence[Tone], program: int) -> tuple[Clef, ...]:
    """The clefs that a part on one staff may have: those of its instrument, else treble and bass.

    One that would need ledger lines for most of the part is none.
    """
    pitches = np.array([tone.pitch for tone in tones])
    own = OWN.get(program, (TREBLE, BASS, *((HIGH,) if np.median(pitches) > 88 else ())))
    off = {clef: float(np.abs(pitches - MIDDLES[clef]).mean()) for clef in (*own, TREBLE, BASS)}
    return own if min(off[clef] for clef in own) < 14 else (min(off, key=lambda clef: off[clef]),)


def clefs_of(tones: Sequence[Tone], clefs: Sequence[Clef], bars: Sequence[Bar]) -> dict[int, Clef]:
    """The clefs of a staff by the bar from which they hold, the first 0.

    Args:
        tones: that stand on it.
        clefs: to choose from, the usual one first.
        bars: of the whole score.
    """
    pitches = np.array([tone.pitch for tone in tones])
    bar_of = np.searchsorted([bar.start for bar in bars], [tone.start for tone in tones], side="right") - 1
    costs = np.zeros((len(bars), len(clefs)))
    for place, clef in enumerate(clefs):
        np.add.at(costs[:, place], bar_of, np.maximum(np.abs(pitches - MIDDLES[clef]) - REACH, 0))
    best = costs[0] + np.arange(len(clefs))  # the usual one, where all are as good
    before = np.zeros((len(bars), len(clefs)), dtype=np.int64)
    for bar in range(1, len(bars)):
        changed = best[:, None] + CHANGE * (1 - np.eye(len(clefs)))
        before[bar] = changed.argmin(axis=0)
        best = changed.min(axis=0) + costs[bar]
    chosen = [int(best.argmin())]
    for bar in range(len(bars) - 1, 0, -1):
        chosen.append(int(before[bar, chosen[-1]]))
    chosen.reverse()
    result: dict[int, Clef] = {0: clefs[chosen[0]]}
    sounding = set(bar_of.tolist())
    for bar, place in enumerate(chosen):
        if bar in sounding and clefs[place] != result[max(result)]:
            result[bar if min(sounding) < bar else 0] = clefs[place]
    return result
