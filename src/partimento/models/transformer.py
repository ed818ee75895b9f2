"""A Transformer over ids (Vaswani et al. 2017): each id is foretold from the last `context` before it.

Music Transformer (Huang et al. 2018) showed that attention carries a motif further than a recurrent state does. The
blocks are those of `blocks`, which says whose ideas they are.

Music that is written id by id on a grid has places that a Transformer would have to count out: `periods` gives it the
place in each period (the voice of four, the sixteenth of a bar), and `lags` the ids that stood so many places before
the one to be foretold (the same voice's last note). Both go into the embedding, for nothing in time. A piece that goes
on from a long prompt is counted from where the model began to hear it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from partimento.blocks import Past, Shape, Tower, modules
from partimento.codec import TokenSpec
from partimento.errors import InvalidSettings
from partimento.exporting import OnnxGraph
from partimento.layers import arrays_of, foretold, judged, load_into
from partimento.model import Batch, Model
from partimento.settings import settings

SEGMENT = 1024  # ids of a held-out piece that are run at once; keys and values are carried from one to the next


class Transformer(nn.Module, Model):
    """A tower of attention from ids to the logits of the next."""

    name: ClassVar[str] = "transformer"
    player: ClassVar[str] = "attention"
    Spec: ClassVar[type[Any]] = TokenSpec
    exact: ClassVar[bool] = True

    @settings
    class Settings(Shape):
        """The shape of the network."""

        periods: tuple[Annotated[int, Field(ge=2, le=65_536)], ...] = ()
        """Ids after which something begins anew, e.g. (4, 64) for four voices and bars of sixteen steps: a place learns
        what its number within each means."""
        lags: tuple[Annotated[int, Field(ge=2, le=65_536)], ...] = ()
        """How many places before the id to be foretold stand others that its place is told at once, e.g. (4,) for the
        last note of the same voice of four."""

    def __init__(self, settings: Settings, spec: TokenSpec) -> None:
        super().__init__()
        if not isinstance(spec, TokenSpec):
            raise InvalidSettings(f"The model 'transformer' learns ids, and this codec gives {type(spec).__name__}.")
        if settings.positions == "time":
            raise InvalidSettings("Only the model 'nested' knows the time of its ids: --set model.positions=rotary.")
        self.settings = settings
        self.spec = spec
        width = settings.width
        self.embed = nn.Embedding(spec.vocab_size, width)
        self.places: Sequence[nn.Embedding] = modules([nn.Embedding(period, width) for period in settings.periods])
        self.echoes: Sequence[nn.Embedding] = modules([nn.Embedding(spec.vocab_size, width) for _ in settings.lags])
        self.dropout = nn.Dropout(settings.dropout)
        self.tower = Tower(settings)
        self.head = nn.Linear(width, spec.vocab_size)
        for table in (self.embed, *self.places, *self.echoes):
            nn.init.normal_(table.weight, std=0.1)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def embedded(self, ids: Tensor, begin: Tensor | None) -> Tensor:
        """What goes into the tower: ids, their places and what stood before them.

        Args:
            ids: (B, T).
            begin: (B,) the place of ids[:, 0] in its piece; 0 if None.

        Returns:
            (B, T, W).
        """
        h = self.embed(ids)
        place = torch.arange(ids.shape[1], device=ids.device) + (0 if begin is None else begin[:, None])
        for period, table in zip(self.settings.periods, self.places, strict=True):
            h = h + table(place % period)
        for lag, table in zip(self.settings.lags, self.echoes, strict=True):
            h = h + table(functional.pad(ids, (lag - 1, 0), value=self.spec.pad)[:, : ids.shape[1]])
        return self.dropout(h)  # type: ignore[no-any-return]

    def sides(self) -> dict[str, list[nn.Parameter]]:
        """One side: all parameters."""
        return {"model": list(self.parameters())}

    def loss(self, batch: Batch, side: str = "model") -> dict[str, Tensor]:  # noqa: ARG002 - there is one
        """Mean nats for each predicted id, weighted where ids count unlike, and the share foretold right."""
        h, _ = self.tower(self.embedded(batch.x[:, :-1], batch.begin))
        asked = batch.mask[:, 1:]
        logits = self.head(h[asked])  # (N, V): padding costs no row of the widest product
        return foretold(logits, batch)

    def predict(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Log probabilities (B, T-1) of x[:, 1:], and whether each was the likeliest; any length, in flat memory."""
        target, asked = batch.x[:, 1:], batch.mask[:, 1:]
        whole = self.embedded(batch.x[:, :-1], batch.begin)
        past: list[Past] = []
        nats, hits = [], []
        for first in range(0, whole.shape[1], SEGMENT):
            part = slice(first, first + SEGMENT)
            h, past = self.tower(whole[:, part], first, past)
            nat, hit = judged(self.head.weight, self.head.bias, h.flatten(0, 1), target[:, part].flatten())
            nats.append(nat.view(h.shape[:2]))
            hits.append(hit.view(h.shape[:2]))
        return torch.where(asked, torch.cat(nats, 1), 0.0), torch.cat(hits, 1) & asked

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
        chosen = self.settings
        graph = OnnxGraph()
        h = graph.op("Gather", self.embed.weight, "ids")
        for period, table in zip(chosen.periods, self.places, strict=True):
            h = graph.op("Add", h, graph.op("Gather", table.weight, graph.op("Mod", "place", np.array([period]))))
        for number, table in enumerate(self.echoes):
            column = graph.op("Gather", "echoes", np.array(number), axis=1)
            h = graph.op("Add", h, graph.op("Gather", table.weight, column))
        graph.linear(self.tower.export(graph, h), self.head, name="logits")
        takes: dict[str, tuple[int | str, ...]] = {"ids": ("B",)} | self.tower.takes
        if chosen.periods:
            takes["place"] = (1,)
        if chosen.lags:
            takes["echoes"] = ("B", len(chosen.lags))
        gives = {"logits": ("B", self.spec.vocab_size)} | self.tower.gives
        graph.write(folder / "step.onnx", takes, gives, integers=("ids", "held", "place", "echoes"))
        facts = {
            "player": self.player,
            "vocab_size": self.spec.vocab_size,
            "pad": self.spec.pad,
            "places": bool(chosen.periods),
            "lags": list(chosen.lags),
            "attention": self.tower.described(),
        }
        (folder / "player.json").write_text(json.dumps(facts, indent=1))
        return self.player
