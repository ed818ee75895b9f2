"""An index of passages: every stretch that a piece shares with any of thousands of others, in milliseconds.

Seed and extend, as sequence search has done it since BLAST (Altschul et al. 1990, "Basic local alignment search
tool"): the hash of every `SEED` successive events of the indexed pieces lies in one sorted array; those of the judged
piece are looked up by binary search, hits on one diagonal (the same distance between both places) are joined, and what
is joined is compared step by step and lengthened both ways as far as it goes. So a *run* is maximal, verified and
exact; wherever it has one seed that the index kept, it is found whole. Kept of a seed are its first `REPEATS` places in
a piece (an ostinato would fill the index), and looked at are `CROWD` places at most: what so many pieces have in common
is nobody's. Runs shorter than `SEED` events are not found: three notes in a row are in every piece.

Memory is 18 bytes for each event: a step, its gap, lowest pitch, number of notes and bar, a seed and its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partimento.passages.events import ENDS, Events
from partimento.passages.lines import mix

__all__ = ["CROWD", "REPEATS", "SEED", "PassageIndex", "Runs"]

SEED = 6  # events
REPEATS = 4  # places of a seed in one piece
CROWD = 256  # places of a seed in all

Ints = NDArray[np.int64]
_BASE = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Runs:
    """R passages that a piece shares with those of an index.

    Attributes:
        start: (R,) the first event in the judged piece.
        found: (R,) the first event in the index.
        length: (R,) events, at least `SEED`.
    """

    start: Ints
    found: Ints
    length: Ints

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, chosen: NDArray[np.bool_] | Ints) -> Runs:
        return Runs(self.start[chosen], self.found[chosen], self.length[chosen])


class PassageIndex:
    """The events of P pieces, one after another, and where each seed of them lies.

    Attributes:
        step, gap, low, notes: (N,) as in `Events`.
        bar: (N,) uint16 the bar in which an event begins, the first 1.
        first: (P + 1,) int64 where pieces begin, and N.
    """

    def __init__(self, parts: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over arrays that `arrays` gave."""
        self.step, self.gap, self.low, self.notes, self.bar = (parts[n] for n in ("step", "gap", "low", "notes", "bar"))
        self.first, self._seeds, self._places = parts["first"], parts["seeds"], parts["places"]

    @classmethod
    def of(cls, pieces: Iterable[Sequence[Events]]) -> PassageIndex:
        """Index pieces, each with the readings of one voice (none where it has not that voice)."""
        columns: dict[str, list[NDArray[np.generic]]] = {name: [] for name in ("step", "gap", "low", "notes", "bar")}
        sizes = [0]
        for readings in pieces:
            for reading in readings:
                for name in ("step", "gap", "low", "notes"):
                    columns[name].append(getattr(reading, name))
                columns["bar"].append(np.minimum(reading.place[:-1] + 1, 65535).astype(np.uint16))
            sizes.append(sum(len(reading) for reading in readings))
        kinds = {"step": np.uint32, "gap": np.int16, "low": np.uint8, "notes": np.uint8, "bar": np.uint16}
        parts = {name: np.concatenate([np.empty(0), *found]).astype(kinds[name]) for name, found in columns.items()}
        parts["first"] = np.cumsum(sizes, dtype=np.int64)
        seeds, places = _seeds(parts["step"])
        order = np.argsort(seeds, kind="stable")
        seeds, places = seeds[order], places[order]
        home = np.searchsorted(parts["first"], places, side="right")
        fresh = np.ones(len(seeds), dtype=bool)
        fresh[REPEATS:] = (seeds[REPEATS:] != seeds[:-REPEATS]) | (home[REPEATS:] != home[:-REPEATS])
        return cls({**parts, "seeds": seeds[fresh], "places": places[fresh].astype(np.int32)})

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What the index is made of, for a file; `PassageIndex(arrays)` is the index again."""
        names = ("step", "gap", "low", "notes", "bar", "first")
        return {name: getattr(self, name) for name in names} | {"seeds": self._seeds, "places": self._places}

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return sum(part.nbytes for part in self.arrays().values())

    def piece_of(self, place: Ints) -> Ints:
        """The numbers of the pieces that events of the index belong to."""
        return np.asarray(np.searchsorted(self.first, place, side="right") - 1)

    def runs(self, piece: Events, without: Sequence[int] = ()) -> Runs:
        """All passages of `SEED` events or more, in any key and rhythm, that a piece shares with the indexed ones.

        Args:
            piece: the judged one.
            without: the numbers of indexed pieces that do not count.
        """
        step = np.where(piece.step < ENDS, ENDS - 1, piece.step).astype(np.uint32)  # its end equals no other end
        seeds, starts = _seeds(piece.step)
        low = np.searchsorted(self._seeds, seeds, side="left")
        count = np.minimum(np.searchsorted(self._seeds, seeds, side="right") - low, CROWD)
        start = np.repeat(starts, count)
        within = np.arange(len(start)) - np.repeat(np.cumsum(count) - count, count)
        found = self._places[np.repeat(low, count) + within].astype(np.int64)
        true = np.ones(len(start), dtype=bool)
        for number in without:
            true &= (found < self.first[number]) | (found >= self.first[number + 1])
        for offset in range(SEED - 1):
            true &= step[start + offset] == self.step[found + offset]
        return self._lengthened(step, start[true], found[true])

    def _lengthened(self, step: NDArray[np.uint32], start: Ints, found: Ints) -> Runs:
        """Join seeds that lie on one diagonal one after another, and lengthen them both ways."""
        order = np.lexsort((start, found - start))
        start, found = start[order], found[order]
        begins = np.ones(len(start), dtype=bool)
        begins[1:] = (start[1:] != start[:-1] + 1) | (found[1:] != found[:-1] + 1)
        head = np.flatnonzero(begins)
        tail = np.append(head[1:], len(start))[: len(head)] - 1
        after, after_found = start[tail] + SEED - 1, found[tail] + SEED - 1  # the step that is to be compared next
        start, found = start[head], found[head]
        left = np.arange(len(start))
        while len(left):
            left = left[step[after[left]] == self.step[after_found[left]]]
            after[left] += 1
            after_found[left] += 1
        left = np.flatnonzero((start > 0) & (found > 0))
        while len(left):
            left = left[step[start[left] - 1] == self.step[found[left] - 1]]
            start[left] -= 1
            found[left] -= 1
            left = left[(start[left] > 0) & (found[left] > 0)]
        once = np.unique(np.stack([start, found], axis=1), axis=0, return_index=True)[1]
        return Runs(start[once], found[once], (after - start)[once] + 1)

    def in_rhythm(self, piece: Events, runs: Runs) -> Runs:
        """The longest passages within runs whose rhythm agrees as well; those of `SEED` events or more."""
        steps = runs.length - 1
        edge = np.cumsum(steps + 1)  # a place after each run's steps where nothing agrees
        within = np.arange(edge[-1] if len(edge) else 0) - np.repeat(edge - steps - 1, steps + 1)
        start, found = np.repeat(runs.start, steps + 1) + within, np.repeat(runs.found, steps + 1) + within
        agree = (within < np.repeat(steps, steps + 1)) & (piece.gap[start] == self.gap[found])
        change = np.flatnonzero(np.diff(agree, prepend=False))
        head, length = change[::2], change[1::2] - change[::2] + 1
        return Runs(start[head], found[head], length)[length >= SEED]

    def exact(self, piece: Events, runs: Runs) -> Runs:
        """Those of the runs that are in the same key as what they are found in."""
        return runs[piece.low[runs.start] == self.low[runs.found]]


def _seeds(step: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], Ints]:
    """The hashes of `SEED` successive events, and where they begin; none reaches over the end of a piece."""
    count = max(len(step) - SEED + 2, 0)
    total = np.zeros(count, dtype=np.uint64)
    whole = np.ones(count, dtype=bool)
    for offset in range(SEED - 1):
        part = step[offset : offset + count]
        total = total * _BASE + part
        whole &= part >= ENDS
    places = np.flatnonzero(whole)
    return (mix(total[places]) >> np.uint64(32)).astype(np.uint32), places
