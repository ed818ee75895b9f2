"""The player of models that go step by step: one ONNX graph, one id in, the logits of the next and a new state out.

Reads two files of a folder and nothing else: `player.json`

    {"player": "step", "vocab_size": V, "states": {NAME: {"shape": [...], "dtype": "float32"}, ...}}

and `step.onnx`, with the inputs `ids` (B,) int64 and each state NAME (B, *shape), and the outputs `logits` (B, V)
float32 and each `next_NAME` (B, *shape). A piece begins with every state 0. A state of a few kilobytes is passed by a
plain run: binding it in place was no faster (3×512 LSTM, one thread: 564 µs a step against 599).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.errors import InvalidBundle
from partimento.graphs import DTYPES, LARGEST_STATE, LARGEST_VOCABULARY, Graph, first_line
from partimento.settings import settings

State = dict[str, NDArray[Any]]


@settings
class Settings:
    """Nothing can be set."""


class Step:
    """Plays one exported step model; a `Stepper` whose batch can be narrowed."""

    def __init__(self, graph: Graph, states: dict[str, tuple[tuple[int, ...], str]]) -> None:
        self._graph = graph
        self._states = states

    def start(self, batch: int) -> State:
        """The state before the first id, for `batch` pieces side by side."""
        return {name: np.zeros((batch, *shape), dtype) for name, (shape, dtype) in self._states.items()}

    def step(self, ids: NDArray[np.int64], state: State) -> tuple[NDArray[np.float32], State]:
        """Take one id for each piece, (B,), and give the logits of the next, (B, V), and the state after it.

        Raises:
            InvalidBundle: the graph fails.
        """
        found = self._graph.run({"ids": ids, **state})
        return found["logits"], {name: found[f"next_{name}"] for name in self._states}

    def narrow(self, state: State, rows: NDArray[np.int64]) -> State:
        """The state of the pieces at `rows` alone."""
        return {name: value[rows] for name, value in state.items()}


def open_player(folder: Path, settings: Settings | None = None, threads: int = 1) -> Step:  # noqa: ARG001
    """Open `player.json` and `step.onnx` of a bundle's `player` folder.

    Args:
        folder: holds the two files.
        settings: there are none.
        threads: for each step.

    Raises:
        InvalidBundle: a file is missing or is not what it should be; says which.
    """
    vocab_size, states = _described(folder / "player.json")
    takes = {name: (dtype, (None, *shape)) for name, (shape, dtype) in states.items()}
    gives = {f"next_{name}": value for name, value in takes.items()}
    graph = Graph(
        folder / "step.onnx",
        {"ids": ("int64", (None,)), **takes},
        {"logits": ("float32", (None, vocab_size)), **gives},
        threads,
    )
    return Step(graph, states)


def _described(path: Path) -> tuple[int, dict[str, tuple[tuple[int, ...], str]]]:
    """The vocabulary's size and each state's shape and dtype, from `player.json`."""
    try:
        document = json.loads(path.read_bytes())
        vocab_size = document["vocab_size"]
        states = {name: (tuple(s["shape"]), s["dtype"]) for name, s in document["states"].items()}
        sizes = [vocab_size, *(size for shape, _ in states.values() for size in shape)]
        if document["player"] != "step" or not all(type(size) is int and size > 0 for size in sizes):
            raise ValueError("it does not describe a step player")
        if vocab_size > LARGEST_VOCABULARY or sum(np.prod(s, dtype=float) for s, _ in states.values()) > LARGEST_STATE:
            raise ValueError("it asks for more memory than any model here needs")
        if not {dtype for _, dtype in states.values()} <= DTYPES.keys():
            raise ValueError(f"a state is none of {', '.join(DTYPES)}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidBundle(f"player/player.json of this bundle cannot be used: {first_line(error)}.") from error
    return vocab_size, states
