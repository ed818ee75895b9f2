"""Chance: how far sets of people's pieces lie from one another, so that "within human variation" means something.

A set of made pieces is set beside a reference of human ones, and differs from it; so would as many other human pieces.
How far, the reference itself tells, by the bootstrap (Efron and Tibshirani 1993, chapter 16): draw a set of the size of
the made one from the reference, with replacement, and another of the size of the reference, compare the two exactly as
the made set and the reference are compared, and do so again and again. Both are drawn, for both are samples: sets drawn
from the reference and compared with the reference itself would lie too near, and real human pieces outside too often.
`LEVEL` of such pairs diverge by the *limit* or less, and a made set that diverges no more is inside.

It is one-sided: no set is outside because it is too near. Of many features about one in twenty lies outside by chance,
also of human pieces. With fewer than `FEWEST` human pieces nothing is said. Pieces are drawn as if they were
independent: give one figure a piece, not several excerpts of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partimento.evaluation.distances import (
    Between,
    between,
    common,
    differences,
    gridded,
    jensen_shannon,
    known,
    median,
)
from partimento.evaluation.features import FEATURES, HISTOGRAMS, Survey

__all__ = ["DRAWS", "FEWEST", "LEVEL", "Standing", "beside"]

DRAWS = 500
LEVEL = 0.95  # of pairs of human sets that are inside
FEWEST = 10  # human pieces
NEGLIGIBLE = 0.002  # bits; where human pieces are all alike, a set that diverges no more is inside
AT_ONCE = 100  # draws, to spare memory

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Standing:
    """One feature or histogram of a set beside that of the reference, and beside what chance does.

    Attributes:
        made: the median of the set, NaN where no piece has the feature; of a histogram the mean shares by bin.
        like: the same of the reference.
        distance: see `distances.Differences`; NaN of a histogram, and where one of them has no figure.
        overlap: the area that both have in common, 0 to 1.
        divergence: of Jensen and Shannon, in bits, 0 to 1.
        without: how many pieces of the set have no such figure.
        human_overlap: how much human sets of that size have in common with the reference, at least, in `LEVEL` of
            draws; NaN where it cannot be said.
        human_divergence: how much they diverge at most; NaN where it cannot be said.
        inside: whether the set diverges no more than human sets do; None where it cannot be said.
    """

    made: float | tuple[float, ...]
    like: float | tuple[float, ...]
    distance: float
    overlap: float
    divergence: float
    without: int
    human_overlap: float
    human_divergence: float
    inside: bool | None


def beside(made: Survey, reference: Survey, rng: np.random.Generator, draws: int = DRAWS) -> dict[str, Standing]:
    """Set pieces beside human ones, on every feature and histogram that a human piece has.

    Args:
        made: of N pieces.
        reference: of M human pieces, each a piece of its own.
        rng: draws the human sets.
        draws: how many pairs of them.
    """
    found = {}
    for feature in FEATURES:
        mine, theirs = made.figures[feature.name], reference.figures[feature.name]
        if len(known(theirs)):
            drawn = human_sets(theirs, len(known(mine)), feature.least, rng, draws)
            far, shared, apart = differences(mine, theirs, feature.least)
            missing = int(np.isnan(mine).sum())
            found[feature.name] = _standing(median(mine), median(theirs), far, shared, apart, missing, drawn)
    for histogram in HISTOGRAMS:
        mine, theirs = (_there(survey.histograms[histogram.name]) for survey in (made, reference))
        if len(theirs):
            empty = len(made.histograms[histogram.name]) - len(mine)
            found[histogram.name] = _histogram(mine, theirs, empty, rng, draws)
    return found


def human_sets(reference: Figures, size: int, least: float, rng: np.random.Generator, draws: int) -> Between | None:
    """How far human sets of that size lie from human references.

    Args:
        reference: (M,) figures of human pieces, NaN where a piece has none.
        size: of the sets; those with a figure.
        least: of the feature.
        rng: draws.
        draws: how many pairs.

    Returns:
        (draws,) of each figure; None where there are fewer than `FEWEST` human pieces, or none in a set.
    """
    values, counts = np.unique(known(reference), return_counts=True)
    total = int(counts.sum())
    if total < FEWEST or not size:
        return None
    values, shares = gridded(values, counts / total)
    shares /= shares.sum()  # rounding
    found = []
    for number in _parts(draws):
        sets, likes = (rng.multinomial(n, shares, size=number).astype(np.float64) for n in (size, total))
        found.append(between(values, sets, likes, least))
    return Between(*(np.concatenate([getattr(f, n) for f in found]) for n in ("distance", "overlap", "divergence")))


def human_means(reference: Figures, size: int, rng: np.random.Generator, draws: int) -> Between | None:
    """How far the mean histograms of human sets lie from those of human references.

    Args:
        reference: (M, B) shares of human pieces.
        size: of the sets.
        rng: draws.
        draws: how many pairs.

    Returns:
        As `human_sets`; the distances are NaN.
    """
    total = len(reference)
    if total < FEWEST or not size:
        return None
    shared, apart = [], []
    for number in _parts(draws):
        sets, likes = (_counts(rng.integers(0, total, (number, n)), total) @ reference / n for n in (size, total))
        shared.append(common(sets, likes))
        apart.append(jensen_shannon(sets, likes))
    return Between(np.full(draws, np.nan), np.concatenate(shared), np.concatenate(apart))


def _parts(draws: int) -> Iterator[int]:
    """So many draws, in parts."""
    yield from (min(AT_ONCE, draws - start) for start in range(0, draws, AT_ONCE))


def _counts(drawn: NDArray[np.int64], total: int) -> Figures:
    """(R, total) how often each number occurs in each row of (R, n)."""
    rows = len(drawn)
    flat = (drawn + total * np.arange(rows)[:, None]).ravel()
    return np.bincount(flat, minlength=rows * total).reshape(rows, total).astype(np.float64)


def _histogram(made: Figures, reference: Figures, without: int, rng: np.random.Generator, draws: int) -> Standing:
    """Compare histograms (N, B) and (M, B) by their means."""
    like = reference.mean(axis=0)
    mean = made.mean(axis=0) if len(made) else np.full(len(like), np.nan)
    drawn = human_means(reference, len(made), rng, draws)
    shared, apart = (float(compare(mean, like)) if len(made) else np.nan for compare in (common, jensen_shannon))
    return _standing(tuple(mean.tolist()), tuple(like.tolist()), np.nan, shared, apart, without, drawn)


def _standing(
    made: float | tuple[float, ...],
    like: float | tuple[float, ...],
    far: float,
    shared: float,
    apart: float,
    without: int,
    drawn: Between | None,
) -> Standing:
    if drawn is None:
        return Standing(made, like, far, shared, apart, without, np.nan, np.nan, None)
    least, most = np.quantile(drawn.overlap, 1 - LEVEL), np.quantile(drawn.divergence, LEVEL)
    return Standing(
        made, like, far, shared, apart, without, float(least), float(most), bool(apart <= max(most, NEGLIGIBLE))
    )


def _there(shares: Figures) -> Figures:
    """The rows of pieces that have something to count."""
    return shares[~np.isnan(shares).any(axis=1)]
