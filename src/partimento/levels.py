"""Levels: values that a representation can tell, and which of them is nearest to another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def nearest(levels: NDArray[np.float64] | NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The index of the level nearest to each value; of two as near, the upper.

    Args:
        levels: (L,) ascending.
        values: (N,) any order.

    Example:
        >>> nearest(np.array([10, 20, 40]), np.array([0, 15, 29, 99])).tolist()
        [0, 1, 1, 2]
    """
    middles = (levels[1:] + levels[:-1]) / 2
    return np.searchsorted(middles, values, side="right").astype(np.int64)
