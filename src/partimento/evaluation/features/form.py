"""Features of form: what comes back, and after how long.

Wu and Yang 2020 measure the structure of a piece as the most repetitive stretch of its self-similarity matrix (Foote
1999; the fitness of Müller, Jiang and Grosche 2013), over short, middle and long stretches of seconds, from audio:
"structureness". A score knows its bars and its notes, so here bars are compared with bars, by the notes that begin in
them, and each with its best match: within a phrase (short), or from a phrase's length on (long). As theirs it is high
where anything comes back, whatever and wherever; unlike theirs it needs no synthesiser, no beat tracker and no search.

Leaves out: what comes back in another key, in other note values or varied; only the notes that stayed count then.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from partimento.evaluation.features.view import Ints, View

__all__ = ["LONG", "SHORT", "long_self_similarity", "repetition", "short_self_similarity"]

SHORT = range(1, 5)  # bars back: within a phrase
LONG = range(8, 65)  # bars back: from a phrase of eight on, and as far as the forms of songs and dances reach


def repetition(view: View) -> float:
    """The share of bars with an onset that repeat an earlier bar, note for note, 0 to 1.

    Bars are the same where the same pitches, or drums, begin at the same places of bars of the same length; how long
    and how loud they are, and on which instrument, does not matter. NaN of a piece without notes.
    """
    bar, inside = _contents(view)
    if not len(bar):
        return np.nan
    starts = np.flatnonzero(np.diff(bar, prepend=-1))
    contents = np.split(inside, starts[1:])
    steps = view.placed.steps[bar[starts]].tolist()
    seen = {(length, row.tobytes()) for length, row in zip(steps, contents, strict=True)}
    return 1 - len(seen) / len(contents)


def short_self_similarity(view: View) -> float:
    """How like a bar is to the one of the four bars before it that it is most like, on average, 0 to 1.

    See `_self_similarity`. High for an accompaniment that goes on, and for a motif that is repeated.
    """
    return _self_similarity(view, SHORT)


def long_self_similarity(view: View) -> float:
    """How like a bar is to the one that it is most like of those 8 to 64 bars before it, on average, 0 to 1.

    See `_self_similarity`. High for a verse, a refrain or a section that returns; NaN of a piece of eight bars or less.
    """
    return _self_similarity(view, LONG)


def _self_similarity(view: View, lags: range) -> float:
    """The mean over bars of max over the lags l of |A_i ∩ A_(i-l)| / |A_i ∪ A_(i-l)|.

    A is the set of (place in the bar, pitch) of the notes that begin in a bar. Only bars of the same length that both
    have a note are compared; bars with nothing to be compared with are left out, and NaN where no bar is left. The more
    bars there are to choose from, the more alike is the best of them: compare pieces of about the same length.
    """
    bar, inside = _contents(view)
    bars, row, count = np.unique(bar, return_inverse=True, return_counts=True)  # those with a note: (B,), (N,), (B,)
    if not len(bars):
        return np.nan
    length = view.placed.steps[bars]
    wanted = bars[:, None] - np.array(lags)  # (B, L)
    before = np.searchsorted(bars, wanted)
    alike = (bars[before] == wanted) & (length[before] == length[:, None])
    shared = _shared(bar, row, inside, lags)
    likeness = np.where(alike, shared / (count[:, None] + count[before] - shared), -1.0)
    best = likeness.max(axis=1)
    return float(best[best >= 0].mean()) if (best >= 0).any() else np.nan


def _shared(bar: Ints, row: Ints, inside: Ints, lags: range) -> NDArray[np.int64]:
    """(B, L) how many notes each bar has in common with the one so many bars before it.

    Args:
        bar: (N,) of each note.
        row: (N,) the same, the B bars with a note being numbered from 0.
        inside: (N,) what the note is, and where in its bar.
        lags: L numbers of bars.
    """
    order = np.lexsort((bar, inside))
    bar, row, inside = bar[order], row[order], inside[order]
    result = np.zeros((int(row.max()) + 1) * len(lags), dtype=np.int64)
    for ahead in range(1, len(bar)):  # the bars of one note ascend: once none is near, none further ahead is
        lag = bar[ahead:] - bar[:-ahead]
        near = (inside[ahead:] == inside[:-ahead]) & (lag <= lags[-1])
        if not near.any():
            break
        near &= lag >= lags[0]
        result += np.bincount(row[ahead:][near] * len(lags) + lag[near] - lags[0], minlength=len(result))
    return result.reshape(-1, len(lags))


def _contents(view: View) -> tuple[Ints, Ints]:
    """Bar and content of each note, (N,) each: what begins at one place on one pitch is there once; ordered by both."""
    placed = view.placed
    content = placed.step * 256 + placed.pitch
    size = int(content.max(initial=0)) + 1
    bar, inside = np.divmod(np.unique(placed.bar * size + content), size)
    return bar, inside
