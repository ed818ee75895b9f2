"""Copying: pieces that go on too long with music that was learnt from are written again from where they began to.

A model that knows its music by heart follows a passage of it bar after bar. Once a piece is written, its new music is
held against the index of what was learnt from (`evaluation.originality`: pitch order, in any key, any rhythm); where a
passage is longer than allowed, the piece keeps what comes before the passage's later part, and is written anew from
there, drawn otherwise, each time keeping a bar less. This is rejection as in Markov chains of bounded plagiarism
(Papadopoulos, Roy and Pachet 2014), bar by bar rather than by automaton, since nobody can list what a network may say.
Leaves out: a promise. What cannot be written otherwise in `requests.COPY_ATTEMPTS` attempts stays, and is said.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from partimento.errors import ImpossibleRequest
from partimento.evaluation.originality import Passage, TrainingIndex
from partimento.score import Score

__all__ = ["CopyLimit"]


@dataclass(frozen=True, eq=False)
class CopyLimit:
    """How long new music may go on as music does that was learnt from.

    Attributes:
        index: of that music.
        bars: the longest passage that may be shared, in bars.
    """

    index: TrainingIndex = field(repr=False)
    bars: float

    def __post_init__(self) -> None:
        if not self.bars > 0:
            raise ImpossibleRequest(f"The longest passage that may be copied has more than 0 bars, not {self.bars:g}.")

    def beyond(self, new: Score) -> Passage | None:
        """The longest passage that new music shares, where it is longer than allowed."""
        longest = self.index.judge(new).longest
        return longest if longest is not None and longest.bars > self.bars else None

    def kept_bars(self, passage: Passage, attempt: int) -> int:
        """How many bars of new music to keep at that attempt, from 1 on: half of what may be shared, then less."""
        return max(passage.at[0] - 1 + int(self.bars / 2) - (attempt - 1), 0)
