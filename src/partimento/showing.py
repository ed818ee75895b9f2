"""Showing: what a bundle is made of, and what it says about itself; without torch.

The layers are those that training noted in the bundle's facts; a bundle that does not have them is shown by its arrays.
A stranger's bundle may say anything, so what it says is taken apart here and shown as text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partimento.bundle import Bundle
from partimento.errors import InvalidBundle
from partimento.render.listening import Cell, Strong, Table, number
from partimento.render.network import Layer, draw, shape_text

__all__ = ["Shown", "shown"]

LINE = 400  # characters of one fact that are shown
MOST_LAYERS = 10_000
COUNTS = {"pieces": "pieces", "notes": "notes", "hours": "hours of music"}
NO_LICENCE = "not stated; find out before you publish what this model makes"
APART = {"about", "title", "layers", "scores", "splits", "data_licence", "curve", *COUNTS}


@dataclass(frozen=True)
class Shown:
    """A bundle, as it is shown.

    Attributes:
        bundle: which.
        layers: in the order in which they are computed; where `noted` is False, its arrays, grouped by their names.
        noted: whether training noted the layers.
    """

    bundle: Bundle
    layers: tuple[Layer, ...]
    noted: bool

    @property
    def title(self) -> str:
        """The bundle in a line."""
        return f"{self.bundle.model_name} on {self.bundle.codec_name}"

    @property
    def about(self) -> str:
        """What it is, in its maker's words; may be empty."""
        return _line(self.bundle.facts.get("about") or self.bundle.recipe.get("about") or "")

    @property
    def licence(self) -> str:
        """The licence of the music that it learnt from."""
        return _line(self.bundle.facts.get("data_licence") or NO_LICENCE)

    @property
    def reading(self) -> str:
        """How to read the table of layers, in a sentence."""
        if not self.noted:
            return "Its layers were not noted when it was made; these are its arrays, those of one layer together."
        if any(isinstance(axis, str) for layer in self.layers for axis in layer.shape or ()):
            return "B pieces side by side, T steps of each; parameters are the numbers that a layer learnt."
        return "Of a model that counts, its arrays."

    def layer_table(self) -> Table:
        """The layers, and their sum."""
        sided = any(layer.side for layer in self.layers)
        rows: list[list[Cell]] = []
        for layer in self.layers:
            arrays = ", ".join(f"{name} {shape_text(shape)}" for name, shape in layer.arrays.items())
            gives = shape_text(layer.shape)
            rows.append([layer.name, *([layer.side] if sided else []), layer.kind, gives, layer.parameters, arrays])
        total = Strong(sum(layer.parameters for layer in self.layers))
        heads = ["layer", *(["side"] if sided else []), "kind", "gives", "parameters", "arrays"]
        return Table(heads, [*rows, ["all", *([""] if sided else []), "", "", total, ""]])

    def facts_table(self) -> Table:
        """What it says about itself, but scores and layers."""
        facts = self.bundle.facts
        rows: list[tuple[str, str]] = []
        counted = [f"{_value(facts[name])} {noun}" for name, noun in COUNTS.items() if name in facts]
        if counted:
            rows.append(("learnt from", ", ".join(counted)))
        splits = facts.get("splits")
        for name, split in splits.items() if isinstance(splits, Mapping) else ():
            if isinstance(split, Mapping):
                noted = ", ".join(f"{_value(split[part])} {part}" for part in ("pieces", "notes") if part in split)
                rows.append((f"{_line(name)} pieces", noted))
        rows.append(("licence of that music", self.licence))
        judged = facts.get("likelihood") != "none" or "figure" in facts
        for name, value in facts.items():
            if name not in APART and isinstance(value, str | int | float):
                called = name if judged or name != "best_update" else "updates"  # of a GAN none is better than another
                rows.append((_line(called.replace("_", " ")), _value(value)))
        rows += [("played by", _line(self.bundle.player_name)), ("digest", self.bundle.digest)]
        return Table(["fact", "value"], rows)

    def scores_table(self) -> Table | None:
        """What it reached; None where it does not say."""
        scores = self.bundle.facts.get("scores")
        if not isinstance(scores, Mapping) or not scores:
            return None
        return Table(["score", "value"], [(_line(name), _figure(value)) for name, value in scores.items()])

    def draw(self, path: Path) -> None:
        """Draw the layers into a .png or .svg file.

        Raises:
            PartimentoError: another suffix, or the file cannot be written.
        """
        draw(self.layers, path, title=self.title, about=self.about)


def shown(bundle: Bundle) -> Shown:
    """Take a bundle apart.

    Raises:
        InvalidBundle: its arrays cannot be read, where they must be.
    """
    noted = _noted(bundle.facts.get("layers"))
    return Shown(bundle, noted or tuple(_by_name(bundle)), bool(noted))


def _noted(table: Any) -> tuple[Layer, ...]:
    """The layers as training noted them (see `anatomy`); none where that is not what stands there."""
    if not isinstance(table, list) or not 0 < len(table) <= MOST_LAYERS:
        return ()
    try:
        return tuple(_layer(entry) for entry in table)
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()


def _layer(entry: Mapping[str, Any]) -> Layer:
    shape = entry["shape"]
    return Layer(
        name=_line(entry["name"]),
        kind=_line(entry["kind"]),
        shape=None if shape is None else tuple(_axis(axis) for axis in shape),
        parameters=_size(entry["parameters"]),
        arrays={_line(name): tuple(_size(axis) for axis in array) for name, array in entry["arrays"].items()},
        side=_line(entry.get("side", "")),
    )


def _axis(value: Any) -> int | str:
    return _line(value) if isinstance(value, str) else _size(value)


def _size(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 50:
        raise ValueError(f"{value!r} is no size")
    return value


def _by_name(bundle: Bundle) -> Iterable[Layer]:
    """The arrays of a bundle, those of one layer together: what stands before the last dot is the layer's name."""
    arrays = bundle.arrays()
    if len(arrays) > MOST_LAYERS:
        raise InvalidBundle(f"{bundle.folder}: model.safetensors has more arrays than any model here.")
    layers: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, array in arrays.items():
        layer, _, part = name.rpartition(".")
        layers.setdefault(layer or part, {})[part] = array.shape
    for name, parts in layers.items():
        listed = {_line(part): shape for part, shape in parts.items()}
        yield Layer(_line(name), parameters=sum(math.prod(shape) for shape in parts.values()), arrays=listed)


def _line(value: Any) -> str:
    """One line of text, whatever it was: nothing in it moves a terminal's cursor."""
    text = "".join(c if c.isprintable() else " " for c in str(value)[: 4 * LINE])
    return " ".join(text.split())[:LINE]


def _figure(value: Any) -> float | str | None:
    return _line(value) if isinstance(value, str) else value if isinstance(value, int | float) else None


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, int | float) else _line(value)
