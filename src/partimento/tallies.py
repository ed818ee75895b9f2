"""Tallies: how often each id was told lately, and at the same place, which makes it the likelier that it is told again.

A piece keeps to what it has: its key, its note values, its loudness, what a part plays on the third beat. A network can
find that by attention, but has to learn to, and one that has learnt for minutes has not; counted, it is known from the
first bars on. It is a cache (Kuhn and De Mori 1990, "A cache-based natural language model for speech recognition"; for
networks Grave et al. 2017, "Improving neural language models with a continuous cache"): after groups x_1 … x_t the
tally of id k within a span s is

    c_t(k) = Σ_{j ≤ t} exp(-(t - j) / s) · [k in x_j]

and of ids that are alike (a pitch in every octave) it is counted as well that any of them was told. *By place* only
those groups are counted that were where the next one is: its first ids, which say when it is, are foretold by what
followed the last groups that were where this one is, and the others by the last groups that were when it is, all of the
same voice. So a place is what a state of the network is to Grave et al.: what has to be alike that the same may follow.
Where the last groups were alike, `returns` says what followed them and for how long they were; that is the count of its
ids then, in a row of its own, and in another they count as long as a return is followed at all.

What is foretold depends on log(1 + c), which the model weighs by all else that it knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partimento.codec import BEGINS, ENDS, LABEL, LEAVES, TELLS
from partimento.returns import Returns

MOST_SPANS = 8
MOST_PLACES = 2048  # of a piece that are remembered, those of the latest events
MOST_CONTEXTS = 4  # lengths that are tried where returns are looked for
LONGEST_CONTEXT = 64
WHEN = 2  # ids of a group, its first ones, that say when it is
ALIKE, THERE = -2, -1  # the last rows: for how many groups what returns was alike, and whether anything does
OF_RETURNS = 2  # rows
ONE = np.e - 1  # what counts so that log(1 + c) is 1

Counts = NDArray[np.float32]
Place = tuple[int, int, int]


@dataclass(frozen=True)
class Tallies:
    """What is counted: each id, and each kind of ids that are alike, in columns one beside the other.

    Attributes:
        ids: how many there are.
        spans: groups after which what was told counts a third (1/e) as much.
        kinds: (ids,) of which kind each id is, from 0; -1 for none. Empty where there are no kinds.
        place_span: the same of what was told at the same place; 0 where that is not counted.
        voices: (ids,) whether a group that begins with each id begins a voice, which its second id names (`BEGINS`),
            ends it (`ENDS`) or does neither (0); or names by a label what of the voice is told later (`LEAVES`), and
            begins to tell that (`TELLS`). Empty where there are no voices.
        whens: (ids,) whether each id may be among the first `WHEN` of a group, and nowhere else. Empty where nothing is
            counted by place and nothing that returns is looked for.
        counted: (ids,) whether that each id was told counts. Empty where that of all does.
        contexts: how many groups have to be alike that what followed is looked for; empty where it is not.

    Raises:
        ValueError: a span is not above 0, or something is not of these ids.
    """

    ids: int
    spans: tuple[float, ...]
    kinds: tuple[int, ...] = ()
    place_span: float = 0.0
    voices: tuple[int, ...] = ()
    whens: tuple[bool, ...] = ()
    counted: tuple[bool, ...] = ()
    contexts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("spans", "kinds", "voices", "whens", "counted", "contexts"):  # JSON has made lists of them
            object.__setattr__(self, name, tuple(getattr(self, name)))
        spans = [*self.spans, self.place_span or 1.0]
        fits = all(isinstance(span, int | float) and 0 < span < np.inf for span in spans)
        fits = fits and 0 < len(self.spans) <= MOST_SPANS
        for each in (self.kinds, self.voices, self.whens, self.counted):
            fits = fits and len(each) in (0, self.ids)
        fits = fits and all(type(kind) is int and -1 <= kind < self.ids for kind in self.kinds)
        fits = fits and all(voice in (BEGINS, ENDS, LEAVES, TELLS, 0) for voice in self.voices)
        fits = fits and all(type(whether) is bool for whether in (*self.whens, *self.counted))
        fits = fits and len(self.contexts) <= MOST_CONTEXTS
        fits = fits and all(type(length) is int and 0 < length <= LONGEST_CONTEXT for length in self.contexts)
        if not fits or bool(self.place_span or self.contexts) != bool(self.whens):
            raise ValueError(
                "tallies need spans, what is said of ids said of all or of none, and for places or returns which of "
                "them say when a group is"
            )

    @property
    def columns(self) -> int:
        """How many ids and kinds there are."""
        return self.ids + max(self.kinds, default=-1) + 1

    @property
    def rows(self) -> int:
        """How many tallies each of them has."""
        return len(self.spans) + bool(self.place_span) + self.returning

    @property
    def returning(self) -> int:
        """How many of them, the last, are of returns."""
        return OF_RETURNS if self.contexts else 0

    def of(self, before: NDArray[np.int64], groups: NDArray[np.int64], wanted: slice = slice(None)) -> Counts:
        """log(1 + c) of the ids of the wanted ones of groups (B, G, n), (B, W, rows, columns); see `Tally.over`."""
        return Tally(self, len(groups)).over(before, groups, wanted)


class Tally:
    """Goes through pieces side by side, each from its beginning or from anywhere, and counts.

    What stands beside the vocabulary is not counted, and an id counts once, however often a group has it.

    Args:
        tallies: what is counted.
        batch: how many pieces.
    """

    def __init__(self, tallies: Tallies, batch: int) -> None:
        keeps = np.exp(-1 / np.array(tallies.spans, dtype=np.float64))
        self._keeps = keeps.astype(np.float32)[:, None]
        self._counts = np.zeros((batch, len(keeps), tallies.columns + 1), dtype=np.float32)  # the last of nothing
        self._columns = _columns(tallies)
        self._rows = tallies.rows
        self._parts: list[list[_Places | _Returning]] = [_parts(tallies, self._columns) for _ in range(batch)]

    def hear(self, groups: NDArray[np.int64]) -> Counts:
        """Take note of a group of each piece, (B, n) ids.

        Returns:
            log(1 + c) of the next group's ids, (B, rows, columns); by place, of those that say when it is.
        """
        lately = self._lately(groups[:, None])[:, 0]
        found = self._blank(len(groups))
        found[:, : lately.shape[1]] = lately
        for parts, group, counts in zip(self._parts, groups.tolist(), found, strict=True):
            for part in parts:
                part.hear(group)
                part.following(counts)
        return _told(found)

    def placed(self, whens: NDArray[np.int64]) -> Counts:
        """log(1 + c) of the ids after those (B, `WHEN`) that say when the group is, (B, rows, columns).

        By place and of returns; else 0.
        """
        found = self._blank(len(whens))
        for parts, when, counts in zip(self._parts, whens.tolist(), found, strict=True):
            for part in parts:
                part.there(when, counts)
        return _told(found)

    def over(self, before: NDArray[np.int64], groups: NDArray[np.int64], wanted: slice = slice(None)) -> Counts:
        """Go through pieces.

        Args:
            before: (B, G, n) ids of the group before each.
            groups: (B, G, n) ids of those that are foretold; only when they are is looked at.
            wanted: which of the G.

        Returns:
            log(1 + c) of the ids of the wanted ones, (B, W, rows, columns).
        """
        lately = self._lately(before)[:, wanted]
        found = self._blank(*lately.shape[:2])
        found[:, :, : lately.shape[2]] = lately
        rows = {at: row for row, at in enumerate(range(groups.shape[1])[wanted])}
        for parts, heard, piece, told in zip(self._parts, before.tolist(), groups.tolist(), found, strict=True):
            for part in parts:
                for at, last in enumerate(heard):
                    part.hear(last)
                    if (row := rows.get(at)) is not None:
                        part.following(told[row])
                        part.there(piece[at][:WHEN], told[row])
        return _told(found)

    def narrow(self, rows: NDArray[np.int64]) -> None:
        """Go on with the pieces at `rows` alone."""
        self._counts = self._counts[rows]
        self._parts = [self._parts[row] for row in rows.tolist()]

    def _blank(self, *shape: int) -> Counts:
        """(…, rows, columns and one) of nothing."""
        return np.zeros((*shape, self._rows, self._counts.shape[2]), dtype=np.float32)

    def _lately(self, groups: NDArray[np.int64]) -> Counts:
        """Counts after each group of (B, G, n) ids, (B, G, spans, columns and one)."""
        batch, count = groups.shape[:2]
        lately = np.zeros((batch, count, *self._counts.shape[1:]), dtype=np.float32)
        columns = self._columns[groups].reshape(batch, count, 2 * groups.shape[2])
        lately[np.arange(batch)[:, None, None], np.arange(count)[:, None], :, columns] = 1
        for at in range(count):
            lately[:, at] += self._keeps * self._counts
            self._counts = lately[:, at]
        self._counts = self._counts.copy()
        return lately


def _told(counts: Counts) -> Counts:
    """log(1 + c) of (…, columns and one): by `log`, which is many times as quick as `log1p` and no worse here."""
    told: Counts = counts[..., :-1] + np.float32(1)
    return np.log(told, out=told)


def _columns(tallies: Tallies) -> NDArray[np.int64]:
    """(ids + 2, 2) the columns of each id and of its kind; that of nothing for what stands beside the vocabulary."""
    nothing = tallies.columns
    kinds = np.array(tallies.kinds or [-1] * tallies.ids)
    found = np.full((tallies.ids + 2, 2), nothing)
    found[:-2, 0] = np.where(np.array(tallies.counted or [True] * tallies.ids), np.arange(tallies.ids), nothing)
    found[:-2, 1] = np.where(kinds < 0, nothing, tallies.ids + kinds)
    return found


def _parts(tallies: Tallies, columns: NDArray[np.int64]) -> list[_Places | _Returning]:
    """What goes through one piece, group by group, each with rows of its own."""
    places: list[_Places | _Returning] = [_Places(tallies, columns)] if tallies.place_span else []
    return [*places, _Returning(tallies)] if tallies.contexts else places


class _Places:
    """What one piece has had at each place."""

    def __init__(self, tallies: Tallies, columns: NDArray[np.int64]) -> None:
        self._row = len(tallies.spans)
        self._keeps = float(np.exp(-1 / tallies.place_span))
        self._columns = columns
        self._whens = np.array([*tallies.whens, True, True])
        self._voices = [*(tallies.voices or [0] * tallies.ids), 0, 0]
        self._nothing = np.zeros(tallies.columns + 1, dtype=np.float32)
        self._after: dict[Place, tuple[Counts, int]] = {}  # by place counts, and the group by whose time they are
        self._at: dict[Place, tuple[Counts, int]] = {}
        self._voice, self._last, self._time = -1, (-1, -1, -1), 0

    def hear(self, group: list[int]) -> None:
        """Take note of a group (n,) of ids."""
        self._time += 1
        ids = np.array(group)
        when = self._whens[ids]
        self._add(self._after, self._last, ids[when])
        self._add(self._at, self._place(group), ids[~when])
        voice = self._voices[group[0]]
        if voice:
            self._voice = -1 if voice == ENDS else group[1]
        self._last = self._place(group)

    def following(self, counts: Counts) -> None:
        """Put into (rows, columns and one) what followed here."""
        counts[self._row] = self._read(self._after, self._last)

    def there(self, when: list[int], counts: Counts) -> None:
        """Add to it what was told when a group is that begins with these ids."""
        counts[self._row] += self._read(self._at, self._place(when))

    def _place(self, group: list[int]) -> Place:
        return self._voice, group[0], group[min(1, len(group) - 1)]

    def _add(self, counts: dict[Place, tuple[Counts, int]], place: Place, ids: NDArray[np.int64]) -> None:
        found = self._read(counts, place)
        found[self._columns[ids]] += 1
        counts.pop(place, None)  # so that the places are in the order of their latest events
        counts[place] = found, self._time
        if len(counts) > MOST_PLACES:
            del counts[next(iter(counts))]

    def _read(self, counts: dict[Place, tuple[Counts, int]], place: Place) -> Counts:
        """What is counted at a place by now, the caller's own."""
        known, time = counts.get(place, (self._nothing, self._time))
        return known * np.float32(self._keeps ** (self._time - time))


class _Returning:
    """What one piece would have if what it was told before returns."""

    def __init__(self, tallies: Tallies) -> None:
        beside = [True, True]  # the vocabulary
        self._counted = [*(tallies.counted or [True] * tallies.ids), *beside]
        self._whens = [*tallies.whens, *beside]
        self._voices = [*(tallies.voices or [0] * tallies.ids), 0, 0]
        self._returns = Returns(tallies.contexts)
        self._ids = tallies.ids

    def hear(self, group: list[int]) -> None:
        """Take note of a group (n,) of ids."""
        self._returns.hear(tuple(group), tuple(id for id in group if self._counted[id]))
        voice = self._voices[group[0]]
        if voice:
            self._returns.enter(-1 if voice == ENDS else group[1])
        if voice in (LEAVES, TELLS) and len(group) > LABEL:
            (self._returns.hide if voice == LEAVES else self._returns.answer)(group[LABEL])

    def following(self, counts: Counts) -> None:
        """Put into (rows, columns and one) what says when the next group is."""
        group, alike = self._returns.following()
        self._put(counts, [id for id in group if self._whens[id]], alike)

    def there(self, when: list[int], counts: Counts) -> None:
        """Add to it the ids after those that say when a group is, where it is then."""
        group, alike = self._returns.following()
        if list(group[: len(when)]) == when:
            self._put(counts, [id for id in group if not self._whens[id]], alike)

    def _put(self, counts: Counts, ids: list[int], alike: int) -> None:
        ids = [id for id in ids if id < self._ids]
        counts[ALIKE, ids], counts[THERE, ids] = alike, ONE
