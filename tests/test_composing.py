"""Composing: how much of a piece is given to go on from, and what is refused because it would have no effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento.bundle import open_bundle
from partimento.cli.compose import compose
from partimento.composing import composing_tables
from partimento.errors import ImpossibleRequest, InvalidSettings
from partimento.pieces import Pieces
from partimento.prompts import Opening, first_notes, random_prompt
from partimento.score import bar_lines, end_tick, note_array

from music import scores, tune


@given(scores(), st.integers(1, 40))
def test_the_first_notes_are_those_that_begin_first(score: object, count: int) -> None:
    first = first_notes(score, count)  # type: ignore[arg-type]
    whole = note_array(first_notes(score, 10**6))  # type: ignore[arg-type]
    kept = note_array(first)
    assert len(whole) == score.note_num()  # type: ignore[attr-defined]
    assert len(kept) == min(count, len(whole))
    if len(kept) < len(whole):
        left = sorted(whole["onset"].tolist())[len(kept) :]
        assert kept["onset"].max() <= left[0]


def test_an_opening_begins_with_the_bar_of_the_first_note_and_cuts_none_short() -> None:
    score = tune(3, drums=False).shift_time(4 * 1920)
    whole = note_array(score)
    for opening in (Opening(2), Opening(9, "notes")):
        taken = note_array(opening.of(score))
        assert taken["onset"][0] < 1920
        np.testing.assert_array_equal(taken["onset"] + 4 * 1920, whole["onset"][: len(taken)])
    nine = note_array(Opening(9, "notes").of(score))
    np.testing.assert_array_equal(nine["duration"], whole["duration"][:9])
    two = Opening(2).of(score)
    assert len(bar_lines(two, end_tick(two))) == 2


def test_a_random_prompt_is_music_of_a_held_out_piece(tmp_path: Path) -> None:
    bundle = open_bundle()
    codec, tunes = bundle.codec(), [tune(seed) for seed in range(3)]
    Pieces.write(tmp_path / "pieces" / "valid", ((codec.encode(one), one.note_num()) for one in tunes), codec.spec)
    for seed in range(4):
        ids, number = random_prompt(tmp_path, bundle, Opening(2), seed)
        given = note_array(codec.decode(ids))
        whole = note_array(tunes[number].resample(24))
        bars = [
            {(int(n["onset"]) - start, int(n["pitch"]), int(n["program"])) for n in whole}
            for start in range(0, 8 * 96, 96)
        ]
        mine = {(int(n["onset"]), int(n["pitch"]), int(n["program"])) for n in given}
        assert len(mine) > 4
        assert any(mine <= bar for bar in bars)


@pytest.mark.parametrize(("count", "unit"), [(0, "bars"), (-1, "notes")])
def test_nothing_is_no_opening(count: int, unit: str) -> None:
    with pytest.raises(ImpossibleRequest, match=f"--prompt-{unit} must be 1 or more"):
        Opening(count, unit)  # type: ignore[arg-type]


GRIDS = {"codec": {"name": "roll", "pitches": 40}}
IDS, CELLS = {"codec": {"name": "chords"}}, {"codec": {"name": "cells"}}


@pytest.mark.parametrize(
    "name",
    [
        "guards.loop_repeats",
        "sampling.top_k",
        "sampling.top_p",
        "sampling.min_p",
        "sampling.kinds_p",
        "sampling.steadiness",
    ],
)
def test_what_is_for_ids_is_refused_where_grids_are_made(name: str) -> None:
    table, _, setting = name.partition(".")
    with pytest.raises(InvalidSettings, match=rf"{name} is of no effect here"):
        composing_tables(GRIDS, [f"{name}=3"])
    with pytest.raises(InvalidSettings, match=rf"{name} is of no effect here"):
        composing_tables(GRIDS, **{table: {setting: 3}})
    assert composing_tables(CELLS, [f"{name}=3"])[table] == {setting: 3}


@pytest.mark.parametrize("name", ["sampling.kinds_p", "sampling.steadiness"])
def test_what_is_for_cells_is_refused_elsewhere(name: str) -> None:
    with pytest.raises(InvalidSettings, match=rf"{name} is of no effect here: it is for models on the codec cells"):
        composing_tables(IDS, [f"{name}=0.5"])
    assert composing_tables(IDS, ["sampling.top_p=0.5"])["sampling"] == {"top_p": 0.5}


def test_what_grids_know_may_be_set() -> None:
    made = composing_tables(GRIDS, ["request.longest_note=2"], sampling={"temperature": 0.5}, request={"bars": 3})
    assert made["request"]["longest_note"] == 2
    assert made["sampling"] == {"temperature": 0.5}


@pytest.mark.parametrize(
    ("said", "flag"),
    [
        ({"bars": 5}, "bars"),
        ({"seed": 0}, "seed"),
        ({"n": 1}, "number"),
        ({"top_k": 3}, "top-k"),
        ({"prompt": "random"}, "prompt"),
        ({"set_": ("player.walk=0.5",)}, "set"),
    ],
)
def test_a_piece_made_again_takes_no_other_settings(tmp_path: Path, said: dict[str, Any], flag: str) -> None:
    with pytest.raises(ImpossibleRequest, match=f"^--{flag} is of no effect on a piece that is made --again"):
        compose(tmp_path / "run", to=tmp_path / "new", again=tmp_path / "001.mid", **said)


@pytest.mark.parametrize("flag", ["prompt_bars", "prompt_notes"])
def test_a_prompts_length_needs_a_prompt(tmp_path: Path, flag: str) -> None:
    with pytest.raises(ImpossibleRequest, match=f"^--{flag.replace('_', '-')} is of a prompt"):
        compose(tmp_path / "run", to=tmp_path / "new", **{flag: 5})  # type: ignore[arg-type]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_what_was_made_before_the_end_is_told(
    tmp_path: Path, stop: type[BaseException], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(_: Path) -> None:
        (tmp_path / "001.mid").touch()  # as a piece that is whole
        raise stop

    monkeypatch.setattr("partimento.cli.compose.open_bundle", stopped)
    with pytest.raises(stop):
        compose(tmp_path / "run", to=tmp_path)
    assert capsys.readouterr().out.startswith("1 piece made until then")
