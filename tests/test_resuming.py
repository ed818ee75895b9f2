"""Resuming: a run that goes on may be told again what it was told, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from partimento.errors import InvalidSettings
from partimento.recipes import recipe_named
from partimento.training.learning import refuse_differences
from partimento.training.resuming import resumed

BY_HAND = ("training.updates=40", 'model.stack=["cell 16"]', "preparation.transpose=0")


def begun(folder: Path, recipe: str, *assignments: str, sample: int | None = None, **planned: Any) -> Path:
    """A run's folder as it is once its plan is made: the plan decides updates and, where there are sizes, the model."""
    plan = recipe_named(recipe).override(assignments)
    updates = planned.pop("updates", None)
    if updates is not None:
        plan = plan.replace("training", updates=updates)
    (folder / "recipe.toml").write_text(plan.replace("model", **planned).to_toml())
    (folder / "corpus.json").write_text(json.dumps({"digest": "of the music", "sample": sample, "data_licence": None}))
    return folder


def test_nothing_need_be_said_and_all_may_be_said_again(tmp_path: Path) -> None:
    run = begun(tmp_path, "lstm", *BY_HAND, sample=9)
    for said in ({}, {"assignments": BY_HAND}, {"recipe": "lstm", "assignments": BY_HAND, "sample": 9}):
        recipe, remark = resumed(run, **said)
        assert recipe.settings["training"].updates == 40
        assert not remark


def test_what_the_plan_decided_does_not_count_as_a_difference(tmp_path: Path) -> None:
    size = recipe_named("lstm").settings["plan"].sizes[0].model
    run = begun(tmp_path, "lstm", updates=4321, **size)
    recipe, remark = resumed(run, recipe="lstm")
    assert recipe.settings["training"].updates == 4321
    assert not remark
    _, remark = resumed(run, recipe="lstm", minutes=3.0)
    assert remark == "--minutes is of no effect on a run that goes on: 4,321 updates were planned when it began."


def test_how_often_a_short_run_looks_is_the_plans_too(tmp_path: Path) -> None:
    plan = recipe_named("lstm").replace("training", updates=29, evaluate_every=5)  # fewer than 25 looks
    (tmp_path / "recipe.toml").write_text(plan.to_toml())
    recipe, _ = resumed(tmp_path, recipe="lstm", minutes=1.0)
    assert recipe.settings["training"].evaluate_every == 5
    with pytest.raises(InvalidSettings, match=r"training\.evaluate_every was 5 and is now 7\."):
        resumed(tmp_path, recipe="lstm", assignments=["training.evaluate_every=7"])


@pytest.mark.parametrize(
    ("said", "differs"),
    [
        ({"recipe": "vae"}, r"codec\.name was .* and is now roll; model\.name was lstm and is now vae\. Resume"),
        ({"assignments": ["training.seed=4"]}, r"otherwise: training\.seed was 0 and is now 4\. Resume"),
        ({"assignments": ["training.clip=none"]}, r"training\.clip was 1\.0 and is now none\."),
        ({"assignments": ["training.updates=50"]}, r"training\.updates was 4321 and is now 50\."),
        ({"assignments": ["plan.minutes=7"]}, r"plan\.minutes was .* and is now 7\.0\."),
        ({"assignments": ['model.stack=["cell 8"]']}, r"model\.stack was .* and is now \['cell 8'\]\."),
        ({"recipe": "lstm", "assignments": ["model.cell=gru"]}, r"model\.cell was lstm and is now gru\."),
        ({"sample": 3}, r"sample was none and is now 3\."),
        ({"minutes": 5.0, "assignments": ["training.batch=2"]}, r"training\.batch was .* and is now 2\."),
    ],
)
def test_what_differs_is_refused_by_its_name(tmp_path: Path, said: dict[str, Any], differs: str) -> None:
    run = begun(tmp_path, "lstm", updates=4321)
    with pytest.raises(InvalidSettings, match=differs):
        resumed(run, **said)


def test_what_teaches_nothing_may_be_said_anew(tmp_path: Path) -> None:
    run = begun(tmp_path, "lstm", *BY_HAND)
    recipe, remark = resumed(run, assignments=["training.threads=1", "training.save_every=5"])
    assert (recipe.settings["training"].threads, recipe.settings["training"].save_every) == (1, 5.0)
    assert recipe.settings["training"].updates == 40
    assert not remark


def test_a_finished_run_cannot_be_told_of_a_licence_any_more(tmp_path: Path) -> None:
    run = begun(tmp_path, "markov")
    assert resumed(run, data_licence="CC0")[0].model == "markov"
    (run / "bundle").mkdir()
    with pytest.raises(InvalidSettings, match="data_licence was none and is now CC0"):
        resumed(run, data_licence="CC0")


def test_what_is_too_long_to_be_read_is_only_said_to_differ() -> None:
    with pytest.raises(InvalidSettings, match="what ids mean is not what it was") as refused:
        refuse_differences(
            {"what ids mean": list(range(1000)), "model.width": 1}, {"what ids mean": [], "model.width": 2}
        )
    assert "model.width was 1 and is now 2" in str(refused.value)
    assert len(str(refused.value)) < 300
