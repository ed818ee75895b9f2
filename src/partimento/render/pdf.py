"""PDF: pages of engraved music as a document that prints.

Verovio draws pages as SVG of a few kinds only: lines and curves (`outlines`), glyphs that are drawn many times, and
text (`letters`). They go over into PDF 1.4 one by one (ISO 32000): a glyph is kept once for all pages and drawn where
it is needed. The same pages give the same bytes: nothing is dated. Leaves out: everything else that SVG can do.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from partimento.render.letters import FONTS, Style, glyph, set_text
from partimento.render.outlines import painted, placed

__all__ = ["A4", "pdf"]

A4 = (595.276, 841.89)  # points
LINK = "{http://www.w3.org/1999/xlink}href"
BOLD, ITALIC = {"ending", "fing", "reh", "tempo"}, {"dir", "dynam", "mNum"}  # as verovio's style sheet has it


def pdf(pages: Sequence[str], title: str = "", paper: tuple[float, float] = A4) -> bytes:
    """A document of pages.

    Args:
        pages: SVG by verovio.
        title: of the document.
        paper: width and height of a page in points.
    """
    glyphs: dict[str, str] = {}
    contents = [_content(ET.fromstring(page), glyphs, paper) for page in pages]  # noqa: S314 - verovio's own
    objects: list[bytes] = [b"", b""]  # the catalogue and the list of pages, when all is known

    def add(content: bytes) -> bytes:
        objects.append(content)
        return b"%d 0 R" % len(objects)

    font = "<</Type/Font/Subtype/Type1/BaseFont/{}/Encoding/WinAnsiEncoding>>"
    fonts = [add(font.format(name).encode()) for name in FONTS]
    form = b"/Type/XObject/Subtype/Form/BBox[-4000 -4000 8000 8000]"
    drawn = [(name, add(_stream(path.encode(), form))) for name, path in glyphs.items()]
    named = b"".join(b"/F%d %s" % (number, font) for number, font in enumerate(fonts))
    used = b"".join(b"/%s %s" % (name.encode(), number) for name, number in drawn)
    resources = add(b"<</Font<<%s>>/XObject<<%s>>>>" % (named, used))
    size = b"%.3f %.3f" % paper
    kids = [
        add(b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %s]/Resources %s/Contents %s>>" % (size, resources, content))
        for content in [add(_stream(content)) for content in contents]
    ]
    about = add(b"<</Title%s/Producer(Partimento)>>" % _string(title))
    objects[0] = b"<</Type/Catalog/Pages 2 0 R>>"
    objects[1] = b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(kids), b" ".join(kids))
    return _file(objects, about)


def _string(text: str) -> bytes:
    """A string that may have any letters."""
    return b"<FEFF%s>" % text.encode("utf-16-be", "replace").hex().encode()


def _stream(content: bytes, entries: bytes = b"") -> bytes:
    packed = zlib.compress(content, 9)
    return b"<<%s/Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (entries, len(packed), packed)


def _file(objects: Sequence[bytes], about: bytes) -> bytes:
    """The file: its head, objects, and the table of where each begins."""
    body = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    body += b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table)
    body += b"trailer<</Size %d/Root 1 0 R/Info %s>>\nstartxref\n%d\n%%%%EOF\n" % (count, about, body.rindex(b"xref"))
    return bytes(body)


def _content(page: ET.Element, glyphs: dict[str, str], paper: tuple[float, float]) -> bytes:
    """What is painted on a page; glyphs that it needs are added."""
    for drawn in page.iterfind("{*}defs/{*}g"):
        path = drawn.find("{*}path")
        if path is not None:
            glyphs.setdefault(_code(drawn.get("id", "")), glyph(path.get("d", "")))
    inner = page.find("{*}svg")
    if inner is None:
        return b""
    width = float(inner.get("viewBox", "0 0 1 1").split()[2])
    scale = paper[0] / width
    head = f"1 J 1 j {scale:.6f} 0 0 {-scale:.6f} 0 {paper[1]:.3f} cm"
    return "\n".join([head, *_painted(inner, Style(), glyphs)]).encode("latin-1")


def _code(id: str) -> str:
    """A glyph's name, without what verovio adds to tell pages apart."""
    return "G" + id.lstrip("#").split("-")[0]


def _painted(element: ET.Element, style: Style, glyphs: dict[str, str]) -> Iterator[str]:
    """The operators that paint an element and all within it."""
    for child in element:
        tag = child.tag.rpartition("}")[2]
        classes = set(child.get("class", "").split())
        if "placeholder" in classes:
            continue
        own = replace(style, bold=style.bold or bool(classes & BOLD), italic=style.italic or bool(classes & ITALIC))
        if tag == "g":
            moved = placed(child.get("transform", ""))
            inside = list(_painted(child, own, glyphs))
            if inside:
                yield from (["q " + moved, *inside, "Q"] if moved else inside)
        elif tag == "use":
            name = _code(child.get(LINK, child.get("href", "")))
            if name in glyphs:
                yield f"q {placed(child.get('transform', ''))} /{name} Do Q"
        elif tag == "text":
            yield from set_text(child, own, glyphs)
        else:
            yield from painted(child, tag)
