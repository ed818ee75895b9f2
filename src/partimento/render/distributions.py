"""Distributions: a picture of two sets of pieces, figure by figure, one laid over the other.

Each panel is one figure: the pieces of people as a pale area, the set that is judged as a line over it, or, of what is
counted in bins, bars side by side. Where they lie together, the set is as people's music is. A panel whose set lies
outside human variation says so in words. Leaves out: how many pieces there are behind an area; the tables say that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partimento.atomic import atomic_file
from partimento.errors import PartimentoError
from partimento.render import PICTURES
from partimento.render.drawing import Box, Drawing, text_width
from partimento.render.style import BLUE, GREY, INK, PALE, VERMILION, mixed

__all__ = ["Distribution", "distributions", "draw"]

WIDTH, EDGE, GAP = 940.0, 24.0, 26.0
HEAD, TITLE, TALL, FOOT = 74.0, 22.0, 78.0, 40.0  # of the picture; of a panel: its title, its plot, what lies below
COLUMNS = 3
LINE = 1.5
HUMAN = mixed(GREY, 0.38)
FEW = 8.0  # points between two bins' names, at least

Figures = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Distribution:
    """One figure of two sets.

    Attributes:
        name: of the figure.
        unit: of `at`; empty where there is none.
        at: (K,) evenly spaced figures, or empty where `bins` are named.
        made: (K,) the share of the judged set at each.
        human: (K,) the share of people's pieces.
        inside: whether the set lies inside human variation; None where nobody can say.
        bins: what is counted, where it has names.
    """

    name: str
    unit: str
    at: Figures
    made: Figures
    human: Figures
    inside: bool | None
    bins: tuple[str, ...] = ()


def draw(shown: Sequence[Distribution], path: Path, *, title: str) -> None:
    """Draw a picture of distributions.

    Args:
        shown: one panel each.
        path: ends in .png or .svg; appears whole or not at all.
        title: stands above.

    Raises:
        PartimentoError: another suffix, or the file cannot be written.
    """
    if path.suffix.lower() not in PICTURES:
        raise PartimentoError(f"{path.name or path}: a picture ends in {' or '.join(PICTURES)}.")
    try:
        with atomic_file(path) as temporary:
            distributions(shown, title).write(temporary)
    except OSError as error:
        raise PartimentoError(f"{path} cannot be written: {error.strerror or error}.") from error


def distributions(shown: Sequence[Distribution], title: str) -> Drawing:
    """The picture, before it is written: figures in three columns, then what is counted in bins, in wider panels."""
    curves = [one for one in shown if not one.bins]
    counted = [one for one in shown if one.bins]
    panel = TITLE + TALL + FOOT
    rows = -(-len(curves) // COLUMNS) + len(counted)
    drawing = Drawing(WIDTH, HEAD + rows * panel, title)
    drawing.text(EDGE, 34, title, 18, bold=True)
    x = EDGE
    for colour, name in ((HUMAN, "people's pieces"), (BLUE, "these pieces")):
        drawing.boxes(colour, [(x, 47, 12, 10)])
        drawing.text(x + 17, 56, name, 11)
        x += 17 + text_width(name, 11) + 22
    wide = (WIDTH - 2 * EDGE - (COLUMNS - 1) * GAP) / COLUMNS
    for number, one in enumerate(curves):
        row, column = divmod(number, COLUMNS)
        _curve(drawing, one, EDGE + column * (wide + GAP), HEAD + row * panel, wide)
    top = HEAD + -(-len(curves) // COLUMNS) * panel
    for number, one in enumerate(counted):
        _bars(drawing, one, EDGE, top + number * panel, WIDTH - 2 * EDGE)
    return drawing


def _head(drawing: Drawing, one: Distribution, x: float, y: float, width: float) -> float:
    """Write a panel's title; gives the line that its plot stands on."""
    name = one.name if not one.unit else f"{one.name}, {one.unit}"
    drawing.text(x, y + 13, name, 11, bold=True)
    if one.inside is False:
        drawing.text(x + width, y + 13, "outside", 10, fill=VERMILION, anchor="right", bold=True)
    ground = y + TITLE + TALL
    drawing.boxes(PALE, [(x, ground, width, 0.5)])
    return ground


def _curve(drawing: Drawing, one: Distribution, x: float, y: float, width: float) -> None:
    """One panel of two densities."""
    ground = _head(drawing, one, x, y, width)
    at = np.linspace(one.at[0], one.at[-1], int(width))
    most = max(float(one.made.max()), float(one.human.max()), 1e-12)
    human, made = (np.interp(at, one.at, shares) / most * (TALL - LINE) for shares in (one.human, one.made))
    area: list[Box] = [(x + n, ground - h, 1.0, h) for n, h in enumerate(human.tolist()) if h >= LINE / 2]
    drawing.boxes(HUMAN, area)
    next_ones = np.append(made[1:], made[-1])
    line: list[Box] = []
    for n, (low, high) in enumerate(zip(np.minimum(made, next_ones), np.maximum(made, next_ones), strict=True)):
        if high >= LINE / 2:
            line.append((x + n, ground - high - LINE, 1.0, high - low + LINE))
    drawing.boxes(BLUE, line)
    low, high = float(one.at[0]), float(one.at[-1])
    for tick in _ticks(low, high):
        place = x + (tick - low) / (high - low) * width
        drawing.boxes(GREY, [(place, ground, 0.5, 4)])
        drawing.text(place, ground + 16, f"{tick:g}", 9.5, fill=GREY, anchor="middle")


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two others, three to six of them.

    Example:
        >>> _ticks(-0.23, 6.44)
        [0.0, 2.0, 4.0, 6.0]
    """
    rough = (high - low) / 3 * (1 + 1e-9)  # for the powers of ten that floats miss by little
    power = 10.0 ** math.floor(math.log10(rough))
    step = max(n * power for n in (1, 2, 5) if n * power <= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(n * step, 10) + 0.0 for n in range(first, last + 1)]


def _bars(drawing: Drawing, one: Distribution, x: float, y: float, width: float) -> None:
    """One panel of two histograms."""
    ground = _head(drawing, one, x, y, width)
    most = max(float(one.made.max()), float(one.human.max()), 1e-12)
    step = width / len(one.bins)
    bar = step * 0.38
    for colour, shares, shift in ((HUMAN, one.human, 0.1), (BLUE, one.made, 0.1 + bar / step)):
        drawing.boxes(
            colour,
            [
                (x + (n + shift) * step, ground - share / most * TALL, bar, share / most * TALL)
                for n, share in enumerate(shares.tolist())
                if share / most * TALL >= 0.5
            ],
        )
    free = x
    for n, name in enumerate(one.bins):
        half = text_width(name, 9) / 2
        middle = min(max(x + (n + 0.5) * step, x + half), x + width - half)
        last = x + width - text_width(one.bins[-1], 9) - FEW  # the last is always named
        if middle - half >= free and (middle + half <= last or n == len(one.bins) - 1):
            drawing.text(middle, ground + 15, name, 9, fill=INK, anchor="middle")
            free = middle + half + FEW
