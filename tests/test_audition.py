"""Auditions: every checkpoint is heard, as its own weights would have it, and what cannot be heard says why."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import safetensors.numpy

from partimento.auditioning import audition, held_out_features, recipe_of
from partimento.bundle import open_bundle
from partimento.cli import app
from partimento.cli.tables import lines
from partimento.codec import Request
from partimento.composing import Order, compose_into
from partimento.errors import ImpossibleRequest, InvalidSettings
from partimento.evaluation.features import FEATURES, features
from partimento.files import read, write
from partimento.generation import Made
from partimento.guards import Guards
from partimento.progress import Progress
from partimento.recipes import recipe_named
from partimento.render.listening import Link, Strong, Table
from partimento.sampling import Sampling
from partimento.score import Score, bar_lines
from partimento.showing import shown
from partimento.training.checkpoints import NoCheckpoints, checkpoints
from partimento.training.runs import train

from music import tune

UPDATES = (10, 20, 30)
BARS = 3


def order(n: int = 1, seed: int = 5, request: Request | None = None) -> Order:
    return Order(n, seed, request or Request(bars=BARS), Sampling(), Guards(), np.empty(0, dtype=np.int64))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a checkpoint at each of its looks."""
    desk = tmp_path_factory.mktemp("desk")
    for seed in range(8):
        write(tune(seed, bars=12), desk / "music" / f"{seed}.mid")
    settings = [
        *("training.updates=30", "training.length=32", "training.batch=4", "training.evaluate_every=10"),
        *("training.keep=looks", "training.patience=none", 'model.stack=["cell 16"]', "preparation.transpose=0"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(desk / "cache"))
        train(desk / "music", desk / "run", recipe_named("chords").override(settings))
    return desk / "run"


@pytest.fixture(scope="module")
def heard(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heard") / "audition"
    audition(run, folder, order(n=2), sound="ogg", keep_bundles=True)
    return folder


@pytest.fixture
def copied(run: Path, tmp_path: Path) -> Path:
    """The run again, to be damaged."""
    return Path(shutil.copytree(run, tmp_path / "copied"))


def test_every_checkpoint_is_heard_seen_and_measured(run: Path, heard: Path) -> None:
    facts = json.loads((heard / "audition.json").read_text("utf-8"))
    assert [row["update"] for row in facts["checkpoints"]] == list(UPDATES)
    assert [row["best"] for row in facts["checkpoints"]] == [point.best for point in checkpoints(run)]
    for row, point in zip(facts["checkpoints"], checkpoints(run), strict=True):
        assert row["figures"] == dict(point.figures)
        assert row["why"] == ""
        assert len(row["pieces"]) == 2
        for piece in row["pieces"]:
            midi = heard / piece["midi"]
            assert len(bar_lines(read(midi).score)) == BARS
            assert midi.with_suffix(".ogg").stat().st_size > 1000
            assert midi.with_suffix(".png").stat().st_size > 1000


def test_a_checkpoint_plays_what_its_bundle_plays(run: Path, heard: Path, tmp_path: Path) -> None:
    bundles = {update: open_bundle(heard / "bundles" / f"{update:07d}") for update in UPDATES}
    for update, bundle in bundles.items():
        compose_into(tmp_path / str(update), bundle, order(n=2), sound="none")
        again = tmp_path / str(update) / "002.mid"
        assert again.read_bytes() == (heard / f"{update:07d}" / "002.mid").read_bytes()
    best = next(point.update for point in checkpoints(run) if point.best)
    learnt, heard_of = open_bundle(run).arrays(), bundles[best].arrays()
    for name, array in learnt.items():
        np.testing.assert_array_equal(array, heard_of[name])
    assert len({bundle.digest for bundle in bundles.values()}) == len(UPDATES)


def test_the_last_checkpoint_alone_is_heard_as_among_all(run: Path, heard: Path, tmp_path: Path) -> None:
    (only,) = audition(run, tmp_path / "last", order(n=2), sound="none", last=1).heard
    assert only.update == UPDATES[-1]
    for piece in only.pieces:
        assert piece.midi.read_bytes() == (heard / only.name / piece.midi.name).read_bytes()
    with pytest.raises(ImpossibleRequest, match="ask for 1 or more"):
        audition(run, tmp_path / "none", order(), sound="none", last=0)


def test_the_features_are_those_of_what_was_made(heard: Path) -> None:
    facts = json.loads((heard / "audition.json").read_text("utf-8"))
    for row in facts["checkpoints"]:
        made = [features(read(heard / piece["midi"]).score) for piece in row["pieces"]]
        for name, value in row["features"].items():
            there = [one[name] for one in made if np.isfinite(one[name])]
            assert value == (pytest.approx(np.mean(there)) if there else None)


def test_only_what_is_new_is_measured(run: Path, tmp_path: Path) -> None:
    codec = open_bundle(run).codec()
    prompted = dataclasses.replace(order(), prompt=codec.encode(tune(2, bars=2)), prompt_from="a tune")
    made = audition(run, tmp_path / "to", prompted, sound="none")
    for row in made.heard:
        score = read(row.pieces[0].midi).score
        onsets = sorted(int(note.time) for track in score.tracks for note in track.notes)
        new = [onset for onset in onsets if onset >= onsets[-row.pieces[0].notes]]
        assert row.pieces[0].notes <= len(new) < len(onsets)  # one of the prompt's may begin with the first new one
        beats = (end_of_notes(score) - new[0]) / score.ticks_per_quarter
        assert row.features["note density"] == pytest.approx(len(new) / beats)


def end_of_notes(score: Score) -> int:
    return max(int(note.time + note.duration) for track in score.tracks for note in track.notes)


def test_the_held_out_row_is_of_pieces_as_long_as_those_composed(run: Path) -> None:
    codec = open_bundle(run).codec()
    short, whole = held_out_features(run, codec, BARS), held_out_features(run, codec)
    assert set(short) == set(whole) == {feature.name for feature in FEATURES}
    assert short["repetition"] <= whole["repetition"]
    assert short["pitch range"] < whole["pitch range"]  # less music, fewer pitches
    assert held_out_features(run / "bundle", codec) == {}


def test_the_csv_has_a_row_for_each_checkpoint_and_one_to_compare_with(heard: Path) -> None:
    with (heard / "audition.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    facts = json.loads((heard / "audition.json").read_text("utf-8"))
    assert [row["update"] for row in rows] == [*map(str, UPDATES), "held-out pieces"]
    for row, known in zip(rows, [*facts["checkpoints"], None], strict=True):
        measured = known["features"] if known else facts["held-out pieces"]
        for name, value in measured.items():
            assert row[name] == ("" if value is None else f"{value:.6g}")
        assert row["held-out loss"] == (f"{known['figures']['held-out loss']:.6g}" if known else "")


def test_every_place_on_the_page_is_there(heard: Path) -> None:
    html = (heard / "index.html").read_text("utf-8")
    places = [unquote(place) for place in re.findall(r'(?:src|href)="([^"#]+)"', html)]
    assert len(places) > 3 * 2 * len(UPDATES)
    assert all((heard / place).is_file() for place in places)
    names = re.findall(r'id="([^"]+)"', html)
    assert set(re.findall(r'href="#([^"]+)"', html)) == set(names) == {f"{update:07d}" for update in UPDATES}


def test_a_checkpoint_that_cannot_be_played_says_why(copied: Path, tmp_path: Path) -> None:
    first, second, _ = (point.path for point in checkpoints(copied))
    first.write_bytes(b"not arrays")
    arrays = safetensors.numpy.load_file(second)
    safetensors.numpy.save_file({name: array * np.float32("nan") for name, array in arrays.items()}, second)
    events: list[Progress] = []
    made = audition(copied, tmp_path / "to", order(), sound="none", watch=events.append)
    damaged, lost, sound = made.heard
    assert "cannot be read" in damaged.why
    assert lost.why
    assert not sound.why
    assert len(sound.pieces) == 1
    assert sorted(path.name for path in (tmp_path / "to").iterdir() if path.is_dir()) == ["0000030"]
    html = made.page.read_text("utf-8")
    assert "Checkpoints that cannot be played" in html
    assert sum("cannot be played" in event.remark for event in events) == 2
    with (tmp_path / "to" / "audition.csv").open(newline="") as file:
        assert [bool(row["why"]) for row in csv.DictReader(file)] == [True, True, False, False]


def test_a_damaged_curve_is_named(copied: Path, tmp_path: Path) -> None:
    (copied / "training" / "curves.csv").write_text("update,loss\nfirst,low\n")
    with pytest.raises(NoCheckpoints, match=r"curves\.csv is damaged"):
        audition(copied, tmp_path / "to", order(), sound="none")


def test_a_run_at_work_is_heard_as_far_as_it_has_come(copied: Path, run: Path, heard: Path, tmp_path: Path) -> None:
    shutil.rmtree(copied / "bundle")  # comes when the run is over
    checkpoints(copied)[-1].path.unlink()
    made = audition(copied, tmp_path / "to", order(n=2), sound="none")
    assert [row.update for row in made.heard] == list(UPDATES[:2])
    for row in made.heard:
        for piece in row.pieces:
            assert piece.midi.read_bytes() == (heard / row.name / piece.midi.name).read_bytes()


@pytest.mark.parametrize("recipe", ["markov", "rnn-nade", "gan", "rbm-frame"])
def test_whatever_learns_is_heard(recipe: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(run.parent / "cache"))
    few = ["training.updates=2", "training.evaluate_every=1", "training.keep=looks", "training.batch=2"]
    train(run.parent / "music", tmp_path / "run", recipe_named(recipe).override([*few, "plan.sizes=[]"]))
    made = audition(tmp_path / "run", tmp_path / "to", order(request=Request(bars=2)), sound="none")
    assert [row.update for row in made.heard] == ([1] if recipe == "markov" else [1, 2])
    for row in made.heard:
        assert not row.why
        if row.pieces[0].notes:
            assert 1 <= len(bar_lines(read(row.pieces[0].midi).score)) <= 2  # a grid may end in silence
        else:
            assert all(np.isnan(value) for value in row.features.values())
    table = made.table()
    assert len(table.rows) == len(made.heard) + 1
    assert any("loss" in head for head in table.heads)
    assert ("The held-out loss is nats of pseudo" in made.page.read_text("utf-8")) == (recipe == "rbm-frame")
    assert any(row.best for row in made.heard) == (recipe != "gan")
    told = {row[0] for row in shown(open_bundle(tmp_path / "run")).facts_table().rows}
    assert ("best update" in told) == (recipe != "gan")
    assert ("updates" in told) == (recipe == "gan")


def test_a_silent_checkpoint_is_heard_as_silence(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from partimento import composing

    def silent(*arguments: object, **more: object) -> Iterator[Made]:
        yield Made(0, Score(480), np.empty(0, np.int64), 0, 1, 0, 0.0, ("It has no notes.",))

    monkeypatch.setattr(composing, "generate", silent)
    made = audition(run, tmp_path / "to", order(), sound="ogg")
    for row in made.heard:
        assert not row.why
        assert row.pieces[0].remarks == ("It has no notes.",)
        assert set(row.features) == {feature.name for feature in FEATURES}
        assert all(np.isnan(value) for value in row.features.values())
    assert "It has no notes." in made.page.read_text("utf-8")


def test_progress_never_goes_back_and_ends(run: Path, tmp_path: Path) -> None:
    events: list[Progress] = []
    audition(run, tmp_path / "to", order(), sound="none", watch=events.append)
    done = [event.done for event in events]
    assert done == sorted(done)
    assert done[-1] == events[-1].total == len(UPDATES)
    assert {event.job for event in events} == {"Auditioning"}


@pytest.mark.parametrize("heard_before", [0, 2])
def test_what_was_made_before_ctrl_c_is_there(run: Path, tmp_path: Path, heard_before: int) -> None:
    def stop(event: Progress) -> None:
        if event.done >= heard_before and event.done % 1:
            raise KeyboardInterrupt

    folder = tmp_path / "to"
    with pytest.raises(KeyboardInterrupt):
        audition(run, folder, order(n=3), sound="none", watch=stop)
    assert folder.exists() == bool(heard_before)
    if heard_before:
        facts = json.loads((folder / "audition.json").read_text("utf-8"))
        assert [row["update"] for row in facts["checkpoints"]] == list(UPDATES[:2])
        assert "2 of 3 checkpoints" in (folder / "index.html").read_text("utf-8")
        assert {path.name for path in folder.iterdir() if path.is_dir()} == {"0000010", "0000020"}


def test_what_cannot_be_done_is_refused_and_nothing_is_written(run: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    with pytest.raises(ImpossibleRequest, match="already holds something"):
        audition(run, tmp_path / "taken", order())
    with pytest.raises(ImpossibleRequest, match="fewer"):
        audition(run, tmp_path / "to", order(request=Request(bars=100_000)))
    with pytest.raises(NoCheckpoints, match="is no run"):
        recipe_of(run / "bundle")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]
    assert (tmp_path / "taken" / "mine.txt").read_text() == "mine"


def test_the_command_prints_the_table_and_says_where_to_listen(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    to = tmp_path / "to"
    app(["audition", str(run), "--to", str(to), "--bars", "2", "--sound", "none"], result_action="return_value")
    said = capsys.readouterr().out
    assert f"Listen and look: {to / 'index.html'}" in said
    for update in UPDATES:
        assert re.search(rf"^{update}\b", said, re.MULTILINE)
    assert "held-out pieces" in said
    assert max(map(len, said.splitlines()[:-1])) <= 80


def test_settings_are_changed_as_for_composing(run: Path, tmp_path: Path) -> None:
    def order_of(*words: str) -> dict[str, dict[str, object]]:
        to = tmp_path / f"to {len(words)}"
        app(["audition", str(run), "--to", str(to), "--sound", "none", *words], result_action="return_value")
        facts: dict[str, dict[str, object]] = json.loads((to / "audition.json").read_text("utf-8"))
        return facts

    facts = order_of("--set", "request.notes=9", "--set", "guards.loop_repeats=3", "--temperature", "0.5")
    assert (facts["request"]["notes"], facts["request"]["bars"]) == (9, None)
    assert facts["guards"]["loop_repeats"] == 3
    assert facts["sampling"]["temperature"] == 0.5
    assert order_of()["request"]["bars"] == 16
    with pytest.raises(InvalidSettings, match="model"):
        order_of("--set", "model.cell=gru")


def test_a_wide_table_goes_on_below() -> None:
    table = Table(["name", "one", "two words"], [[Link("a", "a"), 1.0, Strong(23456)], ["b", None, 3]], "All")
    assert lines(table, 80) == [
        "All",
        "              two",
        "name  one   words",
        "a       1  23,456",
        "b       –       3",
    ]
    for width in (9, 13, 80):
        made = lines(table, width)
        assert max(map(len, made[1:])) <= max(width, 13)
        text = "\n".join(made)
        assert all(cell in text for cell in ("23,456", "–", "words", "All"))
        assert text.count("name") == (2 if width < 18 else 1)
