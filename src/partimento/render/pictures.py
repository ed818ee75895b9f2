"""Pictures: a piano roll that one can read, wrapped into systems like a page of music.

Time goes to the right and is wrapped at bar lines, pitch goes up, each instrument has its colour and each note its
velocity as a shade; drums have named lanes of their own beneath. A picture is never higher than `pages.MOST_HEIGHT`: of
music that is too long for that the beginning is shown, which the picture says. Leaves out: controllers, pedals, pitch
bends and lyrics.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partimento.render.drawing import Box, Drawing
from partimento.render.legend import SHADES, clock, facts_of, legend_of, shade, shown_part, write_head
from partimento.render.pages import ABOVE, BELOW, LEFT, MOST_HEIGHT, QUARTERS, WIDTH, Page, Voice, lay_out, voices_of
from partimento.render.style import BLACK_KEYS, DRUMS, GIVEN, GREY, INK, PALE, PANEL, PAPER, PROMPT, VERMILION, mixed
from partimento.score import NoteArray, Score, bar_lines, end_tick, note_array, seconds_at


def draw(
    score: Score, path: Path, *, title: str = "", new_from: int | None = None, given: Score | None = None
) -> tuple[str, ...]:
    """Draw a piano roll.

    Args:
        score: may be empty.
        path: ends in .png or .svg.
        title: stands above it.
        new_from: the tick at which new music begins; what comes before is shaded as the prompt.
        given: a piece whose notes are drawn in grey where the score has them too, so that what is new stands out.

    Returns:
        A sentence if the music is too long to be shown whole.
    """
    drawing, remarks = roll(score, title=title, new_from=new_from, given=given)
    drawing.write(path)
    return remarks


def roll(
    score: Score, *, title: str = "", new_from: int | None = None, given: Score | None = None
) -> tuple[Drawing, tuple[str, ...]]:
    """A piano roll as a drawing, and what there is to say about it; the arguments are those of `draw`."""
    notes, new_from = note_array(score), new_from or 0
    before = note_array(given or Score(480))
    was = np.isin(notes, before)
    kept = notes[was & (notes["program"] >= 0)]
    old = [Voice("as it was", GIVEN, kept)] if len(kept) else []
    voices = [
        dataclasses.replace(voice, notes=new)
        for voice in voices_of(notes[notes["program"] >= 0])
        if len(new := voice.notes[~np.isin(voice.notes, before)])
    ]
    legend = legend_of(voices, notes[~was], prompted=new_from > 0, given=bool(was.any()))
    head = (56.0 if title else 34.0) + 18 * len(legend)
    page = lay_out(score, notes, MOST_HEIGHT - head)
    drawing = Drawing(WIDTH, head + page.system_height * len(page.systems) + 6, title or "Piano roll")
    write_head(drawing, title, facts_of(score, notes, page), legend)
    bars = bar_lines(score, page.shown)
    for row, (start, stop) in enumerate(page.systems):
        top = head + row * page.system_height + ABOVE
        _ground(drawing, page, top, start, stop, new_from)
        _grid(drawing, page, score, bars, top, start, stop)
        for played, drums, colour in ((old, notes[was], GIVEN), (voices, notes[~was], DRUMS)):
            _notes(drawing, page, played, top, start, stop)
            _drums(drawing, page, drums[drums["program"] < 0], colour, top, start, stop)
        if start < new_from < stop:
            drawing.boxes(VERMILION, [(LEFT + (new_from - start) * page.point - 0.5, top, 1, _height(page))])
        _names(drawing, page, top)
    remarks = () if page.shown >= end_tick(score) else (f"The picture shows {shown_part(score, page)} only.",)
    return drawing, remarks


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
        drawing.text(LEFT + width, top - 4, clock(at), 9, fill=GREY, anchor="right")


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


def _notes(drawing: Drawing, page: Page, voices: Sequence[Voice], top: float, start: int, stop: int) -> None:
    """Paint what sounds in a system, long voices first so that short notes lie on them."""
    for voice in sorted(voices, key=lambda v: -float(v.notes["duration"].mean())):
        part = _within(voice.notes, start, stop)
        gap = 0.5 if page.key >= 3 else 0.0
        y = top + (page.high - part["pitch"].astype(float)) * page.key
        boxes, begins = _spans(part, page, start, stop, y, page.key - gap)
        _shaded(drawing, voice.colour, part, boxes)
        edge = [(x, y, 1.0, h) for (x, y, w, h), begun in zip(boxes, begins, strict=True) if begun and w >= 5]
        drawing.boxes(mixed(voice.colour, 0.7, "#000000"), edge)


def _drums(drawing: Drawing, page: Page, drums: NoteArray, colour: str, top: float, start: int, stop: int) -> None:
    """Paint the drums of a system, each in its lane."""
    drums = _within(drums, start, stop)
    lane_of = np.zeros(128)
    for lane, (pitches, _) in enumerate(page.drums):
        lane_of[list(pitches)] = lane
    hits = drums[drums["onset"] >= start]
    x = LEFT + (hits["onset"] - start) * page.point
    y = top + page.keys_height + 5 + lane_of[hits["pitch"]] * page.lane + 1.5
    width = float(np.clip(page.point * _ticks_of_sixteenth(page) * 0.7, 1.5, 4.5))
    _shaded(drawing, colour, hits, [(a, b, width, page.lane - 3) for a, b in zip(x.tolist(), y.tolist(), strict=True)])


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
        drawing.boxes(shade(colour, level), chosen)


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
