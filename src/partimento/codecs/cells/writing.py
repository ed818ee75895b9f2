"""From a score to events: placed on steps, sorted into bars and tracks, all at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partimento.codecs.cells.fields import (
    BAR,
    CELL,
    DOWN,
    DRUMS,
    FASTEST,
    FIELDS,
    LONGEST,
    NOTE,
    SLOWEST,
    STEPS,
    TEMPO,
    TRACKS,
    UP,
    Ids,
    events_of,
    is_tempo,
    tempi,
    velocities,
    vocabulary,
)
from partimento.levels import nearest
from partimento.metres import METRES, changes
from partimento.score import NoteArray, Score, note_array, tempo_changes

HOLD, HALF = 64, 64  # the controller of the sustain pedal, and from which value on it is down


@dataclass(frozen=True, eq=False)
class Bars:
    """Where bars begin.

    Attributes:
        starts: (bars,) steps.
        metres: (bars,) indices of `METRES`.
    """

    starts: Ids
    metres: Ids

    @property
    def end(self) -> int:
        """The step at which the last one ends."""
        return int(self.starts[-1]) + METRES[int(self.metres[-1])].bar(STEPS)

    def at(self, steps: Ids) -> Ids:
        """The bar that each time lies in."""
        return np.searchsorted(self.starts, steps, side="right") - 1


def write(score: Score) -> Ids:
    """(6 E,) ids of all events of a score; none where it has no notes."""
    notes = note_array(score)
    if not len(notes):
        return np.empty(0, dtype=np.int64)
    scale = STEPS / score.ticks_per_quarter
    onsets = _placed(notes["onset"] * scale)
    bars = _bars(score, int(onsets.max()))
    numbers, programs = _numbered(score, notes)
    tempi_told = _tempi(score, scale)
    blocks = [
        _bar_events(bars, *tempi_told),
        _tempo_events(bars, *tempi_told),
        _note_events(notes, onsets, numbers[notes["track"]], bars, scale),
        _pedal_events(score, bars, numbers, scale),
    ]
    rows = np.concatenate(blocks)
    rows = np.concatenate([rows, _cell_events(rows, programs)])
    key, events = rows[:, :_KEY], rows[:, _KEY:]
    order = np.lexsort((*(events[:, field] for field in (5, 4, 3, 2)), key[:, 3], key[:, 2], key[:, 1], key[:, 0]))
    events = events[order]
    return np.where(events < 0, vocabulary().first("none"), events).reshape(-1)


def with_changes_alone(x: Ids) -> Ids:
    """The ids (6 E,) without the tempo of each bar in which the one before stays."""
    kind, events = events_of(x)
    named = np.flatnonzero(is_tempo(events[:, 2]))
    levels = events[named, 2]
    again = named[1:][levels[1:] == levels[:-1]]
    events[again[kind[again] == BAR], 2] = vocabulary().first("none")
    return events.reshape(-1)


_KEY = 4  # columns before an event's ids: its bar, its track (-1 of none), its time within the bar (-1), its kind


def _rows(bar: Ids, track: Ids | int, at: Ids | int, kind: int, *fields: Ids) -> Ids:
    """Events with what they are sorted by, (E, 4 + 6); fields that are not given are -1."""
    rows = np.full((len(bar), _KEY + FIELDS), -1, dtype=np.int64)
    for column, values in enumerate((bar, track, at, kind, *fields)):
        rows[:, column] = values
    return rows


def _placed(times: NDArray[np.float64]) -> Ids:
    """Times at the nearest step, none before 0."""
    return np.floor(np.maximum(times, 0) + 0.5).astype(np.int64)


def _bars(score: Score, last: int) -> Bars:
    """The bars up to the one that the last onset lies in."""
    found = [change for change in changes(score, STEPS) if change.tick <= last]
    ends = [*(change.tick for change in found[1:]), last + 1]
    starts = [np.arange(c.tick, end, c.metre.bar(STEPS)) for c, end in zip(found, ends, strict=True)]
    metres = [np.full(len(part), METRES.index(c.metre)) for c, part in zip(found, starts, strict=True)]
    return Bars(np.concatenate(starts), np.concatenate(metres))


def _numbered(score: Score, notes: NoteArray) -> tuple[Ids, Ids]:
    """The number of each of the score's tracks, -1 for one without notes, and the program of each number.

    Tracks are numbered as they come; where there are more than there are numbers for, those of one program are one.
    """
    used = np.unique(notes["track"])
    program = np.array([DRUMS if track.is_drum else track.program for track in score.tracks])
    numbers = np.full(len(score.tracks), -1)
    if len(used) <= TRACKS:
        numbers[used] = np.arange(len(used))
        return numbers, program[used]
    kept, first = np.unique(program[used], return_index=True)
    kept = kept[np.argsort(first)]
    numbers[used] = [int(np.flatnonzero(kept == one)[0]) for one in program[used]]
    return numbers, kept


def _tempi(score: Score, scale: float) -> tuple[Ids, Ids]:
    """Steps and levels of all changes of tempo, the first at 0."""
    named = tempo_changes(score)
    steps = _placed(np.array(list(named), dtype=np.float64) * scale)
    qpm = np.clip(np.array(list(named.values())), SLOWEST, FASTEST)
    at = dict(zip(steps.tolist(), nearest(np.log(tempi()), np.log(qpm)).tolist(), strict=True))
    times = np.array(sorted(at), dtype=np.int64)
    return times, np.array([at[time] for time in times.tolist()], dtype=np.int64)


def _bar_events(bars: Bars, times: Ids, levels: Ids) -> Ids:
    ids = vocabulary()
    in_force = levels[np.searchsorted(times, bars.starts, side="right") - 1]
    what = np.full(len(bars.starts), ids.first("bar"))
    fields = (what, ids.first("metre") + bars.metres, ids.first("tempo") + in_force)
    return _rows(np.arange(len(bars.starts)), -1, -1, BAR, *fields)


def _tempo_events(bars: Bars, times: Ids, levels: Ids) -> Ids:
    """What changes within a bar."""
    ids = vocabulary()
    changed = np.append(True, np.diff(levels) != 0)
    within = changed & ~np.isin(times, bars.starts) & (times < bars.end)
    times, levels = times[within], levels[within]
    bar = bars.at(times)
    at = times - bars.starts[bar]
    fields = (ids.first("tempo at") + at // STEPS, ids.first("step") + at % STEPS, ids.first("tempo") + levels)
    return _rows(bar, -1, at, TEMPO, *fields)


def _note_events(notes: NoteArray, onsets: Ids, track: Ids, bars: Bars, scale: float) -> Ids:
    ids = vocabulary()
    ends = _placed((notes["onset"] + notes["duration"]) * scale)
    lasts = np.clip(ends - onsets, 1, LONGEST * STEPS - 1)
    bar = bars.at(onsets)
    at = onsets - bars.starts[bar]
    drums = notes["program"] < 0
    loud = nearest(velocities(), np.asarray(notes["velocity"], dtype=np.int64))
    fields = (
        ids.first("note") + at // STEPS,
        ids.first("step") + at % STEPS,
        np.where(drums, ids.first("drum"), ids.first("pitch")) + notes["pitch"],
        ids.first("quarters") + lasts // STEPS,
        ids.first("steps") + lasts % STEPS,
        ids.first("velocity") + loud,
    )
    return _rows(bar, track, at, NOTE, *fields)


def _pedal_events(score: Score, bars: Bars, numbers: Ids, scale: float) -> Ids:
    """The pedal of each track going down and up, as far as there are bars."""
    ids = vocabulary()
    blocks = [_rows(np.empty(0, np.int64), -1, -1, DOWN)]
    for index in range(len(score.tracks)):
        if numbers[index] < 0:
            continue
        columns = score.tracks[index].controls.numpy()
        mine = columns["number"] == HOLD
        times = _placed(columns["time"][mine] * scale)
        down = columns["value"][mine] >= HALF
        times, down = _turns(times, down)
        within = times < bars.end
        times, down = times[within], down[within]
        bar = bars.at(times)
        at = times - bars.starts[bar]
        for kind, name, here in ((DOWN, "down", down), (UP, "up", ~down)):
            fields = (ids.first(name) + at[here] // STEPS, ids.first("step") + at[here] % STEPS)
            blocks.append(_rows(bar[here], int(numbers[index]), at[here], kind, *fields))
    return np.concatenate(blocks)


def _turns(times: Ids, down: NDArray[np.bool_]) -> tuple[Ids, NDArray[np.bool_]]:
    """When the pedal turns, and which way, of what it is said to be at some times, in their order.

    Where it goes up and comes down again within one step it turns twice there; where it goes down and up, not at all.
    """
    order = np.argsort(times, kind="stable")
    times, down = times[order], down[order]
    was = False
    turns: list[tuple[int, bool]] = []
    for together in np.split(np.arange(len(times)), np.flatnonzero(np.diff(times)) + 1) if len(times) else ():
        time, ways = int(times[together[0]]), down[together]
        if was and not ways.all():
            turns.append((time, False))
        if ways[-1] and not (was and ways.all()):
            turns.append((time, True))
        was = bool(ways[-1])
    return np.array([time for time, _ in turns], dtype=np.int64), np.array([way for _, way in turns], dtype=np.bool_)


def _cell_events(rows: Ids, programs: Ids) -> Ids:
    """The beginning of each track in each bar in which it has something."""
    ids = vocabulary()
    cells = np.unique(rows[rows[:, 1] >= 0][:, :2], axis=0)
    bar, track = cells[:, 0], cells[:, 1]
    what = np.full(len(cells), ids.first("cell"))
    return _rows(bar, track, -1, CELL, what, ids.first("track") + track, ids.first("program") + programs[track])
