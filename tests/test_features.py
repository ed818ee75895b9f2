"""Features: figures worked out by hand from the sources' formulas, and laws over any score."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento.evaluation.features import FEATURES, GRID, HISTOGRAMS, features, measured, survey
from partimento.evaluation.features.form import LONG, SHORT
from partimento.evaluation.features.rhythm import VALUES
from partimento.keys import _KEYS
from partimento.score import Note, Score, Tempo, TimeSignature, Track, bar_edges, transpose

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
EIGHT = [(40 + 4 * bar, 41 + 4 * bar, 42 + 4 * bar, 43 + 4 * bar) for bar in range(8)]  # no two have a note in common
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
        (piece([(0, 1, pitch) for pitch in range(60, 72)]), "key clarity", 0),  # all classes alike: no key
        (piece(crotchets(60)), "key clarity", 2.8675 / (4.375639953195418 * math.sqrt(11 / 12))),  # of major
        (piece(crotchets(60, 62, 64, 65, 60, 62, 64, 65)), "short self-similarity", 1),
        # three of four notes the same: 3 in common, 5 in all
        (piece(crotchets(60, 62, 64, 65, 60, 62, 64, 67)), "short self-similarity", 3 / 5),
        # bars 2 to 5 have their like three bars back or sooner, or share nothing: 1/3 of two bars, none, all
        (
            piece(crotchets(60, 62, None, None, 60, 64, None, None, 71, 71, 71, 71, 60, 64)),
            "short self-similarity",
            4 / 9,
        ),
        (piece(crotchets(*sum(EIGHT + EIGHT, ()))), "long self-similarity", 1),
        (piece(crotchets(*sum(EIGHT + EIGHT[::-1], ()))), "long self-similarity", 4 / 8),  # only four lie eight back
        (piece(crotchets(*sum(EIGHT, ()), *[None] * 4 * 56, 40)), "long self-similarity", 1 / 4),
        (piece(crotchets(*sum(EIGHT, ()), *[None] * 4 * 57, 40)), "long self-similarity", 0),  # 65 bars are too far
        (piece(crotchets(60, 62), drums=True), "dynamics spread", 0),
        (SCALE, "tempo spread", 0),
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
        *("pitch-class entropy", "pitch range", "scale consistency", "key clarity", "polyphony", "mean duration"),
        "long self-similarity",  # of two bars
    }
    assert (found["groove consistency"], found["repetition"], found["note density"]) == (1, 0.5, 1)


def test_a_bar_line_forgives_a_player_who_is_early() -> None:
    early = [(max(4.0 * bar - 0.02, 0.0), 1.0, 60) for bar in range(4)]
    assert features(piece(early))["groove consistency"] == 1
    assert features(piece(early))["repetition"] == 3 / 4


@given(scores())
def test_every_score_has_figures_within_their_bounds(score: Score) -> None:
    measured_of = survey([score])
    found = {name: float(figure[0]) for name, figure in measured_of.figures.items()}
    assert found == pytest.approx(features(score), nan_ok=True)
    assert list(found) == [feature.name for feature in FEATURES]
    for rows in measured_of.histograms.values():
        assert np.isnan(rows).all() or ((rows >= 0).all() and rows.sum() == pytest.approx(1))
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


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(-11, 11), st.sampled_from((24, 96, 960)))
def test_key_and_resolution_change_nothing(seed: int, semitones: int, ticks: int) -> None:
    score = tune(seed, bars=10)
    expected = survey([score])
    for other in (transpose(score, semitones), score.resample(ticks)):
        found = survey([other])
        for name, figure in expected.figures.items():
            assert found.figures[name] == pytest.approx(figure)
        for name, shares in expected.histograms.items():
            assert found.histograms[name] == pytest.approx(shares)


@settings(max_examples=30)
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


def test_profiles_of_keys_are_as_alike_as_listeners_find_them() -> None:
    # Krumhansl and Kessler 1982, table 3: the profile of C major with those of other keys
    major, minor = _KEYS[:12], _KEYS[12:]
    published = {(0, "F"): 0.591, (0, "G"): 0.591, (0, "D"): 0.040, (0, "E"): -0.185, (0, "F#"): -0.683}
    for (_, key), expected in published.items():
        tonic = ["C", "C#", "D", "D#", "E", "F", "F#", "G"].index(key)
        assert major[0] @ major[tonic] == pytest.approx(expected, abs=0.005)
    assert major[0] @ minor[9] == pytest.approx(0.651, abs=0.005)  # the relative minor
    assert major[0] @ minor[0] == pytest.approx(0.511, abs=0.005)  # and the parallel one


def test_a_piece_that_keeps_to_a_profile_has_the_clearest_key() -> None:
    # the worked example of rnhart.net/articles/key-finding: steps that each pitch class sounds in "Toroko's Theme"
    sounding = (432, 231, 0, 405, 12, 316, 4, 126, 612, 0, 191, 1)
    theme = piece([(0, steps, 60 + pitch_class) for pitch_class, steps in enumerate(sounding)])
    time = np.array(sounding, dtype=np.float64)
    assert np.corrcoef(time, _KEYS[0])[0, 1] == pytest.approx(-0.00009, abs=5e-6)  # C major, as they have it
    assert features(theme)["key clarity"] == pytest.approx(max(np.corrcoef(time, key)[0, 1] for key in _KEYS))
    profile = piece([(0, 10 * float(p), 60 + n) for n, p in enumerate(_KEYS[3] - _KEYS[3].min() + 0.1)], ticks=9600)
    assert features(profile)["key clarity"] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("qpm", [119.28, 69.3, 143.7])
def test_a_tempo_that_stays_has_no_spread_at_all(qpm: float) -> None:
    score = tune(0)
    for changes in (1, 3, 7):
        score.tempos = type(score.tempos)([Tempo(480 * at, qpm) for at in range(changes)])
        assert features(score)["tempo spread"] == 0


def test_tempo_and_loudness_spread_as_far_as_they_vary() -> None:
    score = piece([(0, 2, 60), (2, 2, 62), (6, 2, 64)])
    score.tempos.extend([Tempo(0, 60), Tempo(4 * 480, 120)])  # half of eight beats each
    for note, velocity in zip(score.tracks[0].notes, (50, 50, 80), strict=True):
        note.velocity = velocity
    assert features(score)["tempo spread"] == pytest.approx(30)
    assert features(score)["dynamics spread"] == pytest.approx(math.sqrt(200))
    score.tempos.append(Tempo(8 * 480, 300))  # after the last note
    assert features(score)["tempo spread"] == pytest.approx(30)
    score.tempos.append(Tempo(7 * 480, 60_000))  # as fast as a file can say counts as as fast as one can play
    assert features(score)["tempo spread"] < 350


def shares(score: Score, name: str) -> dict[str, float]:
    """The bins of a histogram that are not empty."""
    histogram = next(h for h in HISTOGRAMS if h.name == name)
    row = survey([score]).histograms[name][0]
    return {label: share for label, share in zip(histogram.bins, row.tolist(), strict=True) if share}


def test_histograms_count_what_is_there() -> None:
    values = [Fraction(1, 4), Fraction(1, 3), Fraction(3, 8), Fraction(1), Fraction(3, 2), Fraction(16)]
    played = piece([(20 * n, float(value) * 1.05, 60) for n, value in enumerate(values)], ticks=960)
    assert shares(played, "durations") == dict.fromkeys(map(str, values), 1 / 6)
    assert shares(played, "inter-onset intervals") == {"16": 1}  # what is longer counts as the longest
    assert shares(piece([(0, 1, 60), (0, 1, 64), (1, 1, 60), (1.5, 1, 60)]), "inter-onset intervals") == {
        "1": 0.5,
        "1/2": 0.5,
    }
    assert len(VALUES) == len(set(VALUES)) == 25
    assert sorted(VALUES) == list(VALUES)
    line = piece([(0, 1, 72), (1, 1, 74), (2, 1, 60), (3, 1, 90), (4, 1, 90)], [(0, 5, 48)])
    assert shares(line, "melodic intervals") == {"+2": 0.25, "-13 or more": 0.25, "+13 or more": 0.25, "0": 0.25}
    assert shares(line, "harmonic intervals") == {"octaves": 2 / 5, "major seconds": 1 / 5, "tritones": 2 / 5}
    held = piece([(0, 4, 72), (4, 1, 71)], [(1, 1, 60), (2, 1, 62), (3, 2, 64)])  # nothing above what is held
    assert shares(held, "melodic intervals") == {"-1": 1}
    drums = piece([(0, 1, 36), (1, 1, 38)], drums=True)
    assert np.isnan(survey([drums]).histograms["durations"]).all()
    assert shares(drums, "inter-onset intervals") == {"1": 1}


def test_a_note_long_after_costs_no_memory() -> None:
    late = features(piece([*crotchets(60, 62, 64, 65), (4_000_000.0, 1.0, 60)], ticks=24))
    assert math.isnan(late["long self-similarity"])
    assert late["repetition"] == 0


def test_short_and_long_lie_apart() -> None:
    assert SHORT[-1] < LONG[0]


def test_the_pages_have_every_feature_and_no_other() -> None:
    docs = Path(__file__).parent.parent / "docs"
    evaluation, compare = ((docs / f"{page}.md").read_text("utf-8") for page in ("evaluation", "compare"))

    def rows(text: str, head: str) -> list[str]:
        lines = text.split(head, 1)[1].splitlines()
        return [line.split("|")[1].strip() for line in itertools.takewhile(lambda x: x.startswith("|"), lines[2:])]

    names = [feature.name for feature in FEATURES]
    assert rows(evaluation, "| feature |") == names
    assert rows(evaluation, "| histogram |") == [histogram.name for histogram in HISTOGRAMS]
    assert rows(compare, "| feature |") == names
    assert rows(compare, "| distance | nottingham")[:-1] == names
