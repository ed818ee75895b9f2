"""Orders: what a page may ask for, and the command of the command line that does it.

Each kind of job is a class whose fields are what a page sends; each becomes the words of one command, so that the
studio does what the command line does and says what it says. Models, pieces and corpora are named by their ids; what
they are on the disk, and where a command writes, is for the studio alone to say.
"""

from __future__ import annotations

import json
import shutil
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from partimento.bundle import COMES_ALONG
from partimento.training.resuming import HAS_A_PLAN

MADE = "made"  # the folder in which a job's pieces come
RUN = "run"  # that of a training
MUSIC = "music"  # a copy of the corpus, by hard links where that can be, that a job learns from or judges by
PIECE, OTHER = "piece.mid", "other.mid"

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
ModelId = Annotated[str, Field(pattern=rf"^([0-9a-f]{{12}}|{COMES_ALONG})$")]
Seed = Annotated[int, Field(ge=0, le=2**53)]
Words = Annotated[str, Field(max_length=400)]
Name = Annotated[str, Field(min_length=1, max_length=120)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Plain = bool | int | Number | Words
Value = Plain | Annotated[list[Plain], Field(max_length=100)] | None


@dataclass(frozen=True)
class Desk:
    """What an order needs of the studio.

    Attributes:
        folder: in which the command works.
        model: the place of a model, as the command line takes it.
        piece: the MIDI file of a piece.
        corpus: the folder of a corpus.
        name: what a piece or a corpus is called.
    """

    folder: Path
    model: Callable[[str], str]
    piece: Callable[[str], Path]
    corpus: Callable[[str], Path]
    name: Callable[[str], str]

    def copied(self, piece: str, name: str) -> str:
        """A copy of a piece in the job's folder, so that the job can be done again whatever becomes of the piece."""
        if not (self.folder / name).exists():
            shutil.copyfile(self.piece(piece), self.folder / name)
        return name

    def music(self, corpus: str) -> str:
        """The corpus as it is now, in the job's folder."""
        copy = self.folder / MUSIC
        if not copy.exists():
            unfinished = self.folder / f".{MUSIC}"
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(self.corpus(corpus), unfinished, copy_function=_linked)
            unfinished.rename(copy)
        return MUSIC


def _linked(source: str, target: str) -> str:
    try:
        Path(target).hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
    return target


class Order(BaseModel):
    """What all have in common.

    Attributes:
        kind: the job, and the name of its command.
        lane: in which it waits: those who compose, look or learn do not wait for one another.
    """

    model_config = ConfigDict(extra="forbid", protected_namespaces=())
    kind: ClassVar[str]
    lane: ClassVar[str]

    @abstractmethod
    def words(self, desk: Desk) -> list[str]:
        """The command."""

    @abstractmethod
    def label(self, desk: Desk) -> str:
        """The job, for a person."""

    def parent(self) -> str | None:
        """The piece that what it makes is made of."""
        return None

    def title(self, desk: Desk) -> str:
        """What a piece that it makes is called; empty for no more than a number."""
        return self.label(desk)


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
        flags = {f"--{name.replace('_', '-')}": getattr(self, name) for name in wished}
        return [*_flags({"--to": MADE, "--sound": "none", "-n": self.n, "--seed": self.seed, **flags})]


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


class Compose(Wishes):
    """A piece from nothing, from a plan, or from a beginning."""

    kind: ClassVar[str] = "compose"

    bars: Annotated[int, Field(ge=1, le=2000)] | None = None
    seconds: Annotated[float, Field(gt=0, le=7200)] | None = None
    form: Annotated[str, Field(pattern=r"^[A-Za-z]{1,64}$")] | None = None
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
        return ["compose", desk.model(self.model), *self.written(), *_flags(told)]

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
        return [self.kind, desk.copied(self.piece, PIECE), *model, *self.written(), *_flags(self.told())]

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
        return ["interpolate", *both, *_flags({**told, "--seed": self.seed, "--sound": "none"})]

    def label(self, desk: Desk) -> str:
        """From which to which."""
        return f"From {desk.name(self.first)} to {desk.name(self.second)}"


class Inspect(Order):
    """What the doctor says of a corpus."""

    kind: ClassVar[str] = "inspect"
    lane: ClassVar[str] = "look"
    corpus: Id

    def words(self, desk: Desk) -> list[str]:
        """`partimento inspect`."""
        return ["inspect", str(desk.corpus(self.corpus)), "--json", "report.json"]

    def label(self, desk: Desk) -> str:
        """Which corpus."""
        return f"Looking at {desk.name(self.corpus)}"


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
    ] = {}
    name: Name | None = None
    data_licence: Words | None = None
    heard: bool = True

    @model_validator(mode="after")
    def _either(self) -> Train:
        if self.recipe is not None and self.model is not None:
            raise ValueError("a run from a trained model has the model's recipe: leave out recipe or model")
        return self

    def words(self, desk: Desk) -> list[str]:
        """`partimento train`, which begins, or goes on where it was broken off."""
        planned = (desk.folder / RUN / HAS_A_PLAN).is_file()  # then it has its own copy of the model
        start = None if self.model is None or planned else desk.model(self.model)
        told = {"--to": RUN, "--recipe": self.recipe, "--from": start, "--minutes": self.minutes}
        words = ["train", desk.music(self.corpus), *_flags({**told, "--data-licence": self.data_licence})]
        words += ["--resume"] if (desk.folder / RUN).exists() else []
        for name, value in self.settings.items():
            words += ["--set", f"{name}={'none' if value is None else json.dumps(value)}"]
        return words

    def label(self, desk: Desk) -> str:
        """Its name, or of what it learns."""
        return self.name or f"{self.recipe or 'lstm' if self.model is None else desk.name(self.model)} on " + desk.name(
            self.corpus
        )


class Audition(Order):
    """How a run learnt, to be heard."""

    kind: ClassVar[str] = "audition"
    lane: ClassVar[str] = "look"
    run: Id
    bars: Annotated[int, Field(ge=1, le=64)] = 8
    seed: Seed = 0
    last: Annotated[int, Field(ge=1, le=1000)] | None = None

    def words(self, desk: Desk) -> list[str]:
        """`partimento audition`."""
        told = {"--to": "audition", "--bars": self.bars, "--seed": self.seed, "--sound": "none", "--last": self.last}
        return ["audition", desk.model(self.run), *_flags(told)]

    def label(self, desk: Desk) -> str:
        """Which run."""
        return f"Hearing how {desk.name(self.run)} learnt"

    def title(self, desk: Desk) -> str:
        """The run's name."""
        return desk.name(self.run)


class Evaluate(Order):
    """How good pieces are, and how new."""

    kind: ClassVar[str] = "evaluate"
    lane: ClassVar[str] = "look"
    pieces: Annotated[list[Id], Field(min_length=1, max_length=1000)]
    like: Id
    model: ModelId | None = None
    seed: Seed = 0

    def words(self, desk: Desk) -> list[str]:
        """`partimento evaluate`."""
        (desk.folder / "pieces").mkdir(exist_ok=True)
        for number, piece in enumerate(self.pieces, start=1):
            desk.copied(piece, f"pieces/{number:04d}.mid")
        told: dict[str, Any] = {"--like": desk.music(self.like), "--html": "report.html", "--json": "report.json"}
        if self.model is not None:
            told |= {"--model": desk.model(self.model)}
            if self.model != COMES_ALONG:
                told |= {"--trained-on": desk.model(self.model)}
        return ["evaluate", "pieces", *_flags({**told, "--seed": self.seed})]

    def label(self, desk: Desk) -> str:
        """How many, and beside what."""
        many = len(self.pieces)
        what = desk.name(self.pieces[0]) if many == 1 else f"{many} pieces"
        return f"{what} beside {desk.name(self.like)}"


class Compare(Order):
    """Every system on the same music."""

    kind: ClassVar[str] = "compare"
    lane: ClassVar[str] = "learn"
    corpus: Id
    recipes: Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]], Field(max_length=50)] = []
    minutes: Annotated[float, Field(gt=0, le=1000)] = 3.0
    pieces: Annotated[int, Field(ge=1, le=64)] = 16

    def words(self, desk: Desk) -> list[str]:
        """`partimento compare`."""
        told = {"--to": "compared", "--recipes": ",".join(self.recipes) or None, "--minutes": self.minutes}
        return ["compare", desk.music(self.corpus), *_flags({**told, "--pieces": self.pieces})]

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


def orders() -> dict[str, type[Order]]:
    """Every kind of job, by its name."""

    def below(kind: type[Order]) -> Iterator[type[Order]]:
        for one in kind.__subclasses__():
            if "kind" in vars(one):
                yield one
            yield from below(one)

    return {kind.kind: kind for kind in below(Order)}  # type: ignore[type-abstract]


Format = Literal["mid", "wav", "flac", "ogg", "mp3", "png", "svg", "pdf", "musicxml"]


def _flags(told: Mapping[str, Any]) -> Iterator[str]:
    """Flags and their values; what is None is not said."""
    for flag, value in told.items():
        if value is not None and str(value).startswith("-"):
            yield f"{flag}={value}"
        elif value is not None:
            yield from (flag, str(value))
