"""Drawing: a picture as a list of shapes, written as pixels (Pillow) or as vectors (SVG).

One description, two back ends, neither of which knows what is drawn. Coordinates are in points from the upper left
corner; a PNG has `SCALE` pixels to a point, and shapes lie on whole pixels. The same drawing gives the same bytes:
nothing is dated. Letters in a PNG are Pillow's own (Aileron, which has little beside ASCII); text that it lacks
letters for is set in DejaVu Sans where matplotlib is installed, and otherwise loses its accents. Leaves out: curves.
"""

from __future__ import annotations

import functools
import importlib.util
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from partimento.render.style import FAMILY, INK, PAPER, mixed

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

SCALE = 2
RAMP = 12  # shades from paper to a letter's colour
Anchor = Literal["left", "middle", "right"]
Box = tuple[float, float, float, float]  # x, y, width, height


@dataclass(frozen=True)
class Boxes:
    """Filled rectangles of one colour."""

    fill: str
    boxes: list[Box]


@dataclass(frozen=True)
class Text:
    """One line of text, on bare paper; y is its baseline."""

    x: float
    y: float
    text: str
    size: float
    fill: str
    anchor: Anchor
    bold: bool


@dataclass
class Drawing:
    """A picture of so many points and at most 256 colours, in the order in which it is painted."""

    width: float
    height: float
    title: str = ""
    shapes: list[Boxes | Text] = field(default_factory=list)

    def boxes(self, fill: str, boxes: Iterable[Box]) -> None:
        """Paint rectangles; one thinner than a pixel is a pixel wide."""
        kept = list(boxes)
        if kept:
            self.shapes.append(Boxes(fill, kept))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        fill: str = INK,
        anchor: Anchor = "left",
        bold: bool = False,
    ) -> None:
        """Write one line, its baseline at y."""
        if text:
            self.shapes.append(Text(x, y, text, size, fill, anchor, bold))

    def write(self, path: Path) -> None:
        """Write a .png or .svg file, by suffix."""
        if path.suffix.lower() == ".svg":
            path.write_text(_svg(self), encoding="utf-8")
        else:
            _write_png(self, path)


def text_width(text: str, size: float) -> float:
    """How many points wide a line of text is."""
    font, text = _font(text, 64)
    return float(font.getlength(text)) * size / 64


def _write_png(drawing: Drawing, path: Path) -> None:
    """Paint with a palette, which is several times faster to compress than red, green and blue.

    Letters are soft at the edges: a ramp of `RAMP` colours from their own to the paper's.
    """
    from PIL import Image, ImageDraw

    image = Image.new("P", (round(drawing.width * SCALE), round(drawing.height * SCALE)))
    draw = ImageDraw.Draw(image)
    colours = {PAPER: 0}
    for shape in drawing.shapes:
        if isinstance(shape, Boxes):
            colour = colours.setdefault(shape.fill, len(colours))
            for x, y, width, height in shape.boxes:
                left, top = round(x * SCALE), round(y * SCALE)
                right, bottom = round((x + width) * SCALE), round((y + height) * SCALE)
                draw.rectangle((left, top, max(right - 1, left), max(bottom - 1, top)), fill=colour)
        else:
            letters, at = _letters(shape)
            steps = [mixed(shape.fill, (step + 1) / RAMP) for step in range(RAMP)]
            ramp = [colours.setdefault(step, len(colours)) for step in steps]
            table = [ramp[max(round(level / 255 * RAMP), 1) - 1] for level in range(256)]
            image.paste(letters.point(table), at, letters.point([0] * 12 + [255] * 244))
    if len(colours) > 256:
        raise ValueError(f"a drawing has at most 256 colours, this one {len(colours)}")
    image.putpalette(bytes.fromhex("".join(colour[1:] for colour in colours)))
    image.save(path, format="PNG", compress_level=4)


def _letters(text: Text) -> tuple[Image, tuple[int, int]]:
    """How much of each pixel a line of text covers, and where its upper left corner lies."""
    from PIL import Image, ImageDraw

    font, line = _font(text.text, round(text.size * SCALE))
    stroke = 0.03 * text.size if text.bold else 0.0
    width, rise = round(font.getlength(line)), round(text.size * SCALE * 1.2)
    coverage = Image.new("L", (width + 8, round(rise * 1.4)))
    ImageDraw.Draw(coverage).text((4, rise), line, font=font, fill=255, anchor="ls", stroke_width=stroke)
    left = text.x * SCALE - width * {"left": 0.0, "middle": 0.5, "right": 1.0}[text.anchor]
    return coverage, (round(left) - 4, round(text.y * SCALE) - rise)


def _svg(drawing: Drawing) -> str:
    size = f"{drawing.width:g} {drawing.height:g}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{drawing.width:g}" '
        f'height="{drawing.height:g}" role="img" font-family="{FAMILY}" shape-rendering="crispEdges">',
        f"<title>{_xml(drawing.title)}</title>",
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
    ]
    anchors = {"left": "", "middle": ' text-anchor="middle"', "right": ' text-anchor="end"'}
    for shape in drawing.shapes:
        if isinstance(shape, Boxes):
            least = 1 / SCALE
            path = "".join(
                f"M{x:.2f} {y:.2f}h{max(w, least):.2f}v{max(h, least):.2f}h{-max(w, least):.2f}z"
                for x, y, w, h in shape.boxes
            )
            lines.append(f'<path fill="{shape.fill}" d="{path}"/>')
        else:
            weight = ' font-weight="600"' if shape.bold else ""
            lines.append(
                f'<text x="{shape.x:.2f}" y="{shape.y:.2f}" font-size="{shape.size:g}" fill="{shape.fill}"'
                f"{anchors[shape.anchor]}{weight}>{_xml(shape.text)}</text>"
            )
    return "\n".join([*lines, "</svg>", ""])


def _xml(text: str) -> str:
    """Text that XML can hold."""
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))


@functools.cache
def _built_in(size: int) -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)  # type: ignore[return-value]  # FreeType comes with every wheel of Pillow


@functools.cache
def _dejavu(size: int) -> FreeTypeFont | None:
    from PIL import ImageFont

    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        return None
    file = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(file), size) if file.is_file() else None


@functools.cache
def _built_in_has(character: str) -> bool:
    font = _built_in(16)
    return bytes(font.getmask(character)) != bytes(font.getmask("\uffff"))


def _font(text: str, size: int) -> tuple[FreeTypeFont, str]:
    """A font, and the text as that font can write it."""
    text = "".join(c if c.isprintable() else " " for c in text)
    if all(map(_built_in_has, text)):
        return _built_in(size), text
    if (font := _dejavu(size)) is not None:
        return font, text
    plain = unicodedata.normalize("NFKD", text)
    return _built_in(size), "".join(c if _built_in_has(c) else "?" for c in plain if not unicodedata.combining(c))
