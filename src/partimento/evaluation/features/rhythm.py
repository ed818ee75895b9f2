"""Features of rhythm: how many notes, how long, how far apart, and whether bars keep a groove. Drums count.

Lengths and gaps are counted as well as averaged, in bins that grow with them: three to each doubling, so that plain,
triplet and dotted values (1, 4/3 and 3/2 of a beat) have a bin each, which forgives a player 6 %, and 12 % of plain
values.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from partimento.evaluation.features.view import GRID, View

__all__ = [
    "VALUES",
    "durations",
    "empty_bars",
    "groove_consistency",
    "inter_onset_intervals",
    "mean_duration",
    "mean_inter_onset_interval",
    "note_density",
]

_SHORTEST, _LONGEST = -4, 4  # powers of two, in beats: a 64th note and four whole notes
VALUES: tuple[Fraction, ...] = (
    *(part * Fraction(2) ** k for k in range(_SHORTEST, _LONGEST) for part in (1, Fraction(4, 3), Fraction(3, 2))),
    Fraction(2) ** _LONGEST,
)


def note_density(view: View) -> float:
    """Notes a beat, from the first onset to the last note's end; drums count (the note count of Yang and Lerch 2020).

    They count notes a bar, which depends on how the metre is written.
    """
    notes = view.notes
    span = view.beats(int((notes["onset"] + notes["duration"]).max() - notes["onset"].min())) if len(notes) else 0.0
    return len(notes) / span if span else np.nan


def mean_duration(view: View) -> float:
    """The mean length of the notes that have a pitch, in beats (Yang and Lerch 2020 have its histogram)."""
    notes = view.pitched
    return view.beats(float(notes["duration"].mean())) if len(notes) else np.nan


def mean_inter_onset_interval(view: View) -> float:
    """The mean time from one onset to the next, in beats; the notes of a chord have one onset (Yang and Lerch 2020).

    NaN where there are fewer than two onsets. They count seconds, and each note of a chord as an interval of 0.
    """
    steps = view.steps
    return float(np.diff(steps).mean()) / GRID if len(steps) > 1 else np.nan


def durations(view: View) -> NDArray[np.float64]:
    """(25,) how many of the notes that have a pitch are about as long as each of `VALUES` (Yang and Lerch 2020).

    What is longer or shorter than all of them counts as the longest or the shortest. They have twelve plain, dotted and
    triplet values from a whole note to a sixteenth.
    """
    return _counted(view.pitched["duration"] / view.ticks)


def inter_onset_intervals(view: View) -> NDArray[np.float64]:
    """(25,) how often about each time of `VALUES` lies between two successive onsets; drums count.

    As in `mean_inter_onset_interval`, a chord has one onset.
    """
    return _counted(np.diff(view.steps) / GRID)


def _counted(beats: NDArray[np.float64]) -> NDArray[np.float64]:
    octaves = np.log2(np.maximum(beats, 2.0**_SHORTEST))
    bins = np.floor(3 * (octaves - _SHORTEST) + 0.5).astype(np.int64)
    return np.bincount(np.minimum(bins, len(VALUES) - 1), minlength=len(VALUES)).astype(np.float64)


def groove_consistency(view: View) -> float:
    """How alike neighbouring bars are in where notes begin, 0 to 1 (Wu and Yang 2020; between neighbours: MusPy).

    1 - mean over neighbours of H(a, b) / Q, H the number of the Q places of a bar where notes begin in one of the two
    and not in the other. Only neighbours of the same length are compared, and only where one of them has a note; NaN
    where there are none. A bar of 4/4 has Q = 48 places (Wu and Yang: 64).
    """
    placed = view.placed
    size = int(placed.steps.max(initial=1))
    taken = np.unique(placed.bar * size + placed.step)  # sparse: a long piece has few onsets
    begins = np.bincount(taken // size, minlength=len(placed.steps))
    shared = np.bincount(taken[np.isin(taken + size, taken)] // size, minlength=len(placed.steps))
    differing = begins[:-1] + begins[1:] - 2 * shared[:-1]
    compared = (placed.steps[:-1] == placed.steps[1:]) & (begins[:-1] + begins[1:] > 0)
    return float(1 - (differing / placed.steps[:-1])[compared].mean()) if compared.any() else np.nan


def empty_bars(view: View) -> float:
    """The share of bars in which nothing sounds, 0 to 1, from the first bar to that of the last note (MuseGAN).

    A bar in which a note is only held is not empty. NaN of a piece without notes.
    """
    notes, edges = view.notes, view.edges
    if not len(notes):
        return np.nan
    first = np.searchsorted(edges, notes["onset"], side="right") - 1
    last = np.searchsorted(edges, np.maximum(notes["onset"] + notes["duration"], notes["onset"] + 1), side="left") - 1
    change = np.bincount(first, minlength=len(edges) + 1) - np.bincount(last + 1, minlength=len(edges) + 1)
    return float((np.cumsum(change)[: len(edges) - 1] == 0).mean())
