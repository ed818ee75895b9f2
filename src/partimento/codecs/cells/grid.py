"""A piece as a grid of cells: what each track has in each bar."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from partimento.codecs.cells.clock import LENGTHS
from partimento.codecs.cells.fields import BAR, CELL, NOTE, Ids, events_of, onsets, values


class Grid:
    """The cells of a row of ids: what each track has in each bar.

    What comes before the first bar is left out.

    Args:
        x: (T,) ids.
        tracks: numbers and programs of the tracks that there are, ascending; those that have something in `x` if None.

    Attributes:
        kind: (E,) what each event is.
        events: (E, 6) ids.
        bar: (E,) the bar that each lies in.
        track: (E,) the place among `tracks` of the track that each is of; -1 for bars and tempi.
        tracks: (K,) numbers, ascending.
        programs: (K,) the program of each.
        bars: how many there are.
    """

    def __init__(self, x: Ids, tracks: Mapping[int, int] | None = None) -> None:
        kind, events = events_of(x)
        inside = np.cumsum(kind == BAR) > 0
        self.kind, self.events = kind[inside], events[inside]
        self.bar = np.cumsum(self.kind == BAR) - 1
        self.bars = int((self.kind == BAR).sum())
        index = np.arange(len(self.kind))
        bar_at = np.maximum.accumulate(np.where(self.kind == BAR, index, 0))
        cell_at = np.maximum.accumulate(np.where(self.kind == CELL, index, -1))
        within = cell_at > bar_at
        number = np.where(within, values(self.events[cell_at, 1]), -1)
        cells = self.events[self.kind == CELL]
        if tracks is None:
            numbers, first = np.unique(values(cells[:, 1]), return_index=True)
            tracks = dict(zip(numbers.tolist(), values(cells[first, 2]).tolist(), strict=True))
        self.tracks = np.array(list(tracks), dtype=np.int64)
        self.programs = np.array(list(tracks.values()), dtype=np.int64)
        self.track = np.where(within, np.searchsorted(self.tracks, number), -1)

    @property
    def program_of(self) -> dict[int, int]:
        """The program of each track by the track's number."""
        return dict(zip(self.tracks.tolist(), self.programs.tolist(), strict=True))

    @property
    def starts(self) -> Ids:
        """(bars + 1,) steps at which bars begin, and at which the last one ends."""
        metres = values(self.events[self.kind == BAR][:, 1])
        return np.append(0, np.cumsum(LENGTHS[metres]))

    @property
    def notes(self) -> Ids:
        """(bars, tracks) how many notes begin in each cell."""
        count = np.zeros((self.bars, len(self.tracks)), dtype=np.int64)
        mine = (self.kind == NOTE) & (self.track >= 0)
        np.add.at(count, (self.bar[mine], self.track[mine]), 1)
        return count

    @property
    def onsets(self) -> Ids:
        """(E,) steps from the piece's beginning, of events that are at a step of their own."""
        found: Ids = self.starts[self.bar] + onsets(self.events)
        return found
