"""Likelihood: how well a model foretells human music that it did not learn from, and what its codec drops of it.

Bits a note are all bits of the pieces over the notes of their scores, those that the codec drops among them, so a codec
that drops much needs few: read the two together. The figure is exact, a bound or none (`model.likelihood_kind`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partimento.bundle import Bundle
from partimento.corpus import Corpus, Piece
from partimento.errors import MissingExtra
from partimento.evaluation.losses import Kept, kept
from partimento.pieces import Pieces
from partimento.progress import Progress, Watch, ignore
from partimento.score import Score
from partimento.waiting import sleep_while_waiting
from partimento.windows import Windows

__all__ = ["Likelihood", "likelihood_of"]

MOST = 200  # pieces
JOB = "Foretelling human music"


@dataclass(frozen=True)
class Likelihood:
    """How well a model foretells pieces.

    Attributes:
        model: its name.
        codec: its codec's.
        kind: "exact", "bound" or "none".
        bits_per_note: None where there is no likelihood, or where it could not be computed.
        accuracy: the share of ids foretold right; None where that cannot be said.
        pieces: how many were foretold.
        notes: in them.
        unlearnt: whether it is known that the model learnt from none of them.
        kept: what the codec keeps of human excerpts.
        remark: why there is no figure, or nothing.
    """

    model: str
    codec: str
    kind: str
    bits_per_note: float | None
    accuracy: float | None
    pieces: int
    notes: int
    unlearnt: bool
    kept: Kept
    remark: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "model": self.model,
            "codec": self.codec,
            "kind": self.kind,
            "bits_per_note": self.bits_per_note,
            "accuracy": self.accuracy,
            "pieces": self.pieces,
            "notes": self.notes,
            "known_to_be_unlearnt": self.unlearnt,
            "codec_keeps": {"notes": self.kept.notes, "in_place": self.kept.in_place},
            "codec_drops": list(self.kept.lost),
            "remark": self.remark,
        }


def likelihood_of(
    bundle: Bundle,
    corpus: Corpus,
    own: Collection[str] | None,
    excerpts: Sequence[Score],
    watch: Watch = ignore,
) -> Likelihood:
    """Let a model foretell human pieces that it did not learn from, if there are any.

    Args:
        bundle: the model.
        corpus: human pieces.
        own: the names of those that it learnt from; None where nobody knows.
        excerpts: of human pieces, to see what the codec drops.
        watch: hears of progress.
    """
    codec = bundle.codec()
    watch(Progress(JOB, 0, None, "ids"))
    dropped = kept((score, codec.decode(codec.encode(score))) for score in excerpts[:MOST])
    pieces, unlearnt = _chosen(bundle, corpus, own)
    kind = str(bundle.facts.get("likelihood", "none"))
    found: dict[str, float] = {}
    remark = ""
    if kind == "none":
        remark = "It has no likelihood that can be computed."
    else:
        try:
            found = _foretold(bundle, list(corpus.scores(pieces)), watch)
        except ModuleNotFoundError:
            remark = str(MissingExtra("train", "foretelling music"))
    return Likelihood(
        model=bundle.model_name,
        codec=bundle.codec_name,
        kind=kind,
        bits_per_note=found.get("bits per note"),
        accuracy=found.get("accuracy"),
        pieces=len(pieces),
        notes=sum(piece.notes for piece in pieces),
        unlearnt=unlearnt,
        kept=dropped,
        remark=remark,
    )


def _chosen(bundle: Bundle, corpus: Corpus, own: Collection[str] | None) -> tuple[list[Piece], bool]:
    """The pieces to foretell, and whether it is known that none was learnt from."""
    if bundle.facts.get("corpus_digest") == corpus.digest:
        return corpus.pieces("test")[:MOST], True
    fresh = [piece for piece in corpus.kept if own is not None and piece.name not in own]
    return (fresh or list(corpus.kept))[:MOST], bool(fresh)


def _foretold(bundle: Bundle, scores: Sequence[Score], watch: Watch) -> dict[str, float]:
    """What `held_out` says of a bundle's model and some pieces."""
    sleep_while_waiting()
    from partimento.recipes import from_tables
    from partimento.training.loop import held_out
    from partimento.training.planning import cut_for, new_model

    recipe, codec = from_tables(bundle.model_name, bundle.recipe), bundle.codec()
    model = new_model(recipe, codec.spec)
    model.load_arrays(bundle.arrays())
    with tempfile.TemporaryDirectory() as folder:
        encoded = ((codec.encode(score), score.note_num()) for score in scores)
        pieces = Pieces.write(Path(folder) / "pieces", encoded, codec.spec)
        windows = Windows(pieces, **cut_for(model, recipe.settings["training"]))
        return held_out(model, windows, lambda done: watch(Progress(JOB, done, pieces.positions, "ids")))
