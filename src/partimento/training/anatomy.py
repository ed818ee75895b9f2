"""Anatomy: the layers that a model is made of, in the order in which they are computed, with shapes and parameters.

What Keras prints as `model.summary()` (Chollet 2015), for any model here: a copy of it computes its loss on two small
batches of nothing in particular, and hooks note what each layer gives. An axis that grows with the batch is named by
how: B windows, T steps predicted in each. So no music is needed, and the model is left as it was. Leaves out: how the
layers are joined where they are no chain, and what a model computes outside of modules.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from partimento.codec import RollSpec, TokenSpec
from partimento.errors import PartimentoError
from partimento.frames import planes
from partimento.model import Batch, Learns, Model, Phrased

__all__ = ["layers_of"]

WINDOWS, STEPS = (3, 2), (7, 4)  # of the two batches; no ratio of theirs is another's
Axis: TypeAlias = int | str


def layers_of(model: Model) -> list[dict[str, Any]]:
    """The layers of a model, as plain values that JSON can hold.

    Args:
        model: is left as it is, in its weights, its mode and its place.

    Returns:
        For each layer in the order in which it is first computed: "name"; "kind", its class; "shape", what it gives,
        each axis a number or how it grows with the batch ("B", "T", "88BT", "?"), None where it is no module of its
        own; "parameters", how many numbers it learns (shared ones count where they come first); "arrays", the shape
        of each array by its name; and, where several sides train, "side". Of a model that counts, each array.

    Example:
        >>> from partimento.model import model_named
        >>> kind = model_named("lstm")
        >>> made = kind(kind.Settings(embedding=4, stack=("cell 8",)), TokenSpec(vocab_size=10, pad=0, bos=1, eos=2))
        >>> [(layer["name"], layer["kind"], layer["shape"], layer["parameters"]) for layer in layers_of(made)]
        [('embed', 'Embedding', ['B', 'T', 4], 40), ('stack.0', 'LSTM', ['B', 'T', 8], 448), ('head', 'Linear', ['BT', 10], 90)]
    """  # noqa: E501 - a doctest's output is one line
    if not isinstance(model, nn.Module):
        return [
            {"name": name, "kind": f"{array.dtype} array", "shape": None, "parameters": array.size}
            | {"arrays": {name: list(array.shape)}}
            for name, array in model.arrays().items()
        ]
    given, order = _computed(model)
    sides = _sides(model)
    seen: set[int] = set()
    layers = []
    for name, module in _layers(model):
        own = dict(module.named_parameters(recurse=False))
        layer: dict[str, Any] = {
            "name": name or model.name,
            "kind": type(module).__name__,
            "shape": given.get(name),
            "parameters": sum(p.numel() for p in own.values() if id(p) not in seen),
            "arrays": {n: list(tensor.shape) for n, tensor in _arrays(module).items()},
        }
        seen |= {id(parameter) for parameter in own.values()}
        layers.append(layer | ({"side": _side(name, sides)} if len(set(sides.values())) > 1 else {}))
    return sorted(layers, key=lambda layer: order.get(layer["name"], len(order)))


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every module that is made of no others, and every one that has arrays of its own beside them."""
    for name, module in model.named_modules():
        alone = not any(True for _ in module.children())
        if (alone or _arrays(module)) and not isinstance(module, nn.Identity):
            yield name, module


def _arrays(module: nn.Module) -> dict[str, Tensor]:
    """What a module keeps of its own: parameters, and the buffers that belong to the weights."""
    own: dict[str, Tensor] = dict(module.named_parameters(recurse=False))
    fleeting = module._non_persistent_buffers_set
    return own | {name: buffer for name, buffer in module.named_buffers(recurse=False) if name not in fleeting}


def _computed(model: nn.Module) -> tuple[dict[str, list[Axis]], dict[str, int]]:
    """What each layer gives, and when it is first computed, by its name; nothing where a loss cannot be computed."""
    shapes: list[dict[str, tuple[int, ...]]] = []
    with torch.random.fork_rng(devices=[]):
        for windows, steps in zip(WINDOWS, STEPS, strict=True):
            try:
                shapes.append(_shapes(copy.deepcopy(model), windows, steps))
            except (PartimentoError, RuntimeError, ValueError, IndexError, KeyError, TypeError):
                return {}, {}  # a model that takes no such batch: its arrays are known all the same
    first, second = shapes
    phrased = isinstance(model, Phrased)
    given = {n: _axes(shape, second[n], phrased) for n, shape in first.items() if len(shape) == len(second.get(n, ()))}
    return given, {name: number for number, name in enumerate(first)}


def _shapes(model: nn.Module, windows: int, steps: int) -> dict[str, tuple[int, ...]]:
    """What each layer gives at its first call, in the order of these calls."""
    found: dict[str, tuple[int, ...]] = {}

    def listen(name: str, module: nn.Module) -> None:
        def hear(_module: nn.Module, _taken: Any, given: Any) -> None:
            tensor = _first_tensor(given)
            if tensor is not None:
                found.setdefault(name, tuple(tensor.shape))

        module.register_forward_hook(hear)

    for name, module in _layers(model):
        listen(name, module)
    if not isinstance(model, Learns):
        return found
    model.eval()
    with torch.enable_grad():  # a critic's penalty is a gradient
        for side in model.sides():
            model.loss(_batch(model, windows, steps), side)
    return found


def _batch(model: Any, windows: int, steps: int) -> Batch:
    """A batch of the right shape; what is in it does not matter, so long as music could be it."""
    device = next(model.parameters()).device
    if isinstance(model.spec, TokenSpec):
        ids = np.arange(windows * (steps + 1)).reshape(windows, -1) % model.spec.vocab_size
        ids[:, 0] = model.spec.bos
        mask = np.ones(ids.shape, dtype=bool)
        mask[:, 0] = False
        return Batch(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))
    spec: RollSpec = model.spec
    steps = model.steps if isinstance(model, Phrased) else steps
    cells = np.arange(windows * steps * spec.channels * spec.pitches) % 5 == 0
    x = cells.reshape(windows, steps, spec.channels, spec.pitches).astype(np.float32)
    onset, sustain = planes(spec.channels) if spec.channels <= 2 else (None, 0)
    if onset is not None:
        x[:, :, onset] *= x[:, :, sustain]
    return Batch(torch.from_numpy(x).to(device), torch.ones(windows, steps, dtype=torch.bool, device=device))


def _first_tensor(value: Any) -> Tensor | None:
    if isinstance(value, Tensor):
        return value
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return next((found for part in parts if (found := _first_tensor(part)) is not None), None)


def _axes(first: tuple[int, ...], second: tuple[int, ...], phrased: bool) -> list[Axis]:
    steps = (1, 1) if phrased else STEPS
    return [_axis(one, two, steps) for one, two in zip(first, second, strict=True)]


def _axis(one: int, two: int, steps: tuple[int, int]) -> Axis:
    """How an axis grows, from its lengths in the two batches.

    Example:
        >>> _axis(512, 512, STEPS), _axis(3, 2, STEPS), _axis(88 * 3 * 7, 88 * 2 * 4, STEPS)
        (512, 'B', '88BT')
    """
    if one == two:
        return one
    (b1, b2), (t1, t2) = WINDOWS, steps
    for letters, unit1, unit2 in (("B", b1, b2), ("T", t1, t2), ("BT", b1 * t1, b2 * t2)):
        if one % unit1 == 0 and one // unit1 * unit2 == two:
            times = one // unit1
            return letters if times == 1 else f"{times}{letters}"
    return "?"


def _sides(model: nn.Module) -> dict[str, str]:
    """Which side trains each parameter, by the parameter's name."""
    if not isinstance(model, Learns):
        return {}
    owner = {id(parameter): side for side, parameters in model.sides().items() for parameter in parameters}
    return {name: owner[id(parameter)] for name, parameter in model.named_parameters() if id(parameter) in owner}


def _side(name: str, sides: Mapping[str, str]) -> str:
    """The side of a layer: that of its parameters, or of those nearest to it; "" where several share it."""
    parts = name.split(".") if name else []
    for length in range(len(parts), -1, -1):
        prefix = ".".join(parts[:length])
        near = {side for other, side in sides.items() if not prefix or other.startswith(f"{prefix}.")}
        if near:
            return near.pop() if len(near) == 1 else ""
    return ""
