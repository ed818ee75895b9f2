"""Weighing tallies: how much it counts for an id that it was told lately, by what else the network knows.

Each tally is weighed by one number for all ids and one for all kinds of them, and the sums are added to the logits:

    logit_k += Σ_r w_r(u) log(1 + c_r(k)) + v_r(u) log(1 + c_r(kind of k)),    w and v linear in u

of what returns, the last rows, ids alone.
At first they are 0, so a network that is given tallies is what it was without (`Model.additions`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from partimento.exporting import OnnxGraph
from partimento.tallies import Tallies


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
        self.tallied = tallies.rows - tallies.returning
        self.weigh = nn.Linear(inner, 2 * self.tallied)  # ids, and kinds of them
        self.again = nn.Linear(inner, tallies.returning) if tallies.returning else None
        for linear in (self.weigh, self.again):
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
        own, kind = self.weigh(u).chunk(2, 1)
        if self.again is not None:
            own = torch.cat([own, self.again(u)], 1)
        parts = [_sums(own, counts[..., first:stop]) for first, stop in self.runs[slot]]
        kinds = _sums(kind, counts[:, : self.tallied, self.tallies.ids :])
        kinds = functional.pad(kinds, (0, 1))  # the last is no kind's
        return torch.cat(parts, 1) + kinds[:, self.kinds[slot].to(u.device)]

    def export(self, graph: OnnxGraph, u: str) -> str:
        """(B, V) the same of all ids; the graph takes `tallies` (B, rows, columns)."""
        ids, rows = self.tallies.ids, self.tallies.rows
        weights = graph.reshape(graph.linear(u, self._both()), -1, 2, rows)
        both = graph.op("MatMul", weights, "tallies")  # (B, 2, columns)
        own = graph.op("Slice", both, *map(np.array, ([0, 0], [1, ids], [1, 2])))
        own = graph.op("Squeeze", own, np.array([1]))
        if not self.tallies.kinds:
            return own
        kinds = graph.op("Slice", both, *map(np.array, ([1, ids], [2, self.tallies.columns], [1, 2])))
        of = (np.array(self.tallies.kinds) == np.arange(self.tallies.columns - ids)[:, None]).astype(np.float32)
        return graph.op("Add", own, graph.op("MatMul", graph.op("Squeeze", kinds, np.array([1])), of))

    def _both(self) -> nn.Linear:
        """What weighs all rows: of ids, then of kinds, 0 of what returns."""
        if self.again is None:
            return self.weigh
        both = nn.Linear(self.weigh.in_features, 2 * self.tallies.rows)
        for own, weigh, again in (
            (both.weight, self.weigh.weight, self.again.weight),
            (both.bias, self.weigh.bias, self.again.bias),
        ):
            parts = [weigh[: self.tallied], again, weigh[self.tallied :], torch.zeros_like(again)]
            own.data = torch.cat(parts).detach()
        return both


def _runs(ids: Tensor) -> list[tuple[int, int]]:
    """Ascending ids as ranges (first, stop)."""
    parts = np.split(ids.numpy(), np.flatnonzero(np.diff(ids.numpy()) > 1) + 1)
    return [(int(part[0]), int(part[-1]) + 1) for part in parts if len(part)]


def _sums(weights: Tensor, counts: Tensor) -> Tensor:
    """(N, K) the sums of counts (N, spans, K), each weighed by its own of (N, spans)."""
    return torch.einsum("ns,nsk->nk", weights, counts)
