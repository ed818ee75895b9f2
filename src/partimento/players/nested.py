"""The player of nested Transformers: one graph from group to group, and one from id to id within a group.

Reads three files of a folder and nothing else: `player.json`

    {"player": "nested", "vocab_size": V, "bos": b, "group": n, "inner": I, "ages": A, "places": true or false,
     "headings": [...], "timing": {...} or null, "tallies": {...} or null, "attention": {...}}

with `codec.TokenSpec.headings`, `timing.Timing` where positions know the time, `tallies.Tallies` where ids are counted
(bundles that came before them say nothing of them), and the tower of attention as
`caches.Attending` has it; `group.onnx`, run once a group, with the inputs `before` (B, n) int64, the group before (V
where the piece begins, V + 1 where nobody knows), `age` (B, n) int64, for how many groups, less one and A - 1 at most,
each of its ids has stood at its place, and, as far as `player.json` says, `headings` (B, depths × n) int64, the ids of
those that the group before stands under (V + 1 for none), and `place` (1,) int64, the group's number; with the output
`told` (B, I) float32, and with what `caches` keeps; and `id.onnx`, run once an id, with `told`, `before` and `age`,
`slot` (1,) int64, the id's place in its group, where a group has more than one, `chosen` (B, n) int64, the group so
far, and, as far as `player.json` says, `tallies` (B, rows, columns) float32, log(1 + c) of each; with the output
`logits` (B, V) float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from partimento.caches import Attending, Cache, Playing, described
from partimento.graphs import LARGEST_STATE, LARGEST_VOCABULARY, Bound, Graph
from partimento.settings import settings
from partimento.tallies import WHEN, Tallies, Tally
from partimento.timing import Timekeeper, Timing

Numbers = NDArray[np.float32]
MOST_DEPTHS = 8  # of headings


@settings
class Settings:
    """Nothing can be set."""


@dataclass(frozen=True)
class _Described:
    """What `player.json` says."""

    vocab_size: int
    bos: int
    group: int
    inner: int
    ages: int
    places: bool
    attention: Attending
    headings: tuple[int, ...] = ()
    timing: Timing | None = None
    tallies: Tallies | None = None

    @property
    def depths(self) -> int:
        """How deep headings go."""
        return max(self.headings, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "headings", tuple(self.headings))  # a list in the file
        if self.headings and (
            len(self.headings) != self.vocab_size
            or not all(type(depth) is int and 0 <= depth <= MOST_DEPTHS for depth in self.headings)
        ):
            raise ValueError("its headings are of other ids")
        if isinstance(self.timing, dict):
            object.__setattr__(self, "timing", Timing(**self.timing))
        if isinstance(self.tallies, dict):
            object.__setattr__(self, "tallies", Tallies(**self.tallies))
        if self.tallies is not None and self.tallies.ids != self.vocab_size:
            raise ValueError("its tallies are of other ids")
        if self.tallies is not None and self.tallies.rows * self.tallies.columns > LARGEST_STATE:
            raise ValueError("it asks for more memory than any model here needs")
        if self.timing is not None and not (
            len(self.timing.roles) == self.vocab_size and self.timing.mark < self.group > 1
        ):
            raise ValueError("its timing is of other ids")
        if (self.timing is None) == (self.attention.positions == "time"):
            raise ValueError("its timing and its positions do not belong together")
        if not all(type(size) is int and size > 0 for size in (self.vocab_size, self.group, self.inner, self.ages)):
            raise ValueError("a size is no whole number above 0")
        if type(self.bos) is not int or not 0 <= self.bos < self.vocab_size:
            raise ValueError("bos is no id")
        if self.vocab_size > LARGEST_VOCABULARY or max(self.group, self.inner) > LARGEST_STATE:
            raise ValueError("it asks for more memory than any model here needs")


class State:
    """What is kept of pieces side by side; steps change it."""

    def __init__(self, graphs: tuple[Graph, Graph], shape: _Described, batch: int) -> None:
        self._graphs = graphs
        self._shape = shape
        self._heard = False  # whether anything was
        self._depths = np.array([*shape.headings, 0, 0])
        self._keepers = [] if shape.timing is None else [Timekeeper(shape.timing) for _ in range(batch)]
        self._tally = None if shape.tallies is None else Tally(shape.tallies, batch)
        self._make_arrays(np.full((batch, shape.group), shape.vocab_size, np.int64))
        group = {name: self._arrays[name] for name in self._of_groups}
        self._cache = Cache(graphs[0], shape.attention, batch, group, {"told": self._arrays["told"]})

    def _make_arrays(self, before: NDArray[np.int64]) -> None:
        shape, batch = self._shape, len(before)
        self._arrays: dict[str, NDArray[Any]] = {
            "before": before,
            "age": np.zeros((batch, shape.group), np.int64),
            "chosen": np.zeros((batch, shape.group), np.int64),
            "slot": np.zeros(1, np.int64),
            "headings": np.full((batch, shape.depths * shape.group), shape.vocab_size + 1, np.int64),
            "place": np.zeros(1, np.int64),
            "told": np.zeros((batch, shape.inner), np.float32),
        }
        if shape.tallies is not None:
            self._arrays["tallies"] = np.zeros((batch, shape.tallies.rows, shape.tallies.columns), np.float32)
        self._logits = np.zeros((batch, shape.vocab_size), np.float32)
        there = {"before": True, "age": True, "headings": shape.depths > 0, "place": shape.places}
        self._of_groups = [name for name, taken in there.items() if taken]
        given = {"told", "slot", "before", "age", "tallies", *(("chosen",) if shape.group > 1 else ())}
        inputs = {name: array for name, array in self._arrays.items() if name in given}
        self._ids: Bound = self._graphs[1].bound(inputs, {"logits": self._logits})

    def step(self, ids: NDArray[np.int64]) -> Numbers:
        """Take ids (B,) and give the logits (B, V) of the next."""
        self._take(ids)
        self._ids.run()
        return self._logits.copy()

    def hear(self, ids: NDArray[np.int64]) -> None:
        """Take some ids for each piece, (B, T): one graph for each group, and none for each id."""
        for column in ids.T:
            self._take(column)

    def _take(self, ids: NDArray[np.int64]) -> None:
        arrays, shape = self._arrays, self._shape
        slot = arrays["slot"]
        if not self._heard:
            self._heard = True
            arrays["before"][:] = shape.vocab_size + (ids != shape.bos)[:, None]
            self._begin_group()
            return
        arrays["chosen"][:, slot[0]] = ids
        slot += 1
        if slot[0] == WHEN < shape.group and shape.tallies is not None and shape.tallies.whens:
            arrays["tallies"] += cast(Tally, self._tally).placed(arrays["chosen"][:, :WHEN])
        if slot[0] == shape.group:
            slot[:] = 0
            older = np.minimum(arrays["age"] + 1, shape.ages - 1)
            arrays["age"][:] = np.where(arrays["chosen"] == arrays["before"], older, 0)
            arrays["before"][:] = arrays["chosen"]
            self._begin_group()

    def _begin_group(self) -> None:
        self._arrays["place"][:] = self._cache.place
        if self._shape.depths:
            self._head()
        if self._tally is not None:
            self._arrays["tallies"][:] = self._tally.hear(self._arrays["before"])
        times = None
        if self._keepers:
            pairs = zip(self._keepers, self._arrays["before"].tolist(), strict=True)
            times = np.array([keeper.hear(group) for keeper, group in pairs])
        self._cache.step(times)

    def _head(self) -> None:
        """Take note of the headings that begin with the groups before."""
        before, group = self._arrays["before"], self._shape.group
        depth = self._depths[before[:, 0]]
        for row in np.flatnonzero(depth):
            first = (int(depth[row]) - 1) * group
            self._arrays["headings"][row, first : first + group] = before[row]
            self._arrays["headings"][row, first + group :] = self._shape.vocab_size + 1

    def narrow(self, rows: NDArray[np.int64]) -> None:
        """Go on with the pieces at `rows` alone."""
        old = self._arrays
        self._make_arrays(old["before"][rows])
        for name, array in self._arrays.items():
            array[:] = old[name] if name in ("slot", "place") else old[name][rows]
        self._keepers = [self._keepers[row] for row in rows.tolist()] if self._keepers else []
        if self._tally is not None:
            self._tally.narrow(rows)
        group = {name: self._arrays[name] for name in self._of_groups}
        self._cache.narrow(rows, group, {"told": self._arrays["told"]})


def open_player(folder: Path, settings: Settings | None = None, threads: int = 1) -> Playing[State]:  # noqa: ARG001
    """Open `player.json`, `group.onnx` and `id.onnx` of a bundle's `player` folder.

    Args:
        folder: holds the three files.
        settings: there are none.
        threads: for each step.

    Raises:
        InvalidBundle: a file is missing or is not what it should be; says which.
    """
    shape = described(folder / "player.json", "nested", _Described)
    groups: dict[str, tuple[str, tuple[int | None, ...]]] = dict.fromkeys(
        ("before", "age"), ("int64", (None, shape.group))
    )
    takes = {**groups, **shape.attention.takes}
    if shape.depths:
        takes["headings"] = ("int64", (None, shape.depths * shape.group))
    if shape.places:
        takes["place"] = ("int64", (1,))
    told: dict[str, tuple[str, tuple[int | None, ...]]] = {"told": ("float32", (None, shape.inner))}
    group = Graph(folder / "group.onnx", takes, {**told, **shape.attention.gives}, threads)
    takes = {**told, "slot": ("int64", (1,)), **groups}
    if shape.group > 1:
        takes["chosen"] = ("int64", (None, shape.group))
    if shape.tallies is not None:
        takes["tallies"] = ("float32", (None, shape.tallies.rows, shape.tallies.columns))
    ids = Graph(folder / "id.onnx", takes, {"logits": ("float32", (None, shape.vocab_size))}, threads)
    return Playing(lambda batch: State((group, ids), shape, batch))
