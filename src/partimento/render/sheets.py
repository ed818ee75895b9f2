"""Sheets: a score engraved by verovio, as a picture in SVG or as pages in PDF.

Verovio (Pugin et al. 2014) sets what `engraving` writes down. It runs in a process of its own, bounded in time, for an
engraver in C++ can crash or hang on what nobody foresaw. A PDF has pages of A4; an SVG is one tall page, as long as the
music, because one file was asked for and a browser or a notebook scrolls it. The more staves stand below one another,
the smaller they are, so that a system fits a page. Leaves out: parts for single players.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from partimento.engraving import MOST_BARS, engrave
from partimento.errors import MissingExtra, PartimentoError, Unreadable
from partimento.isolation import isolated
from partimento.render.pdf import pdf
from partimento.score import Score

__all__ = ["write_sheet"]

SECONDS = 300.0  # that verovio may take
MEGABYTES = 4096
MOST_CELLS = 12_000  # bars times staves that are set; a minute's work
LONGEST_TITLE = 60
A4 = (2100, 2970)  # tenths of millimetres
TALLEST = 60_000  # verovio's limit


class _Task(NamedTuple):
    """What verovio is to set."""

    text: str
    title: str
    staves: int
    tallest: int | None  # of one page as tall as the music; None for pages of A4


class _Set(NamedTuple):
    """What it has set, and how many bars of it there was room for."""

    content: bytes
    bars: int


def write_sheet(score: Score, path: Path, *, title: str = "") -> tuple[str, ...]:
    """Write a score as notation.

    Args:
        score: may be empty.
        path: ends in .musicxml, .pdf or .svg.
        title: stands above it.

    Returns:
        A sentence if the music is too long to be shown whole.

    Raises:
        MissingExtra: a .pdf or .svg is asked for, and verovio is not installed.
        PartimentoError: verovio cannot set it.
    """
    suffix = path.suffix.lower()
    title = title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"
    engraving = engrave(score, title)
    if suffix == ".musicxml":
        path.write_text(engraving.text, encoding="utf-8")
        return engraving.remarks
    if find_spec("verovio") is None:
        raise MissingExtra("train", "Engraving a score")
    if engraving.bars * engraving.staves > MOST_CELLS:
        engraving = engrave(score, title, min(max(MOST_CELLS // engraving.staves, 1), MOST_BARS))
    task = _Task(engraving.text, title, engraving.staves, TALLEST if suffix == ".svg" else None)
    ((_, made),) = isolated(_set, [task], workers=1, seconds=SECONDS, megabytes=MEGABYTES)
    if isinstance(made, Unreadable):
        raise PartimentoError(
            "Verovio cannot engrave this score, or not in reasonable time: write it as .musicxml, which notation "
            "programs open, or ask for fewer bars."
        )
    path.write_bytes(made.content)
    if made.bars < engraving.bars:
        return (f"The score shows the first {made.bars:,} bars only; a .pdf has room for more.",)
    return engraving.remarks


def _set(task: _Task) -> _Set:
    """Engrave; runs in a process of its own."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit, tall = verovio.toolkit(), task.tallest is not None
    enlarged = min(max(1.12, (190 * task.staves + 300) / A4[1]), TALLEST / A4[1])
    toolkit.setOptions(
        {
            "pageWidth": round(A4[0] * enlarged),
            "pageHeight": task.tallest or round(A4[1] * enlarged),
            "adjustPageHeight": tall,
            "scale": round(45 / enlarged) if tall else 100,
            **{f"pageMargin{side}": round(100 * enlarged) for side in ("Left", "Right", "Top", "Bottom")},
            "breaks": "auto",
            "footer": "none",
            "header": "auto" if task.title else "none",
            "smuflTextFont": "embedded" if tall else "none",
            "xmlIdSeed": 1,
            "justifyVertically": False,
        }
    )
    toolkit.setInputFrom("xml")
    if not toolkit.loadData(task.text):
        raise Unreadable("Verovio does not read it.", "")
    pages = [toolkit.renderToSVG(number + 1) for number in range(1 if tall else toolkit.getPageCount())]
    bars = sum(len(re.findall(r'class="measure"', page)) for page in pages)
    return _Set(pages[0].encode() if tall else pdf(pages, task.title), bars)
