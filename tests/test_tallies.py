"""Tallies: counts as the sum that defines them, whatever is heard at once, and refusals."""

from __future__ import annotations

import dataclasses
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
    found = np.expm1(TALLIES.of(groups, groups))
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
    first = tally.over(groups[:, :cut], groups[:, :cut])
    rest = [tally.hear(groups[:, at]) for at in range(cut, 12)]
    np.testing.assert_allclose(
        np.concatenate([first, *(one[:, None] for one in rest)], 1), TALLIES.of(groups, groups), atol=1e-5
    )


def test_pieces_that_stay_are_counted_on() -> None:
    groups, tally = music(0, batch=3), Tally(TALLIES, 3)
    tally.over(groups[:, :5], groups[:, :5])
    tally.narrow(np.array([0, 2]))
    np.testing.assert_allclose(tally.over(*[groups[[0, 2], 5:]] * 2), TALLIES.of(groups, groups)[[0, 2], 5:], atol=1e-5)


def test_without_kinds_ids_alone_are_counted() -> None:
    groups = music(0)
    np.testing.assert_array_equal(Tallies(5, TALLIES.spans).of(groups, groups), TALLIES.of(groups, groups)[..., :5])


PLACED = Tallies(7, (2.0,), (), 4.0, voices=(-1, 1, 0, 0, 0, 0, 0), whens=(True,) * 4 + (False,) * 3)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_by_place_what_followed_and_what_was_there_counts(seed: int) -> None:
    """Group 0 . . ends a voice, and 1 v . begins voice v; ids from 4 on are said of groups that are somewhere."""
    rng = np.random.default_rng(seed)
    count = 30
    groups = np.concatenate([rng.integers(0, 4, (1, count, 2)), rng.integers(4, 7, (1, count, 1))], 2)
    before = np.concatenate([np.full((1, 1, 3), 7), groups[:, :-1]], 1)
    found = np.expm1(PLACED.of(before, groups))[0, :, -1]
    voice, voices = -1, []
    for group in groups[0].tolist():
        voices.append(voice)
        voice = {0: -1, 1: group[1]}.get(group[0], voice)
    places = [(voice, *group[:2]) for voice, group in zip(voices, groups[0].tolist(), strict=True)]
    states = [(voice, *group[:2]) for voice, group in zip(voices[1:], groups[0].tolist(), strict=False)]
    for at in range(1, count):
        ages = np.exp(-(at - 1 - np.arange(at)) / PLACED.place_span)
        for id in range(7):
            had = (groups[0, :at] == id).any(axis=1)
            alike = [
                places[j] == places[at] if id >= 4 else j > 0 and states[j - 1] == states[at - 1] for j in range(at)
            ]
            assert found[at, id] == pytest.approx((ages * had * alike).sum(), abs=1e-4)


def test_of_what_is_not_counted_there_is_nothing_but_its_kind() -> None:
    kinds, counted = (0, 0, 1, -1, -1, 1, -1), (True, False, True, False, True, False, True)
    groups = np.random.default_rng(0).integers(0, 7, (1, 30, 3))
    all_of_them = dataclasses.replace(PLACED, kinds=kinds)
    whole, part = (
        tallies.of(groups, np.roll(groups, -1, 1))
        for tallies in (all_of_them, dataclasses.replace(all_of_them, counted=counted))
    )
    assert not part[..., :7][..., ~np.array(counted)].any()
    np.testing.assert_array_equal(part[..., :7][..., counted], whole[..., :7][..., counted])
    np.testing.assert_array_equal(part[..., 7:], whole[..., 7:])


@pytest.mark.parametrize("contexts", [(), (3, 1)])
def test_by_place_steps_are_as_the_whole(contexts: tuple[int, ...]) -> None:
    groups = np.random.default_rng(0).integers(0, 7, (2, 40, 3))
    tallies = dataclasses.replace(PLACED, contexts=contexts)
    whole, tally = tallies.of(groups, np.roll(groups, -1, 1)), Tally(tallies, 2)
    for at in range(39):
        found = tally.hear(groups[:, at])
        np.testing.assert_allclose(found[:, 0], whole[:, at, 0], atol=1e-5)
        later = tally.placed(groups[:, at + 1, :2])
        np.testing.assert_allclose(found[:, 2:] + later[:, 2:], whole[:, at, 2:], atol=1e-5)
        assert not later[:, 0].any()
        np.testing.assert_allclose(np.log1p(np.expm1(found[:, 1]) + np.expm1(later[:, 1])), whole[:, at, 1], atol=1e-5)


def test_what_returns_counts_for_as_long_as_it_has_and_after_its_time_where_that_is_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("partimento.returns.NEAREST", 1)
    tallies = dataclasses.replace(PLACED, contexts=(1,), counted=(True,) * 6 + (False,))
    groups = np.array([[[2, 3, 4], [3, 2, 5], [0, 2, 5], [2, 3, 4], [3, 2, 5], [0, 3, 6]]])
    before = np.concatenate([np.full((1, 1, 3), 7), groups[:, :-1]], 1)
    found = np.expm1(tallies.of(before, groups))[0]
    alike, there = found[:, -2], found[:, -1]
    assert not alike[:4].any()
    assert {id: alike[4, id] for id in np.flatnonzero(there[4])} == pytest.approx({3: 1, 2: 1, 5: 1})
    assert {id: alike[5, id] for id in np.flatnonzero(there[5])} == pytest.approx({0: 2, 2: 2})  # it is 0 3, not 0 2
    np.testing.assert_allclose(there[there > 0], np.e - 1, rtol=1e-5)
    np.testing.assert_array_equal(found[:, :-2], np.expm1(PLACED.of(before, groups))[0])


def test_a_hidden_passage_is_foretold_where_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Group 0 v . l hides something of voice v, 1 v . l tells it, 2 v . . begins the voice and 3 . . . ends it."""
    monkeypatch.setattr("partimento.returns.NEAREST", 1)
    tallies = Tallies(9, (2.0,), (), 0.0, (2, 3, 1, -1, *[0] * 5), (True,) * 6 + (False,) * 3, contexts=(2,))
    notes = [[4, 4, 6, 6], [4, 5, 7, 6], [5, 4, 8, 6], [5, 5, 6, 7]]
    begins, ends = [2, 4, 6, 6], [3, 6, 6, 6]
    bars = [[begins, *notes[:2], ends], [begins, *notes[2:], ends]]
    groups = [*bars[0], *bars[1], *bars[0], [0, 4, 6, 8], ends, begins, [4, 4, 8, 8], ends, [1, 4, 6, 8]]
    tally = Tally(tallies, 1)
    for group in groups:
        last = tally.hear(np.array([group]))
    assert set(np.flatnonzero(last[0, -1])) == {4, 5}  # of notes[2]
    assert set(np.flatnonzero(tally.placed(np.array([[5, 4]]))[0, -1])) == {6, 8}


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
        {"place_span": 3.0},
        {"place_span": -1.0, "whens": (True,) * 5},
        {"whens": (True,) * 5},
        {"place_span": 3.0, "whens": (2,) * 5},
        {"voices": (0,)},
        {"voices": (5,) * 5},
        {"counted": (True,)},
        {"counted": (1,) * 5},
        {"contexts": (2,)},
        {"contexts": (0,), "whens": (True,) * 5},
        {"contexts": (1.5,), "whens": (True,) * 5},
        {"contexts": (1, 2, 3, 4, 5), "whens": (True,) * 5},
    ],
    ids=str,
)
def test_what_cannot_be_counted_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="tallies need"):
        Tallies(**{"ids": 5, "spans": (2.0,), "kinds": (), **wrong})


def test_places_that_were_not_heard_for_longest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partimento.tallies.MOST_PLACES", 2)
    tally = Tally(PLACED, 1)

    def known() -> list[bool]:
        return [bool(tally.placed(np.array([[2, place]]))[0, 1, 5]) for place in (0, 1, 3)]

    for place in (0, 1, 0):
        tally.hear(np.array([[2, place, 5]]))
    assert known() == [True, True, False]
    tally.hear(np.array([[2, 3, 5]]))
    assert known() == [True, False, True]
