"""RNN-NADE: a recurrent network along time whose outputs are the biases of a NADE along pitch.

Boulanger-Lewandowski et al. 2012 ("Modeling temporal dependencies in high-dimensional sequences", arXiv:1206.6392) let
a recurrent network give the biases of a density model of the next frame; with NADE (Larochelle and Murray 2011, "The
neural autoregressive distribution estimator") in place of an RBM the likelihood of a frame is exact. With v the frame,
u the state of the recurrent network after all frames before it, and pitches p from the lowest up:

    b_v = B_v + u W_uv,  b_h = B_h + u W_uh
    h_p = sigmoid(b_h + sum over q < p of v_q W_q)
    P(v_p = 1 | v_<p, u) = sigmoid(b_v,p + h_p V_p)

h_p changes only where a pitch below sounds, so there are as many different h of a frame as it has notes, and one more:
they are a cumulative sum over its notes, not over its 88 pitches, and give the logits of all pitches in one product.

What is done differently: with two planes (onset and sustain) a pitch is two choices, that it sounds and then, if so,
that it is struck, and h sees both. The recurrent cell is an LSTM or a GRU where the source has a tanh network trained
by Hessian-free optimisation (`cell = "rnn"` is its cell). Dropout stands before and after it (Zaremba et al. 2014). It
is told the step of the bar, which on a fine grid the source's would have to count.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from partimento.codec import RollSpec
from partimento.exporting import OnnxGraph
from partimento.layers import arrays_of, cell_log_probability, load_into, require_cells, start_cell
from partimento.model import Batch, Model
from partimento.settings import settings

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
SEGMENT = 1024  # frames of a held-out piece that are run at once; the state is carried from one to the next
ROOM = 1 << 23  # numbers of a NADE that are held at once where no gradient is wanted
RARE = -3.0  # where the logits of a cell begin: most cells are silent

State = Tensor | tuple[Tensor, Tensor] | None


class Nade(nn.Module):
    """A distribution over frames, given its biases."""

    def __init__(self, channels: int, pitches: int, hidden: int) -> None:
        super().__init__()
        self.read = nn.Parameter(torch.randn(pitches, channels, hidden) / hidden**0.5)  # W: what a choice tells h
        self.write = nn.Parameter(torch.randn(hidden, channels, pitches) / hidden**0.5)  # V: what h tells a choice

    def forward(self, x: Tensor, visible: Tensor, hidden: Tensor) -> Tensor:
        """Logits of each cell, given all cells below it in its frame.

        Args:
            x: (N, C, P) frames of 0 and 1.
            visible: (N, C, P) b_v.
            hidden: (N, H) b_h.

        Returns:
            (N, C, P), in the planes' order.
        """
        with torch.autocast(x.device.type, enabled=False):  # a sum of many rounded numbers would drift
            sounds = x[:, -1]  # (N, P): the sustain
            below = (sounds.cumsum(1) - sounds).long()  # (N, P): how many notes sound below each pitch
            frame, pitch = sounds.nonzero(as_tuple=True)  # (M,) each note
            told = torch.einsum("mc,mch->mh", x[frame, :, pitch], self.read[pitch])  # (M, H)
            most = int(sounds.sum(1).max()) if len(x) else 0
            steps = told.new_zeros(most + 1, len(x), told.shape[1])  # (K, N, H): what each note adds, the lowest first
            steps = steps.index_put((below[frame, pitch] + 1, frame), told)
            h = torch.sigmoid(hidden.float() + torch.stack(list(accumulate(steps.unbind()))))
            logits = (h @ self.write.flatten(1)).view(*h.shape[:2], *x.shape[1:])  # (K, N, C, P)
            which = below[None, :, None].expand(-1, -1, x.shape[1], -1)
            return torch.gather(logits, 0, which)[0] + visible.float()


class RnnNade(nn.Module, Model):
    """A recurrent network over frames, and a NADE of the next one."""

    name: ClassVar[str] = "rnn_nade"
    player: ClassVar[str] = "frame"
    Spec: ClassVar[type[Any]] = RollSpec
    exact: ClassVar[bool] = True
    beats: Tensor

    @settings
    class Settings:
        """The shape of the network."""

        cell: Literal["rnn", "gru", "lstm"] = "lstm"
        """Kind of recurrent cell; the source has "rnn"."""
        width: Annotated[int, Field(ge=1)] = 256
        """Units of the recurrent cell."""
        hidden: Annotated[int, Field(ge=1)] = 256
        """Hidden units of the NADE."""
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
        """Share of what the recurrent cell says that is left out while learning."""
        forget: Annotated[float, Field(ge=0, lt=1)] = 0.1
        """Share of the cells of past frames that are left out while learning."""
        bar: Annotated[int, Field(ge=0, le=16)] = 4
        """Quarter notes of a bar, in which the recurrent network is told where it is; the source has 0, nothing."""

    def __init__(self, settings: Settings, spec: RollSpec) -> None:
        super().__init__()
        self.settings = settings
        self.spec = spec = require_cells(spec, self.name)
        cells = spec.channels * spec.pitches
        period = settings.bar * spec.steps_per_beat
        self.register_buffer("beats", torch.eye(period) if period else torch.zeros(1, 0), persistent=False)
        self.past = nn.Dropout(settings.forget)
        self.cell = CELLS[settings.cell](cells + period, settings.width, batch_first=True)
        self.dropout = nn.Dropout(settings.dropout)
        self.visible = nn.Linear(settings.width, cells)
        self.hidden = nn.Linear(settings.width, settings.hidden)
        self.nade = Nade(spec.channels, spec.pitches, settings.hidden)
        start_cell(self.cell)
        nn.init.constant_(self.visible.bias.view(spec.channels, -1)[-1], RARE)

    def biases(self, before: Tensor, step: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        """What the recurrent network says of each frame.

        Args:
            before: (B, T, C, P) the frame before each; zeros before the first.
            step: (B, T) the number of each frame in its piece.
            state: after the frames before these; None at the beginning.

        Returns:
            b_v (B, T, C, P), b_h (B, T, H), and the state after the last.
        """
        told = torch.cat([self.past(before.flatten(2)), self.beats[step % len(self.beats)]], dim=-1)
        u, state = self.cell(told, state)  # (B, T, width)
        u = self.dropout(u)
        return self.visible(u).view(before.shape), self.hidden(u), state

    def sides(self) -> dict[str, list[nn.Parameter]]:
        """One side: all parameters."""
        return {"model": list(self.parameters())}

    def loss(self, batch: Batch, side: str = "model") -> dict[str, Tensor]:  # noqa: ARG002 - there is one
        """Mean nats for each predicted frame."""
        visible, hidden, _ = self.biases(_shifted(batch.x, None), _steps(batch))
        asked = batch.mask
        x = batch.x[asked]  # (N, C, P)
        nats = -cell_log_probability(self.nade(x, visible[asked], hidden[asked]), x).sum(-1)  # (N,)
        if batch.weight is None:
            return {"loss": nats.mean()}
        weight = batch.weight[asked]
        return {"loss": (nats * weight).sum() / weight.sum()}

    def log_likelihood(self, batch: Batch) -> Tensor:
        """(B,) nats of all frames that are predicted in each window; any length, in flat memory."""
        total = batch.x.new_zeros(len(batch.x), dtype=torch.float64)
        state: State = None
        last: Tensor | None = None
        parts = (torch.split(part, SEGMENT, 1) for part in (batch.x, batch.mask, _steps(batch)))
        for x, asked, step in zip(*parts, strict=True):
            visible, hidden, state = self.biases(_shifted(x, last), step, state)
            last = x[:, -1]
            nats = torch.zeros(x.shape[:2], dtype=torch.float64, device=x.device)
            nats[asked] = torch.cat(
                [
                    cell_log_probability(self.nade(v, b_v, b_h), v).sum(-1).double()
                    for v, b_v, b_h in self._parts(x[asked], visible[asked], hidden[asked])
                ]
            )
            total += nats.sum(1)
        return total.float()

    def _parts(self, x: Tensor, visible: Tensor, hidden: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """Frames and their biases, few enough at once for the room that there is."""
        notes = int(x[:, -1].sum(-1).max()) if len(x) else 0
        rows = max(1, ROOM // ((notes + 1) * max(hidden.shape[1], x.shape[1:].numel())))
        return zip(*(torch.split(of_frames, rows) for of_frames in (x, visible, hidden)), strict=True)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every weight by name, float32."""
        return arrays_of(self)

    def load_arrays(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `arrays` gave; refuse the weights of another network."""
        load_into(self, arrays)

    def export(self, folder: Path) -> str:
        """Write `time.onnx`, `pitch.onnx` and `player.json` for the player `frame`."""
        spec, s = self.spec, self.settings
        c, p = spec.channels, spec.pitches
        time = OnnxGraph()
        row = time.op("Reshape", "frame", np.array([-1, c * p]))
        beat = time.op("Gather", self.beats, time.op("Mod", "step", np.array(len(self.beats))))
        states = ["u", "c"] if isinstance(self.cell, nn.LSTM) else ["u"]
        u = time.cell(time.op("Concat", row, beat, axis=1), self.cell, states, [f"next_{name}" for name in states])
        said = time.linear(u, self.visible)
        time.op("Transpose", time.op("Reshape", said, np.array([-1, c, p])), name="given", perm=[0, 2, 1])
        time.linear(u, self.hidden, "first_sum")
        time.write(
            folder / "time.onnx",
            {"frame": ("B", c, p), "step": ("B",), **dict.fromkeys(states, ("B", s.width))},
            {"given": ("B", p, c), "first_sum": ("B", s.hidden), **{f"next_{n}": ("B", s.width) for n in states}},
            integers=["step"],
        )
        pitch = OnnxGraph()
        below = pitch.op("Max", pitch.op("Sub", "pitch", np.array(1)), np.array(0))  # `before` is 0 at the lowest
        told = pitch.op("MatMul", "before", pitch.op("Gather", self.nade.read, below))
        h = pitch.op("Sigmoid", pitch.op("Add", "sum", told, name="next_sum"))
        said = pitch.op("MatMul", h, pitch.op("Gather", self.nade.write.permute(2, 0, 1), "pitch"))
        pitch.op("Add", said, "given", name="logits")
        pitch.write(
            folder / "pitch.onnx",
            {"given": ("B", c), "pitch": (), "before": ("B", c), "sum": ("B", s.hidden)},
            {"logits": ("B", c), "next_sum": ("B", s.hidden)},
            integers=["pitch"],
        )
        facts = {
            "player": "frame",
            "channels": c,
            "pitches": p,
            "features": c,
            "states": {name: {"shape": [s.width], "dtype": "float32"} for name in states},
            "pitch_states": {"sum": {"shape": [s.hidden], "dtype": "float32"}},
        }
        (folder / "player.json").write_text(json.dumps(facts, indent=1))
        return "frame"


def _shifted(x: Tensor, last: Tensor | None) -> Tensor:
    """The frame before each of x (B, T, C, P); before the first comes `last` (B, C, P), or silence."""
    first = torch.zeros_like(x[:, 0]) if last is None else last
    return torch.cat([first[:, None], x[:, :-1]], 1)


def _steps(batch: Batch) -> Tensor:
    """(B, T) the number of each frame in its piece."""
    step = torch.arange(batch.x.shape[1], device=batch.x.device).expand(batch.x.shape[:2])
    return step if batch.begin is None else step + batch.begin[:, None]
