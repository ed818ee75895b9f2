"""Filling: that a region is written anew and nothing else is touched, and what is refused."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from symusic.core import ControlChangeTick as ControlChange

from partimento import filling
from partimento.alignment import moved
from partimento.bundle import Bundle, write_bundle
from partimento.cli import app
from partimento.codecs.cells import Cells
from partimento.codecs.cells.asking import DENSITY
from partimento.codecs.cells.asking import counts as asked_notes
from partimento.codecs.cells.fields import STEPS
from partimento.codecs.cells.grid import Grid
from partimento.errors import ImpossibleRequest
from partimento.files import read, write
from partimento.filling import Accompaniment, Asked, Manner, Region, Variation, alone, fill, writing
from partimento.filling.files import fill_into
from partimento.filling.splicing import spliced
from partimento.heard import Heard
from partimento.instruments import DRUMS, instrument_name
from partimento.models.nested import Nested
from partimento.sampling import Sampling
from partimento.score import Note, Score, TimeSignature, Track, note_array
from partimento.settings import to_table
from partimento.training.loop import seeded

from little import write_little_bundle
from music import tune


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A model that knows nothing, whose grammar knows what a piece is."""
    return new_bundle(tmp_path_factory.mktemp("model"), Cells(Cells.Settings()))


def new_bundle(folder: Path, codec: Cells) -> Bundle:
    """The same with this codec."""
    codec.learn([tune(seed) for seed in range(3)])
    codec.learn_ranges([tune(seed) for seed in range(3)])
    with seeded(0):
        shape = Nested.Settings(layers=1, width=16, heads=2, inner=16, context=64)
        model = Nested(shape, codec.spec).eval()
    return write_bundle(
        folder / "bundle",
        recipe={
            "about": "Fills.",
            "codec": {"name": "cells", **to_table(codec.settings)},
            "model": {"name": "nested", "context": 64},
            "preparation": {"hidden": 0.5},
        },
        codec_name="cells",
        codec=codec,
        model_name="nested",
        arrays=model.arrays(),
        export=model.export,
        facts={"pieces": 3, "notes": 300, "data_licence": "", "scores": {}, "seed": 0},
    )


def inside(score: Score, region: Region) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The notes of a score in 4/4 that lie in a region, and the others."""
    notes = note_array(score)
    bars = notes["onset"] // (4 * score.ticks_per_quarter) + 1
    first, last = region.bars or (1, 1 << 30)
    there = (bars >= first) & (bars <= last)
    if region.tracks is not None:
        there &= np.isin(notes["track"] + 1, region.tracks)
    return [tuple(note) for note in notes[there].tolist()], [tuple(note) for note in notes[~there].tolist()]


@pytest.mark.parametrize("region", [Region((3, 4)), Region((2, 6), (2,)), Region(None, (1, 3)), Region((8, 8), (3,))])
def test_a_region_is_written_anew_and_all_else_stays(bundle: Bundle, region: Region) -> None:
    score = tune(5)
    score.tracks[0].notes[-1].time += 7  # finer than the model knows
    one, other = fill(bundle, score, region, Manner(n=2, seed=1))
    old, stays = inside(score, region)
    for filled in (one, other):
        new, kept = inside(filled.score, region)
        assert kept == stays
        assert new != old
        assert len(new) == filled.notes > 0
        assert len(filled.score.tracks) == 3
    assert one.score != other.score
    (again,) = fill(bundle, score, region, Manner(n=1, seed=1))
    assert again.score == one.score


@pytest.mark.parametrize("beside", [-35, 35])
def test_a_piece_beside_its_beats_is_filled_as_one_upon_them(tmp_path: Path, beside: int) -> None:
    aligning, region = new_bundle(tmp_path, Cells(Cells.Settings(align=True))), Region((3, 4))
    piece = tune(5)
    piece.tracks[0].controls.append(ControlChange(0, 64, 127))
    (upon,) = fill(aligning, piece, region, Manner(seed=1))
    heard: list[Sequence[Heard]] = []
    hear = lambda event: heard.append(event.heard()) if event.heard else None  # noqa: E731
    (other,) = fill(aligning, moved(piece, beside), region, Manner(seed=1), watch=hear)
    assert other.notes == upon.notes > 0
    assert other.score == moved(upon.score, beside)
    assert any(heard)
    written = {(int(note["onset"]), int(note["pitch"])) for note in note_array(other.score)}
    assert {(round(note.onset * 480), note.pitch) for now in heard for note in now} <= written


def test_nothing_new_comes_before_the_beginning(tmp_path: Path) -> None:
    aligning = new_bundle(tmp_path, Cells(Cells.Settings(align=True)))
    piece = moved(tune(5), -35)
    for track in piece.tracks:
        track.notes = type(track.notes)([note for note in track.notes if note.time >= 0])
    for seed in range(4):
        (filled,) = fill(aligning, piece, Region((1, 1)), Manner(seed=seed))
        assert note_array(filled.score)["onset"].min() >= 0
        write(filled.score, tmp_path / f"{seed}.mid")
        assert read(tmp_path / f"{seed}.mid").score.note_num() == filled.score.note_num()


def thinned(score: Score, often: int) -> Score:
    """The melody alone, of which a note in so many is left."""
    found = score.copy()
    found.tracks = type(found.tracks)([found.tracks[0]])
    found.tracks[0].notes = type(found.tracks[0].notes)(list(found.tracks[0].notes)[::often])
    return found


@pytest.mark.parametrize("often", [1, 4])
def test_what_is_written_is_about_as_busy_as_what_stands_around_it(bundle: Bundle, often: int) -> None:
    """By a model that knows nothing, as steadiness has it; where a density is asked it decides alone."""
    piece, region = thinned(tune(5, bars=24), often), Region((9, 16))
    there, _ = inside(piece, region)
    mean = {}
    for steadiness in (0.0, 8.0):
        sampling = Sampling(steadiness=steadiness)
        made = fill(bundle, piece, region, Manner(n=4, seed=2, sampling=sampling))
        mean[steadiness] = np.mean([filled.notes for filled in made])
        asked = fill(bundle, piece, region, Manner(n=1, asked=Asked(density=4.0), sampling=sampling))
        assert asked[0].notes > 3 * 4 * 8
    assert 0.6 * len(there) < mean[8.0] < 1.6 * len(there)
    assert abs(np.log(mean[8.0] / len(there))) < abs(np.log(mean[0.0] / len(there)))


def test_what_is_silent_all_around_is_as_busy_as_learnt_tracks_of_its_instrument(tmp_path: Path) -> None:
    codec = Cells(Cells.Settings())
    bundle = new_bundle(tmp_path, codec)
    least, most = codec.busy_tracks[32].tolist()  # the tunes' bass: two notes in a bar
    assert least == most == pytest.approx(0.5, rel=0.05)
    for bars in (None, (9, 16)):
        made = fill_in(bundle, tune(5, bars=24), Accompaniment((32,), bars), Sampling(steadiness=8.0))
        assert 0.6 < made / (0.5 * 4 * (24 if bars is None else 8)) < 1.6


def fill_in(bundle: Bundle, piece: Score, task: Accompaniment, sampling: Sampling) -> int:
    return sum(filled.notes for filled in fill(bundle, piece, task, Manner(n=4, sampling=sampling))) // 4


@pytest.mark.parametrize(("tracks", "gone", "said"), [(9, 8, True), (9, 4, False), (8, 4, True), (3, 3, False)])
def test_tracks_that_fall_silent_are_counted(tracks: int, gone: int, said: bool) -> None:
    """Of as many tracks that play the same, where some leave two bars out."""
    piece = thinned(tune(5), 1)
    for _ in range(tracks - 1):
        piece.tracks.append(piece.tracks[0].copy())
    made = piece.copy()
    for track in list(made.tracks)[tracks - gone :]:
        track.notes = type(track.notes)([note for note in track.notes if not 2 * 1920 <= note.time < 4 * 1920])
    codec = Cells(Cells.Settings())
    before, after = Grid(codec.encode(piece)), Grid(codec.encode(made))
    found = filling.silenced(before, after, Region((3, 4)).cells(before))
    assert [f"{gone} of {tracks} tracks that played there are silent now" in one for one in found] == [True] * said


def test_more_than_fits_at_once_is_written_part_by_part(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []
    sampled = writing.sample

    def counted(stepper: Any, drafts: Any, *rest: Any, **more: Any) -> None:
        heard.extend(len(draft.heard) // 6 for draft in drafts)
        sampled(stepper, drafts, *rest, **more)

    monkeypatch.setattr(writing, "sample", counted)
    score = tune(2, bars=30)
    (filled,) = fill(bundle, score, Region(None, (1, 2)))
    assert len(heard) > 5
    assert max(heard) <= 64
    assert inside(filled.score, Region(None, (3,)))[0] == inside(score, Region(None, (3,)))[0]
    bars = {note[0] // 1920 for note in inside(filled.score, Region(None, (1, 2)))[0]}
    assert len(bars) > 10


def test_the_pedal_of_the_region_goes_with_its_notes(bundle: Bundle) -> None:
    score = tune(1, drums=False)
    times = [0, 480, 1920 + 10, 1920 + 960, 3840]
    score.tracks[0].controls.extend([ControlChange(t, 64, 127 * (n % 2 == 0)) for n, t in enumerate(times)])
    score.tracks[0].controls.append(ControlChange(2000, 7, 90))
    (filled,) = fill(bundle, score, Region((2, 2), (1,)))
    found = [(c.time, c.number) for c in filled.score.tracks[0].controls]
    assert found == [(0, 64), (480, 64), (2000, 7), (3840, 64)]  # up before the region, and up after it


def test_bars_are_those_of_the_metre(bundle: Bundle) -> None:
    score = tune(3, bars=6, drums=False)
    score.time_signatures.append(TimeSignature(1920, 3, 4))
    (filled,) = fill(bundle, score.sort(), Region((2, 3)))
    before, after = (note_array(s)[["onset", "pitch"]] for s in (score, filled.score))
    for start, stop in ((0, 1920), (1920 + 2 * 1440, 1 << 30)):
        kept = [[tuple(n) for n in notes.tolist() if start <= n[0] < stop] for notes in (before, after)]
        assert kept[0] == kept[1]


def made_of(score: Score, notes: list[Note], controls: list[ControlChange]) -> Grid:
    """The cells of a piece whose first track has other notes and controls."""
    other = score.copy()
    other.tracks[0].notes = type(other.tracks[0].notes)(notes)
    other.tracks[0].controls = type(other.tracks[0].controls)(controls)
    grid = Grid(Cells(Cells.Settings()).encode(score))
    return Grid(Cells(Cells.Settings()).encode(other), grid.program_of)


def first_bar_filled(score: Score, notes: list[Note], controls: list[ControlChange] | None = None) -> Score:
    """A piece of two tracks with its second bar of the first track as it was made."""
    grid = Grid(Cells(Cells.Settings()).encode(score))
    cells = np.zeros((grid.bars, len(grid.tracks)), dtype=bool)
    cells[1, 0] = True
    return spliced(score, grid, cells, made_of(score, notes, controls or []))[0]


def two_tracks(*notes: tuple[int, int, int]) -> Score:
    """Notes (onset, duration, pitch) on the first track, and a long piece on the second."""
    score = tune(0, bars=4, drums=False)
    score.tracks[0].notes = type(score.tracks[0].notes)([Note(t, d, p, 80) for t, d, p in notes])
    return score


def test_new_notes_give_way_to_old_ones_of_their_pitch() -> None:
    score = two_tracks((0, 2400, 60), (4000, 200, 62), (6000, 100, 64))
    made = [Note(2000, 200, 60, 80), Note(2000, 4000, 62, 80), Note(2500, 100, 60, 80), Note(3000, 200, 70, 80)]
    filled = first_bar_filled(score, [*made, Note(6000, 100, 64, 80)])
    found = sorted((n.time, n.duration, n.pitch) for n in filled.tracks[0].notes)
    assert found == [
        (0, 2400, 60),
        (2000, 2000, 62),
        (2500, 100, 60),
        (3000, 200, 70),
        (4000, 200, 62),
        (6000, 100, 64),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_what_was_there_is_there_in_the_file_too(bundle: Bundle, seed: int, tmp_path: Path) -> None:
    score, region = tune(seed, bars=8), Region((3, 5))
    (filled,) = fill(bundle, score, region, Manner(seed=seed))
    write(filled.score, tmp_path / "it.mid")
    again = read(tmp_path / "it.mid").score
    assert sorted(note[:-1] for note in inside(again, region)[1]) == sorted(
        note[:-1] for note in inside(score, region)[1]
    )


def test_the_pedal_after_the_region_is_as_it_was() -> None:
    score = two_tracks((0, 100, 60), (2000, 100, 60), (4000, 100, 60))
    later = [Note(4000, 100, 60, 80)]
    filled = first_bar_filled(score, later, [ControlChange(2400, 64, 127)])
    assert [(c.time, c.value) for c in filled.tracks[0].controls] == [(2400, 127), (3840, 0)]
    score.tracks[0].controls.extend([ControlChange(1000, 64, 127), ControlChange(9000, 64, 0)])
    filled = first_bar_filled(score, later, [ControlChange(2400, 64, 127), ControlChange(2880, 64, 0)])
    found = [(c.time, c.value) for c in filled.tracks[0].controls]
    assert found == [(1000, 127), (2400, 127), (2880, 0), (3840, 127), (9000, 0)]


def pedals(score: Score) -> list[tuple[int, int]]:
    """The first track's pedal: ticks and values."""
    return [(c.time, c.value) for c in score.tracks[0].controls if c.number == 64]


def test_a_pedal_that_is_lifted_on_the_bar_line_stays_lifted() -> None:
    score = two_tracks((0, 100, 60), (2000, 100, 60), (4000, 100, 60))
    score.tracks[0].controls.extend([ControlChange(2400, 64, 127), ControlChange(3840, 64, 0)])
    filled = first_bar_filled(score, [Note(4000, 100, 60, 80)])
    assert pedals(filled) == [(3840, 0)]


def test_a_pedal_whose_release_was_in_the_region_is_lifted() -> None:
    score = two_tracks((0, 100, 60), (2000, 100, 60), (4000, 100, 60))
    score.tracks[0].controls.extend([ControlChange(1000, 64, 127), ControlChange(1920, 64, 0)])
    filled = first_bar_filled(score, [Note(4000, 100, 60, 80)])
    assert pedals(filled) == [(1000, 127), (1920, 0)]


def test_new_notes_stay_in_their_bars_however_coarse_the_time_is() -> None:
    score = Score(1)
    for pitch in (60, 50):
        track = Track("", 0)
        track.notes.extend(Note(beat, 1, pitch, 80) for beat in range(16))
        score.tracks.append(track)
    made = two_tracks()
    made.tracks[0].notes.extend([Note(1920 + 1900, 10, 70, 80), Note(1920 + 600, 300, 71, 80)])
    grid = Grid(Cells(Cells.Settings()).encode(score))
    cells = np.zeros((grid.bars, 2), dtype=bool)
    cells[1, 0] = True
    numbers = grid.program_of
    filled, new = spliced(score, grid, cells, Grid(Cells(Cells.Settings()).encode(made), numbers))
    assert new == 2
    assert sorted((n.time, n.pitch) for n in filled.tracks[0].notes if n.pitch > 60) == [(5, 71), (7, 70)]


def test_where_no_note_comes_the_piece_stays_and_it_is_said(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "spliced", lambda score, *_: (Score(480), 0))
    (filled,) = fill(bundle, tune(0), Region((2, 2)))
    assert filled.score == tune(0)
    assert "No note came" in filled.remarks[0]


def test_what_is_heard_has_room_for_what_is_written(bundle: Bundle) -> None:
    """Of a dense track beside the region only so much is heard at once that the model sees every mark."""
    score = tune(1, bars=12)
    dense = Track("", 32)
    dense.notes.extend(Note(t, 60, 40 + t % 5, 80) for t in range(0, 12 * 1920, 120))
    score.tracks.append(dense)
    grid = Grid(Cells(Cells.Settings()).encode(score))
    nothing = np.full((grid.bars, len(grid.tracks), 5), -1)
    parts = list(writing._parts(grid, Region(None, (1,)).cells(grid), nothing, 64, 6.0))
    assert sum(part.sum() for part in parts) == 12
    assert all(np.flatnonzero(part.any(1)).size <= 2 for part in parts)


@pytest.mark.parametrize(
    ("region", "says"),
    [
        (Region((7, 9)), "bars 1 to 8"),
        (Region((0, 1)), "bars 1 to 8"),
        (Region(None, (4,)), "3 tracks"),
        (Region((3, 2)), "bars"),
    ],
)
def test_what_the_piece_does_not_have_is_refused(bundle: Bundle, region: Region, says: str) -> None:
    with pytest.raises(ImpossibleRequest, match=says):
        fill(bundle, tune(0), region)


def test_a_piece_without_a_note_is_refused(bundle: Bundle) -> None:
    with pytest.raises(ImpossibleRequest, match="no note"):
        fill(bundle, Score(480), Region((1, 1)))


def test_a_model_that_has_not_learnt_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from little import Crotchets

    monkeypatch.setattr("partimento.bundle.codec_named", lambda _: Crotchets)
    with pytest.raises(ImpossibleRequest, match="not learnt to fill"):
        fill(write_little_bundle(tmp_path / "b"), tune(0), Region((1, 1)))


def test_each_version_is_a_file_with_what_made_it(bundle: Bundle, tmp_path: Path) -> None:
    manner = Manner(n=2, seed=3)
    written = fill_into(tmp_path / "new", bundle, tune(0), Region((2, 3)), manner, name="tune.mid", sound="none")
    assert [midi.name for midi, _ in written] == ["001.mid", "002.mid"]
    for midi, filled in written:
        assert read(midi).score.note_num() == filled.score.note_num()
        facts = json.loads(midi.with_suffix(".json").read_text())
        assert facts["task"] == {"name": "region", "bars": [2, 3], "tracks": None}
        assert facts["made"]["notes"] == filled.notes
        assert midi.with_suffix(".png").is_file()
    with pytest.raises(ImpossibleRequest, match="already holds"):
        fill_into(tmp_path / "new", bundle, tune(0), Region((2, 3)), Manner(), name="tune.mid", sound="none")


def test_the_command(bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tune(4), tmp_path / "tune.mid")
    words = ["fill", str(tmp_path / "tune.mid"), "--model", str(bundle.folder), "--sound", "none"]
    app([*words, "--bars", "3-4", "--tracks", "1,2", "--to", str(tmp_path / "new")], result_action="return_value")
    assert "new notes" in capsys.readouterr().out
    assert (tmp_path / "new" / "001.mid").is_file()
    lengths = ["--bars", "3", "--set", "request.bars=4"]
    for wrong in (["--bars", "three"], ["--tracks", "1;2"], [], ["--bars", "90"], lengths):
        with pytest.raises(ImpossibleRequest):
            app([*words, *wrong, "--to", str(tmp_path / "other")], result_action="return_value")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("programs", [(33,), (33, 128), ()])
def test_new_tracks_stand_beside_those_that_there_are(bundle: Bundle, programs: tuple[int, ...]) -> None:
    score = tune(5, drums=False)
    assert len(score.tracks) == 2
    one, other = fill(bundle, score, Accompaniment(programs), Manner(n=2, seed=1))
    for filled in (one, other):
        assert [t.notes for t in filled.score.tracks[:2]] == [t.notes for t in score.tracks]
        new = filled.score.tracks[2:]
        expected = programs or (128,)  # what the learnt tunes have after two tracks
        assert [128 if track.is_drum else track.program for track in new] == list(expected)
        assert sum(len(track.notes) for track in new) == filled.notes > 0
    assert one.score != other.score
    assert len(score.tracks) == 2


def test_new_tracks_may_play_in_some_bars_alone(bundle: Bundle) -> None:
    (filled,) = fill(bundle, tune(2, bars=8), Accompaniment((40, 128), bars=(3, 4)), Manner(seed=2))
    for track in filled.score.tracks[3:]:
        assert all(2 * 1920 <= note.time < 4 * 1920 for note in track.notes)


def test_a_melody_is_taken_out_and_harmonised(bundle: Bundle) -> None:
    score = tune(3)
    melody = alone(score, 2)
    assert len(melody.tracks) == 1
    assert melody.tracks[0].notes == score.tracks[1].notes
    (filled,) = fill(bundle, melody, Accompaniment())
    assert len(filled.score.tracks) == 3  # the learnt tunes have three
    for wrong in (0, 4):
        with pytest.raises(ImpossibleRequest, match="3 tracks"):
            alone(score, wrong)


def test_a_variation_keeps_the_cells_that_were_not_drawn(bundle: Bundle) -> None:
    score = tune(4, bars=8)
    made = fill(bundle, score, Variation(0.25), Manner(n=3, seed=5))
    cells = {(bar, track) for bar in range(8) for track in range(3)}
    places = []
    for filled in made:
        old, new = (note_array(s) for s in (score, filled.score))
        changed = set()
        for bar, track in cells:
            mine = [n[(n["onset"] // 1920 == bar) & (n["track"] == track)].tolist() for n in (old, new)]
            changed |= {(bar, track)} if mine[0] != mine[1] else set()
        assert 1 <= len(changed) <= 6
        places.append(frozenset(changed))
    assert len(set(places)) > 1
    assert fill(bundle, score, Variation(0.25), Manner(n=1, seed=5))[0].score == made[0].score


def test_what_is_asked_is_kept(bundle: Bundle) -> None:
    asked = Asked(lowest=62, highest=66, polyphony=1)
    (filled,) = fill(bundle, tune(1, bars=8), Region(None, (1, 2)), Manner(asked=asked, seed=3))
    for track in filled.score.tracks[:2]:
        notes = sorted((note.time, note.end, note.pitch) for note in track.notes)
        assert notes
        assert all(62 <= pitch <= 66 for _, _, pitch in notes)
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(notes))


def test_what_is_asked_of_each_track_is_kept(bundle: Bundle) -> None:
    asked = Asked(lowest=(62, 40), highest=(70, 55), polyphony=(1, None))
    (filled,) = fill(bundle, tune(1, bars=8), Region(None, (1, 2)), Manner(asked=asked, seed=3))
    for track, low, high in zip(filled.score.tracks[:2], (62, 40), (70, 55), strict=True):
        assert len(track.notes)
        assert all(low <= note.pitch <= high for note in track.notes)
    notes = sorted((note.time, note.end) for note in filled.score.tracks[0].notes)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(notes))


@pytest.mark.parametrize(
    ("task", "asked", "says"),
    [
        (Accompaniment(tuple([0] * 65)), None, "too many|So many"),
        (Accompaniment(), None, "no more than 3 tracks"),
        (Region((1, 2)), Asked(lowest=120), "pitches from 36 to 76"),
        (Region((1, 2), (1, 2)), Asked(lowest=(60, 120)), "pitches from 36 to 76"),
        (Region((1, 2)), Asked(key="C major", lowest=77, highest=100), "pitches of C major from 36 to 76"),
        (Region((1, 2), (1, 2)), Asked(lowest=(60, 50, 40)), "asked of 3 tracks one by one, and 2 are written"),
        (Variation(0.1, Region(None, (1, 2))), Asked(density=(1.0, 2.0, 3.0)), "asked of 3 tracks"),
        (Variation(0.5, Region((7, 9))), None, "bars 1 to 8"),
    ],
)
def test_what_cannot_be_written_is_refused(bundle: Bundle, task: Any, asked: Asked | None, says: str) -> None:
    with pytest.raises(ImpossibleRequest, match=says):
        fill(bundle, tune(0), task, Manner(asked=asked or Asked()))


@pytest.mark.parametrize("share", [0, -1, 1.5])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(ImpossibleRequest, match="share"):
        Variation(share)


PLAYER = ["--set", "player.lookahead=3"]  # of no effect here


def test_the_other_commands(bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tune(4, drums=False), tmp_path / "tune.mid")
    for words in (
        ["accompany", "--instruments", "bass,drums", "--bars", "2-3", "--polyphony", "2", "--lowest", "-,E1"],
        ["harmonise", "--track", "2", "--chords", "C G Am F", "--lowest", "C3"],
        ["vary", "--share", "0.3", "--tracks", "1", "--density", "2"],
    ):
        to = tmp_path / words[0]
        line = [words[0], str(tmp_path / "tune.mid"), "--model", str(bundle.folder), *words[1:], "--to", str(to)]
        app([*line, "--sound", "none", "-n", "2"], result_action="return_value")
        assert "new notes" in capsys.readouterr().out
        assert (to / "002.mid").is_file()
        assert (to / "002.png").is_file()
    facts = json.loads((tmp_path / "accompany" / "001.json").read_text())
    assert facts["task"] == {"name": "accompaniment", "programs": [33, 128], "bars": [2, 3]}
    assert facts["asked"]["polyphony"] == 2
    assert facts["asked"]["lowest"] == [None, 28]
    for wrong in (
        ["--instruments", "zither of doom"],
        ["--lowest", "H9"],
        ["--chords", "X"],
        ["--polyphony", "0"],
        ["--polyphony", "-1"],
        ["--polyphony", "1.5"],
        ["--polyphony", "- 5"],
        ["--polyphony", "1,- 5"],
        ["--polyphony", "9" * 5000],
        ["--polyphony", "1,2,3,4"],
        ["--density", "many"],
        ["--density", "nan"],
        ["--key", "H"],
        PLAYER,
    ):
        line = ["accompany", str(tmp_path / "tune.mid"), "--model", str(bundle.folder), "--to", str(tmp_path / "no")]
        with pytest.raises(ImpossibleRequest):
            app([*line, *wrong], result_action="return_value")
    assert not (tmp_path / "no").exists()


def test_a_region_in_words() -> None:
    assert Region((5, 5)).said() == "bar 5 filled"
    assert Region(None, (1, 2)).said() == "all bars of tracks 1, 2 filled"


def test_what_comes_without_a_note_is_named(bundle: Bundle) -> None:
    guitar = 24  # nothing of the kind was learnt
    (made,) = fill(bundle, tune(0), Accompaniment((guitar, DRUMS)))
    sounding = {DRUMS if track.is_drum else track.program for track in made.score.tracks if len(track.notes)}
    said = " ".join(made.remarks)
    assert (instrument_name(DRUMS) in said) == (DRUMS not in sounding)
    assert "The model has learnt nothing of Nylon Guitar." in said
    added = [note.pitch for note in made.score.tracks[3].notes]
    assert all(40 <= pitch <= 88 for pitch in added)  # a guitar's compass


@pytest.mark.parametrize("seed", range(6))
def test_no_silence_in_the_middle_of_a_piece_is_longer_than_its_guard(bundle: Bundle, seed: int) -> None:
    score = Score(480)
    score.tracks.append(Track("One note a bar", 0, False))
    score.tracks[0].notes.extend(Note(1920 * bar, 480, 60 + bar % 5, 80) for bar in range(12))
    (made,) = fill(bundle, score, Region((3, 9)), Manner(seed=seed, longest_silence=4.0))
    notes = note_array(made.score)
    heard = np.maximum.accumulate(notes["onset"] + notes["duration"])[:-1]
    assert (notes["onset"][1:] - heard).max() <= 4 * 480


@pytest.mark.parametrize(("over", "begins"), [(0, 1920), (9, 1929), (40, None)])
def test_who_plays_legato_loses_no_note_to_what_rings_over_the_bar_line(over: int, begins: int | None) -> None:
    """A step is 20 ticks; what rings for one or longer is there for the model, too, and a note upon it is none."""
    codec = Cells(Cells.Settings())
    score = Score(480)
    score.tracks.append(Track("Legato", 0, False))
    score.tracks[0].notes.extend([Note(0, 1920 + over, 60, 80), Note(3840, 480, 62, 80)])
    wanted = score.copy()
    wanted.tracks[0].notes = type(wanted.tracks[0].notes)([Note(1920, 480, 60, 80), Note(3840, 480, 62, 80)])
    grid, made = Grid(codec.encode(score)), Grid(codec.encode(wanted))
    cells = np.zeros((grid.bars, 1), dtype=np.bool_)
    cells[1] = True
    found, new = spliced(score, grid, cells, made)
    assert new == (begins is not None)
    assert [note.time for note in found.tracks[0].notes] == [0, *([begins] if begins else []), 3840]


def test_a_file_of_few_ticks_has_no_note_twice(bundle: Bundle) -> None:
    score = tune(0)
    coarse = score.resample(6, min_dur=1)
    for seed in range(4):
        (made,) = fill(bundle, coarse, Region((3, 4), (1,)), Manner(seed=seed))
        notes = note_array(made.score)[["onset", "pitch", "track"]].tolist()
        assert len(set(notes)) == len(notes)
        assert made.score.ticks_per_quarter % STEPS == 0


def test_parts_are_smaller_where_many_notes_are_asked(bundle: Bundle) -> None:
    grid = Grid(bundle.codec().encode(tune(0, bars=16)))
    cells = np.ones((grid.bars, len(grid.tracks)), dtype=np.bool_)
    few, many = (Asked(density=density).of(cells, grid.programs) for density in (1.0, 16.0))
    sizes = [max(int(part.sum()) for part in writing._parts(grid, cells, wish, 256, 6.0)) for wish in (few, many)]
    assert sizes[0] > sizes[1]
    least, most = asked_notes(int(many[0, 0, DENSITY]), 4 * STEPS)
    assert sizes[1] == len(grid.tracks)  # a bar, which has more than half of what is heard
    assert least <= 64 <= most


@pytest.mark.parametrize("seed", range(4))
def test_a_density_is_kept_where_a_note_rings_on_into_the_bar(bundle: Bundle, seed: int) -> None:
    score = Score(480)
    score.tracks.append(Track("Tied", 0, False))
    score.tracks[0].notes.extend([Note(0, 2880, 60, 80), Note(3840, 480, 62, 80)])
    (made,) = fill(bundle, score, Region((2, 2)), Manner(seed=seed, asked=Asked(density=2.0, polyphony=1)))
    notes = note_array(made.score)
    there = int(((notes["onset"] >= 1920) & (notes["onset"] < 3840)).sum())
    level = int(Asked(density=2.0).of(np.ones((1, 1), bool), np.zeros(1, np.int64))[0, 0, DENSITY])
    assert asked_notes(level, 4 * STEPS)[0] <= there <= asked_notes(level, 4 * STEPS)[1]


@pytest.mark.parametrize("metre", [(15, 8), (13, 8)])
def test_bars_that_the_model_would_count_otherwise_are_refused(bundle: Bundle, metre: tuple[int, int]) -> None:
    score = tune(0)
    score.time_signatures = type(score.time_signatures)([TimeSignature(0, *metre)])
    with pytest.raises(ImpossibleRequest, match="metre that the model does not know"):
        fill(bundle, score, Region((2, 2)))
