"""Pictures: a piano roll that one can read, wrapped into systems like a page of music.

Time goes to the right and is wrapped at bar lines, pitch goes up, each instrument has its colour and each note its
velocity as a shade; drums have named lanes of their own beneath. A picture is never higher than `MOST_HEIGHT`: longer
music is first drawn closer together, to `CLOSER` times, and what is still too long is cut, which the picture says.
Leaves out: controllers, pedals, pitch bends and lyrics.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partimento.instruments import INSTRUMENTS
from partimento.render.drawing import Box, Drawing, text_width
from partimento.render.gm import DRUM_NAMES
from partimento.render.style import (
    BLACK_KEYS,
    DRUMS,
    GREY,
    INK,
    PALE,
    PANEL,
    PAPER,
    PROMPT,
    TRACKS,
    VERMILION,
    mixed,
)
from partimento.score import DEFAULT_QPM, NoteArray, Score, bar_lines, end_tick, note_array, seconds_at

WIDTH, LEFT, RIGHT = 1200.0, 78.0, 24.0
MOST_HEIGHT = 3000.0  # points
QUARTERS, SECONDS = 40.0, 24.0  # in one system, at most, before it is drawn closer together
CLOSER = 4.0
WIDEST_QUARTER = 280.0  # points
ABOVE, BELOW = 16.0, 18.0  # points above and below a system
SHADES = 8
MOST_DRUMS, MOST_COLOURS = 14, len(TRACKS)


@dataclass(frozen=True)
class Voice:
    """Notes that share a colour and a line of the legend."""

    name: str
    colour: str
    notes: NoteArray


@dataclass(frozen=True)
class Page:
    """Where everything lies.

    Attributes:
        systems: first tick and end tick of each row.
        point: points to a tick.
        lane: the height of a drum's lane in points.
        low: the lowest pitch drawn; high: the highest; None of them sounds where there are only drums.
        key: height of a semitone in points.
        drums: the lanes from top to bottom, each the pitches that it holds and its name.
        shown: the tick at which the picture ends.
    """

    systems: list[tuple[int, int]]
    point: float
    lane: float
    low: int
    high: int
    key: float
    drums: list[tuple[tuple[int, ...], str]]
    shown: int

    @property
    def keys_height(self) -> float:
        """Points from the highest key's top to the lowest one's bottom."""
        return (self.high - self.low + 1) * self.key

    @property
    def system_height(self) -> float:
        """Points from one system to the next."""
        return ABOVE + self.keys_height + (self.lane * len(self.drums) + 5 if self.drums else 0) + BELOW


def draw(score: Score, path: Path, *, title: str = "", new_from: int | None = None) -> tuple[str, ...]:
    """Draw a piano roll.

    Args:
        score: may be empty.
        path: ends in .png or .svg.
        title: stands above it.
        new_from: the tick at which new music begins; what comes before is shaded as the prompt.

    Returns:
        A sentence if the music is too long to be shown whole.
    """
    drawing, remarks = roll(score, title=title, new_from=new_from)
    drawing.write(path)
    return remarks


def roll(score: Score, *, title: str = "", new_from: int | None = None) -> tuple[Drawing, tuple[str, ...]]:
    """A piano roll as a drawing, and what there is to say about it; the arguments are those of `draw`."""
    notes, new_from = note_array(score), new_from or 0
    voices = _voices(notes[notes["program"] >= 0])
    legend = _legend(voices, notes, prompted=new_from > 0)
    head = (56.0 if title else 34.0) + 18 * len(legend)
    page = _page(score, notes, MOST_HEIGHT - head)
    drawing = Drawing(WIDTH, head + page.system_height * len(page.systems) + 6, title or "Piano roll")
    _head(drawing, title, _facts(score, notes, page), legend)
    bars = bar_lines(score, page.shown)
    for row, (start, stop) in enumerate(page.systems):
        top = head + row * page.system_height + ABOVE
        _ground(drawing, page, top, start, stop, new_from)
        _grid(drawing, page, score, bars, top, start, stop)
        _notes(drawing, page, voices, notes, top, start, stop)
        if start < new_from < stop:
            drawing.boxes(VERMILION, [(LEFT + (new_from - start) * page.point - 0.5, top, 1, _height(page))])
        _names(drawing, page, top)
    remarks = () if page.shown >= end_tick(score) else (f"The picture shows {_cut(score, page)} only.",)
    return drawing, remarks


def _voices(notes: NoteArray) -> list[Voice]:
    """One for each track, or for each instrument where there are more tracks than colours; highest first."""
    by = "track" if len(np.unique(notes["track"])) <= MOST_COLOURS else "program"
    groups = [notes[notes[by] == key] for key in np.unique(notes[by])]
    groups.sort(key=lambda group: -float(group["pitch"].mean()))
    names = [INSTRUMENTS[int(group["program"][0])] for group in groups]
    voices = []
    for index, (name, group) in enumerate(zip(names, groups, strict=True)):
        same = [i for i, other in enumerate(names) if other == name]
        number = f" {same.index(index) + 1}" if len(same) > 1 else ""
        voices.append(Voice(name + number, TRACKS[index % MOST_COLOURS], group))
    return voices


def _page(score: Score, notes: NoteArray, room: float) -> Page:
    """Lay out as many systems as the music needs and the room allows."""
    end = max(end_tick(score), 1)
    pitched = notes["pitch"][notes["program"] >= 0]
    low, high = (int(pitched.min()), int(pitched.max())) if len(pitched) else (60, 59 if len(notes) else 71)
    if len(pitched):
        spare = max(23 - (high - low), 4)
        low, high = max(low - spare // 2, 0), min(high + (spare + 1) // 2, 127)
    key = float(np.clip(np.floor(2 * 190 / max(high - low + 1, 1)) / 2, 2.5, 5.0))
    page = Page([], 1.0, 8.0, low, high, key, _drum_lanes(notes), 0)
    most_systems = max(int(room // page.system_height), 1)
    seconds = float(seconds_at(score, np.array([end]))[0])
    fitting = max(end / (QUARTERS * score.ticks_per_quarter), seconds / SECONDS, 1e-9)
    span = end / fitting if fitting > 1 else float(end)
    widest = span * CLOSER
    until = int(min(end, np.ceil(widest * most_systems)))
    bars = bar_lines(score, until)
    while len(systems := _systems(bars, until, span)) > most_systems and span < widest:
        span = min(span * 1.08, widest)
    systems = systems[:most_systems]
    longest = max(stop - start for start, stop in systems)
    point = min((WIDTH - LEFT - RIGHT) / longest, WIDEST_QUARTER / score.ticks_per_quarter)
    lane = page.lane
    if len(systems) == 1:  # room enough
        key, lane = min(key * 1.8, 9.0), 12.0
    return Page(systems, point, lane, low, high, key, page.drums, min(systems[-1][1], end))


def _systems(bars: NDArray[np.int64], end: int, span: float) -> list[tuple[int, int]]:
    """Break time into rows of whole bars, of about `span` ticks at most; a bar longer than that is broken too."""
    lengths = np.diff(bars)
    last = int(lengths[-1]) if len(lengths) else max(end - int(bars[-1]), 1)
    if len(np.unique(lengths)) <= 1 and last <= span * 1.1:  # one metre throughout: the same, round number of bars
        fitting = int(span * 1.1 // last)
        if fitting >= len(bars):
            return [(0, max(int(bars[-1]) + last, end))]
        count = max(n for n in (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 10**9) if n <= fitting or n == 1)
        count = fitting if count > 10**8 else count
        step = count * last
        whole = -(-end // last) * last
        return [(start, min(start + step, whole)) for start in range(0, end, step)]
    rows, start = [], 0
    while start < end:
        inside = bars[(bars > start) & (bars <= start + span * 1.1)]
        stop = int(inside[-1]) if len(inside) else int(start + max(span, 1))
        stop = end if end - start <= span * 1.1 else stop
        rows.append((start, stop))
        start = stop
    return rows


def _drum_lanes(notes: NoteArray) -> list[tuple[tuple[int, ...], str]]:
    """A lane for each drum, cymbals above; the rarest share one where there are too many."""
    pitches, counts = np.unique(notes["pitch"][notes["program"] < 0], return_counts=True)
    order = pitches[np.argsort(-counts, kind="stable")].tolist()
    own, rest = (order, []) if len(order) <= MOST_DRUMS else (order[: MOST_DRUMS - 1], order[MOST_DRUMS - 1 :])
    lanes: list[tuple[tuple[int, ...], str]] = [
        ((pitch,), DRUM_NAMES.get(pitch, f"Drum {pitch}")) for pitch in sorted(own, reverse=True)
    ]
    return [*lanes, (tuple(rest), "Others")] if rest else lanes


def _height(page: Page) -> float:
    return page.system_height - ABOVE - BELOW


def _ground(drawing: Drawing, page: Page, top: float, start: int, stop: int, new_from: int) -> None:
    """Paint white and black keys as stripes, the lanes of drums, and the prompt's ground."""
    prompt = min(max(new_from - start, 0), stop - start) * page.point
    width = (stop - start) * page.point
    stripes = [
        (top + (page.high - pitch) * page.key, page.key)
        for pitch in range(page.low, page.high + 1)
        if pitch % 12 in (1, 3, 6, 8, 10)
    ]
    drums = top + page.keys_height + 5
    stripes += [(drums + lane * page.lane, page.lane) for lane in range(1, len(page.drums), 2)]
    for x, w, ground in ((LEFT, prompt, PROMPT), (LEFT + prompt, width - prompt, PANEL)):
        if w > 0:
            dark = mixed(ground, 0.95, INK) if ground == PROMPT else BLACK_KEYS
            drawing.boxes(ground, [(x, top, w, _height(page))])
            drawing.boxes(dark, [(x, y, w, h) for y, h in stripes])
    if page.drums and page.keys_height:
        drawing.boxes(PAPER, [(LEFT, drums - 5, width, 5)])


def _grid(
    drawing: Drawing, page: Page, score: Score, bars: NDArray[np.int64], top: float, start: int, stop: int
) -> None:
    """Rule octaves, beats and bars, and number the bars."""
    width, height = (stop - start) * page.point, _height(page)
    octaves = [pitch for pitch in range(page.low, page.high + 1) if pitch % 12 == 0]
    drawing.boxes(PALE, [(LEFT, top + (page.high - p + 1) * page.key - 0.5, width, 0.5) for p in octaves])
    first = int(np.searchsorted(bars, start, side="right")) - 1
    inside = [(i, int(bars[i])) for i in range(max(first, 0), len(bars)) if start <= bars[i] < stop]
    gap = page.point * (stop - start) / max(len(inside), 1)
    beats = _beats(score, bars, start, stop)
    if page.point * (stop - start) / max(len(beats), 1) >= 6:
        drawing.boxes(PALE, [(LEFT + (tick - start) * page.point, top, 0.5, height) for tick in beats])
    if gap >= 3:
        drawing.boxes("#aab4bd", [(LEFT + (tick - start) * page.point, top, 0.5, height) for _, tick in inside])
    drawing.boxes("#aab4bd", [(LEFT + width - 0.5, top, 0.5, height)])
    every = next((n for n in (1, 2, 4, 8, 16, 32, 64) if gap * n >= 26), 128)
    for nth, (index, tick) in enumerate(inside):
        if nth % every == 0:
            drawing.text(LEFT + (tick - start) * page.point + 1, top - 4, str(index + 1), 9, fill=GREY)
    numbered = [tick for nth, (_, tick) in enumerate(inside) if nth % every == 0]
    if width - (max(numbered, default=start) - start) * page.point > 60:
        at = float(seconds_at(score, np.array([min(stop, max(page.shown, 1))]))[0])
        drawing.text(LEFT + width, top - 4, _clock(at), 9, fill=GREY, anchor="right")


def _beats(score: Score, bars: NDArray[np.int64], start: int, stop: int) -> list[int]:
    """Beats within a system: of compound metres the dotted ones."""
    signatures = sorted((max(s.time, 0), s.numerator, max(s.denominator, 1)) for s in score.time_signatures)
    result: list[int] = []
    edges = [*bars.tolist(), max(stop, int(bars[-1]) + 1)]
    for begin, end in itertools.pairwise(edges):
        if end <= start or begin >= stop or len(result) > 2000:
            continue
        numerator, denominator = next(((n, d) for at, n, d in reversed(signatures) if at <= begin), (4, 4))
        beat = 4 * score.ticks_per_quarter // denominator
        beat = max(beat * 3 if numerator % 3 == 0 and numerator > 3 and denominator >= 8 else beat, 1)
        if (min(end, stop) - begin) // beat <= 2000:
            result += [tick for tick in range(begin + beat, min(end, stop), beat) if tick > start]
    return result


def _notes(
    drawing: Drawing, page: Page, voices: Sequence[Voice], notes: NoteArray, top: float, start: int, stop: int
) -> None:
    """Paint what sounds in a system, long voices first so that short notes lie on them."""
    for voice in sorted(voices, key=lambda v: -float(v.notes["duration"].mean())):
        part = _within(voice.notes, start, stop)
        gap = 0.5 if page.key >= 3 else 0.0
        y = top + (page.high - part["pitch"].astype(float)) * page.key
        boxes, begins = _spans(part, page, start, stop, y, page.key - gap)
        _shaded(drawing, voice.colour, part, boxes)
        edge = [(x, y, 1.0, h) for (x, y, w, h), begun in zip(boxes, begins, strict=True) if begun and w >= 5]
        drawing.boxes(mixed(voice.colour, 0.7, "#000000"), edge)
    drums = _within(notes[notes["program"] < 0], start, stop)
    lane_of = np.zeros(128)
    for lane, (pitches, _) in enumerate(page.drums):
        lane_of[list(pitches)] = lane
    hits = drums[drums["onset"] >= start]
    x = LEFT + (hits["onset"] - start) * page.point
    y = top + page.keys_height + 5 + lane_of[hits["pitch"]] * page.lane + 1.5
    width = float(np.clip(page.point * _ticks_of_sixteenth(page) * 0.7, 1.5, 4.5))
    _shaded(drawing, DRUMS, hits, [(a, b, width, page.lane - 3) for a, b in zip(x.tolist(), y.tolist(), strict=True)])


def _ticks_of_sixteenth(page: Page) -> float:
    return (page.systems[0][1] - page.systems[0][0]) / (4 * QUARTERS)


def _within(notes: NoteArray, start: int, stop: int) -> NoteArray:
    sounding: NoteArray = notes[(notes["onset"] < stop) & (notes["onset"] + np.maximum(notes["duration"], 1) > start)]
    return sounding


def _spans(
    part: NoteArray, page: Page, start: int, stop: int, y: NDArray[np.float64], height: float
) -> tuple[list[Box], list[bool]]:
    """Each note's box within a system, and whether the note begins there."""
    left = np.maximum(part["onset"], start)
    right = np.minimum(part["onset"] + part["duration"], stop)
    x = LEFT + (left - start) * page.point
    width = np.maximum((right - left) * page.point - 0.5, 1.0)
    boxes = [(a, b, c, height) for a, b, c in zip(x.tolist(), y.tolist(), width.tolist(), strict=True)]
    return boxes, (part["onset"] >= start).tolist()


def _shaded(drawing: Drawing, colour: str, part: NoteArray, boxes: Sequence[Box]) -> None:
    levels = np.clip((part["velocity"].astype(float) - 16) / 96 * (SHADES - 1), 0, SHADES - 1).round().astype(int)
    for level in np.unique(levels).tolist():
        chosen = [box for box, own in zip(boxes, levels.tolist(), strict=True) if own == level]
        drawing.boxes(_shade(colour, level), chosen)


def _shade(colour: str, level: int) -> str:
    return mixed(colour, 0.42 + 0.58 * level / (SHADES - 1))


def _names(drawing: Drawing, page: Page, top: float) -> None:
    """A keyboard at the left with its Cs named, and the drums' names."""
    x, wide = LEFT - 17, 14.0
    keys = range(page.low, page.high + 1)
    if len(keys):
        drawing.boxes(PALE, [(x, top, wide, page.keys_height)])
        drawing.boxes(PAPER, [(x + 0.5, top + 0.5, wide - 1, page.keys_height - 1)])
        black = [p for p in keys if p % 12 in (1, 3, 6, 8, 10)]
        drawing.boxes("#4a545e", [(x + 0.5, top + (page.high - p) * page.key, wide * 0.6, page.key) for p in black])
        for pitch in keys:
            middle = top + (page.high - pitch + 0.5) * page.key
            if pitch % 12 == 0:
                drawing.boxes(PALE, [(x, middle + page.key / 2 - 0.5, wide, 0.5)])
                drawing.text(x - 4, middle + 3, f"C{pitch // 12 - 1}", 9, fill=INK, anchor="right")
            elif pitch % 12 == 5:
                drawing.boxes(PALE, [(x, middle + page.key / 2 - 0.5, wide, 0.5)])
    for lane, (_, name) in enumerate(page.drums):
        y = top + page.keys_height + 5 + (lane + 0.5) * page.lane + 2.5
        drawing.text(LEFT - 4, y, name, 7.5, fill=INK, anchor="right")


Item = tuple[str, tuple[str, ...]]  # a name, and the colours of its swatch


def _legend(voices: Sequence[Voice], notes: NoteArray, *, prompted: bool) -> list[list[Item]]:
    """Lines of the legend."""
    items: list[Item] = [(voice.name, (voice.colour,)) for voice in voices]
    drums = notes[notes["program"] < 0]
    if len(drums):
        items.append(("Drums", (DRUMS,)))
    if len(np.unique(notes["velocity"])) > 1:
        colour = voices[0].colour if voices else DRUMS
        items.append(("soft to loud", tuple(_shade(colour, level) for level in range(SHADES))))
    if prompted:
        items.append(("prompt", (PROMPT,)))
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


def _head(drawing: Drawing, title: str, facts: str, legend: Sequence[Sequence[Item]]) -> None:
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


def _facts(score: Score, notes: NoteArray, page: Page) -> str:
    """The piece in a line."""
    end = end_tick(score)
    if not len(notes):
        return "No notes"
    lines = bar_lines(score, min(end, page.shown))
    bars = len(lines)
    tempo = next(iter(sorted(score.tempos, key=lambda t: t.time)), None)
    parts = [
        f"{bars:,} bar{'s' * (bars != 1)} of {_metre(score)}",
        f"{tempo.qpm if tempo else DEFAULT_QPM:.0f} bpm",
        _clock(float(seconds_at(score, np.array([end]))[0])),
        f"{len(notes):,} notes",
    ]
    if end > page.shown:
        parts[0] = f"only {_cut(score, page)} shown"
    return "   ·   ".join(parts)


def _metre(score: Score) -> str:
    """The first metre, and whether there are others."""
    metres = [f"{s.numerator}/{s.denominator}" for s in sorted(score.time_signatures, key=lambda s: s.time)]
    first = metres[0] if metres else "4/4"
    return f"{first} and other metres" if len(set(metres)) > 1 else first


def _cut(score: Score, page: Page) -> str:
    """How much of a piece that is too long is shown."""
    bars = len(bar_lines(score, page.shown))
    return f"the first {bars:,} bars ({_clock(float(seconds_at(score, np.array([page.shown]))[0]))})"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
