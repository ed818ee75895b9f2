"""Recipes: each that comes along learns, makes a bundle, composes and has a page; and the classic ones are so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from partimento.bundle import Bundle, open_bundle
from partimento.codec import Request
from partimento.errors import InvalidSettings
from partimento.files import write
from partimento.generation import generate
from partimento.model import Counted, model_named
from partimento.recipes import Recipe, from_tables, presets, recipe_named
from partimento.training.checkpoints import checkpoints
from partimento.training.runs import train

from music import tune
from test_model_laws import SMALL

PAGES = Path(__file__).parent.parent / "docs" / "recipes"
CLASSIC = [name for name in presets() if name.startswith("classic-") and name.endswith(("lstm", "adam"))]


def small(name: str) -> Recipe:
    """A preset with a network whose updates take milliseconds; what its other tables say is kept."""
    recipe = recipe_named(name).override(["plan.sizes=[]"])
    return recipe.replace("model", **SMALL.get(recipe.model, {}))


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("music")
    for seed in range(6):
        write(tune(seed), folder / f"{seed}.mid")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield folder


def trained(name: str, music: Path, run: Path) -> Bundle:
    few = ["training.updates=2", "training.batch=2", "training.held_out_ids=300", "training.threads=1"]
    return train(music, run, small(name).override(few))


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_recipe_learns_a_bundle_that_composes(name: str, music: Path, tmp_path: Path) -> None:
    bundle = open_bundle(trained(name, music, tmp_path / "run").folder)
    (made,) = generate(bundle, request=Request(bars=2), seed=3)
    assert made.score.note_num() or made.remarks
    assert bundle.recipe["about"] == presets()[name]
    assert [kept.update for kept in checkpoints(tmp_path / "run") if kept.best] == [bundle.facts["best_update"]]
    if not issubclass(model_named(bundle.model_name), Counted):
        assert (tmp_path / "run" / "training" / "curves.csv").read_text().count("\n") >= 2


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_recipe_survives_its_own_file(name: str) -> None:
    recipe = recipe_named(name)
    assert recipe.about
    assert from_tables(name, recipe.to_tables()) == recipe
    assert recipe.source in recipe.to_toml()


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_recipe_has_a_page_whose_settings_exist(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text("utf-8")
    assert not re.findall(r"--set\s+\w+\.\S+\s+\w+\.\w+=", page)  # each has a --set of its own
    assert page.startswith(f"# `{name}`")
    assert f"({name}.md)" in (PAGES / "index.md").read_text("utf-8")
    one = r"--set\s+(?:'([^']+)'|(\S+))"
    for together in re.finditer(rf"(?:{one}[\s\\]*)+", page):  # some are only right beside one another
        settings = [(quoted or plain).rstrip("`.,;:)") for quoted, plain in re.findall(one, together[0])]
        recipe_named(name).override(
            setting
            for setting in settings
            if not setting.startswith("guards.") and "=" in setting and not set("…$") & set(setting)
        )


def test_every_page_is_of_a_recipe() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} - {"index"} <= set(presets())


def test_the_classic_networks_are_those_of_their_sources() -> None:
    assert len(CLASSIC) == 4
    for name in CLASSIC:
        recipe = recipe_named(name)
        codec, training, model = (recipe.settings[table] for table in ("codec", "training", "model"))
        assert codec.classic
        assert training.schedule == "constant"
        assert (training.warmup, training.weight_decay, training.clip) == (0, 0, None)
        assert training.learning_rate == 1e-3
        assert training.length == (32 if name == "classic-lofi-lstm" else 100)
        assert training.optimiser == ("rmsprop" if name in ("classic-note-lstm", "classic-lofi-lstm") else "adam")
        assert model.input == ("one-hot" if name == "classic-onehot-lstm" else "scalar")
        assert recipe.source
    names = ("note-lstm", "note-lstm-adam", "onehot-lstm", "lofi-lstm")
    note, adam, onehot, lofi = (recipe_named(f"classic-{name}") for name in names)
    assert note.settings["model"] == adam.settings["model"]
    assert note.settings["plan"].epochs == 100
    assert adam.settings["plan"].epochs == 200
    assert onehot.settings["codec"].order == "frequency"
    assert lofi.settings["preparation"].oversample == 700


def test_rare_notes_are_for_models_that_learn_ids_by_gradient(music: Path, tmp_path: Path) -> None:
    for name in ("markov", "biaxial"):
        recipe = small(name).override(["preparation.oversample=9", "training.updates=1"])
        with pytest.raises(InvalidSettings, match="oversample"):
            train(music, tmp_path / name, recipe)
