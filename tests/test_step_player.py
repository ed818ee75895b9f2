from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from partimento.errors import InvalidBundle
from partimento.players.step import open_player

from little import SPEC, step_graph, write_player


def test_it_computes_what_the_graph_says(tmp_path: Path) -> None:
    write_player(tmp_path)
    weights = {t.name: numpy_helper.to_array(t) for t in step_graph().graph.initializer}
    player = open_player(tmp_path)
    state = player.start(3)
    h = np.zeros((3, 8), np.float32)
    for ids in ([1, 1, 1], [5, 9, 5], [27, 3, 5]):
        logits, state = player.step(np.array(ids), state)
        h = np.tanh(0.5 * h + weights["E"][ids])
        assert logits.dtype == np.float32
        assert logits == pytest.approx(h @ weights["W"] + weights["b"], abs=1e-5)
    assert logits.shape == (3, SPEC.vocab_size)


def test_a_narrowed_batch_goes_on_as_it_would_have(tmp_path: Path) -> None:
    write_player(tmp_path)
    player = open_player(tmp_path)
    _, state = player.step(np.array([5, 9, 14, 3]), player.start(4))
    all_of_them, _ = player.step(np.array([6, 7, 8, 9]), state)
    some_of_them, after = player.step(np.array([7, 9]), player.narrow(state, np.array([1, 3])))
    assert some_of_them == pytest.approx(all_of_them[[1, 3]], abs=1e-6)
    assert len(after["h"]) == 2


def test_the_same_steps_give_the_same_bits(tmp_path: Path) -> None:
    write_player(tmp_path)
    runs = []
    for _ in range(2):
        player = open_player(tmp_path)
        state, run = player.start(2), []
        for ids in np.random.default_rng(0).integers(3, 20, (50, 2)):
            logits, state = player.step(ids, state)
            run.append(logits)
        runs.append(np.array(run))
    assert runs[0].tobytes() == runs[1].tobytes()


def test_it_says_nothing_and_needs_no_torch(tmp_path: Path) -> None:
    write_player(tmp_path)
    program = (
        "import sys, numpy; from pathlib import Path; from partimento.players.step import open_player; "
        "p = open_player(Path(sys.argv[1])); p.step(numpy.array([1]), p.start(1)); "
        "print(sorted({'torch', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("name", ["step.onnx", "player.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_player(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InvalidBundle, match=name):
        open_player(tmp_path)


@pytest.mark.parametrize("name", ["step.onnx", "player.json"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 50, b"[" * 200_000, b"null", b'{"player": "step"}'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    write_player(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidBundle, match=name):
        open_player(tmp_path)


def test_damaged_graphs_are_refused_or_play_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_player(tmp_path)
    whole = (tmp_path / "step.onnx").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(len(whole), size=rng.integers(1, 4)).tolist():
            damaged[place] = int(rng.integers(256))
        (tmp_path / "step.onnx").write_bytes(damaged[: len(whole) if rng.random() < 0.8 else place])
        try:
            player = open_player(tmp_path)
            logits, _ = player.step(np.array([1, 5]), player.start(2))
            assert logits.shape[0] == 2
        except InvalidBundle:
            refused += 1
    assert 50 < refused < 300
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "change",
    [
        {"player": "counts"},
        {"vocab_size": -3},
        {"vocab_size": 1 << 40},
        {"vocab_size": 5},
        {"vocab_size": "28"},
        {"states": {"h": {"shape": [1 << 20, 1 << 20], "dtype": "float32"}}},
        {"states": {"h": {"shape": [8], "dtype": "object"}}},
        {"states": {"h": {"shape": [9], "dtype": "float32"}}},
        {"states": {"h": {"shape": [8], "dtype": "int64"}}},
        {"states": {"h": {"shape": [8, 1], "dtype": "float32"}}},
        {"states": {"h": {"shape": 8, "dtype": "float32"}}},
        {"states": {}},
        {"states": {"h": {"shape": [8], "dtype": "float32"}, "c": {"shape": [8], "dtype": "float32"}}},
        {"states": ["h"]},
    ],
)
def test_a_description_that_the_graph_does_not_fit_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    write_player(tmp_path)
    described = json.loads((tmp_path / "player.json").read_text())
    (tmp_path / "player.json").write_text(json.dumps({**described, **change}))
    with pytest.raises(InvalidBundle, match=r"player/(player\.json|step\.onnx)"):
        open_player(tmp_path)


def test_weights_in_another_file_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_player(tmp_path)
    onnx.save(step_graph(), tmp_path / "step.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    assert (tmp_path / "weights").exists()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidBundle, match=r"step\.onnx"):
        open_player(tmp_path)


def test_a_graph_that_wants_all_memory_fails_and_takes_nothing_along(tmp_path: Path) -> None:
    write_player(tmp_path)
    model = step_graph()
    size = numpy_helper.from_array(np.array([20_000_000_000], np.int64), "size")
    model.graph.initializer.append(size)
    model.graph.node[-1].output[0] = "calm"
    model.graph.node.extend(
        [
            helper.make_node(
                "ConstantOfShape", ["size"], ["huge"], value=numpy_helper.from_array(np.zeros(1, np.int8))
            ),
            helper.make_node("Cast", ["huge"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceSum", ["floats"], ["nothing"], keepdims=0),
            helper.make_node("Add", ["calm", "nothing"], ["logits"]),
        ]
    )
    (tmp_path / "step.onnx").write_bytes(model.SerializeToString())
    player = open_player(tmp_path)
    with pytest.raises(InvalidBundle, match=r"step\.onnx fails"):
        player.step(np.array([1]), player.start(1))
