"""Variety: whether the pieces of a set differ from one another, which no feature of single pieces can tell.

A system that has collapsed makes one piece over and over; each may be as good as any. Pieces are compared by their
passages (see `passages`: eight notes of melody or bass, in any key). Leaves out: likeness in harmony or form alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from partimento.passages import resemblance, trace
from partimento.score import Score, note_array

__all__ = ["likeness"]


def likeness(scores: Sequence[Score]) -> float:
    """The share of passages that two pieces have in common, |A ∩ B| / |A ∪ B|, on average over all pairs, 0 to 1.

    1 where all pieces are one, in any key; among different pieces of people it is near 0. NaN of fewer than two pieces
    with notes.
    """
    heard = [score for score in scores if score.note_num()]
    traces = [trace(note_array(score), score.ticks_per_quarter) for score in heard]
    shared = [resemblance(a.sketches, b.sketches) for a, b in itertools.combinations(traces, 2)]
    return float(np.mean(shared)) if shared else np.nan
