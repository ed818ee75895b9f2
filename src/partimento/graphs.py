"""ONNX graphs, as players run them: bounded, checked against what they should take and give, on onnxruntime's CPU.

A graph comes from a stranger as often as not, so what it may do is bounded: weights in other files are refused, and
all graphs of this process together get no more than `MEMORY` bytes. One thread is fastest for small models, and the
same number of threads gives the same music.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from partimento.errors import InvalidBundle

MEMORY = 4 << 30
LARGEST_STATE = 1 << 24  # numbers for each piece
LARGEST_VOCABULARY = 1 << 20
DTYPES = {"float32": "tensor(float)", "float16": "tensor(float16)", "int64": "tensor(int64)"}
NOWHERE = "/nonexistent-on-purpose"  # where onnxruntime is told to look for weights in other files

REFUSALS: tuple[type[Exception], ...] = (  # onnxruntime's exceptions have no common class of their own
    *(OSError, ValueError, RuntimeError, MemoryError),
    *(e for e in vars(ort_errors).values() if isinstance(e, type) and issubclass(e, Exception)),
)

Values = Mapping[str, tuple[str, tuple[int | None, ...]]]
"""By name the type ("float32") and the shape of an input or an output; None is the batch."""


class Graph:
    """One graph of a bundle's `player` folder, whose inputs and outputs are as they should be.

    Args:
        path: the file.
        takes: its inputs.
        gives: its outputs.
        threads: for each run.

    Raises:
        InvalidBundle: it is missing, no graph, or takes or gives something else; says what.
    """

    def __init__(self, path: Path, takes: Values, gives: Values, threads: int = 1) -> None:
        self._name = f"player/{path.name}"
        self._gives = gives
        try:
            self._session = _session(path.read_bytes(), threads)
            self._check("takes", self._session.get_inputs(), takes)
            self._check("gives", self._session.get_outputs(), gives)
        except REFUSALS as error:
            raise InvalidBundle(f"{self._name} of this bundle cannot be opened: {first_line(error)}.") from error

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The outputs by name.

        Raises:
            InvalidBundle: the graph fails.
        """
        try:
            found = self._session.run(list(self._gives), inputs)
        except REFUSALS as error:
            raise InvalidBundle(f"The model's graph {self._name} fails: {first_line(error)}.") from error
        return dict(zip(self._gives, found, strict=True))

    def bound(self, inputs: Mapping[str, NDArray[Any]], outputs: Mapping[str, NDArray[Any]]) -> Bound:
        """The graph with arrays that it reads and writes in place, time after time."""
        return Bound(self._name, self._session, inputs, outputs)

    def _check(self, verb: str, found: list[Any], expected: Values) -> None:
        """Compare the graph's inputs or outputs with what they should be.

        Raises:
            InvalidBundle: they differ; says where.
        """
        for node in found:
            kind, shape = expected.get(node.name, ("", ()))
            sizes = [size if type(size) is int else None for size in node.shape]
            fits = len(sizes) == len(shape) and all(s in (None, right) for s, right in zip(sizes, shape, strict=True))
            if DTYPES.get(kind) != node.type or not fits:
                raise InvalidBundle(
                    f"{self._name} {verb} {node.name} {node.type} {node.shape}, which player/player.json does not say."
                )
        missing = expected.keys() - {node.name for node in found}
        if missing:
            raise InvalidBundle(f"{self._name} of this bundle {verb} no {', '.join(sorted(missing))}.")


class Bound:
    """A graph and the arrays that it reads and writes in place.

    An array may be an input and an output, where the graph only adds to it; nothing is copied. Arrays that are changed
    between runs are seen as they then are.
    """

    def __init__(
        self,
        name: str,
        session: ort.InferenceSession,
        inputs: Mapping[str, NDArray[Any]],
        outputs: Mapping[str, NDArray[Any]],
    ) -> None:
        self._name = name
        self._session = session
        self._binding = session.io_binding()
        for values, bind in (
            (inputs, self._binding.bind_ortvalue_input),
            (outputs, self._binding.bind_ortvalue_output),
        ):
            for each, array in values.items():
                bind(each, ort.OrtValue.ortvalue_from_numpy(array))  # the array's own memory

    def run(self) -> None:
        """Read the inputs and write the outputs.

        Raises:
            InvalidBundle: the graph fails.
        """
        try:
            self._session.run_with_iobinding(self._binding)
        except REFUSALS as error:
            raise InvalidBundle(f"The model's graph {self._name} fails: {first_line(error)}.") from error


def require_numbers(*arrays: NDArray[Any]) -> None:
    """Refuse what a graph gave if it is not all finite numbers.

    Raises:
        InvalidBundle: it is not.
    """
    if not all(np.isfinite(array).all() for array in arrays):
        raise InvalidBundle(
            "The model gives values that are not numbers, as after a training that went wrong: "
            "train it again with a smaller learning rate, or fetch the bundle afresh."
        )


def first_line(error: BaseException) -> str:
    """What an error says, in a line."""
    text = f"{error}".strip().splitlines()
    return f"{type(error).__name__}: {text[0].rstrip('.')}"[:300] if text else type(error).__name__


def _session(graph: bytes, threads: int) -> ort.InferenceSession:
    _bound_memory()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.use_deterministic_compute = True
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", NOWHERE)
    quietly = {"enable_fallback": 0, "read_config_from_model": 0}  # it would print, and try once more
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"], **quietly)


@functools.cache
def _bound_memory() -> None:
    """Give all graphs of this process one allocator that is bounded, and silence onnxruntime's own log."""
    ort.set_default_logger_severity(4)
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    with contextlib.suppress(*REFUSALS):  # someone else's allocator is in place already: theirs to bound
        ort.create_and_register_allocator(memory, ort.OrtArenaCfg({"max_mem": MEMORY, "arena_extend_strategy": 1}))
