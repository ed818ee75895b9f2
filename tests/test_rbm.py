"""Boltzmann machines: sums over everything there is, where there is little, and what two models learn with them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from partimento.boltzmann import STATES, Machine, cell_logits, draw, log_partition, quiet_biases
from partimento.codec import RollSpec
from partimento.errors import InvalidBundle, InvalidSettings
from partimento.model import Batch, Judged, Phrased
from partimento.models.rbm import Rbm
from partimento.models.rnn_rbm import RnnRbm
from partimento.pieces import Pieces
from partimento.progress import Progress
from partimento.settings import from_table
from partimento.training.loop import Training, fit, seeded
from partimento.windows import Windows

SPEC = RollSpec(channels=2, low=60, pitches=4, steps_per_beat=4)


def machine(
    channels: int, cells: int, hidden: int, seed: int = 0, rows: int | None = None, size: float = 1.0
) -> Machine:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return size * torch.randn(shape, generator=generator)

    several = () if rows is None else (rows,)
    return Machine(normal(channels, cells, hidden), normal(*several, channels, cells) - 0.5, normal(*several, hidden))


def all_grids(channels: int, cells: int) -> Tensor:
    """(G, C, M): every grid that there is."""
    rows = list(itertools.product(STATES[channels], repeat=cells))
    return torch.tensor(rows, dtype=torch.float32).transpose(1, 2)


def all_hidden(hidden: int) -> Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=hidden)))


def log_sum_over_hidden(m: Machine) -> Tensor:
    """log Z, the sum over visible units done by hand and that over hidden ones by counting them all."""
    total = torch.zeros(())
    for h in all_hidden(m.hidden.shape[-1]):
        weights = [
            torch.stack([(torch.tensor(state)[:, None] * field).sum(0) for state in STATES[len(m.weight)]]).logsumexp(0)
            for field in [m.visible + (m.weight * h).sum(-1)]
        ]
        term = (m.hidden * h).sum() + weights[0].sum()
        total = term if not total.ndim and total == 0 else torch.logaddexp(total, term)
    return total


@pytest.mark.parametrize(("channels", "cells"), [(1, 5), (2, 3)])
def test_the_free_energy_sums_over_the_hidden_units(channels: int, cells: int) -> None:
    m = machine(channels, cells, 4)
    v, h = all_grids(channels, cells), all_hidden(4)
    energy = -(v * m.visible).sum((1, 2))[:, None] - h @ m.hidden - torch.einsum("gcm,cmh,kh->gk", v, m.weight, h)
    torch.testing.assert_close(m.free_energy(v), -(-energy).logsumexp(1))


@pytest.mark.parametrize(("channels", "cells"), [(1, 5), (2, 3)])
def test_sampling_leaves_the_machines_distribution_as_it_is(channels: int, cells: int) -> None:
    m = machine(channels, cells, 4, size=0.7)
    grids = all_grids(channels, cells)
    p = (-m.free_energy(grids)).softmax(0)
    assert p.max() < 0.6
    generator = torch.Generator().manual_seed(1)
    begun = grids[torch.multinomial(p, 60_000, replacement=True, generator=generator)]
    cold = torch.zeros(20_000, channels, cells)  # and silence goes there
    for made in (m.chain(begun, 1, generator), m.chain(cold, 60, generator)):
        same = (made[:, None] == grids).all((2, 3))
        assert same.any(1).all()
        assert (same.float().mean(0) - p).abs().sum() < 0.05


@pytest.mark.parametrize(("channels", "cells"), [(1, 5), (2, 3)])
def test_the_pseudolikelihood_is_of_each_cell_given_the_others(
    channels: int, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    m = machine(channels, cells, 4)
    grids = all_grids(channels, cells)
    log_p = (-m.free_energy(grids)).log_softmax(0)
    found = m.log_pseudolikelihood(grids)
    for at, grid in enumerate(grids):
        for cell in range(cells):
            others = torch.cat([grids[..., :cell], grids[..., cell + 1 :]], -1)
            alike = (others == others[at]).all(2).all(1)
            assert alike.sum() == len(STATES[channels])
            assert (grid == grids[at]).all()
            assert found[at, cell].item() == pytest.approx((log_p[at] - log_p[alike].logsumexp(0)).item(), abs=1e-4)
    monkeypatch.setattr("partimento.boltzmann.ROOM", 1)
    torch.testing.assert_close(m.log_pseudolikelihood(grids), found)


def test_machines_that_share_weights_are_each_like_one_alone() -> None:
    m = machine(2, 3, 4, rows=5)
    v = all_grids(2, 3)[:5]
    for row in range(5):
        one = Machine(m.weight, m.visible[row], m.hidden[row])
        torch.testing.assert_close(m.free_energy(v)[row], one.free_energy(v[row]))
        torch.testing.assert_close(m.log_pseudolikelihood(v)[row], one.log_pseudolikelihood(v[row : row + 1])[0])
        torch.testing.assert_close(m.down(m.up(v))[row], one.down(one.up(v[row])))


@pytest.mark.parametrize("channels", [1, 2])
def test_annealing_finds_the_partition_function(channels: int) -> None:
    m = machine(channels, 12, 8, size=0.7)
    exact = log_sum_over_hidden(m)
    if channels == 1:  # two ways to sum everything agree
        torch.testing.assert_close((-m.free_energy(all_grids(1, 12))).logsumexp(0), exact)
    generator = torch.Generator().manual_seed(0)
    for base in (None, quiet_biases(channels, 12)):
        found = log_partition(m, base, chains=400, betas=300, generator=generator)
        assert 0 < found.error < 0.1
        assert abs(found.log_z - exact) < 4 * found.error
    hasty = log_partition(m, quiet_biases(channels, 12), chains=400, betas=1, generator=generator)
    assert hasty.error > 2 * found.error


def test_annealing_takes_machines_that_share_weights_together() -> None:
    m = machine(2, 6, 5, rows=3, size=0.7)
    found = log_partition(m, chains=500, betas=200, generator=torch.Generator().manual_seed(0))
    exact = torch.stack([log_sum_over_hidden(Machine(m.weight, m.visible[r], m.hidden[r])) for r in range(3)])
    assert found.log_z.shape == found.error.shape == (3,)
    assert ((found.log_z - exact).abs() < 4 * found.error).all()
    assert exact.std() > 0.3  # else one for all would do


def test_without_weights_annealing_is_exact() -> None:
    m = machine(2, 6, 5)._replace(weight=torch.zeros(2, 6, 5))
    found = log_partition(m._replace(hidden=torch.zeros(5)), chains=3, betas=2)
    assert found.log_z.item() == pytest.approx(log_sum_over_hidden(m._replace(hidden=torch.zeros(5))).item(), abs=1e-4)
    assert found.error < 1e-4


def test_nothing_is_struck_that_does_not_sound() -> None:
    field = torch.randn(200, 2, 7, generator=torch.Generator().manual_seed(0))
    field[:, 0] += 3
    cells = draw(cell_logits(field))
    assert not (cells[:, 0] > cells[:, 1]).any()
    assert cells.unique().tolist() == [0, 1]


def test_quiet_biases_are_as_quiet_as_they_say() -> None:
    for channels in (1, 2):
        sounds = torch.sigmoid(cell_logits(quiet_biases(channels, 3))[-1])
        torch.testing.assert_close(sounds, torch.full((3,), 0.05))


# the models


def made(kind: type[Rbm] | type[RnnRbm], seed: int = 0, spec: RollSpec = SPEC, **settings: Any) -> Any:
    small = {"steps": 8, "align": 4, "hidden": 12} if kind is Rbm else {"hidden": 10, "state": 12, "gibbs": 3}
    with seeded(seed):
        return kind(kind.Settings(**{**small, **settings}), spec)


def tune(frames: int = 8) -> np.ndarray[Any, Any]:
    """Pitch 0 for two frames, pitch 3 for two, and so on: (T, 2, 4)."""
    x = np.zeros((frames, 2, 4), np.float32)
    for frame in range(frames):
        x[frame, :, 0 if frame % 4 < 2 else 3] = 1
        x[frame, 0] *= frame % 2 == 0
    return x


def batch(*grids: np.ndarray[Any, Any]) -> Batch:
    x = torch.from_numpy(np.stack(grids))
    return Batch(x, torch.ones(x.shape[:2], dtype=torch.bool))


def music(folder: Path) -> Pieces:
    return Pieces.write(folder, ((tune(16 + 4 * n), 8 + 2 * n) for n in range(4)), SPEC)


def learnt(model: Any, folder: Path, updates: int, **how: Any) -> Any:
    training = Training(
        **{"updates": updates, "length": 8, "batch": 4, "learning_rate": 0.02, "threads": 1, "patience": None, **how}
    )
    align = model.align if isinstance(model, Phrased) else None
    windows = Windows(music(folder / "pieces"), 8, 4, training.seed, align=align)
    fit(model, windows, windows, training, folder / "run")
    return model.eval()


@pytest.mark.parametrize("kind", [Rbm, RnnRbm])
def test_the_gradient_is_that_of_contrastive_divergence(kind: Any) -> None:
    model = made(kind, gibbs=2)
    b = batch(tune(), tune()[::-1].copy())
    with seeded(7):
        model.loss(b)["loss"].backward()
    with seeded(7), torch.no_grad():
        m = model.machine() if kind is Rbm else model.machine(b.x, b.mask)
        v = model.visibles(b.x) if kind is Rbm else b.x[b.mask]
        fantasy = m.chain(v, 2)
        for name, of in (("weight", "ncm,nh->cmh"), ("visible", "ncm,nh->cm")):
            parts = [torch.einsum(of, x, torch.sigmoid(m.up(x)).pow(float(name == "weight"))) for x in (v, fantasy)]
            scale = 1 if name == "weight" else m.hidden.shape[-1]  # the sum over h of 1
            expected = (parts[1] - parts[0]) / len(v) / scale
            found = getattr(model, name).grad.view_as(expected)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", [Rbm, RnnRbm])
def test_weights_of_windows_and_frames_count_in_the_loss(kind: Any) -> None:
    model = made(kind)
    b = batch(tune(), np.zeros((8, 2, 4), np.float32))

    def loss(*weights: float) -> float:
        with seeded(0), torch.no_grad():
            found: float = model.loss(b._replace(weight=torch.tensor(weights)[:, None].expand(2, 8)))["loss"].item()
        return found

    with seeded(0):
        plain = model.loss(b)["loss"].item()
    assert loss(2, 2) == pytest.approx(plain, rel=1e-5)
    assert (loss(1, 0) + loss(0, 1)) / 2 == pytest.approx(plain, rel=1e-5)
    assert loss(1, 0) > loss(0, 1) + 0.5  # silence is likelier at first


@pytest.mark.parametrize("kind", [Rbm, RnnRbm])
def test_bfloat16_changes_nothing(kind: Any) -> None:
    model, b = made(kind), batch(tune(), tune())
    with seeded(3):
        plain = model.loss(b)
    with seeded(3), torch.autocast("cpu", torch.bfloat16):
        mixed = model.loss(b)
    assert plain["loss"].item() == mixed["loss"].item()


def test_both_say_what_they_judge_by() -> None:
    rbm, rnn = made(Rbm), made(RnnRbm)
    for model in (rbm, rnn):
        assert isinstance(model, Judged)
        assert "pseudo-likelihood" in model.figure
        assert not hasattr(model, "log_likelihood")
    assert isinstance(rbm, Phrased)
    assert not isinstance(rnn, Phrased)


@pytest.mark.parametrize("kind", [Rbm, RnnRbm])
def test_only_what_the_mask_asks_for_is_judged(kind: Any) -> None:
    model, b = made(kind), batch(tune(), tune())
    half = b.mask.clone()
    half[0, :4] = False
    half[1, 4:] = False
    with torch.no_grad():
        whole, parts = model.judge(b), model.judge(b._replace(mask=half))
    assert parts.sum().item() == pytest.approx(whole[0].item(), rel=1e-5)
    assert (parts > 0).all()


def test_a_machine_of_phrases_learns_them(tmp_path: Path) -> None:
    fresh, model = made(Rbm), learnt(made(Rbm), tmp_path, 300)
    with torch.no_grad():
        before, after = fresh.judge(batch(tune())) / 8, model.judge(batch(tune())) / 8
        shuffled = model.judge(batch(tune()[[2, 7, 1, 4, 0, 3, 6, 5]])) / 8
    assert after < 0.1 * before
    assert after < 0.1 * shuffled


def test_the_recurrent_machine_knows_what_comes_next(tmp_path: Path) -> None:
    model = learnt(made(RnnRbm), tmp_path, 400)
    wrong = np.concatenate([tune()[:5], tune()[2:3], tune()[6:]])  # frame 5 begins the other pitch too soon
    with torch.no_grad():
        after = model.judge(batch(tune())) / 8
        first = model.judge(batch(tune())._replace(mask=(torch.arange(8) == 5)[None]))
        surprised = model.judge(batch(wrong)._replace(mask=(torch.arange(8) == 5)[None]))
    assert after < 0.5
    assert surprised > first + 3
    x = torch.from_numpy(wrong)[None]
    later = x.clone()
    later[:, 6:] = 0
    seen = torch.ones(1, 8, dtype=torch.bool)
    with torch.no_grad():  # the frames before set the biases, and no others
        torch.testing.assert_close(model.machine(x, seen).visible[:7], model.machine(later, seen).visible[:7])
        assert not torch.allclose(model.machine(x, seen).visible[7], model.machine(later, seen).visible[7])


def test_the_persistent_chain_goes_on_while_it_learns_and_is_no_part_of_the_bundle() -> None:
    model = made(Rbm, chains=5)
    assert model.chain.shape == (5, 2, 32)
    assert not model.chain.any()
    b = batch(tune(), tune())
    model.eval()
    model.loss(b)
    assert not model.chain.any()
    model.train()
    for _ in range(20):
        model.loss(b)
    assert model.chain.any()
    assert not (model.chain[:, 0] > model.chain[:, 1]).any()
    assert set(model.arrays()) == {"weight", "visible", "hidden"}
    assert "chain" in model.state_dict()
    kept = model.chain.clone()
    model.load_arrays(made(Rbm, seed=3).arrays())
    assert torch.equal(model.chain, kept)


def test_a_persistent_run_that_is_broken_off_ends_as_one_never_stopped(tmp_path: Path) -> None:
    how: dict[str, Any] = {"save_every": 0.0, "evaluate_every": 4}
    whole = learnt(made(Rbm, chains=5), tmp_path / "whole", 12, **how)

    class Killed(Exception):
        pass

    def kill(progress: Progress) -> None:
        if progress.done == 7:
            raise Killed

    training = Training(updates=12, length=8, batch=4, learning_rate=0.02, threads=1, patience=None, **how)
    windows = Windows(music(tmp_path / "pieces"), 8, 4, align=4)
    folder = tmp_path / "run"
    with pytest.raises(Killed):
        fit(made(Rbm, chains=5), windows, windows, training, folder, watch=kill)
    resumed = made(Rbm, seed=9, chains=5)
    fit(resumed, windows, windows, training, folder, resume=True)
    for name, array in whole.arrays().items():
        np.testing.assert_array_equal(resumed.arrays()[name], array)
    assert torch.equal(resumed.chain, whole.chain)
    assert whole.chain.any()


@pytest.mark.parametrize("kind", [Rbm, RnnRbm])
def test_weights_of_another_machine_are_refused(kind: Any) -> None:
    model = made(kind)
    with pytest.raises(InvalidBundle, match="do not belong"):
        model.load_arrays(made(kind, hidden=5).arrays())
    with pytest.raises(InvalidBundle, match="do not belong"):
        model.load_arrays({name: array for name, array in model.arrays().items() if name != "hidden"})
    with pytest.raises(InvalidBundle, match="do not belong"):
        model.load_arrays({**model.arrays(), "more": np.zeros(3, np.float32)})


def test_settings_that_make_no_machine_are_refused() -> None:
    for name, value in (("steps", 0), ("hidden", 0), ("gibbs", 0), ("chains", 0), ("align", 0)):
        with pytest.raises(InvalidSettings, match=name):
            from_table(Rbm.Settings, {name: value}, "model")
    with pytest.raises(InvalidSettings, match="loudness"):
        Rbm(Rbm.Settings(), RollSpec(3, 24, 78, 4))
