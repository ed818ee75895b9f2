"""The player of models that make a grid frame by frame and each frame pitch by pitch: RNN-NADE, biaxial.

Reads three files of a folder and nothing else: `player.json`

    {"player": "frame", "channels": C, "pitches": P, "features": F,
     "states": {NAME: {"shape": [...], "dtype": "float32"}, ...}, "pitch_states": {NAME: {...}, ...}}

`time.onnx`, run once a frame: inputs `frame` (B, C, P) float32, the frame before (zeros at a piece's beginning), `step`
(B,) int64, the index of the frame to be made, and each state NAME (B, *shape); outputs `given` (B, P, F) float32, what
each pitch is told, `first_NAME` for each pitch state, and `next_NAME` for each state. And `pitch.onnx`, run for each
pitch from the lowest up: inputs `given` (B, F), `pitch` () int64, `before` (B, C) float32, what was chosen at the pitch
below (zeros at the lowest), and each pitch state; outputs `logits` (B, C) in the planes' order (that the cell sounds;
with two planes also that it is struck if it sounds) and `next_NAME` for each pitch state. States begin at 0.

Johnson's samplers (2015, code of "Composing music with recurrent neural networks") are settings: each probability to
sound is raised to a power, `conservativity`, and the power falls while frames have few notes, so that no silence lasts.
His power may fall below 0, where every pitch sounds at once; here it stops at a tenth of where it began.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from partimento.errors import InvalidBundle
from partimento.frames import Grid, draw_cells, planes
from partimento.graphs import DTYPES, LARGEST_STATE, Graph, first_line, require_numbers
from partimento.sampling import Sampling
from partimento.settings import settings as settings_class

MOST_PITCHES = 128
LEAST_POWER = 0.1  # of `conservativity`: what the power falls to at most

State = dict[str, NDArray[Any]]
States = Mapping[str, tuple[tuple[int, ...], str]]


@settings_class
class Settings:
    """How a frame's cells are drawn."""

    conservativity: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Power that each probability to sound is raised to: above 1 fewer notes, below 1 more."""
    nudge: Annotated[float, Field(ge=0, le=10)] = 0.0
    """How much that power falls with each frame of fewer than `fewest` notes; 0 leaves it (Johnson 2015 has 0.02)."""
    recovery: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Share of the way back that the power goes with each other frame."""
    fewest: Annotated[int, Field(ge=0, le=MOST_PITCHES)] = 2
    """Notes that must sound in a frame for the power not to fall."""


@dataclass(frozen=True)
class _Shapes:
    """What `player.json` says."""

    channels: int
    pitches: int
    features: int
    states: States
    pitch_states: States


class Frame:
    """Plays one exported model, for several pieces side by side; a `GridPlayer`."""

    steps = 1
    align = 1
    hears = True

    def __init__(self, time: Graph, pitch: Graph, shapes: _Shapes, settings: Settings) -> None:
        self._time = time
        self._pitch = pitch
        self._shapes = shapes
        self._settings = settings
        self._onset, self._sustain = planes(shapes.channels)

    def play(self, rngs: Sequence[np.random.Generator], heard: Grid, sampling: Sampling) -> Iterator[tuple[Grid, Grid]]:
        """Make frames without end; see `GridPlayer.play`.

        Raises:
            InvalidBundle: a graph fails or gives something that is no number.
        """
        shapes, batch = self._shapes, len(rngs)
        state: State = {name: np.zeros((1, *shape), dtype) for name, (shape, dtype) in shapes.states.items()}
        frame = np.zeros((1, shapes.channels, shapes.pitches), np.float32)
        for step, after in enumerate(heard):  # all pieces heard the same: one row is enough
            _, _, state = self._advance(frame, step, state)
            frame = np.asarray(after[None], np.float32)
        state = {name: np.repeat(value, batch, axis=0) for name, value in state.items()}
        frame = np.repeat(frame, batch, axis=0)
        power = np.full(batch, self._settings.conservativity)
        step = len(heard)
        while True:
            given, first, state = self._advance(frame, step, state)
            chance = np.stack([rng.random((shapes.pitches, shapes.channels), np.float32) for rng in rngs])
            frame, p = self._climb(given, first, chance, sampling.temperature, power)
            yield frame[:, None], p[:, None]
            power = self._adapted(power, frame)
            step += 1

    def _advance(self, frame: Grid, step: int, state: State) -> tuple[Grid, State, State]:
        """One step in time: what each pitch is told, (B, P, F), the pitch states to begin with, and the next state."""
        inputs: State = {"frame": frame, "step": np.full(len(frame), step, np.int64), **state}
        found = self._time.run(inputs)
        first = {name: found[f"first_{name}"] for name in self._shapes.pitch_states}
        return found["given"], first, {name: found[f"next_{name}"] for name in self._shapes.states}

    def _climb(
        self, given: Grid, state: State, chance: Grid, temperature: float, power: NDArray[np.float64]
    ) -> tuple[Grid, Grid]:
        """Draw a frame from the lowest pitch up: cells and the probability of each 1, both (B, C, P)."""
        batch, pitches = chance.shape[:2]
        cells = np.zeros((batch, self._shapes.channels, pitches), np.float32)
        p = np.zeros_like(cells)
        before = np.zeros((batch, self._shapes.channels), np.float32)
        for pitch in range(pitches):
            inputs: State = {"given": given[:, pitch], "pitch": np.array(pitch, np.int64), "before": before, **state}
            found = self._pitch.run(inputs)
            logits = found["logits"]
            require_numbers(logits)
            state = {name: found[f"next_{name}"] for name in self._shapes.pitch_states}
            if temperature and (power != 1).any():
                logits[:, self._sustain] = raised(logits[:, self._sustain], power, temperature)
            before, p[..., pitch] = draw_cells(logits, chance[:, pitch], temperature, axis=-1)
            cells[..., pitch] = before
        return cells, p

    def _adapted(self, power: NDArray[np.float64], frame: Grid) -> NDArray[np.float64]:
        """The power for the next frame, by how many notes sound in this one, (B, C, P)."""
        s = self._settings
        few = frame[:, self._sustain].sum(axis=-1) < s.fewest
        lower = np.minimum(power, s.conservativity) - s.nudge
        fallen = np.maximum(lower, LEAST_POWER * s.conservativity)
        return np.where(few, fallen, power + (s.conservativity - power) * s.recovery)


def raised(logits: NDArray[Any], power: NDArray[np.float64], temperature: float) -> NDArray[np.float32]:
    """The logits whose probabilities, at this temperature, are those of `logits` raised to a power; all (B,).

    Example:
        >>> logits = raised(np.array([0.0]), np.array([2.0]), 1.0)  # 1/2 becomes 1/4
        >>> round(float(1 / (1 + np.exp(-logits[0]))), 4)
        0.25
    """
    nats = power * np.logaddexp(0, -np.asarray(logits, np.float64) / temperature)  # -log of the raised probability
    nats = np.maximum(nats, 1e-30)  # no less, or its logit is infinite
    return np.asarray(-temperature * (nats + np.log(-np.expm1(-nats))), np.float32)


def open_player(folder: Path, settings: Settings | None = None, threads: int = 1) -> Frame:
    """Open `player.json`, `time.onnx` and `pitch.onnx` of a bundle's `player` folder.

    Args:
        folder: holds the three files.
        settings: how cells are drawn; as the model says if None.
        threads: for each step. One is fastest for small models, and the same number gives the same music.

    Raises:
        InvalidBundle: a file is missing or is not what it should be; says which.
    """
    shapes = _described(folder / "player.json")
    state, pitch_state = (
        {name: (dtype, (None, *shape)) for name, (shape, dtype) in states.items()}
        for states in (shapes.states, shapes.pitch_states)
    )
    cell = (None, shapes.channels)
    time = Graph(
        folder / "time.onnx",
        {"frame": ("float32", (*cell, shapes.pitches)), "step": ("int64", (None,)), **state},
        {
            "given": ("float32", (None, shapes.pitches, shapes.features)),
            **{f"first_{name}": value for name, value in pitch_state.items()},
            **{f"next_{name}": value for name, value in state.items()},
        },
        threads,
    )
    pitch = Graph(
        folder / "pitch.onnx",
        {
            "given": ("float32", (None, shapes.features)),
            "pitch": ("int64", ()),
            "before": ("float32", cell),
            **pitch_state,
        },
        {"logits": ("float32", cell), **{f"next_{name}": value for name, value in pitch_state.items()}},
        threads,
    )
    return Frame(time, pitch, shapes, settings or Settings())


def _described(path: Path) -> _Shapes:
    """What `player.json` says, checked."""
    try:
        document = json.loads(path.read_bytes())
        channels, pitches, features = (document[name] for name in ("channels", "pitches", "features"))
        states, pitch_states = (
            {name: (tuple(s["shape"]), s["dtype"]) for name, s in document[kind].items()}
            for kind in ("states", "pitch_states")
        )
        both = [*states.values(), *pitch_states.values()]
        sizes = [channels, pitches, features, *(size for shape, _ in both for size in shape)]
        if document["player"] != "frame" or not all(type(size) is int and size > 0 for size in sizes):
            raise ValueError("it does not describe a frame player")
        if channels > 2 or pitches > MOST_PITCHES:
            raise ValueError(f"it has more than 2 planes or {MOST_PITCHES} pitches")
        if pitches * features + sum(np.prod(shape, dtype=float) for shape, _ in both) > LARGEST_STATE:
            raise ValueError("it asks for more memory than any model here needs")
        if not {dtype for _, dtype in both} <= DTYPES.keys():
            raise ValueError(f"a state is none of {', '.join(DTYPES)}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidBundle(f"player/player.json of this bundle cannot be used: {first_line(error)}.") from error
    return _Shapes(channels, pitches, features, states, pitch_states)
