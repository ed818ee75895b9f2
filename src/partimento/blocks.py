"""Blocks of attention, one on top of the other (Vaswani et al. 2017): what models that attend share (torch).

The form is that of today's language models: norms before each part (Xiong et al. 2020), no bias in the products,
positions turned into queries and keys (rotary, Su et al. 2021), half of them by musical time if asked, or a learnt
number for each head and distance (the relative attention of Music Transformer, Huang et al. 2018, in T5's simpler form,
Raffel et al. 2020). Attention reaches back `context` places and no further, so a piece of any length is played in flat
memory, and a step with a cache gives what whole pieces give.

Left out: dropout of attention itself, which cannot be had with attention that is computed without writing its weights
down: it doubles the time of an update on a processor. Grouped queries and mixtures of experts, which save memory that
models of this size do not need.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from partimento.caches import ROOM, Attending, Positions, Times, angles
from partimento.exporting import INT32, MICROSOFT, OnnxGraph, Value
from partimento.graphs import Values
from partimento.settings import settings

TOO_FAR = -1e9  # added to a product with what lies out of reach, in the player

Past = tuple[Tensor, Tensor]
"""Keys and values (B, H, P, D) of the last places, of one block."""
Sizes = dict[str, tuple[int | str, ...]]


@settings
class Shape:
    """The shape of a tower of blocks."""

    layers: Annotated[int, Field(ge=1, le=64)] = 4
    """Blocks, one on top of the other."""
    width: Annotated[int, Field(ge=4, le=8192)] = 256
    """Numbers that stand for each place between blocks."""
    heads: Annotated[int, Field(ge=1, le=128)] = 4
    """Parts that attend each for itself; they share the width."""
    widening: Annotated[float, Field(gt=0, le=16)] = 4.0
    """How many times the width the network inside a block has in its middle."""
    context: Annotated[int, Field(ge=2, le=65_536)] = 1024
    """Places that each place sees, itself among them."""
    positions: Positions = "rotary"
    """How places know what lies how far back: queries and keys turned by their place (rotary); one half of them by
    their place and the other by their musical time, where the codec tells it (time); or a learnt number for each head
    and distance, which costs more time (distance)."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of what is embedded and of what each part of a block adds that is left out while learning."""

    def __post_init__(self) -> None:
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError("the width must be an even number of times the heads")
        if self.positions == "time" and (self.width // self.heads) % 4:
            raise ValueError("where positions know the time, the width must be a multiple of four times the heads")
        self.attending()  # refuses what nobody could play

    def attending(self) -> Attending:
        """The tower as its player knows it."""
        size = self.width // self.heads
        return Attending(self.layers, self.heads, size, self.context, self.positions)


class Tower(nn.Module):
    """Blocks and a norm: what places become that see those before them."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.blocks: Sequence[Block] = modules([Block(shape) for _ in range(shape.layers)])
        self.norm = nn.LayerNorm(shape.width)
        for block in self.blocks:
            nn.init.normal_(block.queries.weight, std=0.02)
            for last in (block.out, block.thinks.narrow):  # so that the sum of all blocks begins no larger than one
                nn.init.normal_(last.weight, std=0.02 / math.sqrt(2 * shape.layers))

    def forward(
        self, h: Tensor, first: int = 0, past: Sequence[Past] = (), times: Times | None = None
    ) -> tuple[Tensor, list[Past]]:
        """Let places see one another.

        Args:
            h: (B, T, W), embedded.
            first: how many places came before them.
            past: what was kept of those, as it was returned.
            times: (B, T) when each place is, for positions that know it.

        Returns:
            (B, T, W), and what is to be kept for the places after them.
        """
        turn = None
        if self.shape.positions != "distance":
            places = np.arange(first, first + h.shape[1])
            angle = angles(self.shape.attending(), places, times)  # (T, D/2) or (B, T, D/2)
            both = np.stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
            turn = torch.from_numpy(both).to(h.device).unsqueeze(-3)
        kept = []
        for number, block in enumerate(self.blocks):
            h, own = block(h, turn, past[number] if past else None)
            kept.append(own)
        return self.norm(h), kept

    def export(self, graph: OnnxGraph, h: str) -> str:
        """Add one step of the tower to the graph, for h (B, W): the inputs are those of `takes`; gives (B, W)."""
        batch = graph.op("Slice", graph.op("Shape", h), np.array([0]), np.array([1]))
        reach = graph.op("Add", "held", np.array([1]))
        counts = graph.op("Cast", graph.op("Expand", "held", batch), to=INT32), graph.op("Cast", reach, to=INT32)
        rows: Value = np.array([0])  # of cosine and sine: the one for all pieces, or each piece's own
        if self.shape.positions == "time":
            count = graph.op("Range", np.array(0), graph.op("Squeeze", batch), np.array(1))
            rows = graph.op("Unsqueeze", count, np.array([1]))
        for number, block in enumerate(self.blocks):
            h = block.export(graph, h, counts, rows, number)
        return graph.layer_norm(h, self.norm)

    @property
    def takes(self) -> Sizes:
        """What the step takes beside h; `held` is int64, how many places are kept."""
        return _named(self.shape.attending().takes)

    @property
    def gives(self) -> Sizes:
        """What the step gives beside its result."""
        return _named(self.shape.attending().gives)

    def described(self) -> dict[str, Any]:
        """What `player.json` says of it."""
        return dataclasses.asdict(self.shape.attending())


class Projections(nn.Linear):
    """Queries, keys and values in one product: three matrices (W, W), one below the other.

    Attributes:
        parts: how many matrices it is; an optimiser that looks at a matrix as a whole looks at each.
    """

    parts = 3

    def __init__(self, width: int) -> None:
        super().__init__(width, self.parts * width, bias=False)


class Block(nn.Module):
    """Attention, then a network over each place; each adds to what it was given."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        self.heads = shape.heads
        self.context = shape.context
        self.attends = nn.LayerNorm(width)
        self.queries = Projections(width)
        self.out = nn.Linear(width, width, bias=False)
        self.distances = (
            nn.Parameter(torch.zeros(shape.heads, shape.context)) if shape.positions == "distance" else None
        )
        self.dropout = nn.Dropout(shape.dropout)
        self.thinks = Network(width, shape.widening, shape.dropout)

    def forward(self, h: Tensor, turn: Tensor | None, past: Past | None) -> tuple[Tensor, Past]:
        """One block.

        Args:
            h: (B, T, W).
            turn: of these places, (2, 1, T, D/2) or (2, B, 1, T, D/2).
            past: of the places before them.

        Returns:
            (B, T, W), and keys and values of all that the next place may see.
        """
        query, key, value = self.queries(self.attends(h)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if turn is not None:
            query, key = turned(query, turn), turned(key, turn)  # (B, H, T, D)
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        mask = self._seen(query.shape[2], key.shape[2])
        found = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            None if mask is None else mask.to(query.dtype),
            is_causal=mask is None,
        )
        h = h + self.dropout(self.out(found.transpose(1, 2).flatten(2)))
        h = self.thinks(h)
        keep = min(self.context - 1, key.shape[2])
        return h, (key[:, :, key.shape[2] - keep :], value[:, :, key.shape[2] - keep :])

    def _seen(self, places: int, keys: int) -> Tensor | None:
        """What is added to the products of the last `places` of `keys` with all keys, (H or 1, places, keys).

        Minus infinity for what lies ahead or too far back; None where all that came before is seen, and alike.
        """
        if self.distances is None and places == keys <= self.context:
            return None
        near = self.attends.weight.new_zeros(1, self.context) if self.distances is None else self.distances
        reach = min(self.context, keys)
        # by distance, from the farthest there is down to those that lie ahead
        strip = functional.pad(near[:, :reach].flip(-1), (keys - reach, places - 1), value=-math.inf)
        return strip.unfold(-1, keys, 1).flip(-2)

    def export(self, graph: OnnxGraph, h: str, counts: tuple[str, str], rows: Value, number: int) -> str:
        """Add one step of this block to the graph.

        Args:
            graph: of the step.
            h: (B, W).
            counts: int32, how many places are kept (B,) and how many there are with the new one (1,).
            rows: of cosine and sine, where positions are turned: the one row of all pieces, (1,), or each one's (B, 1).
            number: of the block.

        Returns:
            (B, W).
        """
        width = self.out.in_features
        own: dict[str, Any] = {"num_heads": self.heads, "domain": MICROSOFT}
        mixed = graph.affine(graph.layer_norm(h, self.attends), self.queries.weight, None)
        mixed = graph.reshape(mixed, 0, 1, 3 * width)
        names = [f"new_{kind}{number}" for kind in ("query", "key", "value")]
        query, key, value = graph.node("Split", [mixed], names, axis=2, num_outputs=3)
        kept: tuple[str, ...] = (f"keys{number}", f"values{number}", *counts)
        gives = [f"found{number}", f"next_keys{number}", f"next_values{number}"]
        if self.distances is None:
            query, key = (graph.op("RotaryEmbedding", x, rows, "cosine", "sine", **own) for x in (query, key))
            own["local_window_size"] = self.context
        else:
            strip = functional.pad(self.distances.flip(-1), (ROOM, 0), value=TOO_FAR)[None, :, None]
            first = graph.op("Sub", np.array([strip.shape[-1] - 1]), "held")
            last, axis = np.array([strip.shape[-1]]), np.array([3])
            kept = (*kept, "", "", "", graph.op("Slice", strip, first, last, axis))
        graph.node("GroupQueryAttention", (query, key, value, *kept), gives, kv_num_heads=self.heads, **own)
        h = graph.op("Add", h, graph.affine(graph.reshape(gives[0], 0, width), self.out.weight, None))
        return self.thinks.export(graph, h)


class Network(nn.Module):
    """A network over each place by itself, which adds to what it is given."""

    def __init__(self, width: int, widening: float, dropout: float) -> None:
        super().__init__()
        middle = round(width * widening)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, middle, bias=False)
        self.narrow = nn.Linear(middle, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.widen.weight, std=0.02)
        nn.init.normal_(self.narrow.weight, std=0.02)

    def forward(self, h: Tensor) -> Tensor:
        """(…, W) to (…, W)."""
        added: Tensor = self.dropout(self.narrow(functional.gelu(self.widen(self.norm(h)))))
        return h + added

    def export(self, graph: OnnxGraph, h: str) -> str:
        """Add it to the graph, for h (…, W)."""
        wide = graph.op("Gelu", graph.affine(graph.layer_norm(h, self.norm), self.widen.weight, None))
        return graph.op("Add", h, graph.affine(wide, self.narrow.weight, None))


def _named(values: Values) -> Sizes:
    """Sizes as a graph names those that are not known: the batch, and how many places a buffer has."""
    return {
        name: tuple(("B" if axis == 0 else "C") if size is None else size for axis, size in enumerate(shape))
        for name, (_, shape) in values.items()
    }


def modules(parts: Sequence[Any]) -> Any:
    """Parts of a network, in a row."""
    return nn.ModuleList(parts)


def turned(x: Tensor, turn: Tensor) -> Tensor:
    """Turn x (B, H, T, D) by its places: each number of its first half with the one of the second, as points."""
    one, two = x.chunk(2, -1)
    cosine, sine = turn.to(x.dtype)
    return torch.cat([one * cosine - two * sine, two * cosine + one * sine], -1)
