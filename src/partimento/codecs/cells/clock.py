"""Where a bar lies in steps and in seconds, and the tempi within it."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from partimento.codecs.cells.fields import STEPS, tempi
from partimento.metres import METRES, Metre
from partimento.score import DEFAULT_QPM

LENGTHS = np.array([metre.bar(STEPS) for metre in METRES])  # steps
COMMON = METRES.index(Metre(4, 4))


@functools.cache
def paces() -> NDArray[np.float64]:
    """(TEMPI,) seconds a step."""
    return 60.0 / (tempi() * STEPS)


@dataclasses.dataclass(frozen=True)
class Clock:
    """A bar, as far as it is known; before the first one of no length.

    Attributes:
        bar: step at which it begins.
        next: step at which the next one does.
        metre: its index in `METRES`.
        seconds: at which it begins.
        changes: of tempo in it: steps from its beginning, the first 0, and seconds a step.
        level: of the tempo that holds now; -1 where none was told.
    """

    bar: int = 0
    next: int = 0
    metre: int = COMMON
    seconds: float = 0.0
    changes: tuple[tuple[int, float], ...] = ((0, 60.0 / (DEFAULT_QPM * STEPS)),)
    level: int = -1

    @property
    def steps(self) -> int:
        """How long the bar is."""
        return self.next - self.bar

    @property
    def pace(self) -> float:
        """Seconds a step, now."""
        return self.changes[-1][1]

    def entered(self, metre: int, level: int) -> Clock:
        """The bar after this one; at the same tempo where its level is -1."""
        changes = ((0, self.pace if level < 0 else float(paces()[level])),)
        level = self.level if level < 0 else level
        return Clock(self.next, self.next + int(LENGTHS[metre]), metre, self.at(self.steps), changes, level)

    def changed(self, step: int, level: int) -> Clock:
        """This bar, with another tempo from a step on."""
        changes = (*(change for change in self.changes if change[0] < step), (step, float(paces()[level])))
        return dataclasses.replace(self, changes=changes, level=level)

    def at(self, step: int) -> float:
        """Seconds at a step of this bar, or after it if the tempo stays."""
        total = self.seconds
        for (start, pace), stop in zip(self.changes, [*(c[0] for c in self.changes[1:]), step], strict=True):
            total += max(min(stop, step) - start, 0) * pace
        return total

    def latest(self, seconds: float) -> float:
        """The last step of this bar, or after it if the tempo stays, that is not later."""
        left = seconds - self.seconds
        for (start, pace), stop in zip(self.changes, [*(c[0] for c in self.changes[1:]), np.inf], strict=True):
            if left <= (stop - start) * pace:
                return float(np.floor(start + left / pace + 1e-6))
            left -= (stop - start) * pace
        return np.inf
