"""Copying: what goes on too long with what was learnt from is written again, and what cannot be mended is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from partimento.bundle import Bundle
from partimento.codec import Request
from partimento.codecs.roll import Roll
from partimento.errors import ImpossibleRequest
from partimento.evaluation.originality import TrainingIndex
from partimento.frames import Grid, draw_cells
from partimento.generation import CopyLimit, generate
from partimento.generation.grids import GridGeneration, GridPrompt
from partimento.progress import ignore
from partimento.recipes import recipe_named
from partimento.sampling import Sampling
from partimento.score import Score
from partimento.training.index import INDEX
from partimento.training.runs import train

from music import tune, write_tunes


def bars_copied(score: Score, index: TrainingIndex) -> float:
    longest = index.judge(score).longest
    return longest.bars if longest else 0.0


@pytest.fixture(scope="module")
def parrot(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, TrainingIndex]:
    """A chain that knows a few tunes by heart."""
    base = tmp_path_factory.mktemp("parrot")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(base / "cache"))
        write_tunes(base / "music", range(9), 12, drums=False)
        recipe = recipe_named("markov").override(["preparation.transpose=0", "model.order=16"])
        bundle = train(base / "music", base / "run", recipe)
    return bundle, TrainingIndex.load(base / "run" / INDEX)


def test_a_parrot_is_kept_from_copying(parrot: tuple[Bundle, TrainingIndex]) -> None:
    bundle, index = parrot
    asked = {"request": Request(bars=8), "n": 6, "seed": 1}
    free = [bars_copied(made.score, index) for made in generate(bundle, **asked)]  # type: ignore[arg-type]
    assert max(free) > 3
    made = list(generate(bundle, **asked, limit=CopyLimit(index, 2)))  # type: ignore[arg-type]
    for piece, before in zip(made, free, strict=True):
        said = " ".join(piece.remarks)
        assert (bars_copied(piece.score, index) <= 2) != ("still shares" in said)
        assert ("written again" in said) == (before > 2)
    assert sum(bars_copied(piece.score, index) <= 2 for piece in made) >= 5
    again = list(generate(bundle, **asked, limit=CopyLimit(index, 2)))  # type: ignore[arg-type]
    for one, other in zip(made, again, strict=True):
        np.testing.assert_array_equal(one.encoded, other.encoded)


def test_what_does_not_copy_is_what_it_would_have_been(parrot: tuple[Bundle, TrainingIndex]) -> None:
    bundle, index = parrot
    free = list(generate(bundle, request=Request(bars=4), n=3, seed=2))
    held = list(generate(bundle, request=Request(bars=4), n=3, seed=2, limit=CopyLimit(index, 1000)))
    for one, other in zip(free, held, strict=True):
        np.testing.assert_array_equal(one.encoded, other.encoded)
        assert one.remarks == other.remarks


def test_a_limit_of_nothing_is_refused(parrot: tuple[Bundle, TrainingIndex]) -> None:
    for bars in (0.0, -1.0, float("nan")):
        with pytest.raises(ImpossibleRequest, match="more than 0 bars"):
            CopyLimit(parrot[1], bars)


@dataclass
class Copyist:
    """Plays a piece as it stands, but for a frame here and there."""

    piece: Grid
    slips: float
    steps: int = 1
    hears: bool = True
    align: int = 1

    def play(self, rngs: Sequence[np.random.Generator], heard: Grid, sampling: Sampling) -> Iterator[tuple[Grid, Grid]]:
        at = len(heard)
        while True:
            right = self.piece[at % len(self.piece)] >= 0.5
            chance = np.stack([rng.random((1, *right.shape), np.float32) for rng in rngs])
            slipping = [rng.random() < self.slips for rng in rngs]
            sure = np.where(right, np.float32(20), np.float32(-20))
            logits = np.stack([np.full_like(sure, -1.5) if slip else sure for slip in slipping])[:, None]
            yield draw_cells(logits, chance, sampling.temperature)
            at += 1


@pytest.mark.parametrize(("slips", "mended"), [(0.03, True), (0.0, False)])
def test_grids_are_written_again_too(slips: float, mended: bool) -> None:
    codec = Roll(Roll.Settings(low=36, pitches=60))
    index = TrainingIndex.of([("the piece", tune(4, bars=12, drums=False))])
    player = Copyist(codec.encode(tune(4, bars=12, drums=False)), slips)
    prompt = GridPrompt.of(codec, None)
    make = GridGeneration(codec, player, Request(bars=8), Sampling(), prompt, 2, 0, ignore, CopyLimit(index, 2.5)).run
    for made in make():
        said = " ".join(made.remarks)
        assert made.encoded.shape[0] == 8 * 16
        assert (bars_copied(made.score, index) <= 2.5) == mended
        assert ("still shares" in said) != mended
        assert mended or "the piece, at bars 1 to 8" in said
