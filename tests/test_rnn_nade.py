from __future__ import annotations

import importlib.util
import itertools
import json
import math
import os
import struct
import subprocess
import sys
import zlib
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from partimento.codec import RollSpec, TokenSpec
from partimento.errors import InvalidBundle, InvalidSettings, Unreadable
from partimento.model import Batch
from partimento.models import rnn_nade
from partimento.models.rnn_nade import Nade, RnnNade
from partimento.players.frame import Settings, open_player
from partimento.sampling import Sampling
from partimento.training.loop import seeded

from cells import batch_of, grids

CELLS = ("rnn", "gru", "lstm")


def made(channels: int = 2, pitches: int = 7, seed: int = 0, **settings: Any) -> RnnNade:
    with seeded(seed):
        model = RnnNade(RnnNade.Settings(**{"width": 12, "hidden": 9, **settings}), RollSpec(channels, 60, pitches, 4))
        for parameter in model.parameters():
            parameter.data += 0.4 * torch.randn_like(parameter)  # as if something had been learnt
    return model.eval()


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-x)))


def nats_of(nade: Nade, x: NDArray[np.float32], b_v: NDArray[np.float64], b_h: NDArray[np.float64]) -> float:
    """The log likelihood of a frame (C, P) as the paper writes it, one pitch after the other."""
    read, write = (w.detach().double().numpy() for w in (nade.read, nade.write))
    a, total = b_h.copy(), 0.0
    for p in range(x.shape[1]):
        logits = b_v[:, p] + sigmoid(a) @ write[:, :, p]
        said = np.log(np.where(x[:, p] > 0, sigmoid(logits), sigmoid(-logits)))
        sustain = len(said) - 1
        total += said[sustain] + (said[0] if sustain and x[sustain, p] else 0.0)
        a += x[:, p] @ read[p]
    return total


@pytest.mark.parametrize("channels", [1, 2])
def test_a_frame_is_as_likely_as_the_formula_says(channels: int) -> None:
    model = made(channels)
    x = grids(3, 5, channels, 7)
    x[0, 1] = 0
    x[1, 2] = 1
    with torch.no_grad():
        before = torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1)
        b_v, b_h, _ = model.biases(before, torch.arange(5).expand(3, 5))
        found = model.log_likelihood(batch_of(x))
    told = [[(x[b, t], b_v[b, t].double(), b_h[b, t].double()) for t in range(5)] for b in range(3)]
    expected = [sum(nats_of(model.nade, *(part.numpy() for part in frame)) for frame in piece) for piece in told]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


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


def test_a_model_that_knows_nothing_gives_each_cell_a_half() -> None:
    model = made(1, 88)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        found = model.log_likelihood(batch_of(grids(2, 6, 1, 88)))
    np.testing.assert_allclose(found.numpy(), -6 * 88 * math.log(2), rtol=1e-6)


def test_a_frame_knows_nothing_of_itself_or_of_what_follows() -> None:
    model = made()
    x = grids(1, 6, 2, 7).requires_grad_()
    visible, hidden, _ = model.biases(rnn_nade._shifted(x, None), torch.arange(6)[None])
    (grad,) = torch.autograd.grad(visible[0, 3].sum() + hidden[0, 3].sum(), x)
    assert not grad[0, 3:].any()
    assert grad[0, :3].any()


def test_what_is_masked_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made()
    x = grids(2, 6, 2, 7)
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    with torch.no_grad():
        whole, cut = model.log_likelihood(batch_of(x)), model.log_likelihood(Batch(x, mask))
        short = model.log_likelihood(batch_of(x[1:, :4]))
        loss = model.loss(Batch(x, mask))["loss"]
    assert cut[0] == pytest.approx(whole[0].item())
    assert cut[1] == pytest.approx(short[0].item(), rel=1e-5)
    assert loss.item() == pytest.approx(-cut.sum().item() / 10, rel=1e-5)


def test_weights_say_how_much_a_frame_counts() -> None:
    model = made()
    x = grids(1, 4, 2, 7)
    weight = torch.tensor([[0.0, 0.0, 3.0, 0.0]])
    with torch.no_grad():
        third = model.log_likelihood(batch_of(x[:, :3])) - model.log_likelihood(batch_of(x[:, :2]))
        loss = model.loss(batch_of(x)._replace(weight=weight))["loss"]
    assert loss.item() == pytest.approx(-third.item(), rel=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_a_piece_in_segments_is_as_likely_as_at_once(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(cell=cell)
    x = grids(2, 50, 2, 7)
    mask = torch.arange(50) < torch.tensor([[50], [13]])
    with torch.no_grad():
        at_once = model.log_likelihood(Batch(x, mask))
        monkeypatch.setattr(rnn_nade, "SEGMENT", 8)
        monkeypatch.setattr(rnn_nade, "ROOM", 300)
        in_parts = model.log_likelihood(Batch(x, mask))
    torch.testing.assert_close(in_parts, at_once)


def test_it_knows_where_in_the_bar_it_is_and_in_which_bar_it_does_not() -> None:
    model, deaf = made(bar=3), made(bar=0)
    x = grids(1, 5, 2, 7)
    with torch.no_grad():
        found = [model.log_likelihood(batch_of(x)._replace(begin=torch.tensor([n]))).item() for n in (0, 1, 12)]
        same = [deaf.log_likelihood(batch_of(x)._replace(begin=torch.tensor([n]))).item() for n in (0, 1)]
    assert found[0] == pytest.approx(found[2])
    assert found[0] != pytest.approx(found[1])
    assert same[0] == same[1]


def test_products_in_bfloat16_leave_the_sums_exact() -> None:
    model = made(1, 88)
    x, b_v, b_h = grids(20, 1, 1, 88, share=0.5)[:, 0], torch.randn(20, 1, 88), torch.randn(20, 9)
    with torch.no_grad():
        exact = model.nade(x, b_v, b_h)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model.nade(x, b_v, b_h)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact)


def test_dropout_is_of_learning_alone() -> None:
    model = made(dropout=0.5, forget=0.5)
    x = grids(2, 6, 2, 7)
    once, again = (model.log_likelihood(batch_of(x)) for _ in range(2))
    torch.testing.assert_close(once, again)
    model.train()
    assert model.loss(batch_of(x))["loss"].item() != model.loss(batch_of(x))["loss"].item()


@pytest.mark.parametrize(("cell", "bar"), [("rnn", 0), ("gru", 1), ("lstm", 4), ("lstm", 0)])
@pytest.mark.parametrize("channels", [1, 2])
def test_it_plays_without_torch_what_torch_computes(tmp_path: Path, cell: str, bar: int, channels: int) -> None:
    model = made(channels, cell=cell, bar=bar)
    assert model.export(tmp_path) == RnnNade.player
    player = open_player(tmp_path, Settings())
    heard = grids(1, 3, channels, 7)[0].numpy()
    rngs = [np.random.default_rng(n) for n in range(3)]
    cells, p = zip(*islice(player.play(rngs, heard, Sampling()), 10), strict=True)
    made_, likely = np.concatenate(cells, 1), np.concatenate(p, 1)
    x = torch.from_numpy(np.concatenate([np.repeat(heard[None], 3, 0), made_], axis=1))
    sounds, p_sounds = made_[:, :, -1], likely[:, :, -1].astype(np.float64)
    nats = np.log(np.where(sounds > 0, p_sounds, 1 - p_sounds)).sum((1, 2))
    if channels == 2:
        struck, p_struck = made_[:, :, 0], likely[:, :, 0] / p_sounds
        nats += (sounds * np.log(np.where(struck > 0, p_struck, 1 - p_struck))).sum((1, 2))
    with torch.no_grad():
        expected = model.log_likelihood(batch_of(x)) - model.log_likelihood(batch_of(x[:, :3]))
    np.testing.assert_allclose(nats, expected.numpy(), atol=2e-3)


PUBLISHED = Path(__file__).parent.parent / "benchmarks" / "published" / "boulanger.py"


def boulanger() -> ModuleType:
    """The benchmark of the four sets, which is a script."""
    spec = importlib.util.spec_from_file_location("boulanger", PUBLISHED)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["boulanger"] = module  # dataclasses look there
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PUBLISHED.parent))  # as where it is run
        spec.loader.exec_module(module)
    return module


def test_baselines_of_the_benchmark_are_what_they_say() -> None:
    script = boulanger()
    spec = RollSpec(1, 21, 88, 1)
    rng = np.random.default_rng(0)
    share = rng.random(88) * 0.9 + 0.05
    pieces = [(rng.random((200, 88)) < share).astype(np.uint8) for _ in range(10)]
    x = torch.from_numpy(np.stack(pieces)[:, :, None].astype(np.float32))
    with torch.no_grad():
        uniform = script.baseline("uniform", pieces, spec).log_likelihood(batch_of(x)).sum().item() / 2000
        keys = script.baseline("bernoulli", pieces, spec).log_likelihood(batch_of(x)).sum().item() / 2000
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share)).sum()
    assert uniform == pytest.approx(-88 * math.log(2), rel=1e-6)
    assert keys == pytest.approx(-entropy, rel=0.01)


def element(kind: int, content: bytes) -> bytes:
    """An element of a MATLAB file: a small one in 8 bytes, another filled up to a multiple of 8."""
    if len(content) <= 4:
        return struct.pack("<HH", kind, len(content)) + content.ljust(4, b"\0")
    return struct.pack("<II", kind, len(content)) + content + b"\0" * (-len(content) % 8)


def matrix(flag: int, shape: tuple[int, int], name: str, parts: bytes) -> bytes:
    head = element(6, bytes([flag, 0, 0, 0, 0, 0, 0, 0])) + element(5, np.array(shape, "<i4").tobytes())
    return element(14, head + element(1, name.encode()) + parts)


@pytest.mark.parametrize(("kind", "dtype"), [(2, "u1"), (9, "<f8")])
def test_the_benchmark_reads_matlab_files(tmp_path: Path, kind: int, dtype: str) -> None:
    script = boulanger()
    rng = np.random.default_rng(0)
    pieces = {s: [rng.integers(0, 2, (n, 88)) for n in (3, 5)] for s in ("train", "valid", "test")}
    file = b"MATLAB 5.0 MAT-file".ljust(128)
    for split, both in pieces.items():
        numbers = [matrix(6, x.shape, "", element(kind, x.astype(dtype).tobytes(order="F"))) for x in both]
        cells = zlib.compress(matrix(1, (1, 2), f"{split}data", b"".join(numbers)))
        file += struct.pack("<II", 15, len(cells)) + cells
    (tmp_path / "set.mat").write_bytes(file)
    found = script.read_set(tmp_path / "set.mat")
    assert found.keys() == pieces.keys()
    for split, both in pieces.items():
        for x, expected in zip(found[split], both, strict=True):
            np.testing.assert_array_equal(x, expected)
    for damaged in (b"", file[:200], file[:-40], b"x" * 4000):
        (tmp_path / "set.mat").write_bytes(damaged)
        with pytest.raises(Unreadable, match="not one of the four sets"):
            script.read_set(tmp_path / "set.mat")


def test_transposed_pieces_of_the_benchmark_lose_no_key(tmp_path: Path) -> None:
    script = boulanger()
    low, high = np.zeros((2, 4, 88), np.uint8)
    low[:, 1], high[:, 40] = 1, 1
    assert np.flatnonzero(script.transposed(high, 3)[0]).tolist() == [43]
    assert np.flatnonzero(script.transposed(low, -1)[0]).tolist() == [0]
    assert script.transposed(low, -2) is None
    pieces, weights = script.pieces_of(tmp_path / "p", RollSpec(1, 21, 88, 1), [low, high], 2, 0.4)
    assert len(pieces) == 4 + 5
    np.testing.assert_allclose(weights, [0.4, 0.2, 0.2, 0.2, 0.4, 0.15, 0.15, 0.15, 0.15])
    np.testing.assert_array_equal(pieces[4][:, 0], high)
    keys = np.nonzero(np.concatenate([pieces[n] for n in range(9)]))[2]
    assert np.unique(keys).tolist() == [0, 1, 2, 3, *range(38, 43)]


@pytest.mark.long
@pytest.mark.skipif("PARTIMENTO_DATA" not in os.environ, reason="PARTIMENTO_DATA names no folder of data sets")
@pytest.mark.parametrize(
    ("name", "nats"), [("jsb", 11.06), ("nottingham", 10.25), ("musedata", 11.51), ("piano-midi", 11.05)]
)
def test_keys_by_their_frequency_score_what_others_found(tmp_path: Path, name: str, nats: float) -> None:
    folder = Path(os.environ["PARTIMENTO_DATA"]) / "boulanger-mat"
    places = ["--data", str(folder), "--to", str(tmp_path), "--results", str(tmp_path / "rows.json")]
    command = [sys.executable, str(PUBLISHED), name, *places]
    for model, expected in (("uniform", 88 * math.log(2)), ("bernoulli", nats)):
        subprocess.run([*command, "--model", model], check=True, capture_output=True)
        (row,) = (r for r in json.loads((tmp_path / "rows.json").read_text()) if r["name"] == model)
        assert row["test"] == pytest.approx(expected, abs=0.006)


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(InvalidBundle, match="do not belong"):
        made().load_arrays(made(hidden=8).arrays())


def test_what_is_no_grid_of_cells_is_refused() -> None:
    for spec in (TokenSpec(5, 0, 1, 2), RollSpec(3, 60, 7, 4)):
        with pytest.raises(InvalidSettings, match="rnn_nade"):
            RnnNade(RnnNade.Settings(), spec)  # type: ignore[arg-type]
