"""Tallies: counts as the sum that defines them, whatever is heard at once, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento.tallies import Tallies, Tally

KINDS = (0, 0, 1, -1, 1)
TALLIES = Tallies(5, (2.0, 30.0), KINDS)


def music(seed: int, batch: int = 2, count: int = 12) -> Any:
    """(B, G, 3) ids; 5 and 6 stand beside the vocabulary."""
    return np.random.default_rng(seed).integers(0, 7, (batch, count, 3))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_they_are_the_sums_that_define_them(seed: int) -> None:
    groups = music(seed)
    found = np.expm1(TALLIES.of(groups))
    for row, at, span in np.ndindex(2, 12, 2):
        ages = np.exp(-(at - np.arange(at + 1)) / TALLIES.spans[span])
        for id in range(5):
            had = (groups[row, : at + 1] == id).any(axis=1)
            assert found[row, at, span, id] == pytest.approx((ages * had).sum(), abs=1e-4)
        for kind in range(2):
            had = np.isin(groups[row, : at + 1], [id for id in range(5) if KINDS[id] == kind]).any(axis=1)
            assert found[row, at, span, 5 + kind] == pytest.approx((ages * had).sum(), abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(0, 12))
def test_what_is_heard_in_parts_counts_as_much(seed: int, cut: int) -> None:
    groups, tally = music(seed), Tally(TALLIES, 2)
    first = tally.after(groups[:, :cut])
    rest = [tally.hear(groups[:, at]) for at in range(cut, 12)]
    np.testing.assert_allclose(
        np.concatenate([first, *(one[:, None] for one in rest)], 1), TALLIES.of(groups), atol=1e-5
    )


def test_pieces_that_stay_are_counted_on() -> None:
    groups, tally = music(0, batch=3), Tally(TALLIES, 3)
    tally.after(groups[:, :5])
    tally.narrow(np.array([0, 2]))
    np.testing.assert_allclose(tally.after(groups[[0, 2], 5:]), TALLIES.of(groups)[[0, 2], 5:], atol=1e-5)


def test_without_kinds_ids_alone_are_counted() -> None:
    groups = music(0)
    np.testing.assert_array_equal(Tallies(5, TALLIES.spans).of(groups), TALLIES.of(groups)[..., :5])


@pytest.mark.parametrize(
    "wrong",
    [
        {"spans": ()},
        {"spans": (0.0,)},
        {"spans": (np.inf,)},
        {"spans": (2.0,) * 9},
        {"spans": ("2",)},
        {"kinds": (0,)},
        {"kinds": (-2,) * 5},
        {"kinds": (5,) * 5},
        {"kinds": (0.5,) * 5},
    ],
    ids=str,
)
def test_what_cannot_be_counted_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="tallies need"):
        Tallies(**{"ids": 5, "spans": (2.0,), "kinds": (), **wrong})
