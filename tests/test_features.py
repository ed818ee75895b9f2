"""Features: figures worked out by hand from the sources' formulas, and laws over any score."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento.evaluation.features import FEATURES, GRID, bar_edges, features, measured
from partimento.score import Note, Score, TimeSignature, Track, transpose

from music import scores, tune

Notes = list[tuple[float, float, int]]  # onset and length in beats, pitch


def piece(*parts: Notes, metre: tuple[int, int] = (4, 4), drums: bool = False, ticks: int = 480) -> Score:
    score = Score(ticks)
    score.time_signatures.append(TimeSignature(0, *metre))
    for program, part in enumerate(parts):
        track = Track("", program, drums)
        track.notes.extend(Note(round(on * ticks), round(long * ticks), pitch, 80) for on, long, pitch in part)
        score.tracks.append(track)
    return score


def crotchets(*pitches: int | None) -> Notes:
    return [(float(beat), 1.0, pitch) for beat, pitch in enumerate(pitches) if pitch is not None]


SCALE = piece(crotchets(60, 62, 64, 65, 67, 69, 71, 72))
CHROMATIC = piece(crotchets(*range(60, 72)))
CHORD = piece([(0, 4, 60), (0, 4, 64), (0, 4, 67), (4, 4, 72)])
WALTZ = [(3 * bar + on, long, 60) for bar in range(4) for on, long in ((0.0, 1.0), (1.0, 2.0))]


@pytest.mark.parametrize(
    ("score", "name", "expected"),
    [
        (SCALE, "pitch-class entropy", 2.75),  # C twice: -(1/4) log2(1/4) - 6 (1/8) log2(1/8)
        (SCALE, "pitch range", 12),
        (SCALE, "scale consistency", 1),
        (SCALE, "polyphony", 1),
        (SCALE, "note density", 1),
        (SCALE, "mean duration", 1),
        (SCALE, "mean inter-onset interval", 1),
        (SCALE, "groove consistency", 1),
        (SCALE, "empty bars", 0),
        (SCALE, "repetition", 0),
        (CHROMATIC, "pitch-class entropy", math.log2(12)),
        (CHROMATIC, "scale consistency", 7 / 12),
        (CHORD, "polyphony", (3 * 4 + 4) / 8),
        (CHORD, "note density", 4 / 8),
        (CHORD, "mean duration", 4),
        (CHORD, "mean inter-onset interval", 4),
        (piece([(0, 4, 60)], [(0, 4, 60)]), "polyphony", 1),  # two instruments on one pitch
        (piece([(0, 4, 60)], [(2, 4, 62)]), "polyphony", 8 / 6),
        (piece([(0, 0.5, 60), (0.5, 1.5, 60)]), "mean duration", 1),
        # places 0, 12, 24, 36 and then 0, 24 of 48: two differ
        (piece(crotchets(60, 60, 60, 60, 60, None, 60)), "groove consistency", 1 - 2 / 48),
        (piece(crotchets(60, 62, 64, 65, 60, 62, 64, 65)), "repetition", 1 / 2),
        (piece(crotchets(*[60, 62, 64, 65] * 4)), "repetition", 3 / 4),
        (
            piece(crotchets(60, 62, 64, 65), [(4.0 + b, 0.5, p) for b, p in enumerate((60, 62, 64, 65))]),
            "repetition",
            0.5,
        ),
        (piece(crotchets(60, *[None] * 11, 62)), "empty bars", 2 / 4),
        (piece([(0, 12, 60)]), "empty bars", 0),
        (piece([(0, 4, 60), (4, 4, 62), (12, 1, 60)]), "empty bars", 1 / 4),
        (piece(WALTZ, metre=(3, 4)), "groove consistency", 1),
        (piece(WALTZ, metre=(3, 4)), "repetition", 3 / 4),
    ],
)
def test_figures_worked_out_by_hand(score: Score, name: str, expected: float) -> None:
    assert features(score)[name] == pytest.approx(expected, abs=1e-12)


def test_bars_are_those_of_the_metre() -> None:
    assert features(piece(WALTZ, metre=(4, 4)))["groove consistency"] < 1
    changing = piece(WALTZ)
    changing.time_signatures.append(TimeSignature(4 * 480, 3, 4))
    assert bar_edges(changing).tolist() == [0, 1920, 3360, 4800, 6240]


def test_neighbours_of_other_length_are_not_compared() -> None:
    one_of_each = piece(crotchets(60, 60, 60, 60, 60))
    one_of_each.time_signatures.append(TimeSignature(4 * 480, 3, 4))
    assert math.isnan(features(one_of_each)["groove consistency"])


def test_what_does_not_exist_is_not_a_number() -> None:
    assert all(math.isnan(figure) for figure in features(Score(480)).values())
    one = features(piece([(0, 1, 60)]))
    assert math.isnan(one["mean inter-onset interval"])
    assert math.isnan(one["groove consistency"])
    assert one["pitch range"] == 0


def test_drums_have_rhythm_and_no_pitch() -> None:
    found = features(piece(crotchets(36, 38, 36, 38, 36, 38, 36, 38), drums=True))
    assert {name for name, figure in found.items() if math.isnan(figure)} == {
        *("pitch-class entropy", "pitch range", "scale consistency", "polyphony", "mean duration"),
    }
    assert (found["groove consistency"], found["repetition"], found["note density"]) == (1, 0.5, 1)


def test_a_bar_line_forgives_a_player_who_is_early() -> None:
    early = [(max(4.0 * bar - 0.02, 0.0), 1.0, 60) for bar in range(4)]
    assert features(piece(early))["groove consistency"] == 1
    assert features(piece(early))["repetition"] == 3 / 4


@given(scores())
def test_every_score_has_figures_within_their_bounds(score: Score) -> None:
    found = features(score)
    assert list(found) == [feature.name for feature in FEATURES]
    most = {"pitch-class entropy": math.log2(12) + 1e-9, "pitch range": 127}
    for name, figure in found.items():
        share = next(f.unit for f in FEATURES if f.name == name) == ""
        assert math.isnan(figure) or 0 <= figure <= most.get(name, 1 if share else math.inf)
    if score.note_num():
        assert not math.isnan(found["empty bars"])
        assert found["empty bars"] < 1
        assert not math.isnan(found["repetition"])
    if not math.isnan(found["scale consistency"]):
        assert found["scale consistency"] >= 7 / 12 - 1e-9
        assert math.isnan(found["polyphony"]) or found["polyphony"] >= 1 - 1e-9


@given(st.integers(0, 1000), st.integers(-11, 11), st.sampled_from((24, 96, 960)))
def test_key_and_resolution_change_nothing(seed: int, semitones: int, ticks: int) -> None:
    score = tune(seed, bars=6)
    expected = features(score)
    assert features(transpose(score, semitones)) == pytest.approx(expected)
    assert features(score.resample(ticks)) == pytest.approx(expected)


@given(scores())
def test_the_order_of_tracks_changes_nothing(score: Score) -> None:
    turned = score.copy()
    turned.tracks = type(score.tracks)(list(reversed(list(score.tracks))))
    assert features(turned) == pytest.approx(features(score), nan_ok=True)


def test_a_set_is_measured_piece_by_piece() -> None:
    table = measured([SCALE, Score(480), CHROMATIC])
    assert np.array_equal(np.isnan(table["pitch range"]), [False, True, False])
    assert table["pitch-class entropy"][2] == pytest.approx(math.log2(12))
    assert GRID % 3 == GRID % 4 == 0
