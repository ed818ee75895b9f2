"""Models: what a model is.

A model is a probability distribution over windows of encoded music, made from its settings and the *spec* of what a
codec emits; it never knows the codec. It learns by `loss` (a gradient step at a time, in `training`) or by `Counted`
(one pass over the music), and it is handed over to playing by `export`, after which neither torch nor the model's own
file is needed. Laws that every model keeps are in `tests/test_model_laws.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from partimento.discovery import class_named, names_in


class Batch(NamedTuple):
    """Windows of music.

    Attributes:
        x: (B, T) ids (int64) or (B, T, C, P) grids (float32). Of ids, the first of each window is context only (`bos`
            at a piece's beginning) and x[:, 1:] is what is predicted; of grids, every frame is, the first of a window
            from silence.
        mask: (B, T) bool, True where x is to be predicted: False for a window's first id, for what is only context
            before the predicted part (held-out windows overlap), and for the padding after it.
        begin: (B,) int64, the place of x[:, 0] in its piece (ids from `bos`, frames from the first); None where each
            window begins its piece.
        weight: (B, T) float32, how much each predicted position counts in the loss; None where all count alike.
            Likelihoods and held-out figures know no weights.
    """

    x: Tensor
    mask: Tensor
    begin: Tensor | None = None
    weight: Tensor | None = None


class Model(ABC):
    """A distribution over windows of music, made as `Lstm(Lstm.Settings(...), spec)`.

    Models that learn by gradient are `torch.nn.Module`s as well. A wrong kind of spec is refused at once, with
    `InvalidSettings`.
    """

    name: ClassVar[str]
    player: ClassVar[str]  # the module of `partimento.players` that plays what `export` writes
    Settings: ClassVar[type[Any]]
    Spec: ClassVar[type[Any]]
    additions: ClassVar[tuple[str, ...]] = ()  # what names begin with of weights that change nothing until they learn
    additional: ClassVar[tuple[str, ...]] = ()  # the settings that bring such weights
    settings: Any
    spec: Any

    @abstractmethod
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that was learnt, by name, for the bundle's `model.safetensors`."""

    @abstractmethod
    def load_arrays(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `arrays` gave."""

    @abstractmethod
    def export(self, folder: Path) -> str:
        """Write what its player needs (ONNX graphs, arrays) into an existing empty folder.

        Returns:
            The name of the player, a module of `partimento.players`.
        """


@runtime_checkable
class Learns(Protocol):
    """A model that learns by gradient."""

    def sides(self) -> dict[str, list[torch.nn.Parameter]]:
        """Parameters by the side that trains them: one side for most models, two (generator, critic) for a GAN."""

    def loss(self, batch: Batch, side: str) -> dict[str, Tensor]:
        """Scalars by name; "loss" (nats for each predicted position, where there is a likelihood) is minimised.

        Token models add "accuracy", the share of positions at which the likeliest id is the right one.
        """


@runtime_checkable
class Counted(Protocol):
    """A model that learns by counting, in one pass."""

    def count(self, pieces: Iterable[NDArray[np.int64]]) -> None:
        """Learn from whole encoded pieces, each (T,) with `bos` first and `eos` last."""


@runtime_checkable
class Likelihood(Protocol):
    """A model that can say how likely music is; `exact` is False where the figure is a lower bound."""

    exact: ClassVar[bool]

    def log_likelihood(self, batch: Batch) -> Tensor:
        """(B,) nats: the log probability of all that is predicted in each window, given its context."""


@runtime_checkable
class Judged(Protocol):
    """A model without a likelihood that has another figure to choose weights by, such as a reconstruction error."""

    figure: ClassVar[str]
    """What is measured, in a few words, e.g. "nats of pseudo-likelihood a frame"."""

    def judge(self, batch: Batch) -> Tensor:
        """(B,) summed over what is predicted in each window; less is better."""


@runtime_checkable
class Phrased(Protocol):
    """A grid model of phrases of one length, seen whole: its windows are `steps` frames, filled up with silence.

    Held-out pieces are cut into phrases end to end; windows to learn from begin at any multiple of `align` frames.
    """

    steps: int
    align: int


@runtime_checkable
class Predicts(Protocol):
    """A token model that can look back on the whole window and gives the distribution of each next id, exactly.

    One that can look back on `n` ids only has an attribute `context = n`.
    """

    def predict(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Log probability of each id given those before it, and whether it was the likeliest.

        Returns:
            (B, T-1) nats for x[:, 1:], 0 where the mask is False, and (B, T-1) bool, False there.
        """


def likelihood_kind(model: Model | type[Model]) -> str:
    """What a model's likelihood is: "exact", "bound" (a lower one), or "none"."""
    kind = model if isinstance(model, type) else type(model)
    return ("exact" if getattr(kind, "exact", True) else "bound") if hasattr(kind, "log_likelihood") else "none"


def held_out_figure(model: Model, *, weighted: bool = False) -> str:
    """What a model's held-out loss is, where what it learns by is another figure; empty where they are the same.

    Args:
        model: which.
        weighted: whether some ids count more than others while it learns.
    """
    if isinstance(model, Judged):
        return model.figure
    if likelihood_kind(model) == "bound":
        return "nats, a bound with the KL in full"
    return "nats, every id alike" if weighted else ""


def models() -> dict[str, type[Model]]:
    """Every model by name: one for each module of `partimento.models`."""
    return {name: model_named(name) for name in names_in("partimento.models")}


def model_named(name: str) -> type[Model]:
    """The model of that name, importing no other.

    Raises:
        InvalidSettings: there is none; names those that there are.
    """
    found: type[Model] = class_named("partimento.models", name, Model, "model")
    return found
