from __future__ import annotations

import itertools
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from partimento.codec import RollSpec, TokenSpec
from partimento.errors import InvalidBundle, InvalidSettings
from partimento.graphs import Graph
from partimento.model import Batch
from partimento.models import biaxial
from partimento.models.biaxial import Axis, Biaxial, Features
from partimento.players.frame import open_player
from partimento.recipes import recipe_named
from partimento.sampling import Sampling
from partimento.training.loop import seeded

from cells import batch_of, grids

SMALL: dict[str, Any] = {"time": (10, 8), "pitch": (7, 6), "reach": 4}


def made(channels: int = 2, pitches: int = 9, low: int = 57, steps_per_beat: int = 4, **settings: Any) -> Biaxial:
    spec = RollSpec(channels, low, pitches, steps_per_beat)
    with seeded(0):
        model = Biaxial(Biaxial.Settings(**{**SMALL, **settings}), spec)
        for parameter in model.parameters():
            parameter.data += 0.4 * torch.randn_like(parameter)  # as if something had been learnt
    return model.eval()


@torch.no_grad()
def logits_of(model: Biaxial, x: Tensor, step: int = 0) -> Tensor:
    logits: Tensor = model(x, torch.zeros_like(x[:, 0]), torch.full((len(x),), step))[0]
    return logits


def told_one_by_one(frame: NDArray[np.float32], p: int, step: int, spec: RollSpec, reach: int) -> list[float]:
    """What pitch p is told, in the words of Johnson 2015, of frame (C, P); the beat for bars of four and of three."""
    sustain = spec.channels - 1
    pitch = spec.low + p
    told = [(pitch - 60) / 48, *(float(pitch % 12 == n) for n in range(12))]
    for plane in range(spec.channels):
        around = range(p - reach, p + reach + 1)
        told += [float(frame[plane, q]) if 0 <= q < spec.pitches else 0.0 for q in around]
    for interval in range(12):
        same = [q for q in range(spec.pitches) if (spec.low + q - pitch) % 12 == interval]
        told.append(sum(float(frame[sustain, q]) for q in same))
    sixteenth = 4 * step // spec.steps_per_beat
    for bar in (16, 12):
        told += [2.0 * (sixteenth % bar // n % 2) - 1 for n in (1, 2, 4, 8)]
    return [*told, 4 * step / spec.steps_per_beat - sixteenth]


@pytest.mark.parametrize("channels", [1, 2])
@given(low=st.integers(0, 100), steps_per_beat=st.sampled_from([1, 2, 3, 4, 6, 12]), step=st.integers(0, 300))
def test_a_pitch_is_told_what_the_source_says(channels: int, low: int, steps_per_beat: int, step: int) -> None:
    spec = RollSpec(channels, low, 20, steps_per_beat)
    model = made(channels, 20, low, steps_per_beat)
    x = grids(1, 1, channels, 20, seed=step)
    found = model.inputs(x.transpose(0, 1), torch.tensor([[step]]))[0, 0]
    expected = [told_one_by_one(x[0, 0].numpy(), p, step, spec, 4) for p in range(20)]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_the_source_s_own_sizes_give_the_source_s_own_inputs() -> None:
    features = Features(RollSpec(2, 24, 78, 4), reach=12, bars=(4,))
    assert features.width == 80  # Johnson 2015: position, 12 classes, 25 x 2 around, 12 of context, 4 of beat, and a 0
    assert features.beats.tolist()[:3] == [[-1, -1, -1, -1, 0], [1, -1, -1, -1, 0], [-1, 1, -1, -1, 0]]
    assert len(features.beats) == 16


@pytest.mark.parametrize(("channels", "pitches", "states"), [(1, 3, 2), (2, 2, 3)])
def test_the_probabilities_of_all_short_pieces_sum_to_one(channels: int, pitches: int, states: int) -> None:
    model = made(channels, pitches)
    cells = np.array([[0, 0], [0, 1], [1, 1]] if channels == 2 else [[0], [1]], np.float32)
    for frames in (1, 2):
        rows = np.array(list(itertools.product(range(states), repeat=pitches * frames)))
        x = torch.from_numpy(cells[rows].reshape(-1, frames, pitches, channels).swapaxes(2, 3).copy())
        with torch.no_grad():
            total = model.log_likelihood(batch_of(x)).double().exp().sum().item()
        assert total == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_cell_knows_what_came_before_and_what_is_below_and_nothing_else(channels: int) -> None:
    model = made(channels)
    x = grids(2, 6, channels, 9)
    changed = x.clone()
    changed[:, 3, :, 5] = 1 - x[:, 3, :, 5]
    one, other = logits_of(model, x), logits_of(model, changed)
    torch.testing.assert_close(one[:, :3], other[:, :3])
    torch.testing.assert_close(one[:, 3, :, :6], other[:, 3, :, :6])
    assert ((one - other)[:, 3, :, 6:].abs() > 1e-4).all()
    assert ((one - other)[:, 4].abs() > 1e-5).all()


def test_music_in_another_key_says_the_same_where_no_pitch_is_told_its_name() -> None:
    model = made(2, 30)
    first = model.get_parameter("time.cells.0.weight_ih_l0")
    first.data[:, : model.place.shape[1]] = 0
    x = torch.zeros(2, 6, 2, 30)
    x[..., 8:17] = grids(2, 6, 2, 9)
    moved = torch.roll(x, 5, dims=-1)
    with torch.no_grad():
        h, other = (
            model.time(model.inputs(part.transpose(0, 1), _steps(6, 2)).flatten(1, 2))[0] for part in (x, moved)
        )
    h, other = (part.view(6, 2, 30, -1) for part in (h, other))
    torch.testing.assert_close(h[:, :, :25], other[:, :, 5:])
    assert (h[:, :, 5:] - other[:, :, 5:]).abs().max() > 0.01


def _steps(frames: int, pieces: int) -> Tensor:
    return torch.arange(frames)[:, None].expand(-1, pieces)


def test_loss_and_likelihood_agree_and_what_is_masked_does_not_count() -> None:
    model = made()
    x = grids(3, 7, 2, 9)
    mask = torch.arange(7) < torch.tensor([[7], [4], [0]])
    batch = Batch(x, mask, torch.tensor([0, 16, 5]))
    with torch.no_grad():
        nats = model.log_likelihood(batch)
        loss = model.loss(batch)["loss"]
        assert loss.item() == pytest.approx(-nats.sum().item() / 11, rel=1e-5)
        assert nats[2] == 0
        short = model.log_likelihood(Batch(x[1:2, :4], mask[1:2, :4], torch.tensor([16])))
        torch.testing.assert_close(nats[1:2], short)
        twice = Batch(x, mask, batch.begin, mask * torch.tensor([[2.0], [1.0], [1.0]]))
        expected = -(2 * nats[0] + nats[1]).item() / (2 * 7 + 4)
        assert model.loss(twice)["loss"].item() == pytest.approx(expected, rel=1e-5)


def test_long_pieces_and_many_of_them_are_run_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made()
    x = grids(5, 23, 2, 9)
    batch = Batch(x, torch.arange(23) < torch.tensor([[23], [20], [9], [2], [1]]), torch.tensor([0, 3, 0, 9, 7]))
    with torch.no_grad():
        whole = model.log_likelihood(batch)
        monkeypatch.setattr(biaxial, "ABREAST", 2)
        monkeypatch.setattr(biaxial, "ROOM", 2 * 9 * 4)
        torch.testing.assert_close(model.log_likelihood(batch), whole)


def test_the_beat_comes_again_and_counts() -> None:
    model = made()
    x = grids(1, 5, 2, 9)
    again = 12 * 4  # bars of four and of three quarter notes begin together after twelve, of four sixteenths each
    torch.testing.assert_close(logits_of(model, x, again), logits_of(model, x))
    assert all((logits_of(model, x, step) - logits_of(model, x)).abs().max() > 1e-3 for step in range(1, again))


def test_a_unit_that_is_dropped_is_missing_all_along() -> None:
    axis = Axis(5, (40,), 0.5).train()
    with seeded(1):
        h, _ = axis(torch.randn(9, 3, 5))
    gone = (h == 0).all(0)
    torch.testing.assert_close((h == 0).any(0), gone)
    assert 0.3 < gone.float().mean() < 0.7
    assert not (gone[0] == gone[1]).all()
    with torch.no_grad():
        assert (axis.eval()(torch.randn(9, 3, 5))[0] != 0).all()


@pytest.mark.parametrize(("channels", "steps_per_beat"), [(1, 1), (2, 4), (2, 12)])
def test_the_player_s_graphs_compute_what_torch_computes(channels: int, steps_per_beat: int, tmp_path: Path) -> None:
    model = made(channels, 21, 40, steps_per_beat, bars=(4,) if channels == 1 else (4, 3))
    assert model.export(tmp_path) == "frame"
    player = open_player(tmp_path)
    time, pitch = player._time, player._pitch
    assert isinstance(time, Graph)
    x = grids(3, 9, channels, 21)
    begin = np.array([0, 5, 31])
    with torch.no_grad():
        logits = model(x, torch.zeros_like(x[:, 0]), torch.from_numpy(begin))[0].numpy()
    cells = x.numpy()
    state = {name: np.zeros((3, *shape), dtype) for name, (shape, dtype) in player._shapes.states.items()}
    frame = np.zeros_like(cells[:, 0])
    for t in range(9):
        found = time.run({"frame": frame, "step": begin + t, **state})
        state = {name: found[f"next_{name}"] for name in state}
        inner = {name: found[f"first_{name}"] for name in player._shapes.pitch_states}
        before = np.zeros((3, channels), np.float32)
        for p in range(21):
            said = pitch.run({"given": found["given"][:, p], "pitch": np.array(p), "before": before, **inner})
            inner = {name: said[f"next_{name}"] for name in inner}
            np.testing.assert_allclose(said["logits"], logits[:, t, :, p], atol=1e-4)
            before = cells[:, t, :, p]
        frame = cells[:, t]


def test_what_it_plays_is_as_likely_as_torch_says(tmp_path: Path) -> None:
    model = made()
    model.export(tmp_path)
    heard = grids(1, 3, 2, 9)[0].numpy()
    rngs = [np.random.default_rng(n) for n in range(400)]
    frames = list(islice(open_player(tmp_path).play(rngs, heard, Sampling()), 2))
    assert [cells.shape for cells, _ in frames] == [(400, 1, 2, 9)] * 2
    x = torch.from_numpy(np.concatenate([np.repeat(heard[None], 400, 0), *(cells for cells, _ in frames)], axis=1))
    p = torch.sigmoid(logits_of(model, x))[:, 3:]
    p[:, :, 0] *= p[:, :, 1]
    spread = (p * (1 - p)).sum(0).sqrt() / 400
    assert ((x[:, 3:].mean(0) - p.mean(0)).abs() < 5 * spread + 0.01).all()


def test_weights_go_there_and_back_and_others_are_refused() -> None:
    model, other = made(), made(time=(10, 9))
    fresh = Biaxial(model.settings, model.spec).eval()
    fresh.load_arrays(model.arrays())
    x = grids(2, 5, 2, 9)
    torch.testing.assert_close(logits_of(fresh, x), logits_of(model, x))
    with pytest.raises(InvalidBundle, match="do not belong"):
        fresh.load_arrays(other.arrays())


@pytest.mark.parametrize("spec", [TokenSpec(12, 9, 10, 11), RollSpec(3, 24, 78, 4)])
def test_what_it_cannot_learn_is_refused(spec: Any) -> None:
    with pytest.raises(InvalidSettings, match="biaxial"):
        Biaxial(Biaxial.Settings(), spec)


@pytest.mark.parametrize(
    "settings",
    [{"time": ()}, {"pitch": (0,)}, {"bars": ()}, {"bars": (7, 11, 13)}, {"dropout": 1.0}, {"reach": -1}],
)
def test_settings_that_make_no_network_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Biaxial.Settings(**settings)


def test_the_recipe_is_the_source_s_network() -> None:
    recipe = recipe_named("biaxial")
    model = recipe.settings["model"]
    assert (model.time, model.pitch, model.reach, model.dropout) == ((300, 300), (100, 50), 12, 0.5)
    assert recipe.codec == "roll"
    player = recipe.settings["player"]
    assert (player.conservativity, player.nudge, player.recovery, player.fewest) == (1.0, 0.02, 0.3, 2)
    assert recipe.override(["model.bars=[4]"]).settings["model"].bars == (4,)


def test_learning_leaves_out_silent_pitches_far_from_all_that_sounds() -> None:
    x = torch.zeros(2, 5, 2, 60)
    x[..., 20:29] = grids(2, 5, 2, 9, share=0.9)
    model, everything = made(2, 60, margin=5).train(), made(2, 60, margin=None).train()
    seen = []
    for seed in range(300):
        with seeded(seed):
            seen.append(model._sounding(x).indices(60)[:2])
            assert everything._sounding(x) == slice(None)
    whole = seen.count((0, 60))
    assert 20 < whole < 60  # one in eight
    cut = np.array([rows for rows in seen if rows != (0, 60)])
    assert set(cut[:, 0]) == set(range(10, 20))
    assert set(cut[:, 1]) == set(range(30, 40))
    assert model._sounding(torch.zeros_like(x)) == slice(None)


def test_logits_of_some_pitches_are_those_of_a_grid_that_begins_there() -> None:
    model = made(2, 40)
    x = torch.zeros(2, 5, 2, 40)
    x[..., 15:24] = grids(2, 5, 2, 9)
    with torch.no_grad():
        some, _ = model(x, torch.zeros_like(x[:, 0]), torch.tensor([0, 7]), rows=slice(10, 30))
        alone = Biaxial(model.settings, RollSpec(2, model.spec.low + 10, 20, 4)).eval()
        alone.load_arrays(model.arrays())
        expected, _ = alone(x[..., 10:30], torch.zeros(2, 2, 20), torch.tensor([0, 7]))
    torch.testing.assert_close(some, expected)


def test_loss_while_learning_is_that_of_the_pitches_that_are_left() -> None:
    model = made(2, 40, dropout=0.0, margin=3).train()
    x = torch.zeros(2, 5, 2, 40)
    x[..., 15:24] = grids(2, 5, 2, 9)
    batch = batch_of(x)
    with torch.no_grad():
        for seed in range(8):
            with seeded(seed):
                rows = model._sounding(x)
            logits, _ = model(x, torch.zeros_like(x[:, 0]), torch.zeros(2, dtype=torch.int64), rows=rows)
            expected = -biaxial.cell_log_probability(logits, x[..., rows]).sum(-1).mean().item()
            with seeded(seed):
                assert model.loss(batch)["loss"].item() == pytest.approx(expected, rel=1e-5)
