"""How long it takes to measure pieces, feature by feature, and to set 100 of them beside the rest.

    python benchmarks/features.py FOLDER [--most 200]

prints milliseconds of processor time a piece: reading, cutting an excerpt, each feature and histogram with what it
needs and no other has worked out before it, all of them together on whole pieces and on excerpts; then the seconds that
chance and the classifier take for 100 excerpts beside 1,000 (drawn again and again where there are fewer).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from partimento.errors import PartimentoError
from partimento.evaluation.chance import beside
from partimento.evaluation.features import FEATURES, HISTOGRAMS, View, survey
from partimento.evaluation.realness import realness
from partimento.evaluation.yardsticks import excerpts
from partimento.files import read
from partimento.score import Score


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most", type=int, default=200, help="pieces")
    parser.add_argument("--bars", type=int, default=32, help="of an excerpt")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    paths = sorted(path for path in given.folder.rglob("*") if path.suffix.lower() in (".mid", ".midi"))
    chosen = [paths[n] for n in np.sort(rng.permutation(len(paths))[: given.most])]
    scores, reading = timed(lambda: [score for path in chosen for score in opened(path)])
    print(f"{len(scores)} pieces of {np.mean([score.note_num() for score in scores]):,.0f} notes on average")
    each = 1000 / len(scores)
    print(f"reading {reading * each:.2f} ms")
    parts, cutting = timed(lambda: [part for score in scores for part in excerpts(score, given.bars, 1, rng)])
    print(f"an excerpt of {given.bars} bars {cutting * each:.2f} ms")
    for kind in (*FEATURES, *HISTOGRAMS):
        _, seconds = timed(lambda kind=kind: [kind.measure(View(score)) for score in scores])
        print(f"  {kind.name} {seconds * each:.3f} ms")
    print(f"all of a piece {timed(lambda: survey(scores))[1] * each:.2f} ms")
    measured, seconds = timed(lambda: survey(parts))
    print(f"all of an excerpt {seconds * 1000 / len(parts):.2f} ms")
    made, people = (measured.of(rng.integers(0, len(parts), count)) for count in (100, 1000))
    print(f"chance, 100 beside 1,000: {timed(lambda: beside(made, people, rng))[1]:.2f} s")
    print(f"classifier, 100 beside 1,000: {timed(lambda: realness(made, people, rng))[1]:.2f} s")


def opened(path: Path) -> list[Score]:
    """The score of a file, or none where it cannot be read."""
    try:
        return [read(path).score]
    except PartimentoError:
        return []


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What comes of some work, and the seconds of processor time that it took."""
    began = time.process_time()
    result = work()
    return result, time.process_time() - began


if __name__ == "__main__":
    main()
