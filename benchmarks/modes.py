"""Are the ways of composing real? What a gap costs with and without what follows it, and whether what is asked is made.

    pip install scipy && python benchmarks/modes.py RUN MUSIC [--under FOLDER] [--pieces 60] [--made 60]

RUN is a run of the recipe nested on MUSIC, or on none of it; FOLDER a part of MUSIC to look at alone. Three questions,
each on held-out pieces that the run has not learnt from:

- *both sides*: of a window of twelve bars the three in the middle are hidden. Bits for each note of them, given what
  stands before and after, and given what stands before alone.
- *what accompanies*: all tracks but the first are hidden. Bits for each of their notes, given the first track, given it
  with its bars in another order, and given the first track of another piece.
- *asked and made*: of the first eight bars of a piece a track is written anew, for a random density, a random range, or
  a random polyphony, each between the 10th and the 90th percentile of such cells. Spearman's rank correlation of what
  was asked with what came: notes a quarter note, middle of the range, most notes at once, in the median of its cells.

The first two are exact likelihoods, by torch; nothing is drawn. How many bits more a way costs has an interval of 95 %,
by the bootstrap over pieces (Efron and Tibshirani 1993).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from partimento.bundle import Bundle, open_bundle
from partimento.codecs.cells import Cells
from partimento.codecs.cells.asking import DENSITY, HIGHEST, LOWEST, POLYPHONY, Asked, measured
from partimento.codecs.cells.fields import ANSWER, CELL, DRUMS, FIELDS, NOTE, Mask, densities, events_of
from partimento.codecs.cells.grid import Grid
from partimento.codecs.cells.hiding import hide
from partimento.corpus import inspect
from partimento.filling.possible import require_filling
from partimento.filling.writing import Manner, Writer
from partimento.model import Batch, Predicts, model_named
from partimento.settings import from_table

WINDOW, GAP = 12, 3  # bars
MADE_BARS = 8
DRAWS = 2000

Ids = NDArray[np.int64]


def opened(bundle: Bundle) -> Predicts:
    """The bundle's model, for likelihoods."""
    kind = cast(Any, model_named(bundle.model_name))
    table = {name: value for name, value in bundle.recipe["model"].items() if name != "name"}
    model = kind(from_table(kind.Settings, table, "model"), bundle.codec().spec)
    model.load_arrays(bundle.arrays())
    return cast(Predicts, model.eval())


def bits_of_answers(model: Predicts, codec: Cells, told: Ids) -> tuple[float, int]:
    """Bits of all that is told from the first answer on, and how many notes that is."""
    x = torch.from_numpy(np.concatenate([[codec.spec.bos], told]))[None]
    with torch.no_grad():
        nats = model.predict(Batch(x, torch.ones_like(x, dtype=torch.bool)))[0][0].double().numpy()
    kind, _ = events_of(told)
    first = int(np.argmax(kind == ANSWER))
    return float(-nats[first * FIELDS :].sum() / np.log(2)), int((kind[first:] == NOTE).sum())


def part(x: Ids, first: int, stop: int) -> Ids:
    """Some bars of a piece."""
    grid = Grid(x)
    return np.asarray(grid.events[(grid.bar >= first) & (grid.bar < stop)].reshape(-1))


class Costs:
    """Bits of one music, told in several ways.

    Args:
        ways: how many.
    """

    def __init__(self, ways: int) -> None:
        self.bits, self.notes, self.piece = np.empty((0, ways)), np.empty(0), np.empty(0, dtype=np.int64)

    def add(self, piece: int, found: list[tuple[float, int]]) -> None:
        """What a part of a piece costs by each way, in bits, and how many notes it has."""
        if found[0][1]:
            self.bits = np.append(self.bits, [[bits for bits, _ in found]], axis=0)
            self.notes, self.piece = np.append(self.notes, found[0][1]), np.append(self.piece, piece)

    def each(self) -> list[float]:
        """Bits a note, by each way."""
        return [float(bits) for bits in self.bits.sum(axis=0) / max(self.notes.sum(), 1)]

    def more(self, way: int) -> tuple[float, float]:
        """How many bits a note a way costs more than the first, at least and at most in 95 of 100 draws of pieces."""
        rng, pieces = np.random.default_rng(0), np.unique(self.piece)
        extra, notes = (
            np.array([column[self.piece == piece].sum() for piece in pieces])
            for column in (self.bits[:, way] - self.bits[:, 0], self.notes)
        )
        drawn = rng.integers(0, len(pieces), (DRAWS, len(pieces)))
        low, high = np.quantile(extra[drawn].sum(axis=1) / notes[drawn].sum(axis=1), [0.025, 0.975])
        return float(low), float(high)

    def said(self) -> str:
        """The same as cells of a table: the first way, and of each other its costs and what it costs more."""
        ranges = [f" ({low:+.3f} to {high:+.3f})" for low, high in map(self.more, range(1, self.bits.shape[1]))]
        return " | ".join(f"{bits:.3f}{more}" for bits, more in zip(self.each(), ["", *ranges], strict=True))


def gaps(model: Predicts, codec: Cells, pieces: list[Ids]) -> Costs:
    """A gap given both sides, and given the left one."""
    costs = Costs(2)
    for number, x in enumerate(pieces):
        bars = Grid(x).bars
        for first in range(0, bars - WINDOW + 1, WINDOW):
            begin = first + (WINDOW - GAP) // 2
            tracks = Grid(part(x, first, first + WINDOW))
            names = tracks.program_of

            def hidden(grid: Grid, at: int = begin - first) -> Mask:
                inside = (np.arange(grid.bars) >= at) & (np.arange(grid.bars) < at + GAP)
                return np.repeat(inside[:, None], len(grid.tracks), axis=1)

            found = [
                bits_of_answers(model, codec, hide(part(x, first, stop), hidden, names))
                for stop in (first + WINDOW, begin + GAP)
            ]
            costs.add(number, found)
    return costs


def accompaniments(model: Predicts, codec: Cells, pieces: list[Ids], rng: np.random.Generator) -> Costs:
    """What accompanies the first track: given it, it in another order, and another piece's."""
    costs = Costs(3)
    windows = [part(x, 0, WINDOW) for x in pieces]
    windows = [x for x in windows if Grid(x).bars == WINDOW and len(Grid(x).tracks) > 1]
    for number, x in enumerate(windows):
        grid = Grid(x)
        names = grid.program_of
        order = rng.permutation(WINDOW)
        other = Grid(windows[(number + 1) % len(windows)])
        leads = [grid, grid, other]
        bars = [np.arange(WINDOW), order, np.arange(WINDOW)]
        found = [
            bits_of_answers(model, codec, hide(with_lead(grid, lead, which), _all_but_first, names))
            for lead, which in zip(leads, bars, strict=True)
        ]
        costs.add(number, found)
    return costs


def _all_but_first(grid: Grid) -> Mask:
    mask = np.ones((grid.bars, len(grid.tracks)), dtype=np.bool_)
    mask[:, 0] = False
    return mask


def with_lead(grid: Grid, lead: Grid, bars: Ids) -> Ids:
    """A piece with another first track: for each bar that of a bar of `lead`, under its own name."""
    name = grid.events[(grid.track == 0) & (grid.kind == CELL)][0]
    rows = []
    for bar in range(grid.bars):
        here, there = grid.bar == bar, (lead.bar == bars[bar]) & (lead.track == 0)
        cell = np.where((lead.kind[there] == CELL)[:, None], name, lead.events[there])
        rows += [grid.events[here & (grid.track < 0)], cell, grid.events[here & (grid.track > 0)]]
    return np.asarray(np.concatenate(rows).reshape(-1))


def asked_and_made(bundle: Bundle, pieces: list[Ids], made: int, rng: np.random.Generator) -> dict[str, float]:
    """Spearman's rank correlation of what is asked with what comes."""
    places = []
    for x in pieces:
        window = part(x, 0, MADE_BARS)
        grid = Grid(window)
        sounding = (measured(grid)[..., DENSITY] >= 0).sum(axis=0) * 2 >= MADE_BARS
        if grid.bars == MADE_BARS:
            places += [(window, int(track)) for track in np.flatnonzero(sounding & (grid.programs != DRUMS))]
    known = np.concatenate([measured(Grid(window))[:, track] for window, track in places])
    known = known[known[:, DENSITY] >= 0]
    low, high = np.percentile(known, 10, axis=0), np.percentile(known, 90, axis=0)
    asked, found = np.zeros((made, 3)), np.full((made, 3), np.nan)
    writer = Writer(bundle, Manner())
    for number in range(made):
        window, track = places[int(rng.integers(len(places)))]
        grid = Grid(window)
        tracks = grid.program_of
        cells = np.zeros((grid.bars, len(tracks)), dtype=np.bool_)
        cells[:, track] = True
        density = float(densities()[int(rng.integers(low[DENSITY], high[DENSITY] + 1))])
        polyphony = int(rng.integers(low[POLYPHONY], high[POLYPHONY] + 1)) + 1
        span = int(rng.integers(7, 20))
        lowest = int(rng.integers(low[LOWEST], max(high[HIGHEST] - span, low[LOWEST]) + 1))
        wishes = (
            Asked(density=density),
            Asked(lowest=lowest, highest=min(lowest + span, 127)),
            Asked(polyphony=polyphony),
        )
        asked[number] = density, lowest + span / 2, polyphony
        for aspect, wish in enumerate(wishes):
            own = np.random.default_rng([number, aspect])
            (piece,), _ = writer.write([window], [cells], [wish.of(cells, grid.programs)], tracks, [own])
            came = measured(Grid(piece, tracks))[:, track]
            came = came[came[:, DENSITY] >= 0]
            if len(came):
                rows = (densities()[came[:, DENSITY]], (came[:, LOWEST] + came[:, HIGHEST]) / 2, came[:, POLYPHONY] + 1)
                found[number, aspect] = np.median(rows[aspect])
    names = ("density", "range", "polyphony")
    there = np.isfinite(found)
    return {name: float(spearmanr(asked[there[:, k], k], found[there[:, k], k])[0]) for k, name in enumerate(names)}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("music", type=Path)
    parser.add_argument("--under", default="")
    parser.add_argument("--pieces", type=int, default=60)
    parser.add_argument("--made", type=int, default=60)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    bundle = open_bundle(chosen.run)
    codec, rng = require_filling(bundle), np.random.default_rng(0)
    corpus = inspect(chosen.music)
    held = [piece for piece in corpus.pieces("test") if str(piece.path).startswith(chosen.under)]
    drawn = np.sort(rng.permutation(len(held))[: chosen.pieces])
    pieces = [codec.encode(score) for score in corpus.scores(held[number] for number in drawn)]
    model = opened(bundle)
    print(f"{len(pieces)} pieces that the run has not learnt from, bits a note\n")
    print("| three bars hidden | both sides known | the left alone |\n|---|---:|---:|")
    print(f"| | {gaps(model, codec, pieces).said()} |\n")
    print("| what accompanies, given | its first track | in another order | another piece's |\n|---|---:|---:|---:|")
    print(f"| | {accompaniments(model, codec, pieces, rng).said()} |\n")
    found = asked_and_made(bundle, pieces, chosen.made, rng)
    print("| asked and made | " + " | ".join(found) + " |\n|---|---:|---:|---:|")
    print("| Spearman's rank correlation | " + " | ".join(f"{value:.2f}" for value in found.values()) + " |")


if __name__ == "__main__":
    main()
