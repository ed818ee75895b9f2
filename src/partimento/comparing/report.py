"""Reports of a comparison: `index.html` to listen and look, `compare.md` to read and `compare.json` to compute with.

Written anew after each system, so a comparison that is broken off can be read as far as it came.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from partimento.atomic import write_text
from partimento.comparing.people import NOISE, OTHERS, SHUFFLED
from partimento.comparing.standings import Comparison, counted
from partimento.comparing.trials import Piece, to_plain
from partimento.evaluation.distances import Nearness
from partimento.evaluation.features import FEATURES
from partimento.render.listening import Card, Cell, Link, Section, Strong, Table, Text, number, page

__all__ = ["FACTS", "PAGE", "TABLES", "markdown", "write_report"]

FORMAT = 1
PAGE, TABLES, FACTS = "index.html", "compare.md", "compare.json"
HOW_TO_READ = (
    "Bits a note compare within a column only: each column is one way of writing music down, and what it drops need "
    "not be foretold. What is exact is exact; a bound (≤) is more than the true figure or equal to it; some systems "
    "have no likelihood.\n\n"
    "Distances are measured on what each system composed, feature by feature, from held-out pieces of people. 0 is "
    "not to be had: compare with “other human pieces”, which are as many of those that the systems learnt from, and "
    "with the held-out pieces as each codec brings them back, than which no system on it can be expected to be nearer. "
    "Noise has the right number of notes at random, and shuffled bars are people's bars in random order. Features are "
    "counted where a set can be nearer: not where a yardstick lies at 0, nor where all human pieces have one figure. "
    "People's own pieces are not nearer on all of them either: the row of “other human pieces” says how many to expect."
)


def write_report(made: Comparison) -> None:
    """Write the page, the tables and the figures of a comparison."""
    write_text(made.folder / FACTS, json.dumps(facts(made), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    tables = "\n\n".join(markdown(table) for table in made.tables())
    write_text(made.folder / TABLES, f"# {_title(made)}\n\n{_lead(made)}\n\n{HOW_TO_READ}\n\n{tables}\n")
    write_text(made.folder / PAGE, _page(made))


def markdown(table: Table) -> str:
    r"""A table as Markdown, under its caption.

    Example:
        >>> print(markdown(Table(["name", "loss"], [["one", Strong(1.5)], ["a|b", None]])))
        | name | loss |
        | --- | ---: |
        | one | **1.5** |
        | a\|b | – |
    """
    right = [all(not isinstance(_bare(row[n]), str | Link) for row in table.rows) for n in range(len(table.heads))]
    rule = " | ".join("---:" if r else "---" for r in right)
    lines = [
        *([f"**{table.caption}**", ""] if table.caption else []),
        f"| {' | '.join(map(_escaped, table.heads))} |",
        f"| {rule} |",
        *(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in table.rows),
    ]
    return "\n".join(lines)


def facts(made: Comparison) -> dict[str, Any]:
    """All figures as plain values."""
    than = {"noise": (NOISE,), "shuffled_bars": (SHUFFLED,), "both": (NOISE, SHUFFLED)}
    systems = []
    for row in made.rows:
        entry: dict[str, Any] = {"name": row.name, "folder": f"systems/{row.place}", "about": row.about}
        if row.result is None:
            systems.append({**entry, "why": row.why})
            continue
        near = made.near(row.result.features)
        entry |= {"codec_label": made.labels[row.result.written], **to_plain(row.result), "near": _plain(near)}
        entry |= {f"nearer_than_{key}": made.nearer(near, *yards) for key, yards in than.items()}
        systems.append(entry)
    return {
        "format": FORMAT,
        "partimento": version("partimento"),
        "terms": dataclasses.asdict(made.terms),
        "corpus": dict(made.corpus),
        "excerpts": len(made.people.held_out),
        "features": [{"name": feature.name, "unit": feature.unit} for feature in FEATURES],
        "telling": {key: made.telling(*yards) for key, yards in than.items()},
        "people_nearer_than": {key: made.nearer(made.people.yardsticks[OTHERS], *y) for key, y in than.items()},
        "yardsticks": {name: _plain(near) for name, near in made.people.yardsticks.items()},
        "likeness": {name: share if math.isfinite(share) else None for name, share in made.people.likeness.items()},
        "systems": systems,
        "to_come": made.total - len(made.rows),
    }


def _plain(near: Mapping[str, Nearness]) -> dict[str, dict[str, float | None]]:
    """JSON knows no NaN."""
    return {
        name: {key: value if math.isfinite(value) else None for key, value in dataclasses.asdict(found).items()}
        for name, found in near.items()
    }


def _title(made: Comparison) -> str:
    return f"Systems compared on {made.corpus['folder']}"


def _lead(made: Comparison) -> str:
    terms, pieces, notes = made.terms, made.corpus["pieces"], made.corpus["notes"]
    bars = counted(terms.bars, "bar")
    lead = (
        f"{counted(pieces['train'], 'piece')} ({counted(notes['train'], 'note')}) to learn from, {pieces['valid']:,} "
        f"to stop by and {pieces['test']:,} to test with, the same for all; {counted(terms.minutes, 'minute')} of "
        f"training each, seed {terms.seed}. Each composed {counted(terms.pieces, 'piece')} of {bars}, set beside "
        f"{counted(len(made.people.held_out), 'excerpt')} of {bars} from the held-out pieces."
    )
    left = made.total - len(made.rows)
    return lead + (
        f" Still to come: {left} of {counted(made.total, 'system')}; it is at work, or was stopped." if left else ""
    )


def _page(made: Comparison) -> str:
    places = {row.name: f"systems/{row.place}" for row, _ in made.finished}
    places |= {name: f"people/{name.replace(' ', '-')}" for name in made.people.shown}
    tables = [Section(table.caption, [_linked(table, places)]) for table in made.tables()]
    cards = [card for name, pieces in made.people.shown.items() for card in _cards(name, places[name], pieces)]
    for row, result in made.finished:
        curves = f"{places[row.name]}/run/curves.png"
        links = [Link("How it learnt", curves)] if (made.folder / curves).is_file() else []
        cards += _cards(row.name, places[row.name], result.pieces, row.about, links)
    sections = [Section("How to read this", [Text(HOW_TO_READ)]), *tables, Section("Listen and look", cards)]
    return page(_title(made), sections, _lead(made))


def _linked(table: Table, places: Mapping[str, str]) -> Table:
    """A table whose rows lead to the cards of what they are about; its caption is the section's heading."""
    rows: list[list[Cell]] = []
    for first, *others in table.rows:
        place = places.get(first) if isinstance(first, str) else None
        rows.append([Link(str(first), f"#{_name(place)}") if place else first, *others])
    return Table(table.heads, rows)


def _name(place: str) -> str:
    return place.replace("/", "-")


def _cards(
    name: str, place: str, pieces: Sequence[Piece], about: str = "", links: Sequence[Link] = ()
) -> Iterator[Card]:
    """A card for each piece of a set that has a picture; the first says what the set is, and leads to more of it."""
    shown = [piece for piece in pieces if piece.picture]
    for index, piece in enumerate(shown):
        first = index == 0
        yield Card(
            f"{name}, {index + 1}" if len(shown) > 1 else name,
            picture=f"{place}/{piece.picture}",
            sound=f"{place}/{piece.sound}" if piece.sound else "",
            facts=[f"{piece.notes} notes", f"{piece.seconds:.0f} s"],
            remarks=[*([about] if about and first else []), *piece.remarks],
            links=[Link("MIDI", f"{place}/{piece.midi}"), *(links if first else [])],
            name=_name(place) if first else "",
        )


def _bare(cell: Cell) -> str | float | Link | None:
    return cell.cell if isinstance(cell, Strong) else cell


def _cell(cell: Cell) -> str:
    bare = _bare(cell)
    text = bare.text if isinstance(bare, Link) else bare if isinstance(bare, str) else number(bare)
    return f"**{_escaped(text)}**" if isinstance(cell, Strong) else _escaped(text)


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
