"""Starting from a trained model: what a run that goes on from a bundle takes over from it, and keeps.

The weights and the codec are the bundle's, so every id means what it meant; all that is learnt is learnt on from there
(fine-tuning: Howard and Ruder 2018, "Universal language model fine-tuning for text classification"), in steps that are
`GENTLER` than before, from fewer ids at a time, and more often in the keys that the pieces are in, since the model
knows the others (`docs/training.md` has what all three were chosen by). What the bundle's version did not know yet of
its model, of telling music and of drawing it is as this version's recipe has it. Where nothing that is learnt is better
than what came, of pieces told as it was told them, what came stays, and tells music so. A copy of the bundle lies in
the run's folder, so that the run can be resumed when the bundle is gone.

Leaves out: learning some of the weights alone (LoRA, Hu et al. 2022), which learns less in the same minutes.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from partimento.atomic import atomic_folder
from partimento.bundle import Bundle, open_bundle
from partimento.codec import Codec, codec_named
from partimento.errors import InvalidBundle, InvalidSettings
from partimento.model import Counted, Model, model_named
from partimento.pieces import Pieces
from partimento.recipes import Recipe, from_tables, presets, recipe_named
from partimento.sampling import Sampling
from partimento.settings import to_table
from partimento.training.preparing import Prepared
from partimento.windows import Windows

START = "start"  # the bundle's copy, in a run's folder
GENTLER = 0.2  # of the learning rate
OWN_KEY = 0.6  # the share of what is learnt in the pieces' own keys, where a model has learnt them in others, too
AT_ONCE = 3072  # positions of an update at most: little music and little time want many small ones
OF_THE_RUN = ("updates", "evaluate_every", "held_out_ids", "threads", "save_every")  # for other music and time


def recipe_of(bundle: Bundle) -> Recipe:
    """The recipe that a bundle was made by, to go on with in smaller steps: what was planned then is planned anew.

    Raises:
        InvalidSettings: this version has other settings.
    """
    document: dict[str, Any] = {name: value for name, value in bundle.recipe.items() if value is not None}
    document |= _unknown_then(bundle)
    training = {name: value for name, value in document.get("training", {}).items() if name not in OF_THE_RUN}
    if "started_from" not in bundle.facts and "learning_rate" in training:
        training["learning_rate"] = GENTLER * training["learning_rate"]
    if isinstance(length := training.get("length"), int) and isinstance(batch := training.get("batch"), int):
        training["length"] = min(length, AT_ONCE)
        training["batch"] = max(1, min(batch, AT_ONCE // training["length"]))
    preparation = dict(document.get("preparation", {}))
    if preparation.get("transpose") and preparation.get("own_key") is None:
        preparation["own_key"] = OWN_KEY
    plan = {**document.get("plan", {}), "sizes": [], "epochs": None}
    tables = {"training": training, "preparation": preparation, "plan": plan}
    return from_tables("start", {**document, **{name: _said(table) for name, table in tables.items()}})


def _unknown_then(bundle: Bundle) -> dict[str, Any]:
    """Tables of a bundle's recipe with the settings that its version did not know, as this version's recipe has them.

    Those that change nothing until they are learnt, and how music is told; and all of how it is drawn, where this
    version draws by what that one did not know. Of the recipe that is named as the model is, if its codec is the same.
    """
    if bundle.model_name not in presets():
        return {}
    ours = recipe_named(bundle.model_name).to_tables()
    if ours["codec"]["name"] != bundle.codec_name:
        return {}
    model, codec, sampling = (bundle.recipe.get(table, {}) for table in ("model", "codec", "sampling"))
    additional = model_named(bundle.model_name).additional
    if model.keys().isdisjoint(additional):  # else its weights are of what it has of them
        model = model | {name: ours["model"][name] for name in additional}
    told = {name: ours["codec"][name] for name in codec_named(bundle.codec_name).changeable}
    usual = to_table(Sampling())
    drawn = {name for name, value in ours["sampling"].items() if value != usual[name]}
    new = bool(drawn) and sampling.keys().isdisjoint(drawn)
    return {"model": model, "codec": told | codec, "sampling": ours["sampling"] | ({} if new else sampling)}


def _said(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value is not None}


def came_from(run: Path) -> Bundle | None:
    """The bundle that the run of a folder began from; None where it began from nothing, or has not begun."""
    folder = run / START
    return open_bundle(folder) if folder.exists() else None


def kept(run: Path, start: Bundle | None, *, resume: bool, planned: bool) -> Bundle | None:
    """The bundle that a run goes on from, a copy of it in the run's folder; None where it begins from nothing.

    Args:
        run: the run's folder.
        start: the bundle that is named, if any.
        resume: whether the run that the folder has is gone on with; else what it began from is forgotten.
        planned: whether that run had a plan.

    Raises:
        InvalidSettings: the run began from another, or from nothing.
    """
    folder = run / START
    began = came_from(run) if resume else None
    if planned or began is not None:
        if start is not None and (began is None or began.digest != start.digest):
            raise InvalidSettings(
                f"The run {run} began from {'nothing' if began is None else 'another model'}: resume it as it was, or "
                "start anew in another folder."
            )
        return began
    if start is None:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    with atomic_folder(folder) as new:
        shutil.copytree(start.folder, new, dirs_exist_ok=True)
    return open_bundle(folder)


def require_same_codec(recipe: Recipe, start: Bundle) -> None:
    """Refuse a recipe whose codec is another than the bundle's, or gives ids another meaning.

    Raises:
        InvalidSettings: says so.
    """
    then = recipe_of(start)
    if recipe.codec != then.codec or _meaning(recipe) != _meaning(then):
        raise InvalidSettings(f"A run from {start.folder} keeps its codec: leave out --set codec.….")


def _meaning(recipe: Recipe) -> dict[str, Any]:
    """The settings of a recipe's codec that decide what its ids mean."""
    changeable = codec_named(recipe.codec).changeable
    return {name: value for name, value in to_table(recipe.settings["codec"]).items() if name not in changeable}


def codec_then(start: Bundle, prepared: Prepared) -> Codec[Any]:
    """The codec that tells music as the bundle's does, and knows of the new music what the prepared one does."""
    found: Codec[Any] = codec_named(start.codec_name).load(prepared.folder / "codec", start.codec().settings)
    return found


def told_by(codec: Codec[Any], prepared: Prepared, windows: Mapping[str, Windows], folder: Path) -> dict[str, Windows]:
    """Windows over the same pieces, told by another codec; the same ones where it tells them alike.

    Args:
        codec: that one.
        prepared: the corpus.
        windows: by split, over some of its pieces.
        folder: new; what is told lies there.
    """
    found: dict[str, Windows] = dict(windows)
    if to_table(codec.settings) == to_table(prepared.codec.settings):
        return found
    for split, own in windows.items():
        all_of_them = prepared.corpus.pieces(split)
        chosen = np.searchsorted(prepared.pieces[split].starts, own.pieces.starts)
        scores = prepared.corpus.scores(all_of_them[number] for number in chosen.tolist())
        told = Pieces.write(folder / split, ((codec.encode(score), score.note_num()) for score in scores), codec.spec)
        found[split] = Windows(told, own.length, own.batch, align=own.align)
    return found


def begun(model: Model, start: Bundle | None) -> Model:
    """The model with the weights of the bundle, if there is one, and its own where these lack what changes nothing yet.

    Raises:
        InvalidSettings: its settings make it another network, or it does not learn by gradient.
    """
    if start is None:
        return model
    if isinstance(model, Counted):
        raise InvalidSettings(f"{model.name} learns by counting, and cannot go on from {start.folder}.")
    new = {name: array for name, array in model.arrays().items() if name.startswith(model.additions)}
    try:
        model.load_arrays(new | start.arrays())
    except InvalidBundle as error:
        raise InvalidSettings(
            f"The weights of {start.folder} do not fit the model that is asked for: leave out --set model.… that "
            "changes its size."
        ) from error
    return model
