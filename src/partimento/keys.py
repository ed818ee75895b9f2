"""Keys: how well each fits what sounds, and which pitch classes a key or a scale has.

How well each of the 24 fits is found by the algorithm of Krumhansl and Schmuckler (Krumhansl 1990, ch. 4).

Leaves out: modulation, and of what sounds keys other than major and minor.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.errors import ImpossibleRequest

__all__ = [
    "MAJOR_TONICS",
    "MINOR_TONICS",
    "SCALES",
    "key_fits",
    "key_name",
    "pitch_class",
    "pitches_in",
    "scale_named",
    "signature_named",
]

MAJOR_TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR_TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")

# How well each pitch class fits a key, rated by listeners (Krumhansl and Kessler 1982, figure 2), from the tonic up
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def _standard(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of mean 0 and length 1: the product of two is their correlation."""
    centred = rows - rows.mean(axis=-1, keepdims=True)
    return np.asarray(centred / np.linalg.norm(centred, axis=-1, keepdims=True))


_KEYS = _standard(np.stack([np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)]))


def key_fits(time: NDArray[np.number[Any]]) -> NDArray[np.float64]:
    """The correlation of each key's profile with how long each pitch class sounds.

    Args:
        time: (12,) of the pitch classes from C up, in any unit.

    Returns:
        (24,) the major keys from C up, then the minor ones; all 0 where all classes sound equally long, which leaves no
        key to hear (the formula is 0/0).
    """
    if np.ptp(time) == 0:
        return np.zeros(24)
    return np.asarray(np.dot(_KEYS, _standard(np.asarray(time, dtype=np.float64))))


def key_name(number: int) -> str:
    """The name of a key, by its place in `key_fits`.

    Example:
        >>> key_name(7), key_name(21)
        ('G major', 'A minor')
    """
    return f"{MINOR_TONICS[number - 12]} minor" if number >= 12 else f"{MAJOR_TONICS[number]} major"


SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10, 11),
    "natural minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "whole tone": (0, 2, 4, 6, 8, 10),
}
"""Semitones from the tonic, by the scale's name; minor has its leading note as well as its seventh."""
_MINOR_FIFTHS = -3
_FIFTHS = {
    **dict.fromkeys(("major", "pentatonic"), 0),
    **dict.fromkeys(("minor", "natural minor", "harmonic minor", "melodic minor"), _MINOR_FIFTHS),
    **dict.fromkeys(("minor pentatonic", "blues"), _MINOR_FIFTHS),
    "lydian": 1,
    "mixolydian": -1,
    "dorian": -2,
    "phrygian": -4,
    "locrian": -5,
}
"""Fifths from the signature of a scale's tonic in major to its own."""
_NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NAME = re.compile(r"([A-Ga-g])([#b♯♭]?)(m(?=\s*$))?\s*(.*)")
_IN_WORDS = {"flat": "b", "sharp": "#"}


def pitch_class(letter: str, signs: str) -> int:
    """Semitones from C up to a letter with its sharps and flats; below 0 for Cb.

    Example:
        >>> pitch_class("F", "#"), pitch_class("b", "bb")
        (6, 9)
    """
    return _NATURAL[letter.upper()] + sum(1 if sign in "#♯" else -1 for sign in signs)


def _read(text: str) -> tuple[str, str, str]:
    """The letter, the sign and the scale of a key or scale by its name.

    Raises:
        ImpossibleRequest: there is none of that name.
    """
    signed = re.sub(
        r"(?<=^[A-Ga-g])[\s-]+(flat|sharp)\b", lambda word: _IN_WORDS[word[1].lower()], text.strip(), flags=re.I
    )
    found = _NAME.fullmatch(signed)
    name = "" if found is None else " ".join(found[4].lower().replace("-", " ").split())
    scale = name or ("minor" if found and found[3] else "major")
    if found is None or scale not in SCALES or (found[3] and name):
        raise ImpossibleRequest(
            f"{text!r} is no key: name a tonic and, unless it is major, a scale, e.g. G, Bb, F# minor or D dorian. "
            f"There are {', '.join(SCALES)}."
        )
    return found[1], found[2], scale


def signature_named(text: str) -> tuple[int, bool] | None:
    """The key signature of a key or scale by its name: sharps, or flats below 0, and whether it is written as minor.

    That of the major key with the notes of a mode, and of the minor one of what else has a minor third; None where a
    staff has none, as for G# major or a whole-tone scale.

    Raises:
        ImpossibleRequest: there is none of that name.

    Example:
        >>> signature_named("Eb major"), signature_named("A minor"), signature_named("D dorian"), signature_named("G#")
        ((-3, False), (0, True), (0, False), None)
    """
    letter, sign, scale = _read(text)
    if scale not in _FIFTHS:
        return None
    signs = pitch_class(letter, sign) - pitch_class(letter, "")
    fifths = "FCGDAEB".index(letter.upper()) - 1 + 7 * signs + _FIFTHS[scale]
    return (fifths, _FIFTHS[scale] == _MINOR_FIFTHS) if abs(fifths) <= 7 else None


def scale_named(text: str) -> NDArray[np.bool_]:
    """(12,) the pitch classes, from C up, of a key or scale by its name: "G minor", "Bb", "B flat", "F#m", "D dorian".

    Raises:
        ImpossibleRequest: there is none of that name.

    Example:
        >>> np.flatnonzero(scale_named("G major")).tolist()
        [0, 2, 4, 6, 7, 9, 11]
    """
    letter, sign, scale = _read(text)
    there = np.zeros(12, dtype=np.bool_)
    there[(pitch_class(letter, sign) + np.array(SCALES[scale])) % 12] = True
    return there


def pitches_in(key: str | None, learnt: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """(128,) the pitches of a key or scale; all of them if None.

    Args:
        key: its name.
        learnt: (128,) those that there are; anything if None.

    Raises:
        ImpossibleRequest: there is no such key, or there are pitches and none of them is in it.
    """
    there = np.ones(128, dtype=np.bool_) if key is None else np.resize(scale_named(key), 128)
    if learnt is not None and learnt.any() and not (learnt & there).any():
        raise ImpossibleRequest(f"The model has learnt no pitch that is in {key}.")
    return there
