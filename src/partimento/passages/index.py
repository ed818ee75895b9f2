"""An index of passages: every stretch that a piece shares with any of thousands of others, in milliseconds.

Seed and extend, as sequence search has done it since BLAST (Altschul et al. 1990, "Basic local alignment search
tool"). A *seed* is as many successive events as hold `NOTES` notes, at least `EVENTS`: eight notes of a tune, four
chords. The hashes of all seeds of the indexed pieces lie in one sorted array; those of the judged piece are looked up
by binary search, hits on one diagonal (the same distance between both places) are joined, and what is joined is
compared step by step and lengthened both ways as far as it goes. So a *run* is maximal, verified and exact; every run
that is as long as a seed begins with one, and is found if any of its seeds was kept. Kept of a seed are its first
`REPEATS` places in a piece (an ostinato would fill the index), and looked at are `CROWD` places at most: what so many
pieces have in common is nobody's. What a piece says over and over is looked up `OFTEN` times, then every so many times.
So the time that a piece takes has a bound, be it all ostinato.

Memory is 18 bytes for each event: a step, its gap, lowest pitch, number of notes and bar, a seed and its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.passages.events import ENDS, Events
from partimento.passages.lines import LENGTH, mix

__all__ = ["CROWD", "EVENTS", "NOTES", "REPEATS", "PassageIndex", "Runs"]

EVENTS = 4  # of a seed, at least
NOTES = LENGTH  # of a seed, at least; with one note an event at the least, it has so many events at most
REPEATS = 4  # places of a seed in one piece
CROWD = 256  # places of a seed in all
OFTEN = 16  # places of a seed in a judged piece
CHIEF = 16  # pieces that are told apart where there are too many
LOOKED = 1_000_000  # events of all runs that are too many
BLOCK = 8  # steps compared at once, at first

Ints = NDArray[np.int64]
_BASE = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Runs:
    """R passages that a piece shares with those of an index.

    Attributes:
        start: (R,) the first event in the judged piece.
        found: (R,) the first event in the index.
        length: (R,) events, at least `EVENTS`.
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
        self.step: NDArray[Any]
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
        seeds, places, _ = _seeds(parts["step"], parts["notes"])
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
        """All passages as long as a seed or longer, in any key and rhythm, that a piece shares with the indexed ones.

        Args:
            piece: the judged one.
            without: the numbers of indexed pieces that do not count.
        """
        step = np.where(piece.step < ENDS, ENDS - 1, piece.step).astype(np.uint32)  # its end equals no other end
        seeds, starts, lengths = _seeds(piece.step, piece.notes)
        again = _rank(seeds)
        chosen = (again < OFTEN) | (again % OFTEN == 0)
        seeds, starts, lengths = seeds[chosen], starts[chosen], lengths[chosen]
        low = np.searchsorted(self._seeds, seeds, side="left")
        count = np.minimum(np.searchsorted(self._seeds, seeds, side="right") - low, CROWD)
        start, length = np.repeat(starts, count), np.repeat(lengths, count)
        within = np.arange(len(start)) - np.repeat(np.cumsum(count) - count, count)
        found = self._places[np.repeat(low, count) + within].astype(np.int64)
        true = np.ones(len(start), dtype=bool)
        for number in without:
            true &= (found < self.first[number]) | (found >= self.first[number + 1])
        for offset in range(NOTES - 1):
            at = np.minimum(offset, length - 2)
            true &= step[start + at] == self.step[np.minimum(found + at, len(self.step) - 1)]
        return self._lengthened(step, start[true], found[true], length[true])

    def _lengthened(self, step: NDArray[np.uint32], start: Ints, found: Ints, length: Ints) -> Runs:
        """Join seeds that lie on one diagonal one after another, and lengthen them both ways."""
        order = np.lexsort((start, found - start))
        start, found, length = start[order], found[order], length[order]
        begins = np.ones(len(start), dtype=bool)
        begins[1:] = (start[1:] != start[:-1] + 1) | (found[1:] != found[:-1] + 1)
        head = np.flatnonzero(begins)
        tail = np.append(head[1:], len(start))[: len(head)] - 1
        steps = start[tail] + length[tail] - 1 - start[head]
        start, found = start[head], found[head]
        steps += _agreeing(step, start + steps, self.step, found + steps, +1)
        back = _agreeing(step, start - 1, self.step, found - 1, -1)
        every = np.stack([start - back, found - back, steps + back + 1], axis=1)
        every = np.unique(every, axis=0)
        return Runs(every[:, 0], every[:, 1], every[:, 2])

    def chief(self, runs: Runs) -> Runs:
        """The runs; where they are too many to look at event by event, those of few pieces that begin at an event.

        Those are the longest run of a piece that begins there, of the `CHIEF` pieces with the longest; and if that is
        still too much, those that begin at every so many events.
        """
        if runs.length.sum() <= LOOKED:
            return runs
        owner = self.piece_of(runs.found)
        order = np.lexsort((-runs.length, owner, runs.start))
        first = np.ones(len(order), dtype=bool)
        first[1:] = (np.diff(runs.start[order]) != 0) | (np.diff(owner[order]) != 0)
        runs = runs[order[first]]
        runs = runs[np.lexsort((-runs.length, runs.start))]
        runs = runs[_rank(runs.start) < CHIEF]
        place = np.cumsum(np.diff(runs.start, prepend=-1) > 0)
        return runs[place % -(-int(runs.length.sum()) // LOOKED) == 0]

    def in_rhythm(self, piece: Events, runs: Runs) -> Runs:
        """The longest passages within runs whose rhythm agrees as well, if they are as long as a seed."""
        steps = runs.length - 1
        edge = np.cumsum(steps + 1)  # a place after each run's steps where nothing agrees
        within = np.arange(edge[-1] if len(edge) else 0) - np.repeat(edge - steps - 1, steps + 1)
        start, found = np.repeat(runs.start, steps + 1) + within, np.repeat(runs.found, steps + 1) + within
        agree = (within < np.repeat(steps, steps + 1)) & (piece.gap[start] == self.gap[found])
        change = np.flatnonzero(np.diff(agree, prepend=False))
        head, length = change[::2], change[1::2] - change[::2] + 1
        before = np.concatenate([[0], np.cumsum(piece.notes, dtype=np.int64)])
        long = (length >= EVENTS) & (before[start[head] + length] - before[start[head]] >= NOTES)
        return Runs(start[head], found[head], length)[long]

    def exact(self, piece: Events, runs: Runs) -> Runs:
        """Those of the runs that are in the same key as what they are found in."""
        return runs[piece.low[runs.start] == self.low[runs.found]]


def _rank(values: NDArray[np.integer[Any]]) -> Ints:
    """How many equal values come before each."""
    order = np.argsort(values, kind="stable")
    rank = np.empty(len(values), dtype=np.int64)
    rank[order] = np.arange(len(values)) - np.searchsorted(values[order], values[order])
    return rank


def _agreeing(one: NDArray[np.uint32], at: Ints, other: NDArray[np.uint32], there: Ints, way: int) -> Ints:
    """How many steps agree from some places of one sequence and of another on, forwards (way 1) or backwards (-1)."""
    count = np.zeros(len(at), dtype=np.int64)
    left, block = np.arange(len(at)), BLOCK
    while len(left):
        offset = way * np.arange(block)
        here, beyond = (at + way * count)[left, None] + offset, (there + way * count)[left, None] + offset
        agree = (here >= 0) & (here < len(one)) & (beyond >= 0) & (beyond < len(other))
        agree &= one[here.clip(0, len(one) - 1)] == other[beyond.clip(0, len(other) - 1)]
        whole = agree.all(axis=1)
        count[left] += np.where(whole, block, agree.argmin(axis=1))
        left = left[whole]
        block = max(BLOCK, min(2 * block, LOOKED // max(len(left), 1)))
    return count


def _seeds(step: NDArray[np.uint32], notes: NDArray[np.uint8]) -> tuple[NDArray[np.uint32], Ints, Ints]:
    """The hashes of all seeds, where they begin, and how many events they have; none reaches over a piece's end."""
    last = len(step)
    before = np.concatenate([[0], np.cumsum(notes, dtype=np.int64)])
    place = np.arange(last)
    length = np.maximum(np.searchsorted(before, before[:-1] + NOTES) - place, EVENTS)
    total = np.zeros(last, dtype=np.uint64)
    whole = place + length <= last
    for offset in range(NOTES - 1):
        within = offset < length - 1
        part = step[np.minimum(place + offset, last - 1)]
        total = np.where(within, mix(total + part), total)
        whole &= ~within | (part >= ENDS)
    kept = np.flatnonzero(whole)
    return (mix(total[kept]) >> np.uint64(32)).astype(np.uint32), kept, length[kept]
