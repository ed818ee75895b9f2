"""Filling: that a region is written anew and nothing else is touched, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from symusic.core import ControlChangeTick as ControlChange

from partimento import filling
from partimento.bundle import Bundle, write_bundle
from partimento.cli import app
from partimento.codecs.cells import Cells
from partimento.errors import ImpossibleRequest
from partimento.files import read, write
from partimento.filling import Region, fill, fill_into, said
from partimento.models.nested import Nested
from partimento.score import Score, TimeSignature, note_array
from partimento.training.loop import seeded

from little import write_little_bundle
from music import tune


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A model that knows nothing, whose grammar knows what a piece is."""
    codec = Cells(Cells.Settings())
    codec.learn([tune(seed) for seed in range(3)])
    with seeded(0):
        shape = Nested.Settings(layers=1, width=16, heads=2, inner=16, context=64)
        model = Nested(shape, codec.spec).eval()
    return write_bundle(
        tmp_path_factory.mktemp("model") / "bundle",
        recipe={
            "about": "Fills.",
            "codec": {"name": "cells"},
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
    one, other = fill(bundle, score, region, n=2, seed=1)
    old, stays = inside(score, region)
    for filled in (one, other):
        new, kept = inside(filled.score, region)
        assert kept == stays
        assert new != old
        assert len(new) == filled.notes > 0
        assert len(filled.score.tracks) == 3
    assert one.score != other.score
    (again,) = fill(bundle, score, region, n=1, seed=1)
    assert again.score == one.score


def test_more_than_fits_at_once_is_written_part_by_part(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []
    sampled = filling.sample

    def counted(stepper: Any, drafts: Any, *rest: Any, **more: Any) -> None:
        heard.extend(len(draft.heard) // 6 for draft in drafts)
        sampled(stepper, drafts, *rest, **more)

    monkeypatch.setattr(filling, "sample", counted)
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
    assert found == [(0, 64), (480, 64), (2000, 7), (3840, 64)]


def test_bars_are_those_of_the_metre(bundle: Bundle) -> None:
    score = tune(3, bars=6, drums=False)
    score.time_signatures.append(TimeSignature(1920, 3, 4))
    (filled,) = fill(bundle, score.sort(), Region((2, 3)))
    before, after = (note_array(s)[["onset", "pitch"]] for s in (score, filled.score))
    for start, stop in ((0, 1920), (1920 + 2 * 1440, 1 << 30)):
        kept = [[tuple(n) for n in notes.tolist() if start <= n[0] < stop] for notes in (before, after)]
        assert kept[0] == kept[1]


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
    written = fill_into(tmp_path / "new", bundle, tune(0), Region((2, 3)), name="tune.mid", n=2, seed=3, sound="none")
    assert [midi.name for midi, _ in written] == ["001.mid", "002.mid"]
    for midi, filled in written:
        assert read(midi).score.note_num() == filled.score.note_num()
        facts = json.loads(midi.with_suffix(".json").read_text())
        assert facts["region"] == {"bars": [2, 3], "tracks": None}
        assert facts["made"]["notes"] == filled.notes
        assert midi.with_suffix(".png").is_file()
    with pytest.raises(ImpossibleRequest, match="already holds"):
        fill_into(tmp_path / "new", bundle, tune(0), Region((2, 3)), name="tune.mid", sound="none")


def test_the_command(bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tune(4), tmp_path / "tune.mid")
    words = ["fill", str(tmp_path / "tune.mid"), "--model", str(bundle.folder), "--sound", "none"]
    app([*words, "--bars", "3-4", "--tracks", "1,2", "--to", str(tmp_path / "new")], result_action="return_value")
    assert "new notes" in capsys.readouterr().out
    assert (tmp_path / "new" / "001.mid").is_file()
    for wrong in (["--bars", "three"], ["--tracks", "1;2"], [], ["--bars", "90"]):
        with pytest.raises(ImpossibleRequest):
            app([*words, *wrong, "--to", str(tmp_path / "other")], result_action="return_value")
    assert not (tmp_path / "other").exists()


def test_a_region_in_words() -> None:
    assert said(Region((5, 5))) == "bar 5 filled"
    assert said(Region(None, (1, 2))) == "all bars of tracks 1, 2 filled"
