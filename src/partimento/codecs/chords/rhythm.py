"""The whole way: the tutorials' vocabulary of notes and chords with rhythm, rests, octaves and dynamics put back.

A piece is `tempo metre` and then, for each onset: where in the bar it falls (`at`; a place not after the last one lies
in the next bar, and `bar` passes on to the next), how loud it is (`loud`, only where that changes), and its chords, the
longest first, each with how `long` it is behind it; an onset with one chord as long as the last one leaves that out. A
chord that the vocabulary does not have is written as the longest known chords from its lowest note up, at worst as
single notes, so that no chord is ever lost. The place in the bar is that of REMI (Huang & Yang 2020); length and
loudness hold until changed, which keeps pieces short.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from partimento.codecs.chords.naming import chord_name
from partimento.codecs.chords.words import EOS, TEMPOS, VELOCITY, Words, bar_steps, lengths
from partimento.score import (
    NOTE,
    NoteArray,
    Score,
    Tempo,
    TimeSignature,
    Track,
    end_tick,
    note_array,
    note_list,
    seconds_at,
)

TICKS_PER_STEP = 40


def heard_notes(score: Score, steps_per_beat: int) -> NoteArray:
    """The notes that the codec keeps, on its grid: onset and duration in steps, sorted by onset and pitch.

    Drums are left out. A pitch that starts twice at once starts once (as the longer), and one that starts again while
    it sounds ends there, for all parts share one keyboard.
    """
    notes = note_array(score)
    notes = notes[notes["program"] >= 0]
    if not len(notes):
        return np.empty(0, dtype=NOTE)
    ticks, known = score.ticks_per_quarter, lengths(steps_per_beat)
    notes["onset"] = (2 * np.maximum(notes["onset"], 0) * steps_per_beat + ticks) // (2 * ticks)
    borders = np.sqrt(known[:-1] * known[1:])  # a length is rounded by ratio
    notes["duration"] = known[np.searchsorted(borders, notes["duration"] * steps_per_beat / ticks)]
    notes = notes[np.lexsort((-notes["duration"], notes["onset"], notes["pitch"]))]
    again = (notes["pitch"][1:] == notes["pitch"][:-1]) & (notes["onset"][1:] == notes["onset"][:-1])
    notes = notes[np.concatenate([[True], ~again])]
    gap = np.where(notes["pitch"][1:] == notes["pitch"][:-1], np.diff(notes["onset"]), known[-1])
    room = known[np.searchsorted(known, gap, side="right") - 1]
    notes["duration"][:-1] = np.minimum(notes["duration"][:-1], room)
    order = np.lexsort((notes["pitch"], notes["onset"]))
    return np.asarray(notes[order])


def metre_of(score: Score, steps_per_beat: int) -> tuple[int, int]:
    """The metre that is in force longest; 4/4 where there is none that a bar of whole steps can have."""
    end = max(end_tick(score), 1)
    changes = {max(s.time, 0): (int(s.numerator), int(s.denominator)) for s in score.time_signatures}
    changes.setdefault(0, (4, 4))
    at = sorted(changes)
    lasting: Counter[tuple[int, int]] = Counter()
    for start, stop in zip(at, [*at[1:], max(end, at[-1] + 1)], strict=True):
        lasting[changes[start]] += max(min(stop, end) - start, 0)
    metre = max(sorted(lasting), key=lasting.__getitem__)
    return metre if bar_steps(metre, steps_per_beat) else (4, 4)


def tempo_of(score: Score) -> int:
    """The index in `TEMPOS` of the mean tempo from the beginning to the last note's end."""
    end = end_tick(score)
    seconds = float(seconds_at(score, np.array([end], dtype=np.int64))[0])
    qpm = 60 * end / score.ticks_per_quarter / seconds if seconds > 0 else 120.0
    return int(np.argmin(np.abs(np.log(np.array(TEMPOS) / qpm))))


@dataclass
class _Group:
    """What starts at one onset: pitches by length, ascending, and the sum of the velocities."""

    onset: int
    chords: dict[int, list[int]] = field(default_factory=dict)
    velocity: int = 0
    notes: int = 0


def groups(notes: NoteArray) -> Iterable[_Group]:
    """The onsets of `heard_notes` in turn."""
    group: _Group | None = None
    columns = (notes[name].tolist() for name in ("onset", "duration", "pitch", "velocity"))
    for onset, duration, pitch, velocity in zip(*columns, strict=True):
        if group is None or onset != group.onset:
            if group is not None:
                yield group
            group = _Group(onset)
        group.chords.setdefault(duration, []).append(pitch)
        group.velocity += velocity
        group.notes += 1
    if group is not None:
        yield group


def learn(scores: Iterable[Score], steps_per_beat: int, levels: int, most: int, least: int, widest: int) -> Words:
    """The vocabulary of a corpus: its metres, its notes, and its commonest chords, each by frequency, then name.

    Args:
        scores: the training pieces.
        steps_per_beat: steps of a quarter note.
        levels: of loudness, at most.
        most: chords that are learnt.
        least: occurrences that make a chord worth an id.
        widest: notes that a chord has at most.
    """
    metres: Counter[tuple[int, int]] = Counter()
    chords: Counter[tuple[int, ...]] = Counter()
    loudness = np.zeros(128, dtype=np.int64)
    for score in scores:
        notes = heard_notes(score, steps_per_beat)
        if not len(notes):
            continue
        metres[metre_of(score, steps_per_beat)] += 1
        for group in groups(notes):
            loudness[round(group.velocity / group.notes)] += 1
            for pitches in group.chords.values():
                chords[tuple(pitches)] += 1
    by_frequency = sorted(chords, key=lambda chord: (-chords[chord], chord_name(chord)))
    kept = [chord for chord in by_frequency if 1 < len(chord) <= widest and chords[chord] >= least][:most]
    worthy = {*kept, *(chord for chord in chords if len(chord) == 1)}
    return Words(
        steps_per_beat,
        _levels(loudness, levels),
        sorted(metres, key=lambda metre: (-metres[metre], metre)),
        [chord for chord in by_frequency if chord in worthy],
    )


def _levels(loudness: NDArray[np.int64], most: int) -> list[int]:
    """Velocities that stand for all, ascending: those that occur, or centres of clusters of them (Lloyd 1982).

    Args:
        loudness: (128,) how often each velocity occurs.
        most: levels at most.
    """
    occurring = np.flatnonzero(loudness)
    if len(occurring) <= most:
        return [int(velocity) for velocity in occurring] or [VELOCITY]
    centres = occurring[((np.arange(most) + 0.5) / most * len(occurring)).astype(np.int64)].astype(np.float64)
    for _ in range(50):
        nearest = np.abs(occurring[:, None] - centres).argmin(axis=1)
        weights = np.bincount(nearest, loudness[occurring], minlength=most)
        sums = np.bincount(nearest, loudness[occurring] * occurring, minlength=most)
        centres = np.where(weights > 0, sums / np.maximum(weights, 1), centres)
    return sorted({int(velocity) for velocity in np.clip(np.rint(centres), 1, 127)})


def encode(score: Score, words: Words) -> NDArray[np.int64]:
    """The ids of a piece; none for a piece without notes."""
    notes = heard_notes(score, words.steps_per_beat)
    if not len(notes):
        return np.empty(0, dtype=np.int64)
    metre = metre_of(score, words.steps_per_beat)
    index = words.metre_ids.get(metre, _like(metre, words)) - words.metre.first
    bar = words.bars[index]
    ids = [words.tempo.first + tempo_of(score), words.metre.first + index]
    last_bar, last_at = 0, -1
    loud, long = words.first_level, words.steps_per_beat
    for group in groups(notes):
        this_bar, at = divmod(group.onset, bar)
        passed = this_bar - last_bar
        if passed > 1 or (passed == 1 and at > last_at):
            ids.extend([words.bar.first] * passed)
        ids.append(words.at.first + at)
        last_bar, last_at = this_bar, at
        level = words.level(group.velocity / group.notes, loud)
        if level != loud:
            ids.append(words.loud.first + level)
            loud = level
        for steps in sorted(group.chords, reverse=True):
            ids.extend(_spelt(tuple(group.chords[steps]), words))
            if steps != long or len(group.chords) > 1:
                ids.append(words.long_ids[steps])
                long = steps
    return np.array(ids, dtype=np.int64)


def _like(metre: tuple[int, int], words: Words) -> int:
    """The id of a known metre with bars as long as an unknown one's, or of 4/4."""
    steps = bar_steps(metre, words.steps_per_beat)
    return words.metre.first + (words.bars.index(steps) if steps in words.bars else words.common_time)


def _spelt(chord: tuple[int, ...], words: Words) -> Iterable[int]:
    """The ids of a chord: its own, or those of the longest known chords from its lowest note up."""
    start = 0
    while start < len(chord):
        stop = min(len(chord), start + words.widest)
        while stop > start + 1 and chord[start:stop] not in words.ids:
            stop -= 1
        yield words.ids[chord[start:stop]]
        start = stop


class Reader:
    """Follows ids and knows where in the piece they are; any ids will do.

    Attributes:
        qpm: the tempo, None until told.
        metre: the metre's index in the vocabulary, None until told; bars are those of the first until then.
        bar_length: steps of a bar.
        bar_start: steps from the piece's beginning to that of the bar.
        at: the onset within the bar, -1 before the first of the bar.
        loud: the level of loudness.
        long: the length of notes in steps, as told last.
        run: pitches at this onset whose length is not told yet.
        ends: (128,) where each pitch's last note ends, in steps; the run left out.
        played: onset, length, level and pitches of each chord so far; the run left out.
    """

    def __init__(self, words: Words) -> None:
        self.words = words
        self.qpm: float | None = None
        self.metre: int | None = None
        self.bar_length = words.bars[0]
        self.bar_start = 0
        self.at = -1
        self.loud = words.first_level
        self.long = words.steps_per_beat
        self.run: list[int] = []
        self.ends = [0] * 128
        self.played: list[tuple[int, int, int, tuple[int, ...]]] = []

    @property
    def time(self) -> int:
        """The onset, in steps from the piece's beginning."""
        return self.bar_start + max(self.at, 0)

    @property
    def end(self) -> int:
        """Where the last note ends, the run's notes taken to be as long as those before."""
        return max(max(self.ends), self.time + self.long if self.run else 0)

    def read(self, id: int) -> None:
        """Take the next id."""
        words = self.words
        if id >= words.chord.first:
            if id < words.size:
                self.at = max(self.at, 0)
                self.run.extend(words.chords[id - words.chord.first])
        elif id >= words.long.first:
            self.long = words.lengths[id - words.long.first]
            self.finish()
        elif id >= words.loud.first:
            self.loud = id - words.loud.first
        elif id >= words.bar.first:
            self.finish()
            at = (id - words.at.first) % self.bar_length if id >= words.at.first else -1
            if at <= self.at or at < 0:
                self.bar_start += self.bar_length
            self.at = at
        elif id >= words.metre.first:
            if self.metre is None and self.at < 0 and not self.bar_start:
                self.metre = id - words.metre.first
                self.bar_length = words.bars[self.metre]
        elif id >= words.tempo.first and self.qpm is None:
            self.qpm = TEMPOS[id - words.tempo.first]

    def finish(self) -> None:
        """End the run: its notes are as long as was told last."""
        if self.run:
            self.played.append((self.time, self.long, self.loud, tuple(self.run)))
            for pitch in self.run:
                self.ends[pitch] = self.time + self.long
            self.run = []


def decode(ids: Iterable[int], words: Words, program: int) -> Score:
    """The piece that ids tell of, on one track.

    A pitch that starts again ends where it does; one that starts twice at once starts once, as told last. Without a
    tempo there are 120 quarter notes a minute, without a metre the corpus's commonest.
    """
    reader = Reader(words)
    for id in ids:
        if id == EOS:
            break
        reader.read(id)
    reader.finish()
    score = Score(words.steps_per_beat * TICKS_PER_STEP)
    score.tempos.append(Tempo(0, reader.qpm or 120.0))
    score.time_signatures.append(TimeSignature(0, *words.metres[reader.metre or 0]))
    started = {
        (pitch, onset): (length, words.velocities[loud])
        for onset, length, loud, pitches in reader.played
        for pitch in pitches
    }
    if started:
        score.tracks.append(_track(started, program))
    return score


def _track(started: dict[tuple[int, int], tuple[int, int]], program: int) -> Track:
    keys = sorted(started)
    pitch, onset = np.array(keys, dtype=np.int64).T
    duration, velocity = np.array([started[key] for key in keys], dtype=np.int64).T
    until = np.where(pitch[1:] == pitch[:-1], np.diff(onset), duration[:-1])
    duration[:-1] = np.minimum(duration[:-1], until)
    order = np.lexsort((pitch, onset))
    track = Track("", program, False)
    track.notes = note_list(
        onset[order] * TICKS_PER_STEP, duration[order] * TICKS_PER_STEP, pitch[order], velocity[order]
    )
    return track
