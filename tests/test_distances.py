"""Distances, yardsticks and losses: figures worked out by hand, and what must hold of any pieces."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento.codec import codec_named
from partimento.corpus import inspect
from partimento.evaluation.distances import (
    common,
    densities,
    differences,
    jensen_shannon,
    nearness,
    wasserstein,
)
from partimento.evaluation.features import FEATURES, measured
from partimento.evaluation.losses import kept
from partimento.evaluation.variety import likeness
from partimento.evaluation.yardsticks import excerpts, noise, shuffled_bars
from partimento.score import Score, TimeSignature, bar_edges, note_array, transpose

from music import scores, tune

figures = st.lists(st.floats(-100, 100), min_size=1, max_size=20).map(np.array)


def test_distances_worked_out_by_hand() -> None:
    zero_one = np.array([0.0, 1.0])
    assert wasserstein(zero_one, zero_one + 3) == pytest.approx(3)
    assert wasserstein(np.array([0.0]), np.array([1.0, 2.0, 6.0])) == pytest.approx(3)
    assert wasserstein(np.array([0.0, np.nan]), np.array([2.0])) == 2
    assert differences(zero_one + 3, zero_one, 0.1).distance == pytest.approx(3 / 0.5)
    assert differences(zero_one + 3, np.zeros(4), 0.1).distance == pytest.approx(
        3.5 / 0.1
    )  # all alike: the least difference counts
    assert math.isnan(wasserstein(np.array([np.nan]), zero_one))


def test_the_overlap_of_two_normal_densities() -> None:
    # with s a set's spread: two normal distributions two spreads apart share 2 Φ(-1) = 0.3173 of their area
    normal = np.random.default_rng(1).normal(size=20_000)
    assert differences(normal, normal + 2, 0.01).overlap == pytest.approx(0.3173, abs=0.02)  # the kernels blur a little
    assert differences(normal, normal, 0.01).overlap == pytest.approx(1)
    assert differences(np.zeros(5), np.ones(5), 0.01).overlap == pytest.approx(0, abs=1e-6)


def test_the_divergence_of_two_normal_densities() -> None:
    # by numerical integration of -Σ m log2 m + ½ Σ p log2 p + ½ Σ q log2 q for N(0, 1) and N(2, 1)
    at = np.linspace(-9, 11, 20_001)
    p, q = (np.exp(-((at - mean) ** 2) / 2) / math.sqrt(2 * math.pi) for mean in (0, 2))
    m = (p + q) / 2
    expected = float((p * np.log2(p / m) / 2 + q * np.log2(q / m) / 2).sum() * (at[1] - at[0]))
    normal = np.random.default_rng(1).normal(size=20_000)
    assert differences(normal, normal + 2, 0.01).divergence == pytest.approx(expected, abs=0.03)
    assert differences(np.zeros(5), np.ones(5), 0.01).divergence == pytest.approx(1)
    assert math.isnan(differences(np.array([np.nan]), normal, 0.1).divergence)
    grid, one, other = densities(normal, np.append(normal + 2, np.nan), 0.01)
    assert one.sum() == pytest.approx(1)
    assert (grid * one).sum() == pytest.approx(0, abs=0.05)
    assert (grid * other).sum() == pytest.approx(2, abs=0.05)
    assert np.minimum(one, other).sum() == pytest.approx(differences(normal, normal + 2, 0.01).overlap)


def test_histograms_have_areas_in_common_and_diverge() -> None:
    one, other = np.array([1.0, 0.0]), np.array([0.5, 0.5])
    # Lin 1991: H(3/4, 1/4) - (H(1, 0) + H(1/2, 1/2)) / 2 = 0.811278 - 1/2
    assert jensen_shannon(one, other) == pytest.approx(0.311278, abs=1e-6)
    assert jensen_shannon(one, one[::-1]) == 1
    assert common(one, other) == 0.5
    assert common(np.stack([one, other]), other).tolist() == [0.5, 1]


samples = st.lists(st.integers(-100, 100), min_size=1, max_size=20).map(lambda x: np.array(x, dtype=np.float64))


@settings(max_examples=50)
@given(samples, samples, st.sampled_from((0.125, 0.5, 4.0, 64.0)), st.integers(-50, 50))
def test_densities_are_compared_alike_in_any_unit(one: np.ndarray, other: np.ndarray, unit: float, zero: int) -> None:
    for figure, same in (("overlap", 1), ("divergence", 0)):
        found = getattr(differences(one, other, 0.5), figure)
        assert 0 <= found <= 1 + 1e-9
        assert found == pytest.approx(getattr(differences(other, one, 0.5), figure), abs=1e-9)
        assert found == pytest.approx(
            getattr(differences(one * unit + zero, other * unit + zero, 0.5 * unit), figure), abs=1e-6
        )
        assert getattr(differences(one, one, 0.5), figure) == pytest.approx(same, abs=1e-9)
    # Lin 1991, theorem 3: the divergence is at most half of what the densities do not share, twice counted
    assert differences(one, other, 0.5).divergence <= 1 - differences(one, other, 0.5).overlap + 1e-9


def test_a_figure_far_off_breaks_no_density() -> None:
    people = np.append(np.zeros(9), 1e6)  # the kernel is far narrower than a cell of the grid
    assert differences(np.zeros(5), people, 0.01).overlap > 0.8
    assert 0 < differences(np.zeros(5), people, 0.01).divergence < 0.2


@given(figures, figures, st.floats(-50, 50))
def test_a_distance_is_one(one: np.ndarray, other: np.ndarray, shift: float) -> None:
    assert wasserstein(one, other) == pytest.approx(wasserstein(other, one))
    assert wasserstein(one, one) == 0
    assert wasserstein(one, one + shift) == pytest.approx(abs(shift), abs=1e-9)
    assert abs(one.mean() - other.mean()) <= wasserstein(one, other) + 1e-9
    assert 0 <= differences(one, other, 0.1).overlap <= 1 + 1e-9
    assert differences(one, other, 0.1).overlap == pytest.approx(differences(other, one, 0.1).overlap)


def test_people_are_nearer_to_people_than_any_yardstick_is() -> None:
    rng = np.random.default_rng(0)
    people, others = [tune(seed, bars=8) for seed in range(40)], [tune(seed, bars=8) for seed in range(40, 80)]
    like = measured(people)
    near = {
        name: nearness(measured(pieces), like)
        for name, pieces in (("people", others), ("noise", noise(people, rng)), ("bars", shuffled_bars(people, rng)))
    }
    told = {"pitch-class entropy", "scale consistency", "mean duration", "groove consistency"}
    for feature in told:
        assert near["people"][feature].distance < near["noise"][feature].distance
        assert near["people"][feature].overlap > near["noise"][feature].overlap
    assert near["noise"]["note density"].distance < 0.5  # as many notes in the same time, by its making
    assert near["bars"]["mean duration"].distance < near["noise"]["mean duration"].distance
    # eight bars have none that lies eight bars back
    assert list(near["people"]) == [feature.name for feature in FEATURES if feature.name != "long self-similarity"]


def test_what_was_measured_of_one_set_alone_is_not_compared() -> None:
    like = measured([tune(seed, bars=4) for seed in range(4)])
    made = {name: column for name, column in like.items() if name != "key clarity"}
    near, back = nearness(made, like), nearness(like, made)
    assert list(near) == list(back) == [name for name in nearness(like, like) if name != "key clarity"]


@settings(max_examples=50)
@given(st.lists(scores(), max_size=4), st.integers(0, 10))
def test_yardsticks_are_made_of_any_pieces(pieces: list[Score], seed: int) -> None:
    for made in (noise(pieces, np.random.default_rng(seed)), shuffled_bars(pieces, np.random.default_rng(seed))):
        assert sum(len(note_array(score)) for score in made) == sum(len(note_array(score)) for score in pieces)
        assert len(made) == len(pieces)
    again = noise(pieces, np.random.default_rng(seed))
    for one, other in zip(noise(pieces, np.random.default_rng(seed)), again, strict=True):
        assert np.array_equal(note_array(one), note_array(other))


def test_shuffled_bars_are_whole_and_keep_their_metre() -> None:
    pieces = [tune(seed, bars=4) for seed in range(3)]
    waltz = tune(7, bars=3)
    waltz.time_signatures.clear()
    waltz.time_signatures.append(TimeSignature(0, 3, 4))
    made = shuffled_bars([*pieces, waltz], np.random.default_rng(2))
    assert bar_edges(made[-1])[1] == bar_edges(waltz)[1]

    def contents(score: Score) -> list[tuple[tuple[int, int], ...]]:
        notes, edges = note_array(score), bar_edges(score)
        bars = np.searchsorted(edges, notes["onset"], side="right") - 1
        moved = list(zip(bars, notes["onset"] - edges[bars], notes["pitch"], strict=True))
        return [tuple(sorted((int(o), int(p)) for b, o, p in moved if b == bar)) for bar in range(len(edges) - 1)]

    before = sorted(bar for score in pieces for bar in contents(score))
    assert sorted(bar for score in made[:3] for bar in contents(score)) == before
    assert [bar for score in made[:3] for bar in contents(score)] != [b for score in pieces for b in contents(score)]


def test_excerpts_lie_end_to_end() -> None:
    score = tune(1, bars=10)
    cut = excerpts(score, 4, 10, np.random.default_rng(0))
    assert [len(bar_edges(piece)) - 1 for piece in cut] == [4, 4]
    whole = note_array(score)
    assert sum(piece.note_num() for piece in cut) == int((whole["onset"] < 8 * 4 * 480).sum())
    assert len(excerpts(score, 4, 1, np.random.default_rng(0))) == 1
    assert len(excerpts(score, 40, 10, np.random.default_rng(0))) == 1
    assert excerpts(Score(480), 4, 10, np.random.default_rng(0)) == []


def test_one_piece_over_and_over_is_told() -> None:
    pieces = [tune(seed, bars=16) for seed in range(6)]
    assert likeness([tune(1, bars=16)] * 5) == likeness([tune(1, bars=16), transpose(tune(1, bars=16), 3)]) == 1
    assert likeness(pieces) < 0.3
    assert likeness(pieces) < likeness([*pieces, *pieces[:2]]) < 1
    assert math.isnan(likeness([tune(1), Score(480)]))


def test_what_is_kept_is_counted() -> None:
    score = tune(3, bars=8)
    drums = int((note_array(score)["program"] < 0).sum())
    notes = score.note_num()
    assert kept([(score, score)]).notes == kept([(score, score)]).in_place == 1
    assert kept([(score, score)]).lost == ()
    higher = kept([(score, transpose(score, 12))])
    assert higher.in_place < 0.5
    later = kept([(score, score.shift_time(480))])
    assert (later.notes, later.in_place) == (1, 1)  # only the silence before it has changed
    kind = codec_named("roll")
    roll = kind(kind.Settings())
    through = kept([(score, roll.decode(roll.encode(score)))])
    assert through.notes == through.in_place == pytest.approx((notes - drums) / notes)
    assert set(through.lost) == {"instruments", "loudness", "tempo"}


def test_a_codec_without_rhythm_keeps_pitches_and_no_place() -> None:
    score = tune(3, bars=8, drums=False)
    slow = score.copy()
    for track in slow.tracks:
        for index, note in enumerate(sorted(track.notes, key=lambda n: n.time)):
            note.time, note.duration = index * 1000, 1000
    found = kept([(score, slow)])
    assert found.notes == 1
    assert found.in_place < 0.3
    assert "lengths" in found.lost


@pytest.mark.long
@pytest.mark.skipif("PARTIMENTO_DATA" not in os.environ, reason="PARTIMENTO_DATA names no folder of data sets")
def test_real_pieces_are_nearer_to_real_pieces_than_the_yardsticks(tmp_path: Path) -> None:
    from partimento.comparing.people import NOISE, OTHERS, SHUFFLED, gather

    corpus = inspect(Path(os.environ["PARTIMENTO_DATA"]) / "nottingham", sample=200)
    found = gather(corpus, tmp_path, bars=16, size=16, seed=0, sound="none").yardsticks
    nearer = [
        feature
        for feature, near in found[OTHERS].items()
        if near.distance < min(found[NOISE][feature].distance, found[SHUFFLED][feature].distance)
    ]
    assert len(nearer) >= 8
    assert all(near.distance < 1 for near in found[OTHERS].values())
