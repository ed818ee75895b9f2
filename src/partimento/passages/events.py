"""Events: a piece as what begins together, one after another; the alphabet in which copied passages are spelt.

An event is all that begins at one moment (the "slices" or "note sets" of a polyphonic score); a piece is heard in two
*voices*, the whole texture and the melody (its highest line, see `lines`), and each voice is one sequence of events.
What stands between an event and the next is one *step*: the shape of both (pitches above the lowest), the interval
between their lowest pitches, and beside it the gap between their onsets. So equal steps are the same music in any key,
and one comparison answers four questions: steps alone are the order of pitches whatever the rhythm, steps with their
gaps are pitch and rhythm, either is exact where the lowest pitches agree too. (Conklin and Witten 1995, "Multiple
viewpoint systems for music prediction": interval, gap and pitch as views of one sequence.)

Conventions: time is in beats, quarter notes, and onsets are equal within a `GRID`th of a beat. Lengths of notes,
loudness, tempo, instruments and doublings at the unison are not heard. Drums are heard only where nothing else sounds:
in any other piece they are anybody's. A performance, whose chords are not struck together to the tick, is read twice:
on the grid, and as it was played, so that stretching it does not tear other chords apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partimento.passages.lines import lines, mix
from partimento.score import NoteArray, Score, bar_lines, end_tick, note_array

__all__ = ["ENDS", "GRID", "VOICES", "Events", "edges_beyond", "events", "grid_steps", "heard"]

GRID = 12  # steps of a beat: sixteenths and triplets stay apart, a player is forgiven
VOICES = ("texture", "melody")
ENDS = 2  # steps below this number stand for the end of a piece and equal no other
LONGEST = 2**15 - 1  # a gap in grid steps; longer ones (57 minutes at 48 beats a minute) count as this

Ints = NDArray[np.int64]
_INTERVAL = np.uint64(1 << 41)


@dataclass(frozen=True)
class Events:
    """One voice of a piece: N events.

    Attributes:
        step: (N,) uint32, what stands between an event and the next, in any key; 0 after the last event.
        gap: (N,) int16 grid steps to the next event's onset; 0 after the last.
        low: (N,) int16 the lowest pitch; 0 of drums.
        notes: (N,) uint8 how many different pitches begin.
        place: (N + 1,) float32 where events begin, in bars from the piece's beginning (0 = first bar line), and last
            where the music ends.
    """

    step: NDArray[np.uint32]
    gap: NDArray[np.int16]
    low: NDArray[np.int16]
    notes: NDArray[np.uint8]
    place: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.step)


def events(score: Score) -> dict[str, list[Events]]:
    """The voices of a piece, each in one reading, or two where its chords are not struck to the tick.

    Returns:
        By the names of `VOICES` those that exist: nothing of a piece without notes, no melody of drums alone.
    """
    notes = heard(note_array(score))
    if not len(notes):
        return {}
    found: dict[str, list[Events]] = {}
    for reading, ticks in _readings(notes, score.ticks_per_quarter):
        found.setdefault("texture", []).append(_events(reading, ticks, score))
        if notes["program"][0] >= 0:
            found.setdefault("melody", []).append(_events(_melody(reading), ticks, score))
    return found


def heard(notes: NoteArray) -> NoteArray:
    """The notes that count: all that have a pitch, or the drums where nothing has."""
    pitched = notes[notes["program"] >= 0]
    return pitched if len(pitched) else notes


def grid_steps(ticks: Ints, ticks_per_quarter: int) -> Ints:
    """Ticks as grid steps, to the nearest."""
    return np.asarray((ticks * (2 * GRID) + ticks_per_quarter) // (2 * ticks_per_quarter))


def edges_beyond(score: Score) -> Ints:
    """The ticks at which bars begin, and beyond the last note one more: every onset and end lies before the last.

    Unlike `score.bar_edges`, for an onset that is rounded to the grid may come to lie at the end of the last bar.
    """
    per_quarter = score.ticks_per_quarter
    lengths = [s.numerator * 4 * per_quarter // max(s.denominator, 1) for s in score.time_signatures]
    last = max((int(n["time"].max()) for t in score.tracks if len(t.notes) for n in [t.notes.numpy()]), default=0)
    return bar_lines(score, max(end_tick(score), last + 1) + max([4 * per_quarter, *lengths]) + 1)


def _readings(notes: NoteArray, ticks_per_quarter: int) -> Iterator[tuple[NoteArray, float]]:
    """The notes on the grid and, where that joins what was not struck together, as played; and the ticks of a unit."""
    grid = notes.copy()
    grid["onset"] = grid_steps(notes["onset"], ticks_per_quarter)
    grid["duration"] = grid_steps(notes["onset"] + notes["duration"], ticks_per_quarter) - grid["onset"]
    grid = grid[np.lexsort((grid["pitch"], grid["onset"]))]
    yield grid, ticks_per_quarter / GRID
    if len(np.unique(grid["onset"])) < len(np.unique(notes["onset"])):
        yield notes, 1.0


def _melody(notes: NoteArray) -> NoteArray:
    """The notes of the highest line."""
    line = lines(notes)[0]
    melody = np.zeros(len(line.pitch), dtype=notes.dtype)
    melody["pitch"], melody["onset"] = line.pitch, line.onset
    return melody


def _events(notes: NoteArray, unit: float, score: Score) -> Events:
    """One voice of one reading, whose time is counted in units of so many ticks."""
    drums = notes["program"] < 0
    key = np.unique(notes["onset"] * 512 + notes["pitch"] + 256 * drums)
    onset, pitch = key // 512, key % 512
    first = np.flatnonzero(np.diff(onset, prepend=onset[0] - 1))
    low = np.where(pitch[first] < 256, pitch[first], 0)
    count = np.diff(first, append=len(key))
    shape = np.add.reduceat(mix((pitch - np.repeat(low, count)).astype(np.uint64)), first)
    onset = onset[first]
    step = np.zeros(len(onset), dtype=np.uint64)
    step[:-1] = mix(mix(shape[:-1]) + shape[1:] + mix(np.diff(low).astype(np.uint64) ^ _INTERVAL)) >> np.uint64(32)
    step[:-1] = np.maximum(step[:-1], ENDS)
    ticks = onset * unit
    edges = edges_beyond(score)
    end = max(end_tick(score), ticks[-1])
    place = np.interp(np.append(ticks, end), edges, np.arange(len(edges)))
    beats = grid_steps(np.rint(ticks).astype(np.int64), score.ticks_per_quarter)
    return Events(
        step=step.astype(np.uint32),
        gap=np.minimum(np.diff(beats, append=beats[-1]), LONGEST).astype(np.int16),
        low=low.astype(np.int16),
        notes=np.minimum(count, 255).astype(np.uint8),
        place=place.astype(np.float32),
    )
