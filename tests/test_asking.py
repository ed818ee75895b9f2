"""What is asked of hidden cells: measured in music, told twice, and kept where it is a rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento.codec import Request
from partimento.codecs.cells import Cells
from partimento.codecs.cells.asking import (
    ASPECTS,
    CHORD,
    DENSITY,
    HIGHEST,
    LOWEST,
    POLYPHONY,
    Asked,
    asked_events,
    aspects,
    counts,
    measured,
    partly,
)
from partimento.codecs.cells.fields import (
    ANSWER,
    ASKED,
    DRUMS,
    END,
    FIELDS,
    FILL,
    HIDDEN,
    NOTE,
    STEPS,
    densities,
    events_of,
    quarters,
    values,
    vocabulary,
)
from partimento.codecs.cells.grid import Grid
from partimento.codecs.cells.hiding import drawn, hide, unfold
from partimento.errors import ImpossibleRequest
from partimento.harmony import chords_named, classes
from partimento.metres import METRES
from partimento.score import Note, Score
from test_hiding import filled

from music import scores, tune

CODEC = Cells(Cells.Settings())


def notes_of(grid: Grid, bar: int, track: int) -> list[tuple[int, int, int]]:
    """Beginning, end and pitch of each note of a cell, in steps of its bar."""
    mine = grid.events[(grid.kind == NOTE) & (grid.bar == bar) & (grid.track == track)]
    at = quarters(mine[:, 0]) * STEPS + values(mine[:, 1])
    ends = at + values(mine[:, 3]) * STEPS + values(mine[:, 4])
    return list(zip(at.tolist(), ends.tolist(), values(mine[:, 2]).tolist(), strict=True))


@settings(max_examples=60, deadline=None)
@given(score=scores())
def test_each_cell_is_measured_as_one_would_by_hand(score: Score) -> None:
    grid = Grid(CODEC.encode(score))
    found = measured(grid)
    for bar in range(grid.bars):
        for track, program in enumerate(grid.programs):
            notes = notes_of(grid, bar, track)
            density, lowest, highest, polyphony, _ = found[bar, track].tolist()
            if not notes:
                assert (density, lowest, highest, polyphony) == (-1, -1, -1, -1)
                continue
            per_quarter = len(notes) * STEPS / int(np.diff(grid.starts)[bar])
            steps = np.abs(np.log(densities() / per_quarter))
            assert steps[density] == pytest.approx(steps.min())
            if program == DRUMS:
                assert (lowest, highest) == (-1, -1)
            else:
                assert (lowest, highest) == (min(n[2] for n in notes), max(n[2] for n in notes))
            at_once = max(sum(one[0] <= at < one[1] for one in notes) for at, _, _ in notes)
            assert polyphony == min(at_once, 16) - 1


def test_the_chord_of_a_bar_is_that_of_all_tracks_but_drums() -> None:
    grid = Grid(CODEC.encode(tune(1, bars=6)))
    found = measured(grid)
    drums = grid.programs == DRUMS
    assert (found[:, drums, CHORD] == -1).all()
    told = found[:, ~drums, CHORD]
    assert (told == told[:, :1]).all()
    assert (told >= 0).any()
    for bar in np.flatnonzero(told[:, 0] >= 0).tolist():
        sounding = {p % 12 for t in np.flatnonzero(~drums).tolist() for _, _, p in notes_of(grid, bar, t)}
        assert len(sounding & set(np.flatnonzero(classes(told[bar, 0])).tolist())) >= 3


@settings(max_examples=60, deadline=None)
@given(score=scores(), seed=st.integers(0, 1000))
def test_what_is_asked_is_told_after_the_mark_and_after_the_answer_and_comes_to_nothing(
    score: Score, seed: int
) -> None:
    x, rng = CODEC.encode(score), np.random.default_rng(seed)
    told = hide(x, drawn(rng), asked=lambda grid: partly(measured(grid), rng))
    np.testing.assert_array_equal(unfold(told), x)
    assert CODEC.decode(told) == CODEC.decode(x)
    kind, events = events_of(told)
    asked = np.flatnonzero(kind == ASKED)
    before = kind[asked - 1]
    assert np.isin(before, (HIDDEN, ANSWER)).all()
    of = [
        {int(values(events[at - 1, 3])): tuple(events[at].tolist()) for at in asked[before == mark].tolist()}
        for mark in (HIDDEN, ANSWER)
    ]
    assert of[0] == of[1]


def test_retelling_asks_in_some_cases_and_never_takes_more_room() -> None:
    x = CODEC.encode(tune(2, bars=24))
    told = [CODEC.retold(x, np.random.default_rng(seed)) for seed in range(100)]
    kinds = [events_of(one)[0] for one in told if one is not None]
    assert len(kinds) > 90
    assert 20 < sum((kind == ASKED).any() for kind in kinds) < 80
    assert all(len(kind) * 6 <= len(x) for kind in kinds)


def test_a_chord_that_is_asked_alone_does_not_mean_a_silent_cell() -> None:
    grid = Grid(CODEC.encode(tune(1, bars=8)))
    asked = measured(grid)
    asked[2:4, :, :CHORD] = -1  # silent, but in bars with a chord
    assert (asked[2:4, :, CHORD] >= 0).any()
    alone = 0
    for seed in range(200):
        told = partly(asked, np.random.default_rng(seed))
        if (told[..., :CHORD] >= 0).any():
            assert (told[2:4] == -1).all()
        elif (told[..., CHORD] >= 0).any():
            np.testing.assert_array_equal(told[..., CHORD], asked[..., CHORD])
            alone += 1
    assert alone > 10


def test_what_is_given_is_all_that_a_prompt_tells_and_no_music() -> None:
    x = CODEC.encode(tune(2, bars=24))
    for seed in range(20):
        told = CODEC.retold(x, np.random.default_rng(seed), ends=True)
        assert told is not None
        kind, _ = events_of(told)
        given = CODEC.given(told)
        np.testing.assert_array_equal(given, np.repeat(np.isin(kind, (FILL, HIDDEN, ASKED, END)), FIELDS))


def test_an_event_says_what_it_was_made_of() -> None:
    rows = np.array([[3, 40, 70, 2, 17], [-1, -1, -1, -1, -1], [0, -1, 127, -1, 0]])
    assert [aspects(event) for event in asked_events(rows)] == [tuple(row) for row in rows.tolist()]


@pytest.mark.parametrize(
    "wrong",
    [
        {"density": 0.0},
        {"density": 99.0},
        {"lowest": -1},
        {"highest": 128},
        {"polyphony": 0},
        {"polyphony": 17},
        {"lowest": 60, "highest": 59},
        {"lowest": (40, 60), "highest": 59},
        {"lowest": (40, 60), "highest": (59, 59)},
        {"density": (1.0, 99.0)},
        {"polyphony": (1, 0, 2)},
        {"lowest": (40, 62), "highest": (90, 63), "chords": chords_named("C")},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ImpossibleRequest):
        Asked(**wrong)


def test_a_request_is_laid_over_the_cells_that_are_meant() -> None:
    grid = Grid(CODEC.encode(tune(1, bars=5)))
    cells = np.zeros((5, 3), dtype=bool)
    cells[1:] = True
    asked = Asked(density=2.0, lowest=50, polyphony=3, chords=chords_named("C G Am")).of(cells, grid.programs, first=1)
    assert (asked[0] == -1).all()
    drums = grid.programs == DRUMS
    assert asked[1:, ~drums][..., CHORD].tolist() == [[chord] * 2 for chord in chords_named("C G Am C")]
    assert (asked[1:, drums][..., [LOWEST, HIGHEST, CHORD]] == -1).all()
    assert (asked[1:, ~drums][..., LOWEST] == 50).all()
    assert (asked[1:, ..., POLYPHONY] == 2).all()
    assert (asked[1:, ..., DENSITY] >= 0).all()
    assert asked.shape[2] == len(ASPECTS)


def test_chords_are_of_their_bars_whether_these_are_written_or_stay() -> None:
    grid = Grid(CODEC.encode(tune(1, bars=8, drums=False)))
    cells = np.zeros((8, 2), dtype=bool)
    cells[[2, 4, 7], 0] = True
    asked = Asked(chords=chords_named("C G Am F")).of(cells, grid.programs, first=1)
    assert asked[[2, 4, 7], 0, CHORD].tolist() == list(chords_named("G F Am"))


def test_each_track_may_be_asked_for_itself() -> None:
    grid = Grid(CODEC.encode(tune(1, bars=5)))
    cells = np.ones((5, 3), dtype=bool)
    asked = Asked(lowest=(60, None, 36), highest=80, polyphony=(1, 4, 2)).of(cells, grid.programs)
    drums = grid.programs == DRUMS
    assert asked[0, ~drums][:, LOWEST].tolist() == [[60, -1, 36][track] for track in np.flatnonzero(~drums)]
    assert (asked[:, ~drums][..., HIGHEST] == 80).all()
    assert asked[0, :, POLYPHONY].tolist() == [0, 3, 1]
    cells[:, 1] = False
    assert Asked(polyphony=(1, 2)).of(cells, grid.programs)[0, :, POLYPHONY].tolist() == [0, -1, 1]
    of_all = Asked(polyphony=(1, 3, 2)).of(cells, grid.programs, np.arange(3))  # as where chance left a track out
    assert of_all[0, :, POLYPHONY].tolist() == [0, -1, 1]
    with pytest.raises(ImpossibleRequest, match="The polyphony is asked of 3 tracks one by one, and 2 are written"):
        Asked(polyphony=(1, 4, 2)).of(cells, grid.programs)


def test_a_range_without_a_pitch_of_the_key_is_refused() -> None:
    with pytest.raises(ImpossibleRequest, match="No pitch of C major is from 61 to 61"):
        Asked(key="C major", lowest=61, highest=61)
    with pytest.raises(ImpossibleRequest, match="from 66 to 66"):
        Asked(key="C major", lowest=(60, 66), highest=(72, 66))


def test_more_notes_at_once_than_there_are_pitches_are_refused() -> None:
    with pytest.raises(ImpossibleRequest, match="8 notes cannot sound at once: there are 2 pitches from 60 to 61"):
        Asked(polyphony=8, lowest=60, highest=61)
    with pytest.raises(ImpossibleRequest, match="3 notes cannot sound at once: there are 2 pitches from 60 to 62"):
        Asked(polyphony=(8, 3), lowest=(0, 60), highest=(127, 62), key="C major")
    Asked(polyphony=(2, 1), lowest=60, highest=61)


def test_lists_will_do() -> None:
    assert Asked(lowest=[40, None], chords=[1, 2]) == Asked(lowest=(40, None), chords=(1, 2))  # type: ignore[arg-type]


def each(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Nothing, one for all of three tracks, or one or nothing for each."""
    return st.none() | strategy | st.tuples(*[st.none() | strategy] * 3)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), seed=st.integers(0, 100))
def test_ranges_polyphony_and_chords_on_strong_beats_are_kept_whatever_is_drawn(data: st.DataObject, seed: int) -> None:
    codec = Cells(Cells.Settings())
    codec.learn([tune(n) for n in range(3)])
    x = codec.encode(tune(1, bars=4))
    lowest = data.draw(st.integers(40, 70))
    asked = Asked(
        lowest=data.draw(each(st.integers(lowest - 6, lowest))),
        highest=data.draw(each(st.integers(lowest + 4, 90))),  # so wide that every chord has a tone there
        polyphony=data.draw(each(st.integers(1, 3))),
        chords=data.draw(st.just(()) | st.just(chords_named("C G7 Am"))),
    )
    cells = np.ones((4, 3), dtype=bool) if data.draw(st.booleans()) else np.arange(12).reshape(4, 3) % 2 == 0
    told = hide(x, lambda _: cells, asked=lambda grid: asked.of(cells, grid.programs))
    kind, events = events_of(told)
    prompt = events[: int(np.argmax(kind == ANSWER))].reshape(-1)
    whole = filled(codec, prompt, seed)
    kinds, rows = events_of(whole)
    first = int(np.argmax(kinds == ANSWER))
    np.testing.assert_array_equal(rows[:first][kinds[:first] == ASKED], rows[first:][kinds[first:] == ASKED])
    made = Grid(unfold(whole), Grid(x).program_of)
    wanted = asked.of(cells, made.programs)
    for bar, track in zip(*np.nonzero(cells), strict=True):
        notes = notes_of(made, int(bar), int(track))
        _, low, high, voices, chord = wanted[bar, track].tolist()
        if made.programs[track] != DRUMS:
            assert all(low <= pitch <= (high if high >= 0 else 127) for _, _, pitch in notes)
            strong = METRES[int(values(made.events[made.kind == 0][bar, 1]))].strong_beats(STEPS)
            assert chord < 0 or all(classes(chord)[p % 12] for at, _, p in notes if at in strong)
        assert voices < 0 or all(sum(one[0] <= at < one[1] for one in notes) <= voices + 1 for at, _, _ in notes)


def left_at_once(codec: Cells, prompt: np.ndarray, seed: int) -> Grid:
    """The piece where, from the first note on, each cell is left as soon as it may be."""
    grammar, rng, ids = codec.grammar(), np.random.default_rng(seed), []
    grammar.start(Request())
    for id in prompt.tolist():
        grammar.advance(id)
    grammar.begin()
    leaves = [codec.spec.eos, vocabulary().first("answer")]
    while True:
        mask = grammar.mask()
        leaving = [id for id in leaves if mask[id] and (not ids or NOTE in events_of(np.array(ids))[0])]
        id = leaving[0] if leaving else int(rng.choice(np.flatnonzero(mask)))
        if id == codec.spec.eos:
            return Grid(unfold(np.concatenate([prompt, np.array(ids, dtype=np.int64)])))
        grammar.advance(id)
        ids.append(id)


@settings(max_examples=20, deadline=None)
@given(density=st.floats(0.25, 3), seed=st.integers(0, 100))
def test_a_cell_has_as_many_notes_as_are_asked_all_over_its_bar(density: float, seed: int) -> None:
    codec = Cells(Cells.Settings())
    codec.learn([tune(n) for n in range(3)])
    x = codec.encode(tune(1, bars=4))
    asked = Asked(density=density)
    told = hide(x, lambda _: np.ones((4, 3), dtype=bool), asked=lambda g: asked.of(np.ones((4, 3), bool), g.programs))
    kind, events = events_of(told)
    whole = filled(codec, events[: int(np.argmax(kind == ANSWER))].reshape(-1), seed)
    made = Grid(unfold(whole), Grid(x).program_of)
    level = int(asked.of(np.ones((4, 3), bool), made.programs)[0, 0, DENSITY])
    for bar in range(4):
        for track in np.flatnonzero(made.programs != DRUMS).tolist():  # whose two sounds may be held
            notes = notes_of(made, bar, track)
            least, most = counts(level, 4 * STEPS)
            assert least <= len(notes) <= most
            assert least == most or measured(made)[bar, track, DENSITY] == level
            if len(notes) > 8:
                assert max(at for at, _, _ in notes) >= 48


def thick(seed: int) -> Score:
    """A tune with three notes more above each."""
    score = tune(seed)
    for track in score.tracks[:2]:
        track.notes.extend(
            Note(note.time, note.duration, note.pitch + up, note.velocity)
            for note in list(track.notes)
            for up in (4, 7, 12)
        )
    return score.sort()


@settings(max_examples=30, deadline=None)
@given(polyphony=st.integers(2, 4), density=st.none() | st.floats(1.5, 4), seed=st.integers(0, 100))
def test_as_many_notes_as_are_asked_sound_at_once_in_each_cell(
    polyphony: int, density: float | None, seed: int
) -> None:
    codec = Cells(Cells.Settings())
    codec.learn([thick(n) for n in range(3)])
    x = codec.encode(tune(1, bars=4))
    cells = np.ones((4, 3), dtype=bool)
    asked = Asked(polyphony=polyphony, density=density)
    told = hide(x, lambda _: cells, asked=lambda grid: asked.of(cells, grid.programs))
    kind, events = events_of(told)
    prompt = events[: int(np.argmax(kind == ANSWER))].reshape(-1)
    for whole in (filled(codec, prompt, seed), None):
        made = left_at_once(codec, prompt, seed) if whole is None else Grid(unfold(whole), Grid(x).program_of)
        for bar in range(4):
            for track in np.flatnonzero(made.programs != DRUMS).tolist():
                each = [
                    (made.starts[b] + on, made.starts[b] + off, b)
                    for b in range(4)
                    for on, off, _ in notes_of(made, b, track)
                ]
                voices = [sum(on <= at < off for on, off, _ in each) for at, _, b in each if b == bar]
                assert max(voices, default=polyphony) == polyphony


@pytest.mark.parametrize("seed", range(5))
def test_a_cell_of_which_a_density_is_asked_is_not_silent(seed: int) -> None:
    x = CODEC.encode(tune(1, bars=4))
    cells = np.random.default_rng(seed).random((4, 3)) < 0.5
    cells[0, 0] = True
    asked = Asked(density=1.0)
    told = hide(x, lambda _: np.ones((4, 3), dtype=bool), asked=lambda grid: asked.of(cells, grid.programs))
    kind, events = events_of(told)
    made = left_at_once(CODEC, events[: int(np.argmax(kind == ANSWER))].reshape(-1), seed)
    sounding = {(int(b), int(made.tracks[t])) for b, t in zip(made.bar, made.track, strict=True) if t >= 0}
    assert sounding == set(zip(*np.nonzero(cells), strict=True))


@pytest.mark.parametrize("ends", [True, False])
def test_the_bar_with_which_a_piece_is_to_end_sounds(ends: bool) -> None:
    x = CODEC.encode(tune(1, bars=4))
    told = hide(x, lambda _: np.arange(12).reshape(4, 3) >= 6, ends=ends)
    kind, events = events_of(told)
    made = left_at_once(CODEC, events[: int(np.argmax(kind == ANSWER))].reshape(-1), 1)
    assert 2 in made.bar[made.kind == NOTE]
    assert (3 in made.bar[made.kind == NOTE]) == ends
