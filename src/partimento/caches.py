"""Caches: keys and values that attention keeps, read and written where they lie; numpy and onnxruntime.

A graph that attends (`blocks.Tower.export`) takes `held` (1,) int64, how many places are kept, `keysN` and `valuesN`
(B, H, P, D) float32 of each block N, and where positions are turned, `cosine` and `sine` of the new place's angles,
(1, D/2), or (B, D/2) where they know each piece's time; it gives `next_keysN` and `next_valuesN`. It adds the new key
and value to their buffers and copies nothing (onnxruntime's GroupQueryAttention, with its input and its output bound to
the same memory). A buffer grows as the piece does, up to the context and some room; when that is full, the last of the
context go to the front. So memory is flat however long the piece is, and no step copies what it keeps.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from partimento.errors import InvalidBundle
from partimento.graphs import LARGEST_STATE, Bound, Graph, Values, first_line

SLOWEST = 10_000.0  # the longest wavelength of the rotary positions, in places, over 2 pi
SHORTEST, OCTAVES = 0.25, 12  # wavelengths by time: from a sixteenth note up to 2^12 of them
ROOM = 256  # places more than the context that buffers have
FIRST = 128  # places that buffers begin with

Positions = Literal["rotary", "time", "distance"]
"""How places know what lies how far back; see `blocks.Shape`."""
Times = NDArray[np.float64]
"""When places are, in quarter notes."""
Arrays = Mapping[str, NDArray[Any]]
D = TypeVar("D")


@dataclass(frozen=True)
class Attending:
    """A tower of attention, as a bundle says it: what its graph takes and gives beside what is its model's own.

    Raises:
        ValueError: it says something that cannot be.
    """

    layers: int
    heads: int
    size: int
    context: int
    positions: Positions
    room: int = ROOM

    def __post_init__(self) -> None:
        sizes = (self.layers, self.heads, self.size, self.context, self.room)
        if not all(type(size) is int and size > 0 for size in sizes) or self.size % 2:
            raise ValueError("a size is no whole number above 0")
        if self.positions not in get_args(Positions):
            raise ValueError("positions are rotary, by time or by distance")
        if self.positions == "time" and self.size % 4:
            raise ValueError("half of what positions turn cannot be turned by time")
        if 2 * self.layers * self.heads * self.size * self.most > LARGEST_STATE:
            raise ValueError("it asks for more memory than any model here needs")

    @property
    def most(self) -> int:
        """Places in a buffer that has grown to its full length."""
        return self.context + self.room

    @property
    def takes(self) -> dict[str, tuple[str, tuple[int | None, ...]]]:
        """What a graph takes beside its own inputs, for `Graph`."""
        rows = None if self.positions == "time" else 1
        turns: Values = dict.fromkeys(("cosine", "sine"), ("float32", (rows, self.size // 2)))
        return {"held": ("int64", (1,)), **({} if self.positions == "distance" else turns), **self._buffers("")}

    @property
    def gives(self) -> dict[str, tuple[str, tuple[int | None, ...]]]:
        """What a graph gives beside its own outputs."""
        return self._buffers("next_")

    def _buffers(self, prefix: str) -> dict[str, tuple[str, tuple[int | None, ...]]]:
        names = [f"{prefix}{kind}{number}" for number in range(self.layers) for kind in ("keys", "values")]
        return dict.fromkeys(names, ("float32", (None, self.heads, None, self.size)))


class Cache:
    """A graph that attends, with what it keeps of pieces side by side; steps change it.

    Args:
        graph: takes and gives `Attending.takes` and `gives`, and more.
        shape: of its tower.
        batch: pieces side by side.
        inputs: what else it takes; read anew at each step.
        outputs: what else it gives; written anew at each step.
    """

    def __init__(self, graph: Graph, shape: Attending, batch: int, inputs: Arrays, outputs: Arrays) -> None:
        self.place = 0  # of the next id in its piece
        self._graph = graph
        self._shape = shape
        self._held = np.zeros(1, np.int64)
        self._make_turn(batch)
        size = (batch, shape.heads, min(FIRST, shape.most), shape.size)
        self._buffers = [np.zeros(size, np.float32) for _ in range(2 * shape.layers)]
        self._bind(inputs, outputs)

    def _make_turn(self, batch: int) -> None:
        rows = batch if self._shape.positions == "time" else 1
        count = 0 if self._shape.positions == "distance" else 2
        self._turn = [np.zeros((rows, self._shape.size // 2), np.float32) for _ in range(count)]

    def _bind(self, inputs: Arrays, outputs: Arrays) -> None:
        self._inputs, self._outputs = inputs, outputs
        arrays: list[NDArray[Any]] = [self._held, *self._turn, *self._buffers]
        kept: Arrays = dict(zip(self._shape.takes, arrays, strict=True))
        grown: Arrays = dict(zip(self._shape.gives, self._buffers, strict=True))
        self._bound: Bound = self._graph.bound({**inputs, **kept}, {**outputs, **grown})

    def step(self, times: Times | None = None) -> None:
        """Run the graph for one place more.

        Args:
            times: (B,) when it is, for positions that know it.

        Raises:
            InvalidBundle: the graph fails.
        """
        shape = self._shape
        if self._held[0] == self._buffers[0].shape[2]:
            self._make_room()
        if self._turn:
            angle = angles(shape, np.array([self.place]), None if times is None else times[:, None])[..., 0, :]
            self._turn[0][:], self._turn[1][:] = np.cos(angle), np.sin(angle)
        self._bound.run()
        self.place += 1
        self._held += 1

    def _make_room(self) -> None:
        """Let the buffers grow or, where they may not, forget what lies out of reach."""
        held, most, reach = int(self._held[0]), self._shape.most, self._shape.context - 1
        if held < most:
            room = min(2 * held, most) - held
            self._buffers = [np.pad(buffer, ((0, 0), (0, 0), (0, room), (0, 0))) for buffer in self._buffers]
            self._bind(self._inputs, self._outputs)
            return
        for buffer in self._buffers:
            buffer[:, :, :reach] = buffer[:, :, held - reach : held].copy()
        self._held[:] = reach

    def narrow(self, rows: NDArray[np.int64], inputs: Arrays, outputs: Arrays) -> None:
        """Go on with the pieces at `rows` alone, with inputs and outputs for so many."""
        self._buffers = [np.ascontiguousarray(buffer[rows]) for buffer in self._buffers]
        self._make_turn(len(rows))
        self._bind(inputs, outputs)


def angles(shape: Attending, places: NDArray[np.int64], times: Times | None) -> NDArray[np.float64]:
    """Radians by which the points of queries and keys turn.

    Args:
        shape: of the tower; its positions are turned.
        places: (T,) numbers of the places.
        times: (B, T) when they are; for positions that know it.

    Returns:
        (T, D/2), or (B, T, D/2): the first half by place, the second by time.

    Raises:
        ValueError: positions know the time, and nobody says it.
    """
    if shape.positions != "time":
        return places[:, None] * speeds(shape.size)
    if times is None:
        raise ValueError("positions by time need the times")
    half = speeds(shape.size // 2)
    by_place = np.broadcast_to(places[:, None] * half, (*times.shape, len(half)))
    return np.concatenate([by_place, times[..., None] * speeds_by_time(len(half))], -1)


@functools.cache
def speeds_by_time(count: int) -> NDArray[np.float64]:
    """(count,) radians for each quarter note by which so many points turn."""
    return np.asarray(2 * np.pi / SHORTEST * 2.0 ** -(OCTAVES * np.arange(count) / count))


@functools.cache
def speeds(size: int) -> NDArray[np.float64]:
    """(D/2,) radians for each place by which the D/2 points of queries and keys turn, from 1 down."""
    return np.asarray(SLOWEST ** -(np.arange(0, size, 2) / size))


class InPlace(Protocol):
    """What is kept of pieces side by side, and changed by each step."""

    def step(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Take one id for each piece, (B,), and give the logits of the next, (B, V)."""

    def hear(self, ids: NDArray[np.int64]) -> None:
        """Take some ids for each piece, (B, T), of which nobody asks what comes next."""

    def narrow(self, rows: NDArray[np.int64]) -> None:
        """Go on with the pieces at `rows` alone."""


S = TypeVar("S", bound=InPlace)


class Playing(Generic[S]):
    """Plays a model whose state is changed in place; a `Stepper` that hears and whose batch can be narrowed.

    Args:
        begin: gives the state before the first id, for so many pieces side by side.
    """

    def __init__(self, begin: Callable[[int], S]) -> None:
        self._begin = begin

    def start(self, batch: int) -> S:
        """What is kept before the first id, for `batch` pieces side by side."""
        return self._begin(batch)

    def step(self, ids: NDArray[np.int64], state: S) -> tuple[NDArray[np.float32], S]:
        """Take one id for each piece, (B,), and give the logits of the next, (B, V); the state is the same, changed.

        Raises:
            InvalidBundle: a graph fails.
        """
        return state.step(ids), state

    def hear(self, ids: NDArray[np.int64], state: S) -> S:
        """Take some ids for each piece, (B, T); the state is the same, changed.

        Raises:
            InvalidBundle: a graph fails.
        """
        state.hear(ids)
        return state

    def narrow(self, state: S, rows: NDArray[np.int64]) -> S:
        """The state of the pieces at `rows` alone; it is the same, changed."""
        state.narrow(rows)
        return state


def described(path: Path, player: str, make: Callable[..., D]) -> D:
    """What `player.json` says, its tower of attention among it.

    Args:
        path: the file.
        player: the name of what plays it.
        make: takes what the file says, by name; raises ValueError or TypeError where it cannot be.

    Raises:
        InvalidBundle: it is missing or says nothing that can be.
    """
    try:
        document = json.loads(path.read_bytes())
        if document.pop("player") != player:
            raise ValueError(f"it does not describe what {player} plays")
        return make(**{**document, "attention": Attending(**document["attention"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidBundle(f"player/player.json of this bundle cannot be used: {first_line(error)}.") from error
