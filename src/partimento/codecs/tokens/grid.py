"""Music on the grid of the tokens: every value is one that a token exists for.

MidiTok (Fradet et al. 2021) has a preprocessing of its own, but a second pass of it may move what the first has
placed: its ticks a quarter note depend on the metres that occur, and it delays a metre that changes within a bar, so
that all later bars begin off the beat. Here music is placed once, so that placing it again changes nothing:

* bars follow the time signatures of the score as `metres` has them;
* onsets go to the nearest of `steps_per_beat` positions of a beat, durations to the nearest length in the table. A beat
  is what the metre's lower number says;
* tracks of one instrument are one, and what one instrument plays twice at once is played once;
* a note ends where the same pitch of the same instrument is struck anew: MIDI cannot tell the two apart;
* tempi go to the nearest level, and only a change is kept.

What comes after the last onset is left out: metres, tempi and empty bars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partimento.instruments import DRUMS as DRUMS
from partimento.levels import nearest
from partimento.metres import Change, Metre, changes
from partimento.score import NoteArray, Score, Tempo, TimeSignature, Track, note_array, note_list, tempo_changes

DENSE_BEATS, LONGEST_BEATS = 4, 16  # durations: each step up to 4 beats, then halves of a beat (or beats) up to 16


@dataclass(frozen=True)
class Grid:
    """The values that tokens exist for, in ticks of `ticks_per_quarter`.

    Attributes:
        steps: positions of a beat.
        velocities: (levels,) ascending.
        tempi: (levels,) quarter notes a minute, ascending.
    """

    steps: int
    velocities: NDArray[np.int64]
    tempi: NDArray[np.float64]

    @property
    def ticks_per_quarter(self) -> int:
        """The coarsest ticks in which a position of every metre is a whole number."""
        return 4 * self.steps

    @property
    def coarse_steps(self) -> int:
        """Durations of a beat where notes are long."""
        return 2 if self.steps % 2 == 0 else 1

    def ticks_per_step(self, metre: Metre) -> int:
        """From one position to the next."""
        return 16 // metre.denominator

    def bar_ticks(self, metre: Metre) -> int:
        """A bar's length."""
        return metre.bar(self.ticks_per_quarter)

    def durations(self, metre: Metre) -> NDArray[np.int64]:
        """(lengths,) ticks, ascending."""
        dense = np.arange(1, DENSE_BEATS * self.steps)
        stride = self.steps // self.coarse_steps
        coarse = np.arange(DENSE_BEATS * self.steps, LONGEST_BEATS * self.steps + 1, stride)
        return np.concatenate([dense, coarse]).astype(np.int64) * self.ticks_per_step(metre)

    def place(self, score: Score) -> Placed:
        """The score on this grid."""
        notes = note_array(score)
        scale = self.ticks_per_quarter / score.ticks_per_quarter
        sections = changes(score, self.ticks_per_quarter)
        onsets = self._nearest_step(notes["onset"] * scale, sections)
        notes = self._placed_notes(notes, onsets, scale, sections)
        last = int(notes["onset"][-1]) if len(notes) else 0
        sections = [c for c in sections if c.tick <= last]
        return Placed(self, notes, sections, self._tempi(score, scale, sections, last))

    def _nearest_step(self, ticks: NDArray[np.float64], changes: list[Change]) -> NDArray[np.int64]:
        """Each time at the nearest position of the bar it lies in, or at the next bar."""
        starts = np.array([c.tick for c in changes], dtype=np.int64)
        strides = np.array([self.ticks_per_step(c.metre) for c in changes], dtype=np.int64)
        section = np.clip(np.searchsorted(starts, ticks, side="right") - 1, 0, None)
        since = np.floor((np.maximum(ticks, 0) - starts[section]) / strides[section] + 0.5).astype(np.int64)
        placed: NDArray[np.int64] = starts[section] + since * strides[section]
        return placed

    def _placed_notes(
        self, notes: NoteArray, onsets: NDArray[np.int64], scale: float, changes: list[Change]
    ) -> NoteArray:
        raw = notes["duration"] * scale
        notes = notes.copy()
        notes["onset"] = onsets
        order = np.lexsort((raw, notes["onset"], notes["pitch"], notes["program"]))
        notes, raw = notes[order], raw[order]
        same_voice = (np.diff(notes["program"]) == 0) & (np.diff(notes["pitch"]) == 0)
        once = np.append(~(same_voice & (np.diff(notes["onset"]) == 0)), True)[: len(notes)]
        notes, raw = notes[once], raw[once]
        same_voice = (np.diff(notes["program"]) == 0) & (np.diff(notes["pitch"]) == 0)
        until_next = np.append(
            np.where(same_voice, np.diff(notes["onset"]), np.iinfo(np.int32).max), np.iinfo(np.int32).max
        )

        starts = [c.tick for c in changes]
        section = np.searchsorted(starts, notes["onset"], side="right") - 1
        denominators = np.array([c.metre.denominator for c in changes])[section]
        for denominator in np.unique(denominators):
            here = np.flatnonzero(denominators == denominator)
            table = self.durations(Metre(1, int(denominator)))
            wanted = nearest(table, raw[here])
            fitting = np.searchsorted(table, until_next[here], side="right") - 1
            notes["duration"][here] = table[np.minimum(wanted, fitting)]
        notes["velocity"] = self.velocities[nearest(self.velocities, notes["velocity"])]
        return notes[np.lexsort((notes["pitch"], instruments(notes), notes["onset"]))]

    def _tempi(self, score: Score, scale: float, changes: list[Change], last: int) -> list[tuple[int, float]]:
        """Ticks and levels, the first at 0."""
        levels = np.log(self.tempi)
        named = tempo_changes(score)
        ticks = self._nearest_step(np.array(list(named), dtype=np.float64) * scale, changes)
        told = self.tempi[nearest(levels, np.log(np.clip(list(named.values()), 1e-3, 1e6)))]
        at = {int(tick): float(qpm) for tick, qpm in zip(ticks, told, strict=True) if tick <= last}
        times = sorted(at)
        return [(t, at[t]) for i, t in enumerate(times) if i == 0 or at[t] != at[times[i - 1]]]


@dataclass(frozen=True)
class Placed:
    """Music of which every value is on the grid.

    Attributes:
        grid: the grid.
        notes: sorted by onset, instrument (by program, drums last), pitch.
        changes: metres.
        tempi: ticks and quarter notes a minute.
    """

    grid: Grid
    notes: NoteArray
    changes: list[Change]
    tempi: list[tuple[int, float]]

    def score(self) -> Score:
        """The same as a score, one track for each instrument, by program, drums last."""
        score = Score(self.grid.ticks_per_quarter)
        for tick, metre in self.changes:
            score.time_signatures.append(TimeSignature(tick, *metre))
        for tick, qpm in self.tempi:
            score.tempos.append(Tempo(tick, qpm))
        place = instruments(self.notes)
        for instrument in np.unique(place):
            part = self.notes[place == instrument]
            drums = bool(instrument == DRUMS)
            track = Track("", 0 if drums else int(instrument), drums)
            track.notes = note_list(part["onset"], part["duration"], part["pitch"], part["velocity"])
            score.tracks.append(track)
        return score


def instruments(notes: NoteArray) -> NDArray[np.int64]:
    """(N,) the program of each note, `DRUMS` for drums."""
    return np.where(notes["program"] < 0, DRUMS, notes["program"]).astype(np.int64)
