"""The laws that every model keeps; a model's file is tested on arrival."""

from __future__ import annotations

import importlib
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from partimento.codec import RollSpec, TokenSpec
from partimento.errors import InvalidSettings
from partimento.model import Batch, Learns, Likelihood, Model, Predicts, model_named, models
from partimento.pieces import Pieces
from partimento.training.loop import Training, fit, held_out, seeded
from partimento.windows import Windows

# settings that make a model small enough to be trained here in a second; defaults where there are none
SMALL: dict[str, dict[str, Any]] = {
    "biaxial": {"time": (24, 16), "pitch": (16, 12), "dropout": 0.1},
    "gan": {"steps": 8, "align": 4, "latent": 6, "width": 16},
    "lstm": {"embedding": 16, "stack": ("cell 24", "dropout 0.1", "norm", "dense 20 relu")},
    "markov": {"order": 4},
    "nested": {"layers": 2, "width": 24, "heads": 3, "inner": 16, "context": 12, "periods": (4,), "ages": 4},
    "rbm": {"steps": 8, "align": 4, "hidden": 24},
    "rnn_nade": {"width": 24, "hidden": 16, "dropout": 0.1},
    "rnn_rbm": {"hidden": 24, "state": 16, "gibbs": 2},
    "transformer": {"layers": 2, "width": 24, "heads": 3, "context": 12, "periods": (4,), "lags": (3,)},
    "vae": {"steps": 8, "align": 4, "latent": 6, "encoder": 16, "conductor": 12, "decoder": 16, "warmup": 20},
}
SPEC = TokenSpec(vocab_size=12, pad=9, bos=10, eos=11)
NAMES = sorted(models())
OF_IDS = [name for name in NAMES if model_named(name).Spec is TokenSpec]
EXACT = [name for name in OF_IDS if getattr(model_named(name), "exact", False)]


def made(name: str, spec: TokenSpec = SPEC, seed: int = 0) -> Model:
    cls = model_named(name)
    with seeded(seed):
        return cls(cls.Settings(**SMALL.get(name, {})), spec)  # type: ignore[call-arg]


def music(folder: Path, count: int = 6, spec: TokenSpec = SPEC) -> Pieces:
    """Short pieces of one motif in several keys, the last note left to chance."""
    rng = np.random.default_rng(0)
    motif = np.array([0, 2, 4, 5, 4, 2, 0, 0])
    arrays = [np.append(np.tile(motif, 3) + key % 3, rng.integers(0, 9)) for key in range(count)]
    return Pieces.write(folder, ((ids, len(ids)) for ids in arrays), spec)


def trained(name: str, folder: Path, updates: int = 30, seed: int = 0) -> Model:
    model = made(name)
    training = Training(updates=updates, length=30, batch=4, learning_rate=1e-2, seed=seed, threads=1, patience=None)
    windows = Windows(music(folder / "pieces"), 30, 4, seed)
    fit(model, windows, windows, training, folder / "run")
    if isinstance(model, nn.Module):
        model.eval()
    return model


def batch_of(x: NDArray[np.int64], given: int = 1) -> Batch:
    """A batch of which all but the first `given` ids of each row are predicted."""
    mask = np.arange(x.shape[1]) >= np.full((len(x), 1), given)
    return Batch(torch.from_numpy(x), torch.from_numpy(mask))


def test_every_module_holds_a_model_of_its_name() -> None:
    assert {"lstm", "markov"} <= set(NAMES)
    assert all(model_named(name).name == name for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_spec_is_refused(name: str) -> None:
    cls = model_named(name)
    wrong = RollSpec(2, 21, 88, 4) if cls.Spec is TokenSpec else SPEC
    with pytest.raises(InvalidSettings, match=name):
        cls(cls.Settings(), wrong)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", OF_IDS)
def test_the_same_seed_learns_the_same(name: str, tmp_path: Path) -> None:
    one, same, other = (trained(name, tmp_path / str(n), 3, seed) for n, seed in enumerate((1, 1, 2)))
    assert one.arrays().keys() == same.arrays().keys()
    for key, array in one.arrays().items():
        np.testing.assert_array_equal(array, same.arrays()[key])
    if isinstance(one, Learns):
        assert any(not np.array_equal(array, other.arrays()[key]) for key, array in one.arrays().items())


@pytest.mark.parametrize("name", OF_IDS)
def test_little_music_is_learnt_by_heart(name: str, tmp_path: Path) -> None:
    model = trained(name, tmp_path, 150)
    found = held_out(model, Windows(music(tmp_path / "again"), 30, 4))
    assert found["loss"] < 0.35 * math.log(SPEC.vocab_size)
    assert found.get("accuracy", 1.0) > 0.85


@pytest.mark.parametrize("name", OF_IDS)
def test_arrays_carry_all_that_was_learnt(name: str, tmp_path: Path) -> None:
    model, fresh = trained(name, tmp_path), made(name, seed=5)
    fresh.load_arrays({key: np.array(array) for key, array in model.arrays().items()})
    if isinstance(fresh, nn.Module):
        fresh.eval()
    for key, array in model.arrays().items():
        np.testing.assert_array_equal(fresh.arrays()[key], array)
    if isinstance(model, Likelihood) and isinstance(fresh, Likelihood):
        batch = batch_of(np.random.default_rng(0).integers(0, 9, (3, 10)))
        torch.testing.assert_close(fresh.log_likelihood(batch), model.log_likelihood(batch))


@pytest.mark.parametrize("name", [n for n in OF_IDS if issubclass(model_named(n), nn.Module)])
def test_losses_are_scalars_that_reach_every_parameter(name: str) -> None:
    model = made(name)
    assert isinstance(model, Learns)
    batch = batch_of(np.random.default_rng(0).integers(0, 9, (3, 10)))
    for side, parameters in model.sides().items():
        losses = model.loss(batch, side)
        assert all(value.shape == () and value.dtype == torch.float32 for value in losses.values())
        grads = torch.autograd.grad(losses["loss"], parameters, allow_unused=True)
        assert all(grad is not None and torch.isfinite(grad).all() for grad in grads)


@pytest.mark.parametrize("name", EXACT)
def test_the_probabilities_of_all_short_sequences_sum_to_one(name: str) -> None:
    spec = TokenSpec(vocab_size=6, pad=3, bos=4, eos=5)
    model = made(name, spec)
    if isinstance(model, nn.Module):
        model.eval()
    else:
        model.count([np.array([4, 0, 1, 2, 0, 0, 1, 5]), np.array([4, 1, 1, 5])])  # type: ignore[attr-defined]
    assert isinstance(model, Likelihood)
    for length in (1, 4):
        rows = np.array([[spec.bos, *ids] for ids in itertools.product(range(6), repeat=length)])
        total = model.log_likelihood(batch_of(rows)).double().exp().sum().item()
        assert total == pytest.approx(1, abs=1e-5)
    given = np.array([[spec.bos, 1, 0, *ids] for ids in itertools.product(range(6), repeat=2)])
    assert model.log_likelihood(batch_of(given, given=3)).double().exp().sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", EXACT)
def test_loss_likelihood_and_predictions_agree(name: str, tmp_path: Path) -> None:
    model = trained(name, tmp_path)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, (4, 15))
    batch = Batch(torch.from_numpy(x), torch.from_numpy(np.arange(15) < np.array([[15], [3], [9], [15]])))
    batch.mask[:, 0] = False
    assert isinstance(model, Likelihood)
    assert isinstance(model, Predicts)
    with torch.no_grad():
        likelihood = model.log_likelihood(batch)
        nats, right = model.predict(batch)
    assert likelihood.shape == (4,)
    assert nats.shape == right.shape == (4, 14)
    assert right.dtype == torch.bool
    assert not nats[~batch.mask[:, 1:]].any()
    assert not right[~batch.mask[:, 1:]].any()
    torch.testing.assert_close(nats.sum(1), likelihood)
    if isinstance(model, Learns):
        (side,) = model.sides()
        asked = int(batch.mask.sum())
        losses = model.loss(batch, side)
        assert losses["loss"].item() == pytest.approx(-likelihood.sum().item() / asked, rel=1e-5)
        assert losses["accuracy"].item() == pytest.approx(int(right.sum()) / asked)


@pytest.mark.parametrize("name", EXACT)
def test_what_comes_later_changes_nothing(name: str, tmp_path: Path) -> None:
    model = trained(name, tmp_path)
    x = np.random.default_rng(0).integers(0, 9, (2, 12))
    changed = x.copy()
    changed[:, 8:] = (x[:, 8:] + 1) % 9
    assert isinstance(model, Predicts)
    with torch.no_grad():
        one, other = (model.predict(batch_of(rows))[0] for rows in (x, changed))
    torch.testing.assert_close(one[:, :7], other[:, :7])


@pytest.mark.parametrize("name", EXACT)
def test_it_plays_without_torch_what_torch_computes(name: str, tmp_path: Path) -> None:
    model = trained(name, tmp_path)
    folder = tmp_path / "player"
    folder.mkdir()
    player = importlib.import_module(f"partimento.players.{model.export(folder)}").open_player(folder)
    x = np.concatenate([np.full((3, 1), SPEC.bos), np.random.default_rng(1).integers(0, 9, (3, 20))], axis=1)
    assert isinstance(model, Predicts)
    with torch.no_grad():
        nats, right = model.predict(batch_of(x))
    state = player.start(3)
    for at in range(20):
        logits, state = player.step(x[:, at], state)
        assert logits.shape == (3, SPEC.vocab_size)
        assert logits.dtype == np.float32
        logs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        np.testing.assert_allclose(logs[np.arange(3), x[:, at + 1]], nats[:, at].numpy(), atol=1e-4)
        np.testing.assert_array_equal(logits.argmax(1) == x[:, at + 1], right[:, at].numpy())
