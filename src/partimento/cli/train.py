"""`partimento train`: learn from a folder of music."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from partimento.bundle import open_bundle
from partimento.cli.numbers import WholeOrNone
from partimento.cli.terminal import say, watching
from partimento.errors import InvalidSettings, MissingExtra
from partimento.progress import Progress
from partimento.settings import name_of
from partimento.waiting import sleep_while_waiting


@contextmanager
def needs_training(purpose: str, extra: str) -> Iterator[None]:
    """Prepare to import what trains: say which extra is missing where an import inside fails for want of it.

    Its threads are told to sleep while they wait (`waiting`).
    """
    sleep_while_waiting()
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name in ("torch", "onnx", "matplotlib"):
            raise MissingExtra(extra, purpose) from error
        raise


def train(
    folder: Path,
    /,
    *,
    to: Path,
    recipe: str | None = None,
    minutes: float | None = None,
    sample: WholeOrNone = None,
    data_licence: str | None = None,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    resume: bool = False,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
) -> None:
    """Learn from a folder of music, in the minutes that you give it.

    Args:
        folder: The music: MIDI, MusicXML, ABC or Humdrum, in any folders below it. Nothing in it is changed.
        to: A new folder for the run: curves, checkpoints and, at the end, the model.
        recipe: A recipe's name (see `partimento recipes`), or the path of a recipe file; nested if not given.
        minutes: The time that training may take; as the recipe says if not given.
        sample: Learn from a random subset of this many pieces.
        data_licence: Under which licence the music is, for the model's card.
        from_: A trained model, a bundle or a run, to go on from, or "shipped", the one that comes along: its recipe is
            taken, and its weights learn on from what they know.
        resume: Go on with a run that was broken off; its own settings hold, and others are refused.
        set_: Change a setting of the recipe, e.g. --set model.cell=gru; can be given several times.
    """
    with needs_training("Training", "train"):
        from partimento.recipes import USUAL, recipe_named
        from partimento.training.resuming import HAS_A_PLAN, resumed
        from partimento.training.runs import train as train_run
        from partimento.training.starting import came_from, recipe_of
    if minutes is not None and not 0 < minutes < math.inf:
        raise InvalidSettings(f"--minutes must be a number of minutes, more than 0, not {minutes:g}.")
    both = [name for name in map(name_of, set_) if name in ("training.updates", "plan.minutes", "plan.epochs")]
    if minutes is not None and both:
        raise InvalidSettings(f"Give either --minutes or --set {both[0]}: each decides the number of updates.")
    if from_ is not None and recipe is not None:
        raise InvalidSettings("A run from a trained model has the model's recipe: leave out --recipe or --from.")
    start = None if from_ is None else open_bundle(from_)
    with watching() as watch:
        if resume and (to / HAS_A_PLAN).is_file():
            chosen, remark = resumed(
                to, recipe=recipe, assignments=set_, minutes=minutes, sample=sample, data_licence=data_licence
            )
            watch(Progress("Planning", 1, 1, "plans", remark=remark))
        else:
            begun = came_from(to) if resume and start is None else start  # though it may have no plan yet
            chosen = (recipe_named(recipe or USUAL) if begun is None else recipe_of(begun)).override(set_)
        bundle = train_run(
            folder,
            to,
            chosen,
            minutes=minutes,
            sample=sample,
            data_licence=data_licence,
            start=start,
            resume=resume,
            watch=watch,
        )
    curves = to / "curves.png"
    say(f"The model is in {bundle.folder}." + (f" How it learnt: {curves}." if curves.exists() else ""))
    say(f"Compose with it: partimento compose {to} --to NEW_FOLDER")
