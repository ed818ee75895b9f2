"""A Markov chain of variable order: n-grams with back-off, learnt by counting; what every network must beat.

Markov chains composed the first computer music (Hiller and Isaacson 1957, "Illiac Suite", fourth movement). The
counting and the smoothing, with their sources, are in `ngrams`; here is what makes a model of them. An exact
distribution: every id that music can hold has some probability, so any piece has a likelihood.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from partimento.codec import TokenSpec
from partimento.errors import InvalidBundle, InvalidSettings, TooLittleMusic
from partimento.model import Batch, Model
from partimento.ngrams import Ngrams
from partimento.settings import settings

ROOM = 1 << 22  # probabilities computed at once


class Markov(Model):
    """The next id given the `order - 1` ids before it."""

    name: ClassVar[str] = "markov"
    player: ClassVar[str] = "counts"
    Spec: ClassVar[type[Any]] = TokenSpec
    exact: ClassVar[bool] = True

    @settings
    class Settings:
        """How far the model looks back."""

        order: Annotated[int, Field(ge=1, le=64)] = 8
        """Ids in the longest n-gram; more predict a little better, and copy more from what was learnt."""

    def __init__(self, settings: Settings, spec: TokenSpec) -> None:
        if not isinstance(spec, TokenSpec):
            raise InvalidSettings(f"The model 'markov' learns ids, and this codec gives {type(spec).__name__}.")
        self.settings = settings
        self.spec = spec
        self.ngrams: Ngrams | None = None

    def count(self, pieces: Iterable[NDArray[np.int64]]) -> None:
        """Learn from whole encoded pieces, each (T,) with `bos` first and `eos` last.

        Raises:
            TooLittleMusic: there is no piece.
        """
        kept = list(pieces)
        if not kept:
            raise TooLittleMusic("There is no piece to learn from.")
        never = (self.spec.pad, self.spec.bos)
        self.ngrams = Ngrams.count(kept, self.spec.vocab_size, self.settings.order, never)

    def _counted(self) -> Ngrams:
        if self.ngrams is None:
            raise RuntimeError("this model has not counted anything yet")
        return self.ngrams

    def predict(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Log probabilities (B, T-1) of x[:, 1:], and whether each was the likeliest."""
        ngrams = self._counted()
        x, asked = batch.x.cpu().numpy(), batch.mask[:, 1:].cpu().numpy()
        length = self.settings.order - 1
        before = np.pad(x, ((0, 0), (length, 0)), constant_values=-1)
        contexts = np.lib.stride_tricks.sliding_window_view(before[:, 1:], length, axis=1) if length else None
        row, time = np.nonzero(asked)
        nats, hits = np.zeros(asked.shape, dtype=np.float32), np.zeros(asked.shape, dtype=bool)
        at_once = max(1, ROOM // self.spec.vocab_size)
        for first in range(0, len(row), at_once):
            r, t = row[first : first + at_once], time[first : first + at_once]
            context = contexts[r, t] if contexts is not None else np.zeros((len(r), 0), dtype=np.int64)
            p = ngrams.distribution(context)
            target = x[r, t + 1]
            with np.errstate(divide="ignore"):  # ids that are never predicted have no probability
                nats[r, t] = np.log(p[np.arange(len(r)), target])
            hits[r, t] = p.argmax(1) == target
        return torch.from_numpy(nats), torch.from_numpy(hits)

    def log_likelihood(self, batch: Batch) -> Tensor:
        """(B,) nats of all that is predicted in each window."""
        return self.predict(batch)[0].sum(1)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The counts, smoothed."""
        return self._counted().arrays()

    def load_arrays(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `arrays` gave.

        Raises:
            InvalidBundle: they are not that.
        """
        try:
            self.ngrams = Ngrams.from_arrays(arrays)
            if self.ngrams.vocab_size != self.spec.vocab_size or len(self.ngrams.levels) > self.settings.order:
                raise ValueError("they are of another vocabulary or order")
        except ValueError as error:
            raise InvalidBundle(f"These counts cannot be used: {error}.") from error

    def export(self, folder: Path) -> str:
        """Write `counts.safetensors` and `player.json` for the player `counts`."""
        safetensors.numpy.save_file(self.arrays(), folder / "counts.safetensors")
        facts = {"player": "counts", "vocab_size": self.spec.vocab_size}
        (folder / "player.json").write_text(json.dumps(facts, indent=1))
        return "counts"
