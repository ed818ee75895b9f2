"""The player of Transformers: one ONNX graph, one id in, the logits of the next out; keys and values stay in place.

Reads two files of a folder and nothing else: `player.json`

    {"player": "attention", "vocab_size": V, "pad": 0, "places": true or false, "lags": [...], "attention": {...}}

with the tower of attention as `caches.Attending` has it, and `step.onnx`, with the inputs `ids` (B,) int64, and as far
as `player.json` says, `place` (1,) int64, the id's place in its piece, and `echoes` (B, lags) int64, the ids that stood
a lag before the next; with the output `logits` (B, V) float32; and with what `caches` keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.caches import Attending, Cache, Playing, described
from partimento.graphs import LARGEST_STATE, LARGEST_VOCABULARY, Graph
from partimento.settings import settings

Numbers = NDArray[np.float32]


@settings
class Settings:
    """Nothing can be set."""


@dataclass(frozen=True)
class _Described:
    """What `player.json` says."""

    vocab_size: int
    pad: int
    places: bool
    lags: tuple[int, ...]
    attention: Attending

    def __post_init__(self) -> None:
        object.__setattr__(self, "lags", tuple(self.lags))  # a list in the file
        if not all(type(size) is int and size > 0 for size in (self.vocab_size, *self.lags)):
            raise ValueError("a size is no whole number above 0")
        if type(self.pad) is not int or not 0 <= self.pad < self.vocab_size:
            raise ValueError("pad is no id")
        if self.vocab_size > LARGEST_VOCABULARY or max(self.lags, default=0) > LARGEST_STATE:
            raise ValueError("it asks for more memory than any model here needs")


class State:
    """What is kept of pieces side by side; steps change it."""

    def __init__(self, graph: Graph, shape: _Described, batch: int) -> None:
        self._shape = shape
        self._ids = np.full((batch, max(shape.lags, default=1)), shape.pad, np.int64)  # the newest at the end
        self._make_arrays(batch)
        self._cache = Cache(graph, shape.attention, batch, self._inputs, {"logits": self._logits})

    def _make_arrays(self, batch: int) -> None:
        shape = self._shape
        self._logits = np.zeros((batch, shape.vocab_size), np.float32)
        self._inputs: dict[str, NDArray[Any]] = {"ids": np.zeros(batch, np.int64)}
        if shape.places:
            self._inputs["place"] = np.zeros(1, np.int64)
        if shape.lags:
            self._inputs["echoes"] = np.zeros((batch, len(shape.lags)), np.int64)

    def step(self, ids: NDArray[np.int64]) -> Numbers:
        """Take ids (B,) and give the logits (B, V) of the next."""
        self._ids = np.concatenate([self._ids[:, 1:], ids[:, None]], 1)
        self._inputs["ids"][:] = ids
        if self._shape.places:
            self._inputs["place"][:] = self._cache.place
        if self._shape.lags:
            self._inputs["echoes"][:] = self._ids[:, [-lag for lag in self._shape.lags]]
        self._cache.step()
        return self._logits.copy()

    def hear(self, ids: NDArray[np.int64]) -> None:
        """Take some ids for each piece, (B, T)."""
        for column in ids.T:
            self.step(column)

    def narrow(self, rows: NDArray[np.int64]) -> None:
        """Go on with the pieces at `rows` alone."""
        self._ids = self._ids[rows]
        self._make_arrays(len(rows))
        self._cache.narrow(rows, self._inputs, {"logits": self._logits})


def open_player(folder: Path, settings: Settings | None = None, threads: int = 1) -> Playing[State]:  # noqa: ARG001
    """Open `player.json` and `step.onnx` of a bundle's `player` folder.

    Args:
        folder: holds the two files.
        settings: there are none.
        threads: for each step.

    Raises:
        InvalidBundle: a file is missing or is not what it should be; says which.
    """
    shape = described(folder / "player.json", "attention", _Described)
    takes = {"ids": ("int64", (None,)), **shape.attention.takes}
    if shape.places:
        takes["place"] = ("int64", (1,))
    if shape.lags:
        takes["echoes"] = ("int64", (None, len(shape.lags)))
    gives = {"logits": ("float32", (None, shape.vocab_size)), **shape.attention.gives}
    graph = Graph(folder / "step.onnx", takes, gives, threads)
    return Playing(lambda batch: State(graph, shape, batch))
