"""What has happened in a piece so far, event by event: where it stands, what sounds, and what is hidden."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from partimento.codecs.cells.asking import aspects
from partimento.codecs.cells.clock import Clock
from partimento.codecs.cells.fields import (
    ANSWER,
    ASKED,
    BAR,
    CELL,
    DOWN,
    END,
    FILL,
    HIDDEN,
    NOTE,
    TEMPO,
    UP,
    Ids,
    durations,
    is_tempo,
    onsets,
    values,
)

NOTHING_ASKED = (-1,) * 5


@dataclass(frozen=True, eq=False)
class Gap:
    """A hidden cell.

    Attributes:
        mark: (6,) ids of the event that stands there.
        clock: its bar.
        until: (128,) step at which each pitch of its track, struck before, falls silent.
        pressed: whether the pedal is down.
        asked: (6,) ids of the event that says what the cell is to be; None if nothing is asked.
    """

    mark: Ids
    clock: Clock
    until: Ids
    pressed: bool
    asked: Ids | None = None


class State:
    """A piece so far.

    Attributes:
        clock: the bar.
        track: the one that is being written; -1 before a bar's first.
        program: of each track that there is.
        last: time within the bar (-1 before the first), kind and pitch (-1 where it has none) of the last event.
        until: step at which each pitch of each track falls silent, (128,) by track.
        heard_pitches: by track the lowest and the highest pitch that it has had.
        pressed: by track whether its pedal is down.
        sound_end: step at which the last note ends; where a cell is filled, of those struck in its bar or before.
        heard: seconds at which it does.
        sounded: notes ever.
        bars: bars since `begin`.
        notes: notes since `begin`.
        onset_in_bar: whether a note was struck in this bar since `begin`.
        struck_now: how many notes the present track has struck at the time of its last one.
        struck_in_cell: how many were struck in this cell, or in this answer.
        most_at_once: how many notes of its track have sounded at once when one of this cell was struck.
        struck: steps at which bars begin in which a note was struck.
        ending: the step at which the piece's last bar begins, where it was told to be the last; else -1.
        filling: whether cells are hidden.
        pedalled: tracks whose pedal was ever down.
        gaps: those cells.
        answered: how many of them have been answered, or are being.
        asked: of the cell that is being written, in the order of `asking.ASPECTS`; -1 for nothing.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.track = -1
        self.program: dict[int, int] = {}
        self.last: tuple[int, int, int] = (-1, -1, -1)
        self.until: dict[int, NDArray[np.int64]] = {}
        self.heard_pitches: dict[int, tuple[int, int]] = {}
        self.pressed: dict[int, bool] = {}
        self.sound_end, self.heard, self.sounded = 0, 0.0, 0
        self.struck: set[int] = set()
        self.struck_now = 0
        self.struck_in_cell = 0
        self.most_at_once = 0
        self.ending = -1
        self.filling = False
        self.pedalled: set[int] = set()
        self.gaps: list[Gap] = []
        self.answered = 0
        self.asked: tuple[int, ...] = NOTHING_ASKED
        self._filled: dict[int, NDArray[np.int64]] = {}  # as `until`, of what was written into gaps
        self._ends: dict[int, int] = {}  # by the step at which a bar begins: where the last of its notes ends
        self._before: dict[int, bool] = {}  # by track whether the pedal was down before its last gap
        self.begin()

    def begin(self) -> None:
        """Count bars and notes from here."""
        self.bars = self.notes = 0
        self.onset_in_bar = False

    @property
    def gap(self) -> Gap | None:
        """The hidden cell that is to be answered next."""
        return self.gaps[self.answered] if self.answered < len(self.gaps) else None

    def happen(self, kind: int, event: Ids) -> None:
        """Take note of an event (6,) that makes sense."""
        _, first, second, third, *_ = (int(value) for value in values(event))
        at = int(onsets(event))
        if kind == BAR:
            self._enter_bar(first, second if is_tempo(event[2]) else -1)
        elif kind == TEMPO:
            self.clock = self.clock.changed(at, second)
            self.last = (at, kind, -1)
            self._ring_on()
        elif kind == CELL:
            self._enter_track(kind, first, second)
        elif kind == NOTE:
            self._sound(at, second, int(durations(event)))
        elif kind in (DOWN, UP):
            self.pressed[max(self.track, 0)] = kind == DOWN
            self.pedalled.add(max(self.track, 0))
            self.last = (at, kind, -1)
        elif kind == FILL:
            self.filling = True
        elif kind == HIDDEN:
            until = self.until.get(first, np.zeros(128, dtype=np.int64)).copy()
            self.gaps.append(Gap(event, self.clock, until, self.pressed.get(first, False)))
            self._enter_track(kind, first, second)
        elif kind == ANSWER:
            self._answer(first, third)
            self._enter_track(kind, first, second)
        elif kind == ASKED:
            self._ask(event)
        elif kind == END:
            self.ending = self.clock.bar

    def _enter_bar(self, metre: int, tempo: int) -> None:
        self.clock = self.clock.entered(metre, tempo)
        self._ring_on()
        self.track, self.last = -1, (-1, BAR, -1)
        self.bars += 1
        self.onset_in_bar = False

    def _ring_on(self) -> None:
        """What rings on does so at the new tempo."""
        if self.sound_end > self.clock.bar:
            self.heard = self.clock.at(self.sound_end - self.clock.bar)

    def _enter_track(self, kind: int, track: int, program: int) -> None:
        self.track, self.last = track, (-1, kind, -1)
        self.program[track] = program
        self.struck_in_cell = self.most_at_once = 0

    def _answer(self, track: int, label: int) -> None:
        """Go back to where the cell of that label is hidden."""
        self.answered += 1
        self.asked = NOTHING_ASKED
        for gap in self.gaps:
            if int(values(gap.mark[3])) == label:
                self.clock = gap.clock
                self.sound_end = max((end for bar, end in self._ends.items() if bar <= self.clock.bar), default=0)
                self.until[track] = np.maximum(gap.until, self._filled.get(track, 0))
                if gap.pressed != self._before.get(track, gap.pressed) or track not in self._before:
                    self.pressed[track] = gap.pressed  # else it is as the last answer of this track left it
                self._before[track] = gap.pressed

    def _ask(self, event: Ids) -> None:
        """Of the cell that has just been hidden, or of the one that is about to be written."""
        if self.last[1] == HIDDEN:
            self.gaps[-1] = replace(self.gaps[-1], asked=event)
        elif self.last[1] == ANSWER:
            self.asked = aspects(event)
            self.last = (-1, ASKED, -1)

    def _sound(self, at: int, pitch: int, lasts: int) -> None:
        track = max(self.track, 0)
        end = self.clock.bar + at + lasts
        low, high = self.heard_pitches.get(track, (pitch, pitch))
        self.heard_pitches[track] = min(low, pitch), max(high, pitch)
        for until in (self.until, self._filled) if self.answered else (self.until,):
            until.setdefault(track, np.zeros(128, dtype=np.int64))[pitch] = end
        if end >= self.sound_end:
            self.sound_end, self.heard = end, self.clock.at(at + lasts)
        self._ends[self.clock.bar] = max(self._ends.get(self.clock.bar, 0), end)
        self.struck_now = self.struck_now + 1 if self.last[:2] == (at, NOTE) else 1
        self.last = (at, NOTE, pitch)
        self.sounded += 1
        self.notes += 1
        self.onset_in_bar = True
        self.struck_in_cell += 1
        self.most_at_once = max(self.most_at_once, int((self.until[track] > self.clock.bar + at).sum()))
        self.struck.add(self.clock.bar)
