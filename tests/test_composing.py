"""Prompts: how much of a piece is given to go on from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento.errors import ImpossibleRequest
from partimento.prompts import Opening, first_notes
from partimento.score import bar_lines, end_tick, note_array

from music import scores, tune


@given(scores(), st.integers(1, 40))
def test_the_first_notes_are_those_that_begin_first(score: object, count: int) -> None:
    first = first_notes(score, count)  # type: ignore[arg-type]
    whole = note_array(first_notes(score, 10**6))  # type: ignore[arg-type]
    kept = note_array(first)
    assert len(whole) == score.note_num()  # type: ignore[attr-defined]
    assert len(kept) == min(count, len(whole))
    if len(kept) < len(whole):
        left = sorted(whole["onset"].tolist())[len(kept) :]
        assert kept["onset"].max() <= left[0]


def test_an_opening_begins_with_the_bar_of_the_first_note_and_cuts_none_short() -> None:
    score = tune(3, drums=False).shift_time(4 * 1920)
    whole = note_array(score)
    for opening in (Opening(2), Opening(9, "notes")):
        taken = note_array(opening.of(score))
        assert taken["onset"][0] < 1920
        np.testing.assert_array_equal(taken["onset"] + 4 * 1920, whole["onset"][: len(taken)])
    nine = note_array(Opening(9, "notes").of(score))
    np.testing.assert_array_equal(nine["duration"], whole["duration"][:9])
    two = Opening(2).of(score)
    assert len(bar_lines(two, end_tick(two))) == 2


@pytest.mark.parametrize(("count", "unit"), [(0, "bars"), (-1, "notes")])
def test_nothing_is_no_opening(count: int, unit: str) -> None:
    with pytest.raises(ImpossibleRequest, match=f"--prompt-{unit} must be 1 or more"):
        Opening(count, unit)  # type: ignore[arg-type]
