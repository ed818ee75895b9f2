"""Splicing: some cells of a piece as they were made, in place of those that a score has there; in ticks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from symusic.core import ControlChangeTick, ControlChangeTickList, NoteTickList

from partimento.codecs.cells.fields import DOWN, NOTE, STEPS, UP, Mask, durations, values
from partimento.codecs.cells.fields import velocities as levels
from partimento.codecs.cells.grid import Grid
from partimento.codecs.cells.writing import HALF, HOLD
from partimento.score import Note, Score, Track, end_tick


def spliced(score: Score, grid: Grid, cells: Mask, made: Grid, earliest: int = 0) -> tuple[Score, int]:
    """Put some cells as they were made into a score.

    Args:
        score: the piece; tracks that come new are its last ones, without a note.
        grid: its cells.
        cells: (bars, tracks) which are taken.
        made: the piece as it was made, with the same bars and tracks.
        earliest: the tick before which nothing new may come.

    Returns:
        The score with their notes and pedals, and how many notes those are.
    """
    result = score.copy()
    starts, onsets = grid.starts, made.onsets
    scale = score.ticks_per_quarter / STEPS
    edges = np.rint(starts * scale).astype(np.int64).tolist()  # ticks at which bars begin, and the last one ends
    end = max(edges[-1], end_tick(score))
    new_tracks = len(grid.tracks) - sum(len(track.notes) > 0 for track in score.tracks)
    first_new = len(score.tracks) - new_tracks
    sounding = [index for index, track in enumerate(score.tracks) if len(track.notes) or index >= first_new]
    new = 0
    for place in np.flatnonzero(cells.any(axis=0)).tolist():
        track = result.tracks[sounding[place]]

        def stays(time: int, place: int = place) -> bool:
            bar = int(np.searchsorted(starts, max(np.floor(time / scale + 0.5), 0), side="right")) - 1
            return bar >= len(cells) or not cells[bar, place]

        old = [note for note in track.notes if stays(note.time)]
        fresh: list[Note] = []
        pedal: list[tuple[int, bool]] = []
        for event in np.flatnonzero((made.track == place) & cells[made.bar, place]).tolist():
            pitch, velocity = values(made.events[event, [2, 5]]).tolist()
            step, bar = int(onsets[event]), int(made.bar[event])
            tick = max(min(round(step * scale), edges[bar + 1] - 1), earliest)
            if made.kind[event] == NOTE:
                stop = min(round((step + int(durations(made.events[event]))) * scale), end)
                fresh.append(Note(tick, max(stop - tick, 1), pitch, int(levels()[velocity])))
            elif made.kind[event] in (DOWN, UP):
                pedal.append((tick, bool(made.kind[event] == DOWN)))
        fresh = _giving_way(fresh, old, scale)
        new += len(fresh)
        track.notes = NoteTickList([*old, *fresh])
        track.notes.sort()
        runs = [(max(edges[first], earliest), edges[stop]) for first, stop in _runs(cells[:, place])]
        _put_pedal(track, pedal, stays, runs)
    return result, new


def _giving_way(fresh: list[Note], old: list[Note], step: float) -> list[Note]:
    """New notes that neither begin while an old one of their pitch sounds nor ring into the next one.

    Where that ends less than a step later, of so many ticks, as of who plays legato, they begin there.
    """
    of_pitch = defaultdict(list)
    for note in old:
        of_pitch[note.pitch].append(note)
    kept = []
    for note in fresh:
        same = of_pitch[note.pitch]
        ends = [other.time + max(other.duration, 1) for other in same if other.time <= note.time]
        over = max(max(ends, default=0) - note.time, 0)
        if over >= min(step, note.duration):
            continue
        note.time, note.duration = note.time + over, note.duration - over
        later = min((other.time for other in same if other.time > note.time), default=note.time + note.duration)
        note.duration = min(note.duration, later - note.time)
        kept.append(note)
    return kept


def _put_pedal(
    track: Track, pedal: list[tuple[int, bool]], stays: Callable[[int], bool], runs: list[tuple[int, int]]
) -> None:
    """Put the pedal as it was made into a track, where the cells of some runs of bars are new.

    After each run it is left as it was there before; where it was down as a run began, and nothing was made of it
    within, it goes up there, for what once lifted it later has gone.
    """
    turns = sorted((c.time, c.value >= HALF) for c in track.controls if c.number == HOLD)
    kept = [control for control in track.controls if control.number != HOLD or stays(control.time)]
    old = [(c.time, c.value >= HALF) for c in kept if c.number == HOLD]
    for begin, end in runs:
        if _down(sorted([*pedal, *old]), begin) and not any(begin <= time < end for time, _ in pedal):
            pedal.append((begin, False))
        was = _down(turns, end)
        if was != _down(sorted([*pedal, *old]), end) and not any(time == end for time, _ in old):
            pedal.append((end, was))
    added = [ControlChangeTick(time, HOLD, 127 if down else 0) for time, down in pedal]
    track.controls = ControlChangeTickList([*kept, *added])
    track.controls.sort()
    track.pedals = type(track.pedals)()  # made of the controls anew wherever they are asked for


def _down(turns: list[tuple[int, bool]], tick: int) -> bool:
    """Whether the pedal is down just before a tick."""
    return next((down for time, down in reversed(turns) if time < tick), False)


def _runs(filled: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The first bar of each run of bars that are filled, and the one after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], filled, [False]]).astype(np.int64)))
    return [(int(first), int(stop)) for first, stop in edges.reshape(-1, 2)]
