"""Resuming: what a run began with, what may be said again of a run that goes on, and what may not be said otherwise.

What a run does was decided before its first update and is saved with it, so whoever resumes it need say nothing, and
may say again what was said at first. Anything else would have no effect, and is refused by its name; but for what
teaches nothing (`learning.FREE`: on how many cores, say), which may be said anew. Only the minutes are not known any
more: they have become a number of updates.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from partimento.errors import InvalidSettings
from partimento.recipes import Recipe, read_recipe, recipe_named
from partimento.training.learning import FREE, refuse_differences

HAS_A_PLAN = "recipe.toml"  # in a run's folder, once its plan is made


def resumed(
    run: Path,
    *,
    recipe: str | None = None,
    assignments: Sequence[str] = (),
    minutes: float | None = None,
    sample: int | None = None,
    data_licence: str | None = None,
) -> tuple[Recipe, str]:
    """The recipe that a run goes on with, which is its own, once what is asked for has been compared with it.

    Args:
        run: the run's folder; its plan is made.
        recipe: a recipe's name or file, if one is named.
        assignments: `table.name=value`, as `--set` gives them.
        minutes: the time that training may take, if that is said.
        sample: the size of a random subset, if one is asked for.
        data_licence: of the music, if one is named; a run that is not finished may still be told.

    Returns:
        The recipe, with what may be said anew as it is said now; and a sentence about what is of no effect, if any is.

    Raises:
        InvalidSettings: something was otherwise when the run began; names each thing, what it was and what it is now.
    """
    own = read_recipe(run / HAS_A_PLAN)
    asked = (recipe_named(recipe) if recipe is not None else own).override(assignments)
    then, now = _flat(own), _flat(asked)
    if minutes is not None or asked.settings["plan"].minutes or asked.settings["plan"].epochs:
        now["training.updates"] = then["training.updates"]  # the plan's
        if now.get("training.evaluate_every") in (None, "none"):  # how often a short run looks is, too
            now["training.evaluate_every"] = then.get("training.evaluate_every")
    sizes = {f"model.{name}" for size in asked.settings["plan"].sizes for name in size.model}
    unsaid = {name for name, value in now.items() if name.startswith("plan.") and value in (None, [])}
    free = {f"training.{name}" for name in FREE}
    differ = [name for name in then if name in now and name not in sizes | unsaid | free]
    if own.model != asked.model or own.codec != asked.codec:  # their settings then differ anyway
        differ = [name for name in differ if name in ("model.name", "codec.name")]
    then, now = {name: then[name] for name in differ}, {name: now[name] for name in differ}
    finished = (run / "bundle").exists()
    for name, value, binds in (("sample", sample, True), ("data_licence", data_licence, finished)):
        if value is not None and binds:
            then[name], now[name] = began_with(run)[name], value
    refuse_differences(then, now)
    own = told_anew(own, asked)
    if minutes is None or finished:
        return own, ""
    updates = own.settings["training"].updates
    return own, f"--minutes is of no effect on a run that goes on: {updates:,} updates were planned when it began."


def told_anew(own: Recipe, asked: Recipe) -> Recipe:
    """A run's own recipe, with those settings of another that may be said anew when it goes on."""
    return own.replace("training", **{name: getattr(asked.settings["training"], name) for name in FREE})


def _flat(recipe: Recipe) -> dict[str, Any]:
    """Every setting by its full name."""
    tables = {name: table for name, table in recipe.to_tables().items() if isinstance(table, dict)}
    return {f"{table}.{name}": value for table, entries in tables.items() for name, value in entries.items()}


def began_with(run: Path) -> dict[str, Any]:
    """What a run began with besides its recipe: the digest of its music, the sample and the licence.

    Raises:
        InvalidSettings: its record is missing or damaged.
    """
    try:
        began: dict[str, Any] = json.loads((run / "corpus.json").read_text("utf-8"))
        return {name: began[name] for name in ("digest", "sample", "data_licence")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidSettings(
            f"{run / 'corpus.json'} is missing or damaged, so the run cannot go on; start a new one in another folder."
        ) from error
