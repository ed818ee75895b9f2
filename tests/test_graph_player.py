from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from partimento.errors import ImpossibleRequest, InvalidBundle, InvalidSettings
from partimento.players.graph import Latent, Settings, open_player, with_beginnings
from partimento.sampling import Sampling
from partimento.settings import from_table, to_table

Z, STEPS, C, P, ALIGN = 3, 8, 2, 5, 4
CELLS = STEPS * C * P


def weights() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return {
        "out": rng.normal(size=(Z, CELLS)).astype(np.float32),
        "in": rng.normal(size=(CELLS, Z)).astype(np.float32),
        "bias": rng.normal(size=CELLS).astype(np.float32),
    }


def saved(path: Path, nodes: list[Any], takes: dict[str, list[Any]], gives: dict[str, list[Any]]) -> None:
    def values(of: dict[str, list[Any]]) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in of.items()]

    shape, flat = np.array([-1, STEPS, C, P]), np.array([-1, CELLS])
    constants = {**weights(), "shape": shape, "flat": flat, "half": np.array(0.5, np.float32)}
    used = {name for node in nodes for name in node.input}
    kept = [numpy_helper.from_array(array, name) for name, array in constants.items() if name in used]
    graph = helper.make_graph(nodes, "graph", values(takes), values(gives), kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def write_player(folder: Path, encodes: bool = True, **more: Any) -> None:
    """decode: z out + bias, in phrases; encode: mean = x in, deviation = 0.5 for every x."""
    facts = {"player": "graph", "latent": Z, "steps": STEPS, "channels": C, "pitches": P, "align": ALIGN}
    attributes = {"density": [1.0, 0.0, -2.0], "pitch": [0.0, 1.0, 0.0]}
    (folder / "player.json").write_text(json.dumps({**facts, "attributes": attributes, **more}))
    nodes = [
        helper.make_node("MatMul", ["z", "out"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["row"]),
        helper.make_node("Reshape", ["row", "shape"], ["logits"]),
    ]
    saved(folder / "decode.onnx", nodes, {"z": ["B", Z]}, {"logits": ["B", STEPS, C, P]})
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["row"]),
        helper.make_node("MatMul", ["row", "in"], ["mean"]),
        helper.make_node("Mul", ["mean", "mean"], ["square"]),
        helper.make_node("Greater", ["half", "square"], ["small"]),
        helper.make_node("Where", ["small", "half", "half"], ["deviation"]),
    ]
    if encodes:
        places = {"mean": ["B", Z], "deviation": ["B", Z]}
        saved(folder / "encode.onnx", nodes, {"x": ["B", STEPS, C, P]}, places)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("player")
    write_player(made)
    return made


def opened(folder: Path, **values: Any) -> Latent:
    return open_player(folder, Settings(**values))


def silence(frames: int = 0) -> NDArray[np.float32]:
    return np.zeros((frames, C, P), np.float32)


def walked(player: Latent, seeds: list[int], heard: NDArray[np.float32], phrases: int = 3) -> NDArray[np.float32]:
    """(phrases, B, steps, C, P) how probable each cell is, at temperature 1."""
    rngs = [np.random.default_rng(seed) for seed in seeds]
    made = itertools.islice(player.play(rngs, heard, Sampling()), phrases)
    return np.array([p for _, p in made])


def test_it_computes_what_the_graphs_say(folder: Path) -> None:
    player, w = opened(folder), weights()
    z = np.random.default_rng(1).normal(size=(4, Z)).astype(np.float32)
    np.testing.assert_allclose(player.decode(z), (z @ w["out"] + w["bias"]).reshape(-1, STEPS, C, P), atol=1e-5)
    x = (np.random.default_rng(2).random((2, STEPS, C, P)) < 0.3).astype(np.float32)
    mean, deviation = player.encode(x)
    np.testing.assert_allclose(mean, x.reshape(2, -1) @ w["in"], atol=1e-5)
    assert (deviation == 0.5).all()
    assert (player.steps, player.align, player.latent, player.hears) == (STEPS, ALIGN, Z, True)


def test_cells_are_drawn_from_the_logits_and_struck_only_where_they_sound(folder: Path) -> None:
    cells, p = next(opened(folder).play([np.random.default_rng(n) for n in range(400)], silence(), Sampling()))
    assert cells.shape == p.shape == (400, STEPS, C, P)
    assert cells.dtype == np.float32
    assert set(np.unique(cells)) == {0, 1}
    assert (cells[:, :, 0] <= cells[:, :, 1]).all()
    assert cells.mean() == pytest.approx(p.mean(), abs=0.01)


def test_temperature_nought_takes_the_likelier(folder: Path) -> None:
    rng = np.random.default_rng(3)
    cells, _ = next(opened(folder).play([rng], silence(), Sampling(temperature=0.0)))
    z = np.random.default_rng(3).standard_normal(Z, np.float32)
    logits = opened(folder).decode(z[None])
    sounds = logits[:, :, 1] > 0
    np.testing.assert_array_equal(cells[:, :, 1] > 0, sounds)
    np.testing.assert_array_equal(cells[:, :, 0] > 0, sounds & (logits[:, :, 0] > 0))


def test_each_piece_draws_from_its_own_generator(folder: Path) -> None:
    player = opened(folder)
    together = walked(player, [1, 2, 3], silence())
    for row, seed in enumerate([1, 2, 3]):
        np.testing.assert_allclose(walked(player, [seed], silence())[:, 0], together[:, row], atol=1e-6)
    assert not np.allclose(together[:, 0], together[:, 1])


def test_a_walk_keeps_the_prior_and_ties_neighbours(folder: Path) -> None:
    """Every z of the walk is standard normal, and neighbours are correlated by r (an AR(1) process)."""
    w = weights()
    logits = np.log(np.array(walked(opened(folder, walk=0.6), list(range(3000)), silence())).clip(1e-7, 1 - 1e-7))
    sounds = logits[:, :, :, 1]
    sounds = sounds - np.log1p(-np.exp(sounds))
    flat = sounds.reshape(3, 3000, -1)
    out = w["out"].reshape(Z, STEPS, C, P)[:, :, 1].reshape(Z, -1)
    bias = w["bias"].reshape(STEPS, C, P)[:, 1].reshape(-1)
    z = np.linalg.lstsq(out.T, (flat - bias).reshape(3 * 3000, -1).T, rcond=None)[0].T.reshape(3, 3000, Z)
    assert np.abs(z.mean(1)).max() < 0.1
    assert z.std(1) == pytest.approx(np.ones((3, Z)), abs=0.08)
    for here, there, expected in ((0, 1, 0.6), (1, 2, 0.6), (0, 2, 0.36)):
        assert np.mean(z[here] * z[there], axis=0) == pytest.approx(np.full(Z, expected), abs=0.1)


@pytest.mark.parametrize(("walk", "same"), [(1.0, True), (0.0, False)])
def test_a_walk_may_stand_still_or_jump(folder: Path, walk: float, same: bool) -> None:
    first, second, _ = walked(opened(folder, walk=walk), [5], silence())
    assert np.allclose(first, second) is same


def test_it_goes_on_from_where_the_prompt_lies(folder: Path) -> None:
    player = opened(folder, walk=1.0)
    heard = (np.random.default_rng(4).random((21, C, P)) < 0.5).astype(np.float32)
    mean, _ = player.encode(heard[12:20][None])  # the last eight frames that begin at a multiple of four
    made = walked(player, list(range(2000)), heard, 1)[0, :, :, 1]
    middle = player.decode(mean)[0, :, 1]
    np.testing.assert_array_equal(
        (np.median(made, axis=0) > 0.5)[np.abs(middle) > 0.3], middle[np.abs(middle) > 0.3] > 0
    )


@pytest.mark.parametrize("frames", [1, 5, 8, 9, 40])
def test_prompts_of_any_length_are_heard(folder: Path, frames: int) -> None:
    heard = np.ones((frames, C, P), np.float32)
    assert not np.allclose(walked(opened(folder), [1], heard), walked(opened(folder), [1], silence()))


def test_all_cells_of_a_pitch_hang_on_one_chance(folder: Path) -> None:
    """Among pieces of one z a cell that is likelier than another of its pitch is played wherever that one is."""
    player = opened(folder)
    z = np.repeat(np.random.default_rng(0).standard_normal((1, Z), np.float32), 500, 0)
    cells, p = player.played(z, [np.random.default_rng(n) for n in range(500)], 1.0)
    sounds, likely = cells[:, :, 1], p[0, :, 1]
    assert sounds.mean(0) == pytest.approx(likely, abs=0.08)
    order = np.argsort(likely, axis=0)
    ranked = np.take_along_axis(sounds, order[None], axis=1)
    assert (np.diff(ranked, axis=1) >= 0).all()


def test_a_phrase_that_settles_is_heard_and_decoded_anew(folder: Path) -> None:
    z = np.random.default_rng(0).standard_normal((1, Z), np.float32)
    rngs = [np.random.default_rng(1)]
    plain, twice = opened(folder), opened(folder, settle=2)
    expected = z
    for _ in range(2):
        cells, _ = plain.played(expected, rngs, 0.0)
        expected, _ = plain.encode(with_beginnings(cells))
    np.testing.assert_array_equal(twice.settled(z, rngs, 0.0), expected)
    np.testing.assert_array_equal(plain.settled(z, rngs, 0.0), z)
    assert not np.array_equal(expected, z)


def test_what_begins_to_sound_begins() -> None:
    cells = np.zeros((1, 6, 2, 1), np.float32)
    cells[0, [0, 1, 3, 4], 1, 0] = 1
    cells[0, 4, 0, 0] = 1
    assert with_beginnings(cells)[0, :, 0, 0].tolist() == [1, 0, 0, 1, 1, 0]
    assert with_beginnings(cells)[0, :, 1, 0].tolist() == [1, 1, 0, 1, 1, 0]
    np.testing.assert_array_equal(with_beginnings(cells[:, :, 1:]), cells[:, :, 1:])


def test_equal_letters_are_one_place(folder: Path) -> None:
    p = walked(opened(folder, form="AABA", walk=0.0), [5, 6], silence(), 6)
    for one, other, same in ((0, 1, True), (0, 3, True), (0, 4, True), (0, 2, False), (2, 5, False)):
        assert np.allclose(p[one], p[other]) is same
    plain = walked(opened(folder, walk=0.0), [5, 6], silence(), 6)
    assert not any(np.allclose(plain[0], other) for other in plain[1:])


def test_attributes_are_directions(folder: Path) -> None:
    player = opened(folder, attributes={"density": 1.5, "pitch": -1.0})
    moved = player.moved(np.zeros((2, Z), np.float32))
    np.testing.assert_allclose(moved, [[1.5, -1.0, -3.0]] * 2)
    assert not np.allclose(walked(player, [1], silence()), walked(opened(folder), [1], silence()))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("settle", [0, 1, 10])
def test_settling_takes_nothing_of_an_attribute_away(folder: Path, settle: int, temperature: float) -> None:
    """Whatever the model makes of a phrase it hears, the phrase is played at least as far along as was asked for."""
    far = 1.5
    player = opened(folder, settle=settle, attributes={"density": far})
    still = opened(folder, settle=settle)
    z = np.random.default_rng(0).standard_normal((6, Z), np.float32)
    moved, unmoved = (
        one.arrived(z, [np.random.default_rng(n) for n in range(6)], temperature) for one in (player, still)
    )
    way = player.attributes["density"]
    assert ((moved - unmoved) @ way / (way @ way) >= far - 1e-4).all()
    none = opened(folder, settle=settle, attributes={"density": 0.0})
    np.testing.assert_array_equal(none.arrived(z, [np.random.default_rng(n) for n in range(6)], temperature), unmoved)


def test_what_there_is_not_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ImpossibleRequest, match=r"no attribute 'joy'.*density, pitch"):
        opened(folder, attributes={"joy": 1.0})
    write_player(tmp_path, encodes=False, attributes={})
    player = opened(tmp_path)
    assert not player.hears
    with pytest.raises(ImpossibleRequest, match="cannot say where"):
        player.encode(np.zeros((1, STEPS, C, P), np.float32))
    with pytest.raises(ImpossibleRequest, match="has none"):
        opened(tmp_path, attributes={"density": 1.0})


def test_settings_go_round_and_are_bounded() -> None:
    settings = Settings(walk=0.5, attributes={"density": 2.0})
    assert from_table(Settings, to_table(settings), "player") == settings
    far = {"attributes": {"density": 1e300}}
    for wrong in ({"walk": 1.5}, {"attributes": {"density": "much"}}, {"attributes": 3}, {"stroll": 1}, far):
        with pytest.raises(InvalidSettings):
            from_table(Settings, wrong, "player")


@given(frames=st.integers(0, 40))
def test_phrases_are_cut_end_to_end_and_filled_with_silence(folder: Path, frames: int) -> None:
    x = np.random.default_rng(frames).random((frames, C, P)).astype(np.float32)
    cut = opened(folder).phrases(x).reshape(-1, C, P)
    assert len(cut) % STEPS == 0
    np.testing.assert_array_equal(cut[:frames], x)
    assert not cut[frames:].any()


def test_the_same_seeds_give_the_same_bits(folder: Path) -> None:
    one, same = (walked(opened(folder), [1, 2], silence()).tobytes() for _ in range(2))
    assert one == same


def test_it_says_nothing_and_needs_no_torch(folder: Path) -> None:
    program = (
        "import sys, numpy; from pathlib import Path; from partimento.players.graph import Settings, open_player; "
        "from partimento.sampling import Sampling; p = open_player(Path(sys.argv[1]), Settings()); "
        "next(p.play([numpy.random.default_rng(0)], numpy.zeros((0, 2, 5), numpy.float32), Sampling())); "
        "print(sorted({'torch', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("name", ["decode.onnx", "player.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_player(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InvalidBundle, match=name):
        opened(tmp_path)


@pytest.mark.parametrize("name", ["decode.onnx", "encode.onnx", "player.json"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 50, b"[" * 200_000, b"null", b'{"player": "graph"}'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    write_player(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidBundle, match=name):
        opened(tmp_path)


@pytest.mark.parametrize(
    "more",
    [
        {"player": "step"},
        {"latent": 0},
        {"latent": True},
        {"latent": 1 << 40},
        {"steps": 1 << 30},
        {"channels": 3},
        {"align": -1},
        {"pitches": "all"},
        {"attributes": {"density": [1.0]}},
        {"attributes": {"density": [1.0, 2.0, float("nan")]}},
        {"attributes": [1]},
    ],
)
def test_a_description_that_cannot_be_is_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    write_player(tmp_path, **more)
    with pytest.raises(InvalidBundle, match=r"player\.json"):
        opened(tmp_path)


@pytest.mark.parametrize("more", [{"latent": 4, "attributes": {}}, {"steps": 16}, {"channels": 1}, {"pitches": 88}])
def test_a_graph_of_other_sizes_is_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    write_player(tmp_path, **more)
    with pytest.raises(InvalidBundle, match=r"code.onnx (takes|gives)"):
        opened(tmp_path)


def test_a_graph_that_gives_other_sizes_than_it_says_is_found_out(tmp_path: Path) -> None:
    write_player(tmp_path, encodes=False)
    nodes = [helper.make_node("MatMul", ["z", "out"], ["logits"])]
    saved(tmp_path / "decode.onnx", nodes, {"z": ["B", Z]}, {"logits": ["B", "S"]})
    with pytest.raises(InvalidBundle, match=r"decode\.onnx gives"):
        opened(tmp_path)


def test_values_that_are_no_numbers_are_found_out(folder: Path) -> None:
    with pytest.raises(InvalidBundle, match="not numbers"):
        opened(folder).decode(np.full((1, Z), np.inf, np.float32))
