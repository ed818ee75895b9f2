"""Tidying: scores from anywhere brought into one shape.

Every note has a length, no two notes of a track sound on one pitch at a time, tempi, metres and keys are possible and
say something new, every track has notes, all is sorted. A note that runs into the next of its pitch ends where that
begins, as on any keyboard; of two that begin together the longer stays. Leaves out: the same part on two tracks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from symusic.core import NoteTickList as NoteList
from symusic.core import TempoTickList as TempoList

from partimento.files.lengths import end_stuck_notes, shorten_silences
from partimento.score import KeySignature, Score, TimeSignature, Track

__all__ = ["LONGEST_METRE", "tidy"]

FASTEST = 1000.0  # quarter notes a minute; a faster tempo is a fault
LONGEST_METRE = 64  # the most beats of a bar, and the shortest beat, a 64th

SAID = {
    "silent": ("a note without length was given one tick", "{n} notes without length were given one tick"),
    "doubled": ("a doubled note was removed", "{n} doubled notes were removed"),
    "overlapping": (
        "a note that ran into the next of its pitch was shortened",
        "{n} notes that ran into the next of their pitch were shortened",
    ),
    "stuck": (
        "a note that nobody ended was given 16 beats",
        "{n} notes that nobody ended were given 16 beats",
    ),
    "hush": ("a silence of more than 128 beats was shortened", "{n} silences of more than 128 beats were shortened"),
    "tempo": ("an impossible tempo was left out", "{n} impossible tempi were left out"),
    "metre": ("an impossible metre was left out", "{n} impossible metres were left out"),
    "key": ("an impossible key was left out", "{n} impossible keys were left out"),
    "mode": (
        "a key neither major nor minor was taken for major",
        "{n} keys neither major nor minor were taken for major",
    ),
}


def tidy(score: Score) -> tuple[str, ...]:
    """Bring a score, in place, into the one shape; say what was changed, one phrase each."""
    counts: Counter[str] = Counter()
    end_stuck_notes(score, counts)
    for track in score.tracks:
        _tidy_notes(track, counts)
    score.tracks = type(score.tracks)([track for track in score.tracks if len(track.notes)])
    shorten_silences(score, counts)
    _tidy_tempi(score, counts)
    metres: dict[int, TimeSignature] = {}
    for metre in score.time_signatures:
        beats, shortest = metre.numerator, metre.denominator
        if 0 < beats <= LONGEST_METRE and 0 < shortest <= LONGEST_METRE and shortest & (shortest - 1) == 0:
            metres[metre.time] = metre
        else:
            counts["metre"] += 1
    score.time_signatures = type(score.time_signatures)(_changes(metres, lambda m: (m.numerator, m.denominator)))
    keys: dict[int, KeySignature] = {}
    for key in score.key_signatures:
        if not -7 <= key.key <= 7:
            counts["key"] += 1
            continue
        if key.tonality not in (0, 1):
            counts["mode"] += 1
            key.tonality = 0
        keys[key.time] = key
    score.key_signatures = type(score.key_signatures)(_changes(keys, lambda k: (k.key, k.tonality)))
    score.sort(inplace=True)
    return tuple(SAID[kind][n > 1].format(n=f"{n:,}") for kind, n in counts.items() if n)


def _changes(events: dict[int, Any], value: Callable[[Any], tuple[int, int]]) -> list[Any]:
    """Events by tick, in order, without those that say what is in force already."""
    kept: list[Any] = []
    for tick in sorted(events):
        if not kept or value(kept[-1]) != value(events[tick]):
            kept.append(events[tick])
    return kept


def _tidy_notes(track: Track, counts: Counter[str]) -> None:
    """Give each note a length, and each pitch of the track one note at a time."""
    if not len(track.notes):
        return
    columns = track.notes.numpy()
    order = np.lexsort((-columns["duration"], columns["time"], columns["pitch"]))
    onset, duration, pitch, velocity = (columns[name][order] for name in ("time", "duration", "pitch", "velocity"))
    silent = duration <= 0
    duration[silent] = 1
    follows = pitch[1:] == pitch[:-1]
    doubled = np.concatenate([[False], follows & (onset[1:] == onset[:-1])])
    if doubled.any():  # the longest stays
        onset, duration, pitch, velocity = onset[~doubled], duration[~doubled], pitch[~doubled], velocity[~doubled]
        follows = pitch[1:] == pitch[:-1]
    apart = onset[1:] - onset[:-1]
    overlapping = follows & (apart < duration[:-1])
    duration[:-1][overlapping] = apart[overlapping]
    found = {"silent": silent, "doubled": doubled, "overlapping": overlapping}
    if any(mask.any() for mask in found.values()):
        counts.update({kind: int(mask.sum()) for kind, mask in found.items()})
        order = np.lexsort((pitch, onset))
        track.notes = NoteList.from_numpy(onset[order], duration[order], pitch[order], velocity[order])


def _tidy_tempi(score: Score, counts: Counter[str]) -> None:
    """Leave out tempi that cannot be, those overruled at once and those in force already."""
    if not len(score.tempos):
        return
    columns = score.tempos.numpy()
    order = np.argsort(columns["time"], kind="stable")
    tick, length = columns["time"][order], columns["mspq"][order]  # microseconds a quarter note
    possible = length >= 60e6 / FASTEST
    counts["tempo"] += int((~possible).sum())
    tick, length = tick[possible], length[possible]
    last = np.append(tick[1:] != tick[:-1], [True])[: len(tick)]
    tick, length = tick[last], length[last]
    new = np.concatenate([[True], length[1:] != length[:-1]])[: len(tick)]
    if len(columns["time"]) > new.sum():
        score.tempos = TempoList.from_numpy(tick[new], length[new])
