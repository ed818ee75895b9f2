"""The demo: real chorales, little time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from partimento.demo import AT_ONCE, chorales, compose_at_once, demo
from partimento.errors import MissingExtra
from partimento.files import read_safely
from partimento.recipes import recipe_named
from partimento.render.audio import measure

QUICK = ["training.updates=20", "training.length=64", "training.batch=4", 'model.stack=["cell 16"]']


def test_the_demo_learns_composes_and_composes_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recipe = recipe_named("lstm").override([*QUICK, "preparation.transpose=0"])
    first = demo(tmp_path / "demo", recipe=recipe, minutes=None, sample=12)
    second = demo(tmp_path / "demo", recipe=recipe, minutes=None, sample=12)
    assert first.music.name == "music"
    assert second.music.name == "music-2"
    for shown in (first, second):
        for piece in shown.pieces:
            assert piece.notes > 0
            assert measure(piece.midi.with_suffix(".wav")).rms > 0.001
    assert first.pieces[0].midi.read_bytes() != second.pieces[0].midi.read_bytes()
    facts = json.loads((first.run / "bundle" / "facts.json").read_text())
    assert sum(split["pieces"] for split in facts["splits"].values()) == 12
    assert "public domain" in facts["data_licence"]


def test_the_demo_begins_with_music_at_once(tmp_path: Path) -> None:
    made = compose_at_once(tmp_path)
    assert [midi.parent.name for midi, _ in made] == list(AT_ONCE)
    for midi, filled in made:
        assert filled.notes > 0
        assert midi.with_suffix(".png").stat().st_size > 0
        assert measure(midi.with_suffix(".wav")).rms > 0.001
    assert not compose_at_once(tmp_path)  # it is there


def test_the_chorales_are_there_and_are_music() -> None:
    files = sorted(chorales().glob("*.mxl"))
    assert len(files) > 400
    assert read_safely(files[0]).score.note_num() > 50


def test_without_the_extra_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partimento.demo.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"partimento\[demo\]"):
        chorales()
