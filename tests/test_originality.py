"""Originality: copies are found whole in any disguise, with their source and place; new music is not called a copy."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from partimento.errors import InvalidSettings, PartimentoError
from partimento.evaluation.borrowing import FEWEST, People, traits
from partimento.evaluation.forgeries import FORGERIES, retimed, slowed, spliced, transposed
from partimento.evaluation.originality import IDIOM, Nearest, Originality, Passage, TrainingIndex
from partimento.passages.events import Events, edges_beyond, events
from partimento.passages.index import EVENTS, NOTES, REPEATS, PassageIndex
from partimento.score import Note, Score, Tempo, TimeSignature, Track, bar_lines, end_tick, excerpt, join, transpose

from music import scores, tune

TPQ = 480
TRAINING = [(f"tune {seed}", tune(seed, bars=12)) for seed in range(20)]
PEOPLE = [tune(seed, bars=12) for seed in range(100, 130)]
INDEX = TrainingIndex.of(TRAINING)


def line(pitches: Sequence[int], gap: int = TPQ // 2, program: int = 0, drums: bool = False) -> Score:
    """Notes one after another, in 4/4."""
    score = Score(TPQ)
    track = Track("", program, drums)
    for place, pitch in enumerate(pitches):
        track.notes.append(Note(place * gap, gap, pitch, 80))
    score.tracks.append(track)
    return score


def in_any_key(judged: Originality) -> Originality:
    """What is said without a word about keys."""
    common = {
        kind: dataclasses.replace(
            one, exact=None, longest=one.longest and dataclasses.replace(one.longest, semitones=0)
        )
        for kind, one in judged.common.items()
    }
    return dataclasses.replace(judged, common=common, shares_exact={})


@given(st.integers(0, 19))
@settings(deadline=None)
def test_a_copy_is_found_whole_by_name_and_place(number: int) -> None:
    name, score = TRAINING[number]
    judged = INDEX.judge(score)
    for kind in ("notes", "pitch order"):
        assert judged.common[kind].longest == judged.common[kind].exact == judged.longest
        assert judged.common[kind].share == 1.0
        assert 0.7 * judged.notes < judged.common[kind].loan <= judged.common[kind].largest <= judged.notes
        assert judged.common[kind].lent == 1.0
    assert judged.longest == Passage(judged.notes, 12.0, (1, 12), name, (1, 12), 0)
    assert judged.nearest == Nearest(name, 1.0)
    assert judged.shares == judged.shares_exact == {1: 1.0, 2: 1.0, 4: 1.0}


@given(number=st.integers(0, 19), semitones=st.integers(-12, 12), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=40)
def test_key_tempo_instruments_tracks_and_loudness_do_not_matter(number: int, semitones: int, seed: int) -> None:
    score = TRAINING[number][1]
    rng = np.random.default_rng(seed)
    guise = transpose(score, semitones).resample(960, min_dur=1)
    guise.tempos[0].qpm = 33.0
    for track in guise.tracks:
        track.name, track.program = "other", int(rng.integers(128))
        for note in track.notes:
            note.velocity = int(rng.integers(1, 128))
    doubled = guise.tracks[0].copy()
    guise.tracks.append(doubled)
    del guise.tracks[2]  # the drums: anybody's where something else sounds
    judged = INDEX.judge(guise)
    assert in_any_key(judged) == in_any_key(INDEX.judge(score))
    assert judged.longest
    assert judged.longest.semitones == semitones
    own = INDEX.judge(guise, without=["tune 3"] if number != 3 else ["tune 4"])
    assert own.longest == judged.longest, "other pieces than the source do not matter"


def test_a_copy_in_another_key_is_no_exact_one() -> None:
    judged = INDEX.judge(transpose(TRAINING[0][1], 1))
    assert judged.shares == {1: 1.0, 2: 1.0, 4: 1.0}
    assert judged.shares_exact[4] == 0.0
    found = judged.common["notes"]
    assert found.longest
    assert found.exact is None or found.exact.notes < found.longest.notes / 4


@given(number=st.integers(0, 19), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=40)
def test_another_rhythm_does_not_hide_the_order_of_pitches(number: int, seed: int) -> None:
    score = TRAINING[number][1]
    judged = INDEX.judge(retimed(score, np.random.default_rng(seed)))
    assert judged.longest
    assert judged.longest.notes == judged.notes
    assert judged.longest.source == TRAINING[number][0]
    by_rhythm = judged.common["notes"].longest
    assert by_rhythm is None or by_rhythm.notes < judged.notes / 2


def test_twice_as_slow_is_twice_as_many_bars() -> None:
    judged = INDEX.judge(slowed(TRAINING[5][1], np.random.default_rng(0)))
    assert judged.longest
    assert judged.longest.notes == judged.notes
    assert judged.longest.bars == pytest.approx(24, abs=1)  # its last notes have other lengths
    assert judged.longest.source_at == (1, 12)


def test_a_performance_played_slower_keeps_its_order() -> None:
    rng = np.random.default_rng(0)
    played = tune(7, bars=12)
    for track in played.tracks:
        for note in track.notes:
            note.time += int(rng.integers(0, 25))  # the grid is 40 ticks fine: some chords lie on both sides of a line
    index = TrainingIndex.of([("played", played)])
    judged = index.judge(slowed(played, rng))
    assert judged.longest
    assert judged.longest.notes == judged.notes
    assert index.judge(played).shares[4] == 1.0


@given(first=st.integers(0, 9), bars=st.integers(2, 6), at=st.integers(0, 4))
@settings(deadline=None, max_examples=30)
def test_a_loan_is_found_where_it_lies(first: int, bars: int, at: int) -> None:
    """Bars of a training piece after bars of a new one: the passage begins and ends there, but for chance beyond."""
    source = TRAINING[8][1]
    lines = bar_lines(source, end_tick(source) + 1)
    bars = min(bars, 12 - first)
    assume(bars >= 2)
    loan = excerpt(source, int(lines[first]), int(lines[first]) + bars * 4 * TPQ)
    new = tune(500, bars=12)
    score = join(excerpt(new, 0, at * 4 * TPQ), loan, at * 4 * TPQ) if at else loan
    score = join(score, tune(501, bars=3), (at + bars) * 4 * TPQ)
    longest = INDEX.judge(score).common["notes"].longest
    assert longest
    assert longest.source == "tune 8"
    assert at <= longest.at[0] <= at + 1
    assert at + bars <= longest.at[1] <= at + bars + 1
    assert longest.source_at[0] - longest.at[0] == first - at
    assert longest.bars >= bars - 0.5  # what follows the last moment is another piece's


@given(st.sets(st.integers(0, 19), min_size=1, max_size=3), st.integers(0, 19))
@settings(deadline=None, max_examples=20)
def test_leaving_pieces_out_is_an_index_without_them(numbers: set[int], judged: int) -> None:
    names = [f"tune {number}" for number in numbers]
    others = TrainingIndex.of([(name, score) for name, score in TRAINING if name not in names])
    score = TRAINING[judged][1]
    assert INDEX.judge(score, without=names) == others.judge(score)


@given(st.lists(st.integers(0, 400), min_size=1, max_size=5))
@settings(deadline=None, max_examples=10)
def test_a_piece_is_judged_alone_as_in_a_crowd(seeds: list[int]) -> None:
    crowd = [INDEX.judge(tune(seed)) for seed in seeds]
    assert [INDEX.judge(tune(seed)) for seed in reversed(seeds)] == crowd[::-1]


@given(st.lists(scores(), max_size=4), scores())
@settings(deadline=None, max_examples=40)
def test_any_music_can_be_indexed_kept_and_judged(some: list[Score], other: Score) -> None:
    index = TrainingIndex.of((str(number), score) for number, score in enumerate(some))
    for number, score in enumerate(some):
        judged = index.judge(score)
        assert all(share in (None, 1.0) for share in (*judged.shares.values(), *judged.shares_exact.values()))
        readings = events(score).get("texture", [])
        if any(len(reading) >= EVENTS and reading.notes.sum() >= NOTES for reading in readings):
            assert judged.common["pitch order"].share == 1.0
        assert index.judge(score, without=[str(number)]).notes == judged.notes
    judged = index.judge(other)
    assert ("melody" in judged.common) == any(not track.is_drum and len(track.notes) for track in other.tracks)
    assert json.loads(json.dumps(judged.to_json(None)))["flagged"] is None
    assert all(share is None or 0 <= share <= 1 for share in judged.shares.values())
    assert all(0 <= one.share <= 1 and 0 <= one.loan <= one.largest for one in judged.common.values())


@given(
    st.lists(st.lists(st.integers(0, 2), max_size=40), min_size=1, max_size=4),
    st.lists(st.integers(0, 2), max_size=40),
    st.integers(1, 4),
)
@settings(deadline=None, max_examples=200)
def test_runs_are_all_that_comparing_everything_finds(pieces: list[list[int]], judged: list[int], chord: int) -> None:
    """Against every pair of places compared note by note; seeds that come too often in a piece are left to chance."""

    def heard(pitches: list[int]) -> list[Events]:
        score = Score(TPQ)
        for voice in range(chord):
            score.tracks.extend(line([60 + 7 * voice + p * (voice == 0) for p in pitches]).tracks)
        return events(score).get("texture", [])

    least = max(math.ceil(NOTES / chord), EVENTS)
    for pitches in pieces:
        intervals = [tuple(np.diff(pitches[at : at + least])) for at in range(len(pitches) - least + 1)]
        assume(all(intervals.count(one) <= REPEATS for one in intervals))
    index = PassageIndex.of([heard(pitches) for pitches in pieces])
    expected = set()
    for number, pitches in enumerate(pieces):
        for at in range(len(judged)):
            for there in range(len(pitches)):
                low = judged[at] - pitches[there]

                def alike(a: int, b: int, low: int = low, pitches: list[int] = pitches) -> bool:
                    same = 0 <= a < len(judged) and 0 <= b < len(pitches) and judged[a] - pitches[b] == low
                    return same and (chord == 1 or low == 0)  # only the lowest voice moves: another shape

                if alike(at - 1, there - 1) or not alike(at, there):
                    continue
                length = next(k for k in range(100) if not alike(at + k, there + k))
                if length >= least:
                    expected.add((at, int(index.first[number]) + there, length))
    found = index.runs(heard(judged)[0]) if judged else None
    actual = (
        set(zip(*(part.tolist() for part in (found.start, found.found, found.length)), strict=True)) if found else set()
    )
    assert actual == expected


@pytest.mark.parametrize("period", [1, 2, 4])
def test_an_ostinato_is_judged_in_time_and_is_no_loan(period: int) -> None:
    """Where hundreds of pieces have it, each at hundreds of places."""

    def vamp(length: int, seed: int) -> Score:
        figure = [60, 67, 64, 67][:period]
        own = 60 + np.random.default_rng(seed).integers(0, 12, 40)
        return line([*(figure * (length // period)), *own.tolist()])

    index = TrainingIndex.of((str(number), vamp(200, number)) for number in range(60))
    judged = index.judge(vamp(1200, 1000))
    common = judged.common["notes"]
    assert common.longest
    assert 200 <= common.longest.notes <= 210
    assert common.loan < NOTES
    copy = index.judge(vamp(200, 7))
    assert copy.longest
    assert copy.longest.notes == copy.notes
    assert copy.nearest == Nearest("7", 1.0)


def test_drums_are_judged_where_nothing_else_sounds() -> None:
    beat = [36, 42, 38, 42, 36, 36, 38, 46, 36, 42, 38, 38, 42, 36, 38, 49]
    index = TrainingIndex.of([("beat", line(beat, drums=True))])
    judged = index.judge(line(beat, drums=True))
    assert judged.longest
    assert judged.longest.notes == 16
    assert "melody" not in judged.common
    assert index.judge(line([p + 1 for p in beat], drums=True)).longest is None, "another drum is no transposition"


def test_what_does_not_exist_is_none() -> None:
    judged = INDEX.judge(Score(TPQ))
    assert judged == Originality({}, None, {1: None, 2: None, 4: None}, {1: None, 2: None, 4: None}, 0)
    assert judged.to_json(flagged=False) == {
        "longest_copied_bars": 0.0,
        "longest_copied_notes": 0,
        "source": None,
        "share_1bar": None,
        "share_2bar": None,
        "share_4bar": None,
        "flagged": False,
    }
    two_bars = INDEX.judge(line([60, 61, 66, 60], gap=2 * TPQ))
    assert two_bars.shares[4] is None
    assert two_bars.shares[2] is not None
    nothing = TrainingIndex.of([])
    assert nothing.judge(tune(1)).shares == {1: 0.0, 2: 0.0, 4: 0.0}
    assert nothing.judge(tune(1)).longest is None


def test_windows_follow_the_metre() -> None:
    """The same notes in 3/4 have other bars than in 4/4, of another length, so no window of theirs is the same."""
    waltz = tune(2)
    waltz.time_signatures[0].numerator = 3
    index = TrainingIndex.of([("march", tune(2))])
    assert index.judge(tune(2)).shares == {1: 1.0, 2: 1.0, 4: 1.0}
    judged = index.judge(waltz)
    assert judged.shares == {1: 0.0, 2: 0.0, 4: 0.0}
    assert judged.common["notes"].share == 1.0
    assert judged.longest
    assert judged.longest.bars == pytest.approx(8 * 4 / 3)


def test_silent_bars_are_no_windows() -> None:
    score = line([60], gap=TPQ)
    score.tracks[0].notes.append(Note(8 * TPQ, TPQ, 62, 80))  # bars 1 and 3
    index = TrainingIndex.of([("x", score)])
    judged = index.judge(score)
    assert judged.shares == {1: 1.0, 2: None, 4: None}


@given(scores(), st.floats(0, 1))
@settings(deadline=None)
def test_every_onset_lies_in_a_bar(score: Score, part: float) -> None:
    edges = edges_beyond(score)
    assert edges[0] == 0
    assert (np.diff(edges) > 0).all()
    assert edges[-1] > end_tick(score)
    assert all(note.time < edges[-1] for track in score.tracks for note in track.notes)


def test_an_index_is_the_same_from_its_file(tmp_path: Path) -> None:
    INDEX.save(tmp_path / "index.npz")
    again = TrainingIndex.load(tmp_path / "index.npz")
    assert again.names == INDEX.names
    assert again.nbytes == INDEX.nbytes
    for score in (TRAINING[3][1], PEOPLE[0], Score(96)):
        assert again.judge(score) == INDEX.judge(score)
    odd = TrainingIndex.of([("Für Élise \udcff.mid", tune(1)), ("", tune(2))])
    odd.save(tmp_path / "odd.npz")
    assert TrainingIndex.load(tmp_path / "odd.npz").names == odd.names


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index.npz"
    with pytest.raises(PartimentoError, match="cannot be read"):
        TrainingIndex.load(path)
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(PartimentoError, match="cannot be read"):
        TrainingIndex.load(path)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(PartimentoError, match="cannot be read"):
        TrainingIndex.load(path)
    np.savez(path, format=np.array([0]))
    with pytest.raises(PartimentoError, match="another version"):
        TrainingIndex.load(path)
    INDEX.save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(PartimentoError, match="cannot be read"):
        TrainingIndex.load(path)


def test_names_are_known_and_differ() -> None:
    with pytest.raises(InvalidSettings, match="No piece of this index is named nobody"):
        INDEX.judge(tune(1), without=["nobody"])
    with pytest.raises(InvalidSettings, match="Two pieces to index are named twin"):
        TrainingIndex.of([("twin", tune(1)), ("one", tune(2)), ("twin", tune(3))])


def test_what_ends_with_a_copy_is_told_bar_by_bar() -> None:
    """Four new bars, five borrowed ones, three new ones: the copy at the end grows by a bar a bar, then is gone."""
    source = TRAINING[4][1]
    bar = 4 * TPQ
    score = join(excerpt(tune(600, bars=12), 0, 4 * bar), excerpt(source, 2 * bar, 7 * bar), 4 * bar)
    score = join(score, tune(601, bars=3), 9 * bar)
    copied = [INDEX.copied_at_end(excerpt(score, 0, end * bar)) for end in range(1, 13)]
    lengths = [found.bars if found else 0.0 for found in copied]
    assert all(length < 1.5 for length in lengths[:4] + lengths[10:])
    assert lengths[4:9] == pytest.approx([1, 2, 3, 4, 5], abs=0.6)
    last = copied[8]
    assert last
    assert last.source == "tune 4"
    assert last.at[1] == 9
    assert last.source_at[1] == 7
    assert INDEX.copied_at_end(Score(TPQ)) is None
    looked = INDEX.copied_at_end(excerpt(score, 0, 9 * bar), most=3)
    assert looked
    assert (looked.at, looked.bars) == ((7, 9), 3.0), "no further back than it was told to look"


def people(scores_: Sequence[Score] = PEOPLE) -> People:
    return People([INDEX.judge(score) for score in scores_])


def test_forgeries_are_flagged_and_new_music_is_not() -> None:
    usual = people()
    rng = np.random.default_rng(0)
    forged = [forge(score, rng) for forge in FORGERIES.values() for _, score in TRAINING[:8]]
    forged += [spliced([score for _, score in TRAINING], rng) for _ in range(20)]
    assert all(usual.flags(INDEX.judge(score)) for score in forged)
    new = [usual.flags(INDEX.judge(tune(seed, bars=12))) for seed in range(200, 260)]
    assert sum(flag is True for flag in new) <= 3
    excess, trait = usual.excess(INDEX.judge(TRAINING[0][1]))
    assert excess > usual.limit
    assert trait in usual.usual


def test_a_long_loan_in_a_long_piece_is_flagged() -> None:
    usual = people()
    score = join(tune(700, bars=60), excerpt(TRAINING[9][1], 0, 8 * 4 * TPQ), 60 * 4 * TPQ)
    judged = INDEX.judge(join(score, tune(701, bars=60), 68 * 4 * TPQ))
    assert usual.flags(judged)
    assert usual.excess(judged)[1].startswith("largest")


def test_a_scale_is_no_theft() -> None:
    """Even where no piece of people has one."""
    scale = [60, 62, 64, 65, 67, 69, 71, 72, 71, 69, 67, 65, 64, 62, 60]
    index = TrainingIndex.of([("scales", join(line(scale), tune(1), 8 * TPQ)), *TRAINING])
    usual = People([index.judge(score) for score in PEOPLE])
    judged = index.judge(join(join(tune(710), line(scale), 32 * TPQ), tune(711), 40 * TPQ))
    assert not usual.flags(judged)


def test_a_version_among_peoples_pieces_excuses_no_copy() -> None:
    version = join(transpose(TRAINING[0][1], 2), tune(720, bars=6), 48 * TPQ)
    usual = people([*PEOPLE, version])
    assert (usual.pieces, usual.versions) == (30, 1)
    assert usual.limit == people().limit
    assert usual.flags(INDEX.judge(version))
    assert usual.flags(INDEX.judge(TRAINING[1][1]))


def test_where_people_often_play_versions_that_is_usual() -> None:
    usual = people([*PEOPLE[:5], *(score for _, score in TRAINING[:5])])
    assert (usual.pieces, usual.versions) == (9, 1)
    assert not usual.flags(INDEX.judge(TRAINING[6][1]))


def test_what_many_pieces_share_is_no_loan() -> None:
    """A vamp of chords that ten training pieces have is shared, but nobody's; of nine, it is somebody's."""
    roots = [48, 53, 55, 48, 57, 50, 55, 48]
    vamp = Score(TPQ)
    for voice in range(3):
        vamp.tracks.extend(line([root + 4 * voice for root in roots], gap=2 * TPQ).tracks)

    def judged(pieces: int) -> Originality:
        own = [(str(number), join(vamp, tune(900 + number), 16 * TPQ)) for number in range(pieces)]
        return TrainingIndex.of([*own, *TRAINING]).judge(join(tune(950), vamp, 32 * TPQ))

    common, rare = judged(IDIOM).common["notes"], judged(IDIOM - 1).common["notes"]
    assert common.longest == rare.longest
    assert common.longest
    assert common.longest.notes == 24
    assert rare.largest == 24
    assert common.largest < 8


@pytest.mark.parametrize("count", range(FEWEST + 2))
def test_too_few_people_say_nothing(count: int) -> None:
    usual = people(PEOPLE[:count])
    copy, new = INDEX.judge(TRAINING[0][1]), INDEX.judge(tune(730, bars=12))
    if count < FEWEST:
        assert usual.flags(copy) is None
        assert math.isnan(usual.limit)
        assert math.isnan(usual.excess(copy)[0])
        assert json.loads(json.dumps(copy.to_json(usual.flags(copy))))["flagged"] is None
    else:
        assert usual.flags(copy) is True
        assert usual.flags(new) is False


def test_fewer_people_leave_more_room() -> None:
    """The fewer, the further beyond the most usual of them a piece has to be: by Gumbel's tail, not by chance."""
    loans = [excerpt(score, 0, (2 + number % 3) * 4 * TPQ) for number, (_, score) in enumerate(TRAINING)]
    judged = [INDEX.judge(join(tune(800 + number, bars=12), loan, 48 * TPQ)) for number, loan in enumerate(loans)]
    limits = []
    for times in (1, 2, 5):
        usual = People(judged * times)
        assert (usual.pieces, usual.versions) == (20 * times, 0)
        limits.append(usual.limit / max(usual.excess(one)[0] for one in judged))
    assert limits[0] > limits[1] > limits[2] == pytest.approx(1.0)


def test_peoples_figures_stand_beside_a_pieces() -> None:
    usual = people()
    said = INDEX.judge(tune(740, bars=12)).to_json(flagged=False)
    assert set(usual.figures) == set(said) - {"source", "flagged"}
    for median, most in filter(None, usual.figures.values()):
        assert 0 <= median <= most
    assert people([]).figures["share_1bar"] is None
    assert all(value >= 0 for value in traits(INDEX.judge(Score(TPQ))).values())


def test_forgeries_keep_what_they_say() -> None:
    score = TRAINING[0][1]
    rng = np.random.default_rng(3)
    slow, other, moved = slowed(score, rng), retimed(score, rng), transposed(score, rng)
    for forged in (slow, other, moved):
        assert forged.note_num() == score.note_num()
        assert [t.is_drum for t in forged.tracks] == [t.is_drum for t in score.tracks]
    assert max(n.time for t in slow.tracks for n in t.notes) == 2 * max(n.time for t in score.tracks for n in t.notes)
    shift = {b.pitch - a.pitch for a, b in zip(score.tracks[0].notes, moved.tracks[0].notes, strict=True)}
    assert len(shift) == 1
    assert shift != {0}
    assert [n.pitch for n in moved.tracks[2].notes] == [n.pitch for n in score.tracks[2].notes], "drums stay"
    sewn = spliced([score for _, score in TRAINING], rng)
    assert 39 * 480 < end_tick(sewn) <= 40 * 480
    assert end_tick(spliced([Score(96)], rng)) == 0
    full = line(list(range(128)))
    assert transposed(full, rng).note_num() == 128


def chorale(steps: list[list[int]]) -> Score:
    """Four voices on sixteenths; equal pitches one after another are one note."""
    score = Score(TPQ)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    score.tempos.append(Tempo(0, 80.0))
    for voice in range(4):
        track = Track("", 52, False)
        pitches = [step[voice] for step in steps]
        for at, pitch in enumerate(pitches):
            if pitch < 0:
                continue
            if at and pitches[at - 1] == pitch:
                track.notes[-1].duration += TPQ // 4
            else:
                track.notes.append(Note(at * TPQ // 4, TPQ // 4, pitch, 80))
        score.tracks.append(track)
    return score


def chorales(_: Path) -> tuple[list[tuple[str, Score]], list[Score]]:
    path = Path(os.environ["PARTIMENTO_DATA"]) / "jsb-chorales" / "Jsb16thSeparated.json"
    data = {name: [chorale(steps) for steps in each] for name, each in json.loads(path.read_text()).items()}
    return [(str(number), score) for number, score in enumerate(data["train"])], data["valid"] + data["test"]


def folk_tunes(folder: Path) -> tuple[list[tuple[str, Score]], list[Score]]:
    """The tunes with their chords, split by the doctor; the files that have one of the two alone are no pieces."""
    from partimento.corpus import inspect

    for path in (Path(os.environ["PARTIMENTO_DATA"]) / "nottingham" / "MIDI").glob("*.mid"):
        shutil.copy(path, folder)
    corpus = inspect(folder)
    held_out = [piece for split in ("valid", "test") for piece in corpus.pieces(split)]
    return [(piece.path, corpus.score(piece)) for piece in corpus.pieces("train")], [corpus.score(p) for p in held_out]


@pytest.mark.long
@pytest.mark.skipif("PARTIMENTO_DATA" not in os.environ, reason="PARTIMENTO_DATA names no folder of data sets")
@pytest.mark.parametrize("corpus", [chorales, folk_tunes])
def test_on_real_music_each_forgery_is_flagged_and_one_human_piece_in_twenty_at_most(
    corpus: Callable[[Path], tuple[list[tuple[str, Score]], list[Score]]], tmp_path: Path
) -> None:
    training, held_out = corpus(tmp_path)
    index = TrainingIndex.of(training)
    judged = [index.judge(score) for score in held_out]
    usual = People(judged)
    rng = np.random.default_rng(0)
    pieces = [score for _, score in training]
    for forge in FORGERIES.values():
        some = rng.choice(len(pieces), 60, replace=False).tolist()
        assert all(usual.flags(index.judge(forge(pieces[number], rng))) for number in some), forge
    assert all(usual.flags(index.judge(spliced(pieces, rng))) for _ in range(100))
    others = [People(judged[:n] + judged[n + 1 :]).flags(one) for n, one in enumerate(judged)]
    assert np.mean(np.array(others, dtype=float)) <= 1 / 20, "judged by the others, as a new piece would be"
