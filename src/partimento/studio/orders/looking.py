"""Orders of those who look: the doctor, how a run learnt, how good and how new pieces are."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated, Any, ClassVar

from pydantic import Field

from partimento.atomic import atomic_file
from partimento.bundle import COMES_ALONG
from partimento.studio.orders.order import MUSIC, Desk, Id, ModelId, Order, Seed, flags

NAMES = "names.json"


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
        music = desk.music(self.like)
        told: dict[str, Any] = {"--like": music, "--html": "report.html", "--json": "report.json", "--names": NAMES}
        if self.model is not None:
            told |= {"--model": desk.model(self.model)}
        told |= {"--trained-on": music if self.model in (None, COMES_ALONG) else desk.model(str(self.model))}
        if not (desk.folder / NAMES).exists():  # as they are when it is asked for, whatever becomes of the pieces
            with atomic_file(desk.folder / NAMES) as temporary:
                temporary.write_text(json.dumps(self._names(desk, told["--trained-on"])), "utf-8")
        return ["evaluate", "pieces", *flags({**told, "--seed": self.seed})]

    def _names(self, desk: Desk, learnt: str) -> dict[str, str]:
        """What a report calls the pieces, the corpus and its files, by their paths."""
        found = {"pieces": self._said(desk), MUSIC: desk.name(self.like)}
        seen: Counter[str] = Counter()
        for number, piece in enumerate(self.pieces, start=1):
            name = desk.name(piece)
            seen[name] += 1
            found[f"pieces/{number:04d}.mid"] = name if seen[name] == 1 else f"{name} ({seen[name]})"
        if learnt != MUSIC:
            found[learnt] = desk.name(str(self.model))
        files = desk.files(self.like if learnt == MUSIC else str(self.model))
        return found | {f"{learnt}/{file}": name for file, name in files.items()}

    def _said(self, desk: Desk) -> str:
        many = len(self.pieces)
        return desk.name(self.pieces[0]) if many == 1 else f"{many} pieces"

    def label(self, desk: Desk) -> str:
        """How many, and beside what."""
        return f"{self._said(desk)} beside {desk.name(self.like)}"
