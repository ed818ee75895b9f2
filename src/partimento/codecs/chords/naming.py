"""Names of notes and chords as the Keras LSTM tutorials have them: spelt by music21 (Cuthbert & Ariza 2010).

A single note is its pitch name: E-5, F#2 (a hyphen is a flat; the five black keys are C#, E-, F#, G#, B-; middle C is
C4). Two notes below the piano, E and B of octave -1, are En-1 and Bn-1 here, for music21 gives them the names of E flat
and B flat of octave 1. A chord by pitch class is its normal order (Forte 1973) with full stops between: 0.4.7. A chord
with its octaves has no name in music21; here it is its notes' names with full stops between: C4.E4.G4.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

PITCH_CLASSES = ("C", "C#", "D", "E-", "E", "F", "F#", "G", "G#", "A", "B-", "B")
_NATURALS = {4: "En-1", 11: "Bn-1"}
NOTE_NAMES = tuple(_NATURALS.get(pitch, f"{PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}") for pitch in range(128))
PITCHES = {name: pitch for pitch, name in enumerate(NOTE_NAMES)}


def chord_name(pitches: Iterable[int]) -> str:
    """The name of a note or a chord with its octaves.

    Example:
        >>> chord_name((60, 63, 67))
        'C4.E-4.G4'
    """
    return ".".join(NOTE_NAMES[pitch] for pitch in pitches)


def chord_pitches(name: str) -> tuple[int, ...]:
    """The MIDI pitches of a note or chord named by `chord_name`; a KeyError for anything else.

    Example:
        >>> chord_pitches("C-1.E-4")
        (0, 63)
    """
    return tuple(PITCHES[note] for note in name.split("."))


def normal_order(pitches: Iterable[int]) -> tuple[int, ...]:
    """The pitch classes of a chord in the rotation that spans least, and of those the one packed most to the left.

    Rotations that are alike in this (an augmented triad's, say) are told apart by the lowest pitch class. This is what
    music21's `Chord.normalOrder` gives for each of the 4,095 sets of pitch classes.

    Example:
        >>> normal_order([67, 72, 76, 60])
        (0, 4, 7)
    """
    bits = 0
    for pitch in pitches:
        bits |= 1 << pitch % 12
    return _normal_order(bits)


@functools.cache
def _normal_order(bits: int) -> tuple[int, ...]:
    classes = [pitch_class for pitch_class in range(12) if bits >> pitch_class & 1]
    rotations = [(*classes[i:], *classes[:i]) for i in range(len(classes))]

    def span_then_intervals(rotation: tuple[int, ...]) -> list[int]:
        above = [(pitch_class - rotation[0]) % 12 for pitch_class in rotation]
        return [above[-1], *above, rotation[0]]

    return min(rotations, key=span_then_intervals, default=())
