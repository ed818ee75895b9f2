"""The player of models that count: n-grams from `counts.safetensors`, on numpy alone (see `ngrams`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from partimento.errors import InvalidBundle
from partimento.ngrams import Ngrams
from partimento.settings import settings as settings_class

State = NDArray[np.int64]
"""(B, K) the last ids of each piece, oldest first; -1 before its beginning."""

UNHEARD_OF = 1e-30  # stands for no probability at all, whose logarithm no sampler could work with


@settings_class
class Settings:
    """Nothing can be set."""


class Counts:
    """Plays n-grams; a `Stepper` whose batch can be narrowed."""

    def __init__(self, ngrams: Ngrams) -> None:
        self._ngrams = ngrams

    def start(self, batch: int) -> State:
        """The state before the first id, for `batch` pieces side by side."""
        return np.full((batch, len(self._ngrams.levels) - 1), -1, dtype=np.int64)

    def step(self, ids: NDArray[np.int64], state: State) -> tuple[NDArray[np.float32], State]:
        """Take one id for each piece, (B,), and give the logits of the next, (B, V), and the state after it."""
        after = np.concatenate([state, ids[:, None]], axis=1)[:, 1:]
        p = self._ngrams.distribution(after)
        return np.log(np.maximum(p, UNHEARD_OF)).astype(np.float32), after

    def narrow(self, state: State, rows: NDArray[np.int64]) -> State:
        """The state of the pieces at `rows` alone."""
        return state[rows]


def open_player(folder: Path, settings: Settings | None = None, threads: int = 1) -> Counts:  # noqa: ARG001 - no use
    """Open `player.json` and `counts.safetensors` of a bundle's `player` folder.

    Raises:
        InvalidBundle: a file is missing or is not what it should be.
    """
    try:
        facts: Any = json.loads((folder / "player.json").read_bytes())
        ngrams = Ngrams.from_arrays(safetensors.numpy.load_file(folder / "counts.safetensors"))
        if facts["player"] != "counts" or facts["vocab_size"] != ngrams.vocab_size:
            raise ValueError("player.json describes another player")
    except (OSError, ValueError, KeyError, TypeError, RecursionError, safetensors.SafetensorError) as error:
        raise InvalidBundle(f"The counts in this bundle's player folder cannot be used: {error}.") from error
    return Counts(ngrams)
