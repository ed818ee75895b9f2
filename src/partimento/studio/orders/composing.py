"""Orders of those who compose: pieces from nothing, of a piece, and between two."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from partimento.bundle import COMES_ALONG
from partimento.studio.orders.order import MADE, OTHER, PIECE, Desk, Id, ModelId, Order, Seed, Words, flags


class Wishes(Order):
    """How pieces are written, and what is asked of them."""

    lane: ClassVar[str] = "compose"

    model: ModelId = COMES_ALONG
    n: Annotated[int, Field(ge=1, le=32)] = 1
    seed: Seed = 0
    temperature: Annotated[float, Field(gt=0, le=10)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    density: Words | None = None
    lowest: Words | None = None
    highest: Words | None = None
    polyphony: Words | None = None
    key: Words | None = None
    chords: Words | None = None

    def written(self) -> list[str]:
        """The words for all of it but the model."""
        wished = ("density", "lowest", "highest", "polyphony", "key", "chords", "temperature", "top_p")
        told = {f"--{name.replace('_', '-')}": getattr(self, name) for name in wished}
        return [*flags({"--to": MADE, "--sound": "none", "-n": self.n, "--seed": self.seed, **told})]


class Region(BaseModel):
    """Some bars of some tracks."""

    model_config = ConfigDict(extra="forbid")
    first: Annotated[int, Field(ge=1, le=100_000)]
    last: Annotated[int, Field(ge=1, le=100_000)]


Tracks = Annotated[list[Annotated[int, Field(ge=1, le=1000)]], Field(min_length=1, max_length=64)]


def _bars(bars: Region | None) -> str | None:
    return None if bars is None else f"{bars.first}-{bars.last}"


def _tracks(tracks: list[int] | None) -> str | None:
    return None if tracks is None else ",".join(map(str, tracks))


LETTERS = r"^[A-Za-z]{1,64}$"


def _form(text: str) -> str:
    if not re.fullmatch(LETTERS, text):
        raise ValueError("A form is a letter for each section, such as AABA.")
    return text


Form = Annotated[str, AfterValidator(_form), Field(json_schema_extra={"pattern": LETTERS})]


class Compose(Wishes):
    """A piece from nothing, from a plan, or from a beginning."""

    kind: ClassVar[str] = "compose"

    bars: Annotated[int, Field(ge=1, le=2000)] | None = None
    seconds: Annotated[float, Field(gt=0, le=7200)] | None = None
    form: Form | None = None
    varied: Annotated[float, Field(ge=0, le=1)] | None = None
    instruments: Words | None = None
    metre: Words | None = None
    tempo: Annotated[float, Field(gt=0, le=1000)] | None = None
    prompt: Id | None = None
    prompt_bars: Annotated[int, Field(ge=1, le=2000)] | None = None
    best: Annotated[int, Field(ge=1, le=32)] | None = None
    max_copied: Annotated[float, Field(gt=0, le=1000)] | None = None

    def words(self, desk: Desk) -> list[str]:
        """`partimento compose`."""
        given = ("bars", "seconds", "form", "varied", "instruments", "metre", "tempo", "best", "max_copied")
        told = {f"--{name.replace('_', '-')}": getattr(self, name) for name in given}
        if self.prompt is not None:
            told |= {"--prompt": desk.copied(self.prompt, PIECE), "--prompt-bars": self.prompt_bars}
        return ["compose", desk.model(self.model), *self.written(), *flags(told)]

    def label(self, desk: Desk) -> str:
        """What it is, and with which model."""
        what = "Composing" if self.prompt is None else f"Continuing {desk.name(self.prompt)}"
        return f"{what} · {desk.name(self.model)}"

    def parent(self) -> str | None:
        """What it goes on from."""
        return self.prompt

    def title(self, desk: Desk) -> str:
        """A piece that goes on has the name of the one that it goes on from."""
        return "" if self.prompt is None else f"{desk.name(self.prompt)}, continued"


class OfPiece(Wishes):
    """What is written into a piece, or beside it."""

    piece: Id
    doing: ClassVar[str]
    done: ClassVar[str]

    def told(self) -> Mapping[str, Any]:
        """What else there is to say, by flags."""
        return {}

    def words(self, desk: Desk) -> list[str]:
        """Its command."""
        place = desk.model(self.model)
        model = [] if place == COMES_ALONG else ["--model", place]
        return [self.kind, desk.copied(self.piece, PIECE), *model, *self.written(), *flags(self.told())]

    def label(self, desk: Desk) -> str:
        """What it is, and of which piece."""
        return f"{self.doing} {desk.name(self.piece)} · {desk.name(self.model)}"

    def parent(self) -> str | None:
        """The piece."""
        return self.piece

    def title(self, desk: Desk) -> str:
        """Its name, and what was done to it."""
        name = desk.name(self.piece)
        return name if name.endswith(f", {self.done}") else f"{name}, {self.done}"


class Fill(OfPiece):
    """Some bars or tracks anew."""

    kind: ClassVar[str] = "fill"
    doing: ClassVar[str] = "Filling"
    done: ClassVar[str] = "filled"
    bars: Region | None = None
    tracks: Tracks | None = None

    def told(self) -> Mapping[str, Any]:
        """Where."""
        return {"--bars": _bars(self.bars), "--tracks": _tracks(self.tracks)}


class Vary(Fill):
    """Some of it anew, here and there."""

    kind: ClassVar[str] = "vary"
    doing: ClassVar[str] = "Varying"
    done: ClassVar[str] = "varied"
    share: Annotated[float, Field(gt=0, le=1)] = 0.5

    def told(self) -> Mapping[str, Any]:
        """Where, and how much."""
        return {**super().told(), "--share": self.share}


class Accompany(OfPiece):
    """New tracks beside those that there are."""

    kind: ClassVar[str] = "accompany"
    doing: ClassVar[str] = "Accompanying"
    done: ClassVar[str] = "accompanied"
    bars: Region | None = None
    instruments: Words | None = None

    def told(self) -> Mapping[str, Any]:
        """Who plays, and where."""
        return {"--instruments": self.instruments, "--bars": _bars(self.bars)}


class Harmonise(OfPiece):
    """What goes with a melody."""

    kind: ClassVar[str] = "harmonise"
    doing: ClassVar[str] = "Harmonising"
    done: ClassVar[str] = "harmonised"
    track: Annotated[int, Field(ge=1, le=1000)] = 1
    instruments: Words | None = None

    def told(self) -> Mapping[str, Any]:
        """Which track, and who plays with it."""
        return {"--track": self.track, "--instruments": self.instruments}


class Interpolate(Order):
    """From one piece to another."""

    kind: ClassVar[str] = "interpolate"
    lane: ClassVar[str] = "compose"
    first: Id
    second: Id
    model: ModelId
    steps: Annotated[int, Field(ge=1, le=64)] = 7
    bars: Annotated[int, Field(ge=1, le=64)] | None = None
    seed: Seed = 0

    def words(self, desk: Desk) -> list[str]:
        """`partimento interpolate`."""
        told = {"--to": MADE, "--model": desk.model(self.model), "--steps": self.steps, "--bars": self.bars}
        both = [desk.copied(self.first, PIECE), desk.copied(self.second, OTHER)]
        return ["interpolate", *both, *flags({**told, "--seed": self.seed, "--sound": "none"})]

    def label(self, desk: Desk) -> str:
        """From which to which."""
        return f"From {desk.name(self.first)} to {desk.name(self.second)}"
