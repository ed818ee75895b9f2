"""How seldom human music goes beyond what the loop guard allows.

For each data set (a folder of MIDI files) and each codec: pieces in which the guard would have acted, had they been
sampled. Run as `python benchmarks/loops.py FOLDER...`; needs no training.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from partimento.codec import Codec, TokenSpec, codec_named
from partimento.errors import Unreadable
from partimento.files import read
from partimento.guards import Guards, LoopGuard
from partimento.score import Score

LEAST_NOTES = 20


def scores(folder: Path, most: int) -> Iterator[Score]:
    """Up to `most` pieces of a folder, drawn by a fixed seed."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".mid", ".midi"))
    np.random.default_rng(0).shuffle(files)
    for path in files[:most]:
        try:
            score = read(path).score
        except Unreadable:
            continue
        if score.note_num() >= LEAST_NOTES:
            yield score


def acted(codec: Codec[TokenSpec], score: Score, guards: Guards) -> bool:
    """Whether the guard would have acted on this piece."""
    guard = LoopGuard(guards)
    for id in codec.encode(score).tolist():
        guard.advance(id)
        if guard.acted:
            return True
    return False


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--codecs", nargs="+", default=["chords", "tokens"])
    parser.add_argument("--repeats", nargs="+", type=int, default=[4, 6, 8])
    parser.add_argument("--most", type=int, default=120)
    chosen = parser.parse_args()
    print("| data | codec | pieces |", " | ".join(f"{r} repeats" for r in chosen.repeats), "|")
    print("|---|---|---:|" + "---:|" * len(chosen.repeats))
    for folder in chosen.folders:
        pieces = list(scores(folder, chosen.most))
        for name in chosen.codecs:
            kind = codec_named(name)
            codec = kind(kind.Settings())
            codec.learn(pieces)
            counts = [sum(acted(codec, p, Guards(loop_repeats=r)) for p in pieces) for r in chosen.repeats]
            print(f"| {folder.name} | {name} | {len(pieces)} |", " | ".join(map(str, counts)), "|", flush=True)


if __name__ == "__main__":
    main()
