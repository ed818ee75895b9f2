"""Keys: how well each of the 24 fits what sounds, by the algorithm of Krumhansl and Schmuckler (Krumhansl 1990, ch. 4).

Leaves out: modulation, and keys other than major and minor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAJOR_TONICS", "MINOR_TONICS", "key_fits", "key_name"]

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
