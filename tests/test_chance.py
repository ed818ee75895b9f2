"""Chance: sets of people's pieces are inside human variation as often as is said, and what differs is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from partimento.evaluation import chance
from partimento.evaluation.chance import FEWEST, LEVEL, beside, human_sets
from partimento.evaluation.distances import CELLS, differences
from partimento.evaluation.features import FEATURES, HISTOGRAMS, Survey, survey
from partimento.evaluation.yardsticks import noise

from music import tune


@pytest.fixture(scope="module")
def people() -> Survey:
    return survey([tune(seed, bars=10) for seed in range(60)])


def test_human_sets_are_inside_as_often_as_is_said() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(100):
        like, others = rng.normal(size=50), rng.normal(size=20)
        drawn = human_sets(like, len(others), 0.05, rng, draws=100)
        assert drawn is not None
        inside += differences(others, like, 0.05)[2] <= np.quantile(drawn.divergence, LEVEL)
    assert 0.88 <= inside / 100 <= 1  # 95 of 100, and three standard deviations of that


def test_many_values_are_drawn_from_a_grid_to_the_same_end() -> None:
    values = np.random.default_rng(0).normal(size=3000)
    rounded = np.round(values, 1)  # so few values that they need no grid
    rng = np.random.default_rng(1)
    many, few = (human_sets(sample, 30, 0.05, rng, draws=400) for sample in (values, rounded))
    assert many is not None
    assert few is not None
    assert len(np.unique(rounded)) < CELLS < len(np.unique(values))
    for name in ("distance", "overlap", "divergence"):
        one, other = getattr(many, name), getattr(few, name)
        assert one.mean() == pytest.approx(other.mean(), rel=0.1)


def test_people_are_inside_and_noise_is_not(people: Survey) -> None:
    half = np.arange(60) < 30
    like, others = people.of(np.flatnonzero(half)), people.of(np.flatnonzero(~half))
    found = beside(others, like, np.random.default_rng(1))
    assert list(found) == [feature.name for feature in FEATURES] + [histogram.name for histogram in HISTOGRAMS]
    assert sum(bool(standing.inside) for standing in found.values()) >= len(found) - 3
    loud = survey(noise([tune(seed, bars=10) for seed in range(30)], np.random.default_rng(2)))
    made = beside(loud, like, np.random.default_rng(1))
    outside = {name for name, standing in made.items() if standing.inside is False}
    assert {"scale consistency", "key clarity", "durations", "melodic intervals", "groove consistency"} <= outside
    for name in outside:
        assert made[name].divergence > made[name].human_divergence
        assert made[name].divergence > found[name].divergence


def test_a_set_is_beside_itself_and_at_one(people: Survey) -> None:
    for standing in beside(people, people, np.random.default_rng(0), draws=50).values():
        assert standing.made == standing.like
        assert standing.overlap == pytest.approx(1)
        assert standing.divergence == pytest.approx(0, abs=1e-9)
        assert standing.inside
        assert standing.human_overlap <= 1


def test_one_piece_over_and_over_is_outside(people: Survey) -> None:
    found = beside(people.of(np.zeros(30, dtype=np.int64)), people, np.random.default_rng(0))
    outside = {name for name, standing in found.items() if standing.inside is False}
    assert {"melodic intervals", "durations", "pitch-class entropy", "note density"} <= outside


def test_larger_sets_have_to_be_nearer(people: Survey) -> None:
    rng = np.random.default_rng(0)
    limits = [
        beside(people.of(np.arange(size)), people, rng, draws=100)["note density"].human_divergence
        for size in (1, 5, 50)
    ]
    assert limits == sorted(limits, reverse=True)


def test_pieces_that_are_all_alike_leave_no_room(people: Survey) -> None:
    assert (people.figures["tempo spread"] == 0).all()
    same = beside(people, people, np.random.default_rng(0), draws=20)["tempo spread"]
    assert same.inside
    assert same.human_divergence == 0
    rubato = Survey({**people.figures, "tempo spread": np.full(60, 5.0)}, people.histograms)
    assert beside(rubato, people, np.random.default_rng(0), draws=20)["tempo spread"].inside is False
    nearly = Survey({**people.figures, "tempo spread": np.full(60, 0.05)}, people.histograms)  # nobody would hear it
    assert beside(nearly, people, np.random.default_rng(0), draws=20)["tempo spread"].inside is True


def test_what_cannot_be_said_is_not_said(people: Survey) -> None:
    few = beside(people, people.of(np.arange(FEWEST - 1)), np.random.default_rng(0), draws=20)
    assert {standing.inside for standing in few.values()} == {None}
    assert all(math.isnan(standing.human_overlap) for standing in few.values())
    assert not math.isnan(few["note density"].divergence)
    drums = survey([tune(1, bars=2)])
    silent = Survey(
        {name: np.full(3, np.nan) for name in drums.figures},
        {name: np.full((3, shares.shape[1]), np.nan) for name, shares in drums.histograms.items()},
    )
    for standing in beside(silent, people, np.random.default_rng(0), draws=20).values():
        assert standing.inside is None
        assert standing.without == 3
        assert math.isnan(standing.divergence)
    assert beside(people, silent, np.random.default_rng(0), draws=20) == {}


def test_the_same_generator_draws_the_same(people: Survey) -> None:
    made = people.of(np.arange(10))
    one, other = (beside(made, people, np.random.default_rng(3), draws=30) for _ in range(2))
    assert one == other or any(math.isnan(s.distance) for s in one.values())
    assert [s.human_divergence for s in one.values()] == [s.human_divergence for s in other.values()]
    assert chance.DRAWS >= 200  # enough for a quantile of 95 %
