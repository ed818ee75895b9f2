"""Orders of what takes long: a training, every system on the same music, a model in fewer bits."""

from __future__ import annotations

import json
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from partimento.bundle import COMES_ALONG, open_bundle
from partimento.recipes import USUAL, recipe_named
from partimento.studio.names import Name
from partimento.studio.orders.order import RUN, Desk, Id, ModelId, Order, Value, Words, flags
from partimento.training.resuming import HAS_A_PLAN
from partimento.training.starting import recipe_of


class Train(Order):
    """A model of one's own; where it is `heard`, its last checkpoint composes now and then while it learns."""

    kind: ClassVar[str] = "train"
    lane: ClassVar[str] = "learn"
    corpus: Id
    recipe: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")] | None = None
    model: ModelId | None = None
    minutes: Annotated[float, Field(gt=0, le=10_000)] | None = None
    settings: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z]+(\.[a-z0-9_]+)+$", max_length=100)], Value], Field(max_length=100)
    ] = Field(default_factory=dict)
    name: Name | None = None
    data_licence: Words | None = None
    heard: bool = True

    @model_validator(mode="after")
    def _either(self) -> Train:
        if self.recipe is not None and self.model is not None:
            raise ValueError("a run from a trained model has the model's recipe: leave out recipe or model")
        return self

    def words(self, desk: Desk) -> list[str]:
        """`partimento train`, which begins, or goes on where it was broken off.

        Raises:
            InvalidSettings: the settings cannot be.
        """
        if (desk.folder / RUN / HAS_A_PLAN).is_file():  # it has all that was said, and its own copy of the model
            return ["train", desk.music(self.corpus), "--to", RUN, "--resume"]
        start = None if self.model is None else desk.model(self.model)
        if start is None:
            recipe_named(self.recipe or USUAL).override(self.overrides())
        else:
            recipe_of(open_bundle(None if start == COMES_ALONG else start)).override(self.overrides())
        told = {"--to": RUN, "--recipe": self.recipe, "--from": start, "--minutes": self.minutes}
        words = ["train", desk.music(self.corpus), *flags({**told, "--data-licence": self.data_licence})]
        words += ["--resume"] if (desk.folder / RUN).exists() else []
        return words + [word for one in self.overrides() for word in ("--set", one)]

    def overrides(self) -> list[str]:
        """The settings, as `--set` takes them."""
        return [f"{name}={'none' if value is None else json.dumps(value)}" for name, value in self.settings.items()]

    def label(self, desk: Desk) -> str:
        """Its name, or of what it learns."""
        return self.name or f"{self.recipe or 'lstm' if self.model is None else desk.name(self.model)} on " + desk.name(
            self.corpus
        )


class Compare(Order):
    """Every system on the same music."""

    kind: ClassVar[str] = "compare"
    lane: ClassVar[str] = "learn"
    corpus: Id
    recipes: Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]], Field(max_length=50)] = Field(
        default_factory=list
    )
    minutes: Annotated[float, Field(gt=0, le=1000)] = 3.0
    pieces: Annotated[int, Field(ge=1, le=64)] = 16

    def words(self, desk: Desk) -> list[str]:
        """`partimento compare`."""
        told = {"--to": "compared", "--recipes": ",".join(self.recipes) or None, "--minutes": self.minutes}
        return ["compare", desk.music(self.corpus), *flags({**told, "--pieces": self.pieces})]

    def label(self, desk: Desk) -> str:
        """On which music."""
        return f"Comparing systems on {desk.name(self.corpus)}"


class Shrink(Order):
    """A model in fewer bits."""

    kind: ClassVar[str] = "shrink"
    lane: ClassVar[str] = "learn"
    model: Id

    def words(self, desk: Desk) -> list[str]:
        """`partimento shrink`."""
        return ["shrink", desk.model(self.model), "--to", RUN]

    def label(self, desk: Desk) -> str:
        """Which model."""
        return f"{desk.name(self.model)}, in fewer bits"
