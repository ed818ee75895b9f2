"""Ranking: which of some made pieces are most like people's, piece by piece, and why.

A piece has a *place* among people's in each feature: the share t of people's pieces that lie at least as far out as it
does on its side, twice, as a two-sided test counts (1 in their middle, 2 / (N + 1) at their edge), and less the further
it lies beyond the edge, in spreads d: t = 2 e^-d / (N + 1). A piece's rank follows the mean of log t over the features
(Fisher 1925 combines tests so). That prefers the ordinary: a bold piece may rank low and be the best, so a rank is a
help in choosing, and it says what it goes by. Leaves out: how features hang together; what cannot be counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partimento.evaluation.distances import known, median
from partimento.evaluation.features import FEATURES

__all__ = ["Place", "place"]

UNUSUAL = 0.1  # a feature is unusual where fewer of people's pieces lie as far out
MISSING = 2.0  # spreads beyond the edge that a piece lies without a figure that people's have
TOLD = 3  # unusual features that are named


@dataclass(frozen=True)
class Place:
    """How a piece lies among people's.

    Attributes:
        score: the mean of log t over the features that people's pieces have; 0 is the middle of everything, less is
            further out.
        usual: on how many features it is not unusual.
        features: of how many.
        unusual: the names of those on which it is, most unusual first.
        says: the same in words, e.g. "a wider range (62 semitones; people's median 41)".
    """

    score: float
    usual: int
    features: int
    unusual: tuple[str, ...]
    says: tuple[str, ...]


def place(figures: Mapping[str, float], people: Mapping[str, Sequence[float] | NDArray[np.float64]]) -> Place:
    """Find a piece's place.

    Args:
        figures: of the piece, by feature, NaN where it has none.
        people: figures of people's pieces by feature; those of which none is known do not count.
    """
    tails: dict[str, float] = {}
    says: dict[str, str] = {}
    for feature in FEATURES:
        human = known(np.asarray(people.get(feature.name, ()), dtype=np.float64))
        if not len(human):
            continue
        value = figures.get(feature.name, math.nan)
        tails[feature.name] = _tail(value, human, feature.least)
        middle = median(human)
        unit = f" {feature.unit}" if feature.unit else ""
        if math.isnan(value):
            says[feature.name] = f"no {feature.name}"
        else:
            more = feature.more if value > middle else feature.less
            says[feature.name] = f"{more} ({value:.3g}{unit}; people's median {middle:.3g})"
    order = sorted(tails, key=lambda name: tails[name])
    unusual = tuple(name for name in order if tails[name] < UNUSUAL)
    score = float(np.mean([math.log(tail) for tail in tails.values()])) if tails else math.nan
    told = tuple(says[name] for name in unusual[:TOLD])
    return Place(score, len(tails) - len(unusual), len(tails), unusual, told)


def _tail(value: float, human: NDArray[np.float64], least: float) -> float:
    """How much of people's pieces lies as far out, 0 to 1."""
    edge = 2 / (len(human) + 1)
    if math.isnan(value):
        return edge * math.exp(-MISSING)
    below, above = (human <= value).sum(), (human >= value).sum()
    beyond = max(human[0] - value, value - human[-1], 0.0) / max(float(human.std()), least)
    return float(min(1.0, edge * (1 + min(below, above))) * math.exp(-min(beyond, 50.0)))
