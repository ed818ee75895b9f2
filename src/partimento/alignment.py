"""Alignment: how far all the notes of a piece lie beside its beats, and moving them onto these.

A file with a lead-in, or one whose beats were found by a machine, may keep a grid of sixteenths to the end, but beside
the file's own: in POP909 so do 77 of 100 pieces, each by a distance of its own, in scores none. Who foretells when a
note is would have to keep that distance in mind from the first note to the last.

The distance is the circular mean of the onsets over a sixteenth (Mardia and Jupp 2000, "Directional statistics"),

    z = 1/N Σ exp(2πi t / s),    s = 1/4,    distance = s arg(z) / 2π

and is clear where |z| is: a recording that keeps no grid has none, nor have triplets, whose three onsets cancel out.
Of the four sixteenths of a quarter note that is taken for the beat on which, with the one two after it at half weight,
most notes begin; of those on which about as many do, the nearest. A piece that lies on the grid is left alone, and so
is one that would begin before its file does. Leaves out: beats that are nearer to one another or farther apart than
the file's, and where a bar begins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from partimento.score import Score, note_array

__all__ = ["beside_beats", "moved", "on_beats"]

SIXTEENTH = 0.25  # quarter notes
CLEAR = 0.8  # |z| from which on notes keep a grid
NEAR = 1 / 48  # quarter notes that a grid may lie beside the file's and still be taken for it
FEWEST = 16  # notes that tell
ABOUT = 1.1  # times as many notes


def beside_beats(score: Score) -> int:
    """How many ticks after its beats a piece's notes lie, or before them where negative; at most half a quarter note.

    0 where they lie on the beats, where they keep no grid, where there are fewer than `FEWEST`, and where the first
    would lie before the beginning once they are moved.
    """
    onsets = note_array(score)["onset"]
    if len(onsets) < FEWEST:
        return 0
    at = onsets / score.ticks_per_quarter
    mean = np.exp(2j * np.pi * at / SIXTEENTH).mean()
    distance = float(np.angle(mean)) / (2 * np.pi) * SIXTEENTH
    if abs(mean) < CLEAR or abs(distance) <= NEAR:
        return 0
    ticks = round(_of_beat(at, distance) * score.ticks_per_quarter)
    first = int(onsets[0])
    if first < ticks:
        return first if ticks - first <= NEAR * score.ticks_per_quarter else 0
    return ticks


def on_beats(score: Score) -> Score:
    """The piece moved onto its beats; itself where it lies there."""
    ticks = beside_beats(score)
    return moved(score, -ticks) if ticks else score


def _of_beat(at: NDArray[np.float64], distance: float) -> float:
    """How far after the file's beats those lie on which most begins, -0.5 to 0.5 quarter notes.

    Args:
        at: (N,) onsets, in quarter notes.
        distance: how far after the file's sixteenths theirs lie.
    """
    begin = np.bincount(np.rint((at - distance) / SIXTEENTH).astype(np.int64) % 4, minlength=4)
    most = begin + 0.5 * np.roll(begin, -2)
    distances = (distance + SIXTEENTH * np.arange(4) + 0.5) % 1 - 0.5
    return float(min(distances[most * ABOUT >= most.max()], key=abs))


def moved(score: Score, ticks: int) -> Score:
    """The same with all that tracks have so many ticks later; tempi, metres and what else is the score's stay.

    What would come to be before the beginning has negative times.
    """
    result = score.copy()
    for track in result.tracks:
        track.shift_time(ticks, inplace=True)
    return result
