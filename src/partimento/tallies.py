"""Tallies: how often each id was told lately, which makes it the likelier that it is told again.

A piece keeps to what it has: its key, its note values, its loudness. A network can find that by attention, but has to
learn to, and one that has learnt for minutes has not; counted, it is known from the first group on. It is a cache
(Kuhn and De Mori 1990, "A cache-based natural language model for speech recognition"; for networks Grave et al. 2017,
"Improving neural language models with a continuous cache"): after groups x_1 … x_t the tally of id k within a span s is

    c_t(k) = Σ_{j ≤ t} exp(-(t - j) / s) · [k in x_j]

and of ids that are alike (a pitch in every octave) it is counted as well that any of them was told. What is foretold
depends on log(1 + c), which the model weighs by all else that it knows.

Leaves out: which other ids an id was told with (Grave et al. ask when the network was in a like state).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_SPANS = 8


@dataclass(frozen=True)
class Tallies:
    """What is counted: each id, and each kind of ids that are alike, in columns one beside the other.

    Attributes:
        ids: how many there are.
        spans: groups after which what was told counts a third (1/e) as much.
        kinds: (ids,) of which kind each id is, from 0; -1 for none. Empty where there are no kinds.

    Raises:
        ValueError: a span is not above 0, or the kinds are not of these ids.
    """

    ids: int
    spans: tuple[float, ...]
    kinds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "spans", tuple(self.spans))  # JSON has made lists of them
        object.__setattr__(self, "kinds", tuple(self.kinds))
        spans = all(isinstance(span, int | float) and 0 < span < np.inf for span in self.spans)
        kinds = not self.kinds or len(self.kinds) == self.ids
        kinds = kinds and all(type(kind) is int and -1 <= kind < self.ids for kind in self.kinds)
        if not spans or not 0 < len(self.spans) <= MOST_SPANS or not kinds:
            raise ValueError("tallies need spans, and kinds of all ids or of none")

    @property
    def columns(self) -> int:
        """How many ids and kinds there are."""
        return self.ids + max(self.kinds, default=-1) + 1

    def of(self, groups: NDArray[np.int64]) -> NDArray[np.float32]:
        """log(1 + c) after each group of (B, G, n) ids, (B, G, spans, columns)."""
        return Tally(self, len(groups)).after(groups)


class Tally:
    """Goes through pieces side by side, each from its beginning or from anywhere, and counts.

    Args:
        tallies: what is counted.
        batch: how many pieces.
    """

    def __init__(self, tallies: Tallies, batch: int) -> None:
        keeps = np.exp(-1 / np.array(tallies.spans, dtype=np.float64))
        self._keeps = keeps.astype(np.float32)[:, None]
        self._counts = np.zeros((batch, len(keeps), tallies.columns + 1), dtype=np.float32)  # the last of nothing
        nothing = tallies.columns
        kinds = np.array(tallies.kinds or [-1] * tallies.ids)
        self._own = np.append(np.arange(tallies.ids), [nothing, nothing])  # what stands beside the vocabulary
        self._kind = np.append(np.where(kinds < 0, nothing, tallies.ids + kinds), [nothing, nothing])

    def hear(self, groups: NDArray[np.int64]) -> NDArray[np.float32]:
        """Take note of a group of each piece, (B, n) ids; log(1 + c) then, (B, spans, columns)."""
        return self.after(groups[:, None])[:, 0]

    def after(self, groups: NDArray[np.int64]) -> NDArray[np.float32]:
        """Go through (B, G, n) ids: log(1 + c) after each group, (B, G, spans, columns).

        What stands beside the vocabulary is not counted, and an id counts once, however often a group has it.
        """
        batch, count = groups.shape[:2]
        found = np.zeros((batch, count, *self._counts.shape[1:]), dtype=np.float32)
        columns = np.concatenate([self._own[groups], self._kind[groups]], 2)
        found[np.arange(batch)[:, None, None], np.arange(count)[:, None], :, columns] = 1
        for at in range(count):
            found[:, at] += self._keeps * self._counts
            self._counts = found[:, at]
        self._counts = self._counts.copy()
        counted = found[..., :-1]
        return np.log1p(counted, out=counted)

    def narrow(self, rows: NDArray[np.int64]) -> None:
        """Go on with the pieces at `rows` alone."""
        self._counts = self._counts[rows]
