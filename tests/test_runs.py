"""Runs: what is planned, what is cached, and what a kill at any moment costs (nothing)."""

from __future__ import annotations

import dataclasses
import math
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import partimento
from partimento.corpus import inspect
from partimento.errors import InvalidSettings, TooLittleMusic
from partimento.files import write
from partimento.progress import Progress
from partimento.recipes import from_tables, recipe_named
from partimento.training.checkpoints import checkpoints
from partimento.training.loop import RunExists
from partimento.training.planning import _fitting, new_model, plan, windows_of
from partimento.training.preparing import ENCODES, prepare
from partimento.training.runs import train
from partimento.windows import Windows

from music import tune

SETTINGS = [
    *("training.length=64", "training.batch=4", "training.evaluate_every=5", "training.save_every=0.05"),
    *('model.stack=["cell 24", "dropout 0.2"]', "preparation.transpose=1"),
]


@pytest.fixture
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "music"
    folder.mkdir()
    for seed in range(8):
        write(tune(seed, bars=16), folder / f"{seed}.mid")
    return folder


def command(music: Path, run: Path, updates: int) -> list[str]:
    chosen = [part for setting in [*SETTINGS, f"training.updates={updates}"] for part in ("--set", setting)]
    chosen += ["--recipe", "lstm", *(["--resume"] if run.exists() else [])]
    return [sys.executable, "-m", "partimento", "train", str(music), "--to", str(run), *chosen]


def test_a_killed_run_ends_as_if_never_stopped(music: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run(command(music, whole, 150), check=True, capture_output=True, timeout=200)
    rng, kills = random.Random(3), 0
    for _ in range(30):
        process = subprocess.Popen(command(music, broken, 150), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        began = time.monotonic()
        checkpoint = broken / "training" / "last.safetensors"
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        while process.poll() is None and time.monotonic() - began < 60:
            if kills < 3 and checkpoint.exists() and checkpoint.stat().st_mtime_ns != before:
                time.sleep(rng.random() * 0.3)
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.01)
        if process.wait(60) == 0:
            break
    assert kills == 3
    assert (whole / "bundle" / "manifest.json").read_bytes() == (broken / "bundle" / "manifest.json").read_bytes()
    kept = [{c.path.name: c.path.read_bytes() for c in checkpoints(run)} for run in (whole, broken)]
    assert kept[0] == kept[1]
    assert len(kept[0]) > 1
    assert [c.best for c in checkpoints(broken)] == [c.best for c in checkpoints(whole)]


def test_a_second_run_on_the_same_folder_reads_no_music(music: Path, tmp_path: Path) -> None:
    recipe = recipe_named("markov")
    first = train(music, tmp_path / "one", recipe)
    events: list[Progress] = []
    second = train(music, tmp_path / "two", recipe, watch=events.append)
    assert "Encoding" not in {event.job for event in events}
    assert (first.folder / "model.safetensors").read_bytes() == (second.folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize(("share", "expected"), [("none", 1 / 3), ("1", 1.0), ("0", 0.0), ("0.6", 0.6)])
def test_pieces_are_learnt_in_their_own_keys_as_often_as_asked(
    music: Path, tmp_path: Path, share: str, expected: float
) -> None:
    recipe = recipe_named("lstm").override([*SETTINGS, f"preparation.own_key={share}"])
    prepared = prepare(inspect(music), recipe, tmp_path)
    windows = windows_of(prepared, recipe, "train", new_model(recipe, prepared.codec.spec))
    own = sum(prepared.shares(recipe)[::3] * prepared.pieces["train"].targets[::3])
    assert windows.weights.mean() == pytest.approx(1.0)
    assert own / (windows.weights * windows.pieces.targets).sum() == pytest.approx(expected, abs=0.02)


def test_notes_are_those_of_the_scores_whatever_the_codec_drops(music: Path, tmp_path: Path) -> None:
    recipe = recipe_named("chords").override(["preparation.transpose=0"])  # drops the drums
    corpus = inspect(music)
    prepared = prepare(corpus, recipe, tmp_path)
    for split, pieces in prepared.pieces.items():
        said = sum(prepared.codec.notes(pieces[number]) for number in range(len(pieces)))
        assert said < pieces.notes.sum() == sum(piece.notes for piece in corpus.pieces(split))


def test_a_share_of_other_keys_needs_other_keys() -> None:
    with pytest.raises(InvalidSettings, match="own_key needs other keys"):
        recipe_named("lstm").override(["preparation.transpose=0", "preparation.own_key=0.5"])


def test_music_that_changed_is_not_gone_on_with(music: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(music, run, recipe_named("lstm").override([*SETTINGS, "training.updates=2"]))
    (run / "bundle").rename(tmp_path / "away")
    write(tune(99, bars=16), music / "new.mid")
    with pytest.raises(InvalidSettings, match="is not what the run"):
        train(music, run, recipe_named("lstm"), resume=True)


def test_the_minutes_become_updates_before_the_first(music: Path, tmp_path: Path) -> None:
    events: list[Progress] = []
    recipe = recipe_named("lstm").override([*SETTINGS, "plan.most_passes=2"])
    bundle = train(music, tmp_path / "run", recipe, minutes=0.05, watch=events.append)
    said = [event.remark for event in events if event.remark.startswith("Plan:")]
    updates = bundle.recipe["training"]["updates"]
    assert len(said) == 1
    assert f"{updates:,} updates" in said[0]
    assert max(event.done for event in events if event.job == "Training") <= updates
    assert bundle.facts["parameters"] > 1000


def test_looks_that_take_long_leave_time_for_updates() -> None:
    training = recipe_named("lstm").settings["training"]
    quick = _fitting(training, room=100.0, seconds=0.1, look=0.1, most=10**6)
    assert quick == {"updates": 975}
    slow = _fitting(training, room=100.0, seconds=0.1, look=4.0, most=10**6)
    assert slow == {"updates": 760, "evaluate_every": 127}  # six looks, a quarter of the time
    asked = _fitting(dataclasses.replace(training, evaluate_every=10), room=100.0, seconds=0.1, look=4.0, most=10**6)
    assert asked == {"updates": 200}
    assert _fitting(training, room=1.0, seconds=0.1, look=9.0, most=10**6)["updates"] == 1


def test_a_run_among_its_music_is_refused(music: Path) -> None:
    with pytest.raises(InvalidSettings, match="would be learnt from"):
        train(music, music / "run", recipe_named("markov"))
    assert not (music / "run").exists()


def test_an_early_end_is_said(music: Path, tmp_path: Path) -> None:
    settings = [*SETTINGS, "training.updates=400", "training.patience=1", "training.learning_rate=3.0"]
    said: list[str] = []
    bundle = train(
        music, tmp_path / "run", recipe_named("lstm").override(settings), watch=lambda event: said.append(event.remark)
    )
    assert bundle.facts["ended_early"]
    assert sum(remark.startswith("Stopped early") for remark in said) == 1


def test_epochs_become_updates_where_no_minutes_are_given(music: Path, tmp_path: Path) -> None:
    events: list[Progress] = []
    recipe = recipe_named("lstm").override([*SETTINGS, "plan.epochs=2.5", "plan.sizes=[]"])
    assert recipe.settings["plan"].minutes is None
    recipe = dataclasses.replace(recipe, source="Somebody (1999), 2.5 epochs.")
    bundle = train(music, tmp_path / "run", recipe, watch=events.append)
    training = bundle.recipe["training"]
    prepared = prepare(inspect(music), recipe, tmp_path / "spare")
    windows = Windows(prepared.pieces["train"], training["length"], training["batch"], training["seed"])
    assert training["updates"] == math.ceil(2.5 * windows.updates_per_epoch)
    (said,) = [event.remark for event in events if event.remark.startswith("Plan:")]
    assert "2.5 passes over the music in 3 keys" in said
    assert said.endswith("The source: Somebody (1999), 2.5 epochs.")
    assert bundle.facts["source"] == "Somebody (1999), 2.5 epochs."

    timed, remark = plan(recipe, prepared, minutes=1e-4)
    assert timed.settings["training"].updates == 1
    assert "The recipe asks for 2.5 passes, which would take" in remark
    timed, remark = plan(recipe, prepared, minutes=60.0)
    assert timed.settings["training"].updates == training["updates"]
    assert "asks for" not in remark


def test_minutes_and_epochs_exclude_one_another() -> None:
    recipe = recipe_named("lstm")
    with_epochs = recipe.override(["plan.epochs=3"])
    assert with_epochs.settings["plan"].minutes is None
    assert with_epochs.override(["plan.minutes=3"]).settings["plan"].epochs is None
    assert with_epochs.override(["training.updates=3"]).settings["plan"].epochs is None
    with pytest.raises(InvalidSettings, match="not both"):
        from_tables("both", {**recipe.to_tables(), "plan": {"minutes": 3.0, "epochs": 3.0}})


def test_what_is_set_by_hand_is_not_planned(music: Path) -> None:
    recipe = recipe_named("lstm")
    assert recipe.settings["plan"].sizes
    assert recipe.override(['model.stack=["cell 8"]']).settings["plan"].sizes == ()
    assert recipe.override(["training.updates=7"]).settings["plan"].minutes is None
    assert recipe.override(["training.clip=none"]).settings["training"].clip is None


def test_music_that_a_codec_cannot_say_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for seed in range(8):
        score = tune(seed, bars=16)
        score.tracks = [track for track in score.tracks if track.is_drum]
        for note in score.tracks[0].notes:
            note.pitch = 36 + (note.time // 480 + seed * note.time // 960) % 12
        write(score, tmp_path / "drums" / f"{seed}.mid")
    with pytest.raises(TooLittleMusic, match="finds no note"):
        train(tmp_path / "drums", tmp_path / "run", recipe_named("chords"))
    with pytest.raises(InvalidSettings, match="gives grids"):
        train(tmp_path / "drums", tmp_path / "run2", recipe_named("lstm").override(["codec.name=roll"]))


def test_a_damaged_cache_is_encoded_again(music: Path, tmp_path: Path) -> None:
    first = train(music, tmp_path / "one", recipe_named("markov"))
    damaged = list((tmp_path / "cache").rglob("rows.npy"))
    assert damaged
    for rows in damaged:
        rows.write_bytes(rows.read_bytes()[:100])
    second = train(music, tmp_path / "two", recipe_named("markov"))
    assert first.digest == second.digest


def test_all_that_decides_how_music_is_encoded_names_the_cache() -> None:
    package = Path(partimento.__file__).parent
    needless = {"atomic", "discovery", "errors", "settings"}  # of no consequence for what is written
    files = [
        file for place in ENCODES for file in [package / place, *(package / place).rglob("*.py")] if file.is_file()
    ]
    assert len(files) > len(ENCODES)
    for file in files:
        needed = set(re.findall(r"^ *from partimento\.(\w+)", file.read_text("utf-8"), re.MULTILINE))
        assert needed <= needless | {Path(place).stem for place in ENCODES}, file


def test_two_processes_do_not_train_in_one_run(music: Path, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    run = tmp_path / "run"
    run.mkdir()
    recipe = recipe_named("lstm").override([*SETTINGS, "training.updates=2"])
    with (run / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RunExists, match="Another process"):
            train(music, run, recipe)
    assert sum(split["pieces"] for split in train(music, run, recipe).facts["splits"].values()) == 8


def test_a_run_that_was_killed_before_its_plan_begins_anew(music: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    recipe = recipe_named("lstm").override([*SETTINGS, "training.updates=2"])
    (run / ".pieces-abc123" / "valid").mkdir(parents=True)
    for name in (".recipe-x7.toml", ".corpus-x8.json", ".lock"):
        (run / name).touch()
    (run / "a letter.txt").touch()
    with pytest.raises(RunExists, match="already holds something"):
        train(music, run, recipe, resume=True)
    (run / "a letter.txt").unlink()
    facts = train(music, run, recipe, resume=True).facts
    assert facts["pieces"] == facts["splits"]["train"]["pieces"] > 0  # what was held out was not learnt from
    assert not [path.name for path in run.glob(".*") if path.name != ".lock"]
