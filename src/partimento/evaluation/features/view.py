"""Views: a score as the features see it, with what several of them need worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.score import NoteArray, Score, bar_edges, note_array

__all__ = ["GRID", "Placed", "Sounding", "View"]

GRID = 12  # steps of a beat

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Placed:
    """N notes by their place in bars.

    Attributes:
        bar: (N,) the number of each note's bar.
        step: (N,) its onset, in steps from the beginning of the bar.
        pitch: (N,) its pitch; 128 more for a drum.
        steps: (bars,) how many steps each bar has.
    """

    bar: Ints
    step: Ints
    pitch: Ints
    steps: Ints


@dataclass(frozen=True)
class Sounding:
    """What sounds at each of S onsets, without drums.

    Attributes:
        sounds: (S, P) whether each pitch, from the lowest to the highest, sounds there.
        begins: (S, P) whether it begins there.
    """

    sounds: NDArray[np.bool_]
    begins: NDArray[np.bool_]


class View:
    """A score as the features see it.

    Args:
        score: stays as it is; a view of a score that is changed afterwards is wrong.
    """

    def __init__(self, score: Score) -> None:
        self.score = score
        self.ticks = score.ticks_per_quarter

    @cached_property
    def notes(self) -> NoteArray:
        """All notes, in order of their onsets."""
        return note_array(self.score)

    @cached_property
    def pitched(self) -> NoteArray:
        """All notes but drums."""
        return self.notes[self.notes["program"] >= 0]

    @cached_property
    def pitch_classes(self) -> NDArray[np.float64]:
        """(12,) how many notes each pitch class has."""
        return np.bincount(self.pitched["pitch"] % 12, minlength=12).astype(np.float64)

    @cached_property
    def steps(self) -> Ints:
        """The different onsets, in steps, ascending; drums count."""
        return np.unique(nearest(self.notes["onset"] * (GRID / self.ticks)))

    @cached_property
    def edges(self) -> Ints:
        """See `bar_edges`."""
        return bar_edges(self.score, self.notes)

    @cached_property
    def placed(self) -> Placed:
        """The notes on the grids of their bars; one played just before a bar line belongs to the bar after it."""
        notes, edges = self.notes, self.edges
        scale = GRID / self.ticks
        steps = np.maximum(nearest(np.diff(edges) * scale), 1)
        bar = np.searchsorted(edges, notes["onset"], side="right") - 1
        step = nearest((notes["onset"] - edges[bar]) * scale)
        early = (step >= steps[bar]) & (bar + 1 < len(steps))
        bar, step = np.where(early, bar + 1, bar), np.where(early, 0, step)
        pitch = notes["pitch"].astype(np.int64) + np.where(notes["program"] < 0, 128, 0)
        return Placed(bar, np.minimum(step, steps[bar] - 1), pitch, steps)

    @cached_property
    def sounding(self) -> Sounding:
        """What sounds at each onset of a note with a pitch; each note sounds for a step at least."""
        scale = GRID / self.ticks
        begin = nearest(self.pitched["onset"] * scale)
        end = np.maximum(nearest((self.pitched["onset"] + self.pitched["duration"]) * scale), begin + 1)
        pitch = self.pitched["pitch"].astype(np.int64)
        pitch -= pitch.min(initial=127)
        onsets = np.unique(begin)
        shape = len(onsets) + 1, int(pitch.max(initial=-1)) + 1
        first, last = np.searchsorted(onsets, begin), np.searchsorted(onsets, end)
        begins = np.bincount(first * shape[1] + pitch, minlength=shape[0] * shape[1]).reshape(shape)
        ends = np.bincount(last * shape[1] + pitch, minlength=shape[0] * shape[1]).reshape(shape)
        sounds = np.cumsum(begins - ends, axis=0)[:-1] > 0
        return Sounding(sounds, begins[:-1] > 0)

    def beats(self, ticks: float) -> float:
        """Ticks as beats."""
        return ticks / self.ticks


def nearest(x: NDArray[np.floating[Any]]) -> Ints:
    """The nearest whole numbers; halves go up."""
    return np.asarray(np.floor(x + 0.5), dtype=np.int64)
