"""Features of pitch: how many notes, in what scale and key, how far apart, how many at once. Drums are left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from partimento.evaluation.features.view import Ints, View
from partimento.keys import key_fits

__all__ = [
    "FARTHEST",
    "harmonic_intervals",
    "key_clarity",
    "melodic_intervals",
    "pitch_class_entropy",
    "pitch_range",
    "polyphony",
    "scale_consistency",
]

FARTHEST = 13  # semitones of a melodic interval; all wider ones count as this

_MAJOR_SCALE = np.array([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1], dtype=np.float64)
_SCALES = np.stack([np.roll(_MAJOR_SCALE, tonic) for tonic in range(12)])


def pitch_class_entropy(view: View) -> float:
    """How evenly the notes are spread over the twelve pitch classes, in bits: 0 for one class to log2(12) = 3.585.

    -Σ p log2 p of the pitch classes of all notes, each counted once however long (Wu and Yang 2020, MusPy). Wu and Yang
    take it over one or four bars and average; here, as in MusPy, it is of the whole piece.
    """
    counts = view.pitch_classes
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log2(p)).sum()) if len(p) else np.nan


def pitch_range(view: View) -> float:
    """Semitones from the lowest to the highest pitch (Yang and Lerch 2020); 0 where there is only one."""
    pitch = view.pitched["pitch"]
    return float(int(pitch.max()) - int(pitch.min())) if len(pitch) else np.nan


def scale_consistency(view: View) -> float:
    """The share of notes in the major scale that holds the most of them, 0 to 1 (Mogren 2016, MusPy).

    The natural minor scales have the same notes. Notes spread evenly over all twelve classes give 7/12 = 0.583, and
    nothing gives less.
    """
    counts = view.pitch_classes
    return float((_SCALES @ counts).max() / counts.sum()) if counts.sum() else np.nan


def key_clarity(view: View) -> float:
    """How clearly the piece is in one of the 24 keys, 0 to 1.

    The algorithm of Krumhansl and Schmuckler (Krumhansl 1990, chapter 4): the time that each pitch class sounds is
    correlated with each key's profile, and the highest correlation counts,

        max over k of Σ (d - mean d) (p_k - mean p_k) / sqrt(Σ (d - mean d)² Σ (p_k - mean p_k)²).

    A scale says which notes; this says as well which of them rule. It is never below 0, for a profile's correlations
    over its twelve tonics sum to 0. Of classes that all sound equally long it is 0 (the formula is 0/0, and no key is
    heard), and NaN where nothing lasts. The key itself is not given: related keys are often confused.
    """
    notes = view.pitched
    time = np.bincount(notes["pitch"] % 12, notes["duration"], minlength=12).astype(np.float64)
    if not time.sum():
        return np.nan
    return float(key_fits(time).max())


def polyphony(view: View) -> float:
    """How many pitches sound together on average, where any does; 1 for a melody (MusPy).

    A pitch that two instruments hold counts once.
    """
    notes = view.pitched
    onset, end = notes["onset"], notes["onset"] + notes["duration"]
    heard = _covered(onset, end)
    apart = notes["pitch"].astype(np.int64) * (int(end.max(initial=0)) + 1)  # lay the pitches end to end
    return _covered(onset + apart, end + apart) / heard if heard else np.nan


def melodic_intervals(view: View) -> NDArray[np.float64]:
    """(2 FARTHEST + 1,) how often the top line moves by each interval, from -FARTHEST to FARTHEST semitones.

    The top line is the skyline (Uitdenbogerd and Zobel 1999): each note that begins with nothing sounding above it.
    Intervals beyond an octave count as FARTHEST. All 0 where the line has fewer than two notes. (Yang and Lerch 2020
    have the mean interval between successive notes, whatever voices they belong to.)
    """
    sounding = view.sounding
    if not sounding.sounds.size:
        return np.zeros(2 * FARTHEST + 1)
    width = sounding.sounds.shape[1]
    top = width - 1 - np.argmax(sounding.sounds[:, ::-1], axis=1)
    line = top[sounding.begins[np.arange(len(top)), top]]
    steps = np.clip(np.diff(line), -FARTHEST, FARTHEST) + FARTHEST
    return np.bincount(steps, minlength=2 * FARTHEST + 1).astype(np.float64)


def harmonic_intervals(view: View) -> NDArray[np.float64]:
    """(12,) how often each interval is heard above the lowest sounding pitch, in semitones without octaves.

    Counted at each onset, for each pitch that sounds there. All 0 where never two sound together.
    """
    sounding = view.sounding
    if not sounding.sounds.size:
        return np.zeros(12)
    at, pitch = np.nonzero(sounding.sounds)
    above = pitch - np.argmax(sounding.sounds, axis=1)[at]
    return np.bincount(above[above > 0] % 12, minlength=12).astype(np.float64)


def _covered(start: Ints, end: Ints) -> int:
    """How much of the line so many intervals cover together."""
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    before = np.maximum.accumulate(np.concatenate([start[:1], end[:-1]]))
    return int(np.maximum(end - np.maximum(start, before), 0).sum())
