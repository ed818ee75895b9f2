"""Passages: the same music is found in any key, file, tempo or order of tracks; other music is not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento.passages import (
    LENGTH,
    NEAR,
    SKETCH,
    Line,
    Trace,
    groups,
    lines,
    near_copies,
    passages,
    resemblance,
    same_music,
    sketch,
    trace,
)
from partimento.score import Note, Score, Tempo, Track, note_array, transpose

TPQ = 480


def tune(seed: int, length: int = 60, tracks: int = 1) -> Score:
    """A random walk in eighths and quarters on each track, an octave apart."""
    rng = np.random.default_rng(seed)
    score = Score(TPQ)
    score.tempos.append(Tempo(0, qpm=100.0))
    for index in range(tracks):
        track = Track(f"part {index}", program=index)
        tick, pitch = 0, 76 - 14 * index
        for _ in range(length):
            duration = int(rng.choice([TPQ // 2, TPQ // 2, TPQ]))
            track.notes.append(Note(tick, duration, pitch, 80))
            tick += duration
            pitch = int(np.clip(pitch + rng.integers(-4, 5), 70 - 14 * index, 83 - 14 * index))
        score.tracks.append(track)
    return score


def seen(score: Score) -> Trace:
    return trace(note_array(score), score.ticks_per_quarter)


def changed(score: Score, **values: int) -> Score:
    """The score with fields of every note set or, by a leading "add_", shifted."""
    result = score.copy()
    for note in itertools.chain.from_iterable(track.notes for track in result.tracks):
        for name, value in values.items():
            if name.startswith("add_"):
                setattr(note, name[4:], getattr(note, name[4:]) + value)
            else:
                setattr(note, name, value)
    return result


def test_music_is_the_same_in_any_guise() -> None:
    score = tune(1, tracks=2)
    guises = {
        "transposed": transpose(score, 5),
        "down": transpose(score, -7),
        "other resolution": score.resample(96, min_dur=1),
        "other dynamics": changed(score, velocity=33),
        "other articulation": changed(score, add_duration=-100),
        "after a rest": score.shift_time(TPQ * 4),
    }
    tempo = score.copy()
    tempo.tempos[0].qpm = 61.0
    order = score.copy()
    del order.tracks[0]
    order.tracks.append(score.tracks[0])
    renamed = score.copy()
    for track in renamed.tracks:
        track.name, track.program = "other", 40
    joined = score.copy()
    joined.tracks[0].notes.extend(joined.tracks[1].notes)
    del joined.tracks[1]
    guises |= {"other tempo": tempo, "other order": order, "other instruments": renamed, "one track": joined}
    for name, guise in guises.items():
        assert seen(guise).music == seen(score).music, name
        assert resemblance(seen(guise).sketches, seen(score).sketches) == 1.0, name


def test_one_note_makes_it_other_music() -> None:
    score, other = tune(1), tune(1)
    other.tracks[0].notes[30].pitch += 1
    assert seen(score).music != seen(other).music
    assert not same_music(seen(score), seen(other))
    assert near_copies([seen(score), seen(other)]) == [(0, 1)]


@settings(deadline=None)
@given(shift=st.integers(-24, 24), stretch=st.sampled_from([2, 3, 4]), seed=st.integers(0, 50))
def test_passages_do_not_change_with_key_or_note_values(shift: int, stretch: int, seed: int) -> None:
    (line,) = lines(note_array(tune(seed)))
    moved = Line(line.pitch + shift, line.onset * stretch + 77)
    assert (passages(line) == passages(moved)).all()
    assert len(passages(line)) == len(line.pitch) - LENGTH + 1


def test_a_piece_in_other_note_values_is_the_same_music() -> None:
    score = tune(3)
    slow = score.copy()
    for note in slow.tracks[0].notes:
        note.time *= 2
        note.duration *= 2
    assert seen(slow).music != seen(score).music
    assert same_music(seen(slow), seen(score))


def test_a_performance_at_another_resolution_is_the_same_music() -> None:
    rng = np.random.default_rng(0)
    score = tune(4, length=200)
    for note in score.tracks[0].notes:
        note.time += int(rng.integers(0, 25))
    coarse = score.resample(96, min_dur=1)
    assert seen(coarse).music != seen(score).music, "rounding moves onsets over the borders of the grid"
    assert same_music(seen(coarse), seen(score))


def test_melody_and_accompaniment_are_each_found_in_the_whole() -> None:
    whole = tune(5, length=80, tracks=2)
    parts = []
    for index in range(2):
        part = whole.copy()
        del part.tracks[1 - index]
        parts.append(part)
    assert near_copies([seen(s) for s in (whole, *parts)]) == [(0, 1), (0, 2)]


def test_the_melody_is_the_highest_note_even_while_it_is_held() -> None:
    score = Score(TPQ)
    melody, chords = Track("melody"), Track("chords")
    for bar, pitch in enumerate((76, 74, 72)):
        melody.notes.append(Note(bar * 4 * TPQ, 4 * TPQ, pitch, 80))
        for beat, low in itertools.product(range(4), (48, 52)):
            chords.notes.append(Note((bar * 4 + beat) * TPQ, TPQ, low, 80))
    score.tracks.extend([melody, chords])
    high, low = lines(note_array(score))
    assert high.pitch.tolist() == [76, 74, 72]
    assert low.pitch.tolist() == [48] * 12


def test_drums_are_heard_where_nothing_else_sounds() -> None:
    def groove(kick: int) -> Score:
        score = Score(TPQ)
        drums = Track("drums", 0, True)
        for step in range(64):
            drums.notes.append(Note(step * TPQ // 2, 60, 42, 80))
            if step % 4 in (0, 3):
                drums.notes.append(Note(step * TPQ // 2, 60, kick, 80))
        score.tracks.append(drums)
        return score

    assert seen(groove(36)).music != seen(groove(37)).music, "another drum is no transposition"
    assert len(seen(groove(36)).sketches) == 1
    assert resemblance(seen(groove(36)).sketches, seen(groove(37)).sketches) < NEAR


@pytest.mark.parametrize("count", [0, 1, 2, LENGTH - 1, LENGTH])
def test_short_pieces_have_a_trace_too(count: int) -> None:
    notes = note_array(tune(1, length=count))
    found = trace(notes, TPQ)
    assert found.sketches.shape == (min(count, 1), SKETCH)
    assert same_music(found, trace(notes, TPQ))
    assert near_copies([found, found]) == ([(0, 1)] if count else [])


@settings(max_examples=30, deadline=None)
@given(shared=st.integers(0, 1500), other=st.integers(1, 1500), seed=st.integers(0, 2**32))
def test_sketches_estimate_the_share_in_common(shared: int, other: int, seed: int) -> None:
    """MinHash is unbiased with variance J(1-J)/k: five standard deviations leave room for chance."""
    drawn = np.random.default_rng(seed).integers(0, 2**64, size=shared + 2 * other, dtype=np.uint64)
    one, two = drawn[: shared + other], np.concatenate([drawn[:shared], drawn[shared + other :]])
    true = shared / (shared + 2 * other)
    estimate = resemblance(sketch(one)[None], sketch(two)[None])
    assert abs(estimate - true) <= 5 * np.sqrt(max(true * (1 - true), 0.01) / SKETCH)


def test_candidates_are_all_that_comparing_everything_finds() -> None:
    rng = np.random.default_rng(7)
    scores = [tune(seed, length=100) for seed in range(40)]
    for index in range(0, 40, 2):  # variants: a stretch of notes replaced
        variant = scores[index].copy()
        for note in variant.tracks[0].notes[: int(rng.integers(5, 40))]:
            note.pitch = int(rng.integers(60, 80))
        scores.append(transpose(variant, int(rng.integers(-5, 6))))
    traces = [seen(score) for score in scores]
    everything = {
        (i, j)
        for i, j in itertools.combinations(range(len(traces)), 2)
        if resemblance(traces[i].sketches, traces[j].sketches) >= NEAR
    }
    assert set(near_copies(traces)) == everything
    assert {(i, 40 + i // 2) for i in range(0, 40, 2)} >= everything, "unrelated tunes are not taken for copies"
    assert len(everything) >= 15


def test_a_crowd_of_copies_is_one_group() -> None:
    traces = [seen(transpose(tune(9), shift % 12)) for shift in range(150)]
    pairs = near_copies(traces)
    assert set(groups(150, pairs)) == {0}
    assert len(pairs) < 150 * 40, "a crowd is not compared all with all"


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_groups_are_what_pairs_connect(pairs: list[tuple[int, int]]) -> None:
    found = groups(20, pairs)
    assert all(found[i] == found[j] for i, j in pairs)
    assert all(found[first] == first and first <= piece for piece, first in enumerate(found))
    assert len(set(found)) >= 20 - len(pairs)
