"""The player of Boltzmann machines: it samples what torch describes, and holds fast to what came before."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from partimento.codec import RollSpec
from partimento.errors import InvalidBundle, InvalidSettings
from partimento.models.rbm import Rbm
from partimento.models.rnn_rbm import RnnRbm
from partimento.players.gibbs import Gibbs, Machine, Settings, open_player
from partimento.sampling import Sampling
from partimento.settings import from_table
from partimento.training.loop import seeded

Grid = NDArray[np.float32]
PLAIN = Sampling()


def exported(folder: Path, kind: Any, channels: int, **sizes: int) -> Any:
    """A model with weights that matter, and its player's files in `folder`."""
    with seeded(0):
        model = kind(kind.Settings(**sizes), RollSpec(channels, 60, 5, 4)).eval()
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(0.6 * torch.randn(p.shape))
    folder.mkdir(exist_ok=True)
    assert model.export(folder) == "gibbs"
    return model


def player(arrays: dict[str, Any], steps: int, pitches: int, align: int = 1, **how: Any) -> Gibbs:
    made = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    return Gibbs(Machine(made, steps, pitches), align, Settings(**how))


def nothing(channels: int, pitches: int) -> Grid:
    return np.zeros((0, channels, pitches), np.float32)


def rngs(*seeds: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in seeds]


def sound(p: Gibbs, heard: Grid, times: int, seeds: tuple[int, ...] = (0,), sampling: Sampling = PLAIN) -> Grid:
    """(B, times * steps, C, P)."""
    return np.concatenate([cells for cells, _ in itertools.islice(p.play(rngs(*seeds), heard, sampling), times)], 1)


@pytest.mark.parametrize("channels", [1, 2])
def test_it_samples_the_machine_that_torch_describes(channels: int, tmp_path: Path) -> None:
    model = exported(tmp_path, Rbm, channels, steps=3, hidden=6)
    m = open_player(tmp_path, Settings()).machine
    x = (np.random.default_rng(0).random((3, channels, 5)) < 0.4).astype(np.float32)
    h = np.array([0, 1, 1, 0, 1, 0], np.float32)
    with torch.no_grad():
        torch_machine = model.machine()
        up = torch_machine.up(model.visibles(torch.from_numpy(x)[None]))[0]
        field = torch_machine.down(torch.from_numpy(h)).view(channels, 3, 5).transpose(0, 1)
    np.testing.assert_allclose(m.hidden_logits(x, m.arrays["hidden"]), up, atol=1e-5)
    logits = m.cell_logits(h, m.arrays["visible"])
    if channels == 2:
        total = np.logaddexp.reduce([np.zeros((3, 5)), field[:, 1], field.sum(1)])
        np.testing.assert_allclose(1 / (1 + np.exp(-logits[:, 1])), 1 - np.exp(-total), atol=1e-5)
        np.testing.assert_allclose(logits[:, 0], field[:, 0], atol=1e-5)
    else:
        np.testing.assert_allclose(logits, field, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_recurrent_networks_biases_are_torchs(
    channels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = exported(tmp_path, RnnRbm, channels, hidden=6, state=4)
    p = open_player(tmp_path, Settings(gibbs=2))
    assert (p.steps, p.hears) == (1, True)
    seen = []
    sample = Machine.sample
    monkeypatch.setattr(Machine, "sample", lambda self, *args: (seen.append(args[-2:]), sample(self, *args))[1])
    heard = (np.random.default_rng(0).random((4, channels, 5)) < 0.4).astype(np.float32)
    new = sound(p, heard, 3)[0]
    whole = torch.from_numpy(np.concatenate([heard, new]))[None]
    with torch.no_grad():
        machine = model.machine(whole, torch.ones(1, 7, dtype=torch.bool))
    assert len(seen) == 3
    for at, (visible, hidden) in enumerate(seen):
        np.testing.assert_allclose(visible, machine.visible[4 + at].flatten(), atol=1e-5)
        np.testing.assert_allclose(hidden, machine.hidden[4 + at], atol=1e-5)


def test_what_it_draws_is_as_likely_as_the_machine_says(tmp_path: Path) -> None:
    model = exported(tmp_path, Rbm, 2, steps=1, align=1, hidden=4)
    with torch.no_grad():
        model.weight[:, 2:] = 0  # two pitches sound, the others are silent
        model.visible.view(2, 5)[:, 2:] = -30
    model.export(tmp_path)
    machine = open_player(tmp_path, Settings()).machine
    rng, x = np.random.default_rng(0), np.zeros((1, 2, 5), np.float32)
    made = np.zeros((4000, 2, 5), np.float32)
    for number in range(len(made)):  # one long chain
        x, likely = machine.sample(rng, x, 0, 4, 1.0, machine.arrays["visible"], machine.arrays["hidden"])
        made[number] = x[0]
        assert ((x == 0) | (likely > 0)).all()
    assert not made[:, :, 2:].any()
    states = made[:, :, :2].sum(1)  # (N, 2): 0 silent, 1 held, 2 struck
    grids = torch.zeros(9, 2, 5)
    for row, (low, high) in enumerate(itertools.product(range(3), repeat=2)):
        for pitch, state in ((0, low), (1, high)):
            grids[row, 1, pitch], grids[row, 0, pitch] = float(state > 0), float(state > 1)
    with torch.no_grad():
        p = (-model.machine().free_energy(grids)).softmax(0).numpy()
    found = np.bincount((3 * states[:, 0] + states[:, 1]).astype(int), minlength=9) / len(states)
    assert p.max() < 0.8
    assert np.abs(found - p).sum() < 0.1


@pytest.mark.parametrize("kind", [Rbm, RnnRbm])
def test_a_piece_depends_on_its_own_seed_alone(kind: Any, tmp_path: Path) -> None:
    sizes = {"steps": 6, "align": 2, "hidden": 5} if kind is Rbm else {"hidden": 5, "state": 3}
    exported(tmp_path, kind, 2, **sizes)
    p = open_player(tmp_path, Settings(gibbs=3))
    heard = np.ones((3, 2, 5), np.float32)
    together = sound(p, heard, 5, (4, 5, 6))
    for row, seed in enumerate((4, 5, 6)):
        np.testing.assert_array_equal(sound(p, heard, 5, (seed,))[0], together[row])
    assert (together[0] != together[1]).any()
    assert together.shape == (3, 5 * p.steps, 2, 5)
    assert together.dtype == np.float32
    assert not (together[:, :, 0] > together[:, :, 1]).any()


def twins(steps: int = 4, **how: Any) -> Gibbs:
    """Each of three pitches sounds in a whole window of four frames or hardly in it."""
    weight = np.zeros((1, steps, 3, 3), np.float32)
    for pitch in range(3):
        weight[0, :, pitch, pitch] = 8
    arrays = {"weight": weight.reshape(1, -1, 3), "visible": np.full(3 * steps, -4.0), "hidden": np.full(3, -16.0)}
    return player(arrays, steps, 3, **how)


@pytest.mark.parametrize("chosen", [(0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 0, 0)])
def test_a_window_holds_fast_to_what_came_before(chosen: tuple[int, ...]) -> None:
    heard = np.tile(np.array(chosen, np.float32), (6, 1, 1))
    for start in ("zeros", "noise", "music"):
        p = twins(start=start, gibbs=30)
        assert (p.steps, p.hears) == (2, True)
        made = sound(p, heard, 3, sampling=Sampling(temperature=0.0))
        np.testing.assert_array_equal(made[0, :, 0], np.tile(chosen, (6, 1)))


def test_without_overlap_windows_do_not_know_of_each_other() -> None:
    p = twins(overlap=0.0)
    assert (p.steps, p.hears) == (4, False)
    made = sound(p, np.ones((6, 1, 3), np.float32), 40)[0]
    assert made.mean() < 0.7


def test_what_is_changed_in_place_is_what_it_goes_on_from() -> None:
    playing = twins(gibbs=30).play(rngs(0, 1), nothing(1, 3), Sampling(temperature=0.0))
    made, p = next(playing)
    assert made.shape == p.shape == (2, 2, 1, 3)
    made[0] = 1
    made[1] = 0
    after, _ = next(playing)
    assert after[0].all()
    assert not after[1].any()


def copies(pitches: int = 3, **how: Any) -> Gibbs:
    """A machine of four frames that leaves everything as it is."""
    units = 4 * pitches
    weight = 40 * np.eye(units).reshape(1, units, units)
    return player(
        {"weight": weight, "visible": np.full(units, -20.0), "hidden": np.full(units, -20.0)}, 4, pitches, **how
    )


def test_a_chain_begins_where_the_settings_say() -> None:
    heard = (np.random.default_rng(3).random((9, 1, 3)) < 0.5).astype(np.float32)
    assert not sound(copies(start="zeros"), heard, 3).any()
    noise = sound(copies(start="noise"), heard, 20)
    assert 0.4 < noise.mean() < 0.6
    np.testing.assert_array_equal(sound(copies(start="music"), heard, 3)[0], np.tile(heard[-2:], (3, 1, 1)))
    whole = sound(copies(start="music", overlap=0.0), heard, 2)[0]
    np.testing.assert_array_equal(whole, np.tile(heard[-4:], (2, 1, 1)))
    assert not sound(copies(start="music"), nothing(1, 3), 2).any()
    short = sound(copies(start="music", overlap=0.0), heard[:3], 1)[0]
    np.testing.assert_array_equal(short, heard[[0, 1, 2, 0]])


FRAMES = st.integers(1, 12)


@settings(max_examples=60, deadline=None)
@given(FRAMES, FRAMES, st.floats(0, 0.99), st.integers(0, 30), st.sampled_from(["zeros", "music"]))
def test_windows_begin_where_they_did_in_learning(
    steps: int, align: int, overlap: float, heard: int, start: Any
) -> None:
    zeros = {"weight": np.zeros((1, steps, 1)), "visible": np.zeros(steps), "hidden": np.zeros(1)}
    p = player(zeros, steps, 1, align, overlap=overlap, start=start, gibbs=1)
    began: list[tuple[int, int]] = []
    inner = p.start

    def start_at(rng: Any, past: Grid, held: int) -> Grid:
        began.append((held, len(past)))
        return inner(rng, past, held)

    p.start = start_at  # type: ignore[method-assign]
    made = sound(p, np.ones((heard, 1, 1), np.float32), 3)
    assert made.shape == (1, 3 * p.steps, 1, 1)
    assert p.steps >= 1
    for at, (held, known) in enumerate(began):
        time = heard + at * p.steps
        assert 0 <= held <= min(p.overlap, known) <= time
        better = [n for n in range(held + 1, min(p.overlap, time) + 1) if (time - n) % align == 0]
        assert not better
        assert (time - held) % align == 0 or held == min(p.overlap, time)


def test_no_temperature_takes_the_likelier() -> None:
    odds = {"weight": np.zeros((1, 3, 1)), "visible": np.array([-0.1, 0.1, 3.0]), "hidden": np.zeros(1)}
    p = player(odds, 1, 3)
    cold = sound(p, nothing(1, 3), 20, sampling=Sampling(temperature=0.0))
    np.testing.assert_array_equal(cold[0, :, 0], np.tile([0, 1, 1], (20, 1)))
    warm = sound(p, nothing(1, 3), 400)[0, :, 0].mean(0)
    np.testing.assert_allclose(warm, 1 / (1 + np.exp([0.1, -0.1, -3.0])), atol=0.1)
    hot = sound(p, nothing(1, 3), 400, sampling=Sampling(temperature=1000.0))[0, :, 0].mean(0)
    np.testing.assert_allclose(hot, 0.5, atol=0.1)


def spoil(folder: Path, **changes: Any) -> None:
    facts = json.loads((folder / "player.json").read_text())
    arrays = safetensors.numpy.load_file(folder / "machine.safetensors")
    for name, change in changes.items():
        if name in facts:
            facts[name] = change
        elif change is None:
            arrays.pop(name)
        else:
            arrays[name] = np.array(change)
    (folder / "player.json").write_text(json.dumps(facts))
    safetensors.numpy.save_file(arrays, folder / "machine.safetensors")


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (Rbm, {"player": "step"}, "does not describe"),
        (Rbm, {"steps": 0}, "does not describe"),
        (Rbm, {"steps": True}, "does not describe"),
        (Rbm, {"steps": 4}, "visible is not float32"),
        (Rbm, {"pitches": 1 << 40}, "visible is not float32"),
        (Rbm, {"align": "16"}, "does not describe"),
        (Rbm, {"hidden": None}, "does not hold a machine"),
        (Rbm, {"weight": None}, "weight"),
        (Rbm, {"weight": np.zeros((3, 15, 6), np.float32)}, "does not hold a machine"),
        (Rbm, {"weight": np.zeros(7, np.float32)}, "cannot be used"),
        (Rbm, {"hidden": np.zeros(6)}, "hidden is not float32"),
        (Rbm, {"hidden": np.full(6, np.nan, np.float32)}, "hidden is not float32"),
        (Rbm, {"state": np.zeros(4, np.float32)}, "single frames"),
        (RnnRbm, {"read": None}, "does not hold a machine"),
        (RnnRbm, {"carry": np.zeros((3, 4), np.float32)}, "carry"),
        (RnnRbm, {"state": np.zeros((), np.float32)}, "cannot be used"),
    ],
)
def test_what_is_no_machine_is_refused(kind: Any, changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    sizes = {"steps": 3, "hidden": 6} if kind is Rbm else {"hidden": 6, "state": 4}
    exported(tmp_path, kind, 2, **sizes)
    spoil(tmp_path, **changes)
    with pytest.raises(InvalidBundle, match=words):
        open_player(tmp_path, Settings())


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    for name in ("player.json", "machine.safetensors"):
        exported(tmp_path, Rbm, 1, steps=3, hidden=6)
        (tmp_path / name).write_bytes(b"\x00[" * 40)
        with pytest.raises(InvalidBundle, match="cannot be used"):
            open_player(tmp_path, Settings())
        (tmp_path / name).unlink()
        with pytest.raises(InvalidBundle, match="cannot be used"):
            open_player(tmp_path, Settings())
    (tmp_path / "player.json").write_text("[" * 100_000)
    with pytest.raises(InvalidBundle, match="cannot be used"):
        open_player(tmp_path, Settings())


def test_settings_that_cannot_be_are_refused() -> None:
    for name, value in (("gibbs", 0), ("overlap", 1.0), ("start", "silence")):
        with pytest.raises(InvalidSettings, match=name):
            from_table(Settings, {name: value}, "player")
