"""Recurrent networks: what a stack of words makes, and that one step equals a window."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from partimento.codec import TokenSpec
from partimento.errors import InvalidBundle, InvalidSettings
from partimento.model import Batch
from partimento.models import lstm
from partimento.models.lstm import Lstm
from partimento.players.step import open_player
from partimento.settings import from_table, to_table
from partimento.training.loop import seeded

SPEC = TokenSpec(vocab_size=20, pad=17, bos=18, eos=19)


def network(seed: int = 0, **settings: Any) -> Lstm:
    with seeded(seed):
        return Lstm(Lstm.Settings(**{"embedding": 6, "stack": ("cell 8",), **settings}), SPEC).eval()


def ids(rows: int, steps: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 20, (rows, steps)))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("given", ["embedding", "one-hot", "scalar"])
@pytest.mark.parametrize(
    "stack",
    [("cell 8", "dropout 0.3", "cell 5", "dense 6"), ("dropout 0.2", "dense 7 tanh", "norm", "cell 8", "dense 4 relu")],
)
def test_a_step_at_a_time_the_player_gives_the_windows_logits(
    cell: str, given: str, stack: tuple[str, ...], tmp_path: Path
) -> None:
    model = network(cell=cell, input=given, stack=stack)
    assert model.export(tmp_path) == "step"
    player = open_player(tmp_path)
    x = ids(3, 12)
    with torch.no_grad():
        expected = model.head(model.hidden(x)[0]).numpy()
    state = player.start(3)
    for at in range(12):
        logits, state = player.step(x[:, at].numpy(), state)
        np.testing.assert_allclose(logits, expected[:, at], atol=1e-5)


def test_the_exported_files_keep_their_contract(tmp_path: Path) -> None:
    network(stack=("cell 8", "cell 5")).export(tmp_path)
    facts = json.loads((tmp_path / "player.json").read_text())
    row = {"dtype": "float32"}
    assert facts == {
        "player": "step",
        "vocab_size": 20,
        "states": {
            "h0": {"shape": [8], **row},
            "c0": {"shape": [8], **row},
            "h2": {"shape": [5], **row},
            "c2": {"shape": [5], **row},
        },
    }
    assert sorted(file.name for file in tmp_path.iterdir()) == ["player.json", "step.onnx"]


def test_one_hot_is_one_hot_and_a_scalar_is_the_id_over_the_vocabulary() -> None:
    """Against the same cells fed by hand."""
    for given, fed in (
        ("one-hot", torch.eye(20)[ids(2, 9)]),
        ("scalar", (ids(2, 9) / 20)[..., None]),
    ):
        model = network(input=given)
        cell = model.stack[0]
        assert isinstance(cell, torch.nn.LSTM)
        torch.testing.assert_close(model.hidden(ids(2, 9))[0], cell(fed)[0])


@pytest.mark.parametrize(("given", "spread"), [("scalar", 10.0), ("one-hot", 1.0)])
@pytest.mark.parametrize("stack", [("dropout 0.1", "cell 64"), ("dense 64", "cell 64")])
def test_a_spread_input_tells_ids_apart_from_the_outset(given: str, spread: float, stack: tuple[str, ...]) -> None:
    every = torch.arange(20)[:, None]
    differ = {}
    for of in (0.0, spread):
        with torch.no_grad():
            differ[of] = network(input=given, spread=of, stack=stack).hidden(every)[0].std(0).mean().item()
    assert differ[spread] > 3 * differ[0.0]


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_long_piece_in_segments_is_the_piece_at_once(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network(cell=cell, stack=("cell 8", "norm", "cell 8"))
    x = ids(2, 50)
    batch = Batch(x, torch.ones_like(x, dtype=torch.bool))
    with torch.no_grad():
        whole, right = model.predict(batch)
        monkeypatch.setattr(lstm, "SEGMENT", 7)
        parts, right_too = model.predict(batch)
    torch.testing.assert_close(parts, whole)
    assert torch.equal(right, right_too)


def test_dropout_acts_in_training_alone() -> None:
    model = network(stack=("cell 8", "dropout 0.5"))
    assert torch.equal(model.hidden(ids(2, 9))[0], model.hidden(ids(2, 9))[0])
    model.train()
    assert not torch.equal(model.hidden(ids(2, 9))[0], model.hidden(ids(2, 9))[0])


@pytest.mark.parametrize(
    "stack",
    [
        (),
        ("dense 8",),
        ("cell",),
        ("cell 0",),
        ("cell eight",),
        ("cell 8", "dropout 1"),
        ("cell 8", "dropout -0.1"),
        ("cell 8", "dense 4 sigmoid"),
        ("cell 8", "norm 3"),
        ("cell 8", "attention 4"),
        ("cell 8", ""),
    ],
)
def test_a_stack_that_is_none_is_refused_in_a_sentence(stack: tuple[str, ...]) -> None:
    with pytest.raises(InvalidSettings, match=r"model\.?.*(is no layer|at least one cell)"):
        from_table(Lstm.Settings, {"stack": stack}, "model")


def test_settings_survive_a_recipe_file() -> None:
    settings = Lstm.Settings(cell="gru", stack=("dropout 0.2", "cell 12", "dense 4 relu"))
    assert from_table(Lstm.Settings, to_table(settings), "model") == settings


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(InvalidBundle, match="do not belong"):
        network(stack=("cell 9",)).load_arrays(network().arrays())


def test_a_position_that_counts_thrice_has_the_gradient_of_three_copies() -> None:
    model = network()
    model.eval()
    x = ids(3, 9)
    mask = torch.zeros(3, 9, dtype=torch.bool)
    mask[[0, 1, 2], [4, 6, 8]] = True
    weight = torch.where(mask, torch.tensor([3.0, 1.0, 2.0])[:, None], 0.0)
    copied = torch.tensor([0, 0, 0, 1, 2, 2])

    def gradients(batch: Batch) -> list[torch.Tensor]:
        return list(torch.autograd.grad(model.loss(batch)["loss"], list(model.parameters())))

    weighted = gradients(Batch(x, mask, weight=weight))
    for one, other in zip(weighted, gradients(Batch(x[copied], mask[copied])), strict=True):
        torch.testing.assert_close(one, other)
    assert any(not torch.allclose(g, h) for g, h in zip(weighted, gradients(Batch(x, mask)), strict=True))
