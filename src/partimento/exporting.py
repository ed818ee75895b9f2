"""Writing ONNX graphs: nodes put together by hand, for the models that export what their players run.

Small graphs of known operators, written out: torch's own exporters trace a model that is trained in windows, and what
is played is another thing, one step of it. ONNX's recurrent operators with a sequence of one step are as fast as the
same written out with one fused product (3×512 LSTM on one thread, steps/s: 1,838 against 1,859; both wait for memory),
and are one node each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

OPERATORS, FORMAT = 21, 10  # the newest operator set and format that onnxruntime 1.24 and later read
FLOAT = int(TensorProto.FLOAT)
INT32 = int(TensorProto.INT32)
MICROSOFT = "com.microsoft"  # onnxruntime's own operators
TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
# where ONNX wants torch's blocks of gates: i o f c from i f g o, and z r h from r z n
GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}

Value = str | Tensor | NDArray[Any]
"""A value of the graph by its name, or a constant."""
Shapes = Mapping[str, tuple[int | str, ...]]
"""Inputs or outputs: names and shapes, a word standing for a size that is not known; float32."""


class OnnxGraph:
    """A graph in the making: each method adds nodes and gives the name of what they compute."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: Value, name: str = "", **attributes: Any) -> str:
        """Add a node with one output, called `name`; arrays among its inputs become constants."""
        return self.node(kind, inputs, [name or f"value{len(self._nodes)}"], **attributes)[0]

    def node(self, kind: str, inputs: Sequence[Value], outputs: Sequence[str], **attributes: Any) -> list[str]:
        """Add a node with outputs of these names; "" stands for one that is not asked for, or an input not given."""
        names = [self._named(value) for value in inputs]
        self._nodes.append(helper.make_node(kind, names, list(outputs), **attributes))
        return list(outputs)

    def _named(self, value: Value) -> str:
        if isinstance(value, str):
            return value
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        self._constants.append(numpy_helper.from_array(np.array(array), f"constant{len(self._constants)}"))
        return str(self._constants[-1].name)

    def linear(self, h: str, layer: nn.Linear, name: str = "") -> str:
        """A product and a bias; h (B, E) -> (B, H)."""
        return self.op("Gemm", h, layer.weight, layer.bias, transB=1, name=name)

    def affine(self, h: str, weight: Tensor, bias: Tensor | None, name: str = "") -> str:
        """Apply weight (H, E) and bias (H,), if there is one, to h (..., E)."""
        if bias is None:
            return self.op("MatMul", h, weight.T, name=name)
        return self.op("Add", self.op("MatMul", h, weight.T), bias, name=name)

    def layer_norm(self, h: str, norm: nn.LayerNorm, name: str = "") -> str:
        """Normalise the last axis."""
        return self.op("LayerNormalization", h, norm.weight, norm.bias, epsilon=norm.eps, name=name)

    def reshape(self, h: str, *shape: int, name: str = "") -> str:
        """Give h another shape; -1 is what remains, 0 stays as it is."""
        return self.op("Reshape", h, np.array(shape), name=name)

    def cell(self, h: str, layer: nn.RNNBase, before: Sequence[str], after: Sequence[str]) -> str:
        """One step of a recurrent layer.

        Args:
            h: (B, E) what goes in.
            layer: of one direction.
            before: the names of its states, (B, H): the hidden one and, for an LSTM, its memory.
            after: what they are called after the step; the first is what comes out.
        """
        first = np.array([0])  # ONNX counts time and directions in front
        states = [self.op("Unsqueeze", state, first) for state in before]
        inputs: list[Value] = [self.op("Unsqueeze", h, first), *recurrent_weights(layer), "", *states]
        raw = [f"{name}_with_direction" for name in after]
        # torch's GRU multiplies by the reset gate after the product, which ONNX must be told
        options = {"linear_before_reset": 1} if isinstance(layer, nn.GRU) else {}
        self.node(type(layer).__name__, inputs, ["", *raw], hidden_size=layer.hidden_size, **options)
        outputs = [self.op("Squeeze", value, first, name=name) for value, name in zip(raw, after, strict=True)]
        return outputs[0]

    def write(self, path: Path, takes: Shapes, gives: Shapes, integers: Sequence[str] = ()) -> None:
        """Check the graph and write it.

        Args:
            path: the file.
            takes: its inputs.
            gives: its outputs, names of values.
            integers: those of `takes` that are int64.
        """
        kinds = {name: TYPES["int64" if name in integers else "float32"] for name in takes}
        inputs = [helper.make_tensor_value_info(name, kinds[name], list(shape)) for name, shape in takes.items()]
        outputs = [helper.make_tensor_value_info(name, TYPES["float32"], list(shape)) for name, shape in gives.items()]
        graph = helper.make_graph(self._nodes, path.stem, inputs, outputs, self._constants)
        domains = {"": OPERATORS} | {node.domain: 1 for node in self._nodes if node.domain}
        opsets = [helper.make_opsetid(domain, version) for domain, version in domains.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=FORMAT)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)


def recurrent_weights(layer: nn.Module, kind: str = "") -> tuple[Tensor, Tensor, Tensor]:
    """A recurrent layer's weights as ONNX's operators have them.

    Args:
        layer: one layer of torch's RNN, GRU or LSTM, or a module whose parameters have the same names.
        kind: which of the three; by default as the layer's class is called.

    Returns:
        For inputs (D, G H, E), for the state (D, G H, H), and both biases (D, 2 G H), with D directions and G gates.
    """
    own = dict(layer.named_parameters())
    ways = [way for way in ("", "_reverse") if f"weight_ih_l0{way}" in own]
    order = GATES[kind or type(layer).__name__]

    def gates(name: str) -> Tensor:
        blocks = [own[f"{name}_l0{way}"].detach().chunk(len(order)) for way in ways]
        return torch.stack([torch.cat([found[n] for n in order]) for found in blocks])

    return gates("weight_ih"), gates("weight_hh"), torch.cat([gates("bias_ih"), gates("bias_hh")], 1)
