"""A piece that was made: what is new in it, how long it is, and what is worth saying about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.heard import fresh_notes
from partimento.keys import signature_named
from partimento.score import KeySignature, Score, bar_lines, end_tick, excerpt, seconds_at


@dataclass(frozen=True, eq=False)
class Made:
    """One new piece.

    Attributes:
        index: its place in the request, from 0.
        score: the whole piece; what was prompted comes first.
        encoded: what is new as the codec has it: (T,) ids, or (T, C, P) frames.
        begins: the tick of `score` at which the new music begins; 0 without a prompt.
        begins_bar: the bar, counted from 1, in which it begins.
        notes: how many notes are new.
        seconds: how long the new music lasts.
        remarks: sentences about how it came to be: what guards did, what the prompt lost.
    """

    index: int
    score: Score
    encoded: NDArray[Any]
    begins: int
    begins_bar: int
    notes: int
    seconds: float
    remarks: tuple[str, ...]

    def new(self) -> Score:
        """The new music alone, beginning at tick 0."""
        return excerpt(self.score, self.begins, max(end_tick(self.score), self.begins + 1))

    @classmethod
    def of(cls, index: int, score: Score, before: Score, encoded: NDArray[Any], remarks: Iterable[str]) -> Made:
        """A piece from its whole score and the score of what was prompted (without notes where nothing was)."""
        begins, notes = new_notes(score, before)
        seconds = np.diff(seconds_at(score, np.array([begins, max(end_tick(score), begins)])))[0]
        return cls(
            index=index,
            score=score,
            encoded=encoded,
            begins=begins,
            begins_bar=int(np.searchsorted(bar_lines(score, begins + 1), begins, side="right")),
            notes=notes,
            seconds=float(seconds),
            remarks=tuple(remarks),
        )


def with_signature(score: Score, key: str | None) -> Score:
    """The score, which names no key, with the signature of the one that was asked for, where a staff has it."""
    signature = None if key is None else signature_named(key)
    if signature is None or len(score.key_signatures):
        return score
    named = score.copy()
    named.key_signatures.append(KeySignature(0, *signature))
    return named


def new_notes(score: Score, before: Score) -> tuple[int, int]:
    """Where the notes that `before` does not have begin, in ticks, and how many they are."""
    if not before.note_num():
        return 0, score.note_num()
    new = fresh_notes(score, before)
    return int(new["onset"][0]) if len(new) else end_tick(before), len(new)


def guards_acted(acted: Counter[str]) -> list[str]:
    """A sentence for each guard that acted."""
    counts = ((guard, "once" if times == 1 else f"{times} times") for guard, times in sorted(acted.items()) if times)
    return [f"The {guard} guard acted {times}." for guard, times in counts]
