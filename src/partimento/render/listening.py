"""Listening pages: one plain HTML file beside the sounds and pictures that it shows.

No script, no style sheet and no request but for the files beside it, so a page opens from a disk, a stick or any web
server, today and later. It follows the reader's choice of light or dark, is read on a telephone (wide tables move
sideways by themselves) and by a screen reader, and is black on white on paper. All text is escaped, and a place in a
link cannot lead to another site or run anything. Leaves out: sorting, filtering, and everything else that needs script.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import PurePosixPath
from typing import TypeAlias
from urllib.parse import quote

from partimento.render.style import BLUE, GREY, INK, PALE, PANEL, PAPER

__all__ = ["Card", "Cell", "Link", "Part", "Picture", "Section", "Strong", "Table", "Text", "page"]


@dataclass(frozen=True)
class Link:
    """A place beside the page, or on it.

    Attributes:
        text: what stands there.
        to: a path relative to the page, with `/`; or `#` and the name of a card.
    """

    text: str
    to: str


@dataclass(frozen=True)
class Strong:
    """A cell that stands out, such as the best of its column."""

    cell: str | float | Link | None


Cell: TypeAlias = str | float | Link | Strong | None
"""Numbers are set to four figures and to the right; None is a dash."""


@dataclass(frozen=True)
class Text:
    """Paragraphs; an empty line stands between two."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows under heads; the first cell of a row names it.

    Attributes:
        heads: one for each column.
        rows: as many cells each.
        caption: stands above.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""

    def __post_init__(self) -> None:
        if odd := [row for row in self.rows if len(row) != len(self.heads)]:
            raise ValueError(f"a row has {len(odd[0])} cells under {len(self.heads)} heads")


@dataclass(frozen=True)
class Picture:
    """A picture as wide as the page.

    Attributes:
        path: relative to the page, with `/`.
        about: what is to be seen on it; for those who cannot see it, and as its caption.
    """

    path: str
    about: str


@dataclass(frozen=True)
class Card:
    """A piece to look at and to listen to; cards stand side by side where there is room.

    Attributes:
        title: what it is.
        picture: relative to the page, with `/`; empty for none.
        sound: the same.
        facts: figures in a few words each, e.g. "update 400".
        remarks: sentences.
        links: other files of the piece, such as its MIDI.
        name: what `Link(…, "#name")` leads to; empty for none.
    """

    title: str
    picture: str = ""
    sound: str = ""
    facts: Sequence[str] = ()
    remarks: Sequence[str] = ()
    links: Sequence[Link] = ()
    name: str = ""


Part: TypeAlias = Text | Table | Picture | Card


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    heading: str
    parts: Sequence[Part]


def page(title: str, sections: Sequence[Section], lead: str = "") -> str:
    """A whole page as HTML; write it as UTF-8.

    Args:
        title: the heading, and the name of the window.
        sections: from top to bottom.
        lead: paragraphs under the title.

    Raises:
        ValueError: a path is absolute.

    Example:
        >>> card = Card("One", picture="001.png", sound="001.wav", remarks=["The loop guard acted once."])
        >>> html = page("New music", [Section("Pieces", [card])])
        >>> "<audio" in html and "<script" not in html
        True
    """
    body = "\n".join(_section(section) for section in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="script-src 'none'; object-src 'none'; base-uri 'none'">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
{_paragraphs(lead)}
</header>
<main>
{body}
</main>
</body>
</html>
"""


def _section(section: Section) -> str:
    lines = [f"<section>\n<h2>{escape(section.heading)}</h2>"]
    inside = False  # a row of cards
    for part in section.parts:
        if isinstance(part, Card) != inside:
            inside = not inside
            lines.append('<div class="cards">' if inside else "</div>")
        lines.append(_PARTS[type(part)](part))
    return "\n".join([*lines, *(["</div>"] if inside else []), "</section>"])


def _paragraphs(text: str) -> str:
    parts = (" ".join(part.split()) for part in text.split("\n\n"))
    return "\n".join(f"<p>{escape(part)}</p>" for part in parts if part)


def _text(part: Text) -> str:
    return _paragraphs(part.text)


def _table(table: Table) -> str:
    numbers = [all(_is_number(row[column]) for row in table.rows) for column in range(len(table.heads))]
    kind = [' class="number"' if number and table.rows else "" for number in numbers]
    heads = "".join(f'<th scope="col"{k}>{escape(h)}</th>' for h, k in zip(table.heads, kind, strict=True))
    rows = []
    for row in table.rows:
        cells = [f"<{tag}{k}>{_cell(cell)}</{tag[:2]}>" for tag, k, cell in zip(_tags(row), kind, row, strict=True)]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    label = escape(table.caption or "Table")
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{label}"><table>{caption}'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody></table></div>"
    )


def _tags(row: Sequence[Cell]) -> list[str]:
    return ['th scope="row"', *["td"] * (len(row) - 1)][: len(row)]


def _is_number(cell: Cell) -> bool:
    """Whether a cell stands to the right: a number, or none where one could be."""
    value = cell.cell if isinstance(cell, Strong) else cell
    return value is None or isinstance(value, int | float)


def _cell(cell: Cell) -> str:
    if isinstance(cell, Strong):
        return f"<strong>{_cell(cell.cell)}</strong>"
    if isinstance(cell, Link):
        return _link(cell)
    return escape(number(cell) if cell is None or isinstance(cell, int | float) else cell)


def number(value: float | None) -> str:
    """A number as it is read: whole ones with commas, others to four figures, a dash for none.

    Example:
        >>> number(58123), number(0.123456), number(2.5e-7), number(None), number(float("nan"))
        ('58,123', '0.1235', '2.5e-07', '–', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _picture(part: Picture) -> str:
    place, about = _place(part.path), escape(part.about)
    return (
        f'<figure><a href="{place}"><img src="{place}" alt="{about}" loading="lazy"></a>'
        f"<figcaption>{about}</figcaption></figure>"
    )


def _card(card: Card) -> str:
    title = escape(card.title)
    name = f' id="{escape(card.name)}"' if card.name else ""
    lines = [f"<article{name}>", f"<h3>{title}</h3>"]
    if card.picture:
        place = _place(card.picture)
        lines.append(f'<a href="{place}"><img src="{place}" alt="Piano roll: {title}" loading="lazy"></a>')
    if card.sound:
        place = _place(card.sound)
        lines.append(f'<audio controls preload="none" src="{place}" aria-label="Listen: {title}"></audio>')
    if card.facts:
        lines.append(f'<ul class="facts">{"".join(f"<li>{escape(fact)}</li>" for fact in card.facts)}</ul>')
    lines += [f"<p>{escape(remark)}</p>" for remark in card.remarks]
    links = [Link(f"Sound ({_suffix(card.sound)})", card.sound)] if card.sound else []
    if every := [*links, *card.links]:
        lines.append(f'<p class="links">{" · ".join(_link(link) for link in every)}</p>')
    return "\n".join([*lines, "</article>"])


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.removeprefix(".") or "file"


def _link(link: Link) -> str:
    place = f"#{quote(link.to[1:])}" if link.to.startswith("#") else _place(link.to)
    return f'<a href="{place}">{escape(link.text)}</a>'


def _place(path: str) -> str:
    """A relative path as a URL that leads nowhere else, whatever is in it.

    Raises:
        ValueError: it is absolute.
    """
    if path.startswith("/") or not path:
        raise ValueError(f"{path!r} is no place beside the page")
    return escape(quote(path, safe="/"))  # a colon becomes %3A: no scheme, so no other site and no script


_PARTS: dict[type[Part], Callable[..., str]] = {Text: _text, Table: _table, Picture: _picture, Card: _card}

STYLE = f"""
:root {{ color-scheme: light dark; --ink: {INK}; --soft: {GREY}; --line: {PALE}; --paper: {PAPER}; --panel: {PANEL};
  --link: {BLUE}; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e6eaee; --soft: #a3adb7; --line: #3a444e; --paper: #15191d; --panel: #1d2329; --link: #6cb8ea; }}
  img {{ filter: brightness(0.88); }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; padding: 1rem; max-width: 80rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }}
h1 {{ font-size: 1.7rem; line-height: 1.2; margin: 0.5rem 0; }}
h2 {{ font-size: 1.3rem; margin: 2rem 0 0.75rem; }}
h3 {{ font-size: 1.05rem; margin: 0; }}
p {{ margin: 0.5rem 0; max-width: 46rem; }}
a {{ color: var(--link); }}
a:focus-visible, .wide:focus-visible {{ outline: 2px solid var(--link); outline-offset: 2px; }}
.wide {{ overflow-x: auto; margin: 0.75rem 0; border: 1px solid var(--line); border-radius: 0.5rem; }}
table {{ border-collapse: collapse; width: 100%; font-size: 0.92rem; font-variant-numeric: tabular-nums; }}
caption {{ text-align: left; color: var(--soft); padding: 0.5rem 0.7rem; }}
th, td {{ padding: 0.4rem 0.7rem; text-align: left; vertical-align: top; border-top: 1px solid var(--line);
  min-width: 5rem; }}
td {{ max-width: 30rem; }}
thead th {{ border-top: 0; background: var(--panel); vertical-align: bottom; }}
tbody th {{ font-weight: 500; white-space: nowrap; position: sticky; left: 0; background: var(--paper); }}
.number {{ text-align: right; }}
td.number, tbody th.number {{ white-space: nowrap; }}
.cards {{ display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); }}
article {{ border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.9rem; background: var(--panel);
  display: flex; flex-direction: column; gap: 0.5rem; scroll-margin-top: 1rem; }}
article:target {{ border-color: var(--link); box-shadow: 0 0 0 1px var(--link); }}
article p {{ margin: 0; font-size: 0.92rem; }}
img {{ display: block; width: 100%; height: auto; background: #fff; border-radius: 0.3rem; }}
article img {{ max-height: 22rem; object-fit: contain; object-position: top; }}
audio {{ width: 100%; }}
figure {{ margin: 0.75rem 0; max-width: 60rem; }}
figcaption, .links {{ color: var(--soft); font-size: 0.9rem; }}
.facts {{ list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.15rem 1rem;
  color: var(--soft); font-size: 0.92rem; }}
@media print {{ audio, .links {{ display: none; }} article {{ break-inside: avoid; }} }}
"""
