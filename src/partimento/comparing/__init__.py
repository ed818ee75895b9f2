"""Comparing: every system learns from the same pieces in the same time, and is set beside people's pieces.

Each system is a recipe, or a recipe that learns ids one after another on the common codec instead of its own
(`classic-note-lstm on tokens`): figures of likelihood only compare where the same thing is foretold. Systems come one
after the other, each in a process of its own, so that one that fails costs a row and no more. All is kept as it comes:
a comparison that was broken off goes on where it was, and what is finished is not done again.

A comparison is a folder: `index.html`, `compare.md`, `compare.json`, `terms.json` (on what it was begun),
`systems/NAME/` (see `trials`) and `people/` (some held-out pieces, noise and shuffled bars).
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partimento.alone import Broken, alone
from partimento.atomic import write_text
from partimento.codec import TokenSpec, codec_named
from partimento.comparing.people import People, gather
from partimento.comparing.report import write_report
from partimento.comparing.standings import Comparison, Row, Terms, counted
from partimento.comparing.trials import Result, Trial, complete, from_plain, to_plain, try_out
from partimento.corpus import Corpus, inspect
from partimento.errors import InvalidSettings, PartimentoError
from partimento.model import model_named
from partimento.progress import Progress, Watch, ignore
from partimento.recipes import SENTENCES, Recipe, from_tables
from partimento.render.audio import require_soundfont
from partimento.score import Score
from partimento.training.loop import Interrupted, RunExists

__all__ = ["COMMON", "Comparison", "Terms", "compare", "systems_of"]

COMMON = "tokens"  # the codec on which those that learn ids one after another are compared
LONGEST_PLACE = 100  # letters of a folder's name
FAR = 6.0  # times the minutes to train
ALWAYS = 1800.0  # seconds besides, for reading, planning, measuring and composing
STAGES = {  # where a job of a system begins, and how much of its time it takes, as a share
    "Reading files": (0.0, 0.02),
    "Encoding": (0.02, 0.08),
    "Planning": (0.1, 0.02),
    "Training": (0.12, 0.73),
    "Counting": (0.12, 0.73),
    "Measuring": (0.85, 0.05),
    "Composing": (0.9, 0.1),
}


@dataclass(frozen=True)
class System:
    """What is compared: a recipe under a name, which is its folder's too."""

    name: str
    recipe: Recipe

    @property
    def place(self) -> str:
        """Its folder's name: its own, if that can be one, else a like one that no other name comes to."""
        kept = self.name.replace(f" on {COMMON}", f"-on-{COMMON}")
        place = re.sub(r"[^\w.-]+", "-", kept).lstrip(".-")[:LONGEST_PLACE]
        return place if place == kept else f"{place}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}".lstrip("-")


def compare(
    folder: Path,
    to: Path,
    recipes: Sequence[Recipe],
    terms: Terms,
    *,
    common: bool = True,
    limit: float | None = None,
    watch: Watch = ignore,
) -> Comparison:
    """Let every system learn from a folder of music, and write how they compare.

    Args:
        folder: the music.
        to: the comparison's folder: new, empty, or one to go on with.
        recipes: what to compare.
        terms: the same for all.
        common: train those that learn ids one after another on the common codec as well.
        limit: seconds after which a system counts as hanging; far beyond its minutes if None.
        watch: hears of everything.

    Raises:
        RunExists: `to` holds something else, or a comparison on other terms.
        TooLittleMusic: there is not enough to learn from and to hold out.
        InvalidSettings: two recipes have one name, none is given, or `to` lies in the folder of music.
        Interrupted: Ctrl-C; what is done is kept.
    """
    systems = systems_of(recipes, common=common)
    if to.resolve().is_relative_to(folder.resolve()):
        raise InvalidSettings(
            f"{to} lies in {folder}: what is composed there would be learnt from. Choose another --to."
        )
    if terms.sound != "none":
        require_soundfont(None)
    corpus = inspect(folder, sample=terms.sample, seed=terms.seed, watch=watch)
    corpus.require_enough()
    _begin(to, corpus, terms)
    people = gather(corpus, to / "people", bars=terms.bars, size=terms.pieces, seed=terms.seed, sound=terms.sound)
    limit = limit or FAR * 60 * terms.minutes + ALWAYS
    made = Comparison(to, terms, _about(corpus), people, total=len(systems))
    watch(Progress("Comparing", 0, len(systems), "systems", remark=_outlook(systems, terms)))
    for number, system in enumerate(systems):
        try:
            row = _row(system, number, made, folder, people, limit, watch)
        except KeyboardInterrupt as error:
            raise Interrupted(
                f"The comparison was stopped at {system.name}, number {number + 1} of {len(systems)}, and nothing is "
                "lost: the same command goes on from there."
            ) from error
        made = dataclasses.replace(made, rows=(*made.rows, row))
        write_report(made)
        watch(Progress("Comparing", number + 1, len(systems), "systems", remark=f"{system.name}: {row.sentence()}"))
    return made


def systems_of(recipes: Sequence[Recipe], *, common: bool = True) -> list[System]:
    """The systems to compare: each recipe, and on the common codec those that learn ids one after another.

    Raises:
        InvalidSettings: two recipes have one name, or names of one folder; or none is given.
    """
    names = [recipe.name for recipe in recipes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not recipes:
        raise InvalidSettings(
            f"Two recipes are called {twice[0]}; give each a name of its own." if twice else "Name recipes to compare."
        )
    systems = [System(recipe.name, recipe) for recipe in recipes]
    if common:
        kind: Any = codec_named(COMMON)
        for recipe in recipes:
            settings = recipe.settings["codec"]
            written: Any = codec_named(recipe.codec)
            own = recipe.codec == COMMON and settings == kind.Settings()
            if (
                not own
                and model_named(recipe.model).Spec is TokenSpec
                and isinstance(written(settings).spec, TokenSpec)
            ):
                name = f"{recipe.name} on {COMMON}"
                systems.append(System(name, from_tables(name, {**recipe.to_tables(), "codec": {"name": COMMON}})))
    for one, other in itertools.combinations(systems, 2):
        if one.place.casefold() == other.place.casefold():  # one folder, on some disks
            raise InvalidSettings(
                f"{one.name} and {other.name} would share the folder {one.place}; give one of them another name."
            )
    return systems


def _begin(to: Path, corpus: Corpus, terms: Terms) -> None:
    """See that the folder is a new one, or one that was begun on these terms.

    Raises:
        RunExists: it is neither.
    """
    saved = to / "terms.json"
    asked = {**dataclasses.asdict(terms), "digest": corpus.digest}
    if saved.is_file():
        try:
            before = json.loads(saved.read_text("utf-8"))
        except (OSError, ValueError):
            before = {}
        differs = [name for name in asked if before.get(name) != asked[name]]
        if differs:
            what = "the music has changed" if differs == ["digest"] else f"with other {' and '.join(differs)}"
            raise RunExists(f"{to} holds a comparison that was begun otherwise ({what}); choose a new folder for --to.")
    elif to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise RunExists(f"{to} already holds something; choose a new folder for --to.")
    write_text(saved, json.dumps(asked, indent=1) + "\n")


def _row(system: System, number: int, made: Comparison, music: Path, people: People, limit: float, watch: Watch) -> Row:
    """What becomes of one system: as it was found, or done now."""
    terms = made.terms
    folder = made.folder / "systems" / system.place
    recipe = system.recipe.replace("training", seed=terms.seed)
    tables = {name: table for name, table in recipe.to_tables().items() if name not in SENTENCES}
    asked = {"recipe": tables, "minutes": terms.minutes}
    about = system.recipe.about
    if _asked_otherwise(folder, asked):
        shutil.rmtree(folder)
        watch(Progress("Comparing", number, made.total, "systems", remark=f"{system.name}: its recipe has changed."))
    if result := _finished(folder):
        return Row(system.name, system.place, about, _complete(result, folder, people.held_out))
    write_text(folder / "asked.json", json.dumps(asked, indent=1, ensure_ascii=False) + "\n")
    trial = Trial(
        name=system.name,
        folder=folder,
        music=music.absolute(),
        recipe=recipe,
        minutes=terms.minutes,
        sample=terms.sample,
        bars=terms.bars,
        pieces=terms.pieces,
        seed=terms.seed,
        sound=terms.sound,
        held_out=people.held_out,
    )
    try:
        hear = _within(watch, number, made.total, system.name)
        result = alone(try_out, trial, seconds=limit, log=folder / "log.txt", watch=hear)
    except Broken as error:
        return Row(system.name, system.place, about, None, str(error))
    write_text(folder / "result.json", json.dumps(to_plain(result), indent=1, allow_nan=False) + "\n")
    return Row(system.name, system.place, about, result)


def _asked_otherwise(folder: Path, asked: dict[str, Any]) -> bool:
    """Whether a trial lies there that was begun with another recipe."""
    try:
        return bool(json.loads((folder / "asked.json").read_text("utf-8")) != asked)
    except (OSError, ValueError):
        return False


def _finished(folder: Path) -> Result | None:
    """The result that lies there, if the trial was finished and is whole."""
    try:
        return from_plain(json.loads((folder / "result.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _complete(result: Result, folder: Path, held_out: Sequence[Score]) -> Result:
    """A result with all that is measured now; as it was, where that can no longer be measured."""
    try:
        completed = complete(result, folder, held_out)
    except PartimentoError:
        return result
    if completed is not result:
        write_text(folder / "result.json", json.dumps(to_plain(completed), indent=1, allow_nan=False) + "\n")
    return completed


def _about(corpus: Corpus) -> dict[str, Any]:
    splits = {split: corpus.pieces(split) for split in ("train", "valid", "test")}
    return {
        "folder": corpus.folder.name,
        "digest": corpus.digest,
        "pieces": {split: len(pieces) for split, pieces in splits.items()},
        "notes": {split: sum(piece.notes for piece in pieces) for split, pieces in splits.items()},
    }


def _outlook(systems: Iterable[System], terms: Terms) -> str:
    names = [system.name for system in systems]
    whole = round(len(names) * (terms.minutes * 1.2 + 0.5))
    said = f"{counted(len(names), 'system')}, {counted(terms.minutes, 'minute')} of training each: about "
    return f"{said}{counted(max(whole, 1), 'minute')} in all. To compare: {', '.join(names)}."


def _within(watch: Watch, number: int, total: int, name: str) -> Watch:
    """A listener to one system, which tells of it as a part of the whole comparison."""
    reached = float(number)
    said = ""

    def hear(event: Progress) -> None:
        nonlocal reached, said
        start, span = STAGES.get(event.job, (0.0, 0.0))
        part = min(event.done / event.total, 1.0) if event.total else 0.0
        reached = max(reached, number + start + span * part)
        remark = event.remark
        if event.job == "Training" and said != event.job:
            said, remark = event.job, remark or "it is learning"
        watch(Progress("Comparing", reached, total, "systems", event.facts, f"{name}: {remark}" if remark else ""))

    return hear
