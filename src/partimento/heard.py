"""What is heard of a piece while it is being made: its new notes, in musical time and in seconds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from partimento.score import NoteArray, Score, bar_lines, note_array, seconds_at

KEYS = ["onset", "pitch", "program"]


@dataclass(frozen=True)
class Heard:
    """A note of a piece that is being made.

    Attributes:
        bar: that it begins in, counted from 1, a prompt's bars included.
        onset: quarter notes from the beginning of the piece.
        duration: quarter notes.
        seconds: at which it begins.
        pitch: MIDI pitch, 60 is middle C.
        velocity: 1 to 127.
        program: General MIDI program, 0 to 127; -1 for drums.
        track: the place of its track in the piece; while it is streamed, tracks are numbered as they enter.
    """

    bar: int
    onset: float
    duration: float
    seconds: float
    pitch: int
    velocity: int
    program: int
    track: int


def told(score: Score, notes: NoteArray, later: float = 0.0) -> list[Heard]:
    """Some notes of a score, as they are heard in it, or so many quarter notes later."""
    if not len(notes):
        return []
    quarter = score.ticks_per_quarter
    onsets = notes["onset"] + later * quarter
    bars = np.searchsorted(bar_lines(score, int(onsets.max()) + 1), onsets, side="right")
    seconds = seconds_at(score, onsets)
    return [
        Heard(
            bar,
            float(onset / quarter),
            float(note["duration"] / quarter),
            round(at, 4),
            *(int(note[name]) for name in ("pitch", "velocity", "program", "track")),
        )
        for note, onset, bar, at in zip(notes, onsets.tolist(), bars.tolist(), seconds.tolist(), strict=True)
    ]


def new_in(score: Score, before: Score, later: float = 0.0) -> list[Heard]:
    """The notes of a score that another of the same ticks does not have, as they are heard in it, or so much later."""
    return told(score, fresh_notes(score, before), later)


def fresh_notes(score: Score, before: Score) -> NoteArray:
    """The notes of a score that another of the same ticks does not have."""
    notes = note_array(score)
    old = Counter(map(tuple, note_array(before)[KEYS].tolist()))
    fresh = np.ones(len(notes), dtype=np.bool_)
    for place, key in enumerate(map(tuple, notes[KEYS].tolist())):
        if old[key]:
            old[key] -= 1
            fresh[place] = False
    found: NoteArray = notes[fresh]
    return found
