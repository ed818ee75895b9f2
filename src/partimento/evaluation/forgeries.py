"""Forgeries: copies in four disguises, each of which a check of originality has to see through.

A check that never raised its alarm may be deaf: these are what it is tried on. The disguises are those of a model that
has learnt by heart: it plays a piece, plays it in another key, keeps its notes and forgets how long they were, or goes
from one piece that it knows to the next. Leaves out: ornaments, omitted voices and new accompaniments.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from symusic.core import NoteTickList

from partimento.score import Score, Track, end_tick, excerpt, join, transpose

__all__ = ["FORGERIES", "copied", "retimed", "slowed", "spliced", "transposed"]

BEATS = 8  # of a slice
SLICES = 5
RESOLUTION = 480  # ticks a quarter note of a spliced piece


def copied(score: Score, rng: np.random.Generator) -> Score:  # noqa: ARG001  (all forgeries are called alike)
    """The piece itself."""
    return score.copy()


def transposed(score: Score, rng: np.random.Generator) -> Score:
    """The piece up to five semitones lower or six higher; as far as its range allows, and no note is lost."""
    pitches = [note.pitch for track in score.tracks if not track.is_drum for note in track.notes]
    low, high = (min(pitches), max(pitches)) if pitches else (0, 127)
    shifts = [shift for shift in range(-5, 7) if shift and low + shift >= 0 and high + shift <= 127]
    return transpose(score, int(rng.choice(shifts))) if shifts else score.copy()


def slowed(score: Score, rng: np.random.Generator) -> Score:
    """The piece twice as slow, every note of another length: a sixteenth to a half note."""
    return _played(score, {tick: 2 * tick for tick in _onsets(score)}, rng)


def retimed(score: Score, rng: np.random.Generator) -> Score:
    """The piece's notes in their order, each moment a random number of eighths, one to six, after the one before."""
    eighth = max(score.ticks_per_quarter // 2, 1)
    onsets = _onsets(score)
    gaps = rng.integers(1, 7, size=len(onsets)) * eighth
    return _played(score, dict(zip(onsets, np.cumsum(gaps).tolist(), strict=True)), rng)


def spliced(scores: Sequence[Score], rng: np.random.Generator) -> Score:
    """Eight beats each of five pieces, from random beats, one after another; the metre stays the first one's.

    Args:
        scores: to draw from without repeating; fewer slices where there are fewer.
        rng: draws them.
    """
    result = Score(RESOLUTION)
    chosen = rng.choice(len(scores), min(SLICES, len(scores)), replace=False).tolist()
    for place, index in enumerate(chosen):
        score = scores[index]
        beats = end_tick(score) // score.ticks_per_quarter
        start = int(rng.integers(0, max(beats - BEATS, 0) + 1)) * score.ticks_per_quarter
        slice_ = excerpt(score, start, start + BEATS * score.ticks_per_quarter).resample(RESOLUTION, min_dur=1)
        result = slice_ if not place else join(result, slice_, place * BEATS * RESOLUTION)
    return result


FORGERIES = {"copied": copied, "transposed": transposed, "slowed": slowed, "retimed": retimed}


def _onsets(score: Score) -> list[int]:
    return sorted({note.time for track in score.tracks for note in track.notes})


def _played(score: Score, when: dict[int, int], rng: np.random.Generator) -> Score:
    """The notes at other times, each of a random length: a sixteenth to a half note."""
    sixteenth = max(score.ticks_per_quarter // 4, 1)
    result = Score(score.ticks_per_quarter)
    for name in ("tempos", "time_signatures", "key_signatures"):
        setattr(result, name, getattr(score, name).copy())
    for track in score.tracks:
        kept = []
        for note in track.notes:
            moved = note.copy()
            moved.time, moved.duration = when[note.time], int(rng.integers(1, 9)) * sixteenth
            kept.append(moved)
        played = Track(track.name, track.program, track.is_drum)
        played.notes = NoteTickList(kept)
        result.tracks.append(played)
    return result
