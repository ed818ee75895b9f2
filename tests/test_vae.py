from __future__ import annotations

import itertools
import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from partimento.attributes import ATTRIBUTES, measure
from partimento.codec import RollSpec
from partimento.errors import InvalidBundle, InvalidSettings
from partimento.frames import draw_cells
from partimento.interpolation import brought_back, open_latent
from partimento.model import Batch, Likelihood, Phrased
from partimento.models.vae import Vae
from partimento.pieces import Pieces
from partimento.players.graph import Latent, Settings, open_player
from partimento.recipes import recipe_named
from partimento.settings import from_table
from partimento.training.loop import seeded
from partimento.training.runs import train

SPEC = RollSpec(channels=2, low=60, pitches=14, steps_per_beat=2)
TINY: dict[str, Any] = {"steps": 8, "align": 4, "latent": 8, "encoder": 24, "conductor": 16, "decoder": 24, "step": 32}


def made(spec: RollSpec = SPEC, seed: int = 0, **more: Any) -> Vae:
    with seeded(seed):
        return Vae(Vae.Settings(**{**TINY, **more}), spec)


def tunes(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Phrases (B, 8, 2, 14) of 2, 4 or 8 notes of one length, up or down by step, from any of six pitches."""
    rng = np.random.default_rng(seed)
    x = np.zeros((count, 8, 2, 14), np.float32)
    for row in x:
        length, low, up = rng.choice([1, 2, 4]), rng.integers(0, 6), rng.choice([-1, 1])
        for number, begin in enumerate(range(0, 8, int(length))):
            pitch = low + (number if up > 0 else 7 - number)
            row[begin, 0, pitch] = 1
            row[begin : begin + length, 1, pitch] = 1
    return x


def batch_of(x: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> Batch:
    mask = np.ones(x.shape[:2], np.bool_) if mask is None else mask
    return Batch(torch.from_numpy(x), torch.from_numpy(mask))


@pytest.fixture(scope="module")
def trained() -> Vae:
    model = made(beta=0.2, warmup=100)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for update in range(400):
        for group in optimiser.param_groups:
            group["lr"] = 1e-2 * (1 - update / 400)
        with seeded(0, update):
            loss = model.loss(batch_of(tunes(32, update)))["loss"]
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model.eval()


@pytest.fixture(scope="module")
def player(trained: Vae, tmp_path_factory: pytest.TempPathFactory) -> Latent:
    folder = tmp_path_factory.mktemp("player")
    assert trained.export(folder) == "graph"
    return open_player(folder, Settings())


# attributes


def test_attributes_are_what_they_say() -> None:
    x = np.zeros((2, 8, 2, 14), np.float32)  # two notes at the first step, one off the beat; four beats
    for begin, end, pitch in ((0, 4, 0), (0, 2, 7), (5, 8, 12)):
        x[0, begin, 0, pitch] = 1
        x[0, begin:end, 1, pitch] = 1
    found = dict(zip(ATTRIBUTES, measure(x, SPEC)[0].tolist(), strict=True))
    assert found == pytest.approx(
        {
            "density": 3 / 4,
            "pitch": 60 + (0 + 7 + 12) / 3,
            "range": 12,
            "polyphony": (4 + 2 + 3) / 7,
            "length": (4 + 2 + 3) / 3 / 2,
            "syncopation": 1 / 3,
        }
    )
    assert np.isnan(measure(x, SPEC)[1]).all()


def test_without_a_plane_of_onsets_each_sound_is_one_note() -> None:
    x = np.zeros((1, 8, 1, 14), np.float32)
    x[0, 1:4, 0, 3] = x[0, 5, 0, 3] = 1
    found = dict(zip(ATTRIBUTES, measure(x, RollSpec(1, 60, 14, 2))[0].tolist(), strict=True))
    assert found["density"] == 2 / 4
    assert found["length"] == 4 / 2 / 2
    assert found["syncopation"] == 1


# the bound


def test_it_says_what_it_is() -> None:
    model = made()
    assert isinstance(model, Likelihood)
    assert isinstance(model, Phrased)
    assert not model.exact
    assert (model.steps, model.align) == (8, 4)


def random_prior(model: Vae, seed: int = 0) -> None:
    """Give a model a prior that is not standard."""
    with torch.no_grad(), seeded(seed):
        latent = len(model.prior.mean)
        model.prior.mean.copy_(torch.randn(latent) * 0.3)
        spread = torch.eye(latent) + 0.3 * torch.randn(latent, latent)
        model.prior.square.copy_(spread @ spread.T + torch.outer(model.prior.mean, model.prior.mean))


def test_divergences_are_those_of_normal_distributions() -> None:
    mean, deviation = torch.randn(5, 7), torch.rand(5, 7) + 0.1
    model = made(latent=7).eval()
    model.encoder.forward = lambda x: (mean, deviation)  # type: ignore[method-assign]
    standard = kl_divergence(Normal(mean, deviation), Normal(torch.zeros(7), torch.ones(7))).sum(1)
    assert model.loss(batch_of(tunes(5)))["kl"].item() * 8 == pytest.approx(standard.mean().item(), rel=1e-5)
    torch.testing.assert_close(model.prior.divergence(mean, deviation), standard)
    random_prior(model)
    covariance = model.prior.square - torch.outer(model.prior.mean, model.prior.mean)
    expected = kl_divergence(
        MultivariateNormal(mean, torch.diag_embed(deviation**2)), MultivariateNormal(model.prior.mean, covariance)
    )
    torch.testing.assert_close(model.prior.divergence(mean, deviation), expected, rtol=1e-4, atol=1e-4)


def all_grids(spec: RollSpec, steps: int) -> NDArray[np.float32]:
    """Every grid of the spec in which only what sounds is struck, (N, T, C, P)."""
    cells = [(0, 0), (0, 1), (1, 1)] if spec.channels == 2 else [(0,), (1,)]
    rows = itertools.product(cells, repeat=steps * spec.pitches)
    flat = np.array(list(rows), np.float32).reshape(-1, steps, spec.pitches, spec.channels)
    return np.ascontiguousarray(flat.transpose(0, 1, 3, 2))


@pytest.mark.parametrize("spec", [RollSpec(1, 60, 2, 4), RollSpec(2, 60, 2, 4)])
def test_it_never_says_more_than_the_likelihood_and_that_sums_to_one(spec: RollSpec) -> None:
    """With one dimension the true likelihood is an integral over a line; the bound lies below it, by draws' mean."""
    model = made(spec, steps=2, align=1, latent=1).eval()
    with torch.no_grad():
        model.decoder.head.weight *= 20  # a decoder that uses z
        model.decoder.begin.weight *= 5
        random_prior(model)
        known = Normal(model.prior.mean[0], 1 / model.prior.whitening()[0, 0])
        x = torch.from_numpy(all_grids(spec, 2))
        z = torch.linspace(-7, 7, 1401)
        nats = torch.stack([model.nats(x, at.expand(len(x), 1)).sum(1) for at in z])  # (Z, N)
        prior = known.log_prob(z)[:, None] + math.log(14 / 1400)
        true = torch.logsumexp(prior - nats, 0)
        mask = torch.ones(x.shape[:2], dtype=torch.bool)
        many = torch.stack(
            [model.log_likelihood(Batch(row.expand(400, -1, -1, -1), mask[:1].expand(400, -1))) for row in x]
        )
    assert true.exp().sum().item() == pytest.approx(1, abs=1e-3)
    error = many.std(1) / 20
    assert (many.mean(1) <= true + 4 * error + 1e-4).all()
    mean, deviation = (value.detach() for value in model.encoder(x))
    inside = Normal(mean, deviation).log_prob(z).exp() * 14 / 1400  # (N, Z)
    bound = -(inside * nats.T).sum(1) - kl_divergence(Normal(mean, deviation), known)[:, 0]
    assert ((many.mean(1) - bound).abs() <= 5 * error + 1e-3).all()


def test_a_long_window_is_the_sum_of_its_phrases() -> None:
    model, x = made().eval(), tunes(4)
    with torch.no_grad():
        apart = model.log_likelihood(batch_of(x))
        together = model.log_likelihood(batch_of(x.reshape(1, 32, 2, 14)))
    assert together.shape == (1,)
    assert together.item() == pytest.approx(apart.sum().item(), rel=1e-5)


def test_what_is_not_asked_is_not_counted() -> None:
    model, x = made().eval(), tunes(3)
    mask = np.ones((3, 8), np.bool_)
    mask[1, 5:] = mask[2] = False
    with torch.no_grad():
        found, whole = (model.log_likelihood(batch_of(x, m)) for m in (mask, None))
        cut = model.log_likelihood(batch_of(np.where(mask[..., None, None], x, 0)[:, :6], mask[:, :6]))
    assert found[0] == whole[0]
    assert whole[1] < found[1] < 0
    assert found[2] == 0
    assert cut[2] == 0


def test_the_same_music_is_judged_the_same() -> None:
    model, batch = made().eval(), batch_of(tunes(5))
    torch.testing.assert_close(model.log_likelihood(batch), model.log_likelihood(batch), rtol=0, atol=0)


def test_the_loss_is_the_bound_where_nothing_is_weighed() -> None:
    model, batch = made(beta=1.0, free=0.0, warmup=0).eval(), batch_of(tunes(64))
    losses = [model.loss(batch) for _ in range(20)]
    mean = np.mean([one["loss"].item() for one in losses])
    assert mean == pytest.approx(-model.log_likelihood(batch).sum().item() / (64 * 8), rel=0.01)
    for one in losses:
        assert one["loss"].item() == pytest.approx(one["reconstruction"].item() + one["kl"].item(), rel=1e-5)


def test_free_nats_and_beta_weigh_the_divergence_alone() -> None:
    batch = batch_of(tunes(16))
    for more, share in (({"beta": 0.25}, 0.25), ({"free": 1e6}, 0.0), ({"beta": 0.0}, 0.0)):
        found = made(**{"warmup": 0, **more}).eval().loss(batch)
        part = found["loss"].item() - found["reconstruction"].item()
        assert part == pytest.approx(share * found["kl"].item(), abs=1e-5)
        assert found["kl"].item() > 0


def test_weights_weigh() -> None:
    model, x = made(beta=1.0, warmup=0).eval(), tunes(4)
    model.encoder.forward = lambda x: (torch.zeros(len(x), 8), torch.full((len(x), 8), 1e-6))  # type: ignore[method-assign]
    ones = np.ones((4, 8), np.bool_)
    first = ones & (np.arange(4) == 0)[:, None]
    only = model.loss(batch_of(x, ones)._replace(weight=torch.from_numpy(first.astype(np.float32))))
    alone = model.loss(batch_of(x[:1]))
    for name in alone:
        assert only[name].item() == pytest.approx(alone[name].item(), rel=1e-4)


def test_the_divergence_comes_in_by_and_by() -> None:
    model, batch = made(beta=1.0, warmup=4), batch_of(tunes(8))
    shares = []
    for _ in range(6):
        found = model.loss(batch)
        shares.append((found["loss"].item() - found["reconstruction"].item()) / found["kl"].item())
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1], rel=1e-4)


# what it learns


def played(player: Latent, z: NDArray[np.float32]) -> NDArray[np.float32]:
    logits = player.decode(z)
    return draw_cells(logits, np.full_like(logits, 0.5), 0.0)[0]


def test_it_plays_without_torch_what_torch_computes(trained: Vae, player: Latent) -> None:
    x = tunes(6, seed=77)
    with torch.no_grad():
        mean, deviation = trained.encoder(torch.from_numpy(x))
        logits = trained.decoder(mean)
        whitening = trained.prior.axes()
        white = (mean - trained.prior.mean) @ whitening.T
        covariance = whitening @ torch.diag_embed(deviation**2) @ whitening.T
    found = player.encode(x)
    np.testing.assert_allclose(found[0], white.numpy(), atol=1e-3)
    np.testing.assert_allclose(found[1] ** 2, covariance.diagonal(dim1=1, dim2=2).numpy(), rtol=1e-3)
    np.testing.assert_allclose(player.decode(found[0]), logits.numpy(), atol=1e-2)


def test_the_axes_are_white_and_each_in_doubt_for_itself() -> None:
    model = made()
    random_prior(model)
    model.prior.doubt.copy_(torch.linspace(0.01, 0.1, 8))
    axes = model.prior.axes()
    covariance = model.prior.square - torch.outer(model.prior.mean, model.prior.mean)
    torch.testing.assert_close(axes @ covariance @ axes.T, torch.eye(8), atol=1e-4, rtol=0)
    doubt = axes @ torch.diag(model.prior.doubt) @ axes.T
    torch.testing.assert_close(doubt, torch.diag(doubt.diagonal()), atol=1e-4, rtol=0)
    assert (doubt.diagonal().diff() > -1e-6).all()


def test_all_phrases_together_lie_as_the_prior_says(player: Latent) -> None:
    mean, deviation = player.encode(tunes(2000, seed=5))
    drawn = mean + deviation * np.random.default_rng(0).standard_normal(mean.shape)
    assert np.abs(drawn.mean(0)).max() < 0.3
    assert np.abs(np.cov(drawn.T) - np.eye(8)).max() < 0.4


def test_a_space_without_any_cost_is_played_too(tmp_path: Path) -> None:
    model = made(beta=0.0)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-2)
    for update in range(60):
        optimiser.zero_grad()
        model.loss(batch_of(tunes(32, update)))["loss"].backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    model.eval()
    model.prior.square += 1e4 * torch.ones(8, 8)  # all phrases on one line, nearly
    assert torch.isfinite(model.log_likelihood(batch_of(tunes(4)))).all()
    model.export(tmp_path)
    assert np.isfinite(open_player(tmp_path, Settings()).encode(tunes(4))[0]).all()


def test_the_standard_prior_stays_standard() -> None:
    model = made(prior="standard")
    model.loss(batch_of(tunes(16)))
    assert int(model.seen) == 1
    torch.testing.assert_close(model.prior.whitening(), torch.eye(8))
    fitted = made()
    fitted.loss(batch_of(tunes(16)))
    assert not torch.allclose(fitted.prior.whitening(), torch.eye(8), atol=1e-4)


def test_a_phrase_comes_back_and_z_is_used(trained: Vae, player: Latent) -> None:
    x = tunes(200, seed=123_456)
    back = played(player, player.encode(x)[0])
    assert (back == x).all(axis=(1, 2, 3)).mean() > 0.9
    found = trained.loss(batch_of(x))
    assert found["kl"].item() * 8 > 1


def test_what_the_prior_plays_is_music_like_that_learnt(player: Latent) -> None:
    z = np.random.default_rng(0).standard_normal((300, 8), np.float32)
    made, known = played(player, z), tunes(300)
    found, expected = (measure(x, SPEC) for x in (made, known))
    assert np.isnan(found).any(1).mean() < 0.1
    for name in ("density", "pitch", "length"):
        column = ATTRIBUTES.index(name)
        assert np.nanmean(found[:, column]) == pytest.approx(np.nanmean(expected[:, column]), rel=0.35)


def test_going_along_an_attribute_changes_it(player: Latent) -> None:
    column = ATTRIBUTES.index("pitch")
    z, _ = player.encode(tunes(100, seed=9))
    ways = [z + far * player.attributes["pitch"] for far in (-1, 0, 1)]
    found = [np.nanmean(measure(played(player, way), SPEC)[:, column]) for way in ways]
    assert found[0] + 1 < found[1] < found[2] - 1


@pytest.mark.parametrize("name", ["density", "pitch", "length"])
def test_a_direction_leads_from_those_with_little_to_those_with_much(player: Latent, name: str) -> None:
    x = tunes(2000, seed=8)
    z, _ = player.encode(x)
    order = np.argsort(measure(x, SPEC)[:, ATTRIBUTES.index(name)], kind="stable")
    expected = z[order[-500:]].mean(0) - z[order[:500]].mean(0)
    found = player.attributes[name]
    assert found @ expected / np.linalg.norm(found) / np.linalg.norm(expected) > 0.9
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(expected), rel=0.25)


def test_what_music_has_always_alike_is_no_direction(player: Latent) -> None:
    assert {"density", "pitch", "range", "length"} <= player.attributes.keys()
    assert "polyphony" not in player.attributes  # tunes have one voice


def test_directions_are_measured_while_learning_alone() -> None:
    model = made()
    model.eval().loss(batch_of(tunes(16)))
    assert not model.directions.any()
    model.train().loss(batch_of(tunes(16)))
    assert int(model.seen) == 1
    assert model.directions.any()
    model.loss(batch_of(np.zeros((16, 8, 2, 14), np.float32)))  # nothing to be told from silence
    assert int(model.seen) == 2
    assert torch.isfinite(model.directions).all()


@pytest.mark.long
@pytest.mark.skipif("PARTIMENTO_DATA" not in os.environ, reason="PARTIMENTO_DATA names no folder of data sets")
def test_nine_of_ten_notes_of_held_out_tunes_come_back(tmp_path: Path) -> None:
    tunes_folder = tmp_path / "tunes"
    tunes_folder.mkdir()
    for file in (Path(os.environ["PARTIMENTO_DATA"]) / "nottingham" / "MIDI").glob("*.mid"):
        shutil.copy(file, tunes_folder)
    bundle = train(tunes_folder, tmp_path / "run", recipe_named("vae"), minutes=10)
    space = open_latent(bundle)
    pieces = Pieces.open(tmp_path / "run" / "pieces" / "valid")
    x = np.concatenate([space.phrases(np.asarray(pieces[number], np.float32)) for number in range(len(pieces))])
    mean, deviation = space.encode(x)
    back, notes = brought_back(x, played(space, mean))
    assert back >= 0.9 * notes
    assert 0.5 * (mean**2 + deviation**2 - 1 - 2 * np.log(deviation)).sum(1).mean() > 10


# refusals


def test_phrases_are_whole_bars() -> None:
    with pytest.raises(InvalidSettings, match="multiple of align"):
        from_table(Vae.Settings, {"steps": 30, "align": 16}, "model")


def test_a_plane_of_loudness_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="loudness"):
        made(RollSpec(3, 60, 14, 2))


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(InvalidBundle, match="do not belong"):
        made().load_arrays(made(latent=5).arrays())


def test_bounds_hold_for_one_plane_too() -> None:
    x = tunes(8)[:, :, 1:]
    model = made(RollSpec(1, 60, 14, 2)).eval()
    found: Tensor = model.log_likelihood(batch_of(np.ascontiguousarray(x)))
    assert (found < 0).all()
