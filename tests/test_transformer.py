"""Transformers: what is theirs alone; the laws of all models are in `test_model_laws`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from attending import likelihoods, lively, narrowed, played
from partimento.codec import TokenSpec
from partimento.errors import InvalidBundle, InvalidSettings
from partimento.models import transformer
from partimento.models.transformer import Transformer
from partimento.players.attention import open_player
from partimento.settings import from_table

SPEC = TokenSpec(vocab_size=12, pad=9, bos=10, eos=11)
WAYS = [
    {"positions": "rotary"},
    {"positions": "distance"},
    {"positions": "distance", "periods": (4, 6), "lags": (2, 5)},
]


def music(rows: int, count: int) -> NDArray[np.int64]:
    return np.concatenate([np.full((rows, 1), SPEC.bos), np.random.default_rng(0).integers(0, 9, (rows, count))], 1)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_piece_longer_than_all_buffers_plays_as_torch_computes_it(way: dict[str, Any], tmp_path: Path) -> None:
    model = lively(Transformer, SPEC, context=20, **way)
    x = music(2, 700)
    model.export(tmp_path)
    np.testing.assert_allclose(played(open_player(tmp_path), x), likelihoods(model, x), atol=2e-4)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_keys_carried_from_segment_to_segment_change_nothing(
    way: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, x = lively(Transformer, SPEC, context=30, **way), music(2, 100)
    whole = likelihoods(model, x)
    monkeypatch.setattr(transformer, "SEGMENT", 17)
    np.testing.assert_allclose(likelihoods(model, x), whole, atol=1e-4)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_what_lies_further_back_than_all_layers_reach_is_not_seen(way: dict[str, Any]) -> None:
    model, x = lively(Transformer, SPEC, context=6, **way), music(1, 40)
    changed = x.copy()
    changed[:, 5] = (x[:, 5] + 1) % 9
    before, after = likelihoods(model, x), likelihoods(model, changed)
    reach = 5 + 2 * 5 + max([1, *way.get("lags", ())])  # two layers of six places, and what the first is told
    assert not np.allclose(before[:, 5:reach], after[:, 5:reach], atol=1e-3)
    np.testing.assert_allclose(before[:, reach + 1 :], after[:, reach + 1 :], atol=1e-5)


def test_a_window_out_of_a_piece_knows_its_place() -> None:
    model = lively(Transformer, SPEC, positions="distance", periods=(4,))
    x = music(1, 9)
    assert np.allclose(likelihoods(model, x, begin=4), likelihoods(model, x), atol=1e-5)
    assert not np.allclose(likelihoods(model, x, begin=3), likelihoods(model, x), atol=1e-3)


def test_pieces_that_stay_play_on_as_they_would_have(tmp_path: Path) -> None:
    model = lively(Transformer, SPEC, context=20, lags=(3,))
    model.export(tmp_path)
    beside, alone = narrowed(open_player(tmp_path), music(3, 30), 11, np.array([0, 2]))
    np.testing.assert_allclose(alone, beside, atol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"width": 30, "heads": 4}, {"width": 12, "heads": 4}, {"periods": (1,)}, {"lags": (1,)}, {"context": 1}),
        {"context": 65_000},  # more than a player keeps
    ],
)
def test_shapes_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSettings):
        from_table(Transformer.Settings, wrong, "model")


@pytest.mark.parametrize(
    "change",
    [
        *({"attention": change} for change in ({"heads": 0}, {"context": 1 << 40}, {"positions": "none"}, {"size": 7})),
        *({"pad": 12}, {"lags": 3}, {"lags": [0]}, {"player": "step"}, {"vocab_size": 1 << 30}, {"attention": None}),
    ],
)
def test_a_changed_description_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    lively(Transformer, SPEC).export(tmp_path)
    described = json.loads((tmp_path / "player.json").read_text())
    if isinstance(change.get("attention"), dict):
        change = {"attention": described["attention"] | change["attention"]}
    (tmp_path / "player.json").write_text(json.dumps(described | change))
    with pytest.raises(InvalidBundle):
        open_player(tmp_path)
