"""The head of a piano roll: its title, the piece in a line, and the legend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from partimento.render.drawing import Drawing, text_width
from partimento.render.pages import RIGHT, WIDTH, Page, Voice
from partimento.render.style import DRUMS, GIVEN, GREY, PROMPT, mixed
from partimento.score import NoteArray, Score, bar_lines, end_tick, seconds_at, tempo_changes

SHADES = 8
Item = tuple[str, tuple[str, ...]]  # a name, and the colours of its swatch


def shade(colour: str, level: int) -> str:
    """A track's colour for a velocity, of `SHADES` levels; the highest is the colour itself."""
    return mixed(colour, 0.42 + 0.58 * level / (SHADES - 1))


def legend_of(voices: Sequence[Voice], notes: NoteArray, *, prompted: bool, given: bool) -> list[list[Item]]:
    """Lines of the legend: of what is new, whether there is a prompt, and whether there is a piece as it was."""
    items: list[Item] = [(voice.name, (voice.colour,)) for voice in voices]
    drums = notes[notes["program"] < 0]
    if len(drums):
        items.append(("Drums", (DRUMS,)))
    if len(np.unique(notes["velocity"])) > 1:
        colour = voices[0].colour if voices else DRUMS
        items.append(("soft to loud", tuple(shade(colour, level) for level in range(SHADES))))
    if prompted:
        items.append(("prompt", (PROMPT,)))
    if given:
        items.append(("as it was", (GIVEN,)))
    lines: list[list[Item]] = [[]]
    width = 0.0
    for item in items:
        width += _item_width(item)
        if lines[-1] and width > WIDTH - 2 * RIGHT:
            lines.append([])
            width = _item_width(item)
        lines[-1].append(item)
    return lines


def _item_width(item: Item) -> float:
    return (5.0 if len(item[1]) > 1 else 11.0) * len(item[1]) + 5 + text_width(item[0], 11) + 20


def write_head(drawing: Drawing, title: str, facts: str, legend: Sequence[Sequence[Item]]) -> None:
    """Write title, facts and legend at the top."""
    y = 34.0
    if title:
        size = min(20.0, 20.0 * (WIDTH - 2 * RIGHT) / max(text_width(title, 20), 1))
        drawing.text(RIGHT, y, title, max(size, 6), bold=True)
        y += 20
    else:
        y -= 4
    drawing.text(RIGHT, y, facts, 11, fill=GREY)
    for line in legend:
        y += 18
        x = RIGHT
        for item in line:
            name, colours = item
            step = 5.0 if len(colours) > 1 else 11.0
            for nth, colour in enumerate(colours):
                drawing.boxes(colour, [(x + nth * step, y - 9, step, 10)])
            drawing.text(x + step * len(colours) + 5, y, name, 11)
            x += _item_width(item)


def facts_of(score: Score, notes: NoteArray, page: Page) -> str:
    """The piece in a line."""
    end = end_tick(score)
    if not len(notes):
        return "No notes"
    lines = bar_lines(score, min(end, page.shown))
    bars = len(lines)
    tempi = [round(qpm) for at, qpm in tempo_changes(score).items() if at < max(end, 1)]
    span = f"{min(tempi)}" if min(tempi) == max(tempi) else f"{min(tempi)} to {max(tempi)}"
    parts = [
        f"{bars:,} bar{'s' * (bars != 1)} of {_metre(score)}",
        f"{span} bpm",
        clock(float(seconds_at(score, np.array([end]))[0])),
        f"{len(notes):,} notes",
    ]
    if end > page.shown:
        parts[0] = f"only {shown_part(score, page)} shown"
    return "   ·   ".join(parts)


def _metre(score: Score) -> str:
    """The first metre, and whether there are others."""
    metres = [f"{s.numerator}/{s.denominator}" for s in sorted(score.time_signatures, key=lambda s: s.time)]
    first = metres[0] if metres else "4/4"
    return f"{first} and other metres" if len(set(metres)) > 1 else first


def shown_part(score: Score, page: Page) -> str:
    """How much of a piece that is too long is shown."""
    bars = len(bar_lines(score, page.shown))
    return f"the first {bars:,} bars ({clock(float(seconds_at(score, np.array([page.shown]))[0]))})"


def clock(seconds: float) -> str:
    """Minutes and seconds.

    Example:
        >>> clock(83.4)
        '1:23'
    """
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
