"""How busy what is written is expected to be: as what stands around it, or as such instruments are in learnt pieces.

A model of a few minutes takes what it has written for the measure, and fills two or three times as busily as people
would. What is expected is no rule: `Sampling.steadiness` says how firmly it is held to.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from partimento.codecs.cells.fields import STEPS, Mask
from partimento.codecs.cells.grid import Grid

__all__ = ["expected"]

NEAREST = 8  # bars that stay, by which it is known how busy a track is
LOOSELY = 1.25  # times as busy, or less so, that what is written may be


def expected(grid: Grid, cells: Mask, part: Mask, usual: NDArray[np.float64]) -> dict[int, tuple[float, float]]:
    """How many notes a quarter note are expected of what is written, by track from the least to the most.

    As many as the track has in the bars nearest to it that stay, more or less by a quarter; or, where none stay or all
    that is written is silent there, as tracks of its program have in learnt pieces.

    Args:
        grid: the piece.
        cells: (bars, tracks) what is written in all.
        part: what is written now.
        usual: (129, 2) the least and the most that is usual, by program.
    """
    notes, quarters = grid.notes, np.diff(grid.starts) / STEPS
    written = np.flatnonzero(part.any(axis=0)).tolist()
    rates: dict[int, float] = {}  # of the tracks that have bars that stay
    for place in written:
        stay, now = np.flatnonzero(~cells[:, place]), np.flatnonzero(part[:, place])
        near = stay[np.abs(stay[:, None] - now).min(axis=1).argsort(kind="stable")[:NEAREST]]
        if len(near):
            rates[place] = float(notes[near, place].sum() / quarters[near].sum())
    if not any(rates.values()):
        rates = {}
    found = {}
    for place in written:
        least, most = usual[grid.programs[place]].tolist()
        if place in rates:
            least, most = rates[place] / LOOSELY, rates[place] * LOOSELY
        found[int(grid.tracks[place])] = least, most
    return found
