"""Auditions on disk: a table, a CSV and a JSON file, and a page to listen and look, of what checkpoints composed.

Written anew after each checkpoint, so what was made before a Ctrl-C is there. How it comes to be is in `auditioning`.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from partimento.atomic import write_text
from partimento.composing import Composed, Order
from partimento.errors import Unreadable
from partimento.evaluation.features import FEATURES
from partimento.recipes import Recipe
from partimento.render import SOUNDS, curves
from partimento.render.listening import Card, Cell, Link, Part, Picture, Section, Strong, Table, Text, page
from partimento.training.checkpoints import CURVES, FOLDER

__all__ = ["Audition", "Heard"]

FORMAT = 1
FIGURES = ("loss", "held-out loss", "accuracy", "held-out accuracy")  # first, in this order
NOT_FIGURES = ("seconds", "notes/s")
LENGTHS = ("bars", "seconds", "notes")
PAGE, TABLE, FACTS, CURVE = "index.html", "audition.csv", "audition.json", "curves.png"


@dataclass(frozen=True)
class Heard:
    """What one checkpoint came to.

    Attributes:
        update: after how many updates.
        best: whether its weights are those of the best held-out loss; none is where nothing is held out against.
        figures: the curve's row: losses and accuracies as far as the model has them.
        pieces: what it composed.
        features: the mean of each feature over its pieces; NaN where none has it.
        why: why it cannot be played; empty where it can.
    """

    update: int
    best: bool
    figures: Mapping[str, float]
    pieces: tuple[Composed, ...] = ()
    features: Mapping[str, float] = field(default_factory=dict)
    why: str = ""

    @property
    def name(self) -> str:
        """Its folder's name: files sort as the network learnt."""
        return f"{self.update:07d}"


@dataclass(frozen=True)
class Audition:
    """What the checkpoints of a run composed from one order.

    Attributes:
        folder: where it lies: `index.html`, `audition.csv` and `.json`, `curves.png`, a folder for each checkpoint.
        run: whose checkpoints they are.
        recipe: how the run learns.
        order: what each checkpoint was to compose.
        total: how many checkpoints there are to hear.
        human: the mean of each feature over held-out pieces; empty where there are none.
        held_out: what the held-out loss is, where training makes another figure smaller.
        heard: the checkpoints so far, the earliest first.
    """

    folder: Path
    run: Path
    recipe: Recipe
    order: Order
    total: int
    human: Mapping[str, float]
    held_out: str = ""
    heard: tuple[Heard, ...] = ()

    @property
    def page(self) -> Path:
        """The page to open."""
        return self.folder / PAGE

    def figures(self) -> list[str]:
        """The names of what was measured while training, as any checkpoint has it."""
        named = dict.fromkeys([*FIGURES, *(name for heard in self.heard for name in heard.figures)])
        there = (name for name in named if any(name in heard.figures for heard in self.heard))
        return [name for name in there if name not in NOT_FIGURES]

    def table(self, *, linked: bool = False) -> Table:
        """A row for each checkpoint and one for the held-out pieces; `linked` to the cards of the page."""
        figures = self.figures()
        rows: list[list[Cell]] = []
        for heard in self.heard:
            update = f"{heard.update:,}{' (best)' if heard.best else ''}"
            first = Link(update, f"#{heard.name}") if linked and heard.pieces else update
            measured = [known(heard.figures.get(name)) for name in figures]
            measured += [known(heard.features.get(feature.name)) for feature in FEATURES]
            rows.append([Strong(cell) if heard.best else cell for cell in (first, *measured)])
        human = [known(self.human.get(feature.name)) for feature in FEATURES]
        rows.append(["held-out pieces", *[None] * len(figures), *human])
        heads = [f"{f.name} ({f.unit})" if f.unit else f.name for f in FEATURES]
        return Table(["update", *figures, *heads], rows)

    def write(self) -> None:
        """Write the table, the facts and the page of what there is so far."""
        write_text(self.folder / TABLE, self._csv())
        facts = json.dumps(self._facts(), indent=1, ensure_ascii=False, allow_nan=False)
        write_text(self.folder / FACTS, facts + "\n")
        drawn = self.folder / CURVE
        if not drawn.exists():
            with contextlib.suppress(Unreadable):  # of a model that counts, and before the second look
                title = f"How {self.recipe.model} learnt"
                curves.draw(self.run / FOLDER / CURVES, drawn, title=title, held_out=self.held_out)
        write_text(self.page, self._page())

    def _csv(self) -> str:
        """The table with all that was measured; what is not known is blank."""
        figures = list(dict.fromkeys(name for heard in self.heard for name in heard.figures))
        features = [feature.name for feature in FEATURES]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["update", "best", *figures, "pieces", "notes", *features, "why"])

        def cells(names: Sequence[str], values: Mapping[str, float]) -> list[str]:
            return ["" if (value := known(values.get(name))) is None else f"{value:.6g}" for name in names]

        for heard in self.heard:
            made = [len(heard.pieces), sum(piece.notes for piece in heard.pieces)]
            measured = [*cells(figures, heard.figures), *made, *cells(features, heard.features)]
            writer.writerow([heard.update, int(heard.best), *measured, heard.why])
        writer.writerow(["held-out pieces", *[""] * (len(figures) + 3), *cells(features, self.human), ""])
        return text.getvalue()

    def _facts(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "run": str(self.run.absolute()),
            **self.order.to_table(),
            "checkpoints": [self._checkpoint(heard) for heard in self.heard],
            "held-out pieces": {name: known(value) for name, value in self.human.items()},
        }

    def _checkpoint(self, heard: Heard) -> dict[str, Any]:
        pieces = [
            {
                "midi": self._place(piece.midi),
                "notes": piece.notes,
                "seconds": round(piece.seconds, 3),
                "remarks": list(piece.remarks),
            }
            for piece in heard.pieces
        ]
        return {
            "update": heard.update,
            "best": heard.best,
            "figures": {name: known(value) for name, value in heard.figures.items()},
            "features": {name: known(value) for name, value in heard.features.items()},
            "pieces": pieces,
            "why": heard.why,
        }

    def _page(self) -> str:
        asked, order = "one piece", self.order
        if order.n > 1:
            asked = f"{order.n} pieces"
        length = next((f" of {getattr(order.request, n):g} {n}" for n in LENGTHS if getattr(order.request, n)), "")
        lead = (
            f"Every checkpoint of a run was asked for the same: {asked}{length}, seed {order.seed}. The run is "
            f"{self.recipe.model} on {self.recipe.codec}: {self.recipe.about}"
        )
        if len(self.heard) < self.total:
            lead += f"\n\nHere are {len(self.heard)} of {self.total} checkpoints: it is still at work, or was stopped."
        note = "The features are means over what was composed; the last row has those of pieces never learnt from."
        if self.held_out:
            note += f" The held-out loss is {self.held_out}; what this model learns by is another figure."
        figures: list[Part] = [self.table(linked=True), Text(note)]
        silent = [[f"{heard.update:,}", heard.why] for heard in self.heard if heard.why]
        if silent:
            figures.append(Table(["update", "why"], silent, "Checkpoints that cannot be played"))
        cards = [card for heard in self.heard for card in self._cards(heard)]
        sections = [Section("Figures", figures), Section("Listen and look", cards)]
        if (self.folder / CURVE).exists():
            curve = Picture(CURVE, "The loss on the training pieces and on the held-out ones, update by update")
            sections.insert(1, Section("How it learnt", [curve]))
        return page("Audition", sections, lead)

    def _cards(self, heard: Heard) -> list[Card]:
        title = f"Update {heard.update:,}{', the best' if heard.best else ''}"
        shown = [f"{name} {heard.figures[name]:.3g}" for name in ("held-out loss", "accuracy") if name in heard.figures]
        return [
            Card(
                f"{title}, piece {number + 1}" if len(heard.pieces) > 1 else title,
                picture=self._beside(piece.midi, [".png"]),
                sound=self._beside(piece.midi, SOUNDS),
                facts=[*shown, f"{piece.notes} notes", f"{piece.seconds:.0f} s"],
                remarks=piece.remarks,
                links=[Link("MIDI", self._place(piece.midi))],
                name="" if number else heard.name,
            )
            for number, piece in enumerate(heard.pieces)
        ]

    def _beside(self, midi: Path, suffixes: Sequence[str]) -> str:
        """The file of the same name with one of these suffixes; empty where there is none."""
        files = (midi.with_suffix(suffix) for suffix in suffixes)
        return next((self._place(file) for file in files if file.is_file()), "")

    def _place(self, file: Path) -> str:
        return file.relative_to(self.folder).as_posix()


def known(value: float | None) -> float | None:
    """A number that is one, or None."""
    return value if value is not None and math.isfinite(value) else None
