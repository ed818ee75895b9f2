"""Pages: where everything of a piano roll lies, before anything is painted.

Time is wrapped at bar lines into systems of one scale. Music that would make a page higher than `MOST_HEIGHT` is first
laid closer together, to `CLOSER` times, and then cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partimento.instruments import INSTRUMENTS, numbered
from partimento.render.gm import DRUM_NAMES
from partimento.render.style import TRACKS
from partimento.score import NoteArray, Score, bar_lines, end_tick, seconds_at

WIDTH, LEFT, RIGHT = 1200.0, 78.0, 24.0
MOST_HEIGHT = 3000.0  # points
QUARTERS, SECONDS = 40.0, 24.0  # in one system, at most, before it is drawn closer together
CLOSER = 4.0
WIDEST_QUARTER = 280.0  # points
ABOVE, BELOW = 16.0, 18.0  # points above and below a system
MOST_DRUMS, MOST_COLOURS = 14, len(TRACKS)


@dataclass(frozen=True)
class Voice:
    """Notes that share a colour and a line of the legend."""

    name: str
    colour: str
    notes: NoteArray


@dataclass(frozen=True)
class Page:
    """Where everything lies.

    Attributes:
        systems: first tick and end tick of each row.
        point: points to a tick.
        lane: the height of a drum's lane in points.
        low: the lowest pitch drawn; high: the highest; None of them sounds where there are only drums.
        key: height of a semitone in points.
        drums: the lanes from top to bottom, each the pitches that it holds and its name.
        shown: the tick at which the picture ends.
    """

    systems: list[tuple[int, int]]
    point: float
    lane: float
    low: int
    high: int
    key: float
    drums: list[tuple[tuple[int, ...], str]]
    shown: int

    @property
    def keys_height(self) -> float:
        """Points from the highest key's top to the lowest one's bottom."""
        return (self.high - self.low + 1) * self.key

    @property
    def system_height(self) -> float:
        """Points from one system to the next."""
        return ABOVE + self.keys_height + (self.lane * len(self.drums) + 5 if self.drums else 0) + BELOW


def voices_of(notes: NoteArray) -> list[Voice]:
    """One for each track, or for each instrument where there are more tracks than colours; highest first."""
    by = "track" if len(np.unique(notes["track"])) <= MOST_COLOURS else "program"
    groups = [notes[notes[by] == key] for key in np.unique(notes[by])]
    groups.sort(key=lambda group: -float(group["pitch"].mean()))
    names = numbered([INSTRUMENTS[int(group["program"][0])] for group in groups])
    return [Voice(name, TRACKS[n % MOST_COLOURS], own) for n, (name, own) in enumerate(zip(names, groups, strict=True))]


def lay_out(score: Score, notes: NoteArray, room: float) -> Page:
    """Lay out as many systems as the music needs and the room allows."""
    end = max(end_tick(score), 1)
    pitched = notes["pitch"][notes["program"] >= 0]
    low, high = (int(pitched.min()), int(pitched.max())) if len(pitched) else (60, 59 if len(notes) else 71)
    if len(pitched):
        spare = max(23 - (high - low), 4)
        low, high = max(low - spare // 2, 0), min(high + (spare + 1) // 2, 127)
    key = float(np.clip(np.floor(2 * 190 / max(high - low + 1, 1)) / 2, 2.5, 5.0))
    page = Page([], 1.0, 8.0, low, high, key, _drum_lanes(notes), 0)
    most_systems = max(int(room // page.system_height), 1)
    seconds = float(seconds_at(score, np.array([end]))[0])
    fitting = max(end / (QUARTERS * score.ticks_per_quarter), seconds / SECONDS, 1e-9)
    span = end / fitting if fitting > 1 else float(end)
    widest = span * CLOSER
    until = int(min(end, np.ceil(widest * most_systems)))
    bars = bar_lines(score, until)
    while len(systems := _systems(bars, until, span)) > most_systems and span < widest:
        span = min(span * 1.08, widest)
    systems = systems[:most_systems]
    longest = max(stop - start for start, stop in systems)
    point = min((WIDTH - LEFT - RIGHT) / longest, WIDEST_QUARTER / score.ticks_per_quarter)
    lane = page.lane
    if len(systems) == 1:  # room enough
        key, lane = min(key * 1.8, 9.0), 12.0
    return Page(systems, point, lane, low, high, key, page.drums, min(systems[-1][1], end))


def _systems(bars: NDArray[np.int64], end: int, span: float) -> list[tuple[int, int]]:
    """Break time into rows of whole bars, of about `span` ticks at most; a bar longer than that is broken too."""
    lengths = np.diff(bars)
    last = int(lengths[-1]) if len(lengths) else max(end - int(bars[-1]), 1)
    if len(np.unique(lengths)) <= 1 and last <= span * 1.1:  # one metre throughout: the same, round number of bars
        fitting = int(span * 1.1 // last)
        if fitting >= len(bars):
            return [(0, max(int(bars[-1]) + last, end))]
        count = max(n for n in (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 10**9) if n <= fitting or n == 1)
        count = fitting if count > 10**8 else count
        step = count * last
        whole = -(-end // last) * last
        return [(start, min(start + step, whole)) for start in range(0, end, step)]
    rows, start = [], 0
    while start < end:
        inside = bars[(bars > start) & (bars <= start + span * 1.1)]
        stop = int(inside[-1]) if len(inside) else int(start + max(span, 1))
        stop = end if end - start <= span * 1.1 else stop
        rows.append((start, stop))
        start = stop
    return rows


def _drum_lanes(notes: NoteArray) -> list[tuple[tuple[int, ...], str]]:
    """A lane for each drum, cymbals above; the rarest share one where there are too many."""
    pitches, counts = np.unique(notes["pitch"][notes["program"] < 0], return_counts=True)
    order = pitches[np.argsort(-counts, kind="stable")].tolist()
    own, rest = (order, []) if len(order) <= MOST_DRUMS else (order[: MOST_DRUMS - 1], order[MOST_DRUMS - 1 :])
    lanes: list[tuple[tuple[int, ...], str]] = [
        ((pitch,), DRUM_NAMES.get(pitch, f"Drum {pitch}")) for pitch in sorted(own, reverse=True)
    ]
    return [*lanes, (tuple(rest), "Others")] if rest else lanes
