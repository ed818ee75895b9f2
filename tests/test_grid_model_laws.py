"""The laws that every model of grids keeps; a model's file is tested on arrival."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from partimento.codec import RollSpec
from partimento.frames import planes
from partimento.model import Batch, Judged, Learns, Likelihood, Model, Phrased, likelihood_kind, model_named, models
from partimento.pieces import Pieces
from partimento.progress import Progress
from partimento.sampling import Sampling
from partimento.training.loop import Training, fit, held_out, seeded
from partimento.windows import Windows

from test_model_laws import SMALL

OF_GRIDS = sorted(name for name, kind in models().items() if kind.Spec is RollSpec)
EXACT = [name for name in OF_GRIDS if likelihood_kind(model_named(name)) == "exact"]
FIGURED = [
    name for name in OF_GRIDS if likelihood_kind(model_named(name)) != "none" or hasattr(model_named(name), "judge")
]
SPECS = {"sustain alone": RollSpec(1, 60, 5, 4), "with onsets": RollSpec(2, 60, 5, 4)}
LENGTH = 8


@pytest.fixture(params=SPECS.values(), ids=SPECS.keys())
def spec(request: pytest.FixtureRequest) -> RollSpec:
    found: RollSpec = request.param
    return found


def made(name: str, spec: RollSpec, seed: int = 0, **settings: Any) -> Model:
    kind = model_named(name)
    with seeded(seed):
        return kind(kind.Settings(**{**SMALL[name], **settings}), spec)  # type: ignore[call-arg]


def arpeggio(spec: RollSpec, steps: int, first: int) -> NDArray[np.float32]:
    """Five pitches in turn, each for two steps."""
    onset, sustain = planes(spec.channels)
    x = np.zeros((steps, spec.channels, spec.pitches), np.float32)
    for step in range(steps):
        x[step, sustain, (first + step // 2) % spec.pitches] = 1
        if onset is not None and step % 2 == 0:
            x[step, onset] = x[step, sustain]
    return x


def windows_of(model: Model, folder: Path, seed: int = 0) -> Windows:
    spec = model.spec
    pieces = Pieces.write(folder, ((arpeggio(spec, 40, first), 20) for first in range(4)), spec)
    if isinstance(model, Phrased):
        return Windows(pieces, model.steps, 4, seed, align=model.align)
    return Windows(pieces, LENGTH, 4, seed)


def training(updates: int, seed: int = 0, **settings: Any) -> Training:
    return Training(updates=updates, batch=4, learning_rate=1e-2, seed=seed, threads=1, patience=None, **settings)


def trained(name: str, spec: RollSpec, folder: Path, updates: int = 6, seed: int = 0) -> Model:
    model = made(name, spec, seed)
    windows = windows_of(model, folder / "pieces", seed)
    fit(model, windows, windows, training(updates, seed), folder / "run")
    assert isinstance(model, nn.Module)
    model.eval()
    return model


def player_of(model: Model, folder: Path) -> Any:
    folder.mkdir()
    name = model.export(folder)
    assert name == model.player
    module = importlib.import_module(f"partimento.players.{name}")
    return module.open_player(folder, module.Settings())


def grids(x: NDArray[np.float32], asked: NDArray[np.bool_] | None = None) -> Batch:
    """Windows that begin their pieces, every frame predicted if not said otherwise."""
    mask = np.ones(x.shape[:2], dtype=bool) if asked is None else asked
    return Batch(torch.from_numpy(x), torch.from_numpy(mask))


def noise(spec: RollSpec, *shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Random cells, struck only where they sound."""
    x = (np.random.default_rng(seed).random((*shape, spec.channels, spec.pitches)) < 0.4).astype(np.float32)
    onset, sustain = planes(spec.channels)
    if onset is not None:
        x[..., onset, :] *= x[..., sustain, :]
    return x


def same_arrays(one: Model, other: Model) -> bool:
    return all(np.array_equal(array, other.arrays()[key]) for key, array in one.arrays().items())


def test_the_classic_systems_are_there() -> None:
    assert {"rbm", "rnn_rbm", "rnn_nade", "biaxial", "gan", "vae"} <= set(OF_GRIDS)
    assert {likelihood_kind(model_named(name)) for name in ("rnn_nade", "biaxial")} == {"exact"}
    assert likelihood_kind(model_named("vae")) == "bound"
    assert likelihood_kind(model_named("gan")) == "none"


@pytest.mark.parametrize("name", OF_GRIDS)
def test_the_same_seed_learns_the_same(name: str, spec: RollSpec, tmp_path: Path) -> None:
    one, same, other = (trained(name, spec, tmp_path / str(n), 3, seed) for n, seed in enumerate((1, 1, 2)))
    assert same_arrays(one, same)
    assert not same_arrays(one, other)


@pytest.mark.parametrize("name", OF_GRIDS)
def test_a_run_broken_off_and_resumed_ends_as_if_never_stopped(name: str, tmp_path: Path) -> None:
    spec = SPECS["with onsets"]
    whole = trained(name, spec, tmp_path / "whole", 6)

    class BrokenOff(Exception):
        pass

    def break_off(event: Progress) -> None:
        if event.job == "Training" and event.done == 4:
            raise BrokenOff

    model = made(name, spec)
    windows = windows_of(model, tmp_path / "pieces")
    with pytest.raises(BrokenOff):
        fit(model, windows, windows, training(6, save_every=0.0), tmp_path / "run", watch=break_off)
    again = made(name, spec, seed=7)
    fit(again, windows, windows, training(6, save_every=0.0), tmp_path / "run", resume=True)
    assert same_arrays(again, whole)


@pytest.mark.parametrize("name", FIGURED)
def test_little_music_is_learnt(name: str, spec: RollSpec, tmp_path: Path) -> None:
    model = made(name, spec)
    windows = windows_of(model, tmp_path / "pieces")
    before = held_out(model, windows)["loss"]
    fit(model, windows, windows, training(120), tmp_path / "run")
    after = held_out(model, windows)["loss"]
    assert after < 0.85 * before


@pytest.mark.parametrize("name", OF_GRIDS)
def test_arrays_carry_all_that_was_learnt(name: str, spec: RollSpec, tmp_path: Path) -> None:
    model, fresh = trained(name, spec, tmp_path), made(name, spec, seed=5)
    fresh.load_arrays({key: np.array(array) for key, array in model.arrays().items()})
    assert isinstance(fresh, nn.Module)
    fresh.eval()
    assert same_arrays(model, fresh)
    one, other = player_of(model, tmp_path / "one"), player_of(fresh, tmp_path / "other")
    heard = np.zeros((0, spec.channels, spec.pitches), np.float32)
    played = [next(p.play([np.random.default_rng(3)], heard, Sampling()))[0] for p in (one, other)]
    np.testing.assert_array_equal(*played)


@pytest.mark.parametrize("name", OF_GRIDS)
def test_losses_are_scalars_that_reach_every_parameter(name: str, spec: RollSpec) -> None:
    model = made(name, spec)
    assert isinstance(model, Learns)
    steps = model.steps if isinstance(model, Phrased) else LENGTH
    batch = grids(noise(spec, 4, steps))
    for side, parameters in model.sides().items():
        losses = model.loss(batch, side)
        assert all(value.shape == () and value.dtype == torch.float32 for value in losses.values())
        found = torch.autograd.grad(losses["loss"], parameters, allow_unused=True)
        assert all(grad is not None and torch.isfinite(grad).all() for grad in found)


def every_grid(spec: RollSpec, steps: int) -> NDArray[np.float32]:
    """All grids of so many steps, each cell silent, held or struck (or sounding)."""
    onset, sustain = planes(spec.channels)
    states = range(2 if onset is None else 3)
    cells = np.array(list(itertools.product(states, repeat=steps * spec.pitches))).reshape(-1, steps, spec.pitches)
    x = np.zeros((len(cells), steps, spec.channels, spec.pitches), np.float32)
    x[:, :, sustain] = cells > 0
    if onset is not None:
        x[:, :, onset] = cells == 2
    return x


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("channels", [1, 2])
def test_the_probabilities_of_all_short_grids_sum_to_one(name: str, channels: int) -> None:
    model = made(name, RollSpec(channels, 60, 3, 4))
    assert isinstance(model, nn.Module)
    assert isinstance(model, Likelihood)
    model.eval()
    for steps in (1, 2):
        with torch.no_grad():
            nats = model.log_likelihood(grids(every_grid(model.spec, steps)))
        assert nats.double().exp().sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", EXACT)
def test_what_comes_later_changes_nothing_and_frames_add_up(name: str, spec: RollSpec, tmp_path: Path) -> None:
    model = trained(name, spec, tmp_path)
    assert isinstance(model, Likelihood)
    x = noise(spec, 2, 12)
    changed = x.copy()
    changed[:, 7:] = noise(spec, 2, 5, seed=1)
    early = np.broadcast_to(np.arange(12) < 7, (2, 12)).copy()
    with torch.no_grad():
        whole = model.log_likelihood(grids(x))
        before, late = (model.log_likelihood(grids(x, asked)) for asked in (early, ~early))
        torch.testing.assert_close(model.log_likelihood(grids(changed, early)), before)
    torch.testing.assert_close(before + late, whole)


@pytest.mark.parametrize("name", EXACT)
def test_loss_and_likelihood_agree(name: str, spec: RollSpec, tmp_path: Path) -> None:
    model = trained(name, spec, tmp_path)
    assert isinstance(model, Likelihood)
    assert isinstance(model, Learns)
    batch = grids(noise(spec, 3, 9), np.arange(9) < np.array([[9], [4], [7]]))
    (side,) = model.sides()
    with torch.no_grad():
        nats = model.log_likelihood(batch).sum().item()
        assert model.loss(batch, side)["loss"].item() == pytest.approx(-nats / 20, rel=1e-4)


@pytest.mark.parametrize("name", EXACT)
def test_it_plays_without_torch_what_torch_computes(name: str, spec: RollSpec, tmp_path: Path) -> None:
    model = trained(name, spec, tmp_path)
    assert isinstance(model, Likelihood)
    onset, sustain = planes(spec.channels)
    heard = noise(spec, 21)
    frames = player_of(model, tmp_path / "player").play([np.random.default_rng(n) for n in range(3)], heard, Sampling())
    before = np.repeat(heard[None], 3, axis=0)
    for cells, p in itertools.islice(frames, 3):
        sounding, strike = p[:, 0, sustain], p[:, 0, onset] if onset is not None else 0
        struck = cells[:, 0, onset] > 0 if onset is not None else np.zeros(sounding.shape, bool)
        chance = np.where(cells[:, 0, sustain] > 0, np.where(struck, strike, sounding - strike), 1 - sounding)
        nats = np.log(chance).sum(1)
        before = np.concatenate([before, cells], axis=1)
        asked = np.broadcast_to(np.arange(before.shape[1]) == before.shape[1] - 1, before.shape[:2]).copy()
        with torch.no_grad():
            theirs = model.log_likelihood(grids(before, asked)).numpy()
        np.testing.assert_allclose(nats, theirs, atol=1e-4)


@pytest.mark.parametrize("name", OF_GRIDS)
def test_players_make_cells_that_can_be_and_the_same_of_the_same_seed(
    name: str, spec: RollSpec, tmp_path: Path
) -> None:
    model = trained(name, spec, tmp_path)
    player = player_of(model, tmp_path / "player")
    assert player.steps >= 1
    onset, sustain = planes(spec.channels)
    for heard in [noise(spec, 0), *([noise(spec, 16)] if player.hears else [])]:
        made = [
            list(itertools.islice(player.play([np.random.default_rng(n) for n in seeds], heard, Sampling()), 2))
            for seeds in ((1, 2, 3), (1, 2, 3), (4, 5, 6))
        ]
        for cells, p in made[0]:
            assert cells.shape == p.shape == (3, player.steps, spec.channels, spec.pitches)
            assert cells.dtype == p.dtype == np.float32
            assert set(np.unique(cells)) <= {0.0, 1.0}
            assert ((p >= 0) & (p <= 1)).all()
            if onset is not None:
                assert (cells[:, :, onset] <= cells[:, :, sustain]).all(), "what is struck sounds"
        one, same, other = (np.concatenate([np.stack(both) for both in frames], axis=2) for frames in made)
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", OF_GRIDS)
def test_a_model_says_what_its_figure_is(name: str) -> None:
    kind = model_named(name)
    if likelihood_kind(kind) == "none" and hasattr(kind, "judge"):
        assert kind.figure  # type: ignore[attr-defined]
        assert isinstance(made(name, SPECS["with onsets"]), Judged)
