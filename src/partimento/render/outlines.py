"""Outlines: the lines and curves of verovio's SVG as operators of PDF.

Leaves out: arcs and rotations, of which it draws none.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

__all__ = ["outline", "painted", "placed"]

COMMANDS = re.compile(r"([MmLlHhVvCcSsQqTtZz])|(-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?)")


def placed(text: str) -> str:
    """A transform as operators."""
    result = []
    for kind, numbers in re.findall(r"(translate|scale)\(([^)]*)\)", text):
        values = [float(n) for n in re.split(r"[\s,]+", numbers.strip())]
        one, two = values[0], values[-1] if len(values) > 1 or kind == "scale" else 0.0
        result.append(f"1 0 0 1 {one:g} {two:g} cm" if kind == "translate" else f"{one:g} 0 0 {two:g} 0 0 cm")
    return " ".join(result)


def painted(shape: ET.Element, tag: str) -> Iterator[str]:
    """A line, a curve, a polygon, a rectangle or an ellipse."""
    number = {key: float(value) for key, value in shape.items() if re.fullmatch(r"-?\d+(\.\d+)?", value)}
    if tag == "path":
        drawn = outline(shape.get("d", ""))
    elif tag in ("polygon", "polyline"):
        points = re.findall(r"-?\d+(?:\.\d+)?", shape.get("points", ""))
        pairs = [
            f"{x} {y} {'l' if at else 'm'}" for at, (x, y) in enumerate(zip(points[::2], points[1::2], strict=True))
        ]
        drawn = " ".join(pairs) + (" h" if tag == "polygon" else "")
    elif tag == "rect":
        drawn = "{:g} {:g} {:g} {:g} re".format(*(number.get(key, 0.0) for key in ("x", "y", "width", "height")))
    elif tag == "ellipse":
        drawn = _ellipse(*(number.get(key, 0.0) for key in ("cx", "cy", "rx", "ry")))
    else:
        return
    filled = (
        shape.get("fill") != "none"
        and shape.get("fill-opacity") != "0"
        and not re.fullmatch(r"\S+ \S+ m \S+ \S+ l", drawn)
    )
    stroked = "stroke-width" in number and shape.get("stroke") != "none" and shape.get("stroke-opacity") != "0"
    dashes = shape.get("stroke-dasharray", "")
    paint = {(True, True): "B", (True, False): "f", (False, True): "S"}.get((filled, stroked))
    if paint and drawn:
        width = f"{number['stroke-width']:g} w " if stroked else ""
        square = "0 J " if shape.get("stroke-linecap") != "round" else "1 J "
        dash = f"[{dashes.replace(',', ' ')}] 0 d " if dashes else ""
        yield f"q {width}{square}{dash}{drawn} {paint} Q" if dashes else f"{width}{square}{drawn} {paint}"


def _ellipse(cx: float, cy: float, rx: float, ry: float) -> str:
    """Four curves that make an ellipse."""
    a, b = 0.5523 * rx, 0.5523 * ry
    return (
        f"{cx + rx:g} {cy:g} m {cx + rx:g} {cy + b:g} {cx + a:g} {cy + ry:g} {cx:g} {cy + ry:g} c "
        f"{cx - a:g} {cy + ry:g} {cx - rx:g} {cy + b:g} {cx - rx:g} {cy:g} c "
        f"{cx - rx:g} {cy - b:g} {cx - a:g} {cy - ry:g} {cx:g} {cy - ry:g} c "
        f"{cx + a:g} {cy - ry:g} {cx + rx:g} {cy - b:g} {cx + rx:g} {cy:g} c h"
    )


def outline(text: str) -> str:
    """A path of SVG as one of PDF: absolute, and with cubic curves only."""
    tokens = COMMANDS.findall(text)
    result: list[str] = []
    at, start, handle = (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)
    command, index = "", 0

    def take(count: int) -> list[float]:
        nonlocal index
        numbers = [float(number) for _, number in tokens[index : index + count]]
        index += count
        return numbers

    while index < len(tokens):
        if tokens[index][0]:
            command = tokens[index][0]
            index += 1
        kind, relative = command.upper(), command.islower()
        ox, oy = at if relative else (0.0, 0.0)
        before, smooth = at, (2 * at[0] - handle[0], 2 * at[1] - handle[1])
        if kind == "Z":
            result.append("h")
            at = handle = start
            continue
        if kind in "HV":
            (value,) = take(1)
            at = (value + ox, at[1]) if kind == "H" else (at[0], value + oy)
            points = [at]
        else:
            numbers = take({"M": 2, "L": 2, "T": 2, "S": 4, "Q": 4, "C": 6}[kind])
            points = [(x + ox, y + oy) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
            at = points[-1]
        handle = at
        if kind == "M":
            result.append(f"{at[0]:g} {at[1]:g} m")
            start, command = at, "l" if relative else "L"
            continue
        if kind in "LHV":
            result.append(f"{at[0]:g} {at[1]:g} l")
            continue
        if kind == "C":
            first, handle = points[0], points[1]
        elif kind == "S":
            first, handle = smooth, points[0]
        else:
            control = points[0] if kind == "Q" else smooth
            first = _between(before, control)
            handle = _between(at, control)
        result.append(f"{first[0]:g} {first[1]:g} {handle[0]:g} {handle[1]:g} {at[0]:g} {at[1]:g} c")
        handle = control if kind in "QT" else handle
    return " ".join(result)


def _between(end: tuple[float, float], control: tuple[float, float]) -> tuple[float, float]:
    """Two thirds of the way to the one handle of a quadratic curve."""
    return end[0] + 2 / 3 * (control[0] - end[0]), end[1] + 2 / 3 * (control[1] - end[1])
