"""Orders of those who look: the doctor, how a run learnt, how good and how new pieces are."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from partimento.bundle import COMES_ALONG
from partimento.studio.orders.order import Desk, Id, ModelId, Order, Seed, flags


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
        return ["audition", desk.model(self.run), *flags(told)]

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
        return ["evaluate", "pieces", *flags({**told, "--seed": self.seed})]

    def label(self, desk: Desk) -> str:
        """How many, and beside what."""
        many = len(self.pieces)
        what = desk.name(self.pieces[0]) if many == 1 else f"{many} pieces"
        return f"{what} beside {desk.name(self.like)}"
