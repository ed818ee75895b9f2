"""Networks: a picture of the layers that a model is made of, from the first that is computed to the last.

Each layer is a bar, as wide as what it gives is large (by its logarithm), with its name and kind before it and its
shape and parameters after it; what learns nothing is thin. Leaves out: which layer's output goes where; in a model that
is no chain (a pair of encoder and decoder) the order is that of computing, and nothing more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from partimento.atomic import atomic_file
from partimento.errors import PartimentoError
from partimento.render import PICTURES
from partimento.render.drawing import Drawing, text_width
from partimento.render.style import BLUE, GREEN, GREY, INK, PALE, TRACKS, VERMILION

__all__ = ["Layer", "draw", "network", "shape_text"]

WIDTH, EDGE = 940.0, 24.0
NAMES, BARS, SHAPES, NUMBERS = EDGE, 500.0, 668.0, WIDTH - EDGE  # columns: left, middle, left, right
WIDEST, NARROWEST = 290.0, 34.0  # bars
ROW, THICK, THIN = 32.0, 16.0, 4.0
MOST_LAYERS = 120
FAMILIES = {
    "recurrent": (BLUE, ("LSTM", "GRU", "RNN")),
    "dense": (VERMILION, ("Linear", "Bilinear")),
    "embedding": (GREEN, ("Embedding",)),
    "convolution": (TRACKS[3], ("Conv",)),
    "normalisation": (TRACKS[8], ("LayerNorm", "BatchNorm", "GroupNorm", "InstanceNorm", "RMSNorm")),
}
OTHER, NOTHING_LEARNT = "other", "learns nothing"
NO_SIDE = "of no side"


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: where it stands in the model.
        kind: its class; empty where nobody knows.
        shape: what it gives: numbers, and how an axis grows with the batch ("B", "T", "88BT"); None where unknown.
        parameters: how many numbers it learns.
        arrays: the shape of each of its arrays.
        side: which side trains it, where there are several.
    """

    name: str
    kind: str = ""
    shape: tuple[int | str, ...] | None = None
    parameters: int = 0
    arrays: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    side: str = ""

    @property
    def family(self) -> str:
        """What sort of layer it is, for its colour."""
        if not self.parameters and not self.arrays:
            return NOTHING_LEARNT
        found = (name for name, (_, kinds) in FAMILIES.items() if self.kind.startswith(kinds))
        return next(found, OTHER)

    @property
    def features(self) -> int:
        """How many numbers it gives at each step; of arrays alone, the length of the largest."""
        if self.shape is not None:
            return math.prod(axis for axis in self.shape if isinstance(axis, int))
        largest = max(self.arrays.values(), key=math.prod, default=(1,))
        return max(largest, default=1)


def shape_text(shape: tuple[int | str, ...] | None) -> str:
    """A shape as it is read.

    Example:
        >>> shape_text(("B", "T", 512)), shape_text(None)
        ('B × T × 512', '–')
    """
    return "–" if shape is None else " × ".join(f"{axis:,}" if isinstance(axis, int) else axis for axis in shape)


def draw(layers: Sequence[Layer], path: Path, *, title: str, about: str = "") -> None:
    """Draw a picture of a model's layers.

    Args:
        layers: as they are computed.
        path: ends in .png or .svg; appears whole or not at all.
        title: stands above.
        about: stands below the title.

    Raises:
        PartimentoError: another suffix, or the file cannot be written.
    """
    if path.suffix.lower() not in PICTURES:
        raise PartimentoError(f"{path.name or path}: a picture ends in {' or '.join(PICTURES)}.")
    try:
        with atomic_file(path) as temporary:
            network(layers, title, about).write(temporary)
    except OSError as error:
        raise PartimentoError(f"{path} cannot be written: {error.strerror or error}.") from error


def network(layers: Sequence[Layer], title: str, about: str = "") -> Drawing:
    """The picture, before it is written; at most `MOST_LAYERS` layers, and how many more there are."""
    shown, more = list(layers[:MOST_LAYERS]), max(len(layers) - MOST_LAYERS, 0)
    sided = any(layer.side for layer in layers)
    sides = [(side or NO_SIDE if sided else "", list(group)) for side, group in groupby(shown, lambda one: one.side)]
    headed = len(sides) if sided else 0
    drawing = Drawing(WIDTH, 132 + ROW * (len(shown) + headed + bool(more)) + 34, title)
    _head(drawing, shown, title, about)
    widest = max((layer.features for layer in shown), default=1)
    most = max((layer.parameters for layer in shown), default=0)
    y = 132.0
    for side, group in sides:
        if side:
            drawing.text(NAMES, y + ROW / 2 + 4, side, 13, bold=True)
            y += ROW
        if len(group) > 1:
            drawing.boxes(PALE, [(BARS - 0.75, y + ROW / 2, 1.5, ROW * (len(group) - 1))])
        for layer in group:
            _row(drawing, layer, y, widest, most)
            y += ROW
    if more:
        drawing.text(NAMES, y + ROW / 2 + 4, f"and {more:,} more layers", 12, fill=GREY)
        y += ROW
    total = sum(layer.parameters for layer in layers)
    drawing.boxes(PALE, [(EDGE, y + 4, WIDTH - 2 * EDGE, 1)])
    drawing.text(NUMBERS, y + 24, f"{total:,} parameters", 12, anchor="right", bold=True)
    return drawing


def _head(drawing: Drawing, layers: Sequence[Layer], title: str, about: str) -> None:
    drawing.text(EDGE, 36, title, min(20.0, 20.0 * (WIDTH - 2 * EDGE) / max(text_width(title, 20), 1)), bold=True)
    drawing.text(EDGE, 58, _short(about, WIDTH - 2 * EDGE, 12), 12, fill=GREY)
    x = EDGE
    for family in (*FAMILIES, OTHER, NOTHING_LEARNT):
        if any(layer.family == family for layer in layers):
            thick = family != NOTHING_LEARNT
            drawing.boxes(_colour(family), [(x, 73 if thick else 78, 14, 10 if thick else THIN / 2)])
            drawing.text(x + 20, 83, family, 11)
            x += 20 + text_width(family, 11) + 22
    for place, text, anchor in (
        (NAMES, "layer", "left"),
        (SHAPES, "gives", "left"),
        (NUMBERS, "parameters", "right"),
    ):
        drawing.text(place, 116, text, 11, fill=GREY, anchor=anchor)  # type: ignore[arg-type]
    drawing.boxes(PALE, [(EDGE, 124, WIDTH - 2 * EDGE, 1)])


def _row(drawing: Drawing, layer: Layer, y: float, widest: int, most: int) -> None:
    """One layer: name and kind, its bar, shape and parameters."""
    middle, colour = y + ROW / 2, _colour(layer.family)
    share = math.log2(layer.features + 1) / math.log2(max(widest, 1) + 1)
    width = NARROWEST + (WIDEST - NARROWEST) * share
    thick = THIN if layer.family == NOTHING_LEARNT else THICK
    drawing.boxes(colour, [(BARS - width / 2, middle - thick / 2, width, thick)])
    kind = _short(layer.kind, 150, 12)
    name = _short(layer.name, BARS - WIDEST / 2 - NAMES - text_width(kind, 12) - 24, 12)
    drawing.text(NAMES, middle + 4, kind or name, 12, bold=bool(kind))
    if kind:
        drawing.text(NAMES + text_width(kind, 12) + 10, middle + 4, name, 12, fill=GREY)
    drawing.text(SHAPES, middle + 4, _short(shape_text(layer.shape), 150, 12), 12)
    if layer.parameters:
        drawing.text(NUMBERS, middle + 3, f"{layer.parameters:,}", 12, anchor="right")
        bar = 80 * layer.parameters / most
        drawing.boxes(PALE, [(NUMBERS - 80, middle + 8, 80, 2)])
        drawing.boxes(INK, [(NUMBERS - bar, middle + 8, bar, 2)])


def _colour(family: str) -> str:
    if family in FAMILIES:
        return FAMILIES[family][0]
    return GREY if family == NOTHING_LEARNT else TRACKS[4]


def _short(text: str, width: float, size: float) -> str:
    """As much of a text as there is room for."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text + "…"
