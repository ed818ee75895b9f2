"""Lengths: notes that nobody ended and silences that nobody meant, made as long as music is.

A note without its end lasts for hours, and a wrong delta time is a silence of hours; either makes a piece of which a
model would see little but nothing. In seven collections of music (some 900 pieces, scores, performances and loops) no
silence was longer than 71 beats and no note than 323, so only what is far beyond is touched. A silence keeps its place
in the bar: whole bars are taken out of it. Leaves out: silences that are long because the tempo is wrong.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic.core import NoteTickList as NoteList

from partimento.score import Score

__all__ = ["end_stuck_notes", "shorten_silences"]

LONGEST_NOTE, STUCK_NOTE = 512, 16  # beats: longer ones are stuck, and are given so many
LONGEST_SILENCE, SILENCE = 128, 16  # beats: longer ones are mistakes, and about so many of them stay

Ticks = NDArray[np.int64]


def end_stuck_notes(score: Score, counts: Counter[str]) -> None:
    """Shorten, in place, notes that nobody ended; count them as "stuck"."""
    for track in score.tracks:
        columns = track.notes.numpy()
        stuck = columns["duration"] > LONGEST_NOTE * score.ticks_per_quarter
        if stuck.any():
            counts["stuck"] += int(stuck.sum())
            duration = np.where(stuck, STUCK_NOTE * score.ticks_per_quarter, columns["duration"])
            duration = duration.astype(columns["duration"].dtype)
            track.notes = NoteList.from_numpy(columns["time"], duration, columns["pitch"], columns["velocity"])


def shorten_silences(score: Score, counts: Counter[str]) -> None:
    """Take whole bars out of silences that nobody meant, in place; count the silences as "hush"."""
    columns = [track.notes.numpy() for track in score.tracks if len(track.notes)]
    if not columns:
        return
    onset = np.concatenate([c["time"] for c in columns]).astype(np.int64)
    end = onset + np.concatenate([c["duration"] for c in columns])
    order = np.argsort(onset, kind="stable")
    onset, heard = onset[order], np.maximum.accumulate(end[order])
    before = np.concatenate([[0], heard[:-1]])
    silent = np.flatnonzero(onset - before > LONGEST_SILENCE * score.ticks_per_quarter)
    if not len(silent):
        return
    begin, stop = before[silent], onset[silent]
    bar = np.array([_bar(score, int(tick)) for tick in begin])
    removed = (stop - begin - SILENCE * score.ticks_per_quarter) // bar * bar
    counts["hush"] += len(silent)
    _take_out(score, stop - removed, removed)


def _bar(score: Score, tick: int) -> int:
    """Ticks of a bar at that tick; of 4/4 where the metre cannot be."""
    beats, shortest = 4, 4
    for metre in sorted(score.time_signatures, key=lambda metre: metre.time):
        if metre.time <= tick and metre.numerator > 0 and metre.denominator > 0:
            beats, shortest = metre.numerator, metre.denominator
    return max(beats * 4 * score.ticks_per_quarter // shortest, 1)


def _take_out(score: Score, begin: Ticks, length: Ticks) -> None:
    """Take stretches of so many ticks out of a score; what happens within one happens at its beginning."""

    def moved(time: Any) -> Ticks:
        at = np.asarray(time, dtype=np.int64)
        return np.asarray(at - np.clip(at[..., None] - begin, 0, length).sum(axis=-1))

    for track in score.tracks:
        columns = track.notes.numpy()
        time = moved(columns["time"]).astype(columns["time"].dtype)
        track.notes = NoteList.from_numpy(time, columns["duration"], columns["pitch"], columns["velocity"])
        for pedal in track.pedals:
            last = int(moved(pedal.time + pedal.duration))
            pedal.time = int(moved(pedal.time))
            pedal.duration = max(last - pedal.time, 0)
    events: list[Any] = [score.tempos, score.time_signatures, score.key_signatures, score.markers]
    for track in score.tracks:
        events += [track.controls, track.pitch_bends, track.lyrics]
    for listed in events:
        for event in listed:
            event.time = int(moved(event.time))
