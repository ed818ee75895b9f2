"""The loop guard: what keeps a model from saying the same thing for ever, and lets music repeat itself.

A loop is a passage of p ids that has come several times in a row, id for id (pitches, rhythm and dynamics alike), so
variation of any kind is no loop, nor is a form such as AABA or a refrain, whose returns are not all in a row. Music
does loop: a repeated note, a trill, an Alberti bass, an ostinato. What it may do is a setting, `loop_repeats` for
passages of any length and `loop_shortest` for short ones; `docs/bundle.md` says how seldom human music goes beyond.

For each period p up to `loop_longest` one counter says how many of the last ids equal the id p before them, so a
stretch of `counter + p` ids has period p; all counters advance in one vectorised step (no hashing, no search). When a
stretch goes beyond what is allowed, the guard first only warms the draw for one more period, which breaks the loop
where the model itself is least sure; if that does not, it forbids the id that would go on with it. A loop that comes
back soon is allowed half as much each time. Leaves out: loops longer than `loop_longest` (the longest length ends
those), and repetition that is transposed or varied.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from partimento.settings import settings


@settings
class Guards:
    """What keeps a piece from going wrong while it is sampled."""

    loop_repeats: int = 8
    """How often the same passage may come in a row, id for id; 0 turns the guard off."""
    loop_shortest: int = 64
    """Ids that a stretch of repetition may always last, however short the passage: a repeated note, a trill."""
    loop_longest: int = 256
    """The longest passage, in ids, that is watched for."""

    def __post_init__(self) -> None:
        if self.loop_repeats < 0 or self.loop_repeats == 1:
            raise ValueError("loop_repeats must be 2 or more, or 0 to turn the guard off")
        if self.loop_shortest < 2:
            raise ValueError("loop_shortest must be 2 or more")
        if not 1 <= self.loop_longest <= 4096:
            raise ValueError("loop_longest must be from 1 to 4096")


WARMER = 0.2  # how far above the temperature, and above 1, ids are drawn while a loop is on
SHORTEST = 8  # ids that any repetition may last, however often it came back


class LoopGuard:
    """Watches one piece; `advance` with each new id, `act` before each draw. Its memory does not grow.

    Attributes:
        acted: how many loops it has acted upon.
    """

    def __init__(self, guards: Guards) -> None:
        self.acted = 0
        self._on = guards.loop_repeats > 0
        self._repeats, self._shortest, longest = guards.loop_repeats, guards.loop_shortest, guards.loop_longest
        self._periods = np.arange(1, longest + 1)
        self._same = np.zeros(longest, dtype=np.int64)  # [p - 1]: how many of the last ids equal the id p before
        self._past = np.full(8 * longest, -1, dtype=np.int64)
        self._end = longest  # the last ids are _past[_end - longest : _end]
        self._level = 0  # how often a loop has come back of late
        self._quiet = 0  # ids since a loop was last on
        self._looping = 0  # ids for which the present loop has been on; 0 if there is none
        self._allowed = self._allowance()

    def advance(self, id: int) -> None:
        """Take note of the next id."""
        if not self._on:
            return
        longest = len(self._same)
        if self._end == len(self._past):
            self._past[:longest] = self._past[-longest:]
            self._end = longest
        self._same += 1
        self._same *= self._past[self._end - longest : self._end][::-1] == id
        self._past[self._end] = id
        self._end += 1
        if (self._same >= self._allowed).any():
            self.acted += not self._looping
            self._looping += 1
        elif self._looping:
            self._looping = self._quiet = 0
            self._level += 1
            self._allowed = self._allowance()
        elif self._level:
            self._quiet += 1
            if self._quiet > 2 * longest:
                self._level = 0
                self._allowed = self._allowance()

    def _allowance(self) -> NDArray[np.int64]:
        """[p - 1]: how far `_same` may go before the next repetition is one too many."""
        repeats = max(self._repeats >> self._level, 2)
        shortest = max(self._shortest >> self._level, min(self._shortest, SHORTEST))
        return np.maximum((repeats - 1) * self._periods, shortest - self._periods)

    def act(self, mask: NDArray[np.bool_], temperature: float) -> tuple[NDArray[np.bool_], float]:
        """What may come next, (V,), and how warmly to draw it, now that the guard has looked.

        The mask that is given stays as it is; a guard never leaves the sampler without a choice.
        """
        if not self._looping:
            return mask, temperature
        periods = self._periods[self._same >= self._allowed]
        warm = max(temperature, 1.0) + WARMER
        if self._looping <= periods[0]:
            return mask, warm
        return without(mask, self._past[self._end - periods]), warm


def without(mask: NDArray[np.bool_], ids: NDArray[np.int64] | int) -> NDArray[np.bool_]:
    """The mask without those ids; the mask as it was where nothing would be left."""
    result = mask.copy()
    result[ids] = False
    return result if result.any() else mask
