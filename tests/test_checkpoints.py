"""Checkpoints: which weights a run keeps on its way, whatever happens to it."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from partimento.models.lstm import Lstm
from partimento.training.checkpoints import Checkpoint, NoCheckpoints, checkpoints, keep_checkpoint
from partimento.training.learning import Run, Training
from partimento.training.loop import seeded

from little import SPEC

LOSSES = (3.0, 2.0, 2.5, 1.0)
KEPT = {"best": (), "improvements": (1, 2, 4), "looks": (1, 2, 3, 4)}


def begun(folder: Path, keep: Any) -> Run:
    with seeded(0):
        model = Lstm(Lstm.Settings(embedding=4, stack=("cell 4",)), SPEC)
    (folder / "training").mkdir(parents=True, exist_ok=True)
    return Run(model, Training(keep=keep), folder / "training", {})


def looked(run: Run, losses: tuple[float, ...]) -> None:
    """Look once after each update; the update's number is all that the model has learnt."""
    for loss in losses:
        run.note({"loss": 0.0}, ids=1, seconds=1.0)
        run.model.head.bias.data.fill_(run.update)  # type: ignore[operator, union-attr]
        run.look({"loss": loss, "accuracy": 1 / loss}, 1.0)


@pytest.mark.parametrize("keep", list(KEPT))
def test_what_is_kept_is_what_was_asked_for(keep: str, tmp_path: Path) -> None:
    run = begun(tmp_path, keep)
    looked(run, LOSSES)
    best = safetensors.numpy.load_file(tmp_path / "training" / "best.safetensors")
    assert (best["head.bias"] == 4).all()
    if not KEPT[keep]:
        with pytest.raises(NoCheckpoints, match="keep=improvements"):
            checkpoints(tmp_path)
        return
    found = checkpoints(tmp_path)
    assert tuple(one.update for one in found) == KEPT[keep]
    assert [one.update for one in found if one.best] == [4]
    for one in found:
        assert (one.arrays()["head.bias"] == one.update).all()
        assert one.figures["held-out loss"] == LOSSES[one.update - 1]
        assert one.figures["held-out accuracy"] == pytest.approx(1 / LOSSES[one.update - 1], rel=1e-5)


@pytest.mark.parametrize("keep", ["improvements", "looks"])
@pytest.mark.parametrize("killed_after", [0, 1, 2, 3, 4])
def test_a_resumed_run_has_those_of_one_never_stopped(killed_after: int, keep: str, tmp_path: Path) -> None:
    whole, broken = begun(tmp_path / "whole", keep), begun(tmp_path / "broken", keep)
    looked(whole, LOSSES)
    looked(broken, LOSSES[:1])
    broken.save()
    looked(broken, LOSSES[1:killed_after])
    (tmp_path / "broken" / "training" / "checkpoints" / ".0000002-half.safetensors").write_bytes(b"half")
    resumed = begun(tmp_path / "broken", keep)
    resumed.load()
    assert [path.name for path in (tmp_path / "broken/training/checkpoints").iterdir()] == ["0000001.safetensors"]
    looked(resumed, LOSSES[1:])
    one, other = (
        {path.name: path.read_bytes() for path in (tmp_path / name / "training/checkpoints").iterdir()}
        for name in ("whole", "broken")
    )
    assert one == other


def test_the_best_takes_no_room_of_its_own(tmp_path: Path) -> None:
    looked(begun(tmp_path, "improvements"), LOSSES)
    folder = tmp_path / "training"
    assert (folder / "best.safetensors").samefile(folder / "checkpoints" / "0000004.safetensors")


def test_without_hard_links_the_best_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    for update, value in ((1, 1.0), (2, 2.0)):
        keep_checkpoint(tmp_path, update, {"a": np.full(3, value)}, best=True, apart=True)
    best = tmp_path / "best.safetensors"
    assert (safetensors.numpy.load_file(best)["a"] == 2).all()
    assert not best.samefile(tmp_path / "checkpoints" / "0000002.safetensors")
    assert {path.name for path in tmp_path.iterdir()} == {"best.safetensors", "checkpoints"}


def test_one_that_has_no_row_yet_is_not_listed(tmp_path: Path) -> None:
    run = begun(tmp_path, "looks")
    looked(run, LOSSES[:2])
    keep_checkpoint(tmp_path / "training", 3, run.model.arrays(), best=False, apart=True)  # type: ignore[operator]
    assert [one.update for one in checkpoints(tmp_path)] == [1, 2]


def test_a_model_without_held_out_figures_keeps_every_look(tmp_path: Path) -> None:
    run = begun(tmp_path, "improvements")
    for _ in range(3):
        run.note({"loss": 0.5}, ids=1, seconds=1.0)
        run.look({}, 1.0)
    assert math.isinf(run.best_loss)
    assert [one.update for one in checkpoints(tmp_path)] == [1, 2, 3]


def test_what_cannot_be_read_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NoCheckpoints, match="holds no checkpoints"):
        checkpoints(tmp_path / "nowhere")
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors")
    with pytest.raises(NoCheckpoints, match="cannot be read"):
        Checkpoint(1, tmp_path / "bad.safetensors", {}, False).arrays()
