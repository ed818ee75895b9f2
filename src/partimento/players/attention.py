"""The player of Transformers: one ONNX graph, one id in, the logits of the next out; keys and values stay in place.

Reads two files of a folder and nothing else: `player.json`

    {"player": "attention", "vocab_size": V, "pad": 0, "places": true or false, "lags": [...], "attention": {...}}

with the tower of attention as `caches.Attending` has it, and `step.onnx`, with the inputs `ids` (B,) int64, and as far
as `player.json` says, `place` (1,) int64, the id's place in its piece, and `echoes` (B, lags) int64, the ids that stood
a lag before the next; with the output `logits` (B, V) float32; and with what `caches` keeps.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.caches import Attending, Cache
from partimento.errors import InvalidBundle
from partimento.graphs import LARGEST_STATE, Graph, first_line
from partimento.settings import settings

LARGEST_VOCABULARY = 1 << 20

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
        if not all(type(size) is int and size > 0 for size in (self.vocab_size, *self.lags)):
            raise ValueError("a size is no whole number above 0")
        if type(self.pad) is not int or not 0 <= self.pad < self.vocab_size:
            raise ValueError("pad is no id")
        if max(self.vocab_size, 0) > LARGEST_VOCABULARY or max(self.lags, default=0) > LARGEST_STATE:
            raise ValueError("it asks for more memory than any model here needs")


class State:
    """What is kept of pieces side by side; steps change it."""

    def __init__(self, graph: Graph, described: _Described, batch: int) -> None:
        self._described = described
        self._ids = np.full((batch, max(described.lags, default=1)), described.pad, np.int64)  # the newest at the end
        self._make_arrays(batch)
        self._cache = Cache(graph, described.attention, batch, self._inputs, {"logits": self._logits})

    def _make_arrays(self, batch: int) -> None:
        described = self._described
        self._logits = np.zeros((batch, described.vocab_size), np.float32)
        self._inputs: dict[str, NDArray[Any]] = {"ids": np.zeros(batch, np.int64)}
        if described.places:
            self._inputs["place"] = np.zeros(1, np.int64)
        if described.lags:
            self._inputs["echoes"] = np.zeros((batch, len(described.lags)), np.int64)

    def step(self, ids: NDArray[np.int64]) -> Numbers:
        """Take ids (B,) and give the logits (B, V) of the next."""
        self._ids = np.concatenate([self._ids[:, 1:], ids[:, None]], 1)
        self._inputs["ids"][:] = ids
        if self._described.places:
            self._inputs["place"][:] = self._cache.place
        if self._described.lags:
            self._inputs["echoes"][:] = self._ids[:, [-lag for lag in self._described.lags]]
        self._cache.step()
        return self._logits.copy()

    def narrow(self, rows: NDArray[np.int64]) -> None:
        """Go on with the pieces at `rows` alone."""
        self._ids = self._ids[rows]
        self._make_arrays(len(rows))
        self._cache.narrow(rows, self._inputs, {"logits": self._logits})


class Attention:
    """Plays one exported Transformer; a `Stepper` whose batch can be narrowed."""

    def __init__(self, graph: Graph, described: _Described) -> None:
        self._graph = graph
        self._described = described

    def start(self, batch: int) -> State:
        """What is kept before the first id, for `batch` pieces side by side."""
        return State(self._graph, self._described, batch)

    def step(self, ids: NDArray[np.int64], state: State) -> tuple[Numbers, State]:
        """Take one id for each piece, (B,), and give the logits of the next, (B, V); the state is changed in place.

        Raises:
            InvalidBundle: the graph fails.
        """
        return state.step(ids), state

    def narrow(self, state: State, rows: NDArray[np.int64]) -> State:
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
    described = _described(folder / "player.json")
    takes = {"ids": ("int64", (None,)), **described.attention.takes}
    if described.places:
        takes["place"] = ("int64", (1,))
    if described.lags:
        takes["echoes"] = ("int64", (None, len(described.lags)))
    gives = {"logits": ("float32", (None, described.vocab_size)), **described.attention.gives}
    return Attention(Graph(folder / "step.onnx", takes, gives, threads), described)


def _described(path: Path) -> _Described:
    """What `player.json` says.

    Raises:
        InvalidBundle: it is missing or says nothing that can be.
    """
    try:
        document = json.loads(path.read_bytes())
        if document.pop("player") != "attention":
            raise ValueError("it does not describe a player of attention")
        parts = {"lags": tuple(document["lags"]), "attention": Attending(**document["attention"])}
        return _Described(**{**document, **parts})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidBundle(f"player/player.json of this bundle cannot be used: {first_line(error)}.") from error
