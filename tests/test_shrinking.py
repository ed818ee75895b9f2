"""Shrinking: bundles in fewer bits that still know what they knew, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from partimento.bundle import Bundle, open_bundle
from partimento.codec import Request
from partimento.errors import ImpossibleRequest
from partimento.files import write
from partimento.generation import generate
from partimento.pieces import Pieces
from partimento.recipes import recipe_named
from partimento.shrinking import shrink
from partimento.shrinking.products import BLOCK, FEWEST, eight_bits
from partimento.training.runs import train

from little import write_little_bundle
from music import tune

SMALL = ["training.updates=30", "model.layers=2", "model.width=64", "model.heads=2", "model.inner=64", "plan.sizes=[]"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A little run of the flagship."""
    folder = tmp_path_factory.mktemp("shrinking")
    (folder / "music").mkdir()
    for seed in range(8):
        write(tune(seed, bars=16), folder / "music" / f"{seed}.mid")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        train(folder / "music", folder / "run", recipe_named("nested").override([*SMALL, "training.length=384"]))
    return folder / "run"


@pytest.fixture(scope="module")
def small(run: Path) -> Bundle:
    """The same, shrunk."""
    return shrink(open_bundle(run), run.parent / "small", None).bundle


@given(
    arrays(np.float32, st.tuples(st.integers(1, 70), st.integers(1, 5)), elements=st.floats(-1e3, 1e3, width=32)),
)
def test_weights_are_told_to_half_a_step_of_their_block(weights: np.ndarray) -> None:  # type: ignore[type-arg]
    blocks, scales = eight_bits(weights)
    told = ((blocks.astype(np.float32) - 128) * scales[..., None]).reshape(weights.shape[1], -1)[:, : len(weights)].T
    step = np.repeat(scales, BLOCK, axis=1)[:, : len(weights)].T
    assert (np.abs(told - weights) <= step * 0.5001 + 1e-30).all()


def test_it_is_smaller_and_foretells_almost_as_well(run: Path, tmp_path: Path) -> None:
    made = shrink(open_bundle(run), tmp_path / "small", Pieces.open(run / "pieces" / "valid"))
    assert made.bytes[1] < 0.7 * made.bytes[0]
    assert made.bits is not None
    assert made.bits[1] == pytest.approx(made.bits[0], rel=0.01)
    scores = open_bundle(run).facts["scores"]
    assert made.bits[0] == pytest.approx(scores["valid, bits per note"], rel=0.01)  # as torch has it
    assert made.bundle.facts["bits_per_note_shrunk"] == made.bits[1]


def test_what_is_shrunk_composes_and_repeats_itself(small: Bundle) -> None:
    one, two = (next(iter(generate(small, request=Request(bars=4), seed=3))).score for _ in range(2))
    assert one.note_num() > 0
    assert one == two


def test_products_are_in_eight_bits_and_tables_in_sixteen(small: Bundle) -> None:
    for path in small.player_folder.glob("*.onnx"):
        graph = onnx.load(path).graph
        sizes = {constant.name: np.prod(constant.dims) for constant in graph.initializer}
        products = [node for node in graph.node if node.op_type in ("MatMul", "Gemm")]
        assert all(sizes.get(node.input[1], 0) < FEWEST for node in products)  # of few weights, and of what comes in
        assert "MatMulNBits" in {node.op_type for node in graph.node}
        full = [c for c in graph.initializer if c.data_type == onnx.TensorProto.FLOAT and np.prod(c.dims) > 4096]
        assert all(np.abs(onnx.numpy_helper.to_array(constant)).max() > 6e4 for constant in full) or not full


def test_what_is_shrunk_is_learnt_on_from(run: Path, small: Bundle, tmp_path: Path) -> None:
    recipe = recipe_named("nested").override([*SMALL, "training.length=384", "training.updates=2"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        ended = train(run.parent / "music", tmp_path / "tuned", recipe, start=small)
    assert ended.facts["started_from"] == small.digest
    assert all(array.dtype == np.float32 for array in ended.arrays().values())


def test_what_cannot_be_shrunk_is_refused(small: Bundle, run: Path, tmp_path: Path) -> None:
    with pytest.raises(ImpossibleRequest, match="shrunk already"):
        shrink(small, tmp_path / "again", None)
    with pytest.raises(ImpossibleRequest, match="already holds something"):
        shrink(open_bundle(run), run, None)
    counted = write_little_bundle(tmp_path / "little")
    for path in counted.player_folder.glob("*.onnx"):
        path.unlink()
    with pytest.raises(ImpossibleRequest, match="no products"):
        shrink(counted, tmp_path / "other", None)
