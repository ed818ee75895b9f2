"""What a track may strike, and when: pitches of its own that are silent, and what is asked of the cell.

A pitch is not struck again while it sounds, none is outside of the key, and no more come at once than the instrument
usually strikes. What is asked decides the lowest and the highest pitch, how many notes sound at once, the pitch classes
on the strong beats of the bar, and how many notes there are in all, spread over the bar.

As many notes as are asked sound at once somewhere in the bar: up to its middle the model is free, from there on what
is struck joins what sounds until there are so many, as far as there are pitches, and the density lets.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from partimento.codecs.cells.asking import CHORD, DENSITY, HIGHEST, LOWEST, POLYPHONY, counts
from partimento.codecs.cells.fields import DRUMS, NOTE, STEPS, Mask, vocabulary
from partimento.codecs.cells.state import State
from partimento.harmony import classes
from partimento.metres import METRES
from partimento.score import NEVER

AHEAD, BEHIND = 4, STEPS  # notes that may come before their time, and steps that one may come after it
PITCHES = np.arange(128)


class Striking:
    """The pitches that tracks may strike.

    Args:
        state: the piece so far; read anew at each question.
        allowed: (V,) ids that may come at all; likewise.
        in_key: (128,) the pitches that are in the key; drums have none.
        at_once: (129,) how many notes each program strikes at once at most.
        ranges: (129, 2) the lowest and the highest pitch that each program plays.
    """

    def __init__(
        self, state: State, allowed: Mask, in_key: Mask, at_once: NDArray[np.int64], ranges: NDArray[np.int64]
    ) -> None:
        self._state = state
        self._allowed = allowed
        self._in_key = in_key
        self._at_once = at_once
        self._ranges = ranges

    def own(self, track: int) -> Mask:
        """(128,) the pitches that a track may have, in the key and in the range that are asked for, or else its own."""
        program = self._state.program.get(track, 0)
        span = vocabulary()["drum" if program == DRUMS else "pitch"]
        found: Mask = self._allowed[span.start : span.stop]
        if program == DRUMS:
            return found
        found = found & self._in_key
        low, high = self._state.asked[LOWEST], self._state.asked[HIGHEST]
        if low >= 0 or high >= 0:
            return found & (low <= PITCHES) & ((high if high >= 0 else 127) >= PITCHES)
        (low, high), heard = self._ranges[program], self._state.heard_pitches.get(track, (127, 0))
        usual = found & (min(low, heard[0]) <= PITCHES) & (max(high, heard[1]) >= PITCHES)
        return usual if usual.any() else found

    def pitches(self, at: int, first: int = 0) -> Mask:
        """(128,) the pitches that the present track may strike at a step of this bar, from one on."""
        found = self.own(self._state.track).copy()
        found[:first] = False
        asked, until = self._state.asked, self._state.until.get(self._state.track)
        if until is not None:
            silent = until <= self._state.clock.bar + at
            found &= silent & (asked[POLYPHONY] < 0 or int((~silent).sum()) <= asked[POLYPHONY])
        if asked[CHORD] >= 0 and at in self._strong():
            found &= np.resize(classes(asked[CHORD]), 128)
        return self._with_room_above(found, at) if self._must_join(at) else found

    def times(self) -> Mask:
        """(steps of the bar,) where the present track may strike something after all that it has."""
        state, steps = self._state, np.arange(self._state.clock.steps)
        at, kind, pitch = state.last
        times: Mask = steps >= (at + 1 if kind == NOTE else max(at, 0))
        more = state.struck_now < self._at_once[state.program.get(state.track, 0)]
        if kind == NOTE and at < len(steps) and more and self.pitches(at, pitch + 1).any():
            times[at] = True
        return times & (state.clock.bar + steps >= self._silent(state.track))

    def wants_more(self) -> bool:
        """Whether the density or the polyphony that is asked of the present cell wants more notes than it has."""
        density = self._state.asked[DENSITY]
        dense = density >= 0 and self._state.struck_in_cell < counts(density, self._state.clock.steps)[0]
        return dense or (self._state.struck_in_cell > 0 and self._too_thin())

    def joining(self, times: Mask) -> Mask:
        """Of the steps of the bar at which something may be struck, those that the polyphony asked lets it be at."""
        steps, at = np.arange(len(times)), self._state.last[0]
        if not self._state.struck_in_cell or not self._must_join(at):
            return times
        joined: Mask = times & (steps < self._sounding(at).min(initial=NEVER) - self._state.clock.bar)
        return joined if joined.any() else times

    def _too_thin(self) -> bool:
        """Whether more notes of the present cell are to sound at once than have so far."""
        return self._state.most_at_once <= self._state.asked[POLYPHONY]

    def _must_join(self, at: int) -> bool:
        """Whether what is struck at a step is to join what sounds; a single note is no more than itself."""
        return self._state.asked[POLYPHONY] > 0 and at >= self._state.clock.steps // 2 and self._too_thin()

    def _sounding(self, at: int) -> NDArray[np.int64]:
        """The steps of the piece at which the notes of the present track end that sound at a step of this bar."""
        until = self._state.until.get(self._state.track, np.zeros(128, dtype=np.int64))
        return until[until > self._state.clock.bar + at]

    def _with_room_above(self, found: Mask, at: int) -> Mask:
        """Of pitches those that leave as many above them as are yet to be struck with them; all where none does."""
        state = self._state
        struck = state.struck_now if state.last[:2] == (at, NOTE) else 0
        most = int(self._at_once[state.program.get(state.track, 0)])
        more = min(state.asked[POLYPHONY] - len(self._sounding(at)), most - struck - 1)
        above = int(found.sum()) - np.cumsum(found)
        roomy: Mask = found & (above >= more)
        return roomy if roomy.any() else found

    def dense_times(self) -> Mask:
        """(steps of the bar,) where the density that is asked lets the next note be: neither ahead of it nor behind.

        A chord may come ahead; a quarter note behind it may be, as long as there is a step for each that is missing.
        """
        length, had = self._state.clock.steps, self._state.struck_in_cell
        steps = np.arange(length)
        most = counts(self._state.asked[DENSITY], length)[1]
        if had >= most:
            return steps < 0
        return (steps >= (had - AHEAD) * length / most) & (steps <= self._due(had))

    def _due(self, had: int) -> int:
        """The last step of the bar at which the next note may come, after so many, for the density that is asked."""
        length = self._state.clock.steps
        least = counts(self._state.asked[DENSITY], length)[0]
        return int(min((had + 1) * length / least + BEHIND, length - max(least - had, 1)))

    def room(self, at: int, pitch: int) -> int:
        """Steps that a note may last which is struck now, for the notes to come that the density asked wants.

        Where it rings on when the next note is due, that may find no pitch that is silent, or too many that sound.
        """
        state, asked = self._state, self._state.asked
        had, length = state.struck_in_cell + 1, state.clock.steps
        due = self._due(had) if had < counts(asked[DENSITY], length)[0] else length  # then the next bar's first
        until = state.until.get(state.track, np.zeros(128, dtype=np.int64)).copy()
        until[pitch] = NEVER
        silent = until <= state.clock.bar + due
        crowded = asked[POLYPHONY] >= 0 and int((~silent).sum()) > asked[POLYPHONY]
        return max(due - at, 1) if crowded or not (self.own(state.track) & silent).any() else NEVER

    def asked_times(self, times: Mask) -> Mask:
        """Of steps of the bar those where what is asked lets the present track strike; up to its last event, anywhere.

        Where none is before the next note is due, as where one rings on that sounds alone, the first one after it is.
        """
        state, asked = self._state, self._state.asked
        steps, after = np.arange(state.clock.steps), state.last[0]
        times = times.copy()
        if asked[POLYPHONY] >= 0 and (until := state.until.get(state.track)) is not None:
            sounding = (until > state.clock.bar + steps[:, None]).sum(axis=1)
            times &= (sounding <= asked[POLYPHONY]) | (steps <= after)
        if asked[CHORD] >= 0:
            for step in self._strong():
                times[step] &= step <= after or bool(self.pitches(step).any())
        if asked[DENSITY] >= 0:
            dense = times & self.dense_times()
            if not dense.any() and state.struck_in_cell < counts(asked[DENSITY], len(steps))[0]:
                dense = steps == np.flatnonzero(times).min(initial=NEVER)
            times = dense
        return times

    def free(self, tracks: Mask) -> Mask:
        """Of tracks (TRACKS,) those that have a pitch to strike in this bar."""
        free = tracks.copy()
        for track in self._state.until:
            free[track] = self._silent(track) < self._state.clock.next
        return free

    def _silent(self, track: int) -> int:
        """The first step, of the piece, at which a pitch of a track is silent."""
        own, until = self.own(track), self._state.until.get(track)
        if not own.any():
            return NEVER
        return 0 if until is None else int(until[own].min())

    def _strong(self) -> tuple[int, ...]:
        """The steps of this bar's strong beats."""
        return METRES[self._state.clock.metre].strong_beats(STEPS)
