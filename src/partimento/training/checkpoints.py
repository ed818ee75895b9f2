"""Checkpoints: the weights that a run had at some of its looks at the held-out pieces, to be heard and compared later.

The classic tutorials save the weights at each improvement of the loss (Keras's `ModelCheckpoint`), and their users
compose from several to hear how the network learnt; there the figures stand in the files' names and are cut out of
them again. Here a file has the number of its update for a name, and its figures stand in the run's curve. Each file is
whole or not there, holds arrays alone, and shares its place on disk with the best weights where it is the best. Needs
no torch.
"""

from __future__ import annotations

import csv
import filecmp
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from partimento.atomic import atomic_file
from partimento.errors import PartimentoError

FOLDER = "training"  # of a run's folder
CHECKPOINTS, BEST, CURVES = "checkpoints", "best.safetensors", "curves.csv"


class NoCheckpoints(PartimentoError):
    """A folder without a run's checkpoints, or a checkpoint that cannot be read."""


@dataclass(frozen=True)
class Checkpoint:
    """The weights of one look.

    Attributes:
        update: after how many updates.
        path: the file.
        figures: the curve's row of this look: "loss", "accuracy", "held-out loss", "held-out accuracy", "seconds", …,
            as far as the model has them.
        best: whether these are the best weights so far, which become the bundle's when the run is over.
    """

    update: int
    path: Path
    figures: Mapping[str, float] = field(repr=False)
    best: bool

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The weights by name, as `Model.arrays` gave them.

        Raises:
            NoCheckpoints: the file is gone or damaged.
        """
        try:
            return dict(safetensors.numpy.load_file(self.path))
        except (OSError, ValueError, KeyError, safetensors.SafetensorError) as error:
            raise NoCheckpoints(f"{self.path} cannot be read ({error}); choose another checkpoint.") from error


def checkpoints(run: Path) -> list[Checkpoint]:
    """The checkpoints of a run, finished or under way, the earliest first.

    Args:
        run: the run's folder, as `partimento train --to` was given it.

    Raises:
        NoCheckpoints: there are none.
    """
    folder = run / FOLDER
    rows = _curve(folder / CURVES)
    saved = {int(path.stem): path for path in (folder / CHECKPOINTS).glob("[0-9]*.safetensors")}
    updates = sorted(update for update in saved if update in rows)  # the row of the newest may be yet to come
    if saved and not rows:
        raise NoCheckpoints(
            f"{folder / CURVES} is damaged or not there, and says what each checkpoint of {run} reached: "
            "train anew, or put it back from a copy."
        )
    if not updates:
        raise NoCheckpoints(
            f"{run} holds no checkpoints: name the folder of a run that was trained with "
            "--set training.keep=improvements (or looks)."
        )
    best = next((update for update in updates if _same(saved[update], folder / BEST)), None)
    return [Checkpoint(update, saved[update], rows[update], update == best) for update in updates]


def keep_checkpoint(folder: Path, update: int, arrays: Mapping[str, NDArray[Any]], *, best: bool, apart: bool) -> None:
    """Keep the weights of a look.

    Args:
        folder: a run's `training` folder.
        update: how many updates were made.
        arrays: the weights by name.
        best: make them `best.safetensors`.
        apart: keep them as a file of their own as well, `checkpoints/0000123.safetensors`.
    """
    path = _path(folder, update) if apart else folder / BEST
    if not best and not apart:
        return
    with atomic_file(path) as temporary:
        safetensors.numpy.save_file(dict(arrays), temporary)
    if best and apart:
        _link(path, folder / BEST)


def forget_after(folder: Path, update: int) -> None:
    """Delete what a run that goes on from this update will make again, and what a process left that died writing."""
    for path in (folder / CHECKPOINTS).glob("*.safetensors"):
        if not path.stem.isdigit() or int(path.stem) > update:
            path.unlink()


def _path(folder: Path, update: int) -> Path:
    return folder / CHECKPOINTS / f"{update:07d}.safetensors"


def _link(old: Path, new: Path) -> None:
    """Let `new` be the same file as `old`, or a copy where the file system has no hard links; in one rename."""
    linked = new.with_name(f".{new.stem}-link{new.suffix}")
    linked.unlink(missing_ok=True)
    try:
        os.link(old, linked)
        linked.replace(new)
        linked.unlink(missing_ok=True)  # where both were one file already, POSIX renames nothing
    except OSError:
        with atomic_file(new) as temporary:
            shutil.copyfile(old, temporary)


def _same(one: Path, other: Path) -> bool:
    """Whether two files are one, or hold the same."""
    return other.exists() and (one.samefile(other) or filecmp.cmp(one, other, shallow=False))


def _curve(path: Path) -> dict[int, dict[str, float]]:
    """The rows of a curve by their update; none where there is none."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
        return {int(row.pop("update")): row for row in rows}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
