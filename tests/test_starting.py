"""Runs that go on from a trained model: what they take over, and that they resume without it."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from attending import likelihoods
from partimento.alignment import moved
from partimento.bundle import Bundle, open_bundle
from partimento.codec import Request
from partimento.codecs.cells.fields import vocabulary
from partimento.corpus import inspect
from partimento.errors import InvalidSettings
from partimento.files import write
from partimento.generation import generate
from partimento.models.nested import Nested
from partimento.pieces import Pieces
from partimento.progress import Progress
from partimento.recipes import recipe_named
from partimento.training.loop import held_out
from partimento.training.planning import new_model
from partimento.training.rehearsing import rehearsal
from partimento.training.runs import CAME, train
from partimento.training.starting import begun, recipe_of
from partimento.windows import Windows

from music import tune

SETTINGS = [
    "training.length=64",
    "training.batch=4",
    "training.save_every=0",
    "model.cell=gru",
    'model.stack=["cell 24"]',
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with music and a cache of its own."""
    folder = tmp_path_factory.mktemp("starting")
    for name, seeds in (("music", range(8)), ("other", range(20, 28))):
        (folder / name).mkdir()
        for seed in seeds:
            write(tune(seed, bars=16), folder / name / f"{seed}.mid")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="module")
def base(place: Path) -> Bundle:
    """A trained model."""
    recipe = recipe_named("lstm").override([*SETTINGS, "training.updates=60", "preparation.transpose=1"])
    return train(place / "music", place / "base", recipe)


def test_a_run_from_a_trained_model_begins_with_what_it_knows(place: Path, base: Bundle, tmp_path: Path) -> None:
    words = ["--from", str(place / "base"), "--set", "training.updates=10", "--set", "training.learning_rate=0.001"]
    line = [sys.executable, "-m", "partimento", "train", str(place / "other"), "--to", str(tmp_path / "tuned"), *words]
    said = subprocess.run(line, check=True, capture_output=True, text=True, timeout=200)
    assert "as it came" in said.stdout + said.stderr
    ended = open_bundle(tmp_path / "tuned")
    assert ended.facts["started_from"] == base.digest
    assert ended.facts["scores"]["as it came, test, loss"] < 0.8 * math.log(ended.codec().spec.vocab_size)
    assert ended.facts["scores"]["test, loss"] != ended.facts["scores"]["as it came, test, loss"]
    kept = json.loads((tmp_path / "tuned" / CAME).read_text())  # not measured again by a run that goes on
    assert {name: ended.facts["scores"][name] for name in kept} == kept
    assert base.codec().spec == ended.codec().spec
    moved = [np.abs(base.arrays()[name] - array).mean() for name, array in ended.arrays().items()]
    size = [np.abs(array).mean() for array in ended.arrays().values()]
    assert 0 < sum(moved) < 0.3 * sum(size)


@pytest.mark.parametrize("share", [0, 0.4])
def test_a_run_from_a_trained_model_resumes_without_it(place: Path, base: Bundle, tmp_path: Path, share: float) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    start = open_bundle(shutil.copytree(base.folder, tmp_path / "lent"))
    recipe = recipe_of(start).override(["training.updates=12", f"preparation.rehearsal={share}"])
    train(place / "music", whole, recipe, start=start)

    def stop(event: Progress) -> None:
        if event.job == "Training" and event.done == 5:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        train(place / "music", broken, recipe, start=start, watch=stop)
    shutil.rmtree(start.folder)
    with pytest.raises(InvalidSettings, match="another model"):
        train(place / "music", broken, recipe, start=open_bundle(whole), resume=True)
    train(place / "music", broken, recipe, resume=True)
    assert open_bundle(broken).digest == open_bundle(whole).digest
    assert (broken / "rehearsal").exists() == (share > 0)


def test_a_run_from_nothing_has_nothing_to_rehearse(place: Path, tmp_path: Path) -> None:
    recipe = recipe_named("lstm").override([*SETTINGS, "training.updates=5", "preparation.rehearsal=0.2"])
    with pytest.raises(InvalidSettings, match="--from"):
        train(place / "music", tmp_path / "run", recipe)


def test_what_is_rehearsed_is_the_models_own_and_no_more_than_will_be_heard(base: Bundle, tmp_path: Path) -> None:
    recipe = recipe_of(base).override(["training.updates=10", "preparation.rehearsal=0.2"])
    pieces = rehearsal(base, tmp_path / "rehearsal", recipe)
    wanted = 0.2 * 10 * recipe.settings["training"].batch * recipe.settings["training"].length
    lengths = [len(pieces[number]) - 2 for number in range(len(pieces))]
    assert wanted <= sum(lengths) < wanted + max(lengths)
    first = next(generate(base, request=Request(bars=32), n=32, seed=recipe.settings["training"].seed))
    np.testing.assert_array_equal(pieces[0][1:-1], first.encoded)
    again = rehearsal(base, tmp_path / "rehearsal", recipe)
    assert again.digest == pieces.digest


@pytest.mark.parametrize(
    ("changed", "says"), [("codec.velocities=8", "codec"), ('model.stack=["cell 16"]', "do not fit")]
)
def test_what_would_make_another_network_is_refused(
    place: Path, base: Bundle, tmp_path: Path, changed: str, says: str
) -> None:
    recipe = recipe_of(base).override([changed, "training.updates=5"])
    with pytest.raises(InvalidSettings, match=says):
        train(place / "music", tmp_path / "run", recipe, start=base)


def test_a_run_that_was_killed_before_it_had_a_plan_goes_on_from_the_same_model(
    place: Path, base: Bundle, tmp_path: Path
) -> None:
    tuned = tmp_path / "tuned"
    shutil.copytree(base.folder, tuned / "start")
    line = [sys.executable, "-m", "partimento", "train", str(place / "music"), "--to", str(tuned)]
    done = subprocess.run(
        [*line, "--resume", "--set", "training.updates=5"], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    ended = open_bundle(tuned)
    assert ended.facts["started_from"] == base.digest
    assert ended.recipe["model"]["cell"] == "gru"


def test_what_a_broken_run_began_from_is_forgotten_by_one_that_does_not_resume_it(
    place: Path, base: Bundle, tmp_path: Path
) -> None:
    fresh = tmp_path / "fresh"
    shutil.copytree(base.folder, fresh / "start")
    ended = train(place / "music", fresh, recipe_named("lstm").override([*SETTINGS, "training.updates=5"]))
    assert "started_from" not in ended.facts
    assert not (fresh / "start").exists()


def test_a_run_that_makes_it_worse_ends_as_it_came(place: Path, base: Bundle, tmp_path: Path) -> None:
    said: list[str] = []
    recipe = recipe_of(base).override(["training.updates=6", "training.learning_rate=3", "training.clip=none"])
    ended = train(
        place / "music", tmp_path / "run", recipe, start=base, watch=lambda event: said.append(event.remark or "")
    )
    assert any("stays as it came" in remark for remark in said)
    assert all((array == ended.arrays()[name]).all() for name, array in base.arrays().items())
    assert ended.facts["scores"]["test, loss"] == pytest.approx(ended.facts["scores"]["as it came, test, loss"])


def test_a_model_as_it_came_is_measured_by_pieces_told_as_it_was_and_tells_them_so_if_it_stays(
    place: Path, tmp_path: Path
) -> None:
    """Tempi in every bar, and pieces beside their beats where they lie; those of what goes on are told otherwise."""
    shipped, said = open_bundle(), list[str]()
    few = ["training.updates=1", "training.length=192", "training.batch=1", "training.held_out_ids=200"]
    worse = recipe_of(shipped).override([*few, "training.learning_rate=3", "training.clip=none"])
    assert worse.settings["codec"] != shipped.codec().settings
    made = train(
        place / "music", tmp_path / "run", worse, start=shipped, watch=lambda event: said.append(event.remark or "")
    )
    assert any("stays as it came" in remark for remark in said)
    scores, corpus = made.facts["scores"], inspect(place / "music")
    tests = list(corpus.scores(corpus.pieces("test")))
    codec, model = shipped.codec(), begun(new_model(worse, shipped.codec().spec), shipped)
    pieces = Pieces.write(tmp_path / "told", ((codec.encode(x), x.note_num()) for x in tests), codec.spec)
    own = held_out(model, Windows(pieces, 192, 1))["bits per note"]
    assert scores["as it came, test, bits per note"] == pytest.approx(own, rel=1e-4)
    assert scores["test, bits per note"] == scores["as it came, test, bits per note"]
    assert made.codec().settings == codec.settings
    assert all((array == made.arrays()[name]).all() for name, array in shipped.arrays().items())
    assert not list((tmp_path / "run").glob(".told-*"))
    (piece,) = generate(made, request=Request(bars=4), n=1, seed=1)
    assert {tempo.qpm for tempo in piece.score.tempos} == {piece.score.tempos[0].qpm}


def test_the_keys_of_the_pieces_are_learnt_more_often_than_others(base: Bundle) -> None:
    recipe = recipe_of(base)
    assert recipe.settings["preparation"].transpose == 1
    assert recipe.settings["preparation"].own_key == 0.6
    assert recipe.override(["preparation.transpose=0"]).settings["preparation"].own_key is None
    in_one = {**base.recipe, "preparation": {**base.recipe["preparation"], "transpose": 0}}
    assert recipe_of(dataclasses.replace(base, recipe=in_one)).settings["preparation"].own_key is None
    with pytest.raises(InvalidSettings, match="own_key needs other keys"):
        recipe.override(["preparation.transpose=0", "preparation.own_key=0.5"])


def test_a_model_that_counted_nothing_counts_when_it_goes_on() -> None:
    shipped = open_bundle(None)
    recipe, newest = recipe_of(shipped), recipe_named("nested")
    for table in ("codec", "sampling"):
        assert recipe.settings[table] == newest.settings[table]
    for name in Nested.additional:
        assert getattr(recipe.settings["model"], name) == getattr(newest.settings["model"], name)
    model = begun(new_model(recipe, shipped.codec().spec), shipped)
    before = begun(new_model(recipe.override(["model.tallies=[]"]), shipped.codec().spec), shipped)
    x = np.concatenate([[shipped.codec().spec.bos], shipped.codec().encode(tune(0))[:600]])[None]
    assert isinstance(model, Nested)
    assert isinstance(before, Nested)
    np.testing.assert_allclose(likelihoods(model, x), likelihoods(before, x), atol=1e-4)
    added = {f"weighing.{layer}.{name}" for layer in ("weigh", "surely") for name in ("weight", "bias")}
    assert set(model.arrays()) - set(before.arrays()) == added
    other = recipe_of(shipped).override(["model.layers=4"])
    with pytest.raises(InvalidSettings, match="do not fit"):
        begun(new_model(other, shipped.codec().spec), shipped)


def test_another_network_is_refused_before_anything_is_prepared(place: Path, tmp_path: Path) -> None:
    shipped, run, said = open_bundle(), tmp_path / "run", list[Progress]()
    with pytest.raises(InvalidSettings, match="do not fit"):
        train(place / "music", run, recipe_of(shipped).override(["model.layers=4"]), start=shipped, watch=said.append)
    assert not any(event.job in ("Encoding", "Planning") for event in said)
    few = ["training.updates=1", "training.length=192", "training.batch=1", "training.held_out_ids=200"]
    assert train(place / "music", run, recipe_of(shipped).override(few), start=shipped)  # nothing is in its way


def test_what_a_bundle_was_told_stays_when_it_goes_on() -> None:
    shipped = open_bundle(None)
    model = {**shipped.recipe["model"], "tallies": [], "place_span": 9.0}
    told = {**shipped.recipe, "codec": {"name": "cells", "tempo_told": "always"}, "model": model}
    told["sampling"] = {**shipped.recipe["sampling"], "kinds_p": 1.0, "steadiness": 0.5}
    recipe = recipe_of(dataclasses.replace(shipped, recipe=told))
    assert recipe.settings["model"].returns == ()
    assert recipe.settings["codec"].tempo_told == "always"
    assert recipe.settings["codec"].align
    assert (recipe.settings["model"].tallies, recipe.settings["model"].place_span) == ((), 9.0)
    assert (recipe.settings["sampling"].steadiness, recipe.settings["sampling"].top_p) == (0.5, 0.98)


def test_what_leaves_the_meaning_of_ids_may_be_changed_where_a_model_goes_on(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces beside their beats, and with tempi that stay: told otherwise than the model that comes along was."""
    monkeypatch.setattr("partimento.training.rehearsing.AT_ONCE", 1)
    monkeypatch.setattr("partimento.training.rehearsing.BARS", 4)
    folder, shipped = tmp_path / "beside", open_bundle()
    folder.mkdir()
    for seed in range(30, 38):
        write(moved(tune(seed, bars=16), 11), folder / f"{seed}.mid")
    few = ["training.updates=2", "training.length=192", "training.batch=1", "training.held_out_ids=200"]
    rehearsed = [*few, "preparation.rehearsal=0.5"]
    changed = recipe_of(shipped).override([*rehearsed, "codec.align=true", "codec.tempo_told=changed"])
    made = train(folder, tmp_path / "run", changed, start=shipped)
    codec, then = made.codec(), shipped.codec()
    piece = moved(tune(30, bars=16), 11)
    np.testing.assert_array_equal(codec.decode(codec.encode(piece)).tracks[0].notes.numpy()["time"] % 6, 0)
    tempi, rehearsal = vocabulary()["tempo"], Pieces.open(tmp_path / "run" / "rehearsal")
    named = [int(((x >= tempi.start) & (x < tempi.stop)).sum()) for x in (codec.encode(piece), then.encode(piece))]
    assert named[0] < named[1]
    heard = rehearsal[0][1:-1]
    np.testing.assert_array_equal(heard, codec.encode(codec.decode(heard)))
