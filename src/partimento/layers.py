"""What models share: how ids or a frame's cells are foretold, how recurrent cells begin, weights as arrays (torch).

A cell of a `RollSpec` with one plane sounds or is silent. With two planes (onset and sustain, see `codecs.roll`) it is
silent, held or struck: whether it sounds is decided first, and whether it is struck only where it sounds, as in Johnson
2015 ("Composing music with recurrent neural networks"), where the articulation of a silent note is masked. So a model
gives as many logits a cell as there are planes, in the planes' order, and every state of a cell has one probability.
Leaves out: loudness, a third plane, which is no binary choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from partimento.codec import RollSpec
from partimento.codecs.roll import ONSET, SUSTAIN
from partimento.errors import InvalidBundle, InvalidSettings
from partimento.model import Batch

ROOM = 1 << 22  # logits of ids that are computed at once


def require_cells(spec: object, model: str) -> RollSpec:
    """The spec, if it is one of binary cells.

    Raises:
        InvalidSettings: it is of ids, or has a plane of loudness.
    """
    if not isinstance(spec, RollSpec):
        raise InvalidSettings(
            f"The model {model!r} learns grids, and this codec gives {type(spec).__name__}: --set codec.name=roll."
        )
    if spec.channels > 2:
        raise InvalidSettings(f"The model {model!r} does not know loudness: --set codec.velocity=false.")
    return spec


def foretold(logits: Tensor, batch: Batch) -> dict[str, Tensor]:
    """What a model of ids learns by.

    Args:
        logits: (N, V) of all that is predicted, in the order of `batch.x[:, 1:]`.
        batch: what that is, and how much each counts.

    Returns:
        "loss", the (weighted) mean of nats, and "accuracy", the share of ids that were the likeliest.
    """
    asked = batch.mask[:, 1:]
    target = batch.x[:, 1:][asked]
    right = likeliest(logits.detach(), target).float().mean()
    if batch.weight is None:
        return {"loss": functional.cross_entropy(logits.float(), target), "accuracy": right}
    weight = batch.weight[:, 1:][asked]
    nats = functional.cross_entropy(logits.float(), target, reduction="none")
    return {"loss": (weight * nats).sum() / weight.sum(), "accuracy": right}


def likeliest(logits: Tensor, target: Tensor) -> Tensor:
    """(N,) whether no id was likelier than the right one, for logits (N, V); several times as quick as `argmax`."""
    return logits.gather(-1, target[:, None])[:, 0] >= logits.amax(-1)


def judged(
    weight: Tensor, bias: Tensor, h: Tensor, target: Tensor, beside: Callable[[slice], Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """How well ids are foretold, few logits at once.

    Args:
        weight: (V, H) of the layer that gives the logits.
        bias: (V,) of it.
        h: (N, H) what it reads them from.
        target: (N,) the right ids.
        beside: what is added to the logits (R, V) of some of the N, if anything is.

    Returns:
        (N,) log probabilities, and (N,) whether each was the likeliest.
    """
    rows = max(1, ROOM // len(weight))
    nats, hits = [], []
    for first in range(0, len(h), rows):
        part = slice(first, first + rows)
        logits, ids = functional.linear(h[part], weight, bias).float(), target[part]
        if beside is not None:
            logits = logits + beside(part).float()
        nats.append(-functional.cross_entropy(logits, ids, reduction="none"))
        hits.append(likeliest(logits, ids))
    return torch.cat(nats), torch.cat(hits)


def cell_log_probability(logits: Tensor, x: Tensor) -> Tensor:
    """Log probability of each cell.

    Args:
        logits: (..., C, P) of each plane: that the cell sounds and, with two planes, that it is struck if it sounds.
        x: (..., C, P) grids of 0 and 1.

    Returns:
        (..., P) nats.
    """
    logits = logits.float()
    if x.shape[-2] == 1:
        return -functional.binary_cross_entropy_with_logits(logits, x, reduction="none")[..., 0, :]
    sounds, struck = x[..., SUSTAIN, :], x[..., ONSET, :]
    silent_or_not = functional.binary_cross_entropy_with_logits(logits[..., SUSTAIN, :], sounds, reduction="none")
    held_or_struck = functional.binary_cross_entropy_with_logits(logits[..., ONSET, :], struck, reduction="none")
    return -(silent_or_not + sounds * held_or_struck)


def start_cell(cell: nn.RNNBase) -> None:
    """Recurrent weights orthogonal (Saxe et al. 2014); an LSTM at first forgets little (Jozefowicz et al. 2015)."""
    size = cell.hidden_size
    with torch.no_grad():
        weights = dict(cell.named_parameters())
        for block in torch.split(weights["weight_hh_l0"], size):
            nn.init.orthogonal_(block)
        if isinstance(cell, nn.LSTM):
            weights["bias_ih_l0"][size : 2 * size] = 1.0
            weights["bias_hh_l0"][size : 2 * size] = 0.0


def arrays_of(module: nn.Module) -> dict[str, NDArray[Any]]:
    """Every parameter and lasting buffer of a module by name; what `Model.arrays` gives of most networks."""
    return {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}


def load_into(module: nn.Module, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Take back what `arrays_of` gave.

    Raises:
        InvalidBundle: they are the weights of another network.
    """
    try:
        module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
    except RuntimeError as error:
        raise InvalidBundle("These weights do not belong to the network that the settings describe.") from error
