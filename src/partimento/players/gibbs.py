"""The player of restricted Boltzmann machines: block Gibbs sampling, on numpy alone.

Reads two files of a folder and nothing else: `player.json`

    {"player": "gibbs", "steps": S, "align": A, "pitches": P}

and `machine.safetensors` with `weight` (C, S P, H), `visible` (C S P,) and `hidden` (H,), all float32. A machine of
single frames whose biases a recurrent network sets (RNN-RBM) has besides them `to_visible` (U, C P), `to_hidden`
(U, H), `read` (C P, U), `carry` (U, U) and `state` (U,):

    u' = tanh(state + frame·read + u·carry),    visible + u·to_visible,    hidden + u·to_hidden.

Each window begins as the settings say, and hidden and visible units are then drawn in turn, all of a kind at once.
What came before is not drawn but held fast, in the window's first frames: so a piece that is longer than a window hangs
together, and goes on from a prompt. The temperature belongs to the last drawing alone, as it does where a model's
output is drawn once; the chain before it samples the machine as it learnt.

Units are 0 or 1 and few are 1, so a product with the weights is the sum of a few of their rows: quicker than a product,
and the same whatever other pieces are made beside it, on any number of threads. Leaves out: parallel tempering.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import Field

from partimento.errors import InvalidBundle
from partimento.frames import Grid, draw_cells, sigmoid
from partimento.sampling import Sampling
from partimento.settings import settings

LARGEST = 1 << 28  # numbers in all arrays together
RECURRENT = ("to_visible", "to_hidden", "read", "carry", "state")

Array = NDArray[np.float32]


@settings
class Settings:
    """What can be changed when composing."""

    gibbs: Annotated[int, Field(ge=1, le=100_000)] = 25
    """How often hidden and visible units are drawn in turn, for each window."""
    start: Literal["zeros", "noise", "music"] = "zeros"
    """What a window begins with where nothing is held fast: silence, noise, or the music that came just before."""
    overlap: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of each window that is held fast to what came before; 0 makes windows that do not know of each other."""


class Machine:
    """A restricted Boltzmann machine over windows (S, C, P).

    Attributes:
        window: S, C, P.
    """

    def __init__(self, arrays: dict[str, Array], steps: int, pitches: int) -> None:
        self.arrays = arrays
        channels = len(arrays["weight"])
        self.window = (steps, channels, pitches)
        self._rows = arrays["weight"].reshape(-1, arrays["weight"].shape[2])  # (V, H)
        self._columns = np.ascontiguousarray(self._rows.T)

    def hidden_logits(self, x: Grid, biases: Array) -> Array:
        """(H,) of the hidden units, given a window (S, C, P) of 0 and 1."""
        return biases + _sum_of(self._rows, np.moveaxis(x, 1, 0).ravel())

    def cell_logits(self, h: Array, biases: Array) -> Grid:
        """(S, C, P) of the cells, as `frames.draw_cells` wants them, given hidden units (H,) of 0 and 1."""
        steps, channels, pitches = self.window
        field = (biases + _sum_of(self._columns, h)).reshape(channels, steps, pitches)
        if channels == 2:  # p ∝ 1 of silence, e^s of a held cell and e^(s + o) of one that is struck
            onset, sustain = field
            field = np.stack([onset, sustain + np.logaddexp(0, onset)])
        return np.moveaxis(field, 0, 1)

    def sample(
        self,
        rng: np.random.Generator,
        x: Grid,
        held: int,
        times: int,
        temperature: float,
        visible: Array,
        hidden: Array,
    ) -> tuple[Grid, Grid]:
        """Draw hidden and visible units in turn.

        Args:
            rng: what to draw from.
            x: (S, C, P) the window to begin with.
            held: how many of its first frames are held fast.
            times: how often.
            temperature: of the last drawing.
            visible: (V,) biases.
            hidden: (H,) biases.

        Returns:
            Cells and how probable each 1 was, both (S, C, P).
        """
        for left in reversed(range(times)):
            p = sigmoid(self.hidden_logits(x, hidden))
            h = (rng.random(len(p), dtype=np.float32) < p).astype(np.float32)
            chance = rng.random(self.window, dtype=np.float32)
            made, likely = draw_cells(self.cell_logits(h, visible), chance, 1.0 if left else temperature)
            made[:held] = x[:held]
            x = made
        return x, likely


class _Phrases:
    """One piece made window by window; see `Gibbs.play`."""

    def __init__(self, player: Gibbs, rng: np.random.Generator, heard: Grid) -> None:
        self.player = player
        self.rng = rng
        self.past = heard[len(heard) - player.most_held :] if player.most_held < len(heard) else heard
        self.time = len(heard)

    def make(self, temperature: float) -> tuple[Grid, Grid]:
        """The next frames, and how probable each 1 was."""
        p, arrays = self.player, self.player.machine.arrays
        held = self._held()
        x = p.start(self.rng, self.past, held)
        x, likely = p.machine.sample(
            self.rng, x, held, p.settings.gibbs, temperature, arrays["visible"], arrays["hidden"]
        )
        return x[held : held + p.steps], likely[held : held + p.steps]

    def take(self, made: Grid) -> None:
        """Go on from these frames."""
        self.past = np.concatenate([self.past, made])[-max(self.player.most_held, len(made)) :]
        self.time += len(made)

    def _held(self) -> int:
        """How many frames to hold fast: as many as may be, if the window can begin where windows do."""
        most = min(self.player.overlap, len(self.past))
        aligned = most - (most - self.time) % self.player.align
        return aligned if aligned >= 0 else most


class _Frames:
    """One piece made frame by frame, the biases of each set by a recurrent network."""

    def __init__(self, player: Gibbs, rng: np.random.Generator, heard: Grid) -> None:
        self.player = player
        self.rng = rng
        self.before = heard[:0]
        self.u = np.zeros_like(player.machine.arrays["state"])
        for frame in heard:
            self.take(frame[None])

    def make(self, temperature: float) -> tuple[Grid, Grid]:
        """The next frame, and how probable each 1 was."""
        p, arrays = self.player, self.player.machine.arrays
        x = p.start(self.rng, self.before, 0)
        visible, hidden = (arrays[name] + _product(self.u, arrays[f"to_{name}"]) for name in ("visible", "hidden"))
        return p.machine.sample(self.rng, x, 0, p.settings.gibbs, temperature, visible, hidden)

    def take(self, made: Grid) -> None:
        """Go on from this frame."""
        arrays = self.player.machine.arrays
        heard = _sum_of(arrays["read"], made[0].ravel())
        self.u = np.tanh(arrays["state"] + heard + _product(self.u, arrays["carry"]))
        self.before = made


class Gibbs:
    """Plays one exported machine; a `GridPlayer`.

    Attributes:
        steps: frames made at a time: what of a window is not held fast.
        hears: whether what came before changes what comes.
        machine: what is sampled.
        settings: how.
        overlap: frames that are held fast where there are so many.
        most_held: frames before that can matter at all.
        align: windows begin at multiples of this many frames, where they can.
    """

    def __init__(self, machine: Machine, align: int, settings: Settings) -> None:
        window = machine.window[0]
        self.machine = machine
        self.settings = settings
        self.align = align
        self.recurrent = "state" in machine.arrays
        self.overlap = 0 if self.recurrent else int(settings.overlap * window)
        self.steps = window - self.overlap
        self.most_held = window
        self.hears = self.recurrent or self.overlap > 0 or settings.start == "music"

    def play(self, rngs: Sequence[np.random.Generator], heard: Grid, sampling: Sampling) -> Iterator[tuple[Grid, Grid]]:
        """Make frames without end; see `frames.GridPlayer`."""
        kind = _Frames if self.recurrent else _Phrases
        heard = (heard > 0).astype(np.float32)
        pieces = [kind(self, rng, heard) for rng in rngs]
        while True:
            made, likely = zip(*(piece.make(sampling.temperature) for piece in pieces), strict=True)
            cells = np.stack(made)
            yield cells, np.stack(likely)
            for piece, frames in zip(pieces, cells, strict=True):
                piece.take(frames.copy())

    def start(self, rng: np.random.Generator, past: Grid, held: int) -> Grid:
        """The window (S, C, P) to begin with: `held` frames of the past, and what the settings say."""
        x = np.zeros(self.machine.window, np.float32)
        free = len(x) - held
        if self.settings.start == "noise":
            x[held:], _ = draw_cells(x[held:], rng.random(x[held:].shape, dtype=np.float32), 1.0)
        elif self.settings.start == "music" and len(past):
            x[held:] = past[len(past) - free :] if free <= len(past) else np.resize(past, x[held:].shape)
        x[:held] = past[len(past) - held :]
        return x


def open_player(folder: Path, settings: Settings, threads: int = 1) -> Gibbs:  # noqa: ARG001 - nothing to share out
    """Open `player.json` and `machine.safetensors` of a bundle's `player` folder.

    Args:
        folder: holds the two files.
        settings: how to sample.
        threads: of no effect.

    Raises:
        InvalidBundle: a file is missing or is not what it should be.
    """
    try:
        facts: Any = json.loads((folder / "player.json").read_bytes())
        steps, align, pitches = (facts[name] for name in ("steps", "align", "pitches"))
        if facts["player"] != "gibbs" or not all(type(n) is int and n > 0 for n in (steps, align, pitches)):
            raise ValueError("player.json does not describe a Gibbs player")
        arrays = safetensors.numpy.load_file(folder / "machine.safetensors")
        _check(arrays, steps, pitches)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, safetensors.SafetensorError) as error:
        raise InvalidBundle(f"The machine in this bundle's player folder cannot be used: {error}.") from error
    return Gibbs(Machine(arrays, steps, pitches), align, settings)


def _check(arrays: dict[str, NDArray[Any]], steps: int, pitches: int) -> None:
    """Refuse arrays that are no machine.

    Raises:
        ValueError: says what is wrong.
    """
    channels, _, hidden = arrays["weight"].shape
    units = channels * steps * pitches
    expected = {"weight": (channels, steps * pitches, hidden), "visible": (units,), "hidden": (hidden,)}
    if "state" in arrays:
        (state,) = arrays["state"].shape
        of = ((state, units), (state, hidden), (units, state), (state, state), (state,))
        expected |= dict(zip(RECURRENT, of, strict=True))
        if steps != 1:
            raise ValueError("a recurrent machine is of single frames")
    if channels not in (1, 2) or arrays.keys() != expected.keys():
        raise ValueError("machine.safetensors does not hold a machine")
    if sum(array.size for array in arrays.values()) > LARGEST:
        raise ValueError("it is larger than any machine here needs to be")
    for name, array in arrays.items():
        if array.shape != expected[name] or array.dtype != np.float32 or not np.isfinite(array).all():
            raise ValueError(f"its {name} is not float32 numbers of shape {expected[name]}")


def _sum_of(rows: Array, units: Array) -> Array:
    """units·rows for units of 0 and 1: the sum of the rows whose unit is 1."""
    return np.asarray(np.add.reduce(rows[np.flatnonzero(units)], axis=0))


def _product(u: Array, matrix: Array) -> Array:
    """u·matrix for one u, summed in one order whatever the machine."""
    return np.asarray(np.add.reduce(u[:, None] * matrix, axis=0))
