"""Distances: how far the pieces of a machine lie from pieces of people, feature by feature.

A feature of a set of pieces is a sample of numbers, one a piece, and two sets are compared as two samples. Two figures,
after Yang and Lerch 2020, who compare densities:

- `distance`, the Wasserstein-1 distance (in one dimension the area between the two distribution functions; Vallender
  1974) over the spread of the reference: how many standard deviations of human pieces a made piece has to be moved, on
  average, to be distributed as they are. It grows with how far off a set lies, needs neither bins nor bandwidths, and
  is defined for sets of any size, which the divergence of two densities is not.
- `overlap`, the area under both densities, 0 to 1, both estimated by Gaussian kernels (Scott 1992) on *one* common
  grid. (The well-known tool evaluates its two on different grids, so that its areas may pass 1 or miss an overlap.)

Small sets differ by chance alone: compare a distance with that of other human pieces, never with 0.
Leaves out: how features hang together, and intervals by bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partimento.evaluation.features import FEATURES

__all__ = ["Nearness", "distance", "nearness", "overlap", "wasserstein"]

CELLS = 512  # of the common grid
REACH = 3.0  # bandwidths that the grid goes beyond the outermost figure

Figures = NDArray[np.float64]


def wasserstein(one: Figures, other: Figures) -> float:
    """The Wasserstein-1 distance of two samples, in their unit; NaN where one is empty. NaNs in them are left out.

    Example:
        >>> wasserstein(np.array([0.0, 1.0]), np.array([1.0, 2.0, 1.0, 2.0]))
        1.0
    """
    one, other = _known(one), _known(other)
    if not len(one) or not len(other):
        return np.nan
    at = np.sort(np.concatenate([one, other]))
    below = [np.searchsorted(sample, at[:-1], side="right") / len(sample) for sample in (one, other)]
    return float((np.abs(below[0] - below[1]) * np.diff(at)).sum())


def distance(made: Figures, reference: Figures, least: float) -> float:
    """The Wasserstein-1 distance over the standard deviation of the reference; NaN where one has no figure.

    Args:
        made: (N,) figures, NaN where a piece has none.
        reference: (M,) the same of human pieces.
        least: stands for the spread where the reference has less.
    """
    spread = float(_known(reference).std()) if len(_known(reference)) else np.nan
    return wasserstein(made, reference) / max(spread, least)


def overlap(made: Figures, reference: Figures, least: float) -> float:
    """The area under both densities on one common grid, 0 to 1; NaN where one has no figure.

    Args:
        made: (N,) figures, NaN where a piece has none.
        reference: (M,) the same of human pieces.
        least: the narrowest kernel.
    """
    made, reference = _known(made), _known(reference)
    if not len(made) or not len(reference):
        return np.nan
    widths = [max(float(sample.std()) * len(sample) ** -0.2, least) for sample in (made, reference)]
    both = np.concatenate([made, reference])
    margin = REACH * max(widths)
    at = np.linspace(both.min() - margin, both.max() + margin, CELLS)
    densities = [
        np.exp(-0.5 * ((at[:, None] - sample) / width) ** 2).sum(axis=1)
        for sample, width in zip((made, reference), widths, strict=True)
    ]
    one, other = (density / density.sum() for density in densities)
    return float(np.minimum(one, other).sum())


@dataclass(frozen=True)
class Nearness:
    """One feature of a set beside that of the reference.

    Attributes:
        made: the median of the set, NaN where no piece has the feature.
        like: the median of the reference.
        distance: see `distance`; NaN where one of them has no figure.
        overlap: see `overlap`.
        without: how many pieces of the set have no such figure.
    """

    made: float
    like: float
    distance: float
    overlap: float
    without: int


def nearness(made: Mapping[str, Figures], reference: Mapping[str, Figures]) -> dict[str, Nearness]:
    """Compare two sets on every feature that the reference has.

    Args:
        made: figures by feature, as `features.measured` gives them.
        reference: the same of human pieces.
    """
    return {
        feature.name: Nearness(
            made=_median(made[feature.name]),
            like=_median(reference[feature.name]),
            distance=distance(made[feature.name], reference[feature.name], feature.least),
            overlap=overlap(made[feature.name], reference[feature.name], feature.least),
            without=int(np.isnan(made[feature.name]).sum()),
        )
        for feature in FEATURES
        if len(_known(reference[feature.name]))
    }


def _known(sample: Figures) -> Figures:
    return np.sort(sample[~np.isnan(sample)])


def _median(sample: Figures) -> float:
    known = _known(sample)
    return float(np.median(known)) if len(known) else np.nan
