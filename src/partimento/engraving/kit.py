"""The drum kit: where each drum of General MIDI stands on the five lines, with which head, and who plays it.

As Weinberg proposes it (1998, "Guide to Standardized Drumset Notation"): hands with stems up, feet with stems down,
cymbals as crosses. How long a drum is held means nothing, so each stroke is written up to the next of its voice or the
end of its beat. Leaves out: rolls, flams, and ghost notes in brackets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from partimento.engraving.bars import UNITS, Bar
from partimento.engraving.voices import Sound, Tone

__all__ = ["Place", "place_of", "strokes"]


class Place(NamedTuple):
    """Where a drum stands: the letter and octave that the place would have in the treble clef, and its head."""

    letter: str
    octave: int
    head: str = "normal"
    foot: bool = False


PLACES = {
    22: Place("G", 5, "x"),  # the edges of hi-hats, as electronic kits have them
    26: Place("G", 5, "circle-x"),
    35: Place("E", 4, foot=True),
    36: Place("F", 4, foot=True),
    37: Place("C", 5, "x"),
    38: Place("C", 5),
    39: Place("C", 5, "triangle"),
    40: Place("C", 5, "diamond"),
    41: Place("G", 4),
    42: Place("G", 5, "x"),
    43: Place("A", 4),
    44: Place("D", 4, "x", foot=True),
    45: Place("B", 4),
    46: Place("G", 5, "circle-x"),
    47: Place("D", 5),
    48: Place("E", 5),
    49: Place("A", 5, "x"),
    50: Place("F", 5),
    51: Place("F", 5, "x"),
    52: Place("B", 5, "circle-x"),
    53: Place("F", 5, "diamond"),
    54: Place("B", 5, "triangle"),
    55: Place("B", 5, "x"),
    56: Place("E", 5, "triangle"),
    57: Place("B", 5, "x"),
    58: Place("G", 4, "diamond"),
    59: Place("F", 5, "x"),
    60: Place("E", 5, "x"),
    61: Place("D", 5, "x"),
    62: Place("E", 5, "circle-x"),
    63: Place("E", 5, "diamond"),
    64: Place("D", 5, "diamond"),
    69: Place("A", 5, "triangle"),
    70: Place("A", 5, "diamond"),
    75: Place("C", 5, "circle-x"),
    80: Place("A", 5, "circle-x"),
    81: Place("A", 5, "diamond"),
}
OTHER = Place("D", 5, "triangle")


def place_of(pitch: int) -> Place:
    """Where a drum stands; one that no kit has in the upper half, as a triangle."""
    return PLACES.get(pitch, OTHER)


def strokes(tones: Sequence[Tone], bars: Sequence[Bar]) -> list[list[Sound]]:
    """The voices of hands and feet.

    Args:
        tones: what is struck; only their beginnings count.
        bars: of the whole score, each containing whole beats.
    """
    voices: list[list[Sound]] = []
    for foot in (False, True):
        struck: dict[int, dict[int, Tone]] = {}
        for tone in tones:
            if place_of(tone.pitch).foot == foot:
                struck.setdefault(tone.start, {})[tone.pitch] = tone
        starts = sorted(struck)
        ends = [*starts[1:], bars[-1].end] if starts else []
        voice, bar = [], 0
        for start, following in zip(starts, ends, strict=True):
            while bars[bar].end <= start:
                bar += 1
            beat = bars[bar].start + (start - bars[bar].start) // UNITS * UNITS
            end = start + _length(start - beat, min(following, beat + UNITS, bars[bar].end) - start)
            own = tuple(tone._replace(end=end) for _, tone in sorted(struck[start].items()))
            voice.append(Sound(start, end, own))
        voices.append(voice)
    return [voice for voice in voices if voice] or [[]]


def _length(place: int, most: int) -> int:
    """The longest value without a tie that a stroke may have from a place in its beat on, in units."""
    straight = place % 3 == 0 and most % 3 == 0
    lengths = (
        ((24, 24), (18, 24), (18, 6), (12, 12), (9, 12), (6, 6), (3, 3)) if straight else ((16, 8), (8, 8), (4, 4))
    )
    fits = [length for length, step in lengths if length <= most and place % step in (0, 6 if step == 6 else 0)]
    return max(fits, default=min(most, 3 if straight else 2 if place % 2 == 0 else 1))
