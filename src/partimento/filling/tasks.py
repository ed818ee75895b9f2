"""What is to be written into a piece: a region anew, tracks beside those that it has, or a variation of it.

Each says which cells those are, of a grid of bars and tracks (`codecs.cells.grid`), and which tracks come new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from partimento.codecs.cells import Cells
from partimento.codecs.cells.fields import LABELS, TRACKS, Ids, Mask
from partimento.codecs.cells.grid import Grid
from partimento.errors import ImpossibleRequest
from partimento.instruments import instrument_name, require_programs
from partimento.score import Score

__all__ = ["Accompaniment", "Region", "Task", "Variation", "alone"]


class Task(Protocol):
    """Cells that are to be written."""

    def added(self, codec: Cells, tracks: int) -> tuple[int, ...]:
        """The programs of the tracks that come new, 128 for drums, where a piece has so many."""

    def cells(self, grid: Grid, rng: np.random.Generator) -> Mask:
        """(bars, tracks) which cells are written; the tracks that come new are the grid's last."""

    def tracks_of(self, grid: Grid) -> Ids:
        """Places of the tracks that may be written."""

    @property
    def first(self) -> int:
        """The first bar that may be written, counted from 0."""

    def said(self) -> str:
        """What is done, in words."""


@dataclass(frozen=True)
class Region:
    """Some bars of some tracks are written anew.

    Attributes:
        bars: the first and the last, counted from 1; None for all.
        tracks: which, counted from 1 among those with notes; None for all.
    """

    bars: tuple[int, int] | None = None
    tracks: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.tracks is not None:
            object.__setattr__(self, "tracks", tuple(sorted(set(self.tracks))))

    def added(self, codec: Cells, tracks: int) -> tuple[int, ...]:  # noqa: ARG002 - of no task's own choice
        """None."""
        return ()

    def cells(self, grid: Grid, rng: np.random.Generator | None = None) -> Mask:  # noqa: ARG002 - nothing is drawn
        """(bars, tracks) which cells those are.

        Raises:
            ImpossibleRequest: the piece has no such bars or tracks.
        """
        count = len(grid.tracks)
        first, last = self.bars or (1, grid.bars)
        if not 1 <= first <= last <= grid.bars:
            raise ImpossibleRequest(f"The piece has bars 1 to {grid.bars}; there are no bars {first} to {last} in it.")
        tracks = self.tracks or tuple(range(1, count + 1))
        wrong = [track for track in tracks if not 1 <= track <= count]
        if wrong:
            raise ImpossibleRequest(
                f"The piece has {count} track{'s' * (count != 1)} with notes; there is no track {wrong[0]} among them."
            )
        if len(tracks) > LABELS:
            raise ImpossibleRequest(f"At most {LABELS} tracks can be written at once; name fewer.")
        mask = np.zeros((grid.bars, count), dtype=np.bool_)
        mask[first - 1 : last, [track - 1 for track in tracks]] = True
        return mask

    def tracks_of(self, grid: Grid) -> Ids:
        """Places of the tracks that are written."""
        return np.flatnonzero(self.cells(grid).any(axis=0))

    @property
    def first(self) -> int:
        """The first bar, counted from 0."""
        return 0 if self.bars is None else self.bars[0] - 1

    def said(self) -> str:
        """What is done, in words.

        Example:
            >>> Region((5, 8), (2,)).said()
            'bars 5 to 8 of track 2 filled'
        """
        return f"{self.place()} filled"

    def place(self) -> str:
        """The region in words."""
        bars = "all bars" if self.bars is None else f"bars {self.bars[0]} to {self.bars[1]}"
        if self.bars is not None and self.bars[0] == self.bars[1]:
            bars = f"bar {self.bars[0]}"
        if self.tracks is None:
            return bars
        return f"{bars} of track{'s' * (len(self.tracks) > 1)} {', '.join(map(str, self.tracks))}"


@dataclass(frozen=True)
class Variation:
    """Some cells of a region, drawn by chance, are written anew; the others stay.

    Attributes:
        share: of the region's cells, more than 0 and at most 1; at least one cell is written.
        region: in which.
    """

    share: float = 0.5
    region: Region = Region()

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ImpossibleRequest(f"The share to vary must be more than 0 and at most 1, not {self.share:g}.")

    def added(self, codec: Cells, tracks: int) -> tuple[int, ...]:  # noqa: ARG002 - of no task's own choice
        """None."""
        return ()

    def cells(self, grid: Grid, rng: np.random.Generator) -> Mask:
        """(bars, tracks) which cells those are; the same share of each region, others each time."""
        places = np.argwhere(self.region.cells(grid))
        chosen = rng.permutation(len(places))[: max(1, round(self.share * len(places)))]
        mask = np.zeros((grid.bars, len(grid.tracks)), dtype=np.bool_)
        mask[tuple(places[chosen].T)] = True
        return mask

    def tracks_of(self, grid: Grid) -> Ids:
        """Places of the tracks of the region."""
        return self.region.tracks_of(grid)

    @property
    def first(self) -> int:
        """The first bar of the region, counted from 0."""
        return self.region.first

    def said(self) -> str:
        """What is done, in words."""
        return f"{self.share:.0%} of {self.region.place()} varied"


@dataclass(frozen=True)
class Accompaniment:
    """Tracks come new, beside those that there are.

    Attributes:
        programs: of the tracks, 0 to 127, or 128 for drums; those that the learnt music usually has if none.
        bars: the first and the last that they play in; None for all.
    """

    programs: tuple[int, ...] = ()
    bars: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        require_programs(self.programs)

    def added(self, codec: Cells, tracks: int) -> tuple[int, ...]:
        """The programs of the tracks that come new, where a piece has so many.

        Raises:
            ImpossibleRequest: the learnt music usually has no more tracks, or there would be too many.
        """
        programs = self.programs or codec.usual(tracks)
        if not programs:
            raise ImpossibleRequest(
                f"The music that this model has learnt usually has no more than {tracks} track{'s' * (tracks != 1)}: "
                f"say which instruments should come, e.g. --instruments bass,drums."
            )
        if tracks + len(programs) > TRACKS or len(programs) > LABELS:
            raise ImpossibleRequest("So many tracks cannot be told apart; name fewer.")
        return tuple(programs)

    def cells(self, grid: Grid, rng: np.random.Generator | None = None) -> Mask:  # noqa: ARG002 - nothing is drawn
        """(bars, tracks) which cells those are: of all tracks without a note."""
        new = np.ones(len(grid.tracks), dtype=np.bool_)
        new[grid.track[grid.track >= 0]] = False
        return Region(self.bars).cells(grid) & new

    def tracks_of(self, grid: Grid) -> Ids:
        """Places of the tracks that come new."""
        return np.flatnonzero(self.cells(grid).any(axis=0))

    @property
    def first(self) -> int:
        """The first bar that they play in, counted from 0."""
        return Region(self.bars).first

    def said(self) -> str:
        """What is done, in words."""
        names = [instrument_name(program) for program in self.programs]
        return f"{', '.join(names) if names else 'tracks'} added"


def alone(score: Score, number: int) -> Score:
    """A track by itself, counted from 1 among those with notes, with the piece's tempi and metres.

    Raises:
        ImpossibleRequest: there is no such track.
    """
    sounding = [index for index, track in enumerate(score.tracks) if len(track.notes)]
    if not 1 <= number <= len(sounding):
        count = len(sounding)
        raise ImpossibleRequest(f"The piece has {count} track{'s' * (count != 1)} with notes; there is no {number}.")
    result = score.copy()
    kept = result.tracks[sounding[number - 1]]
    result.tracks = type(result.tracks)([kept])
    return result
