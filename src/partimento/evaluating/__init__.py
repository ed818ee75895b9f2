"""Evaluating: a folder of pieces, by whomever they were made, judged beside a folder of human music.

Nothing in the pieces is sifted first, so that a machine that makes one piece a hundred times is judged by a hundred.
The human music goes through the corpus doctor, as music to learn from does. What the pieces share with the training
music is found by an index of it: of a folder (all of it), of a run (the pieces that it learnt from) or, where nothing
is named, of the human music itself, each of whose pieces is then judged by all the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from partimento.atomic import write_text
from partimento.bundle import open_bundle
from partimento.corpus import inspect
from partimento.corpus.every import every
from partimento.errors import TooLittleMusic, Unreadable
from partimento.evaluating.baseline import markov
from partimento.evaluating.learnt import learnt_from
from partimento.evaluating.likelihood import Likelihood, likelihood_of
from partimento.evaluation.scorecard import Human, Scorecard, cut, excerpt_bars, judge
from partimento.evaluation.yardsticks import noise, shuffled_bars
from partimento.progress import Progress, Watch, ignore
from partimento.score import Score

__all__ = ["Evaluation", "evaluate"]

MARKOV, SHUFFLED, NOISE = "Markov chain", "shuffled bars", "noise"
FEWEST_OTHERS, MOST_OTHERS = 20, 60  # pieces of each


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What is found of a folder of pieces.

    Attributes:
        place: the folder or file.
        like: the folder of human music.
        trained_on: what the index was made of, in words.
        scorecard: what is found.
        refused: files that cannot be read, and why.
        likelihood: how well a model foretells human music; None where none was asked about.
        remarks: sentences about how it was judged.
        scores: the pieces by name.
    """

    place: Path
    like: Path
    trained_on: str
    scorecard: Scorecard
    refused: Sequence[tuple[str, Unreadable]]
    likelihood: Likelihood | None
    remarks: tuple[str, ...]
    scores: Mapping[str, Score] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values; paths are relative to the folder that was judged."""
        found = self.scorecard.to_json()
        found["summary"]["likelihood"] = None if self.likelihood is None else self.likelihood.to_json()
        return {
            "partimento": version("partimento"),
            **found,
            "left_out": [{"path": name, "reason": why.reason, "advice": why.advice} for name, why in self.refused],
            "remarks": list(self.remarks),
        }

    def write_json(self, file: Path) -> None:
        """Write it as JSON."""
        write_text(file, json.dumps(self.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def evaluate(
    pieces: Path,
    like: Path,
    *,
    trained_on: Path | None = None,
    model: Path | None = None,
    seed: int = 0,
    watch: Watch = ignore,
) -> Evaluation:
    """Judge pieces beside human music.

    Args:
        pieces: a folder of music, or one file.
        like: a folder of human music: what the pieces should be like.
        trained_on: the music that they must not copy: a folder, or a run; `like` if None.
        model: a bundle or run, or `shipped`, to say how well it foretells human music.
        seed: decides which excerpts are compared, and all that is drawn.
        watch: hears of progress.

    Raises:
        Unreadable: a folder is not there, or no piece in it can be read.
        InvalidBundle: the model is none.
        TooLittleMusic: there is no human piece to compare with.
    """
    for folder in (pieces, like, trained_on):
        if folder is not None and not folder.exists():
            raise Unreadable(f"There is no folder {folder}.", "Name one that there is, or a file.")
    bundle = None if model is None else open_bundle(model)
    made = every(pieces, watch)
    if not len(made):
        why = f" (the first: {made.refused[0][1]})" if made.refused else ""
        raise Unreadable(f"{pieces} has no piece of music that can be read{why}.", "Name a folder of pieces.")
    corpus = inspect(like, watch=watch)
    if len(corpus.kept) < 2:
        raise TooLittleMusic(f"{like} has {len(corpus.kept) or 'no'} human piece to compare with; name more music.")
    learnt = learnt_from(trained_on, corpus, watch)
    scores = {piece.name: piece.score for piece in made}
    humans: list[Human] = []
    for piece, score in zip(corpus.kept, corpus.scores(corpus.kept), strict=True):
        watch(Progress("Opening human music", len(humans), len(corpus.kept), "pieces"))
        humans.append(Human(piece.name, score, learnt.own.get(piece.name, ())))
    bars = excerpt_bars(list(scores.values()), [human.score for human in humans])
    excerpts = cut([human.score for human in humans], bars, seed)
    rng = np.random.default_rng([seed, 3])
    chain, said = markov(corpus, bars, max(FEWEST_OTHERS, min(len(scores), MOST_OTHERS)), seed, watch)
    others = {MARKOV: cut(chain, bars, seed)} if chain else {}
    others |= {SHUFFLED: shuffled_bars(excerpts, rng)[:MOST_OTHERS], NOISE: noise(excerpts[:MOST_OTHERS], rng)}
    card = judge(list(scores.items()), humans, learnt.index, others, bars=bars, seed=seed, watch=watch)
    found = (
        None
        if bundle is None
        else likelihood_of(bundle, corpus, learnt.own if trained_on is not None else None, excerpts, watch)
    )
    remarks = tuple(remark for remark in (learnt.remark, said) if remark)
    return Evaluation(pieces, like, learnt.name, card, made.refused, found, remarks, scores)
