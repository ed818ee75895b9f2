"""Parts: what each track is called, and its staves and voices.

A keyboard's or harp's track that reaches into both staves has two, and so has any track that one staff could not hold
without forests of ledger lines; but where two or three tracks side by side have one keyboard, each is a hand of it.
Leaves out: transposing instruments. All sound as written, but for guitars, basses and a few others whose clefs say that
they sound an octave lower or higher.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from partimento.engraving import hands
from partimento.engraving.bars import UNITS, Bar
from partimento.engraving.clefs import BASS, PERCUSSION, TREBLE, Clef, candidates, clefs_of
from partimento.engraving.grid import Steps, Ticks, as_units, delay_of, on_grid, settle_ends, settle_onsets, spread_at
from partimento.engraving.kit import strokes
from partimento.engraving.spelling import Names, led
from partimento.engraving.voices import Sound, Tone, voices_of
from partimento.instruments import instrument_name, numbered
from partimento.score import NoteArray, Score, seconds_at, struck_again

__all__ = ["Part", "parts_of"]

KEYBOARDS = frozenset([*range(9), 11, 12, 15, *range(16, 22), 23, 46])  # instruments whose parts may have two staves
LONGEST_NAME = 40


Spelled = tuple[Names, NDArray[np.bool_]]


@dataclass(frozen=True)
class Part:
    """One track as it is to be written.

    Attributes:
        name: of the track, else of its instrument.
        program: General MIDI program.
        drums: whether it is a drum kit.
        clefs: of each staff, the highest first, by the bar from which they hold.
        staves: the voices of each staff.
    """

    name: str
    program: int
    drums: bool
    clefs: tuple[Mapping[int, Clef], ...]
    staves: tuple[tuple[tuple[Sound, ...], ...], ...]


def parts_of(score: Score, notes: NoteArray, bars: Sequence[Bar], spelled: Spelled) -> tuple[list[Part], Ticks]:
    """The parts of all tracks that have notes, in their order.

    Args:
        score: names the tracks.
        notes: its note array, none beginning after the last bar.
        bars: of the whole score.
        spelled: the names that pitch classes have in each bar, and which are foreign to the key.

    Returns:
        The parts, and by how many units each note's beginning was moved (N,), rounded to whole ones.
    """
    parts = []
    moved = np.zeros(len(notes), dtype=np.int64)
    timing = _timing(score, notes, bars)
    for index, track in enumerate(score.tracks):
        chosen = np.flatnonzero(notes["track"] == index)
        if not len(chosen):
            continue
        own = notes[chosen]
        staves, shifts = _staves(own, timing, bars, spelled, hand=_is_hand(score, notes, index))
        moved[chosen] = shifts
        drums, program = bool(track.is_drum), int(track.program)
        voices = [strokes(staves[0], bars)] if drums else [voices_of(staff) for staff in staves]
        frozen = tuple(tuple(tuple(voice) for voice in staff) for staff in voices)
        clefs = ({0: PERCUSSION},) if drums else _clefs(staves, program, bars)
        parts.append(Part(_name(track.name, program, drums), program, drums, clefs, frozen))
    names = numbered([part.name for part in parts])
    parts = [dataclasses.replace(part, name=name) for part, name in zip(parts, names, strict=True)]
    return parts, moved


def _clefs(staves: Sequence[Sequence[Tone]], program: int, bars: Sequence[Bar]) -> tuple[dict[int, Clef], ...]:
    """The clefs of each staff, by bar."""
    if len(staves) == 1:
        return (clefs_of(staves[0], candidates(staves[0], program), bars),)
    return (clefs_of(staves[0], (TREBLE, BASS), bars), clefs_of(staves[1], (BASS, TREBLE), bars))


class _Timing(NamedTuple):
    """How notes lie on the grid: ticks a quarter, and of played ones the delay and the spread in units."""

    ticks_per_quarter: int
    delay: float
    spread: float


def _timing(score: Score, notes: NoteArray, bars: Sequence[Bar]) -> _Timing:
    ticks = score.ticks_per_quarter
    onsets = as_units(notes["onset"], ticks)
    if on_grid(onsets, bars, ticks):
        return _Timing(ticks, 0.0, 1.0)
    last = notes["onset"].max(initial=0) + 1
    seconds = float(seconds_at(score, np.array([last]))[0])
    return _Timing(ticks, delay_of(onsets), spread_at(60 * last / ticks / max(seconds, 1e-9)))


def _name(given: str, program: int, drums: bool) -> str:
    """A track's own name if it is one, else its instrument's."""
    name = re.sub(r"[^\w .,'()&+#-]+", " ", given).strip()
    if (
        not re.search(r"[^\W\d_]", name)
        or len(name) > LONGEST_NAME
        or re.fullmatch(r"(?i)(track|channel|midi)\W*\d*", name)
    ):
        return instrument_name(128 if drums else program)
    return " ".join(name.split())


def _staves(
    notes: NoteArray, timing: _Timing, bars: Sequence[Bar], spelled: Spelled, *, hand: bool
) -> tuple[list[list[Tone]], Ticks]:
    """The notes of each staff, on the grid and with their names, and by how much their beginnings were moved."""
    ticks = timing.ticks_per_quarter
    played = as_units(notes["onset"], ticks)
    ends = as_units(notes["onset"] + notes["duration"], ticks)
    steps: Steps = {}
    if exact := on_grid(played, bars, ticks):
        onsets = np.round(played).astype(np.int64)
    else:
        ends = ends - timing.delay
        onsets, steps = settle_onsets(np.maximum(played - timing.delay, 0.0), bars, timing.spread)
        onsets = np.minimum(onsets, bars[-1].end - 3)
    exact = exact and on_grid(ends, bars, ticks)
    drums, program = bool(notes["program"][0] < 0), int(notes["program"][0])
    left = np.zeros(len(notes), dtype=np.bool_) if drums else _left(onsets, notes, program, hand)
    names = _names(onsets, notes, bars, spelled)
    settled = np.round(ends).astype(np.int64)
    if drums or not exact:
        for own in (~left, left):
            settled[own] = settle_ends(onsets[own], ends[own], steps, bars)
    settled = np.minimum(np.where(settled > onsets, settled, onsets + 3), bars[-1].end)
    settled = np.minimum(settled, struck_again(onsets, notes["pitch"]))  # on whichever staff that is
    tones = list(map(Tone, onsets.tolist(), settled.tolist(), notes["pitch"].tolist(), names.tolist()))
    staves = [_once([tone for tone, here in zip(tones, own.tolist(), strict=True) if here]) for own in (~left, left)]
    return [staff for staff in staves if staff], onsets - np.round(played).astype(np.int64)


def _names(onsets: Ticks, notes: NoteArray, bars: Sequence[Bar], spelled: Spelled) -> Names:
    """The notes' names, as places on the line of fifths."""
    bar = np.searchsorted([bar.start for bar in bars], onsets, side="right") - 1
    names, foreign = (table[bar, notes["pitch"] % 12].tolist() for table in spelled)
    return np.array(led(onsets.tolist(), notes["pitch"].tolist(), names, foreign), dtype=np.int64)


def _is_hand(score: Score, notes: NoteArray, index: int) -> bool:
    """Whether a track is one of two or three side by side that share a keyboard, hands and feet."""
    heard = np.unique(notes["track"]).tolist()
    alike = [
        place
        for place, track in enumerate(score.tracks[i] for i in heard)
        if not track.is_drum and track.program == score.tracks[index].program
    ]
    return len(alike) in (2, 3) and index in heard and alike[-1] - alike[0] == len(alike) - 1


def _left(onsets: Ticks, notes: NoteArray, program: int, hand: bool) -> NDArray[np.bool_]:
    """Which notes stand on a lower staff; none where one staff is enough."""
    none = np.zeros(len(notes), dtype=np.bool_)
    low, high = np.quantile(notes["pitch"], (0.02, 0.98) if not hand else (0.15, 0.85))
    if not (low < 53 and high > 64 if program in KEYBOARDS and not hand else low < 48 and high > 72):
        return none
    begins, first = np.unique(onsets, return_index=True)
    groups = np.split(np.arange(len(notes)), first[1:])
    groups = [group[np.argsort(notes["pitch"][group], kind="stable")] for group in groups]
    chords = [tuple(notes["pitch"][group].tolist()) for group in groups]
    gaps = (np.diff(begins, prepend=begins[0]) / UNITS).tolist()
    for group, count in zip(groups, hands.split(chords, gaps), strict=True):
        none[group[:count]] = True
    return none if 0 < none.sum() < len(none) else np.zeros(len(notes), dtype=np.bool_)


def _once(tones: Sequence[Tone]) -> list[Tone]:
    """Tones of a staff, of those of one pitch that begin together the longest."""
    longest = {(tone.pitch, tone.start): tone for tone in sorted(tones)}
    return list(longest.values())
