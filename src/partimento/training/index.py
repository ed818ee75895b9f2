"""The index of what a run learnt from, kept beside it, so that what its model composes can be held against it.

It holds the pieces' names and the steps and gaps of their notes (see `evaluation.originality`), so it is to be shared
only where the music may be; a bundle has none of it. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from partimento.corpus import Corpus, Piece
from partimento.evaluation.originality import TrainingIndex
from partimento.progress import Progress, Watch, ignore
from partimento.score import Score

__all__ = ["INDEX", "indexed"]

INDEX = "originality.npz"  # of a run's folder


def indexed(corpus: Corpus, pieces: Collection[Piece], watch: Watch = ignore) -> TrainingIndex:
    """Index some pieces of a corpus by their names."""

    def named() -> Iterator[tuple[str, Score]]:
        for number, (piece, score) in enumerate(zip(pieces, corpus.scores(pieces), strict=True)):
            watch(Progress("Indexing", number, len(pieces), "pieces"))
            yield piece.name, score

    return TrainingIndex.of(named())
