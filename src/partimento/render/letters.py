"""Letters: text of verovio's SVG as operators of PDF, and the notes within it.

Text is set in Times, which every reader of PDF has, as wide as verovio's own tables say; notes within it (of tempo
marks) are drawn from verovio's outlines. Letters that Times lacks lose their accents, or are question marks.
"""

from __future__ import annotations

import functools
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from partimento.render.outlines import outline

__all__ = ["FONTS", "Style", "glyph", "set_text"]

FONTS = ("Times-Roman", "Times-Bold", "Times-Italic", "Times-BoldItalic")
TABLES = ("Times", "Times-bold", "Times-italic", "Times-bold-italic")  # of widths, by verovio


@dataclass(frozen=True)
class Style:
    """How text is set."""

    size: float = 0.0
    bold: bool = False
    italic: bool = False
    music: str = ""


@dataclass
class _Line:
    """Text that stands at one place."""

    x: float
    y: float
    anchor: str
    runs: list[tuple[str, Style]] = field(default_factory=list)


def set_text(element: ET.Element, style: Style, glyphs: dict[str, str]) -> Iterator[str]:
    """Lines of text, each set where it stands."""
    lines: list[_Line] = []
    _gather(element, style, lines)
    for line in lines:
        width = sum(_width(text, own) for text, own in line.runs)
        x = line.x - width * {"middle": 0.5, "end": 1.0}.get(line.anchor, 0.0)
        for text, own in line.runs:
            if own.music:
                yield from _notes(text, own, x, line.y, glyphs)
                x += _width(text, own)
                continue
            letters = _plain(text).encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
            font = f"/F{own.bold + 2 * own.italic} {own.size:g} Tf 1 0 0 -1 {x:.1f} {line.y:.1f} Tm"
            yield f"BT {font} ({letters.decode('latin-1')}) Tj ET"
            x += _width(text, own)


def _gather(element: ET.Element, style: Style, lines: list[_Line]) -> None:
    """Add an element's text to the lines."""
    if element.tag.endswith("}title"):
        return
    size, family = element.get("font-size"), element.get("font-family", "")
    style = replace(
        style,
        size=float(size.removesuffix("px")) if size else style.size,
        bold=element.get("font-weight", "bold" if style.bold else "") == "bold",
        italic=element.get("font-style", "italic" if style.italic else "") == "italic",
        music=style.music if not family else "" if "Times" in family else family,
    )
    if element.get("x") or element.get("y") or not lines:
        before = lines[-1] if lines else _Line(0.0, 0.0, "start")
        x, y = float(element.get("x", before.x)), float(element.get("y", before.y))
        lines.append(_Line(x, y, element.get("text-anchor", before.anchor)))
    text = element.text or ""
    if text.strip() or (text and "\n" not in text):
        lines[-1].runs.append((text, style))
    for child in element:
        _gather(child, style, lines)


def _plain(text: str) -> str:
    """Text in the letters that Times has here."""
    result = ""
    for letter in text:
        bare = "".join(c for c in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(c))
        for attempt in (letter, bare, "?"):
            if attempt.isprintable() and attempt.encode("cp1252", "ignore").decode("cp1252") == attempt:
                result += attempt
                break
    return result


def _data() -> Path:
    """Where verovio keeps its fonts."""
    found = find_spec("verovio")
    return Path(found.origin or "").parent / "data" if found else Path()


def _width(text: str, style: Style) -> float:
    """How wide text is set."""
    if style.music:
        widths = _widths(f"{style.music}.xml")
        return sum(widths.get(letter, 400.0) for letter in text) * style.size / 1000
    widths = _widths(f"text/{TABLES[style.bold + 2 * style.italic]}.xml")
    return sum(widths.get(letter, 1024.0) for letter in _plain(text)) * style.size / 2048


@functools.cache
def _widths(name: str) -> dict[str, float]:
    """How wide each letter is, by one of verovio's tables."""
    root = ET.parse(_data() / name).getroot()  # noqa: S314 - verovio's own
    return {chr(int(g.get("c", "20"), 16)): _advance(g) for g in root if g.get("c")}


def _advance(letter: ET.Element) -> float:
    """How far a letter moves on; the tables lack that of some, whose right side is then as wide as their left."""
    left, width = float(letter.get("x", "0")), float(letter.get("w", "0"))
    return float(letter.get("h-a-x", width + 2 * left))


def glyph(path: str) -> str:
    """A glyph by its outline, which points up."""
    return f"1 0 0 -1 0 0 cm {outline(path)} f"


def _notes(text: str, style: Style, x: float, y: float, glyphs: dict[str, str]) -> Iterator[str]:
    """Notes within text; glyphs that no page had before are taken from verovio's outlines."""
    for letter in text:
        name = f"G{ord(letter):04X}"
        file = _data() / style.music / f"{ord(letter):04X}.xml"
        if name not in glyphs and file.is_file():
            found = re.search(r' d="([^"]*)"', file.read_text(encoding="utf-8"))
            glyphs[name] = glyph(found[1] if found else "")
        if name in glyphs:
            yield f"q {style.size / 1000:g} 0 0 {style.size / 1000:g} {x:.1f} {y:.1f} cm /{name} Do Q"
        x += _width(letter, style)
