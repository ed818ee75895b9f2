"""What returns foretell: how often what followed when the same was told before follows again, by how long it was alike.

    python benchmarks/returns.py MUSIC [--pieces 60]

Test pieces of MUSIC as the recipe `nested` tells them, and its `model.returns`. Each event is foretold from all before
it in its piece, right where all of its ids that count are (what it is, when, its pitch; not how long and how loud).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, cast

import numpy as np

from partimento.codec import TokenSpec, codec_named
from partimento.corpus import inspect
from partimento.models.nested import tallies_of
from partimento.recipes import recipe_named
from partimento.tallies import OF_RETURNS, Tally

FROM = (0, 1, 2, 4, 8, 16, 32)  # events alike
AT_ONCE = 1024  # events


def main() -> None:
    """Print a row for each length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("music", type=Path)
    parser.add_argument("--pieces", type=int, default=60)
    chosen = parser.parse_args()
    settings = recipe_named("nested").settings
    corpus = inspect(chosen.music)
    scores = list(corpus.scores(corpus.pieces("test")[: chosen.pieces]))
    if not scores:
        raise SystemExit(f"{chosen.music} has too few pieces to hold some out.")
    codec = cast(Any, codec_named("cells"))(settings["codec"])
    codec.learn(scores)
    spec = cast(TokenSpec, codec.spec)
    tallies = tallies_of(settings["model"], spec)
    counted = np.array(spec.counted)
    foretold, right, events = np.zeros(len(FROM), int), np.zeros(len(FROM), int), 0
    for score in scores:
        groups = codec.encode(score).reshape(1, -1, spec.group)
        before = np.concatenate([np.full_like(groups[:, :1], spec.vocab_size), groups[:, :-1]], 1)
        tally = Tally(tallies, 1)
        for first in range(0, groups.shape[1], AT_ONCE):
            part = slice(first, first + AT_ONCE)
            alike, there = np.moveaxis(np.expm1(tally.over(before[:, part], groups[:, part]))[0, :, -OF_RETURNS:], 1, 0)
            some = there.any(axis=1)
            told = np.take_along_axis(there > 0, groups[0, part], axis=1) | ~counted[groups[0, part]]
            row = np.searchsorted(FROM, np.rint(alike.max(axis=1)), side="right") - 1
            foretold += np.bincount(row[some], minlength=len(FROM))
            right += np.bincount(row[some & told.all(axis=1)], minlength=len(FROM))
            events += len(some)
    print(f"{events:,} events, {foretold.sum() / events:.1%} foretold, {right.sum() / events:.1%} right\n")
    print("| events alike, from | foretold | right |\n|---:|---:|---:|")
    for least, count, hits in zip(FROM, foretold, right, strict=True):
        print(f"| {least} | {count:,} | {hits / max(count, 1):.2f} |")


if __name__ == "__main__":
    main()
