"""Timing: that the ids alone tell when each event is, wherever it is told."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento.codec import TokenSpec
from partimento.codecs.cells import Cells
from partimento.codecs.cells.fields import ANSWER, BAR, CELL, FIELDS, HIDDEN, NOTE, STEPS, events_of
from partimento.codecs.cells.grid import Grid
from partimento.codecs.cells.hiding import drawn, hide
from partimento.score import Score
from partimento.timing import Timing

from music import scores, tune

CODEC = Cells(Cells.Settings())
SPEC = CODEC.spec


def timing() -> Timing:
    assert SPEC.timing is not None
    return SPEC.timing


def times(x: np.ndarray) -> np.ndarray:
    return timing().times(x.reshape(1, -1, FIELDS))[0]


@settings(max_examples=60, deadline=None)
@given(score=scores())
def test_notes_are_when_they_sound_and_cells_when_their_bars_begin(score: Score) -> None:
    x = CODEC.encode(score)
    grid = Grid(x)
    found = times(x)
    notes, heads = grid.kind == NOTE, np.isin(grid.kind, (BAR, CELL))
    np.testing.assert_allclose(found[notes], grid.onsets[notes] / STEPS)
    np.testing.assert_allclose(found[heads], grid.starts[grid.bar[heads]] / STEPS)


@settings(max_examples=60, deadline=None)
@given(score=scores(), seed=st.integers(0, 1000))
def test_what_is_told_after_the_rest_is_when_it_would_have_been(score: Score, seed: int) -> None:
    x = CODEC.encode(score)
    told = hide(x, drawn(np.random.default_rng(seed)))
    kind, events = events_of(told)
    found = times(told)
    notes = {tuple(event) for event in events[kind == NOTE]}
    assert notes == {tuple(event) for event in Grid(x).events[Grid(x).kind == NOTE]}
    before, after = Grid(x), sorted(zip(found[kind == NOTE].tolist(), map(tuple, events[kind == NOTE]), strict=True))
    mine = before.kind == NOTE
    there = zip((before.onsets[mine] / STEPS).tolist(), map(tuple, before.events[mine]), strict=True)
    assert after == sorted(there)


def test_a_hidden_cell_is_in_its_bar_both_times() -> None:
    told = hide(CODEC.encode(tune(1, bars=6)), drawn(np.random.default_rng(1)))
    kind, events = events_of(told)
    found = times(told)
    marks = events[kind == HIDDEN][:, 3]
    for mark in marks:
        (twice,) = {tuple(found[np.isin(kind, (HIDDEN, ANSWER)) & (events[:, 3] == mark)])}
        assert len(twice) == 2
        assert twice[0] == twice[1]


@pytest.mark.parametrize("skipped", range(1, 40, 3))
def test_entered_anywhere_only_the_beginning_differs_from_the_first_whole_bar_on(skipped: int) -> None:
    x = CODEC.encode(tune(2, bars=8))
    kind, _ = events_of(x)
    whole, part = times(x), times(x[skipped * FIELDS :])
    begun = skipped + int(np.argmax(kind[skipped:] == BAR))
    np.testing.assert_allclose(np.diff(part[begun - skipped :]), np.diff(whole[begun:]))
    assert (np.diff(part[: begun - skipped + 1]) >= -4).all()


def test_it_is_kept_with_the_pieces() -> None:
    assert TokenSpec(**json.loads(json.dumps(dataclasses.asdict(SPEC)))) == SPEC


@pytest.mark.parametrize(
    "change",
    [{"roles": [0, 9]}, {"amounts": [1]}, {"steps": 0}, {"mark": -1}, {"roles": [0, 0.5]}, {"amounts": [0, 10**400]}],
)
def test_a_damaged_one_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="timing"):
        Timing(**({"roles": [0, 1], "amounts": [0, 4], "steps": 1, "mark": 0} | change))  # type: ignore[arg-type]
