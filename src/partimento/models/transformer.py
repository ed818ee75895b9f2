"""A Transformer over ids (Vaswani et al. 2017): each id is foretold from the last `context` before it.

Music Transformer (Huang et al. 2018) showed that attention carries a motif further than a recurrent state does. The
form here is that of today's language models: norms before each part (Xiong et al. 2020), no bias in the products,
positions turned into queries and keys (rotary, Su et al. 2021), or a learnt number for each head and distance (the
relative attention of Music Transformer in T5's simpler form, Raffel et al. 2020). Attention reaches back `context` ids
and no further, so a piece of any length is played in flat memory, and a step with a cache gives what whole pieces give.

Music that is written id by id on a grid has places that a Transformer would have to count out: `periods` gives it the
place in each period (the voice of four, the sixteenth of a bar), and `lags` the ids that stood so many places before
the one to be foretold (the same voice's last note). Both go into the embedding, for nothing in time.

Left out: sinusoids added to the embedding, which are worse than either; grouped queries and mixtures of experts, which
save memory that models of this size do not need.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from partimento.codec import TokenSpec
from partimento.errors import InvalidSettings
from partimento.exporting import INT32, MICROSOFT, OnnxGraph
from partimento.layers import arrays_of, foretold, load_into
from partimento.model import Batch, Model
from partimento.settings import settings

SEGMENT = 1024  # ids of a held-out piece that are run at once; keys and values are carried from one to the next
SLOWEST = 10_000.0  # the longest wavelength of the rotary positions, in ids, over 2 pi
ROOM = 256  # places more than the context that a player's buffers have
FIRST = np.array([0])
TOO_FAR = -1e9  # added to a product with what lies out of reach, in the player

Past = tuple[Tensor, Tensor]
"""Keys and values (B, H, P, D) of the last ids, of one layer."""


class Transformer(nn.Module, Model):
    """Blocks of attention and of a network over each place, from ids to the logits of the next."""

    name: ClassVar[str] = "transformer"
    player: ClassVar[str] = "attention"
    Spec: ClassVar[type[Any]] = TokenSpec
    exact: ClassVar[bool] = True

    @settings
    class Settings:
        """The shape of the network."""

        layers: Annotated[int, Field(ge=1, le=64)] = 4
        """Blocks, one on top of the other."""
        width: Annotated[int, Field(ge=4, le=8192)] = 256
        """Numbers that stand for each place between blocks."""
        heads: Annotated[int, Field(ge=1, le=128)] = 4
        """Parts that attend each for itself; they share the width."""
        widening: Annotated[float, Field(gt=0, le=16)] = 4.0
        """How many times the width the network inside a block has in its middle."""
        context: Annotated[int, Field(ge=2, le=65_536)] = 1024
        """Ids that each place sees, itself among them."""
        positions: Literal["rotary", "distance"] = "rotary"
        """How places know what lies how far back: queries and keys turned by their place, or a learnt number for each
        head and distance."""
        periods: tuple[Annotated[int, Field(ge=2, le=65_536)], ...] = ()
        """Ids after which something begins anew, e.g. (4, 64) for four voices and bars of sixteen steps: a place learns
        what its number within each means."""
        lags: tuple[Annotated[int, Field(ge=2, le=65_536)], ...] = ()
        """How many places before the id to be foretold stand others that its place is told at once, e.g. (4,) for the
        last note of the same voice of four."""
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
        """Share of each block's output, and of attention, left out while learning."""

        def __post_init__(self) -> None:
            if self.width % self.heads or (self.width // self.heads) % 2:
                raise ValueError("the width must be an even number of times the heads")

    def __init__(self, settings: Settings, spec: TokenSpec) -> None:
        super().__init__()
        if not isinstance(spec, TokenSpec):
            raise InvalidSettings(f"The model 'transformer' learns ids, and this codec gives {type(spec).__name__}.")
        self.settings = settings
        self.spec = spec
        width = settings.width
        self.embed = nn.Embedding(spec.vocab_size, width)
        self.places: Sequence[nn.Embedding] = _list([nn.Embedding(period, width) for period in settings.periods])
        self.echoes: Sequence[nn.Embedding] = _list([nn.Embedding(spec.vocab_size, width) for _ in settings.lags])
        self.dropout = nn.Dropout(settings.dropout)
        self.blocks: Sequence[Block] = _list([Block(settings) for _ in range(settings.layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, spec.vocab_size)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02 if isinstance(module, nn.Linear) else 0.1)
        for block in self.blocks:
            for last in (block.out, block.narrow):  # so that the sum of all blocks begins no larger than one
                nn.init.normal_(last.weight, std=0.02 / math.sqrt(2 * settings.layers))
        nn.init.zeros_(self.head.bias)

    def hidden(self, ids: Tensor, begin: Tensor | None = None) -> Tensor:
        """What the head reads its logits from.

        Args:
            ids: (B, T).
            begin: (B,) the place of ids[:, 0] in its piece; 0 if None.

        Returns:
            (B, T, W).
        """
        h = self._begun(ids, begin)
        turn = self._turn(0, ids.shape[1], ids.device)
        for block in self.blocks:
            h, _ = block(h, turn, None)
        return self.norm(h)  # type: ignore[no-any-return]

    def _begun(self, ids: Tensor, begin: Tensor | None) -> Tensor:
        """Embeddings of ids (B, T), of their places and of what stood before them; (B, T, W)."""
        h = self.embed(ids)
        place = torch.arange(ids.shape[1], device=ids.device) + (0 if begin is None else begin[:, None])
        for period, table in zip(self.settings.periods, self.places, strict=True):
            h = h + table(place % period)
        for lag, table in zip(self.settings.lags, self.echoes, strict=True):
            h = h + table(functional.pad(ids, (lag - 1, 0), value=self.spec.pad)[:, : ids.shape[1]])
        return self.dropout(h)  # type: ignore[no-any-return]

    def _turn(self, first: int, count: int, device: torch.device) -> Tensor | None:
        """Cosine and sine (2, T, D/2) by which places from `first` on turn queries and keys; None if they do not."""
        if self.settings.positions != "rotary":
            return None
        angle = torch.arange(first, first + count, dtype=torch.float64)[:, None] * torch.from_numpy(
            speeds(self.settings)
        )
        return torch.stack([angle.cos(), angle.sin()]).float().to(device)

    def sides(self) -> dict[str, list[nn.Parameter]]:
        """One side: all parameters."""
        return {"model": list(self.parameters())}

    def loss(self, batch: Batch, side: str = "model") -> dict[str, Tensor]:  # noqa: ARG002 - there is one
        """Mean nats for each predicted id, weighted where ids count unlike, and the share foretold right."""
        h = self.hidden(batch.x[:, :-1], batch.begin)
        asked = batch.mask[:, 1:]
        logits = self.head(h[asked])  # (N, V): padding costs no row of the widest product
        return foretold(logits, batch.x[:, 1:][asked], None if batch.weight is None else batch.weight[:, 1:][asked])

    def predict(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Log probabilities (B, T-1) of x[:, 1:], and whether each was the likeliest; any length, in flat memory."""
        ids, target, asked = batch.x[:, :-1], batch.x[:, 1:], batch.mask[:, 1:]
        whole = self._begun(ids, batch.begin)
        past: list[Past | None] = [None] * len(self.blocks)
        nats, hits = [], []
        for first in range(0, ids.shape[1], SEGMENT):
            h = whole[:, first : first + SEGMENT]
            turn = self._turn(first, h.shape[1], h.device)
            for number, block in enumerate(self.blocks):
                h, past[number] = block(h, turn, past[number])
            logits = self.head(self.norm(h)).float()  # (B, S, V)
            ask = asked[:, first : first + SEGMENT]
            right = target[:, first : first + SEGMENT]
            nat = -functional.cross_entropy(logits.transpose(1, 2), right, reduction="none")
            nats.append(torch.where(ask, nat, 0.0))
            hits.append((logits.argmax(-1) == right) & ask)
        return torch.cat(nats, 1), torch.cat(hits, 1)

    def log_likelihood(self, batch: Batch) -> Tensor:
        """(B,) nats of all that is predicted in each window."""
        return self.predict(batch)[0].sum(1)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every weight by name, float32."""
        return arrays_of(self)

    def load_arrays(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `arrays` gave."""
        load_into(self, arrays)

    def export(self, folder: Path) -> str:
        """Write `player.json` and `step.onnx`, one id through the network; see `players.attention`."""
        chosen, size = self.settings, self.settings.width // self.settings.heads
        graph = OnnxGraph()
        h = graph.op("Gather", self.embed.weight, "ids")
        for period, table in zip(chosen.periods, self.places, strict=True):
            h = graph.op("Add", h, graph.op("Gather", table.weight, graph.op("Mod", "place", np.array([period]))))
        for number, table in enumerate(self.echoes):
            column = graph.op("Gather", "echoes", np.array(number), axis=1)
            h = graph.op("Add", h, graph.op("Gather", table.weight, column))
        shape = graph.op("Shape", "ids")
        reach = graph.op("Add", "held", np.array([1]))
        counts = graph.op("Cast", graph.op("Expand", "held", shape), to=INT32), graph.op("Cast", reach, to=INT32)
        for number, block in enumerate(self.blocks):
            h = block.export(graph, h, counts, number)
        graph.linear(graph.layer_norm(h, self.norm), self.head, name="logits")
        takes: dict[str, tuple[int | str, ...]] = {"ids": ("B",), "held": (1,)}
        integers = ["ids", "held"]
        if chosen.periods:
            takes["place"] = (1,)
            integers.append("place")
        if chosen.lags:
            takes["echoes"] = ("B", len(chosen.lags))
            integers.append("echoes")
        if chosen.positions == "rotary":
            takes |= {"cosine": (1, size // 2), "sine": (1, size // 2)}
        gives: dict[str, tuple[int | str, ...]] = {"logits": ("B", self.spec.vocab_size)}
        for number in range(chosen.layers):
            for kind in ("keys", "values"):
                takes[f"{kind}{number}"] = gives[f"next_{kind}{number}"] = ("B", chosen.heads, "C", size)
        graph.write(folder / "step.onnx", takes, gives, integers)
        facts = {
            "player": "attention",
            "vocab_size": self.spec.vocab_size,
            "pad": self.spec.pad,
            "layers": chosen.layers,
            "heads": chosen.heads,
            "size": size,
            "context": chosen.context,
            "room": ROOM,
            "positions": chosen.positions,
            "places": bool(chosen.periods),
            "lags": list(chosen.lags),
        }
        (folder / "player.json").write_text(json.dumps(facts, indent=1))
        return self.player


class Block(nn.Module):
    """Attention, then a network over each place; each adds to what it was given."""

    def __init__(self, settings: Transformer.Settings) -> None:
        super().__init__()
        width, middle = settings.width, round(settings.width * settings.widening)
        self.heads = settings.heads
        self.context = settings.context
        self.attends = nn.LayerNorm(width)
        self.queries = nn.Linear(width, 3 * width, bias=False)  # and keys, and values
        self.out = nn.Linear(width, width, bias=False)
        self.distances = (
            nn.Parameter(torch.zeros(settings.heads, settings.context)) if settings.positions == "distance" else None
        )
        self.thinks = nn.LayerNorm(width)
        self.widen = nn.Linear(width, middle, bias=False)
        self.narrow = nn.Linear(middle, width, bias=False)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, h: Tensor, turn: Tensor | None, past: Past | None) -> tuple[Tensor, Past]:
        """One block.

        Args:
            h: (B, T, W).
            turn: of these places, (2, T, D/2).
            past: of the ids before them.

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
            self.dropout.p if self.training else 0.0,
            is_causal=mask is None,
        )
        h = h + self.dropout(self.out(found.transpose(1, 2).flatten(2)))
        h = h + self.dropout(self.narrow(functional.gelu(self.widen(self.thinks(h)))))
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

    def export(self, graph: OnnxGraph, h: str, counts: tuple[str, str], number: int) -> str:
        """Add one step of this block to the graph.

        Args:
            graph: of the step.
            h: (B, W).
            counts: int32, how many places are kept (B,) and how many there are with the new one (1,).
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
            query, key = (graph.op("RotaryEmbedding", x, FIRST, "cosine", "sine", **own) for x in (query, key))
            own["local_window_size"] = self.context
        else:
            strip = functional.pad(self.distances.flip(-1), (ROOM, 0), value=TOO_FAR)[None, :, None]
            first = graph.op("Sub", np.array([strip.shape[-1] - 1]), "held")
            last, axis = np.array([strip.shape[-1]]), np.array([3])
            kept = (*kept, "", "", "", graph.op("Slice", strip, first, last, axis))
        graph.node("GroupQueryAttention", (query, key, value, *kept), gives, kv_num_heads=self.heads, **own)
        h = graph.op("Add", h, graph.affine(graph.reshape(gives[0], 0, width), self.out.weight, None))
        wide = graph.op("Gelu", graph.affine(graph.layer_norm(h, self.thinks), self.widen.weight, None))
        return graph.op("Add", h, graph.affine(wide, self.narrow.weight, None))


def _list(parts: Sequence[Any]) -> Any:
    """Parts that a network trains with it."""
    return nn.ModuleList(parts)


def turned(x: Tensor, turn: Tensor) -> Tensor:
    """Turn x (B, H, T, D) by its places: each number of its first half with the one of the second, as points."""
    one, two = x.chunk(2, -1)
    cosine, sine = turn.to(x.dtype)
    return torch.cat([one * cosine - two * sine, two * cosine + one * sine], -1)


def speeds(settings: Transformer.Settings) -> NDArray[np.float64]:
    """(D/2,) radians for each id by which the points of queries and keys turn, from 1 down."""
    size = settings.width // settings.heads
    return np.asarray(SLOWEST ** -(np.arange(0, size, 2) / size))
