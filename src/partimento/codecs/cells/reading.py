"""From events to a score, whatever the events are."""

from __future__ import annotations

import numpy as np
from symusic.core import ControlChangeTick, ControlChangeTickList

from partimento.codecs.cells.clock import LENGTHS
from partimento.codecs.cells.fields import (
    BAR,
    CELL,
    DOWN,
    DRUMS,
    NOTE,
    STEPS,
    TEMPO,
    UP,
    Ids,
    durations,
    events_of,
    is_tempo,
    onsets,
    tempi,
    values,
    velocities,
)
from partimento.codecs.cells.writing import HOLD
from partimento.metres import METRES
from partimento.score import Score, Tempo, TimeSignature, Track, note_list

LAST_STEP = 1 << 28  # times beyond it would not fit into a score: a bar that begins there is the last


def read(x: Ids) -> Score:
    """The score that ids tell, in ticks of a step; events that make no sense where they stand are passed over.

    What comes before the first bar is in a bar of 4/4, and what comes before the first track in one of piano.
    """
    score = Score(STEPS)
    kind, events = events_of(x)
    if not len(kind):
        return score
    bars = kind == BAR
    metre = values(events[:, 1])
    length = np.where(bars, LENGTHS[np.where(bars, metre, 0)], 0)
    ended = np.cumsum(length)
    before = _last(bars, np.arange(len(kind)))  # the bar that each event lies in
    start = np.where(before >= 0, (ended - length)[before], 0)
    time = start + np.where(np.isin(kind, (TEMPO, DOWN, UP, NOTE)), onsets(events), 0)
    fits = time < LAST_STEP
    _tell_metres(score, start[bars & fits], metre[bars & fits])
    tempo = (bars | (kind == TEMPO)) & is_tempo(events[:, 2]) & fits
    _tell_tempi(score, time[tempo], values(events[tempo, 2]))
    _tell_tracks(score, np.where(fits, kind, -1), events, time)
    return score


def _last(where: np.ndarray[tuple[int], np.dtype[np.bool_]], index: Ids) -> Ids:
    """For each place the last index at or before it at which `where` is True; -1 where there is none."""
    return np.asarray(np.maximum.accumulate(np.where(where, index, -1)))


def _tell_metres(score: Score, starts: Ids, metres: Ids) -> None:
    told = -1
    for start, metre in zip(starts.tolist(), metres.tolist(), strict=True):
        if metre != told:
            score.time_signatures.append(TimeSignature(start, *METRES[metre]))
            told = metre


def _tell_tempi(score: Score, times: Ids, levels: Ids) -> None:
    at = dict(zip(times.tolist(), levels.tolist(), strict=True))
    told = -1
    for time in sorted(at):
        if at[time] != told:
            score.tempos.append(Tempo(time, float(tempi()[at[time]])))
            told = at[time]


def _tell_tracks(score: Score, kind: Ids, events: Ids, time: Ids) -> None:
    """One track for each number and program, in this order."""
    cell = _last(kind == CELL, np.arange(len(kind)))
    number = np.where(cell >= 0, values(events[cell, 1]), 0)
    program = np.where(cell >= 0, values(events[cell, 2]), 0)
    whose = number * (DRUMS + 1) + program
    for one in np.unique(whose[kind == NOTE]).tolist():
        drums = one % (DRUMS + 1) == DRUMS
        track = Track("", 0 if drums else one % (DRUMS + 1), drums)
        mine = (kind == NOTE) & (whose == one)
        own = events[mine]
        track.notes = note_list(time[mine], durations(own), values(own[:, 2]), velocities()[values(own[:, 5])])
        track.notes.sort()
        pedal = np.isin(kind, (DOWN, UP)) & (whose == one)
        pressed = zip(time[pedal].tolist(), (kind[pedal] == DOWN).tolist(), strict=True)
        track.controls = ControlChangeTickList(
            [ControlChangeTick(at, HOLD, 127 if down else 0) for at, down in pressed]
        )
        track.controls.sort()
        score.tracks.append(track)
