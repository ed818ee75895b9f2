"""Sampling: from logits to the next id, and the loop that makes whole pieces of it; numpy alone."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from partimento.settings import settings


@settings
class Sampling:
    """How the next id is drawn from the model's distribution."""

    temperature: float = 1.0
    """Above 1 bolder, below 1 safer; 0 always takes the likeliest."""
    top_k: int = 0
    """Draw from this many likeliest ids only; 0 for no limit."""
    top_p: float = 1.0
    """Draw from the likeliest ids that together have this probability (Holtzman et al. 2020)."""
    min_p: float = 0.0
    """Leave out ids less likely than this share of the likeliest (Nguyen et al. 2024)."""


class Stepper(Protocol):
    """A model that gives, step by step, the distribution of the next id; what `step` and `counts` players are."""

    def start(self, batch: int) -> Any:
        """The state before the first id, for `batch` pieces side by side."""

    def step(self, ids: NDArray[np.int64], state: Any) -> tuple[NDArray[np.float32], Any]:
        """Take one id for each piece, (B,), and give the logits of the next, (B, V), and the state after it."""
