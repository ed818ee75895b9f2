"""Pitches and chords by their names, the pitch classes of chords, and which of them sounds.

A chord is a root and a quality, and has a number: 10 times its root's pitch class, plus its quality's place in
`QUALITIES`. Which one sounds is told by how long each pitch class does: the chord that makes the smallest angle with
it, as Fujishima found it in recordings (1999, "Realtime chord recognition of musical sound"). Two chords of the same
pitch classes (augmented triads, diminished sevenths) are one, the one with the lowest number.

Leaves out: inversions and basses other than the root, sixths and ninths, and what a chord does in its key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.errors import ImpossibleRequest
from partimento.keys import MAJOR_TONICS, pitch_class

__all__ = ["CHORDS", "QUALITIES", "chord_name", "chord_number", "chords_named", "classes", "pitch_named", "recognised"]

QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus4": (0, 5, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "m7b5": (0, 3, 6, 10),
    "dim7": (0, 3, 6, 9),
}
"""Semitones from the root, by the quality's name."""
CHORDS = 12 * len(QUALITIES)
FEWEST = 3  # pitch classes that a chord is told from
LEAST_FIT = 0.8  # cosine below which no chord is told

_OTHER_NAMES = {
    "maj": "",
    "M": "",
    "min": "m",
    "mi": "m",
    "-": "m",
    "o": "dim",
    "°": "dim",
    "+": "aug",
    "sus": "sus4",
    "dom7": "7",
    "M7": "maj7",
    "ma7": "maj7",
    "j7": "maj7",
    "min7": "m7",
    "mi7": "m7",
    "-7": "m7",
    "ø": "m7b5",
    "ø7": "m7b5",
    "min7b5": "m7b5",
    "-7b5": "m7b5",
    "o7": "dim7",
    "°7": "dim7",
}


def _templates() -> NDArray[np.bool_]:
    rows = np.zeros((CHORDS, 12), dtype=np.bool_)
    for root in range(12):
        for place, intervals in enumerate(QUALITIES.values()):
            rows[root * len(QUALITIES) + place, [(root + interval) % 12 for interval in intervals]] = True
    return rows


_CLASSES = _templates()
_FIRST = np.array([int(np.flatnonzero((row == _CLASSES).all(axis=1))[0]) for row in _CLASSES])
_DIRECTIONS = _CLASSES / np.linalg.norm(_CLASSES, axis=1, keepdims=True)


def classes(chord: int) -> NDArray[np.bool_]:
    """(12,) which pitch classes a chord has, from C up.

    Example:
        >>> np.flatnonzero(classes(chord_number("Am"))).tolist()
        [0, 4, 9]
    """
    return np.asarray(_CLASSES[chord])


def chord_number(name: str) -> int:
    """The chord of that name: a root (C, F#, Bb) and a quality (nothing for major, m, 7, maj7, m7, dim, sus4 …).

    Raises:
        ImpossibleRequest: there is no such chord here.

    Example:
        >>> chord_name(chord_number("Bbmin7"))
        'Bbm7'
    """
    found = re.fullmatch(r"([A-Ga-g])([#b♯♭]*):?(.*)", name.strip())
    if found:
        letter, signs, quality = found.groups()
        quality = _OTHER_NAMES.get(quality, quality)
        if quality in QUALITIES:
            root = pitch_class(letter, signs)
            return int(_FIRST[root % 12 * len(QUALITIES) + list(QUALITIES).index(quality)])
    known = ", ".join(f"C{quality}" for quality in QUALITIES)
    raise ImpossibleRequest(f"{name!r} is no chord that is known here; there are {known}, on any root.")


def chords_named(text: str) -> tuple[int, ...]:
    """Chords by their names, with spaces, commas or bar lines between them.

    Raises:
        ImpossibleRequest: one of them is not known, or there is none.
    """
    names = re.split(r"[\s,|]+", text.strip(" |,"))
    if names == [""]:
        raise ImpossibleRequest("No chord is named; write some with spaces between them, e.g. 'C G Am F'.")
    return tuple(chord_number(name) for name in names)


def chord_name(chord: int) -> str:
    """The name of a chord."""
    root, quality = divmod(chord, len(QUALITIES))
    return MAJOR_TONICS[root] + list(QUALITIES)[quality]


def pitch_named(text: str) -> int:
    """The MIDI pitch of that name, C4 being middle C, 60; or of that number.

    Raises:
        ImpossibleRequest: it is neither, or lies outside of 0 to 127.

    Example:
        >>> pitch_named("C4"), pitch_named("Bb2"), pitch_named("61")
        (60, 46, 61)
    """
    found = re.fullmatch(r"([A-Ga-g])([#b♯♭]*)(-?\d)", text.strip())
    number = int(text) if text.strip().isdecimal() and len(text.strip()) <= 3 else -1
    if found:
        letter, signs, octave = found.groups()
        number = 12 * (int(octave) + 1) + pitch_class(letter, signs)
    if not 0 <= number <= 127:
        raise ImpossibleRequest(f"{text!r} is no pitch; write C4 for middle C, F#3, Bb5, or a number from 0 to 127.")
    return number


def recognised(time: NDArray[Any] | Sequence[Sequence[float]]) -> NDArray[np.int64]:
    """Which chord sounds.

    Args:
        time: (N, 12) how long each pitch class sounds, from C up, in any unit.

    Returns:
        (N,) the chord that fits best; -1 where fewer than three classes sound or none fits well.

    Example:
        >>> [chord_name(n) for n in recognised([[4, 0, 0, 1, 4, 0, 0, 6, 0, 0, 0, 0]])]
        ['C']
    """
    rows = np.asarray(time, dtype=np.float64).reshape(-1, 12)
    fits = np.dot(rows, _DIRECTIONS.T) / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    told = ((rows > 0).sum(axis=1) >= FEWEST) & (fits.max(axis=1) >= LEAST_FIT)
    return np.where(told, fits.argmax(axis=1), -1)
