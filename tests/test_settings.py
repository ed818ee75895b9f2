"""Settings: what `--set` says, what a number can be, and that whatever a run saves can be read again."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from partimento.errors import ImpossibleRequest, InvalidSettings
from partimento.models.transformer import Transformer
from partimento.models.vae import Vae
from partimento.players.graph import Settings as Walk
from partimento.recipes import _toml, from_tables, read_recipe, recipe_named
from partimento.sampling import Sampling
from partimento.settings import assigned, describe, from_table, name_of, settings


@settings
class Nothing:
    """Of no settings at all."""


@pytest.mark.parametrize("said", ["training.updates=2", " training.updates = 2 ", "training . updates=2"])
def test_spaces_in_an_assignment_mean_nothing(said: str) -> None:
    assert name_of(said) == "training.updates"
    assert assigned(said, ["training"]) == ("training", "updates", 2)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e300, 10**400])
def test_a_number_is_finite_wherever_it_stands(value: float) -> None:
    with pytest.raises(InvalidSettings, match=r"sampling\.temperature must be a finite number, 3\.4e\+38 at most"):
        from_table(Sampling, {"temperature": value}, "sampling")
    with pytest.raises(InvalidSettings, match=r"player\.attributes\.density must be a finite number"):
        from_table(Walk, {"attributes": {"density": value}}, "player")


def test_a_table_without_settings_says_so() -> None:
    with pytest.raises(InvalidSettings, match=r"no setting player\.walk \(there are: none\)"):
        from_table(Nothing, {"walk": 1}, "player")


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text(), max_size=3))
@example({"a b": "\x7f", 'q"uote': "none", "": "\n", "plain-1": "dot.ted"})
def test_whatever_is_written_as_toml_is_read_again(table: dict[str, str]) -> None:
    table = {key: "".join(c for c in value if not "\ud800" <= c <= "\udfff") for key, value in table.items()}
    assert tomllib.loads(f"table = {_toml(table)}")["table"] == table


def test_a_recipe_that_nobody_can_compose_with_is_refused_before_training(tmp_path: Path) -> None:
    for name in ("zing", "a b"):
        with pytest.raises(InvalidSettings, match=rf"player\.attributes\.{name} to go along; there are: density"):
            recipe_named("vae").override([f"player.attributes.{name}=1"])
    with pytest.raises(InvalidSettings, match="the model 'gan' has none"):
        recipe_named("gan").override(["player.attributes.density=1"])
    with pytest.raises(ImpossibleRequest, match="2,000 bars at most"):
        recipe_named("lstm").override(["request.bars=5000"])
    recipe = recipe_named("vae").override([f"player.attributes.{name}=0.5" for name in Vae.attributes])
    (tmp_path / "vae.toml").write_text(recipe.to_toml())
    assert read_recipe(tmp_path / "vae.toml").settings == recipe.settings


def test_another_model_brings_its_own_sizes_and_settings() -> None:
    recipe = recipe_named("lstm")
    assert recipe.settings["plan"].sizes
    for order in (["model.name=rnn_nade", "codec.name=roll"], ["codec.name=roll", "model.name=rnn_nade"]):
        assert recipe.override(order).settings["plan"].sizes == ()
    after, before = ["model.name=markov", "model.order=3"], ["model.order=3", "model.name=markov"]
    assert recipe.override(before).settings["model"] == recipe.override(after).settings["model"]


def test_a_layer_that_is_none_is_named() -> None:
    tables = recipe_named("lstm").to_tables()
    for stack, said in ((["cel 512"], "'cel 512' is no layer"), (["dropout 0.1"], "needs at least one cell")):
        with pytest.raises(InvalidSettings, match=said):
            from_tables("mine", {**tables, "model": {**tables["model"], "stack": stack}})


def test_a_class_that_adds_to_another_has_the_descriptions_of_both() -> None:
    assert all(describe(Transformer.Settings).values())
    assert list(describe(Transformer.Settings)) == [field.name for field in dataclasses.fields(Transformer.Settings)]
