"""The grammar of REMI+ tokens: what may come next, decided by all that came before.

MidiTok's graph of token types (Fradet et al. 2021) looks at the last token alone, so it cannot keep positions within
the bar, end a piece after so many bars, or tell that a pitch still sounds. This grammar keeps the whole state of the
piece. What is sampled under its masks is in the normal form that `encode` gives: `encode(decode(ids)) == ids`.

Lengths. Bars are counted by Bar tokens after `begin`: the bar in which a prompt ends is the prompt's. The last bar
holds an onset and no note rings on after it. Notes are counted as they are completed. Seconds count from the prompt's
last onset, or from the end of its sound where silence follows, by the tempo in force; the piece ends when less than a
quarter note is left.

Guards. "silence": no bar or position that leaves more than `Request.longest_silence` quarter notes without a sound,
counted once for each such gap. "stuck note": no duration over `Request.longest_note`, counted once for each note.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from partimento.codec import Request
from partimento.codecs.tokens.grid import DRUMS, Grid
from partimento.errors import ImpossibleRequest
from partimento.keys import pitches_in
from partimento.metres import Metre
from partimento.score import DEFAULT_QPM

Kind = Literal[
    "PAD", "BOS", "EOS", "Bar", "TimeSig", "Position", "Tempo", "Program", "Pitch", "PitchDrum", "Velocity", "Duration"
]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """MidiTok's tokens by id.

    Attributes:
        names: such as "Pitch_60".
        kind: what each is, such as "Pitch".
        value: its place among its kind; for pitches and programs that is their number (`DRUMS` for drums).
        span: the ids of each kind, which are neighbours.
        metres: the metre of each TimeSig.
    """

    names: list[str]
    kind: list[Kind]
    value: list[int]
    span: dict[Kind, slice]
    metres: list[Metre]

    @classmethod
    def of(cls, names: list[str]) -> Vocabulary:
        """Sort out the names of a MidiTok vocabulary, in the order of their ids."""
        kind: list[Kind] = [name.split("_")[0] for name in names]  # type: ignore[misc]
        span = {k: slice(kind.index(k), len(kind) - kind[::-1].index(k)) for k in dict.fromkeys(kind)}
        value = [id - span[k].start for id, k in enumerate(kind)]
        metres = [Metre(*map(int, name.split("_")[1].split("/"))) for name in names[span["TimeSig"]]]
        return cls(names, kind, value, span, metres)


class Remi:
    """Well-formed REMI+; see the module's docstring.

    Args:
        vocabulary: the ids.
        grid: the music's grid.
        used: (V,) ids that may be sampled; others may come in prompts.
    """

    keeps_key: ClassVar[bool] = True

    def __init__(self, vocabulary: Vocabulary, grid: Grid, used: NDArray[np.bool_]) -> None:
        self._ids = vocabulary
        self._size = len(vocabulary.names)
        self._bar, self._eos = vocabulary.names.index("Bar_None"), vocabulary.names.index("EOS_None")
        self._metres = vocabulary.metres
        self._strides = np.array([grid.ticks_per_step(m) for m in self._metres])
        self._bar_ticks = np.array([grid.bar_ticks(m) for m in self._metres])
        self._durations = {m.denominator: grid.durations(m) for m in self._metres}
        self._widest = max(grid.ticks_per_step(m) for m in self._metres)
        self._quarter = grid.ticks_per_quarter
        self._tick_seconds = 60.0 / (grid.tempi * grid.ticks_per_quarter)
        self._used = used.copy()
        self.acted: Counter[str] = Counter()
        self.start(Request())

    # ---- the protocol

    def start(self, request: Request) -> None:
        """Begin a new piece.

        Raises:
            ImpossibleRequest: the seconds asked for are too few for a single note, or no pitch is in the key.
        """
        shortest = self._widest * self._tick_seconds[self._used[self._ids.span["Tempo"]]].min(initial=np.inf)
        if request.seconds is not None and request.seconds < shortest:
            raise ImpossibleRequest(f"{request.seconds} seconds are too few for a note; ask for more.")
        self._in_key = pitches_in(request.key, self._used[self._ids.span["Pitch"]])
        self._request = request
        self._silence = request.longest_silence * self._quarter
        self.acted = Counter()
        self._allowed = self._used.copy()  # a prompt adds its own instruments, drums and metres
        self._last: Kind = "BOS"
        self._over = False
        self._metre = self._metres.index(Metre(4, 4))
        self._bar_start = self._next_bar = 0
        self._now = 0
        self._tempo = -1
        self._pace = 60.0 / (DEFAULT_QPM * self._quarter)  # seconds a tick
        self._seconds = 0.0  # at `_now`
        self._heard = 0.0  # at `_now`, or where the last note ended if that is earlier
        self._program: int | None = None
        self._struck: tuple[int, int] = (-1, -1)  # program and pitch of the last note at this position
        self._pitch = 0
        self._until = np.zeros((129, 128), dtype=np.int64)  # tick at which each pitch of each program falls silent
        self._sound_end = 0
        self._silence_told = False
        self.begin()

    def begin(self) -> None:
        """The prompt is over: bars, seconds and notes count from the next id on."""
        self._bars = self._notes = 0
        self._onset_in_bar = False
        self._from = self._heard
        self._over = False
        self._mask: NDArray[np.bool_] | None = None
        self._beyond: NDArray[np.int64] | None = None

    def advance(self, id: int) -> None:
        """Take note of the next id, as `decode` would: one that makes no sense here is passed over."""
        if not 0 <= id < self._size:
            return
        self._mask = self._beyond = None
        kind, value = self._ids.kind[id], self._ids.value[id]
        if kind == "Bar":
            self._enter_bar()
        elif kind == "TimeSig" and self._last == "Bar":
            self._metre = value
            self._allowed[id] = True
            self._next_bar = self._bar_start + int(self._bar_ticks[value])
        elif kind == "Position":
            self._next_bar = max(self._next_bar, self._bar_start + int(self._bar_ticks[self._metre]))
            self._move(self._bar_start + value * int(self._strides[self._metre]))
        elif kind == "Tempo":
            self._tempo, self._pace = value, float(self._tick_seconds[value])
        elif kind == "Program":
            self._program = value
            self._allowed[id] = True
        elif kind in ("Pitch", "PitchDrum"):
            self._pitch = value
            self._allowed[id] = True
        elif kind == "Velocity" and self._last in ("Pitch", "PitchDrum"):
            pass
        elif kind == "Duration" and self._last == "Velocity":
            self._sound(value)
        elif kind == "EOS":
            self._over = True
            return
        else:
            return
        self._last = kind

    def mask(self) -> NDArray[np.bool_]:
        """(V,) what may come next; at least one True."""
        if self._mask is None:
            self._mask = self._make_mask()
            self._mask.flags.writeable = False
        return self._mask

    def beyond(self) -> NDArray[np.int64] | None:
        """The ids that only the length asked for forbids now, where the piece may end; None if there are none."""
        self.mask()
        return self._beyond

    # ---- the state

    def _enter_bar(self) -> None:
        self._move(self._next_bar)
        self._bar_start = self._now
        self._next_bar = self._now + int(self._bar_ticks[self._metre])
        self._bars += 1
        self._onset_in_bar = False

    def _move(self, tick: int) -> None:
        if self._sound_end > self._now:
            self._heard = self._seconds + (min(self._sound_end, tick) - self._now) * self._pace
        self._seconds += (tick - self._now) * self._pace
        self._now = tick
        self._struck = (-1, -1)

    def _sound(self, length: int) -> None:
        program = 0 if self._program is None else self._program
        end = self._now + int(self._durations[self._metres[self._metre].denominator][length])
        self._until[program, self._pitch] = end
        self._sound_end = max(self._sound_end, end)
        self._heard = self._seconds
        self._struck = (program, self._pitch)
        self._notes += 1
        self._onset_in_bar = True
        self._silence_told = False

    # ---- what may come next

    def _make_mask(self) -> NDArray[np.bool_]:
        mask = np.zeros(self._size, dtype=np.bool_)
        last, velocity = self._last, self._ids.span["Velocity"]
        if self._over or (last == "Duration" and self._notes == self._request.notes):
            mask[self._eos] = True
        elif last == "BOS":
            mask[self._bar] = True
        elif last == "Bar":
            self._allow_metres(mask)
        elif last in ("Pitch", "PitchDrum"):
            mask[velocity] = self._allowed[velocity]
        elif last == "Velocity":
            self._allow_durations(mask)
        elif last == "Program" and self._program is not None:
            self._allow_pitches(mask, self._program)
        elif self._tempo < 0 and last == "TimeSig":
            mask[self._ids.span["Position"].start] = True  # every piece begins with its tempo
        elif self._tempo < 0 and last == "Position":
            self._allow_tempi(mask)
        else:
            if last == "Position":
                self._allow_tempi(mask)
            else:
                self._allow_moves(mask)
            if last != "TimeSig":
                self._allow_notes(mask)
        if not mask.any():
            self._allow_something(mask)
        return mask

    def _allow_metres(self, mask: NDArray[np.bool_]) -> None:
        span = self._ids.span["TimeSig"]
        allowed = self._allowed[span].copy()
        if self._request.bars is not None:  # no note that sounds already may ring beyond the last bar
            bars_left = self._request.bars - self._bars + 1
            allowed &= self._bar_start + self._bar_ticks * bars_left >= self._sound_end
        mask[span] = allowed
        if self._bar_start > 0:
            mask[span.start + self._metre] = True

    def _allow_tempi(self, mask: NDArray[np.bool_]) -> None:
        span = self._ids.span["Tempo"]
        mask[span] = self._allowed[span]
        if self._request.seconds is not None:
            left = self._seconds_left()
            sounding = self._tick_seconds * max(self._sound_end - self._now, 0)
            mask[span] &= self._tick_seconds * self._widest <= left
            mask[span] &= (sounding <= left) | (self._tick_seconds <= self._pace)
        if self._tempo >= 0:
            mask[span.start + self._tempo] = False

    def _allow_notes(self, mask: NDArray[np.bool_]) -> None:
        """What can be struck at this position after what was: instruments and their pitches ascend."""
        struck = self._struck[0]
        if self._program is not None and self._program >= struck:
            self._allow_pitches(mask, self._program)
        span = self._ids.span["Program"]
        first = struck + 1
        mask[span.start + first : span.stop] = self._allowed[span.start + first : span.stop]
        if self._program is not None:
            mask[span.start + self._program] = False
        drums = span.start + DRUMS
        if mask[drums]:
            kit = self._allowed[self._ids.span["PitchDrum"]]
            mask[drums] = (kit & (self._until[DRUMS] <= self._now)).any()

    def _allow_pitches(self, mask: NDArray[np.bool_], program: int) -> None:
        span = self._ids.span["PitchDrum" if program == DRUMS else "Pitch"]
        first = self._struck[1] + 1 if program == self._struck[0] else 0
        silent = self._until[program, first:] <= self._now
        mask[span.start + first : span.stop] = silent & self._pitches(program)[first:]

    def _pitches(self, program: int) -> NDArray[np.bool_]:
        """Those that an instrument may have, whether they sound or not."""
        if program == DRUMS:
            return self._allowed[self._ids.span["PitchDrum"]]
        return np.asarray(self._allowed[self._ids.span["Pitch"]] & self._in_key)

    def _allow_durations(self, mask: NDArray[np.bool_]) -> None:
        span, request = self._ids.span["Duration"], self._request
        table = self._durations[self._metres[self._metre].denominator]
        longest = int(table[-1])
        if request.bars is not None:
            bars_left = max(request.bars - self._bars, 0)
            longest = self._next_bar + bars_left * int(self._bar_ticks[self._metre]) - self._now
        if request.seconds is not None:
            longest = int(self._seconds_left() / self._pace + 1e-6)
        count = max(int(np.searchsorted(table, longest, side="right")), 1)
        unguarded = count
        count = max(int(np.searchsorted(table[:count], request.longest_note * self._quarter, side="right")), 1)
        if count < unguarded:
            self.acted["stuck note"] += 1
        mask[span.start : span.start + count] = True

    def _allow_moves(self, mask: NDArray[np.bool_]) -> None:
        """Later positions of this bar, the next bar, and the end."""
        request, positions = self._request, self._ids.span["Position"].start
        stride = int(self._strides[self._metre])
        first = 0 if self._last == "TimeSig" else (self._now - self._bar_start) // stride + 1
        latest = self._next_bar  # tick
        if request.seconds is not None:
            latest = min(latest, self._now + int(self._seconds_left() / self._pace + 1e-6) - self._widest)
        if request.bars is not None and self._bars >= request.bars:
            latest = min(latest, self._next_bar - 1)
        audible, unasked = (min(tick, int(self._sound_end + self._silence)) for tick in (latest, self._next_bar))
        if audible < latest and not self._silence_told:
            self.acted["silence"] += 1
            self._silence_told = True
        stop, unasked_stop = (
            min((tick - self._bar_start) // stride + 1, (self._next_bar - self._bar_start) // stride)
            for tick in (audible, unasked)
        )
        if first < stop:
            mask[positions + first : positions + stop] = True
        mask[self._bar] = audible >= self._next_bar
        if self._last == "Duration":
            mask[self._eos] = self._may_end(first < stop or bool(mask[self._bar]))
            beyond = np.arange(positions + max(first, stop), positions + unasked_stop)
            if audible < self._next_bar <= unasked:
                beyond = np.append(beyond, self._bar)
            self._beyond = beyond if mask[self._eos] and len(beyond) else None

    def _may_end(self, goes_on: bool) -> bool:
        request = self._request
        if request.notes is not None:
            return False
        if request.bars is not None:
            return self._bars >= request.bars and self._onset_in_bar
        if request.seconds is not None:
            return not goes_on or self._seconds_left() < self._quarter * self._pace
        return True

    def _seconds_left(self) -> float:
        return (self._request.seconds or 0.0) - (self._seconds - self._from)

    def _allow_something(self, mask: NDArray[np.bool_]) -> None:
        """Where the rules leave nothing, as after a prompt that breaks them: the next thing nearest to them."""
        span = self._ids.span
        if self._last == "TimeSig":
            mask[span["Position"].start] = True
        elif self._last in ("Position", "Tempo", "Program") and self._program is not None:
            pitches = span["PitchDrum" if self._program == DRUMS else "Pitch"]
            own = self._pitches(self._program)
            mask[pitches] = own if own.any() else True
        elif self._last in ("Position", "Tempo"):
            mask[span["Program"]] = True
        else:
            mask[self._eos] = True
