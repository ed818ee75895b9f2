"""Random grids for tests of models of grids."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from partimento.model import Batch


def grids(*shape: int, seed: int = 0, share: float = 0.4) -> Tensor:
    """(B, T, C, P) of silent, held and struck cells."""
    rng = np.random.default_rng(seed)
    x = (rng.random(shape) < share).astype(np.float32)
    if shape[2] == 2:
        x[:, :, 0] *= x[:, :, 1]
    return torch.from_numpy(x)


def batch_of(x: Tensor, begin: list[int] | None = None) -> Batch:
    """Windows whose every frame is predicted, each beginning its piece if not said otherwise."""
    return Batch(x, torch.ones(x.shape[:2], dtype=torch.bool), None if begin is None else torch.tensor(begin))
