"""Standings: what a comparison has come to so far, and the tables that say so.

Bits a note stand in one column for each way of writing music down, and never two ways in one; what is only a bound is
marked, and what has no likelihood has a dash. A distance is a number of standard deviations of people's pieces (see
`evaluation.distances`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from partimento.comparing.people import HELD_OUT, NOISE, OTHERS, SHUFFLED, People
from partimento.comparing.trials import Figures, Result
from partimento.evaluation.distances import Nearness, nearness
from partimento.evaluation.features import FEATURES
from partimento.render.listening import Cell, Strong, Table

__all__ = ["Comparison", "Row", "Terms", "counted"]

BASELINE = "Markov baseline, test, bits per note"
NEARER = {"nearer than noise": (NOISE,), "than shuffled bars": (SHUFFLED,), "than both": (NOISE, SHUFFLED)}
NOTHING = 1e-9  # what distances and differences are 0 within


@dataclass(frozen=True)
class Terms:
    """On what all systems are compared alike.

    Attributes:
        minutes: that each may train.
        sample: learn from a random subset of this many pieces; all if None.
        seed: of the sample, of training and of composing.
        bars: of each piece that is composed, and of each excerpt of people's.
        pieces: that each composes.
        sound: the sounds' format, or "none".
    """

    minutes: float = 3.0
    sample: int | None = None
    seed: int = 0
    bars: int = 16
    pieces: int = 16
    sound: str = "mp3"


@dataclass(frozen=True)
class Row:
    """What became of one system.

    Attributes:
        name: the system's.
        place: the name of its folder.
        about: what it is, in a sentence.
        result: what it came to; None where it failed.
        why: why it failed.
    """

    name: str
    place: str
    about: str
    result: Result | None
    why: str = ""

    def sentence(self) -> str:
        """What it came to, in short."""
        if self.result is None:
            return f"failed. {self.why}"
        if self.result.bits is None:
            return "finished; it has no likelihood."
        return f"finished; {_bits(self.result)} bits a note ({self.result.likelihood}, {self.result.codec})."


@dataclass(frozen=True, eq=False)
class Comparison:
    """A comparison as far as it has come.

    Attributes:
        folder: where it lies.
        terms: on which all are compared.
        corpus: name, digest, and pieces and notes by split.
        people: what the systems are set beside.
        total: how many systems there are to compare.
        rows: what became of them so far.
    """

    folder: Path
    terms: Terms
    corpus: Mapping[str, Any]
    people: People
    total: int
    rows: tuple[Row, ...] = ()

    @cached_property
    def finished(self) -> list[tuple[Row, Result]]:
        """The systems that came to something."""
        return [(row, row.result) for row in self.rows if row.result is not None]

    @cached_property
    def labels(self) -> dict[str, str]:
        """A name for each way of writing music down, by `Result.written`; all differ."""
        results = {result.written: result for _, result in self.finished}
        shared: dict[str, dict[str, Any]] = {}
        for _, result in self.finished:  # ids may be numbered otherwise, and still mean the same
            settings = shared.setdefault(result.written, result.codec_settings)
            shared[result.written] = {k: v for k, v in settings.items() if result.codec_settings.get(k) == v}
        named = {w: ", ".join([results[w].codec, *map(_setting, s, s.values())]) for w, s in shared.items()}
        sized = {w: f", {r.vocabulary:,} ids" if r.vocabulary else "" for w, r in results.items()}
        counted = {w: f" ({number})" for number, w in enumerate(results, start=1)}
        for addition in (sized, counted):
            labels = Counter(named.values())
            named = {w: label + addition[w] if labels[label] > 1 else label for w, label in named.items()}
        return named

    def near(self, figures: Figures) -> dict[str, Nearness]:
        """How near a set lies to the held-out pieces, by feature; without what an earlier version did not measure."""
        made = {name: np.array(column, dtype=np.float64) for name, column in figures.items()}
        return nearness(made, self.people.like)

    def telling(self, *than: str) -> list[str]:
        """The features on which a set can lie nearer to people than each of the named yardsticks.

        Not those on which a yardstick lies at 0 or has no figure, nor those of which people's pieces have one and the
        same figure.
        """
        yards = [self.people.yardsticks[name] for name in than]
        return [
            name
            for name in yards[0]
            if all(yard[name].distance > NOTHING for yard in yards)
            and np.nanmax(self.people.like[name]) - np.nanmin(self.people.like[name]) > NOTHING
        ]

    def nearer(self, near: Mapping[str, Nearness], *than: str) -> list[str]:
        """The telling features on which a set lies nearer to people than each of the named yardsticks does."""
        yards = [self.people.yardsticks[name] for name in than]
        telling = [name for name in self.telling(*than) if name in near]
        return [name for name in telling if all(near[name].distance < yard[name].distance for yard in yards)]

    def counts(self, near: Mapping[str, Nearness], own: str = "") -> list[Cell]:
        """On how many of the telling features a set lies nearer than noise, than shuffled bars, than both.

        Args:
            near: how near the set lies.
            own: the yardstick that the set is; empty if it is none.
        """
        cells: list[Cell] = []
        for than in NEARER.values():
            telling = [name for name in self.telling(*than) if name in near]
            cells.append(None if own in than else f"{len(self.nearer(near, *than))} of {len(telling)}")
        return cells

    def tables(self) -> list[Table]:
        """All tables, in the order in which they are read."""
        made = [self.systems(), self.bits(), self.distances(), self.medians(), self.losses()]
        return [table for table in [*made, self.others(), self.failures(), self.remarks()] if table.rows]

    def systems(self) -> Table:
        """What each system is and took, and on how many features it is nearer to people than the yardsticks are."""
        heads = ["system", "codec", "likelihood", "parameters", "updates", "training s", "notes/s", *NEARER]
        nothing = [None] * (len(heads) - len(NEARER) - 1)
        yards = self.people.yardsticks
        rows: list[list[Cell]] = [[n, *nothing, *self.counts(yards[n], n)] for n in (OTHERS, NOISE, SHUFFLED)]
        for row, result in self.finished:
            facts = [result.parameters, result.updates, round(result.training_seconds), round(result.notes_a_second)]
            nearer = self.counts(self.near(result.features))
            rows.append([row.name, self.labels[result.written], result.likelihood, *facts, *nearer])
        rows += [[row.name, "failed", *[None] * (len(heads) - 2)] for row in self.rows if row.result is None]
        return Table(heads, rows, "The systems, and on how many features they lie nearer to people than yardsticks do")

    def bits(self) -> Table:
        """Bits a note of test pieces, in a column for each way of writing music down."""
        found = [(row, result) for row, result in self.finished if result.bits is not None]
        columns = [w for w in self.labels if any(result.written == w for _, result in found)]
        best = {w: min(r.bits or math.inf for _, r in found if r.written == w) for w in columns}
        rows: list[list[Cell]] = []
        for row, result in self.finished:
            cells: list[Cell] = [None] * len(columns)
            if result.bits is not None:
                at = columns.index(result.written)
                cells[at] = Strong(_bits(result)) if result.bits == best[result.written] else _bits(result)
            rows.append([row.name, result.likelihood, *cells])
        counted = [(r.written, r.scores[BASELINE]) for _, r in found if BASELINE in r.scores]
        if counted:  # of runs that transpose otherwise, the best
            least = [min((bits for w, bits in counted if w == written), default=None) for written in columns]
            rows.append(["Markov chain on the same ids", "exact", *[f"{b:.3f}" if b else None for b in least]])
        heads = ["system", "likelihood", *[self.labels[w] for w in columns]]
        return Table(
            heads, rows if columns else [], "Bits a note of the test pieces; fewer are better, within a column"
        )

    def distances(self) -> Table:
        """How far each set lies from the held-out pieces."""
        features = list(self.people.yardsticks[NOISE])
        sets = [(name, self.people.yardsticks[name]) for name in (OTHERS, NOISE, SHUFFLED)]
        once = {result.written: result for _, result in self.finished}
        sets += [(f"{HELD_OUT} through {self.labels[w]}", self.near(r.through)) for w, r in once.items()]
        rows: list[list[Cell]] = [[name, *[_known(_far(near, f)) for f in features]] for name, near in sets]
        for row, result in self.finished:
            near = self.near(result.features)
            nearer = self.nearer(near, NOISE, SHUFFLED)
            found = {f: _known(_far(near, f)) for f in features}
            rows.append([row.name, *[Strong(value) if f in nearer else value for f, value in found.items()]])
        caption = "Distance from the held-out pieces, in their standard deviations; bold: nearer than both yardsticks"
        return Table(["", *features], rows, caption)

    def medians(self) -> Table:
        """What each set's pieces are like."""
        near = self.people.yardsticks[NOISE]
        alike = {name: _known(share) for name, share in self.people.likeness.items()}
        rows: list[list[Cell]] = [[HELD_OUT, *[_known(found.like) for found in near.values()], alike[HELD_OUT]]]
        yards = self.people.yardsticks.items()
        rows += [[name, *[_known(found.made) for found in yard.values()], alike[name]] for name, yard in yards]
        for row, result in self.finished:
            share = None if result.likeness is None else _known(result.likeness)
            mine = self.near(result.features)
            rows.append([row.name, *[_known(mine[name].made) if name in mine else None for name in near], share])
        heads = [f"{f.name} ({f.unit})" if f.unit else f.name for f in FEATURES if f.name in near]
        caption = "Medians; and the share of passages that two pieces of a set have in common (1: all are one piece)"
        return Table(["", *heads, "likeness of pieces"], rows, caption)

    def losses(self) -> Table:
        """What each way of writing music down drops of the held-out pieces."""
        once = {result.written: result for _, result in self.finished}
        rows: list[list[Cell]] = [
            [
                self.labels[w],
                f"{r.notes_kept:.1%}",
                f"{r.in_place:.1%}",
                ", ".join(r.lost) or "nothing that is measured",
            ]
            for w, r in once.items()
        ]
        heads = ["codec", "notes kept", "kept in place", "lost besides"]
        return Table(heads, rows, "What comes back of held-out pieces that are written down and read again")

    def others(self) -> Table:
        """By what the weights of systems without a likelihood were chosen."""
        found = [(row, r) for row, r in self.finished if r.bits is None and "test, loss" in r.scores]
        rows: list[list[Cell]] = [
            [row.name, r.figure or "loss", round(r.scores["valid, loss"], 4), round(r.scores["test, loss"], 4)]
            for row, r in found
        ]
        heads = ["system", "figure", "pieces that chose the weights", "test pieces"]
        return Table(heads, rows, "Figures of systems without a likelihood; they compare with nothing here")

    def failures(self) -> Table:
        """The systems that came to nothing."""
        return Table(["system", "why"], [[r.name, r.why] for r in self.rows if r.result is None], "Failed")

    def remarks(self) -> Table:
        """What should be known of single systems."""
        rows: list[list[Cell]] = []
        for row, result in self.finished:
            silent = sum(piece.notes == 0 for piece in result.pieces)
            said = [*result.remarks, *([f"{silent} of {len(result.pieces)} pieces have no note."] if silent else [])]
            rows += [[row.name, remark] for remark in said]
        return Table(["system", "remark"], rows, "Remarks")


def counted(count: float, noun: str) -> str:
    """A number of things.

    Example:
        >>> counted(1, "system"), counted(2.5, "minute"), counted(1234, "piece")
        ('1 system', '2.5 minutes', '1,234 pieces')
    """
    shown = f"{count:,}" if isinstance(count, int) else f"{count:g}"
    return f"{shown} {noun}{'' if count == 1 else 's'}"


def _setting(name: str, value: Any) -> str:
    """A setting that is not the default, e.g. "classic"."""
    if isinstance(value, bool):
        return name if value else f"no {name}"
    if isinstance(value, list | tuple):
        return f"{name} {len(value)}"
    return f"{name} {value}"


def _bits(result: Result) -> str:
    return f"{'≤ ' if result.likelihood == 'bound' else ''}{result.bits:.3f}"


def _far(near: Mapping[str, Nearness], feature: str) -> float:
    return near[feature].distance if feature in near else math.nan


def _known(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None
