"""Pieces of five minutes, by every recipe: on how many figures they lie inside human variation, and what goes wrong.

    python benchmarks/long_pieces.py MUSIC [--minutes 3] [--recipes nested,lstm] [--pieces 16] [--sets 4] [--seed 0]
        [--work runs/long-pieces] [--set sampling.steadiness=0]

Each recipe learns from the same pieces of MUSIC, for as long on one thread by the processor's clock, and makes sets of
pieces of five minutes. An excerpt of each, as long as people's pieces are at the median, is set beside one of each of
those human pieces that none has learnt from; a figure is *inside* where it differs no more than as many human pieces
would (`evaluation.chance`, which also has what *about one in twenty* means). How many are inside is the mean of the
sets, in brackets each: of one set it is one or two more or fewer by chance. The row of people is as many of the pieces
that were learnt from; that of `shipped` goes on from the model that comes along, for as long as the others learn. With
another `--seed` each learns in another order from other weights. What is there is not made again, so the command can
be broken off between two sets. With `--set` pieces are drawn otherwise, by the model that has learnt for the row
without.

Leaves out: recipes whose codec cannot count seconds, which are named.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from flagship import COMMON, by_processor_time, kept, place
from partimento.bundle import COMES_ALONG, Bundle, open_bundle
from partimento.codec import Request
from partimento.composing import composing_tables
from partimento.corpus import inspect
from partimento.errors import PartimentoError
from partimento.evaluation.chance import Standing, beside
from partimento.evaluation.features import survey
from partimento.evaluation.realness import realness
from partimento.evaluation.scorecard import cut, excerpt_bars
from partimento.generation import generate
from partimento.recipes import Recipe, presets, recipe_named
from partimento.sampling import Sampling
from partimento.score import Score, note_array, seconds_at
from partimento.settings import from_table
from partimento.training.runs import train
from partimento.training.starting import recipe_of

MOST = 200  # human pieces
HEAD = (
    "| recipe | inside | told apart | a guard acted in | longest note, s | longest silence, s | notes a piece "
    "| notes a beat, by quarters | s a piece |\n"
    "|---|---:|---:|---:|---:|---:|---:|---|---:|"
)


def judged(made: Sequence[Score], humans: Sequence[Score]) -> dict[str, Any]:
    """On how many figures a set is inside, and how well it is told apart."""
    bars = excerpt_bars(made, humans)
    mine, theirs = (survey(cut(scores, bars, 0)) for scores in (made, humans))
    found: dict[str, Standing] = beside(mine, theirs, np.random.default_rng(0))
    asked = {name: standing.inside for name, standing in found.items() if standing.inside is not None}
    return {
        "inside": sum(asked.values()),
        "of": len(asked),
        "outside": [name for name, there in asked.items() if not there],
        "auc": realness(mine, theirs, np.random.default_rng(0)).auc,
        "bars": bars,
    }


def times(score: Score) -> tuple[float, float]:
    """The longest note and the longest silence, in seconds."""
    notes = note_array(score)
    onset, end = (seconds_at(score, notes["onset"] + extra) for extra in (0, notes["duration"]))
    return float((end - onset).max()), float((onset[1:] - np.maximum.accumulate(end)[:-1]).max(initial=0))


def busy(scores: Sequence[Score]) -> list[float]:
    """Notes a quarter note in each quarter of pieces, the medians."""
    rows = []
    for score in scores:
        onset = note_array(score)["onset"] / score.ticks_per_quarter
        rows.append(np.histogram(onset, bins=4, range=(0, onset.max() + 1e-9))[0] * 4 / onset.max())
    return [float(figure) for figure in np.median(rows, axis=0)]


def learnt(recipe: Recipe, start: Bundle | None, chosen: argparse.Namespace, folder: Path) -> Bundle:
    """The bundle of a folder's run, trained now where it has none."""
    run = folder / "run"
    if not (run / "bundle").is_dir():
        shutil.rmtree(folder, ignore_errors=True)  # of a row that was broken off
        with by_processor_time():
            train(chosen.music, run, recipe, minutes=chosen.minutes, start=start)
    return open_bundle(run)


def drawn(bundle: Bundle, humans: Sequence[Score], chosen: argparse.Namespace, seed: int) -> dict[str, Any]:
    """A set of pieces, judged."""
    began = time.process_time()
    sampling = from_table(Sampling, composing_tables(bundle.recipe, chosen.set)["sampling"], "sampling")
    request = Request(seconds=chosen.seconds)
    try:
        made = list(generate(bundle, request=request, sampling=sampling, n=chosen.pieces, seed=seed))
    except PartimentoError as error:
        return {"why": str(error)}
    seconds = (time.process_time() - began) / len(made)
    sounding = [piece.score for piece in made if piece.notes]
    spans = [times(score) for score in sounding]
    return {
        **judged(sounding, humans),
        "busy": busy(sounding),
        "acted": sum(bool(piece.remarks) for piece in made),
        "remarks": [piece.remarks for piece in made],
        "longest": max(note for note, _ in spans),
        "silence": max(silence for _, silence in spans),
        "notes": sum(piece.notes for piece in made) / len(made),
        "seconds": seconds,
        "pieces": len(made),
    }


def tell(name: str, sets: Sequence[dict[str, Any]]) -> None:
    """Print a row."""
    if "why" in sets[0]:
        print(f"| {name} | {sets[0]['why']} |", flush=True)
        return
    mean = {key: float(np.mean([found[key] for found in sets])) for key in ("inside", "auc")}
    each = ", ".join(str(found["inside"]) for found in sets)
    told = f"| {name} | {mean['inside']:.1f} of {sets[0]['of']} ({each}) | {mean['auc']:.2f} |"
    often = ", ".join(f"{figure:.1f}" for figure in np.mean([found["busy"] for found in sets], axis=0))
    if "acted" in sets[0]:
        acted, pieces = (sum(found[key] for found in sets) for key in ("acted", "pieces"))
        longest, silence = (max(found[key] for found in sets) for key in ("longest", "silence"))
        notes, seconds = (float(np.mean([found[key] for found in sets])) for key in ("notes", "seconds"))
        told += f" {acted} of {pieces} | {longest:.1f} | {silence:.1f} | {notes:.0f} | {often} | {seconds:.1f} |"
    else:
        told += f" | | | | {often} | |"
    print(told, flush=True)


def main() -> None:
    """Print a row for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("music", type=Path)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--pieces", type=int, default=16)
    parser.add_argument("--sets", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="SAMPLING.NAME=VALUE")
    parser.add_argument("--work", type=Path, default=Path("runs") / "long-pieces")
    parser.add_argument("--recipes", default=",".join([*presets(), COMES_ALONG]))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    corpus = inspect(chosen.music)
    rng = np.random.default_rng(0)
    unheard = [*corpus.pieces("valid"), *corpus.pieces("test")]
    humans = list(corpus.scores(unheard[number] for number in sorted(rng.permutation(len(unheard))[:MOST])))
    heard = corpus.pieces("train")
    print(HEAD)
    people = []
    for _ in range(chosen.sets):
        others = list(corpus.scores(heard[number] for number in sorted(rng.permutation(len(heard))[: chosen.pieces])))
        people.append({**judged(others, humans), "busy": busy(others)})
    tell("people", people)
    for name in chosen.recipes.split(","):
        start = open_bundle(None) if name == COMES_ALONG else None
        recipe = recipe_named(name) if start is None else recipe_of(start)
        recipe = recipe.override([*COMMON, f"training.seed={chosen.seed}"])
        folder = place(chosen.work / chosen.music.name, name, corpus, recipe, chosen.minutes)
        bundle = learnt(recipe, start, chosen, folder)
        way = hashlib.sha256(json.dumps([chosen.set, chosen.seconds, chosen.pieces]).encode()).hexdigest()[:8]
        sets = [
            kept(folder / way / f"set-{number}", functools.partial(drawn, bundle, humans, chosen, number))
            for number in range(chosen.sets)
        ]
        tell(" ".join([name, *chosen.set]), sets)


if __name__ == "__main__":
    main()
