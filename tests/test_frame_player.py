from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from partimento.codec import Request, RollSpec
from partimento.errors import InvalidBundle
from partimento.frames import FrameGuard, sigmoid
from partimento.players.frame import Settings, open_player, raised
from partimento.sampling import Sampling

C, P, F, H, A = 2, 5, 3, 4, 6
Arrays = dict[str, NDArray[np.float32]]


def weights(bias: float = 0.0) -> Arrays:
    rng = np.random.default_rng(0)
    shapes = {"W": (C * P, H), "G": (H, P * F), "S": (H, A), "U": (C, A), "K": (F, C), "V": (A, C), "E": (P, C)}
    return {name: 0.5 * rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()} | {
        "bias": np.full(C, bias, np.float32)
    }


def graph_of(name: str, nodes: list[Any], takes: dict[str, Any], gives: dict[str, Any], constants: Arrays) -> Any:
    info = helper.make_tensor_value_info
    used = {i for node in nodes for i in node.input}
    graph = helper.make_graph(
        nodes,
        name,
        [info(n, kind, shape) for n, (kind, shape) in takes.items()],
        [info(n, TensorProto.FLOAT, shape) for n, shape in gives.items()],
        [numpy_helper.from_array(value, n) for n, value in constants.items() if n in used],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def time_graph(constants: Arrays) -> Any:
    """h' = tanh(h + frame W + step / 8), given = h' G, a = h' S."""
    op = helper.make_node
    extra: Any = {"flat": np.array([-1, C * P]), "grid": np.array([-1, P, F]), "eighth": np.array(0.125, np.float32)}
    nodes = [
        op("Reshape", ["frame", "flat"], ["row"]),
        op("MatMul", ["row", "W"], ["heard"]),
        op("Add", ["heard", "h"], ["moved"]),
        op("Cast", ["step"], ["number"], to=TensorProto.FLOAT),
        op("Mul", ["number", "eighth"], ["time"]),
        op("Unsqueeze", ["time", "axis"], ["column"]),
        op("Add", ["moved", "column"], ["timed"]),
        op("Tanh", ["timed"], ["next_h"]),
        op("MatMul", ["next_h", "G"], ["told"]),
        op("Reshape", ["told", "grid"], ["given"]),
        op("MatMul", ["next_h", "S"], ["first_a"]),
    ]
    number = TensorProto.FLOAT
    takes = {"frame": (number, ["B", C, P]), "step": (TensorProto.INT64, ["B"]), "h": (number, ["B", H])}
    gives = {"given": ["B", P, F], "first_a": ["B", A], "next_h": ["B", H]}
    return graph_of("time", nodes, takes, gives, {**constants, **extra, "axis": np.array([1])})


def pitch_graph(constants: Arrays) -> Any:
    """a' = a + before U, logits = given K + a' V + E[pitch] + bias."""
    op = helper.make_node
    nodes = [
        op("MatMul", ["before", "U"], ["chosen"]),
        op("Add", ["a", "chosen"], ["next_a"]),
        op("MatMul", ["next_a", "V"], ["from_below"]),
        op("MatMul", ["given", "K"], ["from_time"]),
        op("Gather", ["E", "pitch"], ["own"]),
        op("Sum", ["from_below", "from_time", "own", "bias"], ["logits"]),
    ]
    number = TensorProto.FLOAT
    takes = {
        "given": (number, ["B", F]),
        "pitch": (TensorProto.INT64, []),
        "before": (number, ["B", C]),
        "a": (number, ["B", A]),
    }
    return graph_of("pitch", nodes, takes, {"logits": ["B", C], "next_a": ["B", A]}, constants)


DESCRIBED = {
    "player": "frame",
    "channels": C,
    "pitches": P,
    "features": F,
    "states": {"h": {"shape": [H], "dtype": "float32"}},
    "pitch_states": {"a": {"shape": [A], "dtype": "float32"}},
}


def write_player(folder: Path, bias: float = 0.0) -> None:
    onnx.save(time_graph(weights(bias)), folder / "time.onnx")
    onnx.save(pitch_graph(weights(bias)), folder / "pitch.onnx")
    (folder / "player.json").write_text(json.dumps(DESCRIBED))


def played(
    folder: Path,
    seeds: list[int],
    frames: int = 12,
    heard: NDArray[np.float32] | None = None,
    temperature: float = 1.0,
    **settings: Any,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cells and probabilities, both (B, frames, C, P)."""
    player = open_player(folder, Settings(**settings))
    heard = np.zeros((0, C, P), np.float32) if heard is None else heard
    rngs = [np.random.default_rng(seed) for seed in seeds]
    made = [(x.copy(), p) for x, p in islice(player.play(rngs, heard, Sampling(temperature=temperature)), frames)]
    return np.concatenate([x for x, _ in made], axis=1), np.concatenate([p for _, p in made], axis=1)


def computed(frames: NDArray[np.float32], begin: int = 0) -> NDArray[np.float32]:
    """The probability of each 1 of a piece, (T, C, P), as the formulas say it, from frame `begin` on."""
    w, h, before, rows = weights(), np.zeros(H, np.float32), np.zeros((C, P), np.float32), []
    for step, frame in enumerate(frames):
        h = np.tanh(before.reshape(-1) @ w["W"] + h + step / 8)
        told, a, below, row = (h @ w["G"]).reshape(P, F), h @ w["S"], np.zeros(C), np.zeros((C, P))
        for pitch in range(P):
            a = a + below @ w["U"]
            row[:, pitch] = sigmoid(told[pitch] @ w["K"] + a @ w["V"] + w["E"][pitch])
            below = frame[:, pitch]
        row[0] *= row[1]  # that it sounds and is struck
        rows.append(row)
        before = frame
    return np.array(rows[begin:], np.float32)


def test_it_computes_what_the_graphs_say(tmp_path: Path) -> None:
    write_player(tmp_path)
    cells, p = played(tmp_path, [1, 2, 3])
    assert cells.shape == p.shape == (3, 12, C, P)
    assert set(np.unique(cells)) == {0.0, 1.0}
    assert (cells[:, :, 0] <= cells[:, :, 1]).all()  # struck only where it sounds
    for piece, likely in zip(cells, p, strict=True):
        np.testing.assert_allclose(likely, computed(piece), atol=1e-5)


def test_it_goes_on_from_what_it_heard(tmp_path: Path) -> None:
    write_player(tmp_path)
    (heard,), _ = played(tmp_path, [9], 7)
    (cells,), (p,) = played(tmp_path, [1], 5, heard)
    np.testing.assert_allclose(p, computed(np.concatenate([heard, cells]), begin=7), atol=1e-5)


def test_a_piece_does_not_depend_on_those_beside_it(tmp_path: Path) -> None:
    write_player(tmp_path)
    together, _ = played(tmp_path, [1, 2, 3])
    alone, _ = played(tmp_path, [2])
    np.testing.assert_array_equal(together[1], alone[0])
    assert (together[0] != together[1]).any()


def test_what_is_mended_in_place_is_what_the_next_frame_follows(tmp_path: Path) -> None:
    write_player(tmp_path, bias=-4.0)
    player = open_player(tmp_path, Settings())
    guard = FrameGuard(RollSpec(C, 60, P, 4), Request(longest_silence=0.5))
    kept = []
    for x, p in islice(player.play([np.random.default_rng(0)], np.zeros((0, C, P), np.float32), Sampling()), 20):
        guard.take(x[0, 0], p[0, 0])
        kept.append((x[0, 0].copy(), p[0, 0]))
    assert guard.acted["silence"] > 2
    w = weights(-4.0)
    state, before = np.zeros(H, np.float32), np.zeros((C, P), np.float32)
    for step, (frame, likely) in enumerate(kept):
        state = np.tanh(before.reshape(-1) @ w["W"] + state + step / 8)
        lowest = (state @ w["G"])[:F] @ w["K"] + state @ w["S"] @ w["V"] + w["E"][0] + w["bias"]
        assert likely[1, 0] == pytest.approx(sigmoid(lowest[1]), abs=1e-5)
        before = frame


def test_at_temperature_0_the_likelier_is_taken_whatever_is_drawn(tmp_path: Path) -> None:
    write_player(tmp_path)
    cells, _ = played(tmp_path, [1, 2], temperature=0.0, conservativity=2.0)
    np.testing.assert_array_equal(cells[0], cells[1])


@given(st.floats(-30, 30), st.floats(0.05, 20), st.floats(0.1, 10))
def test_a_raised_probability_is_the_power_of_it(logit: float, power: float, temperature: float) -> None:
    made = raised(np.array([logit]), np.array([power]), temperature)
    assert made.dtype == np.float32
    expected = np.exp(-np.logaddexp(0, -logit / temperature)) ** power
    assert sigmoid(made / temperature)[0] == pytest.approx(expected, abs=1e-5)


def test_a_power_of_1_changes_nothing_and_a_larger_one_leaves_fewer_notes(tmp_path: Path) -> None:
    write_player(tmp_path)
    plain, _ = played(tmp_path, list(range(20)))
    np.testing.assert_array_equal(played(tmp_path, list(range(20)), conservativity=1.0)[0], plain)
    fewer, _ = played(tmp_path, list(range(20)), conservativity=3.0)
    more, _ = played(tmp_path, list(range(20)), conservativity=0.3)
    assert fewer[:, :, 1].mean() + 0.1 < plain[:, :, 1].mean() < more[:, :, 1].mean() - 0.1


def test_a_nudged_piece_does_not_stay_silent(tmp_path: Path) -> None:
    write_player(tmp_path, bias=-12.0)
    plain, _ = played(tmp_path, [1, 2], 60)
    assert not plain.any()
    nudged, _ = played(tmp_path, [1, 2], 60, nudge=0.02)
    assert nudged[:, :, 1].any(axis=(1, 2)).all()
    assert nudged[:, :, 1].mean() < 0.5  # and not everything sounds at once


def test_powers_are_those_of_the_adaptive_sampler(tmp_path: Path) -> None:
    write_player(tmp_path)
    player = open_player(tmp_path, Settings(nudge=0.02))
    silent, full = np.zeros((1, C, P), np.float32), np.ones((1, C, P), np.float32)
    power = np.ones(1)
    for frame, expected in ((silent, 0.98), (silent, 0.96), (full, 0.972), (silent, 0.952), (full, 0.9664)):
        power = player._adapted(power, frame)
        assert power[0] == pytest.approx(expected)
    for _ in range(1000):
        power = player._adapted(power, silent)
    assert power[0] == pytest.approx(0.1)


def test_one_plane_is_played_too(tmp_path: Path) -> None:
    op, number = helper.make_node, TensorProto.FLOAT
    time = graph_of(
        "time",
        [op("Transpose", ["frame"], ["turned"], perm=[0, 2, 1]), op("Mul", ["turned", "four"], ["given"])],
        {"frame": (number, ["B", 1, P]), "step": (TensorProto.INT64, ["B"])},
        {"given": ["B", P, 1]},
        {"four": np.array(4, np.float32)},
    )
    takes = {"given": (number, ["B", 1]), "pitch": (TensorProto.INT64, []), "before": (number, ["B", 1])}
    pitch = graph_of("pitch", [op("Sub", ["given", "before"], ["logits"])], takes, {"logits": ["B", 1]}, {})
    onnx.save(time, tmp_path / "time.onnx")
    onnx.save(pitch, tmp_path / "pitch.onnx")
    described = {**DESCRIBED, "channels": 1, "features": 1, "states": {}, "pitch_states": {}}
    (tmp_path / "player.json").write_text(json.dumps(described))
    player = open_player(tmp_path, Settings())
    rngs = [np.random.default_rng(n) for n in range(4)]
    (first, p), (_, after) = islice(player.play(rngs, np.zeros((0, 1, P), np.float32), Sampling()), 2)
    assert first.shape == (4, 1, 1, P)
    below = np.concatenate([np.zeros((4, 1)), first[:, 0, 0, :-1]], axis=1)
    np.testing.assert_allclose(p[:, 0, 0], sigmoid(-below), atol=1e-6)
    assert after.shape == first.shape


def test_it_says_nothing_and_needs_no_torch(tmp_path: Path) -> None:
    write_player(tmp_path)
    program = (
        "import sys, numpy; from pathlib import Path; from partimento.players.frame import Settings, open_player; "
        "from partimento.sampling import Sampling; "
        "p = open_player(Path(sys.argv[1]), Settings()); "
        "next(p.play([numpy.random.default_rng(0)], numpy.zeros((0, 2, 5), 'f'), Sampling())); "
        "print(sorted({'torch', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("name", ["time.onnx", "pitch.onnx", "player.json"])
@pytest.mark.parametrize("content", [None, b"", b"\x00\xff" * 50, b"[" * 200_000, b"null", b'{"player": "frame"}'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, name: str, content: bytes | None) -> None:
    write_player(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidBundle, match=name):
        open_player(tmp_path, Settings())


@pytest.mark.parametrize(
    "change",
    [
        {"player": "step"},
        {"channels": 3},
        {"channels": 1},
        {"pitches": 4},
        {"pitches": 1 << 40},
        {"features": -1},
        {"features": "3"},
        {"states": {}},
        {"states": {"h": {"shape": [H + 1], "dtype": "float32"}}},
        {"states": {"h": {"shape": [H], "dtype": "object"}}},
        {"states": {"h": {"shape": [1 << 20, 1 << 20], "dtype": "float32"}}},
        {"states": ["h"]},
        {"pitch_states": {}},
        {"pitch_states": {"a": {"shape": [A, 1], "dtype": "float32"}}},
        {"pitch_states": {"a": {"shape": [A], "dtype": "int64"}}},
    ],
)
def test_a_description_that_the_graphs_do_not_fit_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    write_player(tmp_path)
    (tmp_path / "player.json").write_text(json.dumps({**DESCRIBED, **change}))
    with pytest.raises(InvalidBundle, match=r"player/(player\.json|time\.onnx|pitch\.onnx)"):
        open_player(tmp_path, Settings())


def test_damaged_graphs_are_refused_or_play(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_player(tmp_path)
    rng = np.random.default_rng(0)
    refused = 0
    for name in ("time.onnx", "pitch.onnx"):
        whole = (tmp_path / name).read_bytes()
        for _ in range(100):
            damaged = bytearray(whole)
            for place in rng.integers(len(whole), size=rng.integers(1, 4)).tolist():
                damaged[place] = int(rng.integers(256))
            (tmp_path / name).write_bytes(damaged)
            try:
                cells, _ = played(tmp_path, [1], 1)
                assert cells.shape == (1, 1, C, P)
            except InvalidBundle:
                refused += 1
        (tmp_path / name).write_bytes(whole)
    assert 20 < refused < 200
    assert capfd.readouterr() == ("", "")


def test_a_model_of_no_numbers_is_refused(tmp_path: Path) -> None:
    write_player(tmp_path, bias=float("nan"))
    with pytest.raises(InvalidBundle, match="not numbers"):
        played(tmp_path, [1])
