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
from typing import Any, ClassVar, Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from partimento.codec import TokenSpec
from partimento.errors import InvalidBundle, InvalidSettings
from partimento.model import Batch, Model
from partimento.settings import settings

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "linear": nn.Identity}
SEGMENT = 1024  # steps of a held-out piece that are run at once; the state is carried from one to the next
ROOM = 1 << 22  # logits that are computed at once

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
        embedding: int = 256
        """Length of the learnt vector; of no effect with other inputs."""
        stack: tuple[str, ...] = ("dropout 0.2", "cell 512", "dropout 0.3", "cell 512", "dropout 0.3")
        """Layers from the input up, as words: `cell 512`, `dense 256` (or `dense 256 relu`, `tanh`), `dropout 0.3`
        and `norm`."""

        def __post_init__(self) -> None:
            if not any(word.split()[:1] == ["cell"] for word in self.stack):
                raise ValueError("a stack needs at least one cell, e.g. 'cell 512'")
            if self.embedding < 1:
                raise ValueError("an embedding is at least 1 long")
            width = 1
            for word in self.stack:
                _, width = _layer(word, width, self.cell)

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
                _start_cell(layer)

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
        target = batch.x[:, 1:][asked]
        right = (logits.detach().argmax(-1) == target).float().mean()
        if batch.weight is None:
            return {"loss": functional.cross_entropy(logits.float(), target), "accuracy": right}
        weight = batch.weight[:, 1:][asked]
        nats = functional.cross_entropy(logits.float(), target, reduction="none")
        return {"loss": (weight * nats).sum() / weight.sum(), "accuracy": right}

    def predict(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Log probabilities (B, T-1) of x[:, 1:], and whether each was the likeliest; any length, in flat memory."""
        nats, hits, state = [], [], None
        for first in range(0, batch.x.shape[1] - 1, SEGMENT):
            ids = batch.x[:, first : first + SEGMENT + 1]
            asked = batch.mask[:, first + 1 : first + SEGMENT + 1]
            h, state = self.hidden(ids[:, :-1], state)
            nat, hit = self._judge(h.flatten(0, 1), ids[:, 1:].flatten())
            nats.append(torch.where(asked, nat.view_as(asked), 0.0))
            hits.append(hit.view_as(asked) & asked)
        return torch.cat(nats, 1), torch.cat(hits, 1)

    def _judge(self, h: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Log probability of each target (N,) given h (N, H), and whether it was the likeliest; few logits at once."""
        rows = max(1, ROOM // self.spec.vocab_size)
        nats, hits = [], []
        for part, ids in zip(torch.split(h, rows), torch.split(target, rows), strict=True):
            logits = self.head(part).float()
            nats.append(-functional.cross_entropy(logits, ids, reduction="none"))
            hits.append(logits.argmax(-1) == ids)
        return torch.cat(nats), torch.cat(hits)

    def log_likelihood(self, batch: Batch) -> Tensor:
        """(B,) nats of all that is predicted in each window."""
        return self.predict(batch)[0].sum(1)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every weight by name, float32."""
        return {name: value.detach().cpu().numpy() for name, value in self.state_dict().items()}

    def load_arrays(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `arrays` gave.

        Raises:
            InvalidBundle: they are the weights of another network.
        """
        try:
            self.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
        except RuntimeError as error:
            raise InvalidBundle("These weights do not belong to the network that the settings describe.") from error

    def export(self, folder: Path) -> str:
        """Write one step as an ONNX graph, `step.onnx` and `player.json`, for the player `step`."""
        graph = _Graph(self.spec.vocab_size)
        h = graph.start(self.settings.input, self.embed)
        for layer in self.stack:
            if isinstance(layer, nn.RNNBase):
                h = graph.cell(h, layer)
            elif isinstance(layer, nn.LayerNorm):
                h = graph.op("LayerNormalization", h, layer.weight, layer.bias, epsilon=layer.eps)
            elif isinstance(layer, nn.Sequential):
                h = graph.dense(h, layer)
        graph.op("Gemm", h, self.head.weight, self.head.bias, transB=1, name="logits")
        graph.write(folder)
        return "step"


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


def _start_cell(cell: nn.RNNBase) -> None:
    """Recurrent weights orthogonal (Saxe et al. 2014); an LSTM at first forgets little (Jozefowicz et al. 2015)."""
    size = cell.hidden_size
    with torch.no_grad():
        weights = dict(cell.named_parameters())
        for block in torch.split(weights["weight_hh_l0"], size):
            nn.init.orthogonal_(block)
        if isinstance(cell, nn.LSTM):
            weights["bias_ih_l0"][size : 2 * size] = 1.0
            weights["bias_hh_l0"][size : 2 * size] = 0.0


class _Graph:
    """One decode step as an ONNX graph.

    ONNX's own recurrent operators with a sequence of one were as fast as the same written out with one fused product
    (3×512 on one thread, steps/s: 1,838 against 1,859; both wait for memory), and are one node each.
    """

    # where ONNX wants torch's blocks of gates: i o f c from i f g o, and z r h from r z n
    ORDER: ClassVar[dict[str, tuple[int, ...]]] = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.states: dict[str, int] = {}

    def op(self, kind: str, *inputs: str | Tensor | NDArray[Any], name: str = "", **attributes: Any) -> str:
        """Add a node with one output, called `name`; arrays among its inputs become constants."""
        name = name or f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [self._named(value) for value in inputs], [name], **attributes))
        return name

    def _named(self, value: str | Tensor | NDArray[Any]) -> str:
        if isinstance(value, str):
            return value
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        self.constants.append(numpy_helper.from_array(np.array(array), f"constant{len(self.constants)}"))
        return str(self.constants[-1].name)

    def start(self, kind: str, embed: nn.Embedding | None) -> str:
        """What goes into the first layer, (B, E)."""
        if embed is not None:
            return self.op("Gather", embed.weight, "ids")
        if kind == "one-hot":
            return self.op("OneHot", "ids", np.array(self.vocab_size), np.array([0, 1], dtype=np.float32))
        column = self.op("Unsqueeze", self.op("Cast", "ids", to=TensorProto.FLOAT), np.array([1]))
        return self.op("Div", column, np.array(self.vocab_size, dtype=np.float32))

    def cell(self, h: str, layer: nn.RNNBase) -> str:
        """A recurrent cell with states of its own; h (B, E) -> (B, H)."""
        kind = type(layer).__name__
        number = len(self.states)
        own = {f"{part}{number}": layer.hidden_size for part in (("h", "c") if kind == "LSTM" else ("h",))}
        self.states |= own
        first = np.array([0])  # ONNX counts time and directions in front
        before = [self.op("Unsqueeze", state, first) for state in own]
        options: dict[str, Any] = {"linear_before_reset": 1} if kind == "GRU" else {}
        weights = {name: self._gates(kind, value) for name, value in layer.named_parameters()}
        bias = torch.cat([weights["bias_ih_l0"], weights["bias_hh_l0"]])[None]
        inputs: list[str | Tensor] = [self.op("Unsqueeze", h, first)]
        inputs += [weights["weight_ih_l0"][None], weights["weight_hh_l0"][None], bias, "", *before]
        names = [self._named(value) for value in inputs]
        after = ["", *(f"after_{state}" for state in own)]
        self.nodes.append(helper.make_node(kind, names, after, hidden_size=layer.hidden_size, **options))
        outputs = [self.op("Squeeze", f"after_{state}", first, name=f"next_{state}") for state in own]
        return outputs[0]

    def _gates(self, kind: str, weight: Tensor) -> Tensor:
        blocks = weight.detach().chunk(len(self.ORDER[kind]))
        return torch.cat([blocks[n] for n in self.ORDER[kind]])

    def dense(self, h: str, layer: nn.Sequential) -> str:
        """A product, a bias and what follows them; h (B, E) -> (B, H)."""
        weight, bias = layer[0].parameters()
        activation = layer[1]
        out = self.op("Gemm", h, weight, bias, transB=1)
        return out if isinstance(activation, nn.Identity) else self.op(type(activation).__name__.capitalize(), out)

    def write(self, folder: Path) -> None:
        """Write `step.onnx` and `player.json`; the graph's last value must be called `logits`."""

        def row(name: str, width: int) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", width])

        graph = helper.make_graph(
            self.nodes,
            "step",
            [
                helper.make_tensor_value_info("ids", TensorProto.INT64, ["B"]),
                *(row(name, width) for name, width in self.states.items()),
            ],
            [row("logits", self.vocab_size), *(row(f"next_{name}", width) for name, width in self.states.items())],
            self.constants,
        )
        # the newest operator set and format that onnxruntime 1.24 and later read
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, folder / "step.onnx")
        states = {name: {"shape": [width], "dtype": "float32"} for name, width in self.states.items()}
        facts = {"player": "step", "vocab_size": self.vocab_size, "states": states}
        (folder / "player.json").write_text(json.dumps(facts, indent=1))
