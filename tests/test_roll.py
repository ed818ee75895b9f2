"""The roll codec: what the state matrix keeps, and how it reads grids that no music would give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from partimento.codecs.roll import ONSET, SUSTAIN, VELOCITY, Roll
from partimento.errors import InvalidSettings
from partimento.score import Note, Score, Track, note_array
from partimento.settings import from_table

from music import scores, tune

FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def roll(**table: Any) -> Roll:
    return Roll(from_table(Roll.Settings, table, "codec"))


def made(notes: list[tuple[int, int, int]], drums: bool = False, velocity: int = 64) -> Score:
    """A score from (onset, duration, pitch), in sixteenths."""
    score = Score(480)
    track = Track("", 0, drums)
    for onset, duration, pitch in notes:
        track.notes.append(Note(120 * onset, 120 * duration, pitch, velocity))
    score.tracks.append(track)
    return score


def heard(score: Score) -> list[tuple[int, int, int]]:
    return [(int(n["onset"]), int(n["duration"]), int(n["pitch"])) for n in note_array(score)]


def cells(plane: np.ndarray) -> list[tuple[int, int]]:
    return [(int(t), int(p)) for t, p in np.argwhere(plane)]


def test_the_default_is_the_tutorials_grid() -> None:
    spec = roll().spec
    assert (spec.channels, spec.low, spec.pitches, spec.steps_per_beat) == (2, 24, 78, 4)


def test_a_held_note_and_repeated_notes_differ() -> None:
    held, repeated = (roll().encode(made(notes)) for notes in ([(0, 4, 60)], [(0, 2, 60), (2, 2, 60)]))
    assert cells(held[:, ONSET]) == [(0, 36)]
    assert cells(repeated[:, ONSET]) == [(0, 36), (2, 36)]
    assert cells(held[:, SUSTAIN]) == cells(repeated[:, SUSTAIN]) == [(t, 36) for t in range(4)]


@pytest.mark.parametrize(
    ("onsets", "sustains", "notes"),
    [
        ([0], [0, 1, 2], [(0, 3, 24)]),
        ([0], [], [(0, 1, 24)]),  # an onset alone is a note of one step
        ([], [0, 1, 2], []),  # a sustain without a beginning is none
        ([0], [0, 2, 3], [(0, 1, 24)]),  # nor is it one after a gap
        ([0, 2], [0, 1, 2, 3, 4], [(0, 2, 24), (2, 3, 24)]),  # an onset ends what sounds
        ([0, 1, 2], [0, 1, 2], [(0, 1, 24), (1, 1, 24), (2, 1, 24)]),
        ([5], [4, 5], [(5, 1, 24)]),
    ],
)
def test_how_a_grid_is_read(onsets: list[int], sustains: list[int], notes: list[tuple[int, int, int]]) -> None:
    x = np.zeros((6, 2, 78), dtype=np.float32)
    x[onsets, ONSET, 0] = 0.5
    x[sustains, SUSTAIN, 0] = 0.5
    assert heard(roll().decode(x)) == notes


def read_cell_by_cell(x: np.ndarray) -> list[tuple[int, int, int]]:
    """The docstring's rule, one step after another."""
    notes, sounding = [], {}
    for step, (onset, sustain) in enumerate(x[:, :2] >= 0.5):
        for row in range(x.shape[2]):
            if row in sounding and (onset[row] or not sustain[row]):
                start = sounding.pop(row)
                notes.append((start, step - start, row + 24))
            if onset[row]:
                sounding[row] = step
    notes += [(start, len(x) - start, row + 24) for row, start in sounding.items()]
    return sorted(notes, key=lambda n: (n[0], n[2]))


@FEW
@given(x=arrays.arrays(np.float32, st.tuples(st.integers(0, 9), st.just(2), st.just(78)), elements=st.floats(width=32)))
def test_the_vectorised_reading_is_the_rule(x: np.ndarray) -> None:
    assert heard(roll().decode(x)) == read_cell_by_cell(x)


@FEW
@given(
    score=scores(),
    table=st.sampled_from(
        [{}, {"planes": "velocity"}, {"planes": "sustain"}, {"low": 0, "pitches": 128, "steps_per_beat": 12}]
    ),
)
def test_planes_agree_and_the_law_holds_for_every_setting(score: Score, table: dict[str, Any]) -> None:
    codec = roll(**table)
    x = codec.encode(score)
    if codec.spec.channels > 1:
        assert (x[:, SUSTAIN] >= x[:, ONSET]).all(), "what is struck sounds"
    assert codec.notes(x) == codec.decode(x).note_num()
    if codec.spec.channels > VELOCITY:
        assert ((x[:, VELOCITY] > 0) == (x[:, ONSET] > 0)).all(), "loudness belongs to onsets"
    np.testing.assert_array_equal(codec.encode(codec.decode(x)), x)


@pytest.mark.parametrize("velocity", [1, 63, 64, 127])
def test_velocity_is_kept_exactly_or_not_at_all(velocity: int) -> None:
    score = made([(0, 1, 60)], velocity=velocity)
    kept, lost = (codec.decode(codec.encode(score)) for codec in (roll(planes="velocity"), roll()))
    assert kept.tracks[0].notes[0].velocity == velocity
    assert lost.tracks[0].notes[0].velocity == 80


def test_drums_and_pitches_beyond_the_grid_are_left_out() -> None:
    assert not len(roll().encode(made([(0, 4, 60)], drums=True)))
    assert heard(roll().decode(roll().encode(made([(0, 4, 23), (0, 4, 24), (0, 4, 101), (0, 4, 102)])))) == [
        (0, 4, 24),
        (0, 4, 101),
    ]


def test_a_tune_within_the_grid_comes_back_whole() -> None:
    score = tune(3, drums=False)
    assert heard(roll().decode(roll().encode(score))) == [(o // 120, d // 120, p) for o, d, p in heard(score)]


@pytest.mark.parametrize("table", [{"low": -1}, {"low": 100, "pitches": 29}, {"pitches": 0}, {"steps_per_beat": 0}])
def test_settings_that_make_no_sense_are_refused(table: dict[str, int]) -> None:
    with pytest.raises(InvalidSettings, match="must be"):
        roll(**table)
