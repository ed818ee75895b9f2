"""The grid: which thirty-seconds or triplets played notes mean.

Music that lies on the grid already, all of it, is taken as it is. Of what was played, each beat of a part chooses the
division that explains its onsets best: eighths, sixteenths, triplets, sextuplets or thirty-seconds, the simpler the
likelier, as Cemgil, Desain and Kappen weigh how precise a reading is against how complex (2000, "Rhythm Quantization
for Transcription"). Here the weights are set by hand, and each beat is read for itself. Where a note ends is heard less
exactly than where it begins: ends go to the next note's onset where that is near, for a rest that nobody hears is one
more that a reader has to count.

Leaves out: finding the beat. A performance that was recorded without one is written as if it had kept to it.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.engraving.bars import UNITS, Bar

__all__ = ["Steps", "Ticks", "as_units", "delay_of", "on_grid", "settle_ends", "settle_onsets", "spread_at"]

Times = NDArray[np.float64]
Ticks = NDArray[np.int64]
Steps = dict[int, int]
"""The division of each beat that has one, in units, by where the beat begins."""

DIVISIONS = {12: 0.0, 6: 0.7, 8: 2.5, 4: 4.0, 3: 4.5}  # units, and how much each is mistrusted at first (nats)
SPREAD = 0.025  # seconds by which played onsets miss what they mean (standard deviation)
TOGETHER = 1.1  # spreads within which onsets are one chord's
LOST = 2.0  # nats against playing two chords as one
COMMON = 6  # units of the sixteenths by which a constant delay is told
DELAYED = 0.5  # how alike delays must be: the length of their mean direction


def on_grid(times: Times, bars: Sequence[Bar], ticks_per_quarter: int) -> bool:
    """Whether all times are thirty-seconds or triplets of sixteenths of their bars, to within a tick's rounding."""
    near = np.round(times)
    slack = UNITS / ticks_per_quarter if ticks_per_quarter >= 4 * UNITS else 1e-9
    starts = np.array([bar.start for bar in bars])
    place = near - starts[np.searchsorted(starts, near, side="right") - 1]
    return bool(((np.abs(times - near) <= slack) & ((place % 3 == 0) | (place % 4 == 0))).all())


def spread_at(quarters_a_minute: float) -> float:
    """By how many units played onsets miss what they mean, at a tempo: some milliseconds, but never none or a lot."""
    return min(max(SPREAD * quarters_a_minute / 60 * UNITS, 0.8), 2.0)


def delay_of(onsets: Times) -> float:
    """The constant delay of all notes against the sixteenths, in units from -3 to 3; 0 where there is none.

    What was recorded against a click, or with a machine that took its time, is late by as much everywhere: the
    direction of all onsets on a circle of a sixteenth (Fisher 1993, "Statistical Analysis of Circular Data", ch. 2).
    """
    if not len(onsets):
        return 0.0
    direction = complex(np.exp(2j * np.pi * onsets / COMMON).mean())
    return float(np.angle(direction) / (2 * np.pi) * COMMON) if abs(direction) >= DELAYED else 0.0


def settle_onsets(onsets: Times, bars: Sequence[Bar], spread: float = 1.2) -> tuple[Ticks, Steps]:
    """The units that played onsets mean.

    Args:
        onsets: (N,) ascending, in units.
        bars: of the whole score.
        spread: units by which they miss.

    Returns:
        (N,) units, and the division of each beat that notes begin in.
    """
    chords, which = _together(onsets, TOGETHER * spread)
    beats = _beats(bars)
    mistrust = DIVISIONS
    settled, steps = _settle(chords, beats, mistrust, spread)
    used = [list(steps.values()).count(step) + 0.5 for step in DIVISIONS]
    mistrust = {
        step: own / 2 - float(np.log(count / max(used)))
        for (step, own), count in zip(DIVISIONS.items(), used, strict=True)
    }  # what the piece does often is likelier where one cannot tell
    settled, steps = _settle(chords, beats, mistrust, spread)
    return settled[which], steps


def _settle(
    chords: Times, beats: Sequence[tuple[int, int]], mistrust: dict[int, float], spread: float
) -> tuple[Ticks, Steps]:
    """The units that chords mean, and the beats' divisions."""
    settled = np.zeros(len(chords), dtype=np.int64)
    steps: Steps = {}
    begin = 0
    for start, length in beats:
        stop = int(np.searchsorted(chords, start + length))
        if stop == begin:
            continue
        inside = chords[begin:stop] - start
        costs = {step: _cost(inside, step, length, spread) + own for step, own in mistrust.items()}
        steps[start] = step = min(costs, key=lambda s: (costs[s], s))
        settled[begin:stop] = start + np.minimum(np.round(inside / step).astype(np.int64) * step, length)
        begin = stop
    return settled, steps


def _together(onsets: Times, gap: float) -> tuple[Times, Ticks]:
    """The mean onsets of chords, ascending, and which chord each onset belongs to."""
    which = np.zeros(len(onsets), dtype=np.int64)
    first = -np.inf
    chord = -1
    for index, onset in enumerate(onsets.tolist()):
        if onset - first > gap:
            first, chord = onset, chord + 1
        which[index] = chord
    totals, counts = np.bincount(which, onsets), np.bincount(which)
    return totals / np.maximum(counts, 1), which


def _beats(bars: Sequence[Bar]) -> list[tuple[int, int]]:
    """Where quarters begin in each bar, and how long they are: the last of a bar may be shorter."""
    return [(at, min(UNITS, bar.end - at)) for bar in bars for at in range(bar.start, bar.end, UNITS)]


def _cost(inside: Times, step: int, length: int, spread: float) -> float:
    """How badly a division explains the onsets of a beat (nats, up to a constant)."""
    if length % step and step > 3:
        return np.inf
    slots = np.round(inside / step)
    missed = float((((inside - slots * step) / spread) ** 2).sum()) / 2
    return missed + LOST * (len(inside) - len(np.unique(slots)))


def settle_ends(onsets: Ticks, ends: Times, steps: Steps, bars: Sequence[Bar]) -> Ticks:
    """The units that played ends mean, on one staff.

    Args:
        onsets: (N,) settled, ascending.
        ends: (N,) played, in units.
        steps: the beats' divisions.
        bars: of the whole score.

    Returns:
        (N,) units, each after its onset.
    """
    starts = [bar.start for bar in bars]
    begins = np.unique(onsets).tolist()
    settled = np.zeros(len(onsets), dtype=np.int64)
    index = 0
    while index < len(onsets):
        onset = int(onsets[index])
        stop = int(np.searchsorted(onsets, onset, side="right"))
        chord = ends[index:stop]
        longest = float(chord.max()) - onset
        if np.ptp(chord) <= max(6.0, 0.4 * longest):
            chord = np.full(len(chord), float(np.median(chord)))
        known: dict[float, int] = {}
        for at, end in enumerate(chord.tolist(), start=index):
            if end not in known:
                known[end] = _end(onset, end, begins, steps, bars, starts)
            settled[at] = known[end]
        index = stop
    return settled


def _end(onset: int, end: float, begins: list[int], steps: Steps, bars: Sequence[Bar], starts: list[int]) -> int:
    """The likeliest end: where the next note begins, where another does, on a beat, or on a part of one."""
    length = max(end - onset, 0.0)
    room = 2 + length / 4
    following = bisect.bisect_right(begins, onset)
    low, high = bisect.bisect_left(begins, end - 4 * room), bisect.bisect_right(begins, end + 4 * room)
    options: list[tuple[float, int]] = [(0.0, at) for at in begins[max(low, following) : high]]
    if following < len(begins):
        options.append((-1.0, begins[following]))
    for near in (end, float(onset + 1)):
        bar = bars[bisect.bisect_right(starts, min(near, bars[-1].start)) - 1]
        beat = bar.start + (int(near) - bar.start) // UNITS * UNITS
        step = steps.get(beat, 12)
        step = 6 if step in (3, 12) else step
        for at in range(beat, beat + UNITS + 1, step):
            weight = 0.5 if at in (beat, beat + UNITS) else 1.0 if at - beat == 12 and step == 6 else 2.0
            options.append((weight, min(at, bar.end)))
    return min(((abs(end - at) / room + weight, at) for weight, at in options if at > onset), default=(0.0, onset + 3))[
        1
    ]


def as_units(ticks: NDArray[Any], ticks_per_quarter: int) -> Times:
    """Ticks in units, not yet whole ones."""
    return np.asarray(ticks, dtype=np.float64) * UNITS / ticks_per_quarter
