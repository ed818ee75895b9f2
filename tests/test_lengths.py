"""Lengths: silences of hours and notes without end are mended, in their place in the bar; all else stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from symusic.core import ControlChangeTick, ControlChangeTickList

from partimento.files import read, write
from partimento.score import Note, Score, Tempo, TimeSignature, Track, bar_lines, end_tick, note_array

from music import tune


def spread(score: Score, at: int, by: int) -> Score:
    """All that begins at `at` or later, so much later."""
    later = score.copy()
    for track in later.tracks:
        for listed in (track.notes, track.controls, track.pedals):
            for event in listed:
                event.time += by if event.time >= at else 0
    for tempo in later.tempos:
        tempo.time += by if tempo.time >= at else 0
    return later


def through(score: Score, folder: Path) -> tuple[Score, tuple[str, ...]]:
    write(score, folder / "piece.mid")
    reading = read(folder / "piece.mid")
    return reading.score, reading.repairs


@given(bar=st.integers(1, 6), bars=st.integers(1, 1200))
def test_a_long_silence_is_shortened_and_what_comes_after_keeps_its_beat(
    tmp_path_factory: pytest.TempPathFactory, bar: int, bars: int
) -> None:
    score = tune(1, bars=8)
    cut = bar * 1920
    for track in score.tracks:  # nothing sounds across the bar line
        for note in track.notes:
            note.duration = min(note.duration, max(cut - note.time, 1)) if note.time < cut else note.duration
    found, repairs = through(spread(score, cut, bars * 1920), tmp_path_factory.mktemp("silence"))
    one, other = note_array(score), note_array(found)
    assert len(one) == len(other)
    before = one["onset"] < cut
    np.testing.assert_array_equal(other["onset"][before], one["onset"][before])
    moved = other["onset"][~before] - one["onset"][~before]
    assert len(set(moved.tolist())) == 1
    assert moved[0] % 1920 == 0
    if bars > 34:
        assert repairs == ("a silence of more than 128 beats was shortened",)
        assert 3 * 1920 <= moved[0] <= 5 * 1920
    elif bars < 31:
        assert moved[0] == bars * 1920
        assert repairs == ()


def test_tempi_controls_and_pedals_move_with_their_notes(tmp_path: Path) -> None:
    score = tune(2, bars=4, drums=False)
    at = 2 * 1920
    for track in score.tracks:
        for note in track.notes:
            note.duration = min(note.duration, max(at - note.time, 1)) if note.time < at else note.duration
    score.tempos.append(Tempo(at, qpm=90.0))
    score.tracks[0].controls.append(ControlChangeTick(at, 7, 99))
    score.tracks[0].controls.extend(ControlChangeTickList([ControlChangeTick(at, 64, 127)]))
    score.tracks[0].controls.extend(ControlChangeTickList([ControlChangeTick(at + 960, 64, 0)]))
    found, _ = through(spread(score, at, 1000 * 1920), tmp_path)
    first = int(note_array(found)["onset"][note_array(score)["onset"] >= at].min())
    assert [tempo.time for tempo in found.tempos if abs(tempo.qpm - 90) < 0.1] == [first]
    assert [c.time for c in found.tracks[0].controls if c.number == 7] == [first]
    assert [(p.time, p.duration) for p in found.tracks[0].pedals] == [(first, 960)]


def test_silence_keeps_the_metre_that_it_is_in(tmp_path: Path) -> None:
    score = Score(480)
    score.time_signatures.append(TimeSignature(0, 3, 4))
    track = Track("", 0)
    track.notes.append(Note(0, 480, 60, 64))
    track.notes.append(Note(1440 * 500 + 480, 480, 62, 64))
    score.tracks.append(track)
    found, _ = through(score, tmp_path)
    second = int(note_array(found)["onset"][1])
    lines = bar_lines(found)
    assert second - int(lines[lines <= second][-1]) == 480
    assert second < 1440 * 10


def test_a_note_that_nobody_ended_is_given_a_length(tmp_path: Path) -> None:
    score = tune(3, bars=4)
    score.tracks[0].notes[0].duration = 480 * 2_000
    score.tracks[0].notes[1].duration = 480 * 400  # long, but no longer than some pedal point
    score.tracks[0].notes[1].pitch = 20
    found, repairs = through(score, tmp_path)
    assert "a note that nobody ended was given 16 beats" in repairs
    lengths = np.sort(note_array(found)["duration"])[::-1]
    assert lengths[:2].tolist() == [480 * 400, 480 * 16]
    assert end_tick(found) < 480 * 500
