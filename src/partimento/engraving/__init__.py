"""Engraving: a score as notation, in MusicXML.

Music goes down a line of rooms, each of which decides one thing: where bars are and how they divide (`bars`), which
thirty-seconds or triplets played notes mean (`grid`), which hand plays them (`hands`), in which voice (`voices`), by
which name (`spelling`), in which note values (`values`) and under which beams (`beams`), on which staves and clefs
(`parts`, `kit`), beneath which marks (`marks`); `musicxml` writes it down.

What lies on the grid comes out exactly: every pitch, onset, length and part, but for drums, whose lengths mean nothing,
and for notes of one pitch that overlap in one part. Leaves out: what a score does not know (phrases, articulation,
ornaments, fingering, lyrics, pickup bars) and finding the beat of a performance that was recorded without one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from partimento.engraving.bars import UNITS, Bar, bars_of
from partimento.engraving.clefs import TREBLE
from partimento.engraving.grid import as_units
from partimento.engraving.marks import dynamics, tempi
from partimento.engraving.musicxml import Sheet, document
from partimento.engraving.parts import Part, parts_of
from partimento.engraving.spelling import names_about, signatures
from partimento.score import NoteArray, Score, note_array

__all__ = ["MOST_BARS", "MOST_NOTES", "Engraving", "engrave", "to_musicxml"]

MOST_BARS = 2_000  # that are written; a symphony's movement has fewer
MOST_NOTES = 100_000


@dataclass(frozen=True)
class Engraving:
    """A score written down.

    Attributes:
        text: MusicXML.
        remarks: sentences about what it does not hold.
        bars: how many were written.
        staves: how many stand below one another.
        moved: the mean distance by which notes' beginnings were moved to the grid, in quarter notes.
    """

    text: str
    remarks: tuple[str, ...]
    bars: int
    staves: int
    moved: float


def to_musicxml(score: Score, title: str = "") -> str:
    """A score as MusicXML; the same score gives the same text.

    Args:
        score: may be empty, which gives one bar of rest.
        title: stands above it.
    """
    return engrave(score, title).text


def engrave(score: Score, title: str = "", most_bars: int = MOST_BARS) -> Engraving:
    """Write a score down, from its beginning on as far as there is room.

    Args:
        score: may be empty.
        title: stands above it.
        most_bars: bars there is room for.
    """
    notes = note_array(score)
    last = float(as_units((notes["onset"] + notes["duration"]).max(initial=0), score.ticks_per_quarter))
    until = max(
        int(np.ceil(last - 0.5)), round(float(notes["onset"].max(initial=0)) * UNITS / score.ticks_per_quarter) + 1
    )
    bars = bars_of(score, until, most_bars)
    if len(notes) > MOST_NOTES:
        stop = notes["onset"][MOST_NOTES] * UNITS / score.ticks_per_quarter
        bars = [bar for bar in bars if bar.end <= stop] or bars[:1]
    onsets = as_units(notes["onset"], score.ticks_per_quarter)
    shown = notes[onsets < bars[-1].end - 0.5]
    remarks: tuple[str, ...] = ()
    if len(shown) < len(notes) or until > bars[-1].end:
        remarks = (f"The score shows the first {len(bars):,} bars only.",)
    starts = np.array([bar.start for bar in bars])
    sounding = _sounding(shown, bars, score.ticks_per_quarter)
    keys = signatures(score, bars, sounding)
    of_bars = [keys[max(at for at in keys if at <= index)] for index in range(len(bars))]
    parts, moved = parts_of(score, shown, bars, names_about(sounding, of_bars))
    marks = []
    for track in np.unique(shown["track"]).tolist():
        own = shown[shown["track"] == track]
        bar_of = np.searchsorted(starts, as_units(own["onset"], score.ticks_per_quarter) + 1, side="right") - 1
        marks.append(dynamics(own, bar_of, len(bars)))
    if not parts:
        parts, marks = [Part("Music", 0, False, ({0: TREBLE},), (((),),))], [{}]
    sheet = Sheet(title, bars, keys, tempi(score, bars), marks, parts)
    staves = sum(len(part.staves) for part in parts)
    distance = float(np.abs(moved).mean()) / UNITS if len(moved) else 0.0
    return Engraving(document(sheet), remarks, len(bars), staves, distance)


def _sounding(
    notes: NoteArray, bars: list[Bar], ticks_per_quarter: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(bars, 12) how long each pitch class sounds in the bar that it begins in, in quarter notes; drums do not."""
    pitched = notes[notes["program"] >= 0]
    starts = np.array([bar.start for bar in bars])
    bar_of = np.searchsorted(starts, as_units(pitched["onset"], ticks_per_quarter) + 1, side="right") - 1
    result = np.zeros((len(bars), 12))
    length = np.minimum(pitched["duration"] / ticks_per_quarter, 4.0) + 0.25
    np.add.at(result, (bar_of, pitched["pitch"] % 12), length)
    return result
