"""A graph in fewer bits: products with weights in 8, all other weights kept in 16 and computed in 32.

A product's weights are cut into blocks of `BLOCK` along what is summed over, each with a scale of its own, the largest
of them being 127; what comes in is brought to 8 bits as it comes, by the largest of its block (by blocks: Dettmers et
al. 2022, "8-bit Optimizers via Block-wise Quantization"). onnxruntime multiplies both as whole numbers (`MatMulNBits`,
accuracy level 4). Columns of outliers, which large language models need kept apart (Dettmers et al. 2022,
"LLM.int8()"), models of this size have not shown.

Leaves out: recurrent layers, whose weights are kept in 16 bits; graphs that keep weights in other files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from partimento.exporting import MICROSOFT

BLOCK = 32
FEWEST = 1024  # weights of a constant that is worth it
LARGEST = 6.5e4  # that 16 bits can say

Array = NDArray[Any]


def shrink_graph(path: Path) -> onnx.ModelProto:
    """The same graph in fewer bits.

    Args:
        path: of an ONNX graph.
    """
    model = onnx.load(path)
    graph = model.graph
    constants = {constant.name: constant for constant in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    added: list[onnx.TensorProto] = []
    for node in graph.node:
        weights = _weights(node, constants)
        if weights is None:
            nodes.append(node)
            continue
        blocks, scales = eight_bits(weights)
        names = [f"{node.input[1]}/{part}" for part in ("blocks", "scales")]
        added += [numpy_helper.from_array(blocks, names[0]), numpy_helper.from_array(scales, names[1])]
        biased = len(node.input) > 2
        product = f"{node.output[0]}/product" if biased else node.output[0]
        sizes = {"K": weights.shape[0], "N": weights.shape[1], "bits": 8, "block_size": BLOCK, "accuracy_level": 4}
        nodes.append(helper.make_node("MatMulNBits", [node.input[0], *names], [product], domain=MICROSOFT, **sizes))
        if biased:
            nodes.append(helper.make_node("Add", [product, node.input[2]], [node.output[0]]))
    asked = {name for node in nodes for name in node.input} | {value.name for value in graph.output}
    casts = []
    for name, constant in constants.items():
        if name not in asked:
            continue
        if not _fits_sixteen(constant):
            added.append(constant)
            continue
        added.append(numpy_helper.from_array(numpy_helper.to_array(constant).astype(np.float16), f"{name}/16"))
        casts.append(helper.make_node("Cast", [f"{name}/16"], [name], to=TensorProto.FLOAT))
    del graph.node[:], graph.initializer[:]
    graph.node.extend([*casts, *nodes])
    graph.initializer.extend({constant.name: constant for constant in added}.values())
    if MICROSOFT not in {opset.domain for opset in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    onnx.checker.check_model(model, full_check=True)
    return model


def _weights(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> Array | None:
    """(K, N) what a node multiplies by, if it is a product with weights that is worth it."""
    if node.op_type not in ("MatMul", "Gemm") or node.input[1] not in constants:
        return None
    options = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    turned = bool(options.pop("transB", 0))
    if any(value != (0 if name == "transA" else 1) for name, value in options.items()):
        return None
    weights = numpy_helper.to_array(constants[node.input[1]])
    if weights.ndim != 2 or weights.size < FEWEST or weights.dtype != np.float32:
        return None
    return weights.T if turned else weights


def _fits_sixteen(constant: onnx.TensorProto) -> bool:
    if constant.data_type != TensorProto.FLOAT or np.prod(constant.dims) < FEWEST:
        return False
    return bool(np.abs(numpy_helper.to_array(constant)).max() < LARGEST)


def eight_bits(weights: Array) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Weights in 8 bits, with a scale for each block.

    Args:
        weights: (K, N) float32.

    Returns:
        (N, K / BLOCK rounded up, BLOCK) whole numbers, 128 standing for 0, and (N, blocks) what they are multiplied by.
    """
    inner, outer = weights.shape
    blocks = -(-inner // BLOCK)
    rows = np.zeros((outer, blocks * BLOCK), dtype=np.float32)
    rows[:, :inner] = weights.T
    parts = rows.reshape(outer, blocks, BLOCK)
    scales = (np.abs(parts).max(axis=2) / 127).astype(np.float32)
    whole = np.rint(parts / np.where(scales > 0, scales, 1)[..., None]) + 128
    return whole.astype(np.uint8), scales
