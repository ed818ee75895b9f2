"""Whether the yardsticks of `compare` tell: how far people's pieces lie from people's, beside noise and shuffled bars.

    python benchmarks/yardsticks.py FOLDER [--sample 200]

sets excerpts of a folder's training pieces, noise and shuffled bars beside excerpts of its held-out pieces, as
`partimento compare` does, and prints a column of each for the table of `docs/compare.md`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from partimento.comparing.people import NOISE, OTHERS, SHUFFLED, gather
from partimento.comparing.report import markdown
from partimento.corpus import inspect
from partimento.render.listening import Cell, Table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--pieces", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    corpus = inspect(given.folder, sample=given.sample, seed=given.seed)
    with tempfile.TemporaryDirectory() as spare:
        people = gather(
            corpus, Path(spare), bars=given.bars, size=given.pieces, seed=given.seed, sound="none"
        ).yardsticks
    names = (OTHERS, NOISE, SHUFFLED)
    rows: list[list[Cell]] = [[f, *(round(people[name][f].distance, 2) for name in names)] for f in people[OTHERS]]
    print(markdown(Table(["feature", *names], rows)))


if __name__ == "__main__":
    main()
