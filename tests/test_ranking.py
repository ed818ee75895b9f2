"""Ranking: the ordinary first, what is further out later, and what it goes by in words."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from partimento.evaluation.features import FEATURES
from partimento.evaluation.ranking import place

PEOPLE = {feature.name: np.arange(1.0, 40.0) for feature in FEATURES}
MIDDLE = dict.fromkeys(PEOPLE, 20.0)


def test_the_middle_of_everything_comes_first_and_has_nothing_unusual() -> None:
    found = place(MIDDLE, PEOPLE)
    assert found.score == 0.0
    assert found.unusual == found.says == ()
    assert found.usual == found.features == len(FEATURES)


@given(st.floats(-100, 140), st.floats(-100, 140))
def test_further_out_is_never_better(one: float, other: float) -> None:
    near, far = sorted((one, other), key=lambda value: abs(value - 20))
    scores = [place({**MIDDLE, "polyphony": value}, PEOPLE).score for value in (near, far)]
    assert scores[1] <= scores[0] or math.isclose(scores[0], scores[1], abs_tol=1 / len(FEATURES) / 10)


def test_beyond_the_edge_the_distance_counts() -> None:
    scores = [place({**MIDDLE, "polyphony": value}, PEOPLE).score for value in (39, 45, 60, 200)]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 4


def test_what_is_unusual_is_named_with_its_direction() -> None:
    found = place({**MIDDLE, "pitch range": 90.0, "polyphony": -60.0, "note density": math.nan}, PEOPLE)
    assert set(found.unusual) == {"pitch range", "polyphony", "note density"}
    assert found.unusual[0] == "polyphony"
    assert "a wider range (90 semitones; people's median 20)" in found.says
    assert "fewer notes at once (-60 pitches; people's median 20)" in found.says
    assert "no note density" in found.says
    assert found.usual == found.features - 3


def test_features_that_nobody_has_do_not_count() -> None:
    found = place(MIDDLE, {"polyphony": [1.0, math.nan, 2.0], "repetition": [math.nan]})
    assert found.features == 1
    assert math.isnan(place(MIDDLE, {}).score)
