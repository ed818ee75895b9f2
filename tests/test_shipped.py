"""The model that comes along: whole, small, of music that allows it; all that docs/composing.md says works with it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from partimento.bundle import SHIPPED, open_bundle
from partimento.files import read_safely
from partimento.render.audio import measure
from partimento.training.starting import recipe_of

from commands import ROOT, commands_of, python_of, run
from music import write_tunes

PAGE = (ROOT / "docs" / "composing.md").read_text("utf-8")
LARGEST = 40_000_000  # bytes
QUICK = {
    "train": ["--set", "plan.most_passes=1", "--set", "training.batch=4", "--set", "preparation.transpose=0"],
}


def partimento(*words: str) -> list[str]:
    return [sys.executable, "-m", "partimento", *words]


def test_it_is_whole_and_small_and_says_where_it_comes_from() -> None:
    bundle = open_bundle()
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < LARGEST
    assert bundle.place == "shipped"
    assert open_bundle(Path("shipped")).digest == bundle.digest
    card = (SHIPPED / "README.md").read_text("utf-8")
    table = (ROOT / "shipping" / "README.md").read_text("utf-8")
    sources = [line.split("](")[0].removeprefix("| [") for line in table.splitlines() if line.startswith("| [")]
    assert len(sources) == 8
    for source in sources:
        assert source in card
    assert "CC BY" in bundle.facts["data_licence"]
    assert bundle.facts["limits"]


def test_it_foretells_music_far_better_than_a_markov_chain() -> None:
    scores = open_bundle().facts["scores"]
    assert scores["test, bits per note"] < 0.6 * scores["Markov baseline, test, bits per note"]


def test_what_goes_on_from_it_is_planned_for_its_own_music() -> None:
    shipped = open_bundle().recipe["training"]
    training = recipe_of(open_bundle()).settings["training"]
    assert training.threads is None
    assert training.held_out_ids < shipped["held_out_ids"]
    assert training.learning_rate < shipped["learning_rate"]
    assert training.length * training.batch <= 3072


def test_it_composes_at_once_the_same_each_time(tmp_path: Path) -> None:
    for to in ("one", "other"):
        done = run(partimento("compose", "--to", to, "--seed", "5"), tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "one" / "001.mid").read_bytes() == (tmp_path / "other" / "001.mid").read_bytes()
    assert measure(tmp_path / "one" / "001.wav").rms > 0.01
    first = (tmp_path / "one" / "001.mid").read_bytes()
    done = run(partimento("compose", "--again", "one/001.json", "--to", "by-its-facts"), tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "one" / "001.json").unlink()
    done = run(partimento("compose", "--again", "one/001.mid", "--to", "by-itself"), tmp_path)
    assert done.returncode == 0, done.stderr
    for to in ("by-its-facts", "by-itself"):
        assert (tmp_path / to / "001.mid").read_bytes() == first


def test_of_pieces_that_were_asked_for_the_likest_are_kept(tmp_path: Path) -> None:
    asked = ["compose", "--instruments", "piano,piano", "--bars", "4", "--sound", "none"]
    done = run(partimento(*asked, "-n", "4", "--best", "2", "--to", "best"), tmp_path)
    assert done.returncode == 0, done.stderr
    kept = sorted((tmp_path / "best").glob("*.mid"))
    assert len(kept) == 2
    assert "Ranked 1 of 4: like people's pieces on " in done.stdout
    done = run(partimento("compose", "--again", str(kept[1]), "--to", "again"), tmp_path)
    assert (tmp_path / "again" / kept[1].name).read_bytes() == kept[1].read_bytes(), done.stderr
    done = run(partimento(*asked, "-n", "2", "--best", "3", "--to", "no"), tmp_path)
    assert done.returncode != 0
    assert "The best 3 of 2 pieces cannot be chosen" in done.stderr


def test_a_folder_of_its_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shipped").mkdir()
    with pytest.raises(Exception, match="holds no bundle"):
        open_bundle(Path("shipped"))


def test_every_way_of_composing_does_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "my-music").mkdir()
    write_tunes(tmp_path / "my-music", range(10), bars=16)
    commands = commands_of(PAGE)
    assert {words[1] for words in commands} >= {"compose", "fill", "vary", "accompany", "harmonise", "train"}
    for words in commands:
        quiet = [] if words[1] == "train" or "--stream" in words else ["--sound", "none"]
        done = run([sys.executable, "-m", *words, *quiet, *QUICK.get(words[1], [])], tmp_path)
        assert done.returncode == 0, (words, done.stderr)
        if "--stream" in words:
            told = [json.loads(line) for line in done.stdout.splitlines()]
            assert told[-1]["end"]
            assert len(told) > 1
        elif words[1] != "train":
            assert read_safely(tmp_path / words[words.index("--to") + 1] / "001.mid").score.note_num() > 0
    done = run([sys.executable, "-c", python_of(PAGE)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "notes" in done.stdout
