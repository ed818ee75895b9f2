"""Realness: whether a small classifier can tell made pieces from people's, and by what.

A judge is shown a made piece and a human one and says which is which; how often it is right is the area under its ROC
curve (Mann and Whitney 1947; Hanley and McNeil 1982): 0.5 where it cannot tell, 1 where it always can. The judge here
is a logistic regression on the features of a piece and on the histograms of what is in it (classifier two-sample tests:
Lopez-Paz and Oquab 2017). It sees how features hang together, which `distances` do not, and is small enough to learn
from twenty pieces and to say what it goes by.

It is always asked about pieces that it has not seen: they are dealt into `FOLDS`, each judged by what was learnt from
the others, and all excerpts of a piece are dealt together. Made and human pieces are compared within a fold only, for
the figures of two judges do not compare; so with nothing to tell by, the expected area is 0.5 exactly, which it is not
where folds are pooled (Parker, Günter and Bedo 2007). All is done `REPEATS` times, dealt otherwise.

The interval is Newcombe's (2006, part 2, method 5), from the numbers of pieces: it has no width of 0 where all pairs
are told, and says how little is known from few pieces. His counts on one judge; here what the judges learnt depends on
the pieces as well, and among people's own pieces the area varied 1.2 to 1.7 times as much as he says (Nottingham, 10 to
100 pieces of either kind), so each piece counts as `WORTH`, which makes the interval about 1.4 times as wide.

Figures that a piece does not have are set to the mean, and that they are missing is a figure of its own. A judge that
cannot tell proves nothing: a better one, or an ear, may.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partimento.evaluation.features import FEATURES, HISTOGRAMS, Survey

__all__ = ["FEWEST", "Realness", "Tell", "auc", "interval", "realness"]

FEWEST = 10  # pieces of each kind
FOLDS = 5
REPEATS = 10
PENALTY = 0.1  # half the square of a weight costs so much, beside the mean loss of a piece in nats
FARTHEST = 4.0  # spreads from the mean; a figure further off counts as this
WORTH = 0.5  # of a piece, in the interval
TELLS = 5
STEPS, ENOUGH = 30, 1e-8  # of Newton's method
Z = 1.959963984540054  # of the normal distribution, 95 % within ±
EVEN = 0.65  # where the interval ends below, the judge is no better than guessing for all that matters

Figures = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Tell:
    """What the judge goes by.

    Attributes:
        name: the feature or the histogram.
        says: in words, e.g. "more notes a beat than people's"; of a histogram the bin that tells most.
        share: of what tells made pieces from people's, on average over pieces that were not learnt from; 0 to 1.
        alone: how often the figure that `says` is about, being the higher, is that of the made one of two pieces: 0.5
            tells nothing, 0 and 1 all.
        made: the mean of this figure over the made pieces that have it.
        people: the mean over people's.
    """

    name: str
    says: str
    share: float
    alone: float
    made: float
    people: float


@dataclass(frozen=True)
class Realness:
    """What the judge came to.

    Attributes:
        auc: how often it knows the made one of two pieces, 0 to 1; NaN where there are fewer than `FEWEST` of a kind.
        low: where the interval of 95 % begins; NaN likewise.
        high: where it ends.
        made: pieces that a machine made.
        people: pieces of people.
        tells: what it goes by most, first what tells most; none where it cannot tell.
    """

    auc: float
    low: float
    high: float
    made: int
    people: int
    tells: tuple[Tell, ...] = ()

    @property
    def sentence(self) -> str:
        """What this means."""
        if math.isnan(self.auc):
            return f"Not enough pieces: {self.made} made and {self.people} human ones, and {FEWEST} of each are needed."
        known = f"{self.auc:.0%} of pairs ({self.low:.0%} to {self.high:.0%}; 50% is guessing)"
        if self.low > 0.5:
            by = "; ".join(tell.says for tell in self.tells[:3])
            return f"A small classifier knows the made piece in {known}" + (f", by {by}." if by else ".")
        if self.high < EVEN:
            return f"A small classifier cannot tell the made pieces from people's: it is right in {known}."
        return f"Not enough pieces to say whether they can be told from people's: a classifier is right in {known}."


def realness(
    made: Survey,
    people: Survey,
    rng: np.random.Generator,
    *,
    made_of: Ints | None = None,
    people_of: Ints | None = None,
) -> Realness:
    """Let a small classifier tell made pieces from people's.

    Give excerpts of about the same length of both, or it tells them by their length.

    Args:
        made: of N pieces, or excerpts of pieces.
        people: of M.
        rng: deals the pieces into folds.
        made_of: (N,) the number of the piece that each is an excerpt of; each is a piece of its own if None.
        people_of: (M,) the same of people's.
    """
    columns, rows = _columns(made, people)
    is_made = np.arange(len(rows)) < len(rows) - _size(people)
    pieces = [_numbered(of, size) for of, size in ((made_of, _size(made)), (people_of, _size(people)))]
    counts = int(pieces[0].max(initial=-1)) + 1, int(pieces[1].max(initial=-1)) + 1
    if min(counts) < FEWEST:
        return Realness(np.nan, np.nan, np.nan, counts[0], counts[1])
    of = np.concatenate([pieces[0], counts[0] + pieces[1]])
    parts = np.array([column.part for column in columns])
    rights, gaps, weights = [], [], []
    for _ in range(REPEATS):
        fold = np.concatenate([rng.permutation(count) % FOLDS for count in counts])[of]
        for number in range(FOLDS):
            learnt, asked = fold != number, fold == number
            judge = _learn(rows[learnt], parts, is_made[learnt], of[learnt])
            seen = _standard(rows[asked], judge.mean, judge.spread)
            weight = _weights(is_made[asked], of[asked])
            rights.append(_right(seen @ judge.weights, is_made[asked], weight))
            weights.append(judge.weights)
            gaps.append(judge.weights * (seen * (weight * np.where(is_made[asked], 2, -2))[:, None]).sum(axis=0))
    found = float(np.mean(rights))
    low, high = interval(found, counts[0] * WORTH, counts[1] * WORTH)
    tells = _tells(columns, rows, is_made, of, np.mean(gaps, axis=0), np.mean(weights, axis=0)) if low > 0.5 else ()
    return Realness(found, low, high, counts[0], counts[1], tells)


def auc(made: Figures, people: Figures) -> float:
    """How often a made piece has the higher figure of the two, of all pairs; a tie counts half.

    (R - N (N + 1) / 2) / (N M), R the sum of the ranks of the made ones among all, those of ties being their mean (Mann
    and Whitney 1947). NaNs are left out; NaN where one has no figure.

    Example:
        >>> auc(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0]))
        0.9166666666666666
    """
    made, people = made[~np.isnan(made)], people[~np.isnan(people)]
    if not len(made) or not len(people):
        return np.nan
    _, place, counts = np.unique(np.concatenate([made, people]), return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2
    above = rank[place[: len(made)]].sum() - len(made) * (len(made) + 1) / 2
    return float(above / (len(made) * len(people)))


def interval(found: float, made: float, people: float) -> tuple[float, float]:
    """The interval of 95 % of an area under the ROC curve, from so many made and human pieces.

    Newcombe 2006 ("Confidence intervals for an effect size measure based on the Mann-Whitney statistic", part 2, method
    5): the areas A for which |found - A| <= z sqrt(V(A)), with the variance of Hanley and McNeil 1982 for as many of
    either kind, h = (made + people) / 2,

        V(A) = A (1 - A) (1 + (h - 1) (1 - A) / (2 - A) + (h - 1) A / (1 + A)) / (made people).
    """
    half = (made + people) / 2 - 1

    def excess(area: float) -> float:
        variance = area * (1 - area) * (1 + half * (1 - area) / (2 - area) + half * area / (1 + area))
        return (found - area) ** 2 - Z**2 * variance / (made * people)

    def edge(inside: float, outside: float) -> float:
        for _ in range(60):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if excess(middle) <= 0 else (inside, middle)
        return (inside + outside) / 2

    return edge(found, 0.0), edge(found, 1.0)


@dataclass(frozen=True, eq=False)
class _Judge:
    """A logistic regression: (C,) means, spreads and weights of standardised figures. It ranks: it has no threshold."""

    mean: Figures
    spread: Figures
    weights: Figures


def _learn(rows: Figures, parts: Figures, is_made: NDArray[np.bool_], of: Ints) -> _Judge:
    """Fit the classifier by Newton's method.

    What is least is the mean of log(1 + exp(∓(w·x + b))) + PENALTY / 2 Σ w² / part. Each piece of a kind weighs the
    same, however many excerpts of it there are, and both kinds weigh the same. A weight costs more in a histogram, by
    its B bins: all of them together are believed to tell as much as a feature does.
    """
    mean, spread = _mean_and_spread(rows)
    x = np.column_stack([_standard(rows, mean, spread), np.ones(len(rows))])
    weight, sign = _weights(is_made, of), np.where(is_made, 1.0, -1.0)
    ridge = np.append(PENALTY / parts, 0.0)

    def cost(w: Figures) -> float:
        return float((weight * np.logaddexp(0, -sign * (x @ w))).sum() + (ridge * w**2).sum() / 2)

    w = np.zeros(x.shape[1])
    now = cost(w)
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -500, 500)))
        slope = x.T @ (weight * (p - is_made)) + ridge * w
        bend = (x.T * (weight * p * (1 - p))) @ x + np.diag(ridge + 1e-12)
        step = np.linalg.solve(bend, slope)
        while cost(w - step) > now and np.abs(step).max() > ENOUGH:  # too far: Newton's method need not descend
            step /= 2
        w, before, now = w - step, now, cost(w - step)
        if before - now < ENOUGH:
            break
    return _Judge(mean, spread, w[:-1])


@dataclass(frozen=True)
class _Column:
    """What the judge sees of a piece.

    Attributes:
        of: the feature or histogram.
        more: what it means to have more of it.
        less: what it means to have less.
        part: of that, as a share.
    """

    of: str
    more: str
    less: str
    part: float = 1.0


def _columns(made: Survey, people: Survey) -> tuple[list[_Column], Figures]:
    """The C columns that the judge sees, and (N + M, C) figures."""
    columns, figures = [], []
    for feature in FEATURES:
        column = np.concatenate([s.figures[feature.name] for s in (made, people)])
        columns.append(_Column(feature.name, feature.more, feature.less))
        figures.append(column)
        if np.isnan(column).any():
            columns.append(_missing(feature.name))
            figures.append(np.isnan(column).astype(np.float64))
    for histogram in HISTOGRAMS:
        shares = np.concatenate([s.histograms[histogram.name] for s in (made, people)])
        for label, column in zip(histogram.bins, shares.T, strict=True):
            more, less = (words.format(label) for words in (histogram.more, histogram.less))
            columns.append(_Column(histogram.name, more, less, 1 / len(histogram.bins)))
            figures.append(column)
        if np.isnan(shares).any():
            columns.append(_missing(histogram.name))
            figures.append(np.isnan(shares).any(axis=1).astype(np.float64))
    return columns, np.column_stack(figures)


def _missing(name: str) -> _Column:
    return _Column(f"no {name}", f"more pieces without {name}", f"fewer pieces without {name}")


def _tells(
    columns: list[_Column], rows: Figures, is_made: NDArray[np.bool_], of: Ints, gaps: Figures, weights: Figures
) -> tuple[Tell, ...]:
    """What tells most: each feature and each histogram once, by its most telling column.

    Args:
        columns: the C columns.
        rows: (N + M, C) figures.
        is_made: (N + M,) of made pieces.
        of: (N + M,) the number of each one's piece.
        gaps: (C,) how much further each column puts made pieces from people's, on average, in the judge's logits.
        weights: (C,) of the judge, on average.
    """
    weight = _weights(is_made, of)
    numbers: dict[str, list[int]] = {}
    for number, column in enumerate(columns):
        numbers.setdefault(column.of, []).append(number)
    whole = {name: float(gaps[own].sum()) for name, own in numbers.items()}
    total = sum(max(gap, 0.0) for gap in whole.values())
    found = []
    for name in sorted(whole, key=lambda name: -whole[name])[:TELLS]:
        if whole[name] <= 0:
            break
        number = max(numbers[name], key=lambda n: float(gaps[n]))
        figures, column = rows[:, number], columns[number]
        there = ~np.isnan(figures)
        mine, theirs = (_mean(figures[kind], weight[kind]) for kind in (there & is_made, there & ~is_made))
        says = f"{column.more if weights[number] > 0 else column.less} than people's"
        alone = auc(figures[is_made], figures[~is_made])
        found.append(Tell(name, says, whole[name] / total, alone, mine, theirs))
    return tuple(found)


def _mean(figures: Figures, weight: Figures) -> float:
    return float(np.average(figures, weights=weight)) if len(figures) else np.nan


def _right(logits: Figures, is_made: NDArray[np.bool_], weight: Figures) -> float:
    """The area under the ROC curve of a fold, in which each excerpt has a weight."""
    mine, theirs = logits[is_made], logits[~is_made]
    won = np.where(np.abs(mine[:, None] - theirs) < 1e-12, 0.5, mine[:, None] > theirs)
    return float(4 * weight[is_made] @ won @ weight[~is_made])  # the weights of either kind sum to a half


def _weights(is_made: NDArray[np.bool_], of: Ints) -> Figures:
    """(N,) weights, of sum 1: a half for either kind, and the same for each piece of a kind."""
    result = 1 / np.bincount(of)[of]
    for kind in (is_made, ~is_made):
        result[kind] /= 2 * result[kind].sum()
    return np.asarray(result)


def _mean_and_spread(rows: Figures) -> tuple[Figures, Figures]:
    """Of each column, what is not NaN counting; a column without spread, or without a figure, has a spread of ∞."""
    there = ~np.isnan(rows)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, rows, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(there, rows - mean, 0) ** 2).sum(axis=0) / count)
    return mean, np.where(spread > 1e-9, spread, np.inf)


def _standard(rows: Figures, mean: Figures, spread: Figures) -> Figures:
    """Figures in spreads from the mean, which stands for those that are missing."""
    return np.clip(np.nan_to_num((rows - mean) / spread), -FARTHEST, FARTHEST)


def _size(survey: Survey) -> int:
    return len(next(iter(survey.figures.values())))


def _numbered(of: Ints | None, size: int) -> Ints:
    """Pieces numbered from 0 without gaps."""
    return np.arange(size) if of is None else np.unique(of, return_inverse=True)[1]
