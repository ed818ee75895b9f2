"""Lines: the voices of a piece as they are heard, and the short passages of them that any key leaves alone.

A piece is heard as its melody (the "skyline" of Uitdenbogerd and Zobel 1999, "Melodic matching techniques for large
music databases"), its bass, and, where nothing has a pitch, its drums. A passage is `LENGTH` successive notes of a
line, written as the intervals between them and the classes of the ratios between their onset gaps, so that
transposing, renaming, another tempo or other note values leave it as it is; it is kept as a 64-bit hash.

Leaves out: inner voices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partimento.score import NoteArray

__all__ = ["LENGTH", "Line", "lines", "mix", "passages"]

LENGTH = 8  # notes of a passage: rarely shared by unrelated tunes, still short against a piece

_BASE = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Line:
    """One voice of a piece, as it is heard.

    Attributes:
        pitch: (N,) int64 MIDI pitches; for drums a number that stands for what is struck together.
        onset: (N,) int64 ticks, ascending, all different.
    """

    pitch: NDArray[np.int64]
    onset: NDArray[np.int64]


def lines(notes: NoteArray) -> list[Line]:
    """The lines of a piece: melody and bass (one where they are the same), or the drums where nothing else sounds."""
    pitched = notes[notes["program"] >= 0]
    if len(pitched):
        onset, end = pitched["onset"], pitched["onset"] + pitched["duration"]
        if (onset[1:] > onset[:-1]).all() and (onset[1:] >= end[:-1]).all():  # one note at a time: nothing to choose
            return [Line(pitched["pitch"].astype(np.int64), onset)]
        melody, bass = _outer(pitched, +1), _outer(pitched, -1)
        alike = len(melody.pitch) == len(bass.pitch) and bool((melody.pitch == bass.pitch).all())
        return [melody] if alike else [melody, bass]
    return [_strokes(notes)] if len(notes) else []


def _outer(notes: NoteArray, side: int) -> Line:
    """The highest (side +1) or lowest (side -1) notes.

    At each onset the outermost note counts, unless the line's last note lies further out and is still held when half
    of the new note is over.
    """
    order = np.lexsort((-side * notes["pitch"], notes["onset"]))
    first = np.unique(notes["onset"][order], return_index=True)[1]
    outermost = notes[order][first]
    kept = []
    held_pitch, held_until = -side * 1000, 0
    columns = (outermost["onset"] * 2, outermost["duration"], outermost["pitch"])
    for index, (onset, duration, pitch) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        if side * held_pitch > side * pitch and held_until > onset + duration:  # all in half ticks
            continue
        kept.append(index)
        held_pitch, held_until = pitch, onset + 2 * duration
    line = outermost[kept]
    return Line(line["pitch"].astype(np.int64), line["onset"])


def _strokes(notes: NoteArray) -> Line:
    """The drums: at each onset a number that stands for all that is struck."""
    onset, start = np.unique(notes["onset"], return_index=True)
    struck = np.add.reduceat(mix(notes["pitch"].astype(np.uint64)), start)
    return Line((struck >> np.uint64(16)).astype(np.int64), onset)


def passages(line: Line, length: int = LENGTH) -> NDArray[np.uint64]:
    """The hash of the passage that begins at each note of a line.

    Args:
        line: N notes.
        length: notes of a passage; at least 2.

    Returns:
        (N - length + 1,) hashes, in order; of a line that is shorter, one hash of all of it.
    """
    length = min(length, len(line.pitch))
    if length < 2:
        return mix(np.full(length, length, dtype=np.uint64))
    gap = np.diff(line.onset).astype(np.float64)
    ratio = np.rint(2 * np.log2(gap[1:] / gap[:-1])).astype(np.int64)  # steps of √2: no rounding to the grid upsets it
    interval = mix(np.diff(line.pitch).astype(np.uint64))
    rhythm = mix(ratio.astype(np.uint64) ^ np.uint64(1 << 40))
    count = len(line.pitch) - length + 1
    total = np.zeros(count, dtype=np.uint64)
    for j in range(length - 1):
        total = total * _BASE + interval[j : j + count]
        if j < length - 2:
            total = total * _BASE + rhythm[j : j + count]
    return mix(total)


def mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread numbers over 64 bits (the finaliser of splitmix64: Steele, Lea and Flood 2014)."""
    x = (x + _BASE).astype(np.uint64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
