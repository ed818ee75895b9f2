"""The player of models that go step by step: one ONNX graph, one id in, the logits of the next and a new state out.

Reads two files of a folder and nothing else: `player.json`

    {"player": "step", "vocab_size": V, "states": {NAME: {"shape": [...], "dtype": "float32"}, ...}}

and `step.onnx`, with the inputs `ids` (B,) int64 and each state NAME (B, *shape), and the outputs `logits` (B, V)
float32 and each `next_NAME` (B, *shape). A piece begins with every state 0. A state of a few kilobytes is passed by a
plain run: binding it in place was no faster (3×512 LSTM, one thread: 564 µs a step against 599).

A graph comes from a stranger as often as not, so what it may do is bounded: weights in other files are refused, and
all graphs of this process together get no more than `MEMORY` bytes.
"""

from __future__ import annotations

import contextlib
import functools
import json
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

_REFUSALS: tuple[type[Exception], ...] = (  # onnxruntime's exceptions have no common class of their own
    *(OSError, ValueError, RuntimeError, MemoryError),
    *(e for e in vars(ort_errors).values() if isinstance(e, type) and issubclass(e, Exception)),
)

State = dict[str, NDArray[Any]]


class Step:
    """Plays one exported step model; a `Stepper` whose batch can be narrowed."""

    def __init__(self, session: ort.InferenceSession, states: dict[str, tuple[tuple[int, ...], str]]) -> None:
        self._session = session
        self._states = states
        self._outputs = ["logits", *(f"next_{name}" for name in states)]

    def start(self, batch: int) -> State:
        """The state before the first id, for `batch` pieces side by side."""
        return {name: np.zeros((batch, *shape), dtype) for name, (shape, dtype) in self._states.items()}

    def step(self, ids: NDArray[np.int64], state: State) -> tuple[NDArray[np.float32], State]:
        """Take one id for each piece, (B,), and give the logits of the next, (B, V), and the state after it.

        Raises:
            InvalidBundle: the graph fails.
        """
        try:
            logits, *after = self._session.run(self._outputs, {"ids": ids, **state})
        except _REFUSALS as error:
            raise InvalidBundle(f"The model's graph player/step.onnx fails: {_first_line(error)}.") from error
        return logits, dict(zip(self._states, after, strict=True))

    def narrow(self, state: State, rows: NDArray[np.int64]) -> State:
        """The state of the pieces at `rows` alone."""
        return {name: value[rows] for name, value in state.items()}


def open_player(folder: Path, threads: int = 1) -> Step:
    """Open `player.json` and `step.onnx` of a bundle's `player` folder.

    Args:
        folder: holds the two files.
        threads: for each step. One is fastest for small models, and the same number gives the same music.

    Raises:
        InvalidBundle: a file is missing or is not what it should be; says which.
    """
    vocab_size, states = _described(folder / "player.json")
    ids, logits = ("tensor(int64)", ()), ("tensor(float)", (vocab_size,))
    of = {name: (DTYPES[dtype], shape) for name, (shape, dtype) in states.items()}
    after = {f"next_{name}": kind for name, kind in of.items()}
    try:
        session = _session((folder / "step.onnx").read_bytes(), threads)
        _check("takes", session.get_inputs(), {"ids": ids, **of})
        _check("gives", session.get_outputs(), {"logits": logits, **after})
    except _REFUSALS as error:
        raise InvalidBundle(f"player/step.onnx of this bundle cannot be opened: {_first_line(error)}.") from error
    return Step(session, states)


def _described(path: Path) -> tuple[int, dict[str, tuple[tuple[int, ...], str]]]:
    """The vocabulary's size and each state's shape and dtype, from `player.json`."""
    try:
        document = json.loads(path.read_bytes())
        vocab_size = document["vocab_size"]
        states = {name: (tuple(s["shape"]), s["dtype"]) for name, s in document["states"].items()}
        sizes = [vocab_size, *(size for shape, _ in states.values() for size in shape)]
        if document["player"] != "step" or not all(type(size) is int and size > 0 for size in sizes):
            raise ValueError("it does not describe a step player")
        if vocab_size > LARGEST_VOCABULARY or sum(np.prod(s, dtype=float) for s, _ in states.values()) > LARGEST_STATE:
            raise ValueError("it asks for more memory than any model here needs")
        if not {dtype for _, dtype in states.values()} <= DTYPES.keys():
            raise ValueError(f"a state is none of {', '.join(DTYPES)}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidBundle(f"player/player.json of this bundle cannot be used: {_first_line(error)}.") from error
    return vocab_size, states


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
    with contextlib.suppress(*_REFUSALS):  # someone else's allocator is in place already: theirs to bound
        ort.create_and_register_allocator(memory, ort.OrtArenaCfg({"max_mem": MEMORY, "arena_extend_strategy": 1}))


def _check(verb: str, found: list[Any], expected: dict[str, tuple[str, tuple[int, ...]]]) -> None:
    """Compare a graph's inputs or outputs with `player.json`; the first axis of each is the batch.

    Raises:
        InvalidBundle: they differ; says where.
    """
    for node in found:
        kind, shape = expected.get(node.name, (None, ()))
        sizes = [size if type(size) is int else None for size in node.shape]
        if (
            kind != node.type
            or len(sizes) != 1 + len(shape)
            or any(size not in (None, right) for size, right in zip(sizes, (None, *shape), strict=True))
        ):
            raise InvalidBundle(
                f"player/step.onnx {verb} {node.name} {node.type} {node.shape}, which player/player.json does not say."
            )
    missing = expected.keys() - {node.name for node in found}
    if missing:
        raise InvalidBundle(f"player/step.onnx of this bundle {verb} no {', '.join(sorted(missing))}.")


def _first_line(error: BaseException) -> str:
    text = f"{error}".strip().splitlines()
    return f"{type(error).__name__}: {text[0].rstrip('.')}"[:300] if text else type(error).__name__
