"""Tables in a terminal: the same `Table` that a page shows, in columns of plain text."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence

from partimento.cli.terminal import say
from partimento.render.listening import Cell, Link, Strong, Table, number

GAP = "  "
UNKNOWN_WIDTH = 120  # characters of a line where no terminal says


def show(table: Table) -> None:
    """Print a table, numbers to the right; what is wider than the terminal goes on below."""
    for line in lines(table, shutil.get_terminal_size((UNKNOWN_WIDTH, 0)).columns):
        say(line)


def lines(table: Table, width: int) -> list[str]:
    """A table as lines of at most so many characters, if any two of its columns fit into that.

    Heads are broken between words. Columns for which there is no room come in a second block under the first, which
    has the first column again.

    Example:
        >>> lines(Table(["name", "held-out loss"], [["one", 1.5], ["three", None]]), 80)
        ['       held-out', 'name       loss', 'one         1.5', 'three         –']
    """
    columns = [_column(head, [row[n] for row in table.rows]) for n, head in enumerate(table.heads)]
    made = [table.caption] if table.caption else []
    for index, block in enumerate(_blocks(columns, width)):
        made += ["", *block] if index else block
    return made


def _column(head: str, cells: Sequence[Cell]) -> list[str]:
    """The lines of one column, all of one length: its head, broken between words, and its cells."""
    texts = [_text(cell) for cell in cells]
    heads = textwrap.wrap(head, max([len(word) for word in head.split()] + [len(text) for text in texts], default=1))
    size = max(len(text) for text in (*heads, *texts, ""))
    to_right = all(not isinstance(_bare(cell), str | Link) for cell in cells)
    return [text.rjust(size) if to_right else text.ljust(size) for text in (*heads, *texts)]


def _blocks(columns: Sequence[list[str]], width: int) -> Iterator[list[str]]:
    """Columns side by side, as many as there is room for, each block with the first."""
    first, rest = columns[:1], list(columns[1:])
    while True:
        block, used = list(first), sum(len(column[0]) for column in first)
        while rest and (len(block) == 1 or used + len(GAP) + len(rest[0][0]) <= width):
            used += len(GAP) + len(rest[0][0])
            block.append(rest.pop(0))
        height = max((len(column) for column in block), default=0)
        padded = [[" " * len(column[0])] * (height - len(column)) + column for column in block]
        yield [GAP.join(row).rstrip() for row in zip(*padded, strict=True)]
        if not rest:
            return


def _bare(cell: Cell) -> str | float | Link | None:
    return cell.cell if isinstance(cell, Strong) else cell


def _text(cell: Cell) -> str:
    bare = _bare(cell)
    if isinstance(bare, Link):
        return bare.text
    return bare if isinstance(bare, str) else number(bare)
