"""What every order has in common, and what it needs of the studio."""

from __future__ import annotations

import shutil
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from partimento.bundle import COMES_ALONG

MADE = "made"  # the folder in which a job's pieces come
RUN = "run"  # that of a training
MUSIC = "music"  # a copy of the corpus, by hard links where that can be, that a job learns from or judges by
PIECE, OTHER = "piece.mid", "other.mid"

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
ModelId = Annotated[str, Field(pattern=rf"^([0-9a-f]{{12}}|{COMES_ALONG})$")]
Seed = Annotated[int, Field(ge=0, le=2**53)]
Words = Annotated[str, Field(max_length=400)]
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
        name: what a piece, a corpus or a model is called.
        files: what the files of a corpus are called, or of that which a model learnt from, by the names of its files.
    """

    folder: Path
    model: Callable[[str], str]
    piece: Callable[[str], Path]
    corpus: Callable[[str], Path]
    name: Callable[[str], str]
    files: Callable[[str], dict[str, str]]

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


def flags(told: Mapping[str, Any]) -> Iterator[str]:
    """Flags and their values; what is None is not said."""
    for flag, value in told.items():
        if value is not None and str(value).startswith("-"):
            yield f"{flag}={value}"
        elif value is not None:
            yield from (flag, str(value))
