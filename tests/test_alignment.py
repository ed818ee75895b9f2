"""Alignment: that a piece beside its beats is found out and moved onto them, and all else left alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from partimento.alignment import FEWEST, beside_beats, moved
from partimento.codecs.cells import Cells
from partimento.evaluation.originality import TrainingIndex
from partimento.score import Note, Score, Track, note_array

from music import scores, tune

TICKS = 480


def struck(quarters: list[float]) -> Score:
    """Notes of a sixteenth at these times."""
    score = Score(TICKS)
    score.tracks.append(Track("", 0, False))
    score.tracks[0].notes.extend(Note(round(at * TICKS), TICKS // 4, 60 + i % 12, 64) for i, at in enumerate(quarters))
    return score


STRAIGHT = [bar * 4 + at for bar in range(1, 5) for at in (0, 0.5, 1, 1.75, 2, 2.5, 3, 3.25)]


@given(st.integers(-TICKS // 2, TICKS // 2 - 1), st.integers(0, 3))
def test_how_far_a_piece_lies_beside_its_beats_is_found(ticks: int, seed: int) -> None:
    piece = struck(STRAIGHT) if seed == 0 else tune(seed)
    beside = moved(piece, ticks * piece.ticks_per_quarter // TICKS)
    off = ticks * piece.ticks_per_quarter // TICKS / piece.ticks_per_quarter
    beside_a_sixteenth = abs(off - round(off * 4) / 4)
    assume(abs(beside_a_sixteenth - 1 / 48) > 1e-6)
    on_a_sixteenth = beside_a_sixteenth <= 1 / 48
    found = beside_beats(beside) / piece.ticks_per_quarter
    assert found == (0 if on_a_sixteenth else pytest.approx(off, abs=1 / piece.ticks_per_quarter))


@pytest.mark.parametrize(
    "onsets",
    [
        STRAIGHT,
        [third / 3 for third in range(48)],  # triplets
        [at + 0.2 for at in STRAIGHT[: FEWEST - 1]],  # too few to tell
        np.sort(np.random.default_rng(0).uniform(0, 60, 200)).tolist(),  # no grid at all
        [],
    ],
)
def test_what_keeps_no_grid_of_its_own_is_left_alone(onsets: list[float]) -> None:
    assert beside_beats(struck(onsets)) == 0


JIG = [bar * 3 + at for bar in range(8) for at in (0, 0.5, 1, 1.5, 2, 2.5)]  # as many on the beat as between two


@pytest.mark.parametrize("off", [-0.2, -0.1, 0.1, 0.2])
def test_where_as_many_notes_begin_between_beats_the_nearest_grid_is_taken(off: float) -> None:
    assert beside_beats(struck([at + 1 + off for at in JIG])) == pytest.approx(off * TICKS, abs=1)


def test_a_piece_that_would_begin_before_its_file_is_left_alone() -> None:
    late = [at - 4 + 0.2 for at in STRAIGHT]
    assert beside_beats(struck(late)) == round(0.2 * TICKS)
    assert beside_beats(struck([0.05, *late])) == 0
    assert beside_beats(struck([0.19, *late])) == round(0.19 * TICKS)


def test_a_copy_that_lies_elsewhere_is_one() -> None:
    learnt = [moved(tune(seed), 30) for seed in range(3)]
    index = TrainingIndex.of((str(number), score) for number, score in enumerate(learnt))
    copied, itself = index.judge(tune(1)), index.judge(learnt[1])
    assert copied.shares == itself.shares
    assert copied.shares_exact == itself.shares_exact == {1: 1.0, 2: 1.0, 4: 1.0}


@given(scores(), st.integers(-5000, 5000))
def test_what_is_moved_back_is_as_it_was(score: Score, ticks: int) -> None:
    there = moved(score, ticks)
    assert (note_array(there)["onset"] == note_array(score)["onset"] + ticks).all()
    assert there.tempos == score.tempos
    assert moved(there, -ticks) == score


@pytest.mark.parametrize("sixths", [-2, -1, 1, 2])
def test_a_codec_that_aligns_tells_a_piece_alike_wherever_it_lies(sixths: int) -> None:
    codec, plain = Cells(Cells.Settings(align=True)), Cells(Cells.Settings())
    piece = moved(struck(STRAIGHT), 4 * TICKS)
    beside = moved(piece, sixths * TICKS // 24)
    np.testing.assert_array_equal(codec.encode(beside), plain.encode(piece))
    assert not np.array_equal(plain.encode(beside), plain.encode(piece))
