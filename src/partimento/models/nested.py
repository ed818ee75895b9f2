"""A nested Transformer: attention from group to group, and within each group its ids one by one.

Ids that come in groups, one for each voice of a chorale, say, need not all be attended to: a tower of attention reads
whole groups and gives what each group is to be made of, and a small network over that foretells the group's ids, each
from those before it in the group. The tower has as many places as there are groups, which makes it several times as
quick as one over ids. Whose idea it is: RQ-Transformer (Lee et al. 2022, "Autoregressive image generation using
residual quantization"), MEGABYTE (Yu et al. 2023), and in music Nested Music Transformer (Ryu et al. 2024).

What differs: within a group there is no second tower. A group is short, so each id has a table of its own for each id
after it (as in NADE, Larochelle and Murray 2011, whose hidden units are sums over what came before), and a network of
its width `inner` makes the logits of the sum. Each id is also told what stood at its place in the group before, and for
how many groups it has stood there: the rhythm of held notes (after TonicNet, Peracha 2020, which encodes how often a
note is repeated). And each group is told the headings that it stands under, its track and what is asked of it, say,
which attention would have to find first (a note of OctupleMIDI has them all: Zeng et al. 2021, "MusicBERT"). What an id
is foretold by is the network's logit and, weighed by the network, how often the id was told lately (`tallies`).
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from partimento.blocks import Network, Past, Shape, Tower, modules
from partimento.caches import Times
from partimento.codec import TokenSpec
from partimento.errors import InvalidSettings
from partimento.exporting import OnnxGraph, Shapes
from partimento.layers import arrays_of, judged, likeliest, load_into
from partimento.model import Batch, Model
from partimento.settings import settings
from partimento.tallies import LONGEST_CONTEXT, MOST_CONTEXTS, MOST_SPANS, WHEN, Tallies, Tally
from partimento.weighing import Weighing

ELSE = 3  # what stands beside a slot's own ids: one that cannot be there, a piece's beginning, and that nobody knows
NEVER = -1e9  # added to the logit of what cannot be there, in the player
EVERY = 4  # from so many groups one is learnt of to weigh tallies
SEGMENT = 1024  # groups of a held-out piece that are run at once; keys and values are carried from one to the next


class Head(nn.Linear):
    """A layer that gives the logits of some ids alone."""

    def of(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Its weights and biases for these ids, (K, I) and (K,)."""
        ids = ids.to(self.weight.device)
        return self.weight[ids], self.bias[ids]

    def forward(self, u: Tensor, ids: Tensor) -> Tensor:  # type: ignore[override]
        """(N, K) for u (N, I) and ids (K,)."""
        return functional.linear(u, *self.of(ids))


class Nested(nn.Module, Model):
    """A tower over groups, and a network over the ids of each."""

    name: ClassVar[str] = "nested"
    player: ClassVar[str] = "nested"
    Spec: ClassVar[type[Any]] = TokenSpec
    exact: ClassVar[bool] = True
    additions: ClassVar[tuple[str, ...]] = ("weighing.",)
    additional: ClassVar[tuple[str, ...]] = ("tallies", "place_span", "returns")

    @settings
    class Settings(Shape):
        """The shape of the network; places are groups."""

        inner: Annotated[int, Field(ge=1, le=8192)] = 128
        """Numbers that stand for each id within its group."""
        inner_layers: Annotated[int, Field(ge=1, le=16)] = 2
        """Networks over each id, one on top of the other."""
        periods: tuple[Annotated[int, Field(ge=2, le=65_536)], ...] = ()
        """Groups after which something begins anew, e.g. (16,) for bars of sixteen steps: a place learns what its
        number within each means."""
        ages: Annotated[int, Field(ge=1, le=4096)] = 32
        """How many groups an id is known to have stood at its place, at most; 1 to know nothing of it."""
        headings: bool = True
        """Whether each group is told the headings that it stands under, where the codec has some."""
        tallies: Annotated[tuple[Annotated[float, Field(gt=0, le=65_536)], ...], Field(max_length=MOST_SPANS)] = ()
        """Groups after which what was told counts a third as much, for each count of how often each id was told
        lately: what was is likelier to be told again; nothing is counted where there are none."""
        place_span: Annotated[float, Field(ge=0, le=65_536)] = 0.0
        """The same of what was told at the same place of a bar in the same voice; 0: that is not counted."""
        returns: Annotated[
            tuple[Annotated[int, Field(ge=1, le=LONGEST_CONTEXT)], ...], Field(max_length=MOST_CONTEXTS)
        ] = ()
        """How many groups must be as they were earlier in the piece for what followed then to become likelier: each
        length is tried, the longest first. None: nothing is looked for, and neither is it without `tallies`."""

    def __init__(self, settings: Settings, spec: TokenSpec) -> None:
        super().__init__()
        if not isinstance(spec, TokenSpec):
            raise InvalidSettings(f"The model 'nested' learns ids, and this codec gives {type(spec).__name__}.")
        self.settings = settings
        self.spec = spec
        self.timing = spec.timing if settings.positions == "time" else None
        if settings.positions == "time" and self.timing is None:
            raise InvalidSettings("This codec does not tell when its ids are: --set model.positions=rotary.")
        count, width, inner = spec.group, settings.width, settings.inner
        self.ids = [torch.from_numpy(spec.at(slot)) for slot in range(count)]
        self.number: Tensor  # of each id among those of its slot; after these what cannot be there, and what was before
        self.register_buffer("number", _numbers(self.ids, spec.vocab_size), persistent=False)
        self.depths: Tensor  # of each id as a heading; at the end of what stands for none
        depths = spec.headings if settings.headings and spec.headings else (0,) * spec.vocab_size
        self.register_buffer("depths", torch.tensor([*depths, 0, 0]), persistent=False)
        known = [len(ids) + ELSE for ids in self.ids]
        self.before: Sequence[nn.Embedding] = modules([nn.Embedding(size, width) for size in known])
        self.aged: Sequence[nn.Embedding] = modules([nn.Embedding(settings.ages, width) for _ in range(count)])
        self.headed: Sequence[nn.Embedding] = modules(
            [nn.Embedding(size, width) for _ in range(max(depths)) for size in known]
        )
        self.places: Sequence[nn.Embedding] = modules([nn.Embedding(period, width) for period in settings.periods])
        self.dropout = nn.Dropout(settings.dropout)
        self.tower = Tower(settings)
        self.tell = nn.Linear(width, inner)
        self.slots = nn.Embedding(count, inner)
        self.lately: Sequence[nn.Embedding] = modules([nn.Embedding(size, inner) for size in known])
        self.lasting: Sequence[nn.Embedding] = modules([nn.Embedding(settings.ages, inner) for _ in range(count)])
        pairs = [known[lower] for slot in range(count) for lower in range(slot)]
        self.below: Sequence[nn.Embedding] = modules([nn.Embedding(size, inner) for size in pairs])
        self.inner: Sequence[Network] = modules(
            [Network(inner, settings.widening, settings.dropout) for _ in range(settings.inner_layers)]
        )
        self.norm = nn.LayerNorm(inner)
        self.head = Head(inner, spec.vocab_size)
        self.weighing = Weighing(inner, tallies_of(settings, spec), self.ids) if settings.tallies else None
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.1)
        for table in self.headed:  # so that what they add grows from nothing
            nn.init.zeros_(table.weight)
        for linear in (self.tell, self.head):
            nn.init.normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)

    def grouped(self, x: Tensor, begin: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Ids by groups.

        Args:
            x: (B, T) one id that came before, then ids from a group's first on.
            begin: (B,) the place of x[:, 0] in its piece; 0 if None.

        Returns:
            (B, G, n) the groups, the last filled up with `pad`; the groups before them; and for how many groups each id
            of those had stood at its place, less one.
        """
        count, ids = self.spec.group, x[:, 1:]
        groups = functional.pad(ids, (0, -ids.shape[1] % count), value=self.spec.pad).view(len(ids), -1, count)
        first = torch.full_like(groups[:, :1], self.spec.vocab_size)
        if begin is not None:
            first = first + (begin > 0)[:, None, None]
        before = torch.cat([first, groups[:, :-1]], 1)
        steps = torch.arange(before.shape[1], device=x.device)[None, :, None]
        changed = functional.pad(before[:, 1:] != before[:, :-1], (0, 0, 1, 0), value=True)
        since = torch.where(changed, steps, 0).cummax(1).values
        return groups, before, (steps - since).clamp(max=self.settings.ages - 1)

    def _embedded(self, before: Tensor, age: Tensor, begin: Tensor | None) -> Tensor:
        """What goes into the tower, (B, G, W), for groups before and their ages (B, G, n)."""
        place = torch.arange(before.shape[1], device=before.device)
        place = place + (0 if begin is None else (begin // self.spec.group)[:, None])
        h = torch.zeros((), device=before.device)
        for slot in range(self.spec.group):
            h = h + self.before[slot](self.number[slot][before[..., slot]]) + self.aged[slot](age[..., slot])
        for ids, table in zip(self._headings(before), self.headed, strict=True):
            h = h + table(ids)
        for period, table in zip(self.settings.periods, self.places, strict=True):
            h = h + table(place % period)
        return self.dropout(h)  # type: ignore[no-any-return]

    def _headings(self, before: Tensor) -> Iterator[Tensor]:
        """For each depth, and in it each slot, the numbers (B, G) of the heading's ids that each group stands under."""
        depth, nobody = self.depths[before[..., 0]], self.spec.vocab_size + 1
        index = torch.arange(before.shape[1], device=before.device)
        for deep in range(1, len(self.headed) // self.spec.group + 1):
            own = torch.where(depth == deep, index, -1).cummax(1).values
            over = torch.where((depth > 0) & (depth < deep), index, -1).cummax(1).values
            heading = before.gather(1, own.clamp(min=0)[..., None].expand_as(before))
            heading = torch.where((own > over)[..., None], heading, nobody)
            yield from (self.number[slot][ids] for slot, ids in enumerate(heading.unbind(-1)))

    def _times(self, before: Tensor) -> Times | None:
        """When each group before is, (B, G); None where positions do not know it."""
        return None if self.timing is None else self.timing.times(before.cpu().numpy())

    def _within(self, h: Tensor, groups: Tensor, before: Tensor, age: Tensor) -> Tensor:
        """What the head reads its logits from, (…, n, I), for what the tower says (…, W) of groups (…, n)."""
        told, slots = self.tell(h), []
        tables = iter(self.below)
        own = self.slots(torch.arange(self.spec.group, device=h.device))
        for slot in range(self.spec.group):
            u = told + own[slot]
            u = u + self.lately[slot](self.number[slot][before[..., slot]]) + self.lasting[slot](age[..., slot])
            for lower in range(slot):
                u = u + next(tables)(self.number[lower][groups[..., lower]])
            slots.append(u)
        u = self.dropout(torch.stack(slots, -2))
        for network in self.inner:
            u = network(u)
        return self.norm(u)  # type: ignore[no-any-return]

    def sides(self) -> dict[str, list[nn.Parameter]]:
        """One side: all parameters."""
        return {"model": list(self.parameters())}

    def loss(self, batch: Batch, side: str = "model") -> dict[str, Tensor]:  # noqa: ARG002 - there is one
        """Mean nats for each predicted id, weighted where ids count unlike, and the share foretold right.

        The network learns as if nothing were counted, and what weighs the tallies learns beside it, from every
        `EVERY`th group: where both learn from what they foretell together, the network learns to look for what was told
        the later for it.
        """
        groups, before, age = self.grouped(batch.x, batch.begin)
        h, _ = self.tower(self._embedded(before, age, batch.begin), times=self._times(before))
        asked = self._in_groups(batch.mask[:, 1:])
        counts = asked if batch.weight is None else self._in_groups(batch.weight[:, 1:])
        foretold = asked.any(-1)  # what is given need not be gone into
        chosen, tallies = self._counted(before, groups, foretold)
        groups, asked, counts = groups[foretold], asked[foretold], counts[foretold]  # (N, n)
        u = self._within(h[foretold], groups, before[foretold], age[foretold])
        nats, hits, gained = h.new_zeros(()), h.new_zeros(()), h.new_zeros(())
        for slot, own in enumerate(u.unbind(-2)):
            here = asked[..., slot]
            target = self.number[slot][groups[..., slot][here]]
            logits = self.head(own[here], self.ids[slot]).float()
            lost = functional.cross_entropy(logits, target, reduction="none")
            nats = nats + (lost * counts[..., slot][here]).sum()
            hits = hits + likeliest(logits.detach(), target).sum()
            if self.weighing is not None:
                some, of = chosen & here, chosen[here]
                added = self.weighing(slot, own[some].detach(), tallies[here[chosen]])
                both = functional.cross_entropy(logits.detach()[of] + added.float(), target[of], reduction="none")
                gained = gained + ((both - lost.detach()[of]) * counts[..., slot][some]).sum()
        return {"loss": (nats + EVERY * gained) / (counts * asked).sum(), "accuracy": hits / asked.sum()}

    def _counted(self, before: Tensor, groups: Tensor, foretold: Tensor) -> tuple[Tensor, Tensor]:
        """Of the N groups (B, G) that are foretold those by which tallies are learnt to be weighed, and their tallies.

        Returns:
            (N,) which, and (some of N, rows, columns); none where nothing is counted.
        """
        if self.weighing is None:
            return foretold[foretold], before.new_zeros(0)
        wanted = slice(EVERY - 1, None, EVERY)
        counted = self.weighing.tallies.of(before.cpu().numpy(), groups.cpu().numpy(), wanted)
        chosen = torch.zeros_like(foretold)
        chosen[:, wanted] = True
        return chosen[foretold], torch.from_numpy(counted).to(before.device)[foretold[:, wanted]]

    def _in_groups(self, x: Tensor) -> Tensor:
        """(B, T) as (B, G, n), the last group filled up with zeros."""
        return functional.pad(x, (0, -x.shape[1] % self.spec.group)).view(len(x), -1, self.spec.group)

    def predict(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Log probabilities (B, T-1) of x[:, 1:], and whether each was the likeliest; any length, in flat memory.

        What cannot stand where it stands has a probability of 0.
        """
        groups, before, age = self.grouped(batch.x, batch.begin)
        whole, times = self._embedded(before, age, batch.begin), self._times(before)
        past: list[Past] = []
        tally = Tally(self.weighing.tallies, len(before)) if self.weighing else None
        nats, hits = [], []
        for first in range(0, whole.shape[1], SEGMENT):
            part = slice(first, first + SEGMENT)
            h, past = self.tower(whole[:, part], first, past, None if times is None else times[:, part])
            u = self._within(h, groups[:, part], before[:, part], age[:, part])
            tallied = None
            if tally is not None:
                counted = tally.over(before[:, part].cpu().numpy(), groups[:, part].cpu().numpy())
                tallied = torch.from_numpy(counted).to(u.device)
            slots = [
                self._judged(slot, u[:, :, slot], groups[:, part, slot], tallied) for slot in range(self.spec.group)
            ]
            nats.append(torch.stack([nat for nat, _ in slots], -1).flatten(1))
            hits.append(torch.stack([hit for _, hit in slots], -1).flatten(1))
        asked = batch.mask[:, 1:]
        count = asked.shape[1]
        nat, hit = torch.cat(nats, 1)[:, :count], torch.cat(hits, 1)[:, :count]
        return torch.where(asked, nat, 0.0), hit & asked

    def _judged(self, slot: int, u: Tensor, ids: Tensor, tallied: Tensor | None) -> tuple[Tensor, Tensor]:
        """How well the ids (B, G) of a slot are foretold from u (B, G, I) and the tallies (B, G, rows, columns)."""
        target = self.number[slot][ids].flatten()
        last = len(self.ids[slot]) - 1
        u = u.flatten(0, 1)
        beside: Callable[[slice], Tensor] | None = None
        if self.weighing is not None and tallied is not None:
            weighing, counts = self.weighing, tallied.flatten(0, 1)
            beside = lambda part: weighing(slot, u[part], counts[part])  # noqa: E731
        nat, hit = judged(*self.head.of(self.ids[slot]), u, target.clamp(max=last), beside)
        there = target <= last
        return torch.where(there, nat, -torch.inf).view_as(ids), (hit & there).view_as(ids)

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
        """Write `player.json`, `group.onnx` and `id.onnx`; see `players.nested`."""
        chosen, count = self.settings, self.spec.group
        groups: Shapes = {"before": ("B", count), "age": ("B", count)}
        graph = OnnxGraph()
        rows = graph.op("Gather", self._rows(self.before), graph.op("Add", "before", self._starts(count)))
        h = _sum(graph, graph.op("Gather", _one(self.before), rows))
        ages = graph.op("Add", "age", np.arange(count) * chosen.ages)
        h = graph.op("Add", h, _sum(graph, graph.op("Gather", _one(self.aged), ages)))
        if self.headed:
            rows = graph.op("Add", "headings", self._starts(len(self.headed)))
            rows = graph.op("Gather", self._rows(self.headed), rows)
            h = graph.op("Add", h, _sum(graph, graph.op("Gather", _one(self.headed), rows)))
        for period, phases in zip(chosen.periods, self.places, strict=True):
            h = graph.op("Add", h, graph.op("Gather", phases.weight, graph.op("Mod", "place", np.array([period]))))
        graph.linear(self.tower.export(graph, h), self.tell, name="told")
        more: Shapes = {"headings": ("B", len(self.headed))} if self.headed else {}
        takes = {**groups, **more, **({"place": (1,)} if chosen.periods else {}), **self.tower.takes}
        gives = {"told": ("B", chosen.inner), **self.tower.gives}
        graph.write(folder / "group.onnx", takes, gives, integers=("before", "age", "headings", "place", "held"))

        graph = OnnxGraph()
        u = graph.op("Add", "told", graph.op("Gather", self.slots.weight, "slot"))
        column = graph.op("Gather", "before", "slot", axis=1)  # (B, 1)
        start = graph.op("Mul", "slot", np.array([self.spec.vocab_size + 2]))
        rows = graph.op("Gather", self._rows(self.lately), graph.op("Add", column, start))
        u = graph.op("Add", u, graph.op("Squeeze", graph.op("Gather", _one(self.lately), rows), np.array([1])))
        column = graph.op("Gather", "age", "slot", axis=1)
        rows = graph.op("Add", column, graph.op("Mul", "slot", np.array([chosen.ages])))
        u = graph.op("Add", u, graph.op("Squeeze", graph.op("Gather", _one(self.lasting), rows), np.array([1])))
        if count > 1:
            table, rows_of = self._pairs()
            starts = graph.op(
                "Add", graph.op("Mul", "slot", np.array([count * self.spec.vocab_size])), self._starts(count, 0)
            )
            rows = graph.op("Gather", rows_of, graph.op("Add", "chosen", starts))  # (B, n)
            u = graph.op("Add", u, _sum(graph, graph.op("Gather", table, rows)))
        for network in self.inner:
            u = network.export(graph, u)
        u = graph.layer_norm(u, self.norm)
        logits = graph.linear(u, self.head)
        takes = {"told": ("B", chosen.inner), "slot": (1,), **groups, **({"chosen": ("B", count)} if count > 1 else {})}
        closed = graph.op("Gather", self._closed(), "slot")
        if self.weighing is not None:
            logits = graph.op("Add", logits, self.weighing.export(graph, u, closed))
            takes["tallies"] = ("B", self.weighing.tallies.rows, self.weighing.tallies.columns)
        graph.op("Add", logits, closed, name="logits")
        integers = ("slot", "before", "age", "chosen")
        graph.write(folder / "id.onnx", takes, {"logits": ("B", self.spec.vocab_size)}, integers)
        facts = {
            "player": self.player,
            "vocab_size": self.spec.vocab_size,
            "bos": self.spec.bos,
            "group": count,
            "inner": chosen.inner,
            "ages": chosen.ages,
            "places": bool(chosen.periods),
            "headings": self.depths.tolist()[: self.spec.vocab_size] if self.headed else [],
            "timing": None if self.timing is None else dataclasses.asdict(self.timing),
            "tallies": None if self.weighing is None else dataclasses.asdict(self.weighing.tallies),
            "attention": self.tower.described(),
        }
        (folder / "player.json").write_text(json.dumps(facts, indent=1))
        return self.player

    def _starts(self, tables: int, more: int = 2) -> NDArray[np.int64]:
        """Where the ids of each table begin in one row of all tables' ids, with so many more of each."""
        starts: NDArray[np.int64] = np.arange(tables) * (self.spec.vocab_size + more)
        return starts

    def _rows(self, tables: Sequence[nn.Embedding]) -> Tensor:
        """The row, in one table of all these, of each of the V + 2 ids of each; their slots come again and again."""
        sizes = [table.num_embeddings for table in tables]
        numbers = self.number.cpu().repeat(len(tables) // self.spec.group, 1)
        return (numbers + torch.tensor(np.cumsum([0, *sizes[:-1]]))[:, None]).flatten()

    def _pairs(self) -> tuple[Tensor, Tensor]:
        """Tables of all pairs of slots in one, its first row zeros; and (n n V,) the row there of each pair's ids."""
        count, size = self.spec.group, self.spec.vocab_size
        rows = torch.zeros(count, count, size, dtype=torch.int64)
        parts, begin, tables = [torch.zeros(1, self.settings.inner)], 1, iter(self.below)
        for slot in range(count):
            for lower in range(slot):
                table = next(tables).weight.detach().cpu()
                rows[slot, lower] = begin + self.number[lower, :size].cpu()
                parts.append(table)
                begin += len(table)
        return torch.cat(parts), rows.flatten()

    def _closed(self) -> NDArray[np.float32]:
        """(n, V) what is added to logits: very little of an id that cannot stand there."""
        closed = np.full((self.spec.group, self.spec.vocab_size), NEVER, dtype=np.float32)
        for slot, ids in enumerate(self.ids):
            closed[slot, ids] = 0
        return closed


def tallies_of(settings: Nested.Settings, spec: TokenSpec) -> Tallies:
    """What such a network counts of such ids."""
    whens: tuple[bool, ...] = ()
    if settings.place_span or settings.returns:
        places = [np.isin(np.arange(spec.vocab_size), spec.at(slot)) for slot in range(spec.group)]
        late = np.any(places[WHEN:], axis=0) & bool(spec.places)  # what a later field may be, too, does not say when
        whens = tuple((np.any(places[:WHEN], axis=0) & ~late).tolist())
    kinds = Counter(spec.kinds)  # of one that is alone of its kind no more can be told than that it was told
    return Tallies(
        spec.vocab_size,
        settings.tallies,
        tuple(kind if kinds[kind] > 1 else -1 for kind in spec.kinds),
        settings.place_span,
        spec.voices,
        whens,
        spec.counted,
        settings.returns,
    )


def _numbers(ids: Sequence[Tensor], size: int) -> Tensor:
    """(n, V + 2) the number of each id among those of its slot; what cannot be there comes after them."""
    numbers = torch.empty(len(ids), size + 2, dtype=torch.int64)
    for slot, own in enumerate(ids):
        numbers[slot] = len(own)
        numbers[slot, own] = torch.arange(len(own))
        numbers[slot, size:] = len(own) + torch.tensor([1, 2])
    return numbers


def _one(tables: Sequence[nn.Embedding]) -> Tensor:
    """Tables as one, on top of one another."""
    return torch.cat([table.weight for table in tables])


def _sum(graph: OnnxGraph, found: str) -> str:
    """(B, n, W) summed up over n."""
    return graph.op("ReduceSum", found, np.array([1]), keepdims=0)
