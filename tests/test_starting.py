"""Runs that go on from a trained model: what they take over, and that they resume without it."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from partimento.bundle import open_bundle
from partimento.errors import InvalidSettings
from partimento.files import write
from partimento.progress import Progress
from partimento.training.runs import train
from partimento.training.starting import recipe_of
from test_runs import command
from test_runs import music as music  # a folder of tunes, and a cache of its own

from music import tune


def test_a_run_from_a_trained_model_begins_with_what_it_knows(music: Path, tmp_path: Path) -> None:
    base, tuned = tmp_path / "base", tmp_path / "tuned"
    subprocess.run(command(music, base, 60), check=True, capture_output=True, timeout=200)
    other = tmp_path / "other"
    other.mkdir()
    for seed in range(20, 28):
        write(tune(seed, bars=16), other / f"{seed}.mid")
    words = ["--from", str(base), "--set", "training.updates=10", "--set", "training.learning_rate=0.001"]
    line = [sys.executable, "-m", "partimento", "train", str(other), "--to", str(tuned), *words]
    said = subprocess.run(line, check=True, capture_output=True, text=True, timeout=200)
    assert "as it came" in said.stdout + said.stderr
    started, ended = open_bundle(base), open_bundle(tuned)
    assert ended.facts["started_from"] == started.digest
    assert ended.facts["scores"]["as it came, test, loss"] < 0.8 * math.log(ended.codec().spec.vocab_size)
    assert ended.facts["scores"]["test, loss"] != ended.facts["scores"]["as it came, test, loss"]
    assert started.codec().spec == ended.codec().spec
    moved = [np.abs(started.arrays()[name] - array).mean() for name, array in ended.arrays().items()]
    size = [np.abs(array).mean() for array in ended.arrays().values()]
    assert 0 < sum(moved) < 0.3 * sum(size)


def test_a_run_from_a_trained_model_resumes_without_it(music: Path, tmp_path: Path) -> None:
    base, whole, broken = (tmp_path / name for name in ("base", "whole", "broken"))
    subprocess.run(command(music, base, 10), check=True, capture_output=True, timeout=200)
    start = open_bundle(base)
    recipe = recipe_of(start).override(["training.updates=12", "training.save_every=0"])
    train(music, whole, recipe, start=start)

    def stop(event: Progress) -> None:
        if event.job == "Training" and event.done == 5:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        train(music, broken, recipe, start=start, watch=stop)
    shutil.rmtree(base)
    with pytest.raises(InvalidSettings, match="another model"):
        train(music, broken, recipe, start=open_bundle(whole), resume=True)
    train(music, broken, recipe, resume=True)
    assert open_bundle(broken).digest == open_bundle(whole).digest


@pytest.mark.parametrize(
    ("changed", "says"), [("codec.velocities=8", "codec"), ('model.stack=["cell 16"]', "do not fit")]
)
def test_what_would_make_another_network_is_refused(music: Path, tmp_path: Path, changed: str, says: str) -> None:
    base = tmp_path / "base"
    subprocess.run(command(music, base, 5), check=True, capture_output=True, timeout=200)
    start = open_bundle(base)
    with pytest.raises(InvalidSettings, match=says):
        train(music, tmp_path / "run", recipe_of(start).override([changed, "training.updates=5"]), start=start)


def test_a_run_that_was_killed_before_it_had_a_plan_goes_on_from_the_same_model(music: Path, tmp_path: Path) -> None:
    base, tuned = tmp_path / "base", tmp_path / "tuned"
    settings = ["--set", "training.updates=5", "--set", 'model.stack=["cell 24"]', "--set", "model.cell=gru"]
    line = [sys.executable, "-m", "partimento", "train", str(music)]
    subprocess.run([*line, "--to", str(base), *settings], check=True, capture_output=True, timeout=200)
    shutil.copytree(base / "bundle", tuned / "start")
    done = subprocess.run(
        [*line, "--to", str(tuned), "--resume", "--set", "training.updates=5"],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    ended = open_bundle(tuned)
    assert ended.facts["started_from"] == open_bundle(base).digest
    assert ended.recipe["model"]["cell"] == "gru"


def test_what_a_broken_run_began_from_is_forgotten_by_one_that_does_not_resume_it(music: Path, tmp_path: Path) -> None:
    base, fresh = tmp_path / "base", tmp_path / "fresh"
    subprocess.run(command(music, base, 5), check=True, capture_output=True, timeout=200)
    anew = command(music, fresh, 5)
    shutil.copytree(base / "bundle", fresh / "start")
    subprocess.run(anew, check=True, capture_output=True, timeout=200)
    assert "started_from" not in open_bundle(fresh).facts
    assert not (fresh / "start").exists()
