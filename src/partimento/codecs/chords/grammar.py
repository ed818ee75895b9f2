"""What may come next in a piece with rhythm: a legal order of tokens, the request's length, and the guards.

The order is that of `rhythm.encode`, so nothing can be sampled that a piece could not be. Bars are those of the piece's
own metre, seconds those of its own tempo.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from partimento.codec import Request
from partimento.codecs.chords.rhythm import EOS, Reader, Words

FAR = 1 << 60  # steps; later than anything


class RhythmGrammar:
    """Decides by a `Reader` of all ids so far.

    A piece of so many bars has its last note's end in its last bar; bars are counted from that after the prompt's last.
    A piece of so many seconds ends less than a beat before its time. Silence counts from the end of the last note.
    """

    def __init__(self, words: Words) -> None:
        self.acted: Counter[str] = Counter()
        self._words = words
        self._bits = np.array([_bits(chord) for chord in words.chords], dtype=np.uint64)  # (chords, 2)
        self._sizes = np.array([len(chord) for chord in words.chords])
        self._lowest = np.array([chord[0] for chord in words.chords])
        self._places = np.arange(words.at.count)
        self.start(Request())

    def start(self, request: Request) -> None:
        """Begin a new piece."""
        self.acted.clear()
        self._request = request
        self._reader = Reader(self._words)
        self._silence = int(request.longest_silence * self._words.steps_per_beat)
        self._longest = max(int(request.longest_note * self._words.steps_per_beat), 1)
        self._last = EOS  # the id before
        self._highest = -1  # pitch of the chord before, where the length has not changed since
        self._used: list[int] = []  # lengths told at this onset
        self._struck = np.zeros(2, dtype=np.uint64)  # pitches struck at this onset
        self._any = False  # whether the new music has a note
        self.begin()

    def begin(self) -> None:
        """The prompt is over."""
        self._left = self._request.notes
        self._any = False
        self._prompted = max(self._reader.end, self._reader.time)
        self._limit = self._length()

    def _length(self) -> int:
        """The step that no note may pass, as far as tempo and metre are known."""
        reader = self._reader
        if self._request.bars is not None:
            bars = -(-self._prompted // reader.bar_length) + self._request.bars
            return bars * reader.bar_length
        if self._request.seconds is not None:
            beat = math.ceil(60e6 / (reader.qpm or 120.0))  # whole microseconds, as MIDI files have it
            return self._prompted + int(self._request.seconds * 1e6 * self._words.steps_per_beat / beat)
        return FAR

    def advance(self, id: int) -> None:
        """Take note of the next id."""
        words = self._words
        chord = self._reader.read(id)
        if chord:
            self._any = True
            self._highest = chord[-1]
            self._struck |= self._bits[id - words.chord.first]
            if self._reader.long not in self._used:
                self._used.append(self._reader.long)
            if self._left is not None:
                self._left = max(self._left - len(chord), 0)
        elif words.long.first <= id < words.chord.first:
            self._highest = -1
        elif words.bar.first <= id < words.loud.first:
            self._highest = -1
            self._used = []
            self._struck[:] = 0
        elif words.tempo.first <= id < words.bar.first:
            self._limit = self._length()
        self._last = id

    def mask(self) -> NDArray[np.bool_]:
        """(V,) what may come next."""
        words, reader = self._words, self._reader
        mask = np.zeros(words.size, dtype=np.bool_)
        begun = reader.at >= 0 or reader.bar_start > 0
        if reader.qpm is None and not begun and reader.metre is None:
            mask[words.tempo.span] = True
        elif reader.metre is None and not begun:
            mask[words.metre.span] = True
        elif self._left == 0:
            mask[EOS] = True
        else:
            if reader.at >= 0:
                self._allow_notes(mask)
            if reader.at < 0 or self._struck.any():
                self._allow_onsets(mask)
                mask[EOS] = self._may_end()
            if not mask.any():
                mask[EOS] = True
        return mask

    def _allow_notes(self, mask: NDArray[np.bool_]) -> None:
        """Chords, lengths and loudness at the present onset."""
        words, reader = self._words, self._reader
        room = self._limit - reader.time
        if reader.long <= min(room, self._longest):
            free = ((self._bits & self._struck) == 0).all(axis=1)
            free &= self._lowest > self._highest
            if self._left is not None:
                free &= self._sizes <= self._left
            mask[words.chord.span] = free
            if words.long.first <= self._last < words.chord.first:
                return
        elif reader.long <= room:
            self.acted["stuck note"] += 1
        fits = words.lengths <= room
        held = fits & (words.lengths > self._longest)
        if held.any():
            self.acted["stuck note"] += 1
            fits &= ~held
        fits &= words.lengths != reader.long
        for length in self._used:
            fits &= words.lengths != length
        mask[words.long.span] = fits
        if words.at.first <= self._last < words.loud.first and fits.any():
            loud = mask[words.loud.span]
            loud[:] = True
            loud[reader.loud : reader.loud + 1] = False

    def _allow_onsets(self, mask: NDArray[np.bool_]) -> None:
        """The next place, or bar, none too late."""
        words, reader = self._words, self._reader
        length, next_bar = reader.bar_length, reader.bar_start + reader.bar_length
        times = self._places + np.where(self._places > reader.at, reader.bar_start, next_bar)
        allowed = (times < self._limit) & (self._places < length)
        first = reader.bar_start + reader.at + 1
        latest = max(reader.end + self._silence, first)
        late = allowed & (times > latest)
        bar = next_bar < self._limit
        if late.any() or (bar and next_bar > latest):
            self.acted["silence"] += 1
            allowed &= ~late
            bar = bar and next_bar <= latest
        mask[words.at.span] = allowed
        mask[words.bar.first] = bar

    def _may_end(self) -> bool:
        reader, request = self._reader, self._request
        if request.bars is not None:
            return reader.end > self._limit - reader.bar_length
        if request.seconds is not None:
            return self._limit - reader.end < self._words.steps_per_beat
        return request.notes is None and self._any


def _bits(chord: tuple[int, ...]) -> tuple[int, int]:
    """The pitches of a chord as 2 x 64 bits."""
    bits = sum(1 << pitch for pitch in set(chord))
    return bits & (1 << 64) - 1, bits >> 64
