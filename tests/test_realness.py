"""Realness: what cannot be told is not, what can is, by its name, and no piece is judged by one that has learnt it."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento.evaluation.features import FEATURES, HISTOGRAMS, Survey, survey
from partimento.evaluation.realness import FEWEST, Z, auc, interval, realness
from partimento.evaluation.yardsticks import excerpts, noise, shuffled_bars
from partimento.files import read

from music import tune

figures = st.lists(st.one_of(st.integers(-3, 3).map(float), st.just(math.nan)), min_size=1, max_size=12).map(np.array)


def drawn(rng: np.random.Generator, pieces: int, **shift: float) -> Survey:
    """Figures by chance, some moved by so many spreads."""
    moved = {name.replace("_", " "): by for name, by in shift.items()}
    return Survey(
        {f.name: rng.normal(size=pieces) + moved.get(f.name, 0.0) for f in FEATURES},
        {h.name: rng.dirichlet(np.ones(len(h.bins)), size=pieces) for h in HISTOGRAMS},
    )


@given(figures, figures)
def test_the_area_is_the_share_of_pairs(made: np.ndarray, people: np.ndarray) -> None:
    pairs = [(m > p) + (m == p) / 2 for m in made for p in people if not math.isnan(m) and not math.isnan(p)]
    if not pairs:
        assert math.isnan(auc(made, people))
        return
    assert auc(made, people) == pytest.approx(float(np.mean(pairs)))
    assert auc(people, made) == pytest.approx(1 - auc(made, people))


@given(st.floats(0, 1), st.integers(2, 400), st.integers(2, 400))
def test_the_interval_is_where_the_true_area_may_be(found: float, made: int, people: int) -> None:
    low, high = interval(found, made, people)
    assert 0 <= low <= found + 1e-9
    assert found - 1e-9 <= high <= 1
    other = interval(1 - found, people, made)
    assert other == pytest.approx((1 - high, 1 - low), abs=1e-9)
    wider = interval(found, max(made // 2, 1), max(people // 2, 1))
    assert wider[1] - wider[0] >= high - low - 1e-9
    for edge in (low, high):  # there the difference is Z standard errors (Hanley and McNeil 1982, as many of either)
        half = (made + people) / 2
        q1, q2 = edge / (2 - edge), 2 * edge**2 / (1 + edge)
        variance = edge * (1 - edge) + (half - 1) * (q1 - edge**2) + (half - 1) * (q2 - edge**2)
        assert (found - edge) ** 2 == pytest.approx(Z**2 * variance / (made * people), abs=1e-6)


def test_perfect_judgement_of_few_pieces_is_not_certain() -> None:
    low, high = interval(1.0, 10, 10)
    assert high == 1
    assert 0.7 < low < 0.9


def test_people_cannot_be_told_from_people() -> None:
    rng = np.random.default_rng(0)
    found = [realness(drawn(rng, 15), drawn(rng, 25), rng) for _ in range(16)]
    assert np.mean([one.auc for one in found]) == pytest.approx(0.5, abs=0.08)  # some three standard errors
    assert sum(one.low > 0.5 for one in found) <= 2
    assert all(not one.tells for one in found if one.low <= 0.5)


def test_what_tells_is_named_with_its_direction() -> None:
    rng = np.random.default_rng(1)
    for shift, says in ((4.0, "more notes a beat than people's"), (-4.0, "fewer notes a beat than people's")):
        found = realness(drawn(rng, 30, note_density=shift), drawn(rng, 60), rng)
        assert found.auc > 0.95
        assert found.tells[0].name == "note density"
        assert found.tells[0].says == says
        assert found.tells[0].share > 0.5
        assert (found.tells[0].alone > 0.9) == (shift > 0)
        assert says in found.sentence
        assert (found.made, found.people) == (30, 60)


def test_noise_is_told_from_music_and_shuffled_bars_are_too() -> None:
    pieces = [tune(seed, bars=8) for seed in range(40)]
    people = survey(pieces[:20])
    loud = realness(survey(noise(pieces[20:], np.random.default_rng(0))), people, np.random.default_rng(1))
    assert loud.auc > 0.98
    assert loud.low > 0.8
    others = realness(survey(pieces[20:]), people, np.random.default_rng(1))
    assert others.low < 0.5 < others.high
    shuffled = survey(shuffled_bars(pieces[20:], np.random.default_rng(0)))
    assert realness(shuffled, people, np.random.default_rng(1)).low > 0.5


def test_excerpts_of_one_piece_are_never_on_both_sides() -> None:
    rng = np.random.default_rng(2)
    of = np.repeat(np.arange(24), 4)
    made, people = (drawn(rng, 24).of(of) for _ in range(2))  # four times the same: easy to know again
    apart = realness(made, people, np.random.default_rng(0), made_of=of, people_of=of + 7)
    mixed = realness(made, people, np.random.default_rng(0))
    assert mixed.auc > 0.9  # as if each was a piece of its own: the judge has learnt what it is asked
    assert 0.2 < apart.auc < 0.8
    assert (apart.made, apart.people) == (24, 24)


def test_what_is_missing_is_a_figure_of_its_own() -> None:
    rng = np.random.default_rng(3)
    made, people = drawn(rng, 20), drawn(rng, 20)
    made.figures["polyphony"][:18] = np.nan
    made.histograms["durations"][:2] = np.nan
    found = realness(made, people, rng)
    assert found.auc > 0.85
    assert found.tells[0].says == "more pieces without polyphony than people's"
    for survey_of in (made, people):
        survey_of.figures["polyphony"][:] = np.nan
    assert 0.2 < realness(made, people, rng).auc < 0.8  # what none of them has tells nothing


def test_units_do_not_matter_and_the_same_generator_judges_the_same() -> None:
    made, people = drawn(np.random.default_rng(4), 20, note_density=1.0), drawn(np.random.default_rng(5), 20)
    first = realness(made, people, np.random.default_rng(0))
    assert realness(made, people, np.random.default_rng(0)) == first
    inches = [Survey({n: 1000 * c + 7 for n, c in s.figures.items()}, s.histograms) for s in (made, people)]
    assert realness(*inches, np.random.default_rng(0)).auc == pytest.approx(first.auc)


def test_the_same_pieces_twice_are_even() -> None:
    pieces = drawn(np.random.default_rng(6), 30).of(np.zeros(30, dtype=np.int64))
    found = realness(pieces, pieces, np.random.default_rng(0))
    assert found.auc == pytest.approx(0.5)  # all ties
    assert found.tells == ()


def test_few_pieces_say_that_they_are_few() -> None:
    rng = np.random.default_rng(7)
    few = realness(drawn(rng, FEWEST - 1), drawn(rng, 50), rng)
    assert math.isnan(few.auc)
    assert few.sentence.startswith("Not enough pieces: 9 made and 50 human ones")
    of = np.arange(40) // 10  # forty excerpts of four pieces
    assert math.isnan(realness(drawn(rng, 40), drawn(rng, 40), rng, made_of=of).auc)
    unclear = realness(drawn(rng, FEWEST), drawn(rng, FEWEST), rng)
    assert unclear.high - unclear.low > 0.3
    assert ("Not enough pieces" in unclear.sentence) == (unclear.low <= 0.5 and unclear.high >= 0.65)


@pytest.mark.long
@pytest.mark.skipif("PARTIMENTO_DATA" not in os.environ, reason="PARTIMENTO_DATA names no folder of data sets")
def test_real_pieces_are_told_from_yardsticks_and_not_from_one_another() -> None:
    files = sorted((Path(os.environ["PARTIMENTO_DATA"]) / "classical-piano-composer").rglob("*.mid"))
    rng = np.random.default_rng(0)
    scores = [part for file in files for part in excerpts(read(file).score, 16, 1, rng)]
    order = rng.permutation(len(scores))
    ours, theirs = ([scores[n] for n in half] for half in np.array_split(order, 2))
    people = survey(theirs)
    others = realness(survey(ours), people, np.random.default_rng(1))
    assert others.low < 0.5 < others.high
    assert realness(survey(noise(ours, rng)), people, np.random.default_rng(1)).low > 0.9
    assert realness(survey(shuffled_bars(ours, rng)), people, np.random.default_rng(1)).low > 0.6
