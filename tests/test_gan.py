"""The GAN: its two sides, that it does not collapse, and that what is played is what the critic saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from partimento.codec import RollSpec
from partimento.codecs.roll import ONSET, SUSTAIN
from partimento.errors import InvalidBundle, InvalidSettings
from partimento.model import Batch, Judged, Likelihood, Phrased
from partimento.models.gan import Gan, binary, spread
from partimento.pieces import Pieces
from partimento.players import graph
from partimento.sampling import Sampling
from partimento.training.loop import Training, fit, held_out, seeded
from partimento.windows import Windows

SPEC = RollSpec(channels=2, low=60, pitches=12, steps_per_beat=2)
SMALL: dict[str, Any] = {"steps": 8, "align": 4, "latent": 6, "width": 24, "penalty": 1.0, "average": 0.9}
HOW: dict[str, Any] = {"length": 8, "batch": 16, "optimiser": "adam", "betas": (0.0, 0.99), "clip": None, "warmup": 0.0}
HOW |= {"threads": 1, "precision": "float32"}
KINDS = 8  # of phrases in the little music


def made(seed: int = 0, spec: RollSpec = SPEC, **settings: Any) -> Gan:
    with seeded(seed):
        return Gan(Gan.Settings(**{**SMALL, **settings}), spec)


def phrase(kind: int) -> NDArray[np.float32]:
    """Two bars: a scale going up or down, in crotchets or quavers, from one of two places."""
    down, quick, high = kind % 2, kind // 2 % 2, kind // 4
    x = np.zeros((8, 2, 12), np.float32)
    for step in range(8):
        note = step if quick else step // 2
        pitch = (11 - note if down else note) if high else (4 - note if down else 4 + note) % 12
        x[step, SUSTAIN, pitch] = 1
        x[step, ONSET, pitch] = quick or step % 2 == 0
    return x


def music(folder: Path) -> Pieces:
    pieces = [np.concatenate([phrase((first + n) % KINDS) for n in range(4)]) for first in range(KINDS)]
    return Pieces.write(folder, ((x, int(x[:, ONSET].sum())) for x in pieces), SPEC)


def windows(folder: Path, batch: int = 16) -> Windows:
    return Windows(music(folder), 8, batch, align=8)


def learnt(model: Gan, folder: Path, updates: int) -> Gan:
    training = Training(updates=updates, learning_rate=1e-2, **HOW)
    found = windows(folder / "pieces")
    fit(model, found, found, training, folder / "run")
    return model.eval()


def batch(count: int = 6) -> Batch:
    x = torch.from_numpy(np.stack([phrase(n % KINDS) for n in range(count)]))
    return Batch(x, torch.ones(x.shape[:2], dtype=torch.bool))


def samples(model: Gan, count: int = 64) -> torch.Tensor:
    with seeded(1), torch.no_grad():
        return binary(model.averaged(torch.randn(count, model.settings.latent)))


def test_it_has_two_sides_and_claims_no_likelihood() -> None:
    model = made()
    assert isinstance(model, Phrased)
    assert not isinstance(model, Likelihood)
    assert not isinstance(model, Judged)
    sides = model.sides()
    assert list(sides) == ["critic", "generator"]
    assert not {id(p) for p in sides["critic"]} & {id(p) for p in sides["generator"]}
    assert not {id(p) for p in model.averaged.parameters()} & {id(p) for side in sides.values() for p in side}


def test_it_has_no_held_out_figure(tmp_path: Path) -> None:
    assert held_out(made(), windows(tmp_path)) == {}


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("side", ["critic", "generator"])
def test_each_sides_loss_reaches_its_own_parameters(side: str, channels: int) -> None:
    model = made(spec=RollSpec(channels, 60, 12, 2))
    x, mask, *_ = batch()
    losses = model.loss(Batch(x[:, :, -channels:], mask), side)
    assert all(value.shape == () and torch.isfinite(value) for value in losses.values())
    found = torch.autograd.grad(losses["loss"], model.sides()[side])
    assert all(torch.isfinite(gradient).all() for gradient in found)
    assert sum(float(gradient.abs().sum()) for gradient in found) > 0


def test_the_critic_learns_to_hold_real_phrases_above_made_ones() -> None:
    model = made(penalty=0.1)
    optimiser = torch.optim.Adam(model.critic.parameters(), 3e-3)
    with seeded(0):
        first = model.loss(batch(32), "critic")
        for _ in range(25):
            optimiser.zero_grad()
            model.loss(batch(32), "critic")["loss"].backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        last = model.loss(batch(32), "critic")
    assert last["margin"] > max(first["margin"].item(), 0.5)
    assert last["loss"] < first["loss"]


def test_the_penalty_keeps_the_critic_from_being_steep() -> None:
    def steepness(penalty: float) -> float:
        model = made(penalty=penalty)
        optimiser = torch.optim.Adam(model.critic.parameters(), 3e-3)
        with seeded(0):
            for _ in range(25):
                optimiser.zero_grad()
                model.loss(batch(32), "critic")["loss"].backward()  # type: ignore[no-untyped-call]
                optimiser.step()
            return model.loss(batch(32), "critic")["steepness"].item()

    assert steepness(10.0) < 0.5 * steepness(0.01)


def test_the_penalty_is_the_squared_gradient_at_real_and_at_made_phrases() -> None:
    light, heavy = made(penalty=0.0), made(penalty=2.0)
    with seeded(3):
        without = light.loss(batch(), "critic")["loss"]
    with seeded(3):
        loss = heavy.loss(batch(), "critic")["loss"]
    with seeded(3):
        z = torch.randn(6, 6)
    expected = 0.0
    for x in (batch().x.requires_grad_(), binary(light.generator(z)).detach().requires_grad_()):
        (gradient,) = torch.autograd.grad(light.critic(x).sum(), x)
        expected += gradient.square().sum().item() / 6
    assert loss.item() - without.item() == pytest.approx(expected, rel=1e-3)


def test_phrases_filled_up_with_silence_teach_nothing_where_others_are_whole() -> None:
    model = made().eval()
    x, mask, *_ = batch(6)
    filled = torch.cat([x, torch.zeros_like(x[:2])])
    marked = torch.cat([mask, torch.zeros_like(mask[:2])])
    marked[6:, :4] = True
    for side in model.sides():
        with seeded(0):
            alone = model.loss(Batch(x, mask), side)
        with seeded(0):
            beside = model.loss(Batch(filled, marked), side)
        for name, value in alone.items():
            torch.testing.assert_close(beside[name], value)
    assert torch.isfinite(model.loss(Batch(filled[6:], marked[6:]), "critic")["loss"])  # there are no others


@settings(max_examples=50, deadline=None)
@given(npst.arrays(np.float32, (2, 5, 2, 4), elements=st.floats(-5, 5, width=32)))
def test_binary_neurons_make_notes_that_begin_and_go_on(array: NDArray[np.float32]) -> None:
    cells = binary(torch.from_numpy(array)).numpy()
    struck, sounds = array[:, :, ONSET] > 0, array[:, :, SUSTAIN] > 0
    heard = np.zeros_like(sounds[:, 0])
    for step in range(5):
        heard = sounds[:, step] & (struck[:, step] | heard)
        np.testing.assert_allclose(cells[:, step, ONSET], sounds[:, step] & struck[:, step], atol=1e-6)
        np.testing.assert_allclose(cells[:, step, SUSTAIN], heard, atol=1e-6)


def test_the_gradient_of_binary_neurons_is_that_of_a_sigmoid_where_they_are_heard() -> None:
    struck, sounds = torch.tensor([2.0, -1.0, -1.0, 3.0]), torch.tensor([0.5, 1.0, -2.0, 1.5])
    logits = torch.stack([struck, sounds], -1).view(1, 4, 2, 1).requires_grad_()
    cells = binary(logits)  # a note is struck at 0 and held at 1; another is struck at 3
    assert cells[0, :, SUSTAIN, 0].tolist() == pytest.approx([1, 1, 0, 1])
    (gradient,) = torch.autograd.grad(cells.sum(), logits)
    p = torch.sigmoid(logits.detach())[0, :, :, 0]
    slope = p * (1 - p)
    # striking matters where a cell sounds, sounding where it would be heard, and twice where it is struck as well
    torch.testing.assert_close(gradient[0, :, ONSET, 0], slope[:, ONSET] * torch.tensor([1.0, 1, 0, 1]))
    torch.testing.assert_close(gradient[0, :, SUSTAIN, 0], slope[:, SUSTAIN] * torch.tensor([2.0, 1, 1, 2]))


@settings(max_examples=30, deadline=None)
@given(npst.arrays(np.float32, (2, 3, 1, 4), elements=st.floats(-5, 5, width=32)))
def test_one_plane_is_binary_as_it_is(array: NDArray[np.float32]) -> None:
    logits = torch.from_numpy(array).requires_grad_()
    cells = binary(logits)
    np.testing.assert_allclose(cells.detach(), array > 0, atol=1e-6)
    (gradient,) = torch.autograd.grad(cells.sum(), logits)
    p = torch.sigmoid(logits.detach())
    torch.testing.assert_close(gradient, p * (1 - p))


def test_spread_is_the_mean_distance_of_two() -> None:
    x = (np.random.default_rng(0).random((5, 8, 2, 12)) < 0.3).astype(np.float32)
    pairs = [np.abs(x[i] - x[j]).sum() for i in range(5) for j in range(i)]
    assert spread(torch.from_numpy(x)).item() == pytest.approx(np.mean(pairs))
    assert spread(torch.from_numpy(x[:1])).item() == 0
    assert spread(torch.from_numpy(np.repeat(x[:1], 4, 0))).item() == 0


def test_what_it_makes_is_neither_collapsed_nor_noise(tmp_path: Path) -> None:
    """After a little training samples are near real phrases, and near many different ones."""
    model = learnt(made(), tmp_path, updates=200)
    real = torch.from_numpy(np.stack([phrase(n) for n in range(KINDS)]))
    found = samples(model)
    assert 0.6 < (spread(found) / spread(real)).item() < 1.2
    apart = (found[:, None] - real).abs().flatten(2).sum(2)  # (64, KINDS) cells that differ
    filled = real.flatten(1).sum(1).mean()
    assert apart.min(1).values.mean() < 0.7 * filled
    assert len(set(apart.argmin(1).tolist())) >= KINDS - 2
    fresh = samples(made())
    assert (fresh[:, None] - real).abs().flatten(2).sum(2).min(1).values.mean() > 0.8 * filled  # the bounds can fail
    assert spread(fresh) < 0.3 * spread(real)


def test_a_collapsed_generator_is_reported() -> None:
    model = made()
    with torch.no_grad():
        model.generator.bars.weight.zero_()
        for level in (model.generator.beats, model.generator.steps):
            level.hear.weight.zero_()
        model.generator.bias[:, 3] = 9.0  # it always makes something, and always the same
    assert model.loss(batch(), "generator")["spread"] == 0


def test_what_is_played_is_what_the_critic_saw(tmp_path: Path) -> None:
    model = learnt(made(), tmp_path, updates=8)
    folder = tmp_path / "player"
    folder.mkdir()
    assert model.export(folder) == "graph"
    player = graph.open_player(folder, graph.Settings(walk=0.0))
    assert (player.steps, player.align, player.hears) == (8, 4, False)
    z = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)
    with torch.no_grad():
        seen = binary(model.averaged(torch.from_numpy(z)))
        torch.testing.assert_close(
            torch.from_numpy(player.decode(z)), model.decode(torch.from_numpy(z)), atol=1e-3, rtol=0
        )
    decided = torch.from_numpy(player.decode(z) > 0).float()
    decided[:, :, ONSET] *= decided[:, :, SUSTAIN]
    torch.testing.assert_close(decided, seen)
    before = torch.cat([torch.zeros_like(seen[:, :1, SUSTAIN]), seen[:, :-1, SUSTAIN]], 1)
    assert not (seen[:, :, SUSTAIN] * (1 - before) * (1 - seen[:, :, ONSET])).round().any()  # all that begins is struck
    rngs = [np.random.default_rng(n) for n in range(100)]
    nothing = np.zeros((0, 2, 12), np.float32)
    drawn, _ = next(iter(player.play(rngs, nothing, Sampling(temperature=1.0))))
    rngs = [np.random.default_rng(n) for n in range(100)]
    sure, _ = next(iter(player.play(rngs, nothing, Sampling(temperature=0.0))))
    assert (drawn != sure).mean() < 0.01  # drawing changes next to nothing


def test_a_stopped_run_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    training = Training(updates=8, save_every=0.0, **HOW)
    found = windows(tmp_path / "pieces")
    whole, resumed = made(), made()
    fit(whole, found, found, training, tmp_path / "whole")

    class Stopped(Exception):
        pass

    def stop(event: Any) -> None:
        if event.job == "Training" and event.done == 5:
            raise Stopped

    with pytest.raises(Stopped):
        fit(resumed, found, found, training, tmp_path / "parts", watch=stop)
    again = made(seed=9)
    fit(again, found, found, training, tmp_path / "parts", resume=True)
    for name, array in whole.arrays().items():
        np.testing.assert_array_equal(array, again.arrays()[name])
    assert not np.array_equal(
        whole.arrays()["generator.say_steps.head.weight"], resumed.arrays()["generator.say_steps.head.weight"]
    )


def test_the_average_follows_the_generator_and_is_what_is_kept() -> None:
    model = made(average=0.5)
    with torch.no_grad():
        for p in model.generator.parameters():
            p.add_(1.0)
    before = model.averaged.say_steps.head.weight.clone()
    model.eval().loss(batch(), "critic")
    torch.testing.assert_close(model.averaged.say_steps.head.weight, before)  # looking at it changes nothing
    model.train().loss(batch(), "critic")
    assert ((model.averaged.say_steps.head.weight - before) > 0.4).all()
    np.testing.assert_array_equal(
        model.arrays()["generator.say_steps.head.weight"], model.averaged.say_steps.head.weight.detach().numpy()
    )
    other = made(seed=4)
    other.load_arrays(model.arrays())
    torch.testing.assert_close(other.generator.say_steps.head.weight, model.averaged.say_steps.head.weight)


def test_foreign_weights_and_wrong_grids_are_refused() -> None:
    with pytest.raises(InvalidBundle, match="do not belong"):
        made().load_arrays(made(width=8).arrays())
    with pytest.raises(InvalidBundle, match="do not belong"):
        made().load_arrays({"generator.say_steps.head.weight": np.zeros((3, 3), np.float32)})
    with pytest.raises(InvalidSettings, match="gan"):
        made(spec=RollSpec(3, 24, 78, 4))
    with pytest.raises(ValueError, match="whole bars"):
        Gan.Settings(steps=30, align=16)


@pytest.mark.parametrize(
    ("steps", "align", "per_beat"), [(12, 12, 4), (36, 12, 4), (10, 5, 4), (3, 1, 4), (32, 16, 12)]
)
def test_any_metre_has_its_phrases(steps: int, align: int, per_beat: int, tmp_path: Path) -> None:
    model = made(spec=RollSpec(2, 60, 12, per_beat), steps=steps, align=align)
    assert model.averaged(torch.zeros(2, 6)).shape == (2, steps, 2, 12)
    assert model.critic(torch.zeros(2, steps, 2, 12)).shape == (2,)
    model.export(tmp_path)
    assert graph.open_player(tmp_path, graph.Settings()).steps == steps
