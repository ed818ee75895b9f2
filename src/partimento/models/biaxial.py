"""The biaxial network: LSTMs along time that all pitches share, then LSTMs from pitch to pitch through each frame.

Johnson 2015 ("Composing music with recurrent neural networks", and its code, biaxial-rnn-music-composition) and Johnson
2017 ("Generating polyphonic music using tied parallel networks", BALSTM). Every pitch has the same network, as every
place of a picture has the same convolution: it reads the frame before from where it stands (what sounds up to an octave
around it, and which pitch classes sound, counted from its own), so what is learnt in one key is known in all. In time
each pitch goes its own way; then, for each frame, the lowest pitch is decided first, and each next one knows those
below it. The probability of a frame is the product of all these decisions, so the likelihood is exact:

    log p(x) = sum over frames t, pitches p of log p(x[t, p] | x[:t], x[t, :p]).

What is done differently:

- A piece's first frame is predicted too, from silence.
- Around the lowest pitches there is silence; the source's list, read at index -1, shows them the highest instead.
- The beat is that of the frame to be made (the source's is the one before), it is told for bars of three as well as of
  four (the source cuts a piece short where its metre is not 2/x or 4/x), and for steps finer than a sixteenth there is
  how far into it they are. Where a piece begins with an upbeat, its bars are counted from there, as in the source.
- The MIDI pitch goes in as a number around 0, not as 0 to 77, which drowns the inputs of 0 and 1 beside it.
- Adam or AdamW at the choice of the recipe, the source has Adadelta.
- Most updates leave out the silent pitches below and above all that sounds in their windows, which cost as much as the
  others and teach little (see `margin`); half the work is saved. Likelihoods and held-out figures are of all pitches.

Leaves out: loudness, metres told from the score.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from partimento.codec import RollSpec
from partimento.exporting import OnnxGraph, Value, recurrent_weights
from partimento.frames import planes
from partimento.layers import arrays_of, cell_log_probability, load_into, require_cells
from partimento.model import Batch, Model
from partimento.settings import settings

OCTAVE = 12
LONGEST_PERIOD = 1000  # quarter notes after which bars of all lengths begin together again
ABREAST = 8  # held-out pieces that are run side by side
WHOLE = 1 / 8  # share of updates that learn from all pitches
ROOM = 1 << 15  # pitches of frames that are run at once without gradients; each takes some 10 kB

State = list[tuple[Tensor, Tensor]]
"""For each cell of an axis its hidden state and its memory, (1, N, H)."""


class Features:
    """What a pitch is told of the frame before and of the beat, as tables; numpy, for torch and for ONNX alike.

    Attributes:
        place: (P, 13) its MIDI pitch, from about -1 to 1, and its pitch class as a 1 among twelve.
        around: (P, 2 reach + 1) the rows around each pitch, in a grid with `reach` rows of silence on either side.
        classes: (P, 12) the pitch class of each row as a 1 among twelve.
        rotated: (P, 12) the pitch classes upwards from each row's own.
        beats: (period, K) what is told of each step of the beat; then it begins anew.
        width: how many numbers all this is for each pitch.
    """

    def __init__(self, spec: RollSpec, reach: int, bars: tuple[int, ...]) -> None:
        pitch = spec.low + np.arange(spec.pitches)
        self.classes = np.eye(OCTAVE, dtype=np.float32)[pitch % OCTAVE]
        self.place = np.concatenate([(pitch[:, None] - 60) / 48, self.classes], axis=1).astype(np.float32)
        self.around = np.arange(spec.pitches)[:, None] + np.arange(2 * reach + 1)
        self.rotated = (pitch[:, None] + np.arange(OCTAVE)) % OCTAVE
        self.beats = _beats(spec.steps_per_beat, bars)
        self.width = self.place.shape[1] + spec.channels * self.around.shape[1] + OCTAVE + self.beats.shape[1]


def _beats(steps_per_beat: int, bars: tuple[int, ...]) -> NDArray[np.float32]:
    """(period, K): the bits of the sixteenth in the bar, as -1 and 1, for each length of bar; how far into it we are.

    Example:
        >>> _beats(2, (2,)).astype(int).tolist()  # eighths in bars of two quarter notes: sixteenths 0, 2, 4, 6
        [[-1, -1, -1, 0], [-1, 1, -1, 0], [-1, -1, 1, 0], [-1, 1, 1, 0]]
    """
    step = np.arange(math.lcm(*bars) * steps_per_beat)
    sixteenth, rest = np.divmod(4 * step, steps_per_beat)
    columns: list[NDArray[np.floating[Any]]] = [rest / steps_per_beat]
    for beats in reversed(bars):
        inside = sixteenth % (4 * beats)
        columns[:0] = [2.0 * (inside >> bit & 1) - 1 for bit in range((4 * beats - 1).bit_length())]
    return np.stack(columns, axis=1).astype(np.float32)


class Axis(nn.Module):
    """LSTMs one upon the other, a dropout after each whose mask stays the same all along the axis, as in the source.

    A mask that stays lets a unit be missing for good, rather than flicker (Gal and Ghahramani 2016).
    """

    def __init__(self, width: int, sizes: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.sizes = sizes
        self.cells = nn.ModuleList(nn.LSTM(*pair) for pair in itertools.pairwise((width, *sizes)))
        self.dropout = dropout
        for cell in self.cells:
            _start_cell(cell)

    def forward(self, h: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Run along the first axis, h (L, N, width) -> (L, N, sizes[-1]), and give the state at its end as well."""
        after: State = []
        for number, cell in enumerate(self.cells):
            h, carried = cell(h, state[number] if state else None)
            after.append(carried)
            if self.training and self.dropout:
                h = h * functional.dropout(torch.ones_like(h[:1]), self.dropout)
        return h, after


def _start_cell(cell: nn.Module) -> None:
    """Recurrent weights orthogonal (Saxe et al. 2014); at first it forgets little (Jozefowicz et al. 2015)."""
    weights = dict(cell.named_parameters())
    size = weights["weight_hh_l0"].shape[1]
    with torch.no_grad():
        for block in torch.split(weights["weight_hh_l0"], size):
            nn.init.orthogonal_(block)
        for bias, first in (("bias_ih_l0", 1.0), ("bias_hh_l0", 0.0)):
            weights[bias].zero_()
            weights[bias][size : 2 * size] = first


class Biaxial(nn.Module, Model):
    """One network for all pitches: along time first, then from the lowest pitch up."""

    name: ClassVar[str] = "biaxial"
    player: ClassVar[str] = "frame"
    Spec: ClassVar[type[Any]] = RollSpec
    exact: ClassVar[bool] = True
    place: Tensor
    classes: Tensor
    rotated: Tensor
    beats: Tensor

    @settings
    class Settings:
        """The shape of the network."""

        time: tuple[Annotated[int, Field(ge=1)], ...] = (300, 300)
        """Sizes of the LSTMs along time."""
        pitch: tuple[Annotated[int, Field(ge=1)], ...] = (100, 50)
        """Sizes of the LSTMs from pitch to pitch."""
        reach: Annotated[int, Field(ge=0, le=128)] = 12
        """Semitones up and down that a pitch sees of the frame before."""
        bars: tuple[Annotated[int, Field(ge=1, le=16)], ...] = (4, 3)
        """Lengths of bar, in quarter notes, in which the beat is counted; the source has 4 alone."""
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
        """Share of units that are missing while it learns."""
        margin: Annotated[int, Field(ge=1)] | None = 6
        """Silent pitches, on average, that an update learns from below and above all that sounds in its windows; one
        in eight learns from all pitches. None learns from all always, as the source does."""

        def __post_init__(self) -> None:
            for axis in ("time", "pitch", "bars"):
                if not getattr(self, axis):
                    raise ValueError(f"{axis} needs at least one number")
            if math.lcm(*self.bars) > LONGEST_PERIOD:
                raise ValueError(f"bars must begin together again within {LONGEST_PERIOD} quarter notes; take fewer")

    def __init__(self, settings: Settings, spec: RollSpec) -> None:
        super().__init__()
        self.spec = require_cells(spec, self.name)
        self.settings = settings
        self.features = Features(spec, settings.reach, settings.bars)
        for table in ("place", "classes", "rotated", "beats"):
            self.register_buffer(table, torch.from_numpy(getattr(self.features, table)), persistent=False)
        self.time = Axis(self.features.width, settings.time, settings.dropout)
        self.pitch = Axis(settings.time[-1] + spec.channels, settings.pitch, settings.dropout)
        self.head = nn.Linear(settings.pitch[-1], spec.channels)
        with torch.no_grad():
            self.head.bias[planes(spec.channels)[1]] = -3.0  # few cells sound

    def inputs(self, before: Tensor, step: Tensor) -> Tensor:
        """What each pitch is told.

        Args:
            before: (T, B, C, P) the frame before each.
            step: (T, B) the number of each frame in its piece.

        Returns:
            (T, B, P, width).
        """
        reach, sustain = self.settings.reach, planes(self.spec.channels)[1]
        near = functional.pad(before, (reach, reach)).unfold(-1, 2 * reach + 1, 1)  # (T, B, C, P, 2 reach + 1)
        sounding = before[..., sustain, :] @ self.classes  # (T, B, 12)
        shape = (*before.shape[:2], before.shape[3], -1)
        told = [
            self.place.expand(shape),
            near.transpose(2, 3).flatten(3),
            sounding[..., self.rotated],
            self.beats[step % len(self.beats)][:, :, None].expand(shape),
        ]
        return torch.cat(told, dim=-1)

    def forward(
        self, x: Tensor, before: Tensor, step: Tensor, state: State | None = None, rows: slice = slice(None)
    ) -> tuple[Tensor, State]:
        """Logits of every cell, given all frames before it and the pitches below it.

        Args:
            x: (B, T, C, P) grids.
            before: (B, C, P) the frame before the first of them.
            step: (B,) the number of the first of them in its piece.
            state: of the axis of time after the frame before; None at the beginning.
            rows: the pitches to give logits of, as if those below were not there; all if not said.

        Returns:
            (B, T, C, P) logits, of these rows alone, and the state after the last frame.
        """
        heard = torch.cat([before[None], x.transpose(0, 1)[:-1]])  # (T, B, C, P)
        told = self.inputs(heard, step + torch.arange(x.shape[1], device=x.device)[:, None])[:, :, rows]
        x = x[..., rows]
        B, T, C, P = x.shape
        h, state = self.time(told.flatten(1, 2), state)  # (T, B * P, H): all pitches of all pieces abreast
        h = h.view(T * B, P, -1).transpose(0, 1)  # (P, T * B, H): from the lowest up, all frames abreast
        chosen = x.permute(3, 1, 0, 2).reshape(P, T * B, C)
        below = functional.pad(chosen[:-1], (0, 0, 0, 0, 1, 0)).to(h.dtype)
        h, _ = self.pitch(torch.cat([h, below], dim=-1))
        return self.head(h).view(P, T, B, C).permute(2, 1, 3, 0), state

    def sides(self) -> dict[str, list[nn.Parameter]]:
        """One side: all parameters."""
        return {"model": list(self.parameters())}

    def loss(self, batch: Batch, side: str = "model") -> dict[str, Tensor]:  # noqa: ARG002 - there is one
        """Mean nats for each predicted frame."""
        step = torch.zeros_like(batch.mask[:, 0], dtype=torch.int64) if batch.begin is None else batch.begin
        rows = self._sounding(batch.x) if self.training else slice(None)
        logits, _ = self(batch.x, torch.zeros_like(batch.x[:, 0]), step, rows=rows)
        nats = -cell_log_probability(logits, batch.x[..., rows]).sum(-1)  # (B, T)
        weight = batch.mask.float() if batch.weight is None else batch.mask * batch.weight
        return {"loss": (nats * weight).sum() / weight.sum()}

    def _sounding(self, x: Tensor) -> slice:
        """The rows that an update learns from: those from the lowest that sounds to the highest, and some around."""
        margin = self.settings.margin
        sounding = x.flatten(0, 2).any(0).nonzero().flatten().tolist()
        whole, *draws = torch.rand(3).tolist()
        if margin is None or not sounding or whole < WHOLE:
            return slice(None)
        below, above = (1 + int(draw * 2 * margin) for draw in draws)
        return slice(max(0, sounding[0] - below), sounding[-1] + above + 1)

    def log_likelihood(self, batch: Batch) -> Tensor:
        """(B,) nats of all that is predicted in each window; any length and any number of them, in flat memory."""
        begin = torch.zeros_like(batch.mask[:, 0], dtype=torch.int64) if batch.begin is None else batch.begin
        parts = (torch.split(part, ABREAST) for part in (batch.x, batch.mask, begin))
        return torch.cat([self._log_likelihood(*rows) for rows in zip(*parts, strict=True)])

    def _log_likelihood(self, x: Tensor, mask: Tensor, begin: Tensor) -> Tensor:
        length = int(mask.any(0).nonzero().max()) + 1 if mask.any() else 0
        segment = max(1, ROOM // (len(x) * self.spec.pitches))
        total, before, state = x.new_zeros(len(x)), torch.zeros_like(x[:, 0]), None
        for first in range(0, length, segment):
            part = x[:, first : min(first + segment, length)]
            logits, state = self(part, before, begin + first, state)
            nats = cell_log_probability(logits, part).sum(-1)
            total = total + torch.where(mask[:, first : first + part.shape[1]], nats, 0.0).sum(1)
            before = part[:, -1]
        return total

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every weight by name, float32."""
        return arrays_of(self)

    def load_arrays(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `arrays` gave; refuse the weights of another network."""
        load_into(self, arrays)

    def export(self, folder: Path) -> str:
        """Write one frame's way along time, one pitch's decision and `player.json`, for the player `frame`."""
        spec, features = self.spec, self.features
        C, P, H = spec.channels, spec.pitches, self.settings.time[-1]
        time = _Graph({"frame": (C, P), "step": ()}, rows=(P,))
        h = time.axis(time.inputs(spec, features, self.settings.reach), self.time)
        time.reshape(h, -1, P, H, name="given")
        firsts = {f"first_{name}": size for name, size in _states(self.pitch).items()}
        for name, size in firsts.items():
            zeros = np.zeros((1, size), dtype=np.float32)
            time.op("Expand", zeros, time.shape_of("step", size), name=name)
        time.finish(folder / "time.onnx", {"given": (P, H), **{name: (size,) for name, size in firsts.items()}})

        pitch = _Graph({"given": (H,), "pitch": None, "before": (C,)})
        h = pitch.axis(pitch.op("Concat", "given", "before", axis=1), self.pitch)
        pitch.op("Gemm", h, self.head.weight, self.head.bias, transB=1, name="logits")
        pitch.finish(folder / "pitch.onnx", {"logits": (C,)})

        def described(axis: Axis, *before: int) -> dict[str, Any]:
            return {name: {"shape": [*before, size], "dtype": "float32"} for name, size in _states(axis).items()}

        facts = {"player": self.player, "channels": C, "pitches": P, "features": H}
        facts |= {"states": described(self.time, P), "pitch_states": described(self.pitch)}
        (folder / "player.json").write_text(json.dumps(facts, indent=1))
        return self.player


def _states(axis: Axis) -> dict[str, int]:
    """The names and sizes of an axis's states in ONNX: the hidden state and the memory of each cell."""
    return {f"{part}{number}": size for number, size in enumerate(axis.sizes) for part in "hc"}


class _Graph(OnnxGraph):
    """One step along an axis as an ONNX graph.

    Args:
        inputs: the shape of each but for the batch in front; None for a single number.
        rows: the shape of each state before its size: of a piece's sequences that take the step side by side.
    """

    INTEGERS = ("step", "pitch")

    def __init__(self, inputs: dict[str, tuple[int, ...] | None], rows: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.inputs_of = inputs
        self.rows = rows
        self.states: dict[str, tuple[int, ...]] = {}

    def shape_of(self, batch: str, *sizes: int) -> str:
        """The shape (B, *sizes), B being the length of `batch`."""
        return self.op("Concat", self.op("Shape", batch, start=0, end=1), np.array(sizes), axis=0)

    def inputs(self, spec: RollSpec, features: Features, reach: int) -> str:
        """What each pitch is told, (B * P, width), of the inputs `frame` (B, C, P) and `step` (B,)."""
        P, width = spec.pitches, 2 * reach + 1
        padded = self.op("Pad", "frame", np.array([0, 0, reach, 0, 0, reach]))
        near = self.op("Transpose", self.op("Gather", padded, features.around, axis=2), perm=[0, 2, 1, 3])
        sustain = np.array(planes(spec.channels)[1])
        sounding = self.op("MatMul", self.op("Gather", "frame", sustain, axis=1), features.classes)  # (B, 12)
        period = np.array(len(features.beats))
        beat = self.op("Gather", features.beats, self.op("Mod", "step", period))  # (B, K)
        beats = self.shape_of("step", P, features.beats.shape[1])
        told = (
            self.op("Expand", features.place, self.shape_of("step", *features.place.shape)),
            self.reshape(near, -1, P, spec.channels * width),
            self.op("Gather", sounding, features.rotated, axis=1),
            self.op("Expand", self.op("Unsqueeze", beat, np.array([1])), beats),
        )
        return self.reshape(self.op("Concat", *told, axis=2), -1, features.width)

    def axis(self, h: str, axis: Axis) -> str:
        """One step through an axis's cells, each with states of its own; h (N, width) -> (N, H)."""
        for number, cell in enumerate(axis.cells):
            h = self._cell(h, cell, number)
        return h

    def _cell(self, h: str, cell: nn.Module, number: int) -> str:
        weights = recurrent_weights(cell, "LSTM")
        size = int(weights[1].shape[2])
        own = (f"h{number}", f"c{number}")
        self.states |= dict.fromkeys(own, (*self.rows, size))
        before = [self.reshape(state, 1, -1, size) for state in own]
        inputs: list[Value] = [self.op("Unsqueeze", h, np.array([0])), *weights, "", *before]
        after = self.node("LSTM", inputs, ["", *(f"after_{state}" for state in own)], hidden_size=size)[1:]
        for name, state in zip(after, own, strict=True):
            self.reshape(name, -1, *self.states[state], name=f"next_{state}")
        return self.reshape(after[0], -1, size)

    def finish(self, path: Path, outputs: dict[str, tuple[int, ...]]) -> None:
        """Write the graph; all that is asked for must be the name of a value."""

        def batched(shapes: Mapping[str, tuple[int, ...] | None]) -> dict[str, tuple[int | str, ...]]:
            return {name: () if shape is None else ("B", *shape) for name, shape in shapes.items()}

        takes = batched({**self.inputs_of, **self.states})
        gives = batched({**outputs, **{f"next_{name}": shape for name, shape in self.states.items()}})
        self.write(path, takes, gives, integers=[name for name in self.INTEGERS if name in takes])
