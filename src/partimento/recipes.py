"""Recipes: a complete way of learning, from the corpus to the bundle, in one TOML file.

A recipe holds the settings of everything that has any, one table each: `[codec]` and `[model]`, which also `name` the
codec and the model, `[preparation]`, `[training]`, `[player]` (of what plays the model), `[sampling]`,
`[request]` (what is composed where nothing else is asked for) and `[plan]`. What a file leaves out has its default, and
what a run saves is complete; TOML has no word for nothing, so "none" stands for it. `--set model.cell=gru` overrides;
there is no other syntax. `about` says what the recipe is and `source` whose it is and how its author trained it. Leaves
out: one recipe including another.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from partimento.codec import Request, codec_named
from partimento.errors import InvalidSettings
from partimento.generation.requests import check
from partimento.model import model_named
from partimento.sampling import Sampling
from partimento.settings import assigned, describe, from_table, name_of, put, settings, to_table
from partimento.training.learning import Training


@settings
class Preparation:
    """What is made of the corpus before learning."""

    transpose: Annotated[int, Field(ge=0, le=12)] = 0
    """Learn from each training piece in every key up to this many semitones up and down; 0 as written only."""
    own_key: Annotated[float, Field(ge=0, le=1)] | None = None
    """The share of all that is learnt which is in the pieces' own keys, the rest in the other keys evenly; not set for
    all keys alike. A model that counts (`markov`) takes all alike."""
    oversample: Annotated[int, Field(ge=1)] | None = None
    """Let each rarer note or chord count while learning as if it occurred this many times; not set for as it is."""

    hidden: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The share of all that is learnt in which some of the music is hidden, for the model to learn to fill it; for
    codecs that can tell it so (`cells`)."""

    rehearsal: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of the updates that hears again what the model knew which a run goes on from, as it composes it before
    it begins; 0 for none. Only for a run that goes on from a model."""

    def __post_init__(self) -> None:
        if self.own_key is not None and not self.transpose:
            raise ValueError("own_key needs other keys: set transpose to 1 or more")


@settings
class Size:
    """A size of the model, for a corpus of at least so many notes."""

    notes: Annotated[int, Field(ge=0)]
    """The training notes (transpositions not counted) from which on this size serves."""
    model: dict[str, Any]
    """The settings of the model that make it this size."""


@settings
class Plan:
    """How a run fits itself to the corpus and to the time that it is given."""

    minutes: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Minutes to train where `--minutes` does not say; not set for as many updates as `[training]` has."""
    epochs: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Passes over the music, in every key asked for, to make where no minutes are given, however long they take;
    not set for as many as there are minutes for."""
    passes: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Passes over the music, in every key asked for, for which there must be time; else a smaller size is taken."""
    most_passes: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    """More passes over the music than this are not planned, however much time there is; where there are `epochs`, no
    more than those."""
    sizes: tuple[Size, ...] = ()
    """Sizes to choose from, smallest first; none leaves the model as the recipe has it."""

    def __post_init__(self) -> None:
        if self.minutes is not None and self.epochs is not None:
            raise ValueError("give minutes or epochs, not both")


USUAL = "nested"  # the recipe to begin with
NOTHING = "none"
SENTENCES = ("about", "source")
NAMED = ("codec", "model", "player")  # tables whose settings are those of what the recipe names
UNPLANNED = {  # what is planned no more where a setting is made by hand
    ("training", "updates"): ("minutes", "epochs"),
    ("plan", "minutes"): ("epochs",),
    ("plan", "epochs"): ("minutes",),
}

TABLES: dict[str, type[Any]] = {
    "preparation": Preparation,
    "training": Training,
    "sampling": Sampling,
    "request": Request,
    "plan": Plan,
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A complete way of learning.

    Attributes:
        name: the preset's name, or the file's.
        about: what it is, in a sentence.
        source: whose it is and how it was trained there, in a sentence; empty where it is our own.
        codec: the codec's name.
        model: the model's name.
        settings: settings objects by table name: "codec", "model", "player" and those of `TABLES`.
    """

    name: str
    about: str
    source: str
    codec: str
    model: str
    settings: Mapping[str, Any]

    def replace(self, table: str, **values: Any) -> Recipe:
        """This recipe with some settings of one table replaced, given as a recipe file has them.

        Raises:
            InvalidSettings: there is no such setting, or it cannot have the value.
        """
        old = self.settings[table]
        new = from_table(type(old), {**to_table(old), **values}, table)
        return dataclasses.replace(self, settings={**self.settings, table: new})

    def override(self, assignments: Iterable[str]) -> Recipe:
        """This recipe with `table.name=value` assignments applied, as `--set` gives them.

        Values are TOML; a bare word is a string. Another codec or model comes first, with its own defaults, wherever it
        is named. What is set by hand is not planned any more.

        Raises:
            InvalidSettings: an assignment that is none, or names no setting.
        """
        document = self.to_tables()
        for assignment in sorted(assignments, key=lambda one: name_of(one) not in ("codec.name", "model.name")):
            table, field, value = assigned(assignment, self.settings)
            if field == "name" and table in ("codec", "model"):
                document[table] = {}
                if table == "model":
                    document["player"], document["plan"]["sizes"] = {}, []
            put(document[table], field, value)
            if (table, field, value) == ("preparation", "transpose", 0):
                document["preparation"]["own_key"] = None  # there are no others; said after it, it is refused
            for decided in UNPLANNED.get((table, field), ()):
                document["plan"][decided] = None
            if table == "model" and any(field in size["model"] for size in document["plan"]["sizes"]):
                document["plan"]["sizes"] = []
        return from_tables(self.name, document)

    def to_tables(self) -> dict[str, Any]:
        """The recipe as plain tables, complete; the inverse of `from_tables`."""
        tables = {name: to_table(value) for name, value in self.settings.items()}
        for table, name in (("codec", self.codec), ("model", self.model)):
            tables[table] = {"name": name, **tables[table]}
        return {"about": self.about, "source": self.source, **tables}

    def to_toml(self) -> str:
        """The recipe as a TOML file, complete, with each setting's description as a comment."""
        lines = [f"{name} = {_toml(getattr(self, name))}" for name in SENTENCES]
        for table, entries in self.to_tables().items():
            if table in SENTENCES:
                continue
            comments = {"name": f"The {table}.", **describe(type(self.settings[table]))}
            lines += ["", f"[{table}]"]
            for name, entry in entries.items():
                lines += [f"# {' '.join(comments[name].split())}", f"{name} = {_toml(entry)}"]
        return "\n".join(lines) + "\n"


def from_tables(name: str, document: Mapping[str, Any]) -> Recipe:
    """Validate a recipe file's content.

    Raises:
        InvalidSettings: says what is missing, unknown or has a value that it cannot have.
        ImpossibleRequest: it asks for longer pieces than any bundle makes.
    """
    unknown = sorted(set(document) - {*SENTENCES, *NAMED, *TABLES})
    if unknown:
        raise InvalidSettings(
            f"Recipe {name} has an unknown {', '.join(unknown)}; a recipe has "
            f"{', '.join([*SENTENCES, *NAMED, *TABLES])}."
        )
    flat = [table for table in document if table not in SENTENCES and not isinstance(document[table], dict)]
    if flat:
        raise InvalidSettings(f"Recipe {name}: {flat[0]} is a table of settings, [{flat[0]}], not one value.")
    tables: dict[str, dict[str, Any]] = {
        table: {field: None if value == NOTHING else value for field, value in document.get(table, {}).items()}
        for table in (*NAMED, *TABLES)
    }
    unnamed = [table for table in ("codec", "model") if not isinstance(tables[table].get("name"), str)]
    if unnamed:
        raise InvalidSettings(f'Recipe {name} does not say which {" and ".join(unnamed)} it takes: name = "…".')
    codec, model = tables["codec"].pop("name"), tables["model"].pop("name")
    learner = model_named(model)
    player = importlib.import_module(f"partimento.players.{learner.player}").Settings
    classes = {"codec": codec_named(codec).Settings, "model": learner.Settings, "player": player, **TABLES}
    made = {table: from_table(cls, tables[table], table) for table, cls in classes.items()}
    check(made["request"], n=1, seed=0)
    known = getattr(learner, "attributes", ())
    unknown = sorted(set(getattr(made["player"], "attributes", ())).difference(known))
    if unknown:
        raise InvalidSettings(
            f"There is no attribute player.attributes.{unknown[0]} to go along; "
            + (f"there are: {', '.join(known)}." if known else f"the model {model!r} has none.")
        )
    about, source = (str(document.get(sentence, "")) for sentence in SENTENCES)
    return Recipe(name=name, about=about, source=source, codec=codec, model=model, settings=made)


def presets() -> dict[str, str]:
    """The recipes that come with Partimento: name and what it is."""
    folder = resources.files("partimento") / "presets"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return {f.name.removesuffix(".toml"): tomllib.loads(f.read_text("utf-8")).get("about", "") for f in files}


def recipe_named(name: str = USUAL) -> Recipe:
    """A preset by its name, or a recipe file by its path; where none is named, the one to begin with.

    Raises:
        InvalidSettings: there is none of that name, or the file is not a recipe.
    """
    file = resources.files("partimento") / "presets" / f"{name}.toml"
    if not name.endswith(".toml") and name in presets():
        return from_tables(name, tomllib.loads(file.read_text("utf-8")))
    path = Path(name)
    if path.suffix != ".toml" or not path.is_file():
        raise InvalidSettings(
            f"There is no recipe {name!r}; there are {', '.join(presets())}, or give the path of a .toml file."
        )
    return read_recipe(path)


def read_recipe(path: Path) -> Recipe:
    """A recipe from its file.

    Raises:
        InvalidSettings: the file is not TOML or not a recipe.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path} is not a recipe: {error}.") from error
    return from_tables(path.stem, document)


def _toml(value: Any) -> str:
    """A plain value as TOML: strings, numbers, booleans, lists and inline tables."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{_key(key)} = {_toml(entry)}" for key, entry in value.items() if entry is not None) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    return json.dumps(NOTHING if value is None else value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    """A name as TOML: quoted where it has other characters than a bare one may have."""
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else _toml(name)
