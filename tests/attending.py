"""What tests of models that attend share: a lively network, what torch says of ids, and what a player does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from partimento.model import Batch
from partimento.training.loop import seeded


def lively(kind: Any, spec: Any, **settings: Any) -> Any:
    """A small network whose parts all have something to say."""
    with seeded(0):
        made = kind(kind.Settings(layers=2, width=24, heads=3, dropout=0.0, **settings), spec)
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return made.eval()


def likelihoods(model: Any, x: NDArray[np.int64], begin: int = 0) -> NDArray[np.float32]:
    """(B, T-1) nats of x[:, 1:] by torch, in one pass."""
    mask = torch.ones(x.shape, dtype=torch.bool)
    with torch.no_grad():
        nats: NDArray[np.float32] = model.predict(Batch(torch.from_numpy(x), mask, torch.full((len(x),), begin)))[
            0
        ].numpy()
    return nats


def played(player: Any, x: NDArray[np.int64]) -> NDArray[np.float32]:
    """The same by a player, id by id."""
    return np.stack(list(_steps(player, x)), 1)


def _steps(player: Any, x: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    state = player.start(len(x))
    for at in range(x.shape[1] - 1):
        logits, state = player.step(x[:, at], state)
        yield logits[np.arange(len(x)), x[:, at + 1]] - np.logaddexp.reduce(logits, axis=1)


def narrowed(player: Any, x: NDArray[np.int64], at: int, rows: NDArray[np.int64]) -> tuple[Any, Any]:
    """The last logits of some rows, played beside all the others, and alone from `at` on."""
    whole, fewer = player.start(len(x)), player.start(len(x))
    for step in range(x.shape[1]):
        if step == at:
            fewer = player.narrow(fewer, rows)
        logits, whole = player.step(x[:, step], whole)
        some, fewer = player.step(x[:, step] if step < at else x[rows, step], fewer)
    return logits[rows], some
