"""What may come next in a piece with rhythm: a legal order of tokens, the request's length, and the guards.

What is drawn is always written as `rhythm.encode` writes it: places ascend, lengths descend, a chord that has an id is
not spelt otherwise, no pitch starts again while it sounds. Bars are those of the piece's own metre, seconds those of
its own tempo.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from partimento.codec import Request
from partimento.codecs.chords.rhythm import Reader
from partimento.codecs.chords.words import EOS, TEMPOS, Words

FAR = 1 << 60  # steps; later than anything


class RhythmGrammar:
    """Decides by a `Reader` of all ids so far.

    A piece of so many bars has its last note's end in its last bar; bars are counted from that after the prompt's last.
    Seconds are counted from the end of the prompt's last note; the piece ends less than a beat before they are over.
    Silence counts from the end of the last note.
    """

    keeps_key: ClassVar[bool] = False

    def __init__(self, words: Words, spelling: Spelling) -> None:
        self.acted: Counter[str] = Counter()
        self._words = words
        self._spelling = spelling
        self.start(Request())

    def start(self, request: Request) -> None:
        """Begin a new piece."""
        self.acted.clear()
        self._request = request
        self._reader = Reader(self._words)
        self._silence = int(request.longest_silence * self._words.steps_per_beat)
        self._longest = max(int(request.longest_note * self._words.steps_per_beat), 1)
        self._last = -1  # the id before
        self._skipped = -1  # the place before a single `bar`: a place not after it would have needed none
        self._chords: list[tuple[int, ...]] = []  # the run, as it is spelt
        self._shorter_than = FAR  # the length told last at this onset
        self._free: NDArray[np.bool_] | None = None  # chords whose pitches are free to sound, once asked for
        self._more = False  # the length told is the one that held before, which a chord alone would have left out
        self.begin()

    def begin(self) -> None:
        """The prompt is over."""
        self._left = self._request.notes
        self._new = False  # whether there is a new note
        self._heard = self._reader.end
        self._prompted = max(self._heard, self._reader.time)
        self._limit = self._length(self._reader.qpm)

    def _length(self, qpm: float | None) -> int:
        """The step that no note may pass, at this tempo and as far as the metre is known."""
        reader = self._reader
        if self._request.bars is not None:
            bars = -(-self._prompted // reader.bar_length) + self._request.bars
            return bars * reader.bar_length
        if self._request.seconds is not None:
            beat = math.ceil(60e6 / (qpm or 120.0))  # whole microseconds, as MIDI files have it
            return self._heard + int(self._request.seconds * 1e6 * self._words.steps_per_beat / beat)
        return FAR

    def advance(self, id: int) -> None:
        """Take note of the next id."""
        words, reader = self._words, self._reader
        if words.chord.first <= id < words.size:
            chord = words.chords[id - words.chord.first]
            self._chords.append(chord)
            if self._free is not None:
                self._free &= self._spelling.free_of(chord)
            self._new = True
            if self._left is not None:
                self._left = max(self._left - len(chord), 0)
        elif words.long.first <= id < words.chord.first:
            told = words.lengths[id - words.long.first]
            self._more = told == reader.long and self._shorter_than == FAR
            self._shorter_than = told
            self._chords = []
        elif words.bar.first <= id < words.loud.first:
            self._skipped = reader.at if id == words.bar.first and self._last != id else -1
            self._shorter_than = FAR
            self._more = False
            self._chords = []
            self._free = None
        reader.read(id)
        if words.tempo.first <= id < words.bar.first:
            self._limit = self._length(self._reader.qpm)
        self._last = id

    def mask(self) -> NDArray[np.bool_]:
        """(V,) what may come next."""
        words, reader = self._words, self._reader
        begun = reader.at >= 0 or reader.bar_start > 0
        self._acting: set[str] = set()
        mask = np.zeros(words.size, dtype=np.bool_)
        if self._last == EOS:
            mask[EOS] = True
        elif not begun and reader.metre is None:
            if reader.qpm is None:
                mask[words.tempo.span] = [self._length(qpm) > 0 for qpm in TEMPOS]
            else:
                mask[words.metre.span] = True
            mask[EOS] = not mask.any()
        else:
            if reader.at >= 0:
                self._allow_notes(mask)
            if reader.at < 0 or self._complete():
                end = reader.end
                self._allow_onsets(mask, end, self._limit)
                mask[EOS] = reader.at >= 0 and self._may_end(end)
            if not mask.any():
                mask[EOS] = True
            self.acted.update(self._acting)
        return mask

    def beyond(self) -> NDArray[np.int64] | None:
        """The ids that only the length asked for forbids now, where the piece may end; None if there are none."""
        reader = self._reader
        if self._limit == FAR or self._last == EOS or reader.at < 0 or not self._complete():
            return None
        if not self._may_end(reader.end):
            return None
        limited, unlimited = (np.zeros(self._words.size, dtype=np.bool_) for _ in range(2))
        self._allow_onsets(limited, reader.end, self._limit)
        self._allow_onsets(unlimited, reader.end, FAR)
        beyond = np.flatnonzero(unlimited & ~limited)
        return beyond if len(beyond) else None

    def _complete(self) -> bool:
        """Whether the onset can be left as it is."""
        reader = self._reader
        if not reader.run:
            return self._shorter_than < FAR and not self._more
        if self._shorter_than < FAR or reader.long > self._limit - reader.time:
            return False
        if reader.long > self._longest:
            self._acting.add("stuck note")
            return False
        return True

    def _allow_notes(self, mask: NDArray[np.bool_]) -> None:
        """Loudness, chords and lengths at the present onset."""
        words, reader = self._words, self._reader
        room = min(self._limit - reader.time, self._shorter_than - 1)
        if room < 1:
            return
        if self._left != 0:
            mask[words.chord.span] = self._chords_that_fit()
        if reader.run:
            fitting = bisect_right(words.lengths, room)
            allowed = bisect_right(words.lengths, min(room, self._longest))
            if allowed < fitting:
                self._acting.add("stuck note")
            mask[words.long.first : words.long.first + allowed] = True
            if self._shorter_than == FAR and (self._left == 0 or reader.long == 1):
                mask[words.long_ids[reader.long]] = False
        elif words.at.first <= self._last < words.loud.first and self._left != 0:
            mask[words.loud.span] = True
            mask[words.loud.first + reader.loud : words.loud.first + min(reader.loud + 1, words.loud.count)] = False

    def _chords_that_fit(self) -> NDArray[np.bool_]:
        """(chords,) those free to sound, above the run, few enough, and spelt as they ought to be."""
        reader, spelling = self._reader, self._spelling
        if self._free is None:
            time = reader.time
            self._free = spelling.free_of(
                (*(pitch for pitch, end in enumerate(reader.ends) if end > time), *reader.run)
            )
        fits = self._free & (spelling.sizes <= (FAR if self._left is None else self._left))
        if self._chords:
            fits &= spelling.lowest > reader.run[-1]
            written: tuple[int, ...] = ()
            for chord in reversed(self._chords):
                written = chord + written
                completing = spelling.completing(written)
                if completing is not None:
                    fits &= ~completing
        return fits

    def _allow_onsets(self, mask: NDArray[np.bool_], end: int, limit: int) -> None:
        """The next place, or bar, before the limit and none too late; places not after this one are the next bar's."""
        words, reader = self._words, self._reader
        if self._left == 0:
            return
        start, length = reader.bar_start, reader.bar_length
        first = max(reader.at, self._skipped) + 1
        latest = max(end + self._silence, start + first)
        after_bar = start + length + (0 if self._last == words.bar.first else reader.at + 1)
        if latest < min(after_bar, limit - 1):
            self._acting.add("silence")
        stop = min(limit, latest + 1)
        here, next_bar = min(length, stop - start), min(reader.at + 1, stop - start - length)
        mask[words.at.first + first : words.at.first + max(here, first)] = True
        mask[words.at.first : words.at.first + max(next_bar, 0)] = True
        mask[words.bar.first] = after_bar < stop

    def _may_end(self, end: int) -> bool:
        request = self._request
        if request.bars is not None:
            return end > self._limit - self._reader.bar_length
        if request.seconds is not None:
            return self._limit - end < self._words.steps_per_beat
        return self._left == 0 if self._left is not None else self._new


class Spelling:
    """Which chords can stand where: tables over the chords of a vocabulary, shared by its grammars.

    Attributes:
        sizes: (chords,) notes of each.
        lowest: (chords,) lowest pitch of each.
    """

    def __init__(self, words: Words) -> None:
        self.sizes = np.array([len(chord) for chord in words.chords])
        self.lowest = np.array([chord[0] for chord in words.chords])
        self._without = np.ones((128, len(words.chords)), dtype=np.bool_)  # chords that do not have a pitch
        for i, chord in enumerate(words.chords):
            self._without[list(chord), i] = False
        self._beginning: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)  # chords by what they begin with
        for i, chord in enumerate(words.chords):
            for stop in range(1, len(chord) + 1):
                self._beginning[chord[:stop]].append(i)
        self._chords = words.chords
        self._completing: dict[tuple[int, ...], NDArray[np.bool_] | None] = {}

    def free_of(self, pitches: Iterable[int]) -> NDArray[np.bool_]:
        """(chords,) those that have none of these pitches."""
        free = np.ones(len(self._chords), dtype=np.bool_)
        for pitch in pitches:
            free &= self._without[pitch]
        return free

    def completing(self, written: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """(chords,) those that make a known chord of what is written, by all or their lower notes; None for none."""
        if written not in self._completing:
            rests = {self._chords[i][len(written) :] for i in self._beginning.get(written, ())} - {()}
            table = np.zeros(len(self._chords), dtype=np.bool_)
            for rest in rests:
                table[self._beginning.get(rest, [])] = True
            self._completing[written] = table if rests else None
        return self._completing[written]
