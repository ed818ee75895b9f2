"""Events in cells: what they keep, and what their grammar guards; the laws of all codecs are in `test_codec_laws`."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from symusic.core import ControlChangeTick as ControlChange

from partimento.codec import Request
from partimento.codecs.cells import Cells
from partimento.codecs.cells.busyness import ANY, BESIDE, FARTHEST, Filling
from partimento.codecs.cells.changing import Changes
from partimento.codecs.cells.fields import (
    BAR,
    CELL,
    FIELDS,
    FIELDS_OF,
    KINDS,
    NOTE,
    STEPS,
    TEMPO,
    TRACKS,
    events_of,
    is_tempo,
    tempi,
    values,
    velocities,
    vocabulary,
)
from partimento.codecs.cells.state import State
from partimento.distributions import kinds_p, of_kinds
from partimento.errors import ImpossibleRequest, InvalidBundle
from partimento.metres import METRES, Metre
from partimento.sampling import Busy, Draft, Sampling, sample
from partimento.score import (
    Note,
    Score,
    Tempo,
    TimeSignature,
    Track,
    bar_lines,
    end_tick,
    note_array,
    seconds_at,
)

from music import tune

CODEC = Cells(Cells.Settings())
CHANGES = Cells(Cells.Settings(tempo_told="changed"))
both_ways = pytest.mark.parametrize("codec", [CODEC, CHANGES], ids=["tempo in every bar", "tempo where it changes"])


@st.composite
def on_the_grid(draw: st.DrawFn) -> Score:
    """Scores of which nothing should be lost: several tracks, notes of one pitch over one another, metres and tempi."""
    score = Score(STEPS)
    end = 0
    for metre in draw(st.lists(st.sampled_from(METRES), min_size=1, max_size=3)):
        score.time_signatures.append(TimeSignature(end, *metre))
        end += metre.bar(STEPS) * draw(st.integers(1, 3))
    for _ in range(draw(st.integers(1, 4))):
        drums = draw(st.booleans())
        track = Track("", 0 if drums else draw(st.integers(0, 127)), drums)
        for _ in range(draw(st.integers(1, 8))):
            onset, lasts = draw(st.integers(0, end - 1)), draw(st.integers(1, 63 * STEPS))
            track.notes.append(Note(onset, lasts, draw(st.integers(0, 127)), int(draw(st.sampled_from(velocities())))))
        score.tracks.append(track)
    last = bar_lines(score, max(n.time for t in score.tracks for n in t.notes) + 1)[-1]
    for time in draw(st.lists(st.integers(0, int(last)), max_size=4, unique=True)):
        score.tempos.append(Tempo(time, float(draw(st.sampled_from(tempi())))))
    return score.sort()


def told(score: Score) -> list[tuple[int, ...]]:
    return sorted(tuple(int(value) for value in note) for note in note_array(score))


@both_ways
@settings(max_examples=60, deadline=None)
@given(score=on_the_grid())
def test_nothing_on_the_grid_is_lost(codec: Cells, score: Score) -> None:
    again = codec.decode(codec.encode(score))
    assert told(again) == told(score)
    assert [(t.program, t.is_drum) for t in again.tracks] == [(t.program, t.is_drum) for t in score.tracks]
    lines = bar_lines(score, max(n.time for t in score.tracks for n in t.notes) + 1)
    np.testing.assert_array_equal(bar_lines(again, int(lines[-1]) + 1), lines)
    at = np.arange(0, int(lines[-1]) + 1)
    both = []
    for one in (score, again):
        tempos = {0: 120.0} | {t.time: t.qpm for t in one.tempos}
        times = np.array(sorted(tempos))
        both.append(np.array([tempos[t] for t in times.tolist()])[np.searchsorted(times, at, side="right") - 1])
    np.testing.assert_allclose(both[0], both[1], rtol=0.015)  # 120 is no level, and stands where nothing is named


def test_the_pedal_is_kept() -> None:
    score = tune(0, bars=2, drums=False)
    pressed = [(0, 127), (100, 90), (480, 0), (700, 20), (960, 64), (1920 + 240, 63), (100_000, 127)]
    score.tracks[1].controls.extend([ControlChange(time, 64, value) for time, value in pressed])
    again = CODEC.decode(CODEC.encode(score))
    found = [(c.time, c.number, c.value) for c in again.tracks[1].controls]
    assert found == [(0, 64, 127), (24, 64, 0), (48, 64, 127), (96 + 12, 64, 0)]
    assert not len(again.tracks[0].controls)


def test_a_pedal_that_is_changed_at_once_is_changed() -> None:
    score = tune(0, bars=2, drums=False)
    pressed = [(0, 127), (480, 0), (481, 127), (960, 127), (1000, 0), (1440, 127), (1441, 0)]
    score.tracks[0].controls.extend([ControlChange(time, 64, value) for time, value in pressed])
    x = CODEC.encode(score)
    again = CODEC.decode(x)
    assert [(c.time, c.value) for c in again.tracks[0].controls] == [(0, 127), (24, 0), (24, 127), (50, 0)]
    np.testing.assert_array_equal(CODEC.encode(again), x)


@pytest.mark.parametrize("seed", range(3))
def test_pedals_are_drawn_as_they_are_told(seed: int) -> None:
    score = tune(0, drums=False)
    score.tracks[0].controls.extend([ControlChange(480 * n, 64, 127 * (n % 2)) for n in range(20)])
    codec = Cells(Cells.Settings())
    codec.learn([score])
    made, _ = drawn(Request(bars=20), seed, codec)
    for track in made.tracks:
        ways = [control.value > 0 for control in track.controls]
        assert ways == [n % 2 == 0 for n in range(len(ways))]
    assert any(len(track.controls) for track in made.tracks)


def test_more_tracks_than_have_numbers_are_joined_by_instrument() -> None:
    score = Score(STEPS)
    for number in range(TRACKS + 20):
        track = Track("", number % 50, False)
        track.notes.append(Note(number, 5, 60, int(velocities()[20])))
        score.tracks.append(track)
    again = CODEC.decode(CODEC.encode(score))
    assert len(again.tracks) == 50
    assert [note[:-1] for note in told(again)] == [note[:-1] for note in told(score)]


def test_a_tempo_that_changes_within_a_bar_is_told_there_and_at_later_bars() -> None:
    score = tune(0, bars=3)
    score.tempos.append(Tempo(480, 60.0))
    kind, events = events_of(CODEC.encode(score.sort()))
    changes = events[kind == TEMPO]
    assert len(changes) == 1
    assert values(changes[0])[:2].tolist() == [1, 0]
    bars = values(events[kind == 0][:, 2])
    assert bars[0] != bars[1] == bars[2] == values(changes[0])[2]


def test_a_tempo_is_told_once_where_only_changes_are_told() -> None:
    score = tune(0, bars=5)
    for time, qpm in ((480, 60.0), (3 * 1920, 60.0), (4 * 1920, 90.0)):
        score.tempos.append(Tempo(time, qpm))
    kind, events = events_of(CHANGES.encode(score.sort()))
    named = is_tempo(events[:, 2])
    assert named[kind == BAR].tolist() == [True, False, False, False, True]
    assert named[kind == TEMPO].tolist() == [True]
    every = events_of(CODEC.encode(score))[1]
    np.testing.assert_array_equal(events[:, [0, 1, 3, 4, 5]], every[:, [0, 1, 3, 4, 5]])
    assert CHANGES.decode(events.reshape(-1)) == CODEC.decode(every.reshape(-1))


@pytest.mark.parametrize("seed", range(3))
def test_what_is_drawn_tells_a_tempo_where_it_changes(seed: int) -> None:
    codec = Cells(CHANGES.settings)
    learnt = [tune(n) for n in range(3)]
    for score, qpm in zip(learnt, (60.0, 90.0, 150.0), strict=True):
        score.tempos = type(score.tempos)([Tempo(0, qpm)])
    codec.learn(learnt)
    score, _ = drawn(Request(bars=12), seed, codec)  # which looks that it is encoded as it was drawn
    assert len(score.tempos) > 1
    assert all(before.qpm != after.qpm for before, after in itertools.pairwise(score.tempos))


@pytest.mark.parametrize(("changes", "kept"), [(0.03, 0.0), (0.2, 0.2)])
def test_a_tempo_that_hardly_ever_changes_stays_where_unlikely_kinds_are_cut(changes: float, kept: float) -> None:
    ids, kinds = vocabulary(), of_kinds(Cells(Cells.Settings()).spec.kinds)
    assert kinds is not None
    p = np.zeros((1, ids.size), dtype=np.float32)
    p[0, ids.first("none")], p[0, ids.first("tempo") + 60] = 1 - changes, changes
    assert kinds_p(p, kinds, 0.96)[0, ids.first("tempo") + 60] == pytest.approx(kept)


def test_what_rings_on_ends_at_the_tempo_that_it_comes_to() -> None:
    """A pedal point of a slow bar ends the sooner the quicker its tempo becomes, within a bar as at its beginning."""
    score = tune(0, bars=3, drums=False)
    score.tracks[0].notes.append(Note(1920, 5 * 1920, 48, 80))
    score.tempos = type(score.tempos)([Tempo(0, 30.0), Tempo(1920 + 960, 60.0), Tempo(2 * 1920, 240.0)])
    state, x = State(), CODEC.encode(score.sort())
    for kind, event in zip(*events_of(x), strict=True):
        state.happen(int(kind), event)
    whole = CODEC.decode(x)
    assert state.heard == pytest.approx(float(seconds_at(whole, end_tick(whole))))


def test_a_codec_of_changes_is_one_again_when_it_is_opened(tmp_path: Path) -> None:
    x = CHANGES.encode(tune(0, bars=4))
    CHANGES.save(tmp_path)
    np.testing.assert_array_equal(Cells.load(tmp_path, CHANGES.settings).encode(tune(0, bars=4)), x)


def ids_drawn(request: Request, seed: int, codec: Cells) -> tuple[NDArray[np.int64], dict[str, int]]:
    """By who knows nothing but the grammar, and how often its guards acted."""
    grammar, rng, ids = codec.grammar(), np.random.default_rng(seed), []
    grammar.start(request)
    grammar.begin()
    while (id := int(rng.choice(np.flatnonzero(grammar.mask())))) != codec.spec.eos and len(ids) < 12_000:
        grammar.advance(id)
        ids.append(id)
    return np.array(ids), dict(grammar.acted)


def drawn(request: Request, seed: int, codec: Cells) -> tuple[Score, dict[str, int]]:
    x, acted = ids_drawn(request, seed, codec)
    score = codec.decode(x)
    told_again = codec.encode(score)  # alike but for the numbers of tracks, where one was left out
    np.testing.assert_array_equal(events_of(told_again)[1][:, [0, 2, 3, 4, 5]], events_of(x)[1][:, [0, 2, 3, 4, 5]])
    return score, acted


@pytest.mark.parametrize("seed", range(4))
def test_what_is_drawn_keeps_to_what_was_learnt(seed: int) -> None:
    codec = Cells(Cells.Settings())
    codec.learn([tune(n) for n in range(3)])
    score, _ = drawn(Request(bars=6), seed, codec)
    assert len(bar_lines(score)) == 6
    assert {(t.program, t.is_drum) for t in score.tracks} <= {(0, False), (32, False), (0, True)}
    assert {n.pitch for t in score.tracks if t.is_drum for n in t.notes} <= {36, 38}
    assert all(36 <= n.pitch <= 76 for t in score.tracks if not t.is_drum for n in t.notes)
    assert {(s.numerator, s.denominator) for s in score.time_signatures} == {(4, 4)}
    for track in score.tracks:  # no pitch is struck while it sounds
        for pitch in {n.pitch for n in track.notes}:
            mine = sorted((n.time, n.time + n.duration) for n in track.notes if n.pitch == pitch)
            assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(mine))


def slowing(seed: int, slow: float) -> Score:
    """A tune that slows down for its last two bars."""
    score = tune(seed)
    score.tempos.append(Tempo(6 * 4 * 480, slow))
    return score


@pytest.mark.parametrize("told", ["always", "changed"])
def test_what_is_drawn_begins_with_a_tempo_that_a_learnt_piece_begins_with(told: str, tmp_path: Path) -> None:
    codec = Cells(Cells.Settings(tempo_told=told))
    codec.learn([slowing(n, 20.0 + n) for n in range(9)])
    codec.save(tmp_path)
    codec = Cells.load(tmp_path, codec.settings)
    for seed in range(6):
        score, _ = drawn(Request(bars=3), seed, codec)
        assert score.tempos[0].qpm == pytest.approx(96, rel=0.015)
    quick, _ = drawn(Request(seconds=1 / 4 * 60 / 96 + 0.01), 0, codec)  # has room for a sixteenth
    assert quick.tempos[0].qpm == pytest.approx(96, rel=0.015)
    document = json.loads((tmp_path / "used.json").read_text())
    del document["first tempi"]
    (tmp_path / "used.json").write_text(json.dumps(document))
    older = Cells.load(tmp_path, codec.settings)
    assert min(drawn(Request(bars=1), seed, older)[0].tempos[0].qpm for seed in range(6)) < 40


def test_a_tempo_to_begin_with_gives_way_to_the_seconds() -> None:
    """Of what was learnt only a quicker tempo than pieces begin with has room for a note."""
    codec = Cells(Cells.Settings())
    codec.learn([slowing(n, 400.0) for n in range(2)])
    score, _ = drawn(Request(seconds=0.04), 0, codec)
    with pytest.raises(ImpossibleRequest, match="too few"):
        codec.grammar().start(Request(seconds=0.03))
    assert score.tempos[0].qpm == pytest.approx(400, rel=0.015)


def largest_chords(score: Score) -> dict[int, int]:
    """By program, 128 for drums, how many notes begin at once at most in a track."""
    found: dict[int, int] = {}
    for track in score.tracks:
        program = 128 if track.is_drum else track.program
        most = max(Counter(note.time for note in track.notes).values(), default=0)
        found[program] = max(found.get(program, 0), most)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_no_more_notes_are_struck_at_once_than_were_learnt(seed: int, tmp_path: Path) -> None:
    codec = Cells(Cells.Settings())
    learnt = [tune(n) for n in range(3)]
    codec.learn(learnt)
    known: dict[int, int] = {}
    for score in learnt:
        known |= {program: max(most, known.get(program, 0)) for program, most in largest_chords(score).items()}
    assert {program: int(codec.at_once[program]) for program in known} == known
    assert codec.at_once[60] == max(known.values())  # one that was never heard
    codec.save(tmp_path)
    again = Cells.load(tmp_path, codec.settings)
    score, _ = drawn(Request(bars=8), seed, again)
    assert all(most <= known[program] for program, most in largest_chords(score).items())


def test_the_rarest_chords_are_not_taken_for_usual() -> None:
    codec = Cells(Cells.Settings())
    score = Score(4)
    score.tracks.append(Track())
    for time in range(2000):
        notes = range(60, 75) if time == 1000 else range(60, 62 + (time % 50 == 0))
        score.tracks[0].notes.extend(Note(4 * time, 2, pitch, 64) for pitch in notes)
    codec.learn([score])
    assert codec.at_once[0] == 3


@pytest.mark.parametrize("seed", range(4))
def test_no_silence_and_no_note_is_longer_than_asked(seed: int) -> None:
    codec = Cells(Cells.Settings())
    codec.learn([tune(n) for n in range(3)])
    score, acted = drawn(Request(bars=12, longest_silence=1.0, longest_note=0.5), seed, codec)
    notes = note_array(score)
    assert (notes["duration"] <= STEPS // 2).all()
    assert acted.get("stuck note", 0) == (notes["duration"] == STEPS // 2).sum() > 0
    sounding = np.zeros(end_tick(score), dtype=bool)
    for onset, lasts in zip(notes["onset"].tolist(), notes["duration"].tolist(), strict=True):
        sounding[onset : onset + lasts] = True
    bars = np.unique(bar_lines(score).searchsorted(notes["onset"], side="right"))
    assert len(bars) == 12  # a bar of four quarters is longer than any silence may be
    assert acted.get("silence", 0) > 0


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    CODEC.save(tmp_path)
    file = tmp_path / "used.json"
    whole = json.loads(file.read_text())
    for change in (
        {"used": [10**6]},
        {"used": [-1]},
        {"used": [10**30]},
        {"opening": [math.inf, 0]},
        {"first tempi": []},
        {"first tempi": [-1]},
        {"cell size": math.inf},
        {"programs": [[0, 300]]},
        {"programs": 3},
        {"at once": [0] * 129},
        {"at once": [4]},
        {"fields": {"bar": 2}},
    ):
        file.write_text(json.dumps(whole | change))
        with pytest.raises(InvalidBundle):
            Cells.load(tmp_path, CODEC.settings)
    file.unlink()
    with pytest.raises(InvalidBundle):
        Cells.load(tmp_path, CODEC.settings)


def test_events_that_make_no_sense_are_passed_over() -> None:
    x = CODEC.encode(tune(0, bars=1))
    kind, events = events_of(x)
    wrong = events.copy()
    wrong[kind == NOTE, 2] = events[kind == CELL][0, 1]  # a track where a pitch should be
    mixed = np.concatenate([wrong.reshape(-1), x])
    assert CODEC.notes(wrong.reshape(-1)) == 0
    assert CODEC.notes(mixed) == CODEC.notes(x)
    assert CODEC.decode(mixed).note_num() == CODEC.notes(x)


@pytest.mark.parametrize("request_", [Request(seconds=3.0), Request(bars=2, key="D minor"), Request(notes=9)])
def test_an_event_that_a_prompt_has_begun_and_that_makes_no_sense_is_passed_over(request_: Request) -> None:
    """Each kind of event with, in each field, an id of each field: drawn to its end, whatever it was to be."""
    ids, grammar = vocabulary(), CODEC.grammar()
    opening = CODEC.encode(tune(0, bars=1))[: 4 * FIELDS].tolist()
    sound = {
        kind: [ids.first(kind), *(ids.first(names[0]) for names in FIELDS_OF[number])] for kind, number in KINDS.items()
    }
    for (kind, event), field, name in itertools.product(sound.items(), range(1, FIELDS), ids.spans):
        begun = [*event[:field], ids[name].stop - 1]
        grammar.start(request_)
        for id in [*opening, *begun]:
            grammar.advance(id)
        grammar.begin()
        while len(begun) % FIELDS:
            begun.append(int(np.flatnonzero(grammar.mask())[0]))
            grammar.advance(begun[-1])
        if name not in FIELDS_OF[KINDS[kind]][field - 1]:
            assert not len(events_of(np.array(begun))[0]), (kind, field, name)
        assert grammar.mask().any()


def test_how_seldom_metre_and_tempo_change_is_learnt_and_kept(tmp_path: Path) -> None:
    piece = tune(0, bars=10)
    piece.time_signatures.append(TimeSignature(4 * 1920, 3, 4))
    quarter = piece.ticks_per_quarter
    piece.tempos.extend([Tempo(1920, 100.0), Tempo(2 * 1920 + quarter, 200.0)])
    codec = Cells(Cells.Settings())
    codec.learn([piece])
    bars = len(bar_lines(piece))
    found = codec.changes
    assert found.metre == pytest.approx(1 / (bars - 1))
    assert found.tempo == pytest.approx(1 / (bars - 1))
    assert found.within == pytest.approx(1 / (bars + 1))
    assert found.leap == pytest.approx(1 / 2)
    codec.save(tmp_path)
    assert Cells.load(tmp_path, codec.settings).changes == found
    whole = json.loads((tmp_path / "used.json").read_text())
    del whole["changes"]
    (tmp_path / "used.json").write_text(json.dumps(whole))  # as versions before kept it
    assert Cells.load(tmp_path, codec.settings).changes == Changes()
    whole["changes"] = {"metre": 1.5}
    (tmp_path / "used.json").write_text(json.dumps(whole))
    with pytest.raises(InvalidBundle):
        Cells.load(tmp_path, codec.settings)


class Undecided:
    """A model to which each id is as likely as any other, or that is sure of one."""

    def __init__(self, sure_of: int | None = None) -> None:
        self.sure_of = sure_of

    def start(self, batch: int) -> None:
        return None

    def step(self, ids: NDArray[np.int64], state: None) -> tuple[NDArray[np.float32], None]:
        logits = np.zeros((len(ids), CODEC.spec.vocab_size), dtype=np.float32)
        logits[:, CODEC.spec.eos] = -20.0
        logits[:, [vocabulary().first("bar"), *([] if self.sure_of is None else [self.sure_of])]] = 12.0
        return logits, state


@pytest.mark.parametrize("told", ["always", "changed"])
def test_metre_and_tempo_change_no_oftener_than_in_learnt_music_unless_the_model_is_sure(told: str) -> None:
    other = tune(1)
    other.time_signatures = type(other.time_signatures)([TimeSignature(0, 3, 4)])
    other.tempos = type(other.tempos)([Tempo(0, 180.0)])
    codec = Cells(Cells.Settings(tempo_told=told))
    codec.learn([tune(0), other])
    assert codec.changes == Changes(0.0, 0.0, 0.0, 0.0)
    three_four = vocabulary().first("metre") + METRES.index(Metre(3, 4))

    def made(steadiness: float, sure_of: int | None = None) -> Score:
        grammar = codec.grammar()
        grammar.start(Request(bars=24))
        for id in codec.encode(tune(0, bars=1)).tolist():
            grammar.advance(id)
        grammar.begin()
        draft = Draft(np.random.default_rng(3), grammar, np.array([codec.spec.bos]))
        sample(Undecided(sure_of), [draft], codec.spec, longest=20_000, sampling=Sampling(steadiness=steadiness))
        return codec.decode(np.concatenate([codec.encode(tune(0, bars=1)), draft.ids]))

    steady, free, sure = made(4.0), made(0.0), made(4.0, three_four)
    assert len(steady.time_signatures) == len(steady.tempos) == 1
    assert len(free.time_signatures) > 1
    assert len(free.tempos) > 1
    assert [(s.numerator, s.denominator) for s in sure.time_signatures] == [(4, 4), (3, 4)]


def busyness_of(score: Score, codec: Cells = CODEC) -> list[float | None]:
    """What a grammar says of how busy a piece is, at each of its events."""
    grammar, ids = codec.grammar(), CODEC.encode(score)
    assert isinstance(grammar, Busy)
    said = []
    notes = vocabulary()["note"]
    for id in ids.tolist():
        found = grammar.busier()
        assert found is None or found[0] == slice(notes.start, notes.stop)
        said.append(None if found is None else found[1])
        grammar.advance(id)
    assert all(found is None for at, found in enumerate(said) if at % FIELDS)
    return said[::FIELDS]


def steps_of_a_quarter(score: Score, track: int, struck: Iterable[int]) -> None:
    while len(score.tracks) <= track:
        score.tracks.append(Track("", 0, False))
    score.tracks[track].notes.extend(Note(step, 1, 60, 64) for step in struck)


@pytest.mark.parametrize(("tracks", "metre"), [(1, (4, 4)), (4, (4, 4)), (3, (3, 4)), (2, (12, 4)), (2, (6, 8))])
def test_what_never_changes_is_as_busy_as_it_began(tracks: int, metre: tuple[int, int]) -> None:
    score = Score(4)
    score.time_signatures.append(TimeSignature(0, *metre))
    for track in range(tracks):
        steps_of_a_quarter(score, track, range(12, 480, 4))
    said = [found for found in busyness_of(score) if found is not None]
    assert len(said) > 100
    assert said == pytest.approx([1.0] * len(said), rel=0.07)


def test_a_piece_that_becomes_busier_is_said_to_and_at_most_so_much() -> None:
    """A note a quarter for 64 of them, then four for 32 and two for 32 more, then one in eight."""
    score = Score(4)
    steps_of_a_quarter(score, 0, [*range(0, 256, 4), *range(256, 384), *range(384, 512, 2), *range(512, 1024, 32)])
    said = busyness_of(score)
    assert max(found for found in said if found is not None) == pytest.approx(4.0)
    assert said[-1] == pytest.approx(1 / 4)
    assert said[: len(said) // 10] == [None] * (len(said) // 10)


def evenly(often: int) -> Score:
    """So many notes a quarter note for 96 of them, of tracks that strike one each."""
    score = Score(4)
    for track in range(often):
        steps_of_a_quarter(score, track, range(0, 384, 4))
    return score


def test_how_a_piece_began_is_the_measure_as_far_as_learnt_pieces_are_as_busy(tmp_path: Path) -> None:
    codec = Cells(Cells.Settings())
    codec.learn(evenly(often) for often in range(2, 7))  # in the middle half 3 to 5
    assert codec.busy == pytest.approx((3, 5), rel=0.02)
    codec.save(tmp_path)
    codec = Cells.load(tmp_path, Cells.Settings())
    for often, times in ((1, 1 / 3), (4, 1), (10, 2)):
        assert busyness_of(evenly(often), codec)[-1] == pytest.approx(times, rel=0.07)
    document = json.loads((tmp_path / "used.json").read_text())
    (tmp_path / "used.json").write_text(json.dumps({name: known for name, known in document.items() if name != "busy"}))
    older = Cells.load(tmp_path, Cells.Settings())
    assert busyness_of(evenly(10), older)[-1] == pytest.approx(1, rel=0.07)
    (tmp_path / "used.json").write_text(json.dumps(document | {"busy": [5, 3]}))
    with pytest.raises(InvalidBundle, match="damaged"):
        Cells.load(tmp_path, Cells.Settings())


@pytest.mark.parametrize("seed", range(60))
def test_a_piece_of_seconds_begins_no_bar_that_would_be_cut_short(seed: int) -> None:
    """Where there is room for a part alone, all that is still drawn would be struck in it."""
    grammar, rng, ids = CODEC.grammar(), np.random.default_rng(seed), [-1]
    seconds = float(rng.uniform(1, 20))
    grammar.start(Request(seconds=seconds))
    bar = vocabulary().first("bar")
    while ids[-1] != CODEC.spec.eos:
        hastens = grammar.mask()[bar] and rng.random() < 0.5
        ids.append(bar if hastens else int(rng.choice(np.flatnonzero(grammar.mask()))))
        grammar.advance(ids[-1])
    score = CODEC.decode(np.array(ids[1:-1]))
    onsets, lines = note_array(score)["onset"], bar_lines(score, end_tick(score))
    assert len(onsets)
    ends = seconds_at(score, np.append(lines[1:], lines[-1] + score_bar(score)))
    later = (lines > onsets.min()) & (lines <= onsets.max())
    assert (ends[later] <= seconds + 1e-3).all()


def score_bar(score: Score) -> int:
    """Ticks of the last bar."""
    metre = max(score.time_signatures, key=lambda one: one.time)
    return Metre(metre.numerator, metre.denominator).bar(score.ticks_per_quarter)


@pytest.mark.parametrize("seed", range(8))
def test_a_piece_of_seconds_begins_with_a_bar_that_fits_where_one_does(seed: int) -> None:
    codec = Cells(Cells.Settings())
    codec.learn([tune(n) for n in range(2)])  # bars of 2.5 seconds
    for seconds, bars in ((6, 2), (1, 0)):
        onsets = note_array(codec.decode(ids_drawn(Request(seconds=seconds), seed, codec)[0]))["onset"]
        assert onsets.max() < bars * 4 * STEPS or onsets.min() >= bars * 4 * STEPS  # the first may be cut short


def test_the_bar_that_has_no_room_gives_its_probability_to_the_end() -> None:
    grammar, x = CODEC.grammar(), CODEC.encode(tune(0, bars=2))
    for seconds, room in ((5.5, False), (8.0, True)):  # of bars of 2.5
        grammar.start(Request(seconds=seconds))
        for id in x.tolist():
            grammar.advance(id)
        found = grammar.beyond()
        assert (found is None) == room
        assert found is None or found.tolist() == [vocabulary().first("bar")]
        assert grammar.mask()[CODEC.spec.eos] != room
        assert grammar.mask()[vocabulary().first("bar")] == room


def test_how_busy_tracks_are_is_known_by_instrument(tmp_path: Path) -> None:
    codec = Cells(Cells.Settings())
    codec.learn(evenly(often) for often in range(1, 6))  # of each piece every track strikes one a quarter
    assert codec.busy_tracks[0].tolist() == pytest.approx([1, 1], rel=0.02)
    assert codec.busy_tracks[1].tolist() == list(ANY)
    codec.save(tmp_path)
    np.testing.assert_array_equal(Cells.load(tmp_path, codec.settings).busy_tracks, codec.busy_tracks)
    document = json.loads((tmp_path / "used.json").read_text())
    for wrong in ([[1, 2]], [[2, 1]] * 129, [[0, math.inf]] * 129, [[-1, 1]] * 129, "many"):
        (tmp_path / "used.json").write_text(json.dumps(document | {"busy tracks": wrong}))
        with pytest.raises(InvalidBundle, match="damaged"):
            Cells.load(tmp_path, codec.settings)


def test_filled_cells_are_as_busy_as_expected_between_the_least_and_the_most() -> None:
    """Two notes a quarter, from one and a half to two and a half, in bars of four: from 6 to 10 a bar."""
    filling = Filling({3: (1.5, 2.5)})
    assert filling.times is None
    said: dict[int, list[Any]] = {}
    for bar, notes in enumerate([8, 8, 20, 0, 0, 0, 0, 0, 0]):
        filling.answer(3, 4 * STEPS)
        said[bar] = [filling.times]
        for _ in range(notes):
            filling.strike()
            said[bar].append(filling.times)
    assert said[0] == said[1] == [1.0] * 9
    assert said[2][:15] == [1.0] * 15  # 30 in three bars
    assert said[2][20] == pytest.approx((36 + BESIDE) / (30 + BESIDE) * (20 + BESIDE) / (10 + BESIDE))
    assert said[2][15:] == sorted(said[2][15:])
    assert [said[bar] for bar in (3, 4, 5, 6)] == [[1.0]] * 4  # 36 of at least 36
    assert said[8] == [pytest.approx((36 + BESIDE) / (48 + BESIDE))]
    filling.answer(4, 4 * STEPS)  # a track of which nothing is expected
    filling.strike()
    assert filling.times is None


def test_what_is_filled_may_not_be_said_to_be_endlessly_busy() -> None:
    filling = Filling({0: (0.0, 0.0), 1: (9.0, 9.0)})
    filling.answer(0, STEPS)
    for _ in range(1000):
        filling.strike()
    assert filling.times == FARTHEST**2
    for _ in range(20):
        filling.answer(1, 12 * STEPS)
    assert filling.times == 1 / FARTHEST
