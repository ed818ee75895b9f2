"""The player of models with a latent space: one ONNX graph from a point of it to a phrase, and perhaps one back.

Reads these files of a folder and nothing else: `player.json`

    {"player": "graph", "latent": Z, "steps": S, "channels": C, "pitches": P, "align": A,
     "attributes": {NAME: [Z numbers], ...}}

(`attributes` may be missing), `decode.onnx` with the input `z` (B, Z) and the output `logits` (B, S, C, P), and, where
the model can also say where a phrase lies, `encode.onnx` with the input `x` (B, S, C, P) and the outputs `mean` and
`deviation` (B, Z); all float32. Phrases begin at multiples of A frames.

A piece is a walk: each phrase is decoded from z' = r z + sqrt(1 - r²) e, e standard normal, which leaves every phrase
as likely as one decoded from a fresh standard normal z and only ties neighbours together. After a prompt it sets out
from where the prompt's last phrase lies, z = mean + deviation e. A walk of one step's memory has no form; letters
(`AABA`) give it one. Phrases follow from z alone: what a guard changed in the cells of one is not heard by the next.

The cells of a phrase are independent given z, so a note that z is unsure of would flicker; two things keep it whole.
All cells of a pitch are decided by one chance for the phrase, which leaves each cell as probable as it was. And where
the model hears, a phrase is heard and decoded again from the mean a few times (`settle`), each time a likelier phrase
(the chain of Rezende et al. 2014, "Stochastic backpropagation and approximate inference in deep generative models",
who mend pictures by it). Settling takes back most of the way that z was moved along attributes. So a phrase settles
once moved and once not, and what lacks of the way between the two is gone at the end.
"""

from __future__ import annotations

import copy
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from partimento.errors import ImpossibleRequest, InvalidBundle
from partimento.frames import Grid, draw_cells, planes
from partimento.graphs import Graph, first_line, require_numbers
from partimento.sampling import Sampling
from partimento.settings import settings

LARGEST_LATENT = 1 << 16
LARGEST_PHRASE = 1 << 22  # cells, planes counted apiece
FARTHEST = 100  # along an attribute; music ends at a few

Points = NDArray[np.float32]
"""(B, Z) points of the latent space."""


@settings
class Settings:
    """What can be changed when composing."""

    walk: Annotated[float, Field(ge=0, le=1)] = 0.8
    """How near each phrase is to the one before: 0 has nothing to do with it, 1 is the same point."""
    attributes: dict[str, Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)]] = Field(default_factory=dict)
    """How far to go along a model's attributes, by name; 1 is the way from what has little of it to what has much."""
    settle: Annotated[int, Field(ge=0, le=100)] = 0
    """How often a phrase is heard and decoded anew before it is played; of no effect where the model cannot hear."""
    form: Annotated[str, Field(max_length=1000)] = ""
    """Phrases by letters, e.g. AABA, from the beginning again at the end: equal letters are decoded from one z. Empty
    for a new z each time."""


class Latent:
    """Plays one exported model; a `GridPlayer`.

    Attributes:
        steps: frames of a phrase.
        align: phrases begin at multiples of this many frames.
        hears: whether it can say where a phrase lies, and so go on from one.
        latent: the latent space's dimensions.
        attributes: (Z,) directions by name.
        settings: how it walks.
    """

    def __init__(self, facts: dict[str, Any], graphs: dict[str, Graph], settings: Settings) -> None:
        self.steps: int = facts["steps"]
        self.align: int = facts["align"]
        self.latent: int = facts["latent"]
        self.hears = "encode" in graphs
        self.attributes: dict[str, NDArray[np.float32]] = facts["attributes"]
        self.settings = settings
        self._cells = (facts["channels"], facts["pitches"])
        self._graphs = graphs
        unknown = sorted(settings.attributes.keys() - self.attributes.keys())
        if unknown:
            known = f"there are: {', '.join(sorted(self.attributes))}" if self.attributes else "it has none"
            raise ImpossibleRequest(f"This model has no attribute {unknown[0]!r} to go along; {known}.")

    def fits(self, channels: int, pitches: int) -> bool:
        """Whether its grids have so many planes and pitches."""
        return self._cells == (channels, pitches)

    def encode(self, x: Grid) -> tuple[Points, Points]:
        """Where phrases lie.

        Args:
            x: (B, steps, C, P) of 0 and 1.

        Returns:
            The mean and the deviation, (B, Z), of what is known about each.

        Raises:
            ImpossibleRequest: the model cannot say.
            InvalidBundle: the graph fails.
        """
        if not self.hears:
            raise ImpossibleRequest(
                "This model cannot say where a piece lies among those that it could make: take one of the recipe vae."
            )
        found = self._run("encode", {"x": x})
        return found["mean"], found["deviation"]

    def decode(self, z: Points) -> Grid:
        """The logits of the cells, (B, steps, C, P), of the phrases at z, (B, Z).

        Raises:
            InvalidBundle: the graph fails, or gives what is no number.
        """
        return self._run("decode", {"z": z})["logits"]

    def moved(self, z: Points) -> Points:
        """The points (B, Z) gone along the attributes, as far as the settings say."""
        for name, far in self.settings.attributes.items():
            z = z + np.float32(far) * self.attributes[name]
        return z

    def play(self, rngs: Sequence[np.random.Generator], heard: Grid, sampling: Sampling) -> Iterator[tuple[Grid, Grid]]:
        """Walk on without end; see `frames.GridPlayer` and the module."""
        form = self.settings.form
        z = self._begun(heard, rngs)
        places: dict[str, Points] = {}
        for number in itertools.count():
            letter = form[number % len(form)] if form else str(number)
            if letter not in places:
                z = self._next(z, rngs)
                places = {**places, letter: z} if form else {letter: z}
            there = self.arrived(places[letter], rngs, sampling.temperature)
            yield self.played(there, rngs, sampling.temperature)

    def arrived(self, z: Points, rngs: Sequence[np.random.Generator], temperature: float) -> Points:
        """Where the phrases of z (B, Z) are played: settled, and all the way gone along the attributes."""
        way = self.moved(np.zeros_like(z[:1]))[0]
        if not way.any():
            return self.settled(z, rngs, temperature)
        unmoved = self.settled(z, copy.deepcopy(rngs), temperature)  # by the same chances
        there = self.settled(z + way, rngs, temperature)
        gone = (there - unmoved) @ way / (way @ way)  # (B,) of the way
        found: Points = there + np.maximum(1 - gone, 0)[:, None] * way
        return found

    def settled(self, z: Points, rngs: Sequence[np.random.Generator], temperature: float) -> Points:
        """Where phrases at z (B, Z) lie once they were decoded and heard as often as the settings say."""
        for _ in range(self.settings.settle if self.hears else 0):
            cells, _ = self.played(z, rngs, temperature)
            z, _ = self.encode(with_beginnings(cells))
        return z

    def played(self, z: Points, rngs: Sequence[np.random.Generator], temperature: float) -> tuple[Grid, Grid]:
        """Draw the cells of the phrases at z (B, Z).

        Returns:
            Cells and how probable each 1 was, as `frames.GridPlayer.play` gives them.
        """
        logits = self.decode(z)
        chance = np.stack([rng.random((1, *self._cells), np.float32) for rng in rngs])  # one for all steps of a pitch
        return draw_cells(logits, np.broadcast_to(chance, logits.shape), temperature)

    def _next(self, z: Points | None, rngs: Sequence[np.random.Generator]) -> Points:
        """A step of the walk."""
        r, e = self.settings.walk, self._normal(rngs)
        return e if z is None else np.float32(r) * z + np.float32(math.sqrt(1 - r * r)) * e

    def phrases(self, x: Grid) -> Grid:
        """A piece (T, C, P) cut into phrases end to end, (N, steps, C, P), the last filled up with silence."""
        count = max(-(-len(x) // self.steps), 1)
        whole = np.zeros((count * self.steps, *self._cells), np.float32)
        whole[: len(x)] = x
        return whole.reshape(count, self.steps, *self._cells)

    def _begun(self, heard: Grid, rngs: Sequence[np.random.Generator]) -> Points | None:
        """Where the last phrase heard lies that is whole and begins in its place; None where nothing was heard."""
        if not len(heard):
            return None
        begin = max(len(heard) - self.steps, 0) // self.align * self.align
        mean, deviation = self.encode(self.phrases(heard[begin : begin + self.steps]))
        return mean + deviation * self._normal(rngs)

    def _normal(self, rngs: Sequence[np.random.Generator]) -> Points:
        return np.stack([rng.standard_normal(self.latent, np.float32) for rng in rngs])

    def _run(self, name: str, inputs: dict[str, Grid]) -> dict[str, NDArray[Any]]:
        found = self._graphs[name].run(inputs)
        require_numbers(*found.values())
        return found


def with_beginnings(cells: Grid) -> Grid:
    """Phrases (B, T, C, P) with an onset wherever a pitch begins to sound, as what plays grids puts it there."""
    onset, sustain = planes(cells.shape[2])
    if onset is None:
        return cells
    sounds = cells[:, :, sustain] > 0
    before = np.concatenate([np.zeros_like(sounds[:, :1]), sounds[:, :-1]], axis=1)
    struck = cells.copy()
    struck[:, :, onset][sounds & ~before] = 1
    return struck


def open_player(folder: Path, settings: Settings, threads: int = 1) -> Latent:
    """Open `player.json`, `decode.onnx` and, where there is one, `encode.onnx` of a bundle's `player` folder.

    Args:
        folder: holds the files.
        settings: how it walks.
        threads: for each phrase. One is fastest for small models, and the same number gives the same music.

    Raises:
        InvalidBundle: a file is missing or is not what it should be; says which.
        ImpossibleRequest: the settings name an attribute that the model does not have.
    """
    facts = _described(folder / "player.json")
    z = ("float32", (None, facts["latent"]))
    x = ("float32", (None, facts["steps"], facts["channels"], facts["pitches"]))
    graphs = {"decode": Graph(folder / "decode.onnx", {"z": z}, {"logits": x}, threads)}
    if (folder / "encode.onnx").exists():
        graphs["encode"] = Graph(folder / "encode.onnx", {"x": x}, {"mean": z, "deviation": z}, threads)
    return Latent(facts, graphs, settings)


def _described(path: Path) -> dict[str, Any]:
    """The sizes and the attributes' directions, from `player.json`."""
    try:
        document = json.loads(path.read_bytes())
        sizes = {name: document[name] for name in ("latent", "steps", "channels", "pitches", "align")}
        if document["player"] != "graph" or not all(type(size) is int and size > 0 for size in sizes.values()):
            raise ValueError("it does not describe a graph player")
        cells = sizes["steps"] * sizes["channels"] * sizes["pitches"]
        if sizes["latent"] > LARGEST_LATENT or cells > LARGEST_PHRASE:
            raise ValueError("it asks for more memory than any model here needs")
        if sizes["channels"] > 2:
            raise ValueError("a grid has one plane or two")
        attributes = {str(name): np.array(to, np.float32) for name, to in document.get("attributes", {}).items()}
        if not all(to.shape == (sizes["latent"],) and np.isfinite(to).all() for to in attributes.values()):
            raise ValueError("an attribute is no direction of the latent space")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidBundle(f"player/player.json of this bundle cannot be used: {first_line(error)}.") from error
    return {**sizes, "attributes": attributes}
