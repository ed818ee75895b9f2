"""Attributes of phrases: what a listener would call busy, high, wide, full, long or syncopated, measured on grids.

They are what a latent space is given directions by: the mean of the phrases that have much of an attribute minus the
mean of those that have little (Larsen et al. 2016, "Autoencoding beyond pixels"; Roberts et al. 2018, "A hierarchical
latent vector model", quarters of the music as here). numpy alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.codec import RollSpec
from partimento.frames import planes

ATTRIBUTES = ("density", "pitch", "range", "polyphony", "length", "syncopation")


def measure(x: NDArray[Any], spec: RollSpec) -> NDArray[np.float64]:
    """Measure phrases.

    Args:
        x: (B, T, C, P) grids of 0 and 1, each from the beginning of a beat on.
        spec: their meaning.

    Returns:
        (B, 6), in the order of `ATTRIBUTES`: notes a beat; mean MIDI pitch of the notes; semitones from the lowest to
        the highest; pitches that sound together where any does; mean length of a note, in beats; share of notes that
        begin off the beat. NaN in a row without a note.
    """
    struck, sounds = _struck(x, spec)
    notes = struck.sum((1, 2)).astype(np.float64)
    rows = struck.max(1)  # (B, P)
    highest, lowest = spec.pitches - 1 - rows[:, ::-1].argmax(1), rows.argmax(1)
    off = np.arange(x.shape[1]) % spec.steps_per_beat > 0
    cells = sounds.sum((1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.stack(
            [
                notes * spec.steps_per_beat / x.shape[1],
                spec.low + (struck.sum(1) * np.arange(spec.pitches)).sum(1) / notes,
                highest - lowest,
                cells / sounds.any(2).sum(1),
                cells / notes / spec.steps_per_beat,
                struck[:, off].sum((1, 2)) / notes,
            ],
            axis=1,
        )
    return np.where(notes[:, None] > 0, found, np.nan)


def _struck(x: NDArray[Any], spec: RollSpec) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which cells are struck and which sound, (B, T, P) each; without a plane of onsets a sound is struck once."""
    onset, sustain = planes(spec.channels)
    sounds: NDArray[np.bool_] = np.asarray(x[:, :, sustain] > 0.5)
    if onset is not None:
        return np.asarray(x[:, :, onset] > 0.5), sounds
    before = np.concatenate([np.zeros_like(sounds[:, :1]), sounds[:, :-1]], axis=1)
    return sounds & ~before, sounds
