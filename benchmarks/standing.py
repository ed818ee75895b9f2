"""How a model's pieces stand beside people's that it has not heard: what is inside human variation, what tells them.

    python benchmarks/standing.py MODEL MUSIC [--pieces 32] [--bars 16] [--top-p 0.98,0.95]

MUSIC is what MODEL learnt from: as many as 200 of its pieces that were held out are what the made ones stand beside, an
excerpt of each as long as those (`evaluation.chance`, `evaluation.realness`). The row of people has as many of the
other held-out pieces.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from partimento.bundle import open_bundle
from partimento.codec import Request
from partimento.corpus import inspect
from partimento.evaluation.chance import beside
from partimento.evaluation.features import Survey, survey
from partimento.evaluation.realness import realness
from partimento.evaluation.scorecard import cut
from partimento.generation import generate
from partimento.sampling import Sampling
from partimento.score import Score
from partimento.settings import from_table

MOST = 200  # human pieces


def tell(name: str, made: Sequence[Score], people: Survey, bars: int) -> None:
    """Print a row."""
    mine = survey(cut(made, bars, 0))
    known = {key: found.inside for key, found in beside(mine, people, np.random.default_rng(0)).items()}
    told = realness(mine, people, np.random.default_rng(0))
    outside = ", ".join(key for key, inside in known.items() if inside is False)
    inside = f"{sum(bool(inside) for inside in known.values())} of {len(known)}"
    print(f"| {name} | {inside} | {told.auc:.2f} ({told.low:.2f} to {told.high:.2f}) | {outside} |", flush=True)


def main() -> None:
    """Print a row for people and for each way of sampling."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("music", type=Path)
    parser.add_argument("--pieces", type=int, default=32)
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--top-p", default="0.98")
    chosen = parser.parse_args()
    bundle, corpus = open_bundle(chosen.model), inspect(chosen.music)
    held_out = [*corpus.pieces("valid"), *corpus.pieces("test")]
    order = np.random.default_rng(0).permutation(len(held_out))
    humans, others = (
        list(corpus.scores(held_out[number] for number in sorted(numbers)))
        for numbers in (order[:MOST], order[MOST : MOST + chosen.pieces])
    )
    people = survey(cut(humans, chosen.bars, 0))
    print("| pieces | inside human variation | told apart (AUC) | outside |\n|---|---:|---:|---|")
    tell("other people's", others, people, chosen.bars)
    usual = from_table(Sampling, bundle.recipe["sampling"], "sampling")
    for top_p in map(float, chosen.top_p.split(",")):
        sampling = replace(usual, top_p=top_p)
        made = generate(bundle, request=Request(bars=chosen.bars), n=chosen.pieces, seed=0, sampling=sampling)
        tell(f"top_p {top_p:g}", [piece.score for piece in made if piece.notes], people, chosen.bars)


if __name__ == "__main__":
    main()
