"""Weighing tallies: how much it counts for an id that it was told lately, by what else the network knows.

Each tally is weighed by one number for all ids and one for all kinds of them, and the sums are added to the logits:

    logit_k += Σ_r w_r(u, a) log(1 + c_r(k)) + v_r(u, a) log(1 + c_r(kind of k)),    w = W u + a W' u,  v = V u + a V' u

where a is the log(1 + c) of what returns (`returns`) among the ids that may stand there, 0 where nothing does and for
ids that say when a group is. So what was told lately, pitches say, counts for less the surer a return is, and does not
lose its weight elsewhere by what returns explain: without that, what a young model composed before anything could
return kept to no key. At first all weights are 0, so a network that is given tallies is what it was without
(`Model.additions`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from partimento.exporting import OnnxGraph
from partimento.tallies import ALIKE, WHEN, Tallies


class Weighing(nn.Module):
    """What weighs tallies.

    Args:
        inner: numbers that stand for each id within its group.
        tallies: what is counted.
        slots: the ids that may stand at each place of a group, ascending.
    """

    def __init__(self, inner: int, tallies: Tallies, slots: Sequence[Tensor]) -> None:
        super().__init__()
        self.tallies = tallies
        self.weigh = nn.Linear(inner, 2 * tallies.rows)  # ids, and kinds of them
        self.surely = nn.Linear(inner, 2 * tallies.rows) if tallies.returning and len(slots) > WHEN else None
        for linear in (self.weigh, self.surely):
            if linear is not None:
                nn.init.zeros_(linear.weight)
                nn.init.zeros_(linear.bias)
        self.runs = [_runs(ids) for ids in slots]
        kinds = np.array(tallies.kinds or [-1] * tallies.ids)
        self.kinds = [torch.from_numpy(kinds[ids.numpy()]) for ids in slots]

    def forward(self, slot: int, u: Tensor, counts: Tensor) -> Tensor:
        """(N, K) what is added to the logits of the ids of a slot.

        Args:
            slot: which place of a group.
            u: (N, I) what the head reads its logits from.
            counts: (N, rows, columns) log(1 + c).
        """
        there = [counts[..., first:stop] for first, stop in self.runs[slot]]
        weights = self.weigh(u)
        if self.surely is not None and slot >= WHEN:
            again = torch.stack([part[:, ALIKE].amax(1) for part in there]).amax(0)
            weights = weights + again[:, None] * self.surely(u)
        own, kind = weights.chunk(2, 1)
        kinds = functional.pad(_sums(kind, counts[..., self.tallies.ids :]), (0, 1))  # the last is no kind's
        return torch.cat([_sums(own, part) for part in there], 1) + kinds[:, self.kinds[slot].to(u.device)]

    def export(self, graph: OnnxGraph, u: str, closed: str) -> str:
        """(B, V) the same of all ids; the graph takes `tallies` (B, rows, columns) and `slot` (1,).

        Args:
            graph: in the making.
            u: as for `forward`, (B, I).
            closed: (1, V) 0 for the ids that may stand there, and far below it for others.
        """
        ids, rows = self.tallies.ids, self.tallies.rows
        weights = graph.linear(u, self.weigh)
        if self.surely is not None:
            span = map(np.array, ([rows + ALIKE, 0], [rows + ALIKE + 1, ids], [1, 2]))
            again = graph.op("Squeeze", graph.op("Slice", "tallies", *span), np.array([1]))  # (B, V)
            again = graph.op("Relu", graph.op("ReduceMax", graph.op("Add", again, closed), np.array([1])))
            late = (np.arange(len(self.runs)) >= WHEN).astype(np.float32)
            again = graph.op("Mul", again, graph.op("Gather", late, "slot"))
            weights = graph.op("Add", weights, graph.op("Mul", again, graph.linear(u, self.surely)))
        weights = graph.reshape(weights, -1, 2, rows)
        both = graph.op("MatMul", weights, "tallies")  # (B, 2, columns)
        own = graph.op("Slice", both, *map(np.array, ([0, 0], [1, ids], [1, 2])))
        own = graph.op("Squeeze", own, np.array([1]))
        if not self.tallies.kinds:
            return own
        kinds = graph.op("Slice", both, *map(np.array, ([1, ids], [2, self.tallies.columns], [1, 2])))
        of = (np.array(self.tallies.kinds) == np.arange(self.tallies.columns - ids)[:, None]).astype(np.float32)
        return graph.op("Add", own, graph.op("MatMul", graph.op("Squeeze", kinds, np.array([1])), of))


def _runs(ids: Tensor) -> list[tuple[int, int]]:
    """Ascending ids as ranges (first, stop)."""
    parts = np.split(ids.numpy(), np.flatnonzero(np.diff(ids.numpy()) > 1) + 1)
    return [(int(part[0]), int(part[-1]) + 1) for part in parts if len(part)]


def _sums(weights: Tensor, counts: Tensor) -> Tensor:
    """(N, K) the sums of counts (N, spans, K), each weighed by its own of (N, spans)."""
    return torch.einsum("ns,nsk->nk", weights, counts)
