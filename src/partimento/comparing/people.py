"""People: the held-out pieces that every system is set beside, and the yardsticks between which it lies.

Held-out pieces (those that chose the weights, and the test pieces) are cut into excerpts as long as what the systems
compose. Beside them stand excerpts of the training pieces (how far do people's pieces lie from one another?), noise and
shuffled bars. Small sets differ by chance, so each yardstick is drawn `DRAWS` times, as many pieces as a system
composes, and the mean distance counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partimento.comparing.trials import SHOWN, Piece, write_music
from partimento.corpus import Corpus
from partimento.evaluation.distances import Nearness, nearness
from partimento.evaluation.features import measured
from partimento.evaluation.variety import likeness
from partimento.evaluation.yardsticks import excerpts, noise, shuffled_bars
from partimento.score import Score

__all__ = ["HELD_OUT", "NOISE", "OTHERS", "SHUFFLED", "People", "gather"]

HELD_OUT, OTHERS, NOISE, SHUFFLED = "held-out pieces", "other human pieces", "noise", "shuffled bars"
MOST_OF_ONE = 4  # excerpts of one piece
MOST = 200  # excerpts in all
DRAWS = 20

Values = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class People:
    """Human pieces and what they are compared with.

    Attributes:
        held_out: excerpts of held-out pieces.
        like: their figures by feature: what all else is set beside.
        yardsticks: how far the others lie from them, by the yardstick's name.
        likeness: the share of passages that two pieces of a set have in common, on average, by the set's name.
        shown: some of each to look at and listen to, by name; paths relative to the folder of that name.
    """

    held_out: Sequence[Score]
    like: Values
    yardsticks: Mapping[str, Mapping[str, Nearness]]
    likeness: Mapping[str, float]
    shown: Mapping[str, tuple[Piece, ...]]


def gather(corpus: Corpus, folder: Path, *, bars: int, size: int, seed: int, sound: str) -> People:
    """Cut the held-out pieces, make the yardsticks, and show some of each.

    Args:
        corpus: the pieces, split.
        folder: gets a folder for each kind.
        bars: of an excerpt.
        size: how many pieces a system composes.
        seed: decides which excerpts and what noise.
        sound: the sounds' format, or "none".
    """
    held_out = _excerpts(corpus, ("valid", "test"), bars, np.random.default_rng([seed, 0]))
    others = _excerpts(corpus, ("train",), bars, np.random.default_rng([seed, 1]))
    sets = {
        OTHERS: others,
        NOISE: noise(held_out, np.random.default_rng([seed, 2])),
        SHUFFLED: shuffled_bars(held_out, np.random.default_rng([seed, 3])),
    }
    like = measured(held_out)
    rng = np.random.default_rng([seed, 4])
    yardsticks = {name: _mean_nearness(measured(scores), like, size, rng) for name, scores in sets.items()}
    shown = {
        name: write_music(folder / name.replace(" ", "-"), name, scores[: SHOWN if name == HELD_OUT else 1], sound)
        for name, scores in {HELD_OUT: held_out, NOISE: sets[NOISE], SHUFFLED: sets[SHUFFLED]}.items()
    }
    alike = {name: likeness(scores) for name, scores in {HELD_OUT: held_out, **sets}.items()}
    return People(held_out, like, yardsticks, alike, shown)


def _excerpts(corpus: Corpus, splits: Iterable[str], bars: int, rng: np.random.Generator) -> list[Score]:
    """Excerpts of the pieces of some splits, in the pieces' order."""
    pieces = [piece for split in splits for piece in corpus.pieces(split)]
    chosen = np.sort(rng.permutation(len(pieces))[:MOST]).tolist()
    each = min(MOST_OF_ONE, max(1, MOST // max(len(chosen), 1)))
    scores = corpus.scores(pieces[number] for number in chosen)
    return [part for score in scores for part in excerpts(score, bars, each, rng)]


def _mean_nearness(figures: Values, like: Values, size: int, rng: np.random.Generator) -> dict[str, Nearness]:
    """How near sets of that size lie on average."""
    count = len(next(iter(figures.values())))
    found = []
    for _ in range(DRAWS):
        chosen = rng.permutation(count)[:size]
        found.append(nearness({name: column[chosen] for name, column in figures.items()}, like))
    whole = nearness(figures, like)
    return {
        name: Nearness(
            made=near.made,
            like=near.like,
            distance=float(np.mean([draw[name].distance for draw in found])),
            overlap=float(np.mean([draw[name].overlap for draw in found])),
            without=near.without,
            divergence=float(np.mean([draw[name].divergence for draw in found])),
        )
        for name, near in whole.items()
    }
