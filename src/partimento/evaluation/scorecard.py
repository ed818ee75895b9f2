"""The scorecard: how good some pieces are beside people's, and how new, in one report.

Made pieces are set beside a reference of human ones, feature by feature, with what chance does (`chance`); a small
classifier tries to tell them apart (`realness`); and what each shares with the music that was learnt from is compared
with what people's pieces share with it (`originality`, `borrowing`). Beside them stand *rows*: other sets measured
alike, so that a figure means something: other human pieces, a Markov chain, shuffled bars.

Figures depend on how long a piece is, so sets are compared by excerpts of one length, one of each piece; each piece's
own figures are of the whole piece. Scores in, plain values out: it judges other programs' pieces just as well. Leaves
out: likelihoods, which belong to a model and not to its pieces.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from partimento.evaluation.borrowing import People
from partimento.evaluation.chance import Standing, beside
from partimento.evaluation.features import Survey, survey
from partimento.evaluation.originality import Originality, TrainingIndex
from partimento.evaluation.realness import Realness, realness
from partimento.evaluation.yardsticks import excerpts
from partimento.progress import Progress, Watch, ignore
from partimento.score import Score, bar_edges

__all__ = ["Human", "Judged", "Row", "Scorecard", "cut", "excerpt_bars", "judge"]

MOST_BARS = 128  # of an excerpt: longer ones say nothing more
MOST_JUDGED = 300  # human pieces of which what they share with the training music is found
ENOUGH_UNLEARNT = 100  # human pieces that were not learnt from, for those that were not to count


@dataclass(frozen=True, eq=False)
class Human:
    """A human piece of the reference.

    Attributes:
        name: what tells it from the others.
        score: the piece.
        without: names of indexed pieces that are this one or near-copies of it; they do not count for it.
    """

    name: str
    score: Score
    without: Collection[str] = ()


@dataclass(frozen=True, eq=False)
class Judged:
    """What is found of one made piece.

    Attributes:
        name: the piece's.
        figures: of the whole piece, by feature; NaN where it has none.
        originality: what it shares with the indexed pieces.
        flagged: whether that is more than 99 of 100 human pieces share; None with too few of those to say.
        excess: how many times what is usual; NaN where `flagged` is None.
        by: the trait by which, see `borrowing.traits`.
    """

    name: str
    figures: Mapping[str, float]
    originality: Originality
    flagged: bool | None
    excess: float
    by: str


@dataclass(frozen=True, eq=False)
class Row:
    """Another set measured as the made pieces are.

    Attributes:
        name: what it is.
        pieces: how many.
        standing: beside the reference, by feature.
        realness: whether the classifier tells it from the reference.
    """

    name: str
    pieces: int
    standing: Mapping[str, Standing]
    realness: Realness

    @property
    def inside(self) -> tuple[int, int]:
        """On how many features the set lies inside human variation, and of how many that can be said."""
        known = [found.inside for found in self.standing.values() if found.inside is not None]
        return sum(known), len(known)


@dataclass(frozen=True, eq=False)
class Scorecard:
    """What is found of a set of pieces.

    Attributes:
        pieces: of each what is found of it, in the order given.
        made: the set as a whole.
        rows: other sets, to compare with.
        human: how many human pieces the sets are set beside.
        bars: of the excerpts that sets are compared by.
        people: what human pieces share with the indexed ones.
        human_originality: of human pieces that were judged so, by name.
        trained_on: how many pieces are indexed.
        measured: excerpts of the made pieces and of the human ones, as they were compared.
    """

    pieces: tuple[Judged, ...]
    made: Row
    rows: tuple[Row, ...]
    human: int
    bars: int
    people: People
    human_originality: Mapping[str, Originality] = field(repr=False)
    trained_on: int
    measured: tuple[Survey, Survey] = field(repr=False)

    @property
    def flagged(self) -> list[Judged]:
        """The pieces that share more than people do, most first."""
        found = [piece for piece in self.pieces if piece.flagged]
        return sorted(found, key=lambda piece: -piece.excess)

    def to_json(self) -> dict[str, Any]:
        """The whole as plain values; None where a figure does not exist."""
        told = self.made.realness
        return {
            "pieces": [
                {
                    "path": piece.name,
                    "metrics": {name: _plain(value) for name, value in piece.figures.items()},
                    "originality": piece.originality.to_json(piece.flagged),
                }
                for piece in self.pieces
            ],
            "summary": {
                "metrics": {name: _standing(found) for name, found in self.made.standing.items()},
                "real_or_generated_auc": _plain(told.auc),
                "real_or_generated_interval": [_plain(told.low), _plain(told.high)],
                "real_or_generated_by": [tell.says for tell in told.tells],
                "flagged": len(self.flagged) if self.people.usual else None,
                "originality": {
                    "human": {
                        name: spread and {"median": spread[0], "99th_percentile": spread[1]}
                        for name, spread in self.people.figures.items()
                    },
                    "human_pieces": self.people.pieces,
                    "trained_on": self.trained_on,
                },
                "excerpt_bars": self.bars,
                "human_pieces": self.human,
                "rows": {row.name: _row(row) for row in self.rows},
            },
        }


def judge(
    made: Sequence[tuple[str, Score]],
    humans: Sequence[Human],
    index: TrainingIndex,
    others: Mapping[str, Sequence[Score]],
    *,
    bars: int,
    seed: int = 0,
    watch: Watch = ignore,
) -> Scorecard:
    """Judge a set of pieces.

    Args:
        made: names and pieces, at least one.
        humans: the reference, at least one.
        index: of the music that was learnt from.
        others: sets of other origin by name, excerpts already.
        bars: of the excerpts, as `excerpt_bars` says.
        seed: decides which excerpts, and all that is drawn.
        watch: hears of the progress.
    """
    pieces = []
    for number, (name, score) in enumerate(made):
        watch(Progress("Judging pieces", number, len(made), "pieces"))
        figures = survey([score]).figures
        pieces.append((name, {key: float(column[0]) for key, column in figures.items()}, index.judge(score)))
    human_originality = {}
    chosen = _chosen(humans, seed)
    for number, human in enumerate(chosen):
        watch(Progress("Judging human pieces", number, len(chosen), "pieces"))
        human_originality[human.name] = index.judge(human.score, human.without)
    people = People(list(human_originality.values()))

    watch(Progress("Comparing sets", 0, 2 + len(others), "sets"))
    reference = survey(cut([human.score for human in humans], bars, seed))
    rng = np.random.default_rng([seed, 2])
    excerpts_made = survey(cut([score for _, score in made], bars, seed))
    whole = _row_of("made", excerpts_made, reference, rng)
    rows = [_split_row(reference, len(made), rng)]
    for number, (name, scores) in enumerate(others.items()):
        watch(Progress("Comparing sets", 2 + number, 2 + len(others), "sets"))
        rows.append(_row_of(name, survey(scores), reference, rng))
    judged = [
        Judged(name, figures, found, people.flags(found), *people.excess(found)) for name, figures, found in pieces
    ]
    return Scorecard(
        tuple(judged),
        whole,
        tuple(rows),
        len(humans),
        bars,
        people,
        human_originality,
        trained_on=len(index.names),
        measured=(excerpts_made, reference),
    )


def excerpt_bars(made: Sequence[Score], humans: Sequence[Score]) -> int:
    """How long excerpts must be for both sets to have them: the lesser of the two medians, 1 to 128 bars."""
    medians = [float(np.median([len(bar_edges(score)) - 1 for score in scores])) for scores in (made, humans)]
    return max(1, math.floor(min(*medians, MOST_BARS)))


def cut(scores: Sequence[Score], bars: int, seed: int) -> list[Score]:
    """One excerpt of each piece, drawn at random; a shorter piece is its own."""
    rng = np.random.default_rng([seed, 0])
    return [part for score in scores for part in excerpts(score, bars, 1, rng)]


def _chosen(humans: Sequence[Human], seed: int) -> list[Human]:
    """The human pieces that are judged by the index: those that were not learnt from, and others to make up for few."""
    order = np.random.default_rng([seed, 1]).permutation(len(humans)).tolist()
    unlearnt = [number for number in order if not humans[number].without]
    learnt = [number for number in order if humans[number].without]
    missing = max(ENOUGH_UNLEARNT - len(unlearnt), 0)
    return [humans[number] for number in sorted([*unlearnt, *learnt[:missing]][:MOST_JUDGED])]


HUMANS = "other human pieces"


def _split_row(reference: Survey, size: int, rng: np.random.Generator) -> Row:
    """Human pieces beside the others: some drawn, as many as were made but no more than half, beside the rest."""
    count = len(next(iter(reference.figures.values())))
    order = rng.permutation(count)
    some = max(1, min(size, count // 2))
    return _row_of(HUMANS, reference.of(order[:some]), reference.of(order[some:]), rng)


def _row_of(name: str, made: Survey, reference: Survey, rng: np.random.Generator) -> Row:
    size = len(next(iter(made.figures.values())))
    return Row(name, size, beside(made, reference, rng), realness(made, reference, rng))


def _plain(value: float | tuple[float, ...]) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return None if math.isnan(value) else float(value)


def _standing(found: Standing) -> dict[str, Any]:
    return {
        "made": _plain(found.made),
        "like": _plain(found.like),
        "distance": _plain(found.distance),
        "overlap": _plain(found.overlap),
        "divergence": _plain(found.divergence),
        "human_overlap": _plain(found.human_overlap),
        "human_divergence": _plain(found.human_divergence),
        "inside_human_interval": found.inside,
        "without": found.without,
    }


def _row(row: Row) -> dict[str, Any]:
    inside, of = row.inside
    return {
        "pieces": row.pieces,
        "inside_human_interval": inside,
        "of": of,
        "real_or_generated_auc": _plain(row.realness.auc),
        "overlap": {name: _plain(found.overlap) for name, found in row.standing.items()},
        "divergence": {name: _plain(found.divergence) for name, found in row.standing.items()},
    }
