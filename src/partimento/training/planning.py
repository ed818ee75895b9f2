"""Planning: how a recipe fits itself to a corpus and to the time that there is, decided before the first update."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Any

from partimento.codec import Retells, Spec, TokenSpec
from partimento.errors import InvalidSettings
from partimento.model import Counted, Judged, Model, Phrased, likelihood_kind, model_named
from partimento.pieces import Pieces
from partimento.progress import Progress, Watch, ignore
from partimento.recipes import Recipe
from partimento.training.learning import LOOKS, Training
from partimento.training.loop import held_out, seconds_per_update, seeded, to_look_at
from partimento.training.preparing import Prepared
from partimento.windows import Windows, importance

LEAST_NOTES = 5_000  # training notes below which a run warns
TRAINING_SHARE = 0.9  # of the minutes given; reading and the bundle take the rest
FEWEST_LOOKS = 5  # at the held-out pieces
LOOKING_SHARE = 0.25  # of the training that looks may take; else there are fewer of them


def new_model(recipe: Recipe, spec: Spec) -> Model:
    """The recipe's model, its first weights decided by the recipe's seed."""
    kind = model_named(recipe.model)
    with seeded(recipe.settings["training"].seed):
        return kind(recipe.settings["model"], spec)  # type: ignore[call-arg]


def windows_of(
    prepared: Prepared, recipe: Recipe, split: str, model: Model, rehearsal: Pieces | None = None
) -> Windows:
    """Windows over the pieces of a split, cut as the recipe and the model want them.

    Args:
        prepared: the pieces.
        recipe: how they are cut.
        split: which of them.
        model: which is to learn from them, or to foretell them.
        rehearsal: what is heard among them in a share of the updates.

    Raises:
        InvalidSettings: rare notes are to weigh more for a model that knows none or weighs nothing.
    """
    pieces, training = prepared.pieces[split], recipe.settings["training"]
    least = recipe.settings["preparation"].oversample
    if least is not None and (not isinstance(pieces.spec, TokenSpec) or issubclass(model_named(recipe.model), Counted)):
        raise InvalidSettings(
            f"preparation.oversample is for models that learn ids by gradient, and {recipe.model} does not: "
            "--set preparation.oversample=none."
        )
    heavier = None if least is None or split != "train" else importance(pieces, least)
    shares = prepared.shares(recipe) if split == "train" else None
    hidden = recipe.settings["preparation"].hidden
    told = None
    if hidden:
        if not isinstance(prepared.codec, Retells):
            raise InvalidSettings(
                f"preparation.hidden is for codecs that can hide music, and {recipe.codec} cannot: "
                "--set preparation.hidden=0, or --set codec.name=cells."
            )
        told = (prepared.codec, hidden) if split == "train" else None
    cut = cut_for(model, training)
    beside = None
    if rehearsal is not None:
        other = Windows(rehearsal, seed=training.seed, retold=told, **cut)
        beside = other, recipe.settings["preparation"].rehearsal
    return Windows(pieces, seed=training.seed, weights=shares, importance=heavier, retold=told, beside=beside, **cut)


def cut_for(model: Model, training: Training) -> dict[str, Any]:
    """How windows are cut for a model: arguments of `Windows`."""
    length, align = (model.steps, model.align) if isinstance(model, Phrased) else (training.length, None)
    return {"length": length, "batch": training.batch, "align": align}


def plan(recipe: Recipe, prepared: Prepared, minutes: float | None, watch: Watch = ignore) -> tuple[Recipe, str]:
    """Fit the recipe to the corpus and to the time: the model's size and the number of updates.

    The largest size that the corpus has notes enough for is taken, if the time allows enough passes over the music
    with it; how long an update takes is measured.

    Returns:
        The recipe with everything decided, and a sentence or two that say what and why.
    """
    if issubclass(model_named(recipe.model), Counted):
        return recipe, f"Plan: {recipe.model} learns by counting, in one pass over the music."
    wanted = recipe.settings["plan"]
    sizes = [size.model for size in wanted.sizes if size.notes <= prepared.notes] or [{}]
    for number, size in enumerate(reversed(sizes)):
        watch(Progress("Planning", number, len(sizes), "sizes"))
        sized = recipe.replace("model", **size)
        timed, passes, seconds = _timed(sized, prepared, minutes)
        if passes >= wanted.passes or number + 1 == len(sizes):
            break
    model = new_model(timed, prepared.codec.spec)
    semitones = recipe.settings["preparation"].transpose
    keys = f" in {2 * semitones + 1} keys" if semitones else ""
    parameters = sum(array.size for array in model.arrays().values())
    training = timed.settings["training"]
    length = model.steps if isinstance(model, Phrased) else training.length
    unit = "tokens" if isinstance(prepared.codec.spec, TokenSpec) else "steps"
    share = f"{passes:.1f}" if passes >= 1 else f"{passes:.1g}"
    lasting = f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    remark = (
        f"Plan: {recipe.model} with {parameters / 1e6:.1f} million parameters learns from {prepared.notes:,} notes in "
        f"{training.updates:,} updates of {training.batch} × {length} {unit}, {share} passes over the "
        f"music{keys}, in about {lasting}"
    )
    if training.patience is not None and passes > 1 and (isinstance(model, Judged) or likelihood_kind(model) != "none"):
        remark += ", less if the held-out loss stops falling"
    remark += "."
    given = wanted.minutes if minutes is None else minutes
    if given is not None and wanted.epochs is not None and passes < wanted.epochs:
        whole = given * wanted.epochs / max(passes, 1e-9)
        remark += f" The recipe asks for {wanted.epochs:g} passes, which would take {whole:,.0f} minutes."
    elif given is not None and passes < wanted.passes:
        enough = math.ceil(given * wanted.passes / max(passes, 1e-9))
        remark += f" That is few passes; {enough} minutes would do it more justice." if enough > given + 1 else ""
    return timed, remark + (f" The source: {recipe.source}" if recipe.source else "")


def _timed(recipe: Recipe, prepared: Prepared, minutes: float | None) -> tuple[Recipe, float, float]:
    """The recipe with its updates decided, by the minutes, else by its epochs; how many passes and seconds they are."""
    training, wanted = recipe.settings["training"], recipe.settings["plan"]
    model = new_model(recipe, prepared.codec.spec)
    windows = windows_of(prepared, recipe, "train", model)
    seconds = seconds_per_update(model, windows, training)
    look = _seconds_per_look(model, windows_of(prepared, recipe, "valid", model), training)
    most = math.ceil((wanted.epochs or wanted.most_passes) * windows.updates_per_epoch)
    minutes = wanted.minutes if minutes is None else minutes
    if minutes is not None and seconds > 0:
        recipe = recipe.replace("training", **_fitting(training, 60 * minutes * TRAINING_SHARE, seconds, look, most))
    elif wanted.epochs is not None:
        recipe = recipe.replace("training", updates=most)
    training = recipe.settings["training"]
    updates, looks = training.updates, training.updates // training.looks_every
    own = updates * (1 - recipe.settings["preparation"].rehearsal)  # the others hear what was known before
    return recipe, own / windows.updates_per_epoch, (updates * seconds + looks * look) / TRAINING_SHARE


def _fitting(training: Training, room: float, seconds: float, look: float, most: int) -> dict[str, int]:
    """The settings with which updates, and looks at the held-out pieces, fill the time.

    Args:
        training: as the recipe has it.
        room: seconds that there are.
        seconds: that an update takes.
        look: seconds that a look takes.
        most: updates.
    """
    every = training.evaluate_every
    if every is not None:
        return {"updates": max(1, min(math.floor(room / (seconds + look / every)), most))}
    looks = max(FEWEST_LOOKS, min(LOOKS, math.floor(LOOKING_SHARE * room / max(look, 1e-9))))
    updates = max(1, min(math.floor((room - looks * look) / seconds), most))
    return {"updates": updates} | ({"evaluate_every": -(-updates // looks)} if looks < LOOKS else {})


def _seconds_per_look(model: Model, valid: Windows, training: Training) -> float:
    """Measure how long a look at the held-out pieces takes while training."""
    looked_at = to_look_at(valid, training)
    began = time.perf_counter()
    held_out(model, looked_at)
    return time.perf_counter() - began


def warnings(prepared: Prepared) -> Iterable[str]:
    """What a user should know before the time is spent."""
    if prepared.notes < LEAST_NOTES:
        yield (
            f"There are only {prepared.notes:,} notes to learn from; a model will know little beyond them by heart. "
            f"{LEAST_NOTES:,} notes or more (some twenty pieces) serve better."
        )
