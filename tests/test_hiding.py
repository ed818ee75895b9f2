"""Hidden cells: that all that is hidden is told after the rest, and comes back where it was."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento.codec import Request
from partimento.codecs.cells import Cells
from partimento.codecs.cells.fields import ANSWER, BAR, CELL, FILL, HIDDEN, LABELS, NOTE, events_of, values
from partimento.codecs.cells.grid import Grid
from partimento.codecs.cells.hiding import drawn, hide, unfold
from partimento.score import Score, TimeSignature

from music import scores, tune

CODEC = Cells(Cells.Settings())


@settings(max_examples=80, deadline=None)
@given(score=scores(), seed=st.integers(0, 1000))
def test_what_is_hidden_comes_back_where_it_was(score: Score, seed: int) -> None:
    x = CODEC.encode(score)
    told = hide(x, drawn(np.random.default_rng(seed)))
    np.testing.assert_array_equal(unfold(told), x)
    assert CODEC.decode(told) == CODEC.decode(x)
    assert CODEC.notes(told) == CODEC.notes(x)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_of_a_hidden_cell_is_told_before_its_answer(seed: int) -> None:
    x = CODEC.encode(tune(1, bars=6))
    chosen = np.random.default_rng(seed).random((6, 3)) < 0.4
    kind, events = events_of(hide(x, lambda _: chosen))
    first = int(np.argmax(kind == ANSWER))
    context = Grid(events[:first].reshape(-1))
    cells = {(int(b), int(context.tracks[t])) for b, t in zip(context.bar, context.track, strict=True) if t >= 0}
    assert kind[0] == FILL
    assert cells == set(zip(*np.nonzero(~chosen), strict=True))
    places = list(zip(*np.nonzero(chosen), strict=True))
    hidden, answers = events[kind == HIDDEN], events[kind == ANSWER]
    bar = (np.cumsum(kind == BAR) - 1)[kind == HIDDEN]
    assert list(zip(bar, values(hidden[:, 1]), strict=True)) == places
    np.testing.assert_array_equal(hidden[:, 1:], answers[:, 1:])
    assert values(answers[:, 3]).tolist() == list(range(len(places)))
    assert not np.isin(kind[first:], (BAR, CELL, HIDDEN)).any()


def test_silent_cells_are_hidden_as_well_and_no_more_than_have_labels() -> None:
    score = tune(0, bars=40)
    score.tracks[1].notes = type(score.tracks[1].notes)([n for n in score.tracks[1].notes if n.time < 480])
    x = CODEC.encode(score)
    kind, events = events_of(hide(x, lambda grid: np.ones((grid.bars, 3), dtype=bool)))
    assert (kind == HIDDEN).sum() == (kind == ANSWER).sum() == LABELS
    after = np.append(kind[1:], ANSWER)
    silent = (kind == ANSWER) & (after != NOTE)
    assert silent.sum() == LABELS // 3 - 1
    assert set(values(events[silent, 1]).tolist()) == {1}


def test_where_nothing_is_hidden_nothing_is_told_otherwise() -> None:
    x = CODEC.encode(tune(0, bars=2))
    assert hide(x, lambda grid: np.zeros((grid.bars, 3), dtype=bool)) is x
    assert unfold(x) is x
    empty = np.empty(0, dtype=np.int64)
    assert len(hide(empty, drawn(np.random.default_rng(0)))) == 0


def test_answers_to_nothing_are_passed_over() -> None:
    told = hide(CODEC.encode(tune(0, bars=3)), lambda grid: np.eye(3, dtype=bool))
    kind, events = events_of(told)
    without = events[kind != HIDDEN].reshape(-1)
    asked_in_vain = events[: int(np.argmax(kind == ANSWER))].reshape(-1)
    assert CODEC.decode(without).note_num() == CODEC.decode(asked_in_vain).note_num() > 0
    assert CODEC.notes(without) == CODEC.decode(without).note_num()
    grammar = CODEC.grammar()
    grammar.start(Request())
    for id in events[(kind == FILL) | (kind == BAR) | (kind == ANSWER)].reshape(-1).tolist():
        grammar.advance(id)
        assert grammar.mask().any()


def test_each_pattern_is_drawn() -> None:
    grid = Grid(CODEC.encode(tune(0, bars=8)))
    masks = [drawn(np.random.default_rng(seed))(grid) for seed in range(200)]
    assert all(mask.shape == (8, 3) and mask.any(axis=None) for mask in masks if mask.sum())
    kinds = {
        "bars of all tracks": any(m.all(1).any() and (m.all(1) | ~m.any(1)).all() and not m.all() for m in masks),
        "whole tracks": any((m.all(0) | ~m.any(0)).all() and 0 < m.all(0).sum() < 3 for m in masks),
        "all but one": any((m.all(0) | ~m.any(0)).all() and m.all(0).sum() == 2 for m in masks),
        "any cells": any(len({tuple(row) for row in m.tolist()}) > 3 for m in masks),
    }
    assert all(kinds.values()), kinds


def filled(codec: Cells, prompt: np.ndarray, seed: int) -> np.ndarray:
    """Ids drawn under the mask, each alike, after a prompt."""
    grammar, rng, ids = codec.grammar(), np.random.default_rng(seed), []
    grammar.start(Request())
    for id in prompt.tolist():
        grammar.advance(id)
    grammar.begin()
    while (id := int(rng.choice(np.flatnonzero(grammar.mask())))) != codec.spec.eos:
        grammar.advance(id)
        ids.append(id)
        assert len(ids) < 20_000
    return np.concatenate([prompt, np.array(ids, dtype=np.int64)])


@pytest.mark.parametrize("tempo_told", ["always", "changed"])
@pytest.mark.parametrize("seed", range(6))
def test_gaps_are_filled_and_nothing_else_is_changed(seed: int, tempo_told: Literal["always", "changed"]) -> None:
    codec = Cells(Cells.Settings(tempo_told=tempo_told))
    codec.learn([tune(n) for n in range(3)])
    x = codec.encode(tune(1, bars=6))
    chosen = drawn(np.random.default_rng(seed))(Grid(x))
    told = hide(x, lambda _: chosen)
    kind, events = events_of(told)
    prompt = events[: int(np.argmax(kind == ANSWER))].reshape(-1)
    whole = filled(codec, prompt, seed)
    made, before = Grid(unfold(whole)), Grid(x)
    kinds, rows = events_of(whole)
    assert (kinds == ANSWER).sum() == chosen.sum()
    np.testing.assert_array_equal(rows[kinds == ANSWER][:, 1:], events[kind == HIDDEN][:, 1:])

    def notes(grid: Grid, hidden: bool) -> list[tuple[int, ...]]:
        return [
            (int(bar), *map(int, event))
            for kind, bar, track, event in zip(grid.kind, grid.bar, grid.track, grid.events, strict=True)
            if kind == NOTE and chosen[bar, int(grid.tracks[track])] == hidden
        ]

    assert notes(made, False) == notes(before, False)
    assert notes(made, True)
    np.testing.assert_array_equal(codec.encode(codec.decode(whole)), unfold(whole))


def test_a_gap_knows_its_bar() -> None:
    """In a bar of three eighths nothing is written after them, though later bars are longer."""
    score = tune(0, bars=4, drums=False)
    score.time_signatures.append(TimeSignature(1920, 3, 8))
    score.time_signatures.append(TimeSignature(1920 + 720, 4, 4))
    codec = Cells(Cells.Settings())
    codec.learn([score.sort()])
    told = hide(codec.encode(score), lambda grid: np.arange(grid.bars)[:, None] == np.array([1, 1]))
    kind, events = events_of(told)
    for seed in range(20):
        whole = filled(codec, events[: int(np.argmax(kind == ANSWER))].reshape(-1), seed)
        grid = Grid(unfold(whole))
        mine = grid.events[(grid.kind == NOTE) & (grid.bar == 1)]
        assert ((values(mine[:, 0]) * 24 + values(mine[:, 1])) < 36).all()
