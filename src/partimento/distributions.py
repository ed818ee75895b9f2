"""Distributions: what logits say of the next id, and what is cut from it before one is drawn; numpy alone.

Temperature, top-k, top-p (nucleus sampling, Holtzman et al. 2020, "The curious case of neural text degeneration"), the
same of kinds of ids, and min-p (Nguyen et al. 2024, "Turning up the heat"). Each takes distributions, (B, V), one in
each row, and gives them made to sum to 1 again. Ids that are as likely as the last one kept are kept too, so no result
depends on the order of the vocabulary. Leaves out: in which order, which is `sampling`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partimento.errors import InvalidBundle


def softmax(logits: NDArray[np.float32], mask: NDArray[np.bool_], temperature: Sequence[float]) -> NDArray[np.float32]:
    """The allowed ids' probabilities, (B, V), at B temperatures; at 0 the likeliest has all (the first of equals)."""
    x = np.where(mask, logits, _NEVER)
    with np.errstate(all="ignore"):  # what is no number is found below
        x -= x.max(axis=1, keepdims=True)
        if any(t != 1 for t in temperature):
            x /= np.array([max(t, _COLDEST) if t else 1 for t in temperature], dtype=np.float32)[:, None]
        for row, t in enumerate(temperature):
            if t == 0 and x[row].max() == 0:
                x[row] = np.where(np.arange(x.shape[1]) == x[row].argmax(), np.float32(0), _NEVER)
        np.exp(x, out=x)
        total = x.sum(axis=1, keepdims=True)
    if not total.min() >= 1:  # the likeliest is 1 before division, unless something is no number
        return softmax(_mended(logits, mask), mask, temperature)
    x /= total
    return x


_NEVER = np.float32(-np.inf)
_COLDEST = 1e-30  # no less, since float32 knows no less


def _mended(logits: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Logits, (B, V), with rows that allow nothing any probability made even.

    Raises:
        InvalidBundle: an allowed logit is NaN or infinite.
    """
    top = np.where(mask, logits, _NEVER).max(axis=1, keepdims=True)
    if (np.isnan(top) | (top == np.inf)).any():
        raise InvalidBundle(
            "The model gives probabilities that are not numbers, as after a training that went wrong: "
            "train it again with a smaller learning rate, or fetch the bundle afresh."
        )
    return np.where(top == _NEVER, np.float32(0), logits)


def top_k(p: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Keep the k likeliest ids of each row, (B, V), and those as likely as the last of them."""
    if k >= p.shape[1]:
        return p
    return _kept(p, np.partition(p, -k, axis=1)[:, -k])


def top_p(p: NDArray[np.float32], mass: float) -> NDArray[np.float32]:
    """Keep the smallest set of likeliest ids of each row, (B, V), whose probabilities sum to `mass` at least."""
    ordered = -np.sort(-p, axis=1)
    sums = np.cumsum(ordered, axis=1, dtype=np.float64)
    last = np.minimum((sums < mass * (1 - 1e-6)).sum(axis=1), p.shape[1] - 1)  # float32 sums fall short by a little
    return _kept(p, ordered[np.arange(len(p)), last])


@dataclass(frozen=True, eq=False)
class Kinds:
    """Of which kind ids are.

    Attributes:
        ids: (N,) those that are of any, kind by kind.
        starts: (K,) where each kind begins among them.
        number: (N,) which of the K each is of.
        rest: (V,) 1 where an id is of none.
    """

    ids: NDArray[np.int64]
    starts: NDArray[np.int64]
    number: NDArray[np.int64]
    rest: NDArray[np.float32]


def of_kinds(kinds: Sequence[int]) -> Kinds | None:
    """Ids by their kinds; None where all are of none.

    Args:
        kinds: (V,) of which kind each is, from 0; -1 for none.
    """
    of = np.array(kinds, dtype=np.int64)
    ids = np.argsort(of, kind="stable")[np.count_nonzero(of < 0) :]
    if not len(ids):
        return None
    _, starts, number = np.unique(of[ids], return_index=True, return_inverse=True)
    return Kinds(ids, starts, number, (of < 0).astype(np.float32))


def kinds_p(p: NDArray[np.float32], kinds: Kinds, mass: float) -> NDArray[np.float32]:
    """Keep the ids of the likeliest kinds of each row, (B, V), whose probabilities sum to `mass` at least.

    Rows in which ids may come that are of no kind stay as they are, and so do those that are certain. What is left of a
    chord, whose pitches ascend, is as wide as it was, which a nucleus of single pitches makes narrower, and so fuller:
    each leaves room for one more.
    """
    rows = np.flatnonzero((p @ kinds.rest == 0) & (p.max(axis=1) < 1))
    if not len(rows):
        return p
    part = p[rows[:, None], kinds.ids]
    likely = top_p(np.add.reduceat(part, kinds.starts, axis=1), mass) > 0
    part *= likely[:, kinds.number]
    kept = p.copy()
    kept[rows[:, None], kinds.ids] = part / part.sum(axis=1, keepdims=True)
    return kept


def min_p(p: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Keep the ids of each row, (B, V), at least `share` times as likely as the likeliest."""
    return _kept(p, np.float32(share) * p.max(axis=1))


def _kept(p: NDArray[np.float32], threshold: NDArray[np.float32]) -> NDArray[np.float32]:
    kept = np.where(p >= threshold[:, None], p, np.float32(0))
    kept /= kept.sum(axis=1, keepdims=True)
    return kept


def draw(p: NDArray[np.float32], rngs: Sequence[np.random.Generator]) -> list[int]:
    """Draw one id from each row of p, (B, V), each with its own generator; never one of probability 0."""
    ids = []
    for row, sums, rng in zip(p, np.cumsum(p, axis=1, dtype=np.float64), rngs, strict=True):
        id = int(sums.searchsorted(rng.random() * sums[-1], side="right"))
        ids.append(id if id < len(sums) else int(np.flatnonzero(row)[-1]))  # the product was rounded up to the sum
    return ids
