"""Bars: windows of whole bars, and which of them occur in other pieces.

A window is a number of successive bars of a piece's own metre, in each of which something begins. Two windows are the
same where the same pitches begin at the same places of bars of the same length, in any key or in the same one; pieces
that lie beside their beats are moved onto them first (`alignment`). What is heard, and how finely time is told, is as
in `events`. Of the indexed pieces one 64-bit hash and the piece's number are kept for each different window. Two
windows that differ have one hash with a probability of 2⁻⁶⁴, which no collection of music makes likely.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from partimento.alignment import on_beats
from partimento.passages.events import edges_beyond, grid_steps, heard
from partimento.passages.lines import mix
from partimento.score import Score, note_array

__all__ = ["WINDOWS", "WindowIndex", "windows"]

WINDOWS = (1, 2, 4)  # bars
KEYS = tuple(f"{'exact' if exact else 'any'}{bars}" for bars, exact in product(WINDOWS, (False, True)))

_EXACT, _LOW = np.uint64(1 << 43), np.uint64(1 << 42)
Hashes = dict[str, NDArray[np.uint64]]


def windows(score: Score) -> Hashes:
    """The hashes of a piece's windows, in order.

    Returns:
        By the number of bars, "any1", "any2", "any4" those in any key and "exact1", "exact2", "exact4" in their own;
        none where there are fewer bars, or none without a silent one among them.
    """
    score = on_beats(score)
    notes = heard(note_array(score))
    edges = grid_steps(edges_beyond(score), score.ticks_per_quarter)
    onset = grid_steps(notes["onset"], score.ticks_per_quarter)
    bar = np.searchsorted(edges, onset, side="right") - 1
    drums = notes["program"] < 0
    key = np.unique((bar * 65536 + np.minimum(onset - edges[bar], 65535)) * 512 + notes["pitch"] + 256 * drums)
    bar, pitch = key // (65536 * 512), key % 512
    first = np.flatnonzero(np.diff(bar, prepend=-1))
    low = np.where(pitch[first] < 256, np.minimum.reduceat(pitch, first), 0) if len(first) else first
    count = np.diff(first, append=len(key))
    place = key // 512 % 65536 * 512 + pitch - np.repeat(low, count)
    content = np.add.reduceat(mix(place.astype(np.uint64)), first) if len(first) else np.empty(0, dtype=np.uint64)
    bar = bar[first]
    content = mix(content + mix((edges[bar + 1] - edges[bar]).astype(np.uint64)))
    found = {}
    for bars in WINDOWS:
        begins = np.arange(max(len(bar) - bars + 1, 0))
        begins = begins[bar[begins + bars - 1] == bar[begins] + bars - 1]
        total = content[begins]
        for offset in range(1, bars):
            rise = (low[begins + offset] - low[begins]).astype(np.uint64)
            total = mix(total + mix(content[begins + offset] + mix(rise ^ _LOW)))
        found[f"any{bars}"] = total
        found[f"exact{bars}"] = mix(total + mix(low[begins].astype(np.uint64) ^ _EXACT))
    return found


class WindowIndex:
    """The windows of many pieces."""

    def __init__(self, parts: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over arrays that `arrays` gave."""
        self._parts = dict(parts)

    @classmethod
    def of(cls, pieces: Iterable[Hashes]) -> WindowIndex:
        """Index pieces by what `windows` gave of each."""
        found: dict[str, list[NDArray[np.uint64]]] = {key: [] for key in KEYS}
        for piece in pieces:
            for key in KEYS:
                found[key].append(np.unique(piece[key]))
        parts: dict[str, NDArray[np.generic]] = {}
        for key, each in found.items():
            owner = np.repeat(np.arange(len(each), dtype=np.int32), [len(one) for one in each])
            together = np.concatenate([np.empty(0, dtype=np.uint64), *each])
            order = np.argsort(together, kind="stable")
            parts[f"{key} hash"], parts[f"{key} piece"] = together[order], owner[order]
        return cls(parts)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What the index is made of, for a file; `WindowIndex(arrays)` is the index again."""
        return dict(self._parts)

    def share(self, piece: Hashes, bars: int, *, exact: bool = False, without: Sequence[int] = ()) -> float | None:
        """The share of a piece's windows that occur in the indexed pieces, 0 to 1; None where it has no window.

        Args:
            piece: what `windows` gave of it.
            bars: of a window, one of `WINDOWS`.
            exact: in the same key only; in any if False.
            without: the numbers of indexed pieces that do not count.
        """
        key = f"{'exact' if exact else 'any'}{bars}"
        hashes, owner = self._parts[f"{key} hash"], self._parts[f"{key} piece"]
        if not len(piece[key]):
            return None
        first = np.searchsorted(hashes, piece[key], side="left")
        beyond = np.searchsorted(hashes, piece[key], side="right")
        if len(without):
            counted = np.concatenate([[0], np.cumsum(~np.isin(owner, without))])  # pieces that count, up to each
            first, beyond = counted[first], counted[beyond]
        return float((beyond > first).mean())
