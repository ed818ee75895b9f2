"""Returns: what comes back is foretold, varied or with other voices between, and hidden cells where they are told."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento.returns import LONGEST, Returns


@pytest.fixture(autouse=True)
def _near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partimento.returns.NEAREST", 1)


def heard(returns: Returns, groups: Iterable[int]) -> list[tuple[int | None, int]]:
    """What was foretold before each group, and for how many groups it had been alike."""
    found = []
    for group in groups:
        ids, alike = returns.following()
        found.append((ids[0] if ids else None, alike))
        returns.hear((group,), (group,))
    return found


@settings(max_examples=50, deadline=None)
@given(contexts=st.sets(st.integers(1, 9), min_size=1, max_size=4), length=st.integers(10, 90))
def test_a_passage_that_returns_is_foretold_from_the_shortest_context_on(contexts: set[int], length: int) -> None:
    passage, shortest = list(range(length)), min(contexts)
    found = heard(Returns(tuple(contexts)), [*passage, -1, *passage])
    assert all(foretold is None for foretold, _ in found[: length + 1 + shortest])
    for at in range(shortest, length):
        assert found[length + 1 + at] == (at, min(at, LONGEST))


@given(length=st.integers(1, 20), times=st.integers(2, 9))
def test_what_is_repeated_on_the_spot_was_alike_for_as_long_as_it_is(length: int, times: int) -> None:
    found = heard(Returns((1,)), [*range(length)] * times)
    assert found[length + 1 :] == [(at % length, min(at, length)) for at in range(1, length * (times - 1))]


def test_what_was_told_just_now_is_no_return(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partimento.returns.NEAREST", 6)
    found = heard(Returns((1,)), [*range(5), *range(5), *range(5)])
    assert [foretold for foretold, _ in found] == [*[None] * 6, *[None] * 5, 1, 2, 3, 4]


def test_the_latest_place_counts_and_of_contexts_the_longest() -> None:
    groups = [1, 2, 3, 9, 7, 3, 8, 1, 2, 3]
    short, long = Returns((1,)), Returns((3, 1))
    heard(short, groups)
    heard(long, groups)
    assert short.following() == ((9,), 3)  # since 1 and 2 it was alike
    assert long.following() == ((9,), 3)
    again = Returns((3, 1))
    heard(again, [1, 2, 3, 9, 7, 3, 8, 4, 3])
    assert again.following() == ((8,), 1)


def test_of_a_varied_return_what_is_as_it_was_is_foretold() -> None:
    passage = list(range(20))
    varied = [*passage[:10], 99, *passage[11:]]
    found = heard(Returns((4,)), [*passage, *varied])[20:]
    assert found[10] == (10, 10)
    assert found[11] == (11, 0)
    assert found[12:] == [(at, at - 11) for at in range(12, 20)]


def test_what_is_wrong_again_and_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partimento.returns.PATIENCE", 3)
    found = heard(Returns((4,)), [*range(20), *range(8), *range(50, 60)])[28:]
    assert [foretold for foretold, _ in found] == [8, 9, 10, *[None] * 7]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_voices_do_not_disturb_one_another(seed: int) -> None:
    rng = np.random.default_rng(seed)
    streams = [rng.integers(0, 4, 40).tolist() for _ in range(2)]
    alone = [heard(Returns((3, 1)), stream) for stream in streams]
    together, found, at = Returns((3, 1)), [[], []], [0, 0]
    for voice in rng.permutation([0] * 40 + [1] * 40).tolist():
        together.enter(voice)
        found[voice] += heard(together, [streams[voice][at[voice]]])
        at[voice] += 1
    assert found == alone


def test_what_was_hidden_goes_on_from_where_it_was() -> None:
    returns = Returns((3,))
    returns.enter(5)
    heard(returns, [*range(10), -1, 0, 1, 2, 3])
    returns.hide(7)
    heard(returns, [20, 21, 22, 23])
    returns.answer(7)
    assert heard(returns, [4, 5, 6]) == [(4, 4), (5, 5), (6, 6)]
    returns.answer(99)  # nobody hid anything there
    assert returns.following() == ((), 0)


def test_what_was_hidden_returns_from_later_in_the_piece() -> None:
    returns = Returns((3,))
    returns.enter(5)
    heard(returns, [*range(50, 60), 0, 1, 2])
    returns.hide(7)
    heard(returns, [*range(70, 80), *range(20), *range(90, 99)])
    returns.answer(7)
    assert heard(returns, range(3, 20))[1:] == [(at, at - 1) for at in range(4, 20)]


def test_of_what_does_not_count_the_latest_is_foretold() -> None:
    returns = Returns((2,))
    for loud, group in enumerate([1, 2, 3, 1, 2]):
        returns.hear((group, 100 + loud), (group,))
    assert returns.following() == ((3, 102), 2)


def test_contexts_that_were_not_heard_for_longest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partimento.returns.MOST_CONTEXTS", 10)
    assert heard(Returns((1,)), [1, 2, *range(10, 20), 1, 2])[-1] == (None, 0)
    assert heard(Returns((1,)), [1, 2, *range(10, 17), 1, 2])[-1] == (2, 1)
