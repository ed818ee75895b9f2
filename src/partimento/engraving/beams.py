"""Beams: which notes of a voice are joined, and by how many strokes.

Notes shorter than a quarter are joined within a beat; in bars of four quarters four eighths are, within a half bar, and
in three eighths all. Rests part what is joined. As Gould has it (2011, "Behind Bars", pp. 153-157), but for beams over
rests and for secondary beams that break at parts of a beat.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from partimento.engraving.bars import Pulse
from partimento.engraving.values import TYPES, Written, beat_level

__all__ = ["beams_of"]

STROKES = {type: number for number, type in enumerate(TYPES[3:], start=1)}


def beams_of(notes: Sequence[Written], levels: Pulse) -> list[tuple[str, ...]]:
    """What each note does with each stroke, first the one that all have: begin, continue, end, or a hook.

    Args:
        notes: a voice's bar.
        levels: the bar's pulse.
    """
    result: list[tuple[str, ...]] = [()] * len(notes)
    for _, group in itertools.groupby(range(len(notes)), key=lambda n: _group(notes, n, levels)):
        run: list[int] = []
        for number in [*group, -1]:
            note = notes[number] if number >= 0 else None
            if note is not None and note.sound is not None and note.type in STROKES:
                run.append(number)
                continue
            if len(run) > 1:
                joined = _joined([STROKES[notes[n].type] for n in run])
                for n, strokes in zip(run, joined, strict=True):
                    result[n] = strokes
            run = []
    return result


def _group(notes: Sequence[Written], number: int, levels: Pulse) -> tuple[int, int]:
    """Where what a note may be joined with begins, and at which level of the pulse."""
    level = beat_level(levels)
    at = notes[number].start
    if level and levels[0][-1] % 96 == 0 and levels[level][1] == 24:
        half = at // 48 * 48
        inside = [n for n in notes if half <= n.start < half + 48]
        if all(n.type == "eighth" and n.sound and not n.triplet and n.dots == 0 for n in inside) and len(inside) == 4:
            return (half, level - 1)
    return max(p for p in levels[level] if p <= at), level


def _joined(strokes: Sequence[int]) -> list[tuple[str, ...]]:
    """The beams of notes that are joined, by how many strokes each has."""
    result = []
    last = len(strokes) - 1
    for at, own in enumerate(strokes):
        beams = []
        for stroke in range(1, own + 1):
            before = at > 0 and strokes[at - 1] >= stroke
            after = at < last and strokes[at + 1] >= stroke
            if before and after:
                beams.append("continue")
            elif before or after:
                beams.append("end" if before else "begin")
            else:
                beams.append("forward hook" if at == 0 else "backward hook")
        result.append(tuple(beams))
    return result
