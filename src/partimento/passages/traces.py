"""Traces: what is kept of a piece to tell whether another is the same music or a near-copy of it.

The share of passages (`lines`) that two lines have in common, |A ∩ B| / |A ∪ B|, is estimated from sketches of fixed
size (MinHash: Broder 1997, "On the resemblance and containment of documents"), so memory does not grow with a piece's
length; pairs worth comparing are those whose sketches agree in a whole band (locality-sensitive hashing: Indyk and
Motwani 1998), so no piece is compared with every other.

Two pieces are the *same music* when the same notes come at the same beats (`Trace.music`), or when they have the same
notes in any timing and nearly all passages in common: a performance written at another resolution. They are
*near-copies* when a line of one shares half its passages with a line of the other, the lines being equally long.

Leaves out: ornaments and wrong notes within a passage (each costs the passages that it lies in, no more), inner
voices, and inversion or retrograde.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partimento.passages.lines import lines, passages
from partimento.score import NoteArray

__all__ = ["NEAR", "SKETCH", "Trace", "groups", "near_copies", "resemblance", "same_music", "sketch", "trace"]

NEAR = 1 / 3  # |A ∩ B| / |A ∪ B| of near-copies: half of A where A and B are equally long
SAME = 0.9  # and of pieces with the same notes that are the same music, the rest being rounding of onsets
BANDS, ROWS = 64, 2  # pairs at NEAR agree in some band with probability 1 - (1 - 1/9)⁶⁴ = 0.999
SKETCH = BANDS * ROWS
FINEST = 48  # steps of a beat to which onsets are rounded: triplets and 64th notes are exact
CROWD = 32  # in a larger bucket each is compared with this many neighbours only

_EMPTY = np.uint32(0xFFFFFFFF)
_FACTORS = np.random.default_rng(1997).integers(0, 2**64, size=(SKETCH, 1), dtype=np.uint64) | np.uint64(1)


@dataclass(frozen=True)
class Trace:
    """What is kept of a piece to recognise it by.

    Attributes:
        music: hash of which notes begin at which beats; equal for the same music in any key, file, order of tracks,
            instruments, tempo, dynamics, articulation or resolution that can express it.
        notes: hash of how often each pitch (in any key) is played, whenever.
        sketches: (L, SKETCH) uint32, a MinHash of the passages of each line; L is 0 (no notes), 1 or 2.
    """

    music: str
    notes: str
    sketches: NDArray[np.uint32]


def trace(notes: NoteArray, ticks_per_quarter: int) -> Trace:
    """Take down what a piece is recognised by.

    Args:
        notes: (N,) of dtype `NOTE`, sorted as `note_array` gives them.
        ticks_per_quarter: their unit of time.
    """
    drums = notes["program"] < 0
    lowest = int(notes["pitch"][~drums].min()) if not drums.all() else 0
    pitch = np.where(drums, notes["pitch"] + 256, notes["pitch"] - lowest).astype(np.int64)
    onset = notes["onset"] - (notes["onset"].min() if len(notes) else 0)
    beat = (onset * (2 * FINEST) + ticks_per_quarter) // (2 * ticks_per_quarter)
    found = [sketch(passages(line)) for line in lines(notes)]
    return Trace(
        music=_digest(np.unique(beat * 1024 + pitch)),
        notes=_digest(np.bincount(pitch, minlength=512)),
        sketches=np.array(found, dtype=np.uint32).reshape(len(found), SKETCH),
    )


def _digest(numbers: NDArray[np.int64]) -> str:
    return hashlib.blake2b(numbers.astype("<i8").tobytes(), digest_size=16).hexdigest()


def sketch(hashes: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """The MinHash sketch of a set of passages: (SKETCH,) the least value of each of so many random orders."""
    least = np.full(SKETCH, _EMPTY, dtype=np.uint32)
    distinct = np.unique(hashes)
    for start in range(0, len(distinct), 1024):
        order = (distinct[start : start + 1024] * _FACTORS) >> np.uint64(32)  # (SKETCH, ≤1024)
        least = np.minimum(least, order.min(axis=1).astype(np.uint32))
    return least


def resemblance(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> float:
    """The estimated share of passages in common, 0..1, between the most alike lines of two pieces.

    Args:
        one: (L, SKETCH) a trace's sketches.
        other: (M, SKETCH) another's.
    """
    if not len(one) or not len(other):
        return 0.0
    return float((one[:, None] == other[None]).mean(axis=2).max())


def same_music(one: Trace, other: Trace) -> bool:
    """Whether two pieces are one: the same notes at the same beats, in any key, or but for the rounding of onsets."""
    return one.music == other.music or (one.notes == other.notes and resemblance(one.sketches, other.sketches) >= SAME)


def near_copies(traces: Sequence[Trace], least: float = NEAR) -> list[tuple[int, int]]:
    """Find the pairs of pieces that share passages.

    Args:
        traces: of P pieces.
        least: the share of passages in common, |A ∩ B| / |A ∪ B|, from which a pair counts.

    Returns:
        Pairs (i, j), i < j, ascending. Of a crowd of more than CROWD pieces that agree, enough pairs to connect them.
    """
    counts = [len(t.sketches) for t in traces]
    if not sum(counts):
        return []
    owner = np.repeat(np.arange(len(traces)), counts)
    sketches = np.concatenate([t.sketches for t in traces])  # (R, SKETCH)
    pairs = _candidates(sketches)
    shared = np.concatenate(
        [(sketches[p // len(sketches)] == sketches[p % len(sketches)]).mean(axis=1) for p in _chunks(pairs)]
    )
    found = pairs[shared >= least]
    ends = np.sort(np.stack([owner[found // len(sketches)], owner[found % len(sketches)]], axis=1), axis=1)
    ends = np.unique(ends[ends[:, 0] != ends[:, 1]], axis=0)
    return [(i, j) for i, j in ends.tolist()]


def _chunks(pairs: NDArray[np.int64], size: int = 8192) -> list[NDArray[np.int64]]:
    return [pairs[start : start + size] for start in range(0, max(len(pairs), 1), size)]


def _candidates(sketches: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Pairs of the R rows that agree in a whole band, each as the number i * R + j with i < j."""
    rows = len(sketches)
    keys = np.ascontiguousarray(sketches).view(np.uint64)  # (R, BANDS): a band is two numbers of 32 bits
    found = np.empty(0, dtype=np.int64)
    for band in range(BANDS):
        order = np.argsort(keys[:, band], kind="stable")
        key = keys[order, band]
        parts = [found]
        for step in range(1, min(CROWD, rows - 1) + 1):
            near = np.nonzero(key[step:] == key[:-step])[0]
            if not len(near):
                break
            parts.append(order[near].astype(np.int64) * rows + order[near + step])  # stable: order[near] is the lesser
        found = np.unique(np.concatenate(parts))
    return found


def groups(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Gather pieces that are linked by pairs, directly or through others.

    Args:
        count: how many pieces there are.
        pairs: (i, j) with 0 <= i, j < count.

    Returns:
        For each piece the least number of a piece of its group.
    """
    parent = list(range(count))

    def root(piece: int) -> int:
        while parent[piece] != piece:
            parent[piece] = parent[parent[piece]]
            piece = parent[piece]
        return piece

    for i, j in pairs:
        low, high = sorted((root(i), root(j)))
        parent[high] = low
    return [root(piece) for piece in range(count)]
