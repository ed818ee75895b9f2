"""The grammar of events: what may come next, decided by all that came before.

What is sampled under its masks is in the normal form that `write` gives: bars one after the other, in each its tracks
by number, in each of these what happens by time, notes of one time by pitch. A track keeps its program and plays from
where to where such a program plays in the learnt music (or the track itself, in a prompt). A pitch is not struck again
while it sounds, and no more notes are struck at once than such a program usually strikes: a model that has drawn one
too many has never heard what comes then, and goes on up to the last pitch that there is.

Lengths. Bars are counted by bar events after `begin`: the bar in which a prompt ends is the prompt's. The last bar
holds an onset, and no note rings on after it. Notes are counted as they are completed. Seconds count from the end of
the prompt's sound; the piece ends where they have no room for another whole bar, since a model that is stopped in a bar
crowds what it has to say into what is left. Where nothing would come else, a bar is cut short.

Filling. After a prompt that begins with `fill` come the answers to its hidden cells, one after the other, and the end;
no length counts then. A cell may stay silent, but not all of them, nor all of a bar with which the piece is to end, nor
all of one that would make a silence too long for its guard.
What is asked of a cell is told again after its answer, and of it these are rules: its density, its lowest and highest
pitch, how many of its track's notes sound at once, no more and somewhere in the bar so many, and on the strong beats of
its bar the tones of the chord; the chord elsewhere is left to the model.

A piece begins with a tempo that a learnt piece begins with: one that is slowed down to is none to begin with.
How seldom metre and tempo change after that is said, and no rule (`seldom`).

Guards. "silence": a bar is not left, and its first note is not so late, that more than `Request.longest_silence`
quarter notes pass without a sound; counted once for each gap. "stuck note": no duration over `Request.longest_note`;
counted for each note that lasts as long as that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from partimento.codec import Request
from partimento.codecs.cells.asking import DENSITY, POLYPHONY
from partimento.codecs.cells.busyness import ANY, Busyness, Filling
from partimento.codecs.cells.changing import Changes
from partimento.codecs.cells.clock import LENGTHS, paces
from partimento.codecs.cells.fields import (
    ANSWER,
    ASKED,
    BAR,
    CELL,
    DOWN,
    DRUMS,
    FIELDS,
    FIELDS_OF,
    LONGEST,
    NOTE,
    STEPS,
    TEMPI,
    TEMPO,
    TRACKS,
    UP,
    Mask,
    durations,
    events_of,
    kinds,
    may_stand,
    onsets,
    quarters,
    values,
    vocabulary,
)
from partimento.codecs.cells.state import State
from partimento.codecs.cells.striking import Striking
from partimento.errors import ImpossibleRequest
from partimento.keys import pitches_in

SHORTEST = STEPS // 4  # steps that the seconds asked for must have room for


class Cells:
    """Well-formed events; see the module's docstring.

    Args:
        used: (V,) ids that may be sampled; others may come in prompts.
        programs: (TRACKS, 129) the programs that each track may have.
        at_once: (129,) how many notes each program strikes at once at most.
        ranges: (129, 2) the lowest and the highest pitch that each program plays.
        in_every_bar: whether each bar names its tempo; else those do in which it changes.
        first_tempi: (TEMPI,) those that the first bar may name, where the seconds have room for one of them; all if
            None.
        busy: how many notes a quarter note pieces have, from the least to the most that is usual.
        changes: how seldom metre and tempo change.
    """

    keeps_key: ClassVar[bool] = True

    def __init__(
        self,
        used: Mask,
        programs: Mask,
        at_once: NDArray[np.int64],
        ranges: NDArray[np.int64],
        *,
        in_every_bar: bool = True,
        first_tempi: Mask | None = None,
        busy: tuple[float, float] = ANY,
        changes: Changes | None = None,
    ) -> None:
        self._ids = vocabulary()
        self._in_every_bar, self._busy, self._changes = in_every_bar, busy, changes or Changes()
        self._first_tempi = np.ones(TEMPI, dtype=np.bool_) if first_tempi is None else first_tempi
        self._learnt, self._programs, self._at_once, self._ranges = used, programs, at_once, ranges
        self.acted: Counter[str] = Counter()
        self.start(Request())

    # ---- the protocol

    def start(self, request: Request) -> None:
        """Begin a new piece.

        Raises:
            ImpossibleRequest: the seconds asked for are too few for a single note, or no pitch is in the key.
        """
        span = self._ids["tempo"]
        quickest = paces()[self._learnt[span.start : span.stop]].min(initial=np.inf)
        if request.seconds is not None and request.seconds < SHORTEST * quickest:
            raise ImpossibleRequest(f"{request.seconds} seconds are too few for a note; ask for more.")
        in_key = pitches_in(request.key, self._learnt[self._span("pitch")])
        self._request = request
        self._silence = request.longest_silence * STEPS
        self._longest_note = max(int(request.longest_note * STEPS), 1)
        self._bound_by_guard = False  # whether a longer note would else have been allowed
        self.acted = Counter()
        self._allowed = self._learnt.copy()  # a prompt adds its own
        self._group: list[int] = []
        self._over = False
        self._state, self._busyness, self._filling = State(), Busyness(self._busy), Filling({})
        self._striking = Striking(self._state, self._allowed, in_key, self._at_once, self._ranges)
        self._told_after = -1  # notes after which a silence was told
        self.begin()

    def expect(self, busy: Mapping[int, tuple[float, float]]) -> None:
        """Of hidden cells so many notes a quarter note are expected, by track from the least to the most.

        Where a density is asked of a cell, that is what it has.
        """
        self._filling = Filling(busy)

    def begin(self) -> None:
        """The prompt is over: bars, seconds and notes count from the next id on."""
        self._state.begin()
        self._from, self._prompt_ends = self._state.heard, self._state.sound_end
        self._over = False
        self._mask: Mask | None = None
        self._beyond: NDArray[np.int64] | None = None

    def advance(self, id: int) -> None:
        """Take note of the next id, as `decode` would: an event that makes no sense is passed over."""
        if not 0 <= id < self._ids.size:
            id = self._ids.first("pad")
        self._mask = self._beyond = None
        if id == self._ids.first("eos") and not self._group:
            self._over = True
            return
        self._group.append(id)
        if not may_stand(self._group[0], len(self._group) - 1, id):
            self._group[0] = self._ids.first("pad")  # whatever follows, the event will make no sense
        if len(self._group) == FIELDS:
            kind, events = events_of(np.array(self._group))
            self._group = []
            if len(kind):
                if kind[0] != ASKED:  # whose pitches are not to be sung
                    self._allowed[events[0]] = True
                self._state.happen(int(kind[0]), events[0])
                if kind[0] in (BAR, TEMPO) and self._prompt_ends > self._state.clock.bar:  # the prompt rings on
                    self._from = min(self._from, self._state.clock.at(self._prompt_ends - self._state.clock.bar))
                if kind[0] == BAR:
                    self._busyness.enter(self._state.clock.bar)
                elif kind[0] == ANSWER:
                    self._filling.answer(self._state.track, self._state.clock.steps)
                elif kind[0] == NOTE and self._state.answered:
                    self._filling.strike()
                elif kind[0] == NOTE and not self._state.filling:
                    self._busyness.strike(self._state.clock.bar + self._state.last[0])
                if kind[0] == NOTE and self._bound_by_guard and int(durations(events[0])) == self._longest_note:
                    self.acted["stuck note"] += 1

    def mask(self) -> Mask:
        """(V,) what may come next; at least one True."""
        if self._mask is None:
            self._mask = self._make_mask()
            self._mask.flags.writeable = False
        return self._mask

    def beyond(self) -> NDArray[np.int64] | None:
        """The ids that only the length asked for forbids now, where the piece may end; None if there are none."""
        self.mask()
        return self._beyond

    def busier(self) -> tuple[slice, float] | None:
        """The ids that begin notes, and how many times as busy the piece is as it began or is usual (`busyness`).

        Of hidden cells: as is expected of them.
        """
        if self._group or self._state.asked[DENSITY] >= 0:
            return None
        times = self._filling.times if self._state.filling else self._busyness.times
        return None if times is None else (self._span("note"), times)

    def seldom(self) -> list[tuple[NDArray[np.int64], float]]:
        """Ids that would change metre or tempo now, and with what probability such a change comes in learnt music."""
        state = self._state
        if state.clock.next == 0 or state.filling or (state.track >= 0 and not self._group):
            return []
        return self._changes.seldom(self._group, state.clock)

    # ---- what may come next

    def _latest(self) -> float:
        """The last step, counted from this bar's beginning, that the seconds asked for have room for."""
        if self._request.seconds is None:
            return np.inf
        return self._state.clock.latest(self._from + self._request.seconds)

    def _make_mask(self) -> Mask:
        mask = np.zeros(self._ids.size, dtype=np.bool_)
        told = self._told()
        if self._over:
            mask[self._ids.first("eos")] = True
        elif told is not None:
            mask[told[len(self._group)]] = True
        elif not self._group:
            self._allow_events(mask)
        else:
            self._allow_fields(mask)
            mask &= self._allowed  # of gaps too: their marks were in the prompt
        if not mask.any():
            self._allow_something(mask)
        return mask

    def _told(self) -> NDArray[np.int64] | None:
        """The event (6,) that has begun or begins now, where it can be no other: an answer, or what is asked of it."""
        state = self._state
        if self._group and int(kinds(np.array(self._group[0]))) == ANSWER and state.gap is not None:
            return state.gap.mark
        answers = state.last[1] == ANSWER and state.filling and state.answered <= len(state.gaps)
        return state.gaps[state.answered - 1].asked if answers else None

    def _span(self, name: str) -> slice:
        return slice(self._ids[name].start, self._ids[name].stop)

    def _allow_events(self, mask: Mask) -> None:
        """What may begin here."""
        request, ids = self._request, self._ids
        if self._state.filling and self._state.gaps:
            self._allow_answers(mask)
            return
        if request.notes is not None and self._state.notes >= request.notes:
            mask[ids.first("eos")] = True
            return
        bar = ids.first("bar")
        if self._state.clock.next == 0:
            mask[bar] = True
            return
        if self._state.track < 0:
            self._allow_times(mask, "tempo at", self._tempo_times())
        elif self._state.track in self._state.program:
            self._allow_times(mask, "note", self._note_times())
            pressed = self._state.pressed.get(self._state.track, False)
            self._allow_times(mask, "up" if pressed else "down", self._pedal_times())
        mask[ids.first("cell")] = bool(self._free_tracks().any()) and self._has_time()
        goes_on = self._may_enter_bar()
        mask[bar] = goes_on
        mask &= self._allowed
        if self._state.last[1] == CELL:  # a track is named only where it has something
            mask[[bar, ids.first("cell")]] = False
            return
        if self._may_end(goes_on) and (self._state.notes or self._state.bars == 0):
            mask[ids.first("eos")] = True
            if not goes_on and not self._has_room_for_bar():
                self._beyond = np.array([bar])

    def _allow_answers(self, mask: Mask) -> None:
        """What the cell holds that is answered now, the next answer, or the end."""
        if self._state.answered:
            notes = self._note_times()
            self._allow_times(mask, "note", notes)
            if self._state.track in self._state.pedalled:
                pressed = self._state.pressed.get(self._state.track, False)
                self._allow_times(mask, "up" if pressed else "down", self._pedal_times())
            mask &= self._allowed
            if self._must_strike() and notes.any():
                return
        if self._state.gap is not None:
            mask[self._ids.first("answer")] = True
        elif self._state.notes or not mask.any():
            mask[self._ids.first("eos")] = True

    def _must_strike(self) -> bool:
        """Whether the cell that is answered now may not stay silent, as it is so far."""
        state = self._state
        if self._striking.wants_more():
            return True
        if not self._sounds_last():
            return False
        silent = state.clock.next > state.sound_end + self._silence
        if silent:
            self._tell_silence()
        return silent or (state.gap is None and state.clock.bar == state.ending)

    def _sounds_last(self) -> bool:
        """Whether nothing is struck in the bar of the cell that is answered now, and no other cell of it is to come."""
        state = self._state
        return state.clock.bar not in state.struck and (state.gap is None or state.gap.clock.bar != state.clock.bar)

    def _allow_times(self, mask: Mask, name: str, steps: Mask) -> None:
        """Allow the quarters in which there is a step."""
        there = np.zeros(-(-len(steps) // STEPS) * STEPS, dtype=np.bool_)
        there[: len(steps)] = steps
        found: Mask = np.asarray(there.reshape(-1, STEPS).any(axis=1))
        span = self._span(name)
        mask[span.start : span.start + len(found)] = found

    def _steps(self) -> NDArray[np.int64]:
        return np.arange(self._state.clock.steps)

    def _tempo_times(self) -> Mask:
        """(steps of the bar,) where the tempo may change: not at the beginning, nor where seconds are counted."""
        steps = self._steps()
        return steps > (max(self._state.last[0], 0) if self._request.seconds is None else len(steps))

    def _pedal_times(self) -> Mask:
        """(steps of the bar,) where the pedal may turn: later than all else, or down where it has just gone up."""
        steps = self._steps()
        at, kind, _ = self._state.last
        times = (steps >= (at if kind == UP else at + 1)) & (steps <= self._latest())
        if self._state.filling and self._must_strike():
            times &= steps <= np.flatnonzero(self._note_times()).max(initial=-1)
        return times

    def _note_times(self) -> Mask:
        """(steps of the bar,) where this track may strike a note."""
        steps = self._steps()
        times = self._striking.times() & (steps + 1 <= self._latest())
        audible = times
        if self._sounds_last() if self._state.filling else not self._state.onset_in_bar:
            audible = times & (self._state.clock.bar + steps <= self._state.sound_end + self._silence)
        if not audible.any():
            audible = times
        if (times & ~audible).any() and not self._state.filling:
            self._tell_silence()
        asked = self._striking.asked_times(audible)
        if not asked.any() and audible is not times:
            asked = self._striking.asked_times(times)
        return self._striking.joining(asked)

    def _free_tracks(self) -> Mask:
        """(TRACKS,) those that this bar may still have, and that have a pitch to strike in it."""
        known: Mask = np.asarray(self._programs.any(axis=1))
        known[list(self._state.program)] = True
        return (np.arange(TRACKS) > self._state.track) & self._striking.free(known) & self._allowed[self._span("track")]

    def _has_time(self) -> bool:
        return self._latest() >= 1

    def _has_room_for_bar(self) -> bool:
        """Whether the length asked for has room for another bar: a whole one, once anything has come."""
        request, clock = self._request, self._state.clock
        if request.bars is not None:
            return self._state.bars < request.bars
        return self._latest() >= clock.steps + (LENGTHS[clock.metre] if self._state.notes else 1)

    def _may_enter_bar(self) -> bool:
        if not self._has_room_for_bar():
            return False
        if self._state.clock.next > self._state.sound_end + self._silence and self._can_sound():
            self._tell_silence()
            return False
        return True

    def _can_sound(self) -> bool:
        """Whether something may still be struck in this bar."""
        if self._state.onset_in_bar:
            return False
        here = self._state.track in self._state.program and bool(self._note_times().any())
        return here or (bool(self._free_tracks().any()) and self._has_time())

    def _tell_silence(self) -> None:
        if self._told_after != self._state.sounded:
            self.acted["silence"] += 1
            self._told_after = self._state.sounded

    def _may_end(self, goes_on: bool) -> bool:
        request = self._request
        if request.notes is not None:
            return False
        if request.bars is not None:
            return self._state.bars >= request.bars and self._state.onset_in_bar
        return request.seconds is None or not goes_on

    def _allow_fields(self, mask: Mask) -> None:
        """What may stand in the next field of the event that has begun."""
        group, ids = self._group, self._ids
        kind, field = int(kinds(np.array(group[0]))), len(group)
        if kind < 0:
            mask[ids.first("none")] = True
            return
        for name in FIELDS_OF[kind][field - 1]:
            mask[self._span(name)] = True
        quarter = int(quarters(np.array(group[0])))
        if field == 1 and kind in (TEMPO, DOWN, UP, NOTE):
            times = {TEMPO: self._tempo_times, NOTE: self._note_times}.get(kind, self._pedal_times)()
            steps = times[quarter * STEPS : (quarter + 1) * STEPS]
            mask[self._span("step")] = np.append(steps, np.zeros(STEPS - len(steps), dtype=np.bool_))
        elif kind == BAR:
            self._allow_bar(mask, field)
        elif kind == TEMPO and field == 2 and self._state.clock.level >= 0:
            mask[ids.first("tempo") + self._state.clock.level] = False
        elif kind == CELL and field <= 2:
            self._allow_cell(mask, field)
        elif kind == NOTE and field == 2:
            at = quarter * STEPS + int(values(np.array(group[1])))
            first = self._state.last[2] + 1 if self._state.last[:2] == (at, NOTE) else 0
            drums = self._state.program.get(self._state.track) == DRUMS
            mask[self._span("drum" if drums else "pitch")] = self._striking.pitches(at, first)
            mask[self._span("pitch" if drums else "drum")] = False
        elif kind == NOTE and field > 2:
            self._allow_durations(mask, field)

    def _allow_bar(self, mask: Mask, field: int) -> None:
        """Metres in which no note rings on after the last bar, and tempi at which all that sounds still fits."""
        request, ids = self._request, self._ids
        rings = self._state.sound_end - self._state.clock.next
        if field == 1 and request.bars is not None:
            mask[self._span("metre")] &= LENGTHS * max(request.bars - self._state.bars, 1) >= rings
            if self._state.clock.next > 0:
                mask[ids.first("metre") + self._state.clock.metre] = True
        if field == 2 and (self._in_every_bar or self._state.clock.next == 0):
            mask[ids.first("none")] = False
        elif field == 2 and self._state.clock.level >= 0:
            mask[ids.first("tempo") + self._state.clock.level] = False
        if request.seconds is not None and field <= 2:
            self._allow_fitting_bar(mask, field, rings)
        if field == 2 and self._state.clock.next == 0:
            usual = mask[self._span("tempo")] & self._first_tempi
            if usual.any():
                mask[self._span("tempo")] = usual

    def _allow_fitting_bar(self, mask: Mask, field: int, rings: int) -> None:
        """Metres, or tempi, with which the bar fits into what is left of the seconds; a part of it where none does."""
        clock = self._state.clock
        left = self._from + (self._request.seconds or 0.0) - clock.at(clock.steps) + 1e-6
        if field == 1:
            known = self._allowed[self._span("tempo")]
            first = known & self._first_tempi
            pace = paces()[first if first.any() else known].min(initial=np.inf) if clock.next == 0 else clock.pace
            span, fits = self._span("metre"), LENGTHS * pace <= left
        else:
            length = int(LENGTHS[int(values(np.array(self._group[1])))])
            stays = (paces() <= clock.pace) & (clock.next > 0)  # and all quicker ones: what fits now fits then
            span, fits = self._span("tempo"), (paces() * max(rings, length) <= left) | stays
            if not (mask[span] & fits & self._allowed[span]).any():
                fits = (paces() * max(rings, SHORTEST) <= left) | stays
        if (mask[span] & fits & self._allowed[span]).any() or field == 2:
            mask[span] &= fits

    def _allow_cell(self, mask: Mask, field: int) -> None:
        if field == 1:
            mask[self._span("track")] = self._free_tracks()
            return
        track = int(values(np.array(self._group[1])))
        span = self._span("program")
        programs = self._programs[track]
        if track in self._state.program:
            programs = np.arange(DRUMS + 1) == self._state.program[track]
        mask[span] = programs

    def _allow_durations(self, mask: Mask, field: int) -> None:
        """Durations of a step at least, that end where they must."""
        request, group = self._request, np.array(self._group)
        at = int(onsets(group))
        longest = LONGEST * STEPS - 1
        if request.bars is not None:
            more = max(request.bars - self._state.bars, 0) * int(LENGTHS[self._state.clock.metre])
            longest = min(longest, self._state.clock.steps + more - at)
        longest = int(min(longest, self._latest() - at))
        ends_next = self._state.ending == self._state.clock.next  # where something is to be struck
        if self._state.asked[POLYPHONY] >= 0 and (ends_next or not self._next_is_gap()):
            longest = min(longest, self._state.clock.steps - at)
        if self._state.asked[DENSITY] >= 0:
            longest = min(longest, self._striking.room(at, int(values(group[2]))))
        guarded = min(longest, self._longest_note)
        self._bound_by_guard = guarded < longest
        if field == 3:
            mask[self._span("quarters")] = (np.arange(LONGEST) * STEPS <= guarded) & (guarded > 0)
            return
        whole = int(values(group[3])) * STEPS
        if field == 4:
            steps = whole + np.arange(STEPS)
            mask[self._span("steps")] = (steps >= 1) & (steps <= guarded)
        elif whole + int(values(group[4])) > longest:  # begun by a prompt, and too long for what was asked for
            mask[self._span("velocity")] = False

    def _next_is_gap(self) -> bool:
        """Whether the next bar of this track is hidden too, so that it will know what rings into it."""
        state = self._state
        return any(gap.clock.bar == state.clock.next and int(values(gap.mark[1])) == state.track for gap in state.gaps)

    def _allow_something(self, mask: Mask) -> None:
        """Where the rules leave nothing, as after a prompt that breaks them: the next thing nearest to them."""
        ids = self._ids
        if not self._group:
            request = self._request
            ends = request.notes is None and (request.bars is None or self._state.bars >= request.bars)
            if self._state.last[1] == CELL:  # a track in which nothing may happen: another bar, or the end
                ends = ends and self._state.notes > 0
            mask[ids.first("eos" if ends else "bar")] = True
            return
        mask[ids.first("none")] = True  # which makes no sense, so that the event is passed over
