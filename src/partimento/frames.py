"""Frames: from logits to the cells of a grid, what a player of grids is, and the guards of grids; numpy alone.

A cell is silent, held or struck (see `layers`): whether it sounds is drawn first, and whether it is struck where it
sounds. Each frame is mended before the next is made: what begins to sound is struck, whatever a model says; and guards
see to it that a note held too long ends, and that after too long a silence the likeliest cell is struck. Leaves out:
loudness.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from partimento.codec import Request, RollSpec
from partimento.sampling import Sampling

Grid = NDArray[np.float32]


class GridPlayer(Protocol):
    """A model that makes grids; what `frame`, `gibbs` and `graph` players are.

    Attributes:
        steps: how many frames it makes at a time: 1, or a phrase.
        hears: whether it can go on from what came before.
        align: it goes on at multiples of this many frames.
    """

    steps: int
    hears: bool
    align: int

    def play(self, rngs: Sequence[np.random.Generator], heard: Grid, sampling: Sampling) -> Iterator[tuple[Grid, Grid]]:
        """Make frames without end.

        Args:
            rngs: B generators, one for each piece; nothing else is drawn from.
            heard: (T, C, P) what came before, the same for all pieces; T is 0 at a piece's beginning.
            sampling: `temperature` holds for each cell; 0 takes the likelier. The rest means nothing here.

        Yields:
            Cells of 0 and 1, (B, steps, C, P), and how probable each 1 was. Whoever takes the cells may change them in
            place (guards do) before asking for the next, which then follow from what was changed.
        """


def planes(channels: int) -> tuple[int | None, int]:
    """The planes of onset (None where there is none) and sustain."""
    return (None, 0) if channels == 1 else (0, 1)


def sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def draw_cells(logits: Grid, chance: Grid, temperature: float, axis: int = -2) -> tuple[Grid, Grid]:
    """Cells from their logits.

    Args:
        logits: (..., C, P) of each plane: that the cell sounds, and that it is struck if it sounds.
        chance: the same shape, uniform in [0, 1): what decides.
        temperature: 0 takes the likelier.
        axis: where the planes are; -1 for the (..., C) of one pitch.

    Returns:
        0 and 1, an onset only where there is sustain, and the probability of each 1, that of an onset being the
        probability that the cell sounds and is struck; both the same shape.

    Example:
        >>> cells, p = draw_cells(np.array([[2.0], [2.0]], np.float32), np.full((2, 1), 0.8, np.float32), 1.0)
        >>> cells.tolist(), [round(float(v), 2) for v in p[:, 0]]
        ([[1.0], [1.0]], [0.78, 0.88])
    """
    p = sigmoid(logits / temperature) if temperature else (logits > 0).astype(np.float32)
    cells = (chance < p).astype(np.float32)
    onset, sustain = planes(logits.shape[axis])
    if onset is not None:
        for array in (cells, p):
            struck, sounds = np.moveaxis(array, axis, 0)[onset], np.moveaxis(array, axis, 0)[sustain]
            struck *= sounds
    return cells, p.astype(np.float32)


class FrameGuard:
    """What mends the frames of one piece, and keeps it from stuck notes and long silences.

    Attributes:
        acted: how often each guard acted, by its name ("silence", "stuck note").
    """

    def __init__(self, spec: RollSpec, request: Request) -> None:
        self.acted: Counter[str] = Counter()
        self._onset, self._sustain = planes(spec.channels)
        self._most_held = max(1, round(request.longest_note * spec.steps_per_beat))
        self._most_silent = max(1, round(request.longest_silence * spec.steps_per_beat))
        self._held = np.zeros(spec.pitches, dtype=np.int64)  # steps for which each pitch has sounded
        self._silent = 0

    def take(self, frame: Grid, p: Grid | None = None) -> None:
        """Take the next frame, (C, P), and mend it in place.

        Args:
            frame: 0 and 1.
            p: (C, P) how probable each 1 was; None for a prompt's frame, which is taken as it is.
        """
        if p is not None:
            self._mend(frame, p)
        sounds, struck = self._planes(frame)
        self._held = np.where(sounds, np.where(struck, 1, self._held + 1), 0)
        self._silent = 0 if sounds.any() else self._silent + 1

    def _planes(self, frame: Grid) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        sounds = frame[self._sustain] > 0
        return sounds, frame[self._onset] > 0 if self._onset is not None else sounds & (self._held == 0)

    def _mend(self, frame: Grid, p: Grid) -> None:
        sounds, struck = self._planes(frame)
        stuck = sounds & ~struck & (self._held >= self._most_held)
        if stuck.any():
            frame[:, stuck] = 0
            self.acted["stuck note"] += int(stuck.sum())
        if self._onset is not None:
            frame[self._onset, sounds & ~stuck & (self._held == 0)] = 1
        if self._silent >= self._most_silent and not frame[self._sustain].any():
            frame[:, int(np.where(stuck, -1, p[self._sustain]).argmax())] = 1
            self.acted["silence"] += 1
