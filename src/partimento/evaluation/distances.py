"""Distances: how far the pieces of a machine lie from pieces of people, feature by feature.

A feature of a set of pieces is a sample of numbers, one a piece, and two sets are compared as two samples. Three
figures, after Yang and Lerch 2020, who compare densities:

- `distance`, the Wasserstein-1 distance (in one dimension the area between the two distribution functions; Vallender
  1974) over the spread of the reference: how many standard deviations of human pieces a made piece has to be moved, on
  average, to be distributed as they are. It grows with how far off a set lies, needs neither bins nor bandwidths, and
  is defined for sets of any size.
- `overlap`, the area under both densities, 0 to 1.
- `divergence`, that of Jensen and Shannon (Lin 1991) between them, in bits, 0 to 1: how much one learns, from one piece
  on average, about which of the two sets it came from. Yang and Lerch take the divergence of Kullback and Leibler,
  which is infinite where one set has what the other never has, and is not the same both ways.

The densities are estimated by Gaussian kernels (Scott 1992), of *one* width for both and on *one* common grid: of two
widths, two samples of one distribution would differ by their sizes alone. (The well-known tool evaluates its two
densities on different grids, so that its areas may pass 1 or miss an overlap.) The samples are put on the grid by
linear binning and smoothed by Fourier transform (Silverman 1982; Wand 1994), which is fast enough for the many draws of
`chance` and needs no kernel wider than a cell. Histograms, counted within pieces, are compared as the mean over pieces:
each piece weighs the same, however many notes it has.

Small sets differ by chance alone: see `chance`, and never compare with 0. Leaves out: how features hang together, which
`realness` sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from partimento.evaluation.features import FEATURES

__all__ = [
    "Between",
    "Differences",
    "Nearness",
    "between",
    "common",
    "densities",
    "differences",
    "gridded",
    "jensen_shannon",
    "nearness",
    "wasserstein",
]

CELLS = 512  # of the common grid
REACH = 3.0  # widths of the kernel that the grid goes beyond the outermost figure

Figures = NDArray[np.float64]


def wasserstein(one: Figures, other: Figures) -> float:
    """The Wasserstein-1 distance of two samples, in their unit; NaN where one is empty. NaNs in them are left out.

    Example:
        >>> wasserstein(np.array([0.0, 1.0]), np.array([1.0, 2.0, 1.0, 2.0]))
        1.0
    """
    one, other = known(one), known(other)
    if not len(one) or not len(other):
        return np.nan
    values, weights = _together(one, other)
    return float(_moved(values, *weights)[0])


class Differences(NamedTuple):
    """What lies between two samples; NaN where one has no figure.

    Attributes:
        distance: the Wasserstein-1 distance over the standard deviation of the reference.
        overlap: the area under both densities on one common grid, 0 to 1.
        divergence: of Jensen and Shannon, of both densities on one common grid, 0 to 1 bits.
    """

    distance: float
    overlap: float
    divergence: float


def differences(made: Figures, reference: Figures, least: float) -> Differences:
    """Compare two samples.

    Args:
        made: (N,) figures, NaN where a piece has none.
        reference: (M,) the same of human pieces.
        least: the narrowest kernel, and what stands for the reference's spread where it has less.
    """
    made, reference = known(made), known(reference)
    if not len(made) or not len(reference):
        return Differences(np.nan, np.nan, np.nan)
    values, weights = _together(made, reference)
    found = between(values, *weights, least)
    return Differences(float(found.distance[0]), float(found.overlap[0]), float(found.divergence[0]))


def common(one: Figures, other: Figures) -> Figures:
    """The area that histograms (…, B), each of sum 1, have in common: Σ min(p, q), 0 to 1."""
    return np.asarray(np.minimum(one, other).sum(axis=-1))


def jensen_shannon(one: Figures, other: Figures) -> Figures:
    """The Jensen-Shannon divergence of histograms (…, B), each of sum 1, in bits, 0 to 1.

    H((p + q) / 2) - (H(p) + H(q)) / 2, H the entropy (Lin 1991).
    """
    return np.clip(_entropy((one + other) / 2) - (_entropy(one) + _entropy(other)) / 2, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class Between:
    """What lies between pairs of samples, (R,) each: see `Differences`."""

    distance: Figures
    overlap: Figures
    divergence: Figures


def between(values: Figures, one: Figures, other: Figures, least: float) -> Between:
    """Compare R pairs of samples of the same K values.

    Args:
        values: (K,) ascending, none of them NaN.
        one: (R, K) how often each value occurs in the one sample; at least once in all.
        other: (R, K) the same of the other, which is the reference.
        least: the narrowest kernel, and the least spread.
    """
    _, mine, theirs = _densities(values, one, other, least)
    far = _moved(values, one, other) / np.maximum(_spread(values, other), least)
    return Between(far, common(mine, theirs), jensen_shannon(mine, theirs))


def densities(made: Figures, reference: Figures, least: float) -> tuple[Figures, Figures, Figures]:
    """Both densities on their common grid, as `overlap` and `divergence` compare them: to be drawn.

    Args:
        made: (N,) figures, at least one that is not NaN.
        reference: (M,) the same of human pieces.
        least: the narrowest kernel.

    Returns:
        (CELLS,) the figures at which they are given, and (CELLS,) shares of either set, each of sum 1.
    """
    values, weights = _together(known(made), known(reference))
    at, mine, theirs = _densities(values, *weights, least)
    return at, mine[0], theirs[0]


@dataclass(frozen=True)
class Nearness:
    """One feature of a set beside that of the reference.

    Attributes:
        made: the median of the set, NaN where no piece has the feature.
        like: the median of the reference.
        distance: see `Differences`; NaN where one of them has no figure.
        overlap: see `Differences`.
        without: how many pieces of the set have no such figure.
        divergence: see `Differences`.
    """

    made: float
    like: float
    distance: float
    overlap: float
    without: int
    divergence: float


def nearness(made: Mapping[str, Figures], reference: Mapping[str, Figures]) -> dict[str, Nearness]:
    """Compare two sets on every feature that was measured of both and that the reference has.

    Args:
        made: figures by feature, as `features.measured` gives them.
        reference: the same of human pieces.
    """
    found = {}
    for feature in FEATURES:
        mine, theirs = made.get(feature.name), reference.get(feature.name)
        if mine is None or theirs is None or not len(known(theirs)):
            continue
        far, shared, apart = differences(mine, theirs, feature.least)
        found[feature.name] = Nearness(
            median(mine), median(theirs), far, shared, without=int(np.isnan(mine).sum()), divergence=apart
        )
    return found


def gridded(values: Figures, counts: Figures) -> tuple[Figures, Figures]:
    """Many values put on a grid between the least and the greatest: at most CELLS of them, and how often each occurs.

    Args:
        values: (K,) ascending.
        counts: (K,) how often each occurs.
    """
    if len(values) <= CELLS:
        return values, counts
    at = np.linspace(values[0], values[-1], CELLS)
    there = _binned((values - at[0]) / (at[1] - at[0]), counts[None])[0]
    return at[there > 0], there[there > 0]


def known(sample: Figures) -> Figures:
    """What a sample has that is not NaN, ascending."""
    return np.sort(sample[~np.isnan(sample)])


def median(sample: Figures) -> float:
    """The median of what is known; NaN where nothing is."""
    there = known(sample)
    return float(np.median(there)) if len(there) else np.nan


def _together(one: Figures, other: Figures) -> tuple[Figures, tuple[Figures, Figures]]:
    """The values of two samples, ascending, and how often each occurs in either, (1, K)."""
    values, place = np.unique(np.concatenate([one, other]), return_inverse=True)
    mine = np.bincount(place[: len(one)], minlength=len(values)).astype(np.float64)
    theirs = np.bincount(place[len(one) :], minlength=len(values)).astype(np.float64)
    return values, (mine[None], theirs[None])


def _densities(values: Figures, one: Figures, other: Figures, least: float) -> tuple[Figures, Figures, Figures]:
    """The grid (CELLS,), and the densities (R, CELLS) of R pairs of samples; see `between`."""
    size = np.minimum(one.sum(axis=1), other.sum(axis=1))
    within = np.sqrt((_spread(values, one) ** 2 + _spread(values, other) ** 2) / 2)
    width = np.maximum(within * size**-0.2, least)
    margin = REACH * float(width.max())
    at = np.linspace(values[0] - margin, values[-1] + margin, CELLS)
    cell = at[1] - at[0]
    mine, theirs = (_smoothed(_binned((values - at[0]) / cell, weights), width / cell) for weights in (one, other))
    return at, mine, theirs


def _moved(values: Figures, one: Figures, other: Figures) -> Figures:
    """(R,) the Wasserstein-1 distances."""
    below = [np.cumsum(w[:, :-1], axis=1) / w.sum(axis=1, keepdims=True) for w in (one, other)]
    return np.asarray((np.abs(below[0] - below[1]) * np.diff(values)).sum(axis=1))


def _spread(values: Figures, weights: Figures) -> Figures:
    """(R,) standard deviations."""
    share = weights / weights.sum(axis=1, keepdims=True)
    mean = share @ values
    return np.asarray(np.sqrt((share * (values - mean[:, None]) ** 2).sum(axis=1)))


def _binned(at: Figures, weights: Figures) -> Figures:
    """(R, CELLS) samples on the grid; a value between two cells counts for each by its nearness."""
    cell = np.clip(np.floor(at).astype(np.int64), 0, CELLS - 2)
    part = at - cell
    rows = np.arange(len(weights))[:, None] * CELLS
    counts = np.zeros(len(weights) * CELLS)
    for shift, near in ((0, 1 - part), (1, part)):
        counts += np.bincount((rows + cell + shift).ravel(), (weights * near).ravel(), minlength=len(counts))
    return counts.reshape(len(weights), CELLS)


def _smoothed(counts: Figures, width: Figures) -> Figures:
    """(R, CELLS) counts smoothed by Gaussian kernels of so many cells, each of sum 1."""
    waves = np.fft.rfftfreq(2 * CELLS)  # twice as long, so that nothing comes back at the other end
    kernel = np.exp(-2 * (np.pi * waves * width[:, None]) ** 2)
    smooth = np.fft.irfft(np.fft.rfft(counts, 2 * CELLS) * kernel)[:, :CELLS]
    smooth = np.maximum(smooth, 0)  # rounding
    return np.asarray(smooth / smooth.sum(axis=1, keepdims=True))


def _entropy(p: Figures) -> Figures:
    """In bits, of the last axis."""
    return np.asarray(-(p * np.log2(np.where(p > 0, p, 1))).sum(axis=-1))
