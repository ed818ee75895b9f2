"""The player of Transformers: one ONNX graph, one id in, the logits of the next out; keys and values are kept in place.

Reads two files of a folder and nothing else: `player.json`

    {"player": "attention", "vocab_size": V, "pad": 0, "layers": L, "heads": H, "size": D, "context": C,
     "room": R, "positions": "rotary" or "distance", "places": true or false, "lags": [...]}

and `step.onnx`, with the inputs `ids` (B,) int64, `held` (1,) int64, how many places are kept, `keysN` and `valuesN`
(B, H, P, D) float32 of each layer N, and as far as `player.json` says, `place` (1,) int64, the id's place in its piece,
`echoes` (B, lags) int64, the ids that stood a lag before the next, and `cosine` and `sine` (1, D/2) of the place's
angles; and the outputs `logits` (B, V) float32, `next_keysN` and `next_valuesN`.

The graph adds the new key and value of each layer to one buffer, which is read and written where it lies (onnxruntime's
GroupQueryAttention, and its binding of inputs and outputs to the same memory). A buffer grows as the piece does, up to
the context and R places more; when that is full, the last of the context go to the front. So memory is flat however
long the piece is, and no step copies what it keeps.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.errors import InvalidBundle
from partimento.graphs import LARGEST_STATE, Bound, Graph, first_line
from partimento.settings import settings

LARGEST_VOCABULARY = 1 << 20
SLOWEST = 10_000.0  # as in `models.transformer`
FIRST = 128  # places that buffers begin with

Numbers = NDArray[np.float32]


@settings
class Settings:
    """Nothing can be set."""


@dataclass(frozen=True)
class Shape:
    """What `player.json` says."""

    vocab_size: int
    pad: int
    layers: int
    heads: int
    size: int
    context: int
    room: int
    positions: str
    places: bool
    lags: tuple[int, ...]

    def __post_init__(self) -> None:
        sizes = (self.vocab_size, self.layers, self.heads, self.size, self.context, self.room, *self.lags)
        if not all(type(size) is int and size > 0 for size in sizes) or self.size % 2:
            raise ValueError("a size is no whole number above 0")
        if type(self.pad) is not int or not 0 <= self.pad < self.vocab_size:
            raise ValueError("pad is no id")
        if self.positions not in ("rotary", "distance"):
            raise ValueError("positions are rotary or by distance")
        kept = 2 * self.layers * self.heads * self.size * self.most
        if self.vocab_size > LARGEST_VOCABULARY or max(kept, *self.lags, 0) > LARGEST_STATE:
            raise ValueError("it asks for more memory than any model here needs")

    @property
    def most(self) -> int:
        """Places in a buffer that has grown to its full length."""
        return self.context + self.room


class Cache:
    """What is kept of pieces side by side: keys and values of every layer, and the last ids. Steps change it."""

    def __init__(self, shape: Shape, graph: Graph, batch: int) -> None:
        self.shape = shape
        self.place = 0  # of the next id in its piece
        self.held = 0  # places in the buffers
        self._graph = graph
        self._ids = np.full((batch, max(shape.lags, default=1)), shape.pad, np.int64)  # the last, the newest at the end
        buffer = (batch, shape.heads, min(FIRST, shape.most), shape.size)
        self._buffers = [np.zeros(buffer, np.float32) for _ in range(2 * shape.layers)]
        self._bind()

    def _bind(self) -> None:
        shape, batch = self.shape, len(self._ids)
        self._inputs: dict[str, NDArray[Any]] = {"ids": np.zeros(batch, np.int64), "held": np.zeros(1, np.int64)}
        if shape.places:
            self._inputs["place"] = np.zeros(1, np.int64)
        if shape.lags:
            self._inputs["echoes"] = np.zeros((batch, len(shape.lags)), np.int64)
        if shape.positions == "rotary":
            self._inputs |= {name: np.zeros((1, shape.size // 2), np.float32) for name in ("cosine", "sine")}
        self.logits = np.zeros((batch, shape.vocab_size), np.float32)
        names = [f"{kind}{number}" for number in range(shape.layers) for kind in ("keys", "values")]
        kept = dict(zip(names, self._buffers, strict=True))
        outputs = {"logits": self.logits} | {f"next_{name}": buffer for name, buffer in kept.items()}
        self._bound: Bound = self._graph.bound(self._inputs | kept, outputs)

    def step(self, ids: NDArray[np.int64]) -> Numbers:
        """Take ids (B,) and give the logits (B, V) of the next."""
        shape = self.shape
        if self.held == self._buffers[0].shape[2]:
            self._make_room()
        self._ids = np.concatenate([self._ids[:, 1:], ids[:, None]], 1)
        self._inputs["ids"][:] = ids
        self._inputs["held"][:] = self.held
        if shape.places:
            self._inputs["place"][:] = self.place
        if shape.lags:
            self._inputs["echoes"][:] = self._ids[:, [-lag for lag in shape.lags]]
        if shape.positions == "rotary":
            angle = self.place * SLOWEST ** -(np.arange(0, shape.size, 2) / shape.size)
            self._inputs["cosine"][:], self._inputs["sine"][:] = np.cos(angle), np.sin(angle)
        self._bound.run()
        self.place += 1
        self.held += 1
        return self.logits.copy()

    def _make_room(self) -> None:
        """Let the buffers grow or, where they may not, forget what lies out of reach."""
        most, reach = self.shape.most, self.shape.context - 1
        if self.held < most:
            room = min(2 * self.held, most) - self.held
            self._buffers = [np.pad(buffer, ((0, 0), (0, 0), (0, room), (0, 0))) for buffer in self._buffers]
            self._bind()
            return
        for buffer in self._buffers:
            buffer[:, :, :reach] = buffer[:, :, self.held - reach : self.held].copy()
        self.held = reach

    def narrow(self, rows: NDArray[np.int64]) -> None:
        """Go on with the pieces at `rows` alone."""
        self._ids = self._ids[rows]
        self._buffers = [np.ascontiguousarray(buffer[rows]) for buffer in self._buffers]
        self._bind()


class Attention:
    """Plays one exported Transformer; a `Stepper` whose batch can be narrowed."""

    def __init__(self, graph: Graph, shape: Shape) -> None:
        self._graph = graph
        self._shape = shape

    def start(self, batch: int) -> Cache:
        """What is kept before the first id, for `batch` pieces side by side."""
        return Cache(self._shape, self._graph, batch)

    def step(self, ids: NDArray[np.int64], state: Cache) -> tuple[Numbers, Cache]:
        """Take one id for each piece, (B,), and give the logits of the next, (B, V); the state is changed in place.

        Raises:
            InvalidBundle: the graph fails.
        """
        return state.step(ids), state

    def narrow(self, state: Cache, rows: NDArray[np.int64]) -> Cache:
        """The state of the pieces at `rows` alone."""
        state.narrow(rows)
        return state


def open_player(folder: Path, settings: Settings | None = None, threads: int = 1) -> Attention:  # noqa: ARG001
    """Open `player.json` and `step.onnx` of a bundle's `player` folder.

    Args:
        folder: holds the two files.
        settings: there are none.
        threads: for each step.

    Raises:
        InvalidBundle: a file is missing or is not what it should be; says which.
    """
    shape = _described(folder / "player.json")
    takes: dict[str, tuple[str, tuple[int | None, ...]]] = {"ids": ("int64", (None,)), "held": ("int64", (1,))}
    if shape.places:
        takes["place"] = ("int64", (1,))
    if shape.lags:
        takes["echoes"] = ("int64", (None, len(shape.lags)))
    if shape.positions == "rotary":
        takes |= dict.fromkeys(("cosine", "sine"), ("float32", (1, shape.size // 2)))
    kept = {
        f"{kind}{number}": ("float32", (None, shape.heads, None, shape.size))
        for number in range(shape.layers)
        for kind in ("keys", "values")
    }
    gives = {"logits": ("float32", (None, shape.vocab_size))} | {f"next_{name}": value for name, value in kept.items()}
    return Attention(Graph(folder / "step.onnx", takes | kept, gives, threads), shape)


def _described(path: Path) -> Shape:
    """What `player.json` says.

    Raises:
        InvalidBundle: it is missing or says nothing that can be.
    """
    try:
        document = json.loads(path.read_bytes())
        if document.pop("player") != "attention":
            raise ValueError("it does not describe a player of attention")
        return Shape(**{**document, "lags": tuple(document["lags"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidBundle(f"player/player.json of this bundle cannot be used: {first_line(error)}.") from error
