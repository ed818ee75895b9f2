"""Scores: music as notes on tracks, in ticks; pure functions over them.

A score is symusic's `ScoreTick` (Liao et al. 2023, "symusic: a swift and unified toolkit for symbolic music
processing"): its unit of time is in its type, its events are held in C++ and come out as numpy columns. Every function
here returns a new score and leaves its argument as it was. Leaves out: lyrics and anything only an engraver needs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import symusic
from numpy.typing import NDArray
from symusic.core import KeySignatureTick as KeySignature
from symusic.core import NoteTick as Note
from symusic.core import ScoreTick as Score
from symusic.core import TempoTick as Tempo
from symusic.core import TimeSignatureTick as TimeSignature
from symusic.core import TrackTick as Track

__all__ = [
    "NEVER",
    "KeySignature",
    "Note",
    "NoteArray",
    "Score",
    "Tempo",
    "TimeSignature",
    "Track",
    "bar_edges",
    "bar_lines",
    "end_tick",
    "excerpt",
    "join",
    "note_array",
    "note_list",
    "quantise",
    "seconds_at",
    "struck_again",
    "tempo_changes",
    "transpose",
]

NOTE = np.dtype(
    [
        ("onset", np.int64),  # ticks
        ("duration", np.int64),  # ticks
        ("pitch", np.int16),  # MIDI pitch, 60 = middle C
        ("velocity", np.int16),  # 1..127
        ("program", np.int16),  # General MIDI program 0..127; -1 for drums
        ("track", np.int16),  # index into score.tracks
    ]
)
NoteArray = NDArray[np.void]

NEVER = np.iinfo(np.int64).max  # a time after all others
DEFAULT_QPM = 120.0  # quarter notes a minute where a score names no tempo (Standard MIDI File 1.0)


def note_array(score: Score) -> NoteArray:
    """All notes of a score as one array of dtype `NOTE`, sorted by onset, then pitch, then track.

    Example:
        >>> note_array(Score(480)).shape
        (0,)
    """
    parts = []
    for index, track in enumerate(score.tracks):
        columns = track.notes.numpy()
        part = np.empty(len(track.notes), dtype=NOTE)
        part["onset"] = columns["time"]
        part["duration"] = columns["duration"]
        part["pitch"] = columns["pitch"]
        part["velocity"] = columns["velocity"]
        part["program"] = -1 if track.is_drum else track.program
        part["track"] = index
        parts.append(part)
    if not parts:
        return np.empty(0, dtype=NOTE)
    notes = np.concatenate(parts)
    return notes[np.lexsort((notes["track"], notes["pitch"], notes["onset"]))]


def note_list(
    onset: NDArray[Any], duration: NDArray[Any], pitch: NDArray[Any], velocity: NDArray[Any]
) -> symusic.core.NoteTickList:
    """Notes of a track from columns (N,): ticks, ticks, MIDI pitches and velocities, in their order."""
    times = [np.ascontiguousarray(column, dtype=np.int32) for column in (onset, duration)]
    small = [np.ascontiguousarray(column, dtype=np.int8) for column in (pitch, velocity)]
    make: Any = symusic.Note.from_numpy  # its type says less than it can do
    notes: symusic.core.NoteTickList = make(*times, *small, ttype="tick")
    return notes


def struck_again(onsets: NDArray[np.int64], voices: NDArray[np.int64]) -> NDArray[np.int64]:
    """When what each note sounds is struck again.

    Args:
        onsets: (N,) when notes begin, below 2 ** 40, in any order.
        voices: (N,) what sounds: two notes of one number cannot be told apart while both sound.

    Returns:
        (N,) the next onset of the same number that is later than the note's own; NEVER where none is.
    """
    keys = voices.astype(np.int64) << 40 | onsets
    there = np.unique(keys)
    after = np.append(there, -1)[np.searchsorted(there, keys, side="right")]
    return np.where(after >> 40 == voices, after & (1 << 40) - 1, NEVER)


def end_tick(score: Score) -> int:
    """The tick at which the last note ends; 0 for a score without notes."""
    ends = [int((n["time"] + n["duration"]).max()) for t in score.tracks if len(t.notes) for n in [t.notes.numpy()]]
    return max(ends, default=0)


def tempo_changes(score: Score) -> dict[int, float]:
    """Quarter notes a minute by the tick from which they hold, ascending, the first 0 (120 where none is named there).

    Example:
        >>> tempo_changes(Score(480))
        {0: 120.0}
    """
    return {0: DEFAULT_QPM} | {max(t.time, 0): t.qpm for t in sorted(score.tempos, key=lambda t: t.time)}


def seconds_at(score: Score, ticks: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    """The time of each tick in seconds, by the tempo map (120 quarter notes a minute where there is none).

    Args:
        score: gives the tempo map.
        ticks: (N,) ticks, whole or not, any order.

    Returns:
        (N,) seconds from tick 0.
    """
    changes = tempo_changes(score)
    at = np.array(list(changes), dtype=np.int64)
    seconds_per_tick = 60.0 / (np.array(list(changes.values())) * score.ticks_per_quarter)
    starts = np.concatenate([[0.0], np.cumsum(np.diff(at) * seconds_per_tick[:-1])])
    segment = np.clip(np.searchsorted(at, ticks, side="right") - 1, 0, None)
    return np.asarray(starts[segment] + (ticks - at[segment]) * seconds_per_tick[segment])


def bar_lines(score: Score, until: int | None = None) -> NDArray[np.int64]:
    """The ticks at which bars begin, by the time signatures (4/4 where there is none).

    A time signature that comes in the middle of a bar begins a new one there, as every sequencer shows it.

    Args:
        score: gives the metre.
        until: the last bar begins before this tick; the end of the last note if None.

    Returns:
        (bars,) ticks, ascending, the first 0; at least one bar.
    """
    until = end_tick(score) if until is None else until
    changes: dict[int, int] = {0: 4 * score.ticks_per_quarter}
    for signature in score.time_signatures:
        length = signature.numerator * 4 * score.ticks_per_quarter // max(signature.denominator, 1)
        changes[max(signature.time, 0)] = max(length, 1)
    at = sorted(changes)
    parts = [
        np.arange(start, max(min(stop, until), start + 1), changes[start], dtype=np.int64)
        for start, stop in zip(at, [*at[1:], max(until, at[-1] + 1)], strict=True)
        if start < until or start == 0
    ]
    return np.concatenate(parts)


def bar_edges(score: Score, notes: NoteArray | None = None) -> NDArray[np.int64]:
    """Where bars begin and where the last one ends: (bars + 1,) ticks, ascending; every onset lies between two.

    The last bar is whole, though the music may end within it.

    Args:
        score: gives the metre.
        notes: its `note_array`, where that is at hand.
    """
    notes = note_array(score) if notes is None else notes
    last = notes["onset"].max(initial=-1) + 1
    lines = bar_lines(score, int(max((notes["onset"] + notes["duration"]).max(initial=0), last)))
    length = 4 * score.ticks_per_quarter
    for signature in sorted(score.time_signatures, key=lambda s: s.time):
        if signature.time <= lines[-1]:
            length = signature.numerator * 4 * score.ticks_per_quarter // max(signature.denominator, 1)
    return np.append(lines, lines[-1] + max(length, 1))


def transpose(score: Score, semitones: int) -> Score:
    """Shift every pitched note; drums stay, notes that leave 0..127 are dropped."""
    result = score.copy()
    for track in result.tracks:
        if track.is_drum or not semitones:
            continue
        kept = [n for n in track.notes if 0 <= n.pitch + semitones <= 127]
        for note in kept:
            note.pitch += semitones
        track.notes = symusic.core.NoteTickList(kept)
    for key in result.key_signatures:
        key.key = (key.key + 7 * semitones + 5) % 12 - 5 if semitones else key.key
    return result


def quantise(score: Score, steps_per_beat: int) -> Score:
    """Move onsets and ends to the nearest step of a quarter note; each note lasts one step at least.

    Returns:
        The score with `ticks_per_quarter == steps_per_beat`.
    """
    return score.resample(steps_per_beat, min_dur=1)


def excerpt(score: Score, start: int, stop: int) -> Score:
    """The music from tick `start` to before tick `stop`, shifted to begin at 0.

    Notes that begin inside are kept and cut at `stop`; the tempo and metre in force at `start` come along.
    """
    result = score.copy()
    for track in result.tracks:
        kept = [n for n in track.notes if start <= n.time < stop]
        for note in kept:
            note.duration = min(note.duration, stop - note.time)
            note.time -= start
        track.notes = symusic.core.NoteTickList(kept)
        for name in ("controls", "pedals", "pitch_bends"):
            _keep(track, name, [e for e in getattr(track, name) if start <= e.time < stop], start)
    for name in ("tempos", "time_signatures", "key_signatures"):
        events = getattr(result, name)
        in_force = [e for e in events if e.time <= start][-1:]
        _keep(result, name, in_force + [e for e in events if start < e.time < stop], start)
    _keep(result, "markers", [m for m in result.markers if start <= m.time < stop], start)
    return result


def _keep(owner: Score | Track, name: str, kept: list[Any], start: int) -> None:
    """Make `owner`'s list of events of that name hold only `kept`, their times counted from tick `start`."""
    for event in kept:
        event.time = max(event.time - start, 0)
    setattr(owner, name, type(getattr(owner, name))(kept))


def join(first: Score, second: Score, at: int) -> Score:
    """`first`, then `second` from tick `at` on (ticks of `first`); tracks of the same instrument are joined.

    Args:
        first: what comes before; what it has at or after `at` stays.
        second: what follows; resampled to `first`'s ticks per quarter where they differ.
        at: where tick 0 of `second` comes to lie.
    """
    result = first.copy()
    tail = second if second.ticks_per_quarter == first.ticks_per_quarter else second.resample(first.ticks_per_quarter)
    tail = tail.shift_time(at)
    homes = {(t.program, t.is_drum): t for t in result.tracks}
    for track in tail.tracks:
        home = homes.get((track.program, track.is_drum))
        if home is None:
            result.tracks.append(track)
        else:
            home.notes.extend(track.notes)
            home.controls.extend(track.controls)
            home.pedals.extend(track.pedals)
            home.pitch_bends.extend(track.pitch_bends)
    result.tempos.extend(tail.tempos)
    result.time_signatures.extend(tail.time_signatures)
    result.key_signatures.extend(tail.key_signatures)
    return result.sort()
