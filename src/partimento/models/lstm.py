"""Recurrent networks over ids: RNN (Elman 1990), LSTM (Hochreiter and Schmidhuber 1997) and GRU (Cho et al. 2014).

Eck and Schmidhuber (2002, "A first look at music composition using LSTM recurrent neural networks") composed with
them; the classic Keras tutorials (Skúli 2017 and its many children) are stacks of them over notes and chords, and any
of their stacks can be written here as words: `("cell 512", "dropout 0.3", "cell 512", "dense 256 relu")`. The last
layer to the vocabulary is added. What is done differently:

- Every position is predicted, not the last of each window alone (see `windows`).
- "norm" is layer normalisation (Ba et al. 2016) where the tutorials have batch normalisation: the mean over a batch
  of windows mixes pieces and times, differs between training and playing, and spoils small batches; over a layer it is
  the same in a window and in a single step.
- No recurrent dropout: it forbids the fused cells that are why this trains fast; dropout stands between layers
  (Zaremba et al. 2014).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from partimento.codec import TokenSpec
from partimento.errors import InvalidSettings
from partimento.exporting import FLOAT, OnnxGraph
from partimento.layers import arrays_of, foretold, judged, load_into, start_cell
from partimento.model import Batch, Model
from partimento.settings import settings

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "linear": nn.Identity}
SEGMENT = 1024  # steps of a held-out piece that are run at once; the state is carried from one to the next

State = tuple[tuple[Tensor, ...], ...]
"""For each cell of the stack its hidden state (1, B, H), and for an LSTM its memory (1, B, H) as well."""


class Lstm(nn.Module, Model):
    """A stack of recurrent cells and other layers, from ids to the logits of the next."""

    name: ClassVar[str] = "lstm"
    player: ClassVar[str] = "step"
    Spec: ClassVar[type[Any]] = TokenSpec
    exact: ClassVar[bool] = True

    @settings
    class Settings:
        """The shape of the network."""

        cell: Literal["rnn", "gru", "lstm"] = "lstm"
        """Kind of recurrent cell."""
        input: Literal["embedding", "one-hot", "scalar"] = "embedding"
        """How an id goes in: as a learnt vector, as a 1 among 0s, or (as in the first tutorials) as id / vocabulary."""
        spread: Annotated[float, Field(ge=0, le=100)] = 0.0
        """How far apart the ids of a scalar or one-hot input lie for the first layer as it begins: the deviation of its
        weights. 0 leaves them as small as a layer of many inputs at once has them, to which all ids are nearly one."""
        embedding: int = 256
        """Length of the learnt vector; of no effect with other inputs."""
        stack: tuple[str, ...] = ("dropout 0.2", "cell 512", "dropout 0.3", "cell 512", "dropout 0.3")
        """Layers from the input up, as words: `cell 512`, `dense 256` (or `dense 256 relu`, `tanh`), `dropout 0.3`
        and `norm`."""

        def __post_init__(self) -> None:
            if self.embedding < 1:
                raise ValueError("an embedding is at least 1 long")
            width = 1
            for word in self.stack:
                _, width = _layer(word, width, self.cell)
            if not any(word.split()[:1] == ["cell"] for word in self.stack):
                raise ValueError("a stack needs at least one cell, e.g. 'cell 512'")

    def __init__(self, settings: Settings, spec: TokenSpec) -> None:
        super().__init__()
        if not isinstance(spec, TokenSpec):
            raise InvalidSettings(f"The model 'lstm' learns ids, and this codec gives {type(spec).__name__}.")
        self.settings = settings
        self.spec = spec
        width = {"embedding": settings.embedding, "one-hot": spec.vocab_size, "scalar": 1}[settings.input]
        self.embed = nn.Embedding(spec.vocab_size, width) if settings.input == "embedding" else None
        self.stack = nn.ModuleList()
        for word in settings.stack:
            layer, width = _layer(word, width, settings.cell)
            self.stack.append(layer)
        self.head = nn.Linear(width, spec.vocab_size)
        for layer in self.stack:
            if isinstance(layer, nn.RNNBase):
                start_cell(layer)
        if settings.input != "embedding" and settings.spread:
            _spread(next(layer for layer in self.stack if list(layer.parameters())), settings.spread)

    def hidden(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """What the head reads its logits from.

        Args:
            ids: (B, T).
            state: after the ids before these; None at the beginning.

        Returns:
            (B, T, H), and the state after the last id.
        """
        if self.embed is not None:
            h = self.embed(ids)  # (B, T, E)
        elif self.settings.input == "one-hot":
            h = functional.one_hot(ids, self.spec.vocab_size).float()  # (B, T, V)
        else:
            h = (ids.float() / self.spec.vocab_size)[..., None]  # (B, T, 1)
        before = iter(state or ())
        after: list[tuple[Tensor, ...]] = []
        for layer in self.stack:
            if not isinstance(layer, nn.RNNBase):
                h = layer(h)
            elif isinstance(layer, nn.LSTM):
                h, carried = layer(h, next(before, None))
                after.append(carried)
            else:
                h, one = layer(h, next(before, (None,))[0])
                after.append((one,))
        return h, tuple(after)

    def sides(self) -> dict[str, list[nn.Parameter]]:
        """One side: all parameters."""
        return {"model": list(self.parameters())}

    def loss(self, batch: Batch, side: str = "model") -> dict[str, Tensor]:  # noqa: ARG002 - there is one
        """Mean nats for each predicted id, weighted where ids count unlike, and the share foretold right."""
        h, _ = self.hidden(batch.x[:, :-1])
        asked = batch.mask[:, 1:]
        logits = self.head(h[asked])  # (N, V): padding costs no row of the widest product
        return foretold(logits, batch)

    def predict(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Log probabilities (B, T-1) of x[:, 1:], and whether each was the likeliest; any length, in flat memory."""
        nats, hits, state = [], [], None
        for first in range(0, batch.x.shape[1] - 1, SEGMENT):
            ids = batch.x[:, first : first + SEGMENT + 1]
            asked = batch.mask[:, first + 1 : first + SEGMENT + 1]
            h, state = self.hidden(ids[:, :-1], state)
            nat, hit = judged(self.head.weight, self.head.bias, h.flatten(0, 1), ids[:, 1:].flatten())
            nats.append(torch.where(asked, nat.view_as(asked), 0.0))
            hits.append(hit.view_as(asked) & asked)
        return torch.cat(nats, 1), torch.cat(hits, 1)

    def log_likelihood(self, batch: Batch) -> Tensor:
        """(B,) nats of all that is predicted in each window."""
        return self.predict(batch)[0].sum(1)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every weight by name, float32."""
        return arrays_of(self)

    def load_arrays(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `arrays` gave; refuse the weights of another network."""
        load_into(self, arrays)

    def export(self, folder: Path) -> str:
        """Write one step as an ONNX graph, `step.onnx` and `player.json`, for the player `step`."""
        graph, states = OnnxGraph(), dict[str, tuple[int | str, ...]]()
        h = _begun(graph, self.settings.input, self.embed, self.spec.vocab_size)
        for layer in self.stack:
            if isinstance(layer, nn.RNNBase):
                kept = ("h", "c") if isinstance(layer, nn.LSTM) else ("h",)
                own = [f"{part}{len(states)}" for part in kept]
                states |= dict.fromkeys(own, ("B", layer.hidden_size))
                h = graph.cell(h, layer, own, [f"next_{name}" for name in own])
            elif isinstance(layer, nn.LayerNorm):
                h = graph.layer_norm(h, layer)
            elif isinstance(layer, nn.Sequential):
                h = graph.linear(h, cast(nn.Linear, layer[0]))
                if not isinstance(layer[1], nn.Identity):
                    h = graph.op(type(layer[1]).__name__.capitalize(), h)
        graph.linear(h, self.head, "logits")
        after = {f"next_{name}": shape for name, shape in states.items()}
        logits = ("B", self.spec.vocab_size)
        graph.write(folder / "step.onnx", {"ids": ("B",), **states}, {"logits": logits, **after}, integers=["ids"])
        described = {name: {"shape": list(shape[1:]), "dtype": "float32"} for name, shape in states.items()}
        facts = {"player": "step", "vocab_size": self.spec.vocab_size, "states": described}
        (folder / "player.json").write_text(json.dumps(facts, indent=1))
        return self.player


def _begun(graph: OnnxGraph, kind: str, embed: nn.Embedding | None, vocab_size: int) -> str:
    """What goes into the first layer, (B, E)."""
    if embed is not None:
        return graph.op("Gather", embed.weight, "ids")
    if kind == "one-hot":
        return graph.op("OneHot", "ids", np.array(vocab_size), np.array([0, 1], dtype=np.float32))
    column = graph.op("Unsqueeze", graph.op("Cast", "ids", to=FLOAT), np.array([1]))
    return graph.op("Div", column, np.array(vocab_size, dtype=np.float32))


def _spread(layer: nn.Module, deviation: float) -> None:
    """Begin a layer so that it tells ids apart; over one number in 0..1 each unit by a threshold of its own."""
    weight, bias = [p for name, p in layer.named_parameters() if not name.startswith(("weight_hh", "bias_hh"))]
    with torch.no_grad():
        weight.normal_(0, deviation)
        if weight.shape[1] == 1:
            bias.sub_(weight[:, 0] * torch.rand(len(weight)))


def _layer(words: str, width: int, cell: str) -> tuple[nn.Module, int]:
    """The layer that some words of a stack describe, over `width` inputs, and how wide its output is.

    Raises:
        ValueError: they describe none.
    """
    with contextlib.suppress(ValueError):  # a size or share that is no number is refused like any other word
        match words.split():
            case ["cell", size] if int(size) > 0:
                made: nn.Module = CELLS[cell](width, int(size), batch_first=True)
                return made, int(size)
            case ["dense", size, *rest] if int(size) > 0 and rest in ([], *([name] for name in ACTIVATIONS)):
                activation = ACTIVATIONS[rest[0] if rest else "linear"]()
                return nn.Sequential(nn.Linear(width, int(size)), activation), int(size)
            case ["dropout", share] if 0 <= float(share) < 1:
                return nn.Dropout(float(share)), width
            case ["norm"]:
                return nn.LayerNorm(width), width
    raise ValueError(
        f"{words!r} is no layer; there are 'cell SIZE', 'dense SIZE' (linear, or with 'relu' or 'tanh' after it), "
        f"'dropout SHARE' (0 to 1) and 'norm'"
    )
