"""One's own style in minutes: from nothing, from a trained model, by prompting alone; and what is forgotten of before.

    python benchmarks/finetuning.py MODEL MUSIC --sizes 20,50,200 --work runs/finetuning [--old RUN] [--rows …]

MODEL is a bundle that has not learnt MUSIC. Of MUSIC 60 pieces are kept for testing, and folders of 20, 50 and 200 of
the others are made, of which each system learns as `partimento train FOLDER` would, split within the folder, one
thread, for minutes of processor time. Bits a note of the test pieces, whole, exactly:

    as it came   MODEL itself
    prompted     MODEL itself, which hears a piece of the folder before each test piece, half of its context at most
    nothing 5    the recipe nested from nothing, five minutes; nothing 30 half an hour
    all 5        MODEL goes on for five minutes, every weight
    all uncounted 5  as `all 5`, nothing counted and nothing looked for that returns (`model.tallies`)
    all as told 5  as `all 5`, music told as it was to MODEL (`codec.tempo_told`, `codec.align`)
    all large 5  as `all 5`, each update of as many ids as when MODEL was made
    all 20% 5    as `all 5`, a fifth of the updates on what MODEL composes before (`preparation.rehearsal`)
    low rank 5   MODEL goes on for five minutes, what is learnt added to its matrices as products of rank 16 (LoRA: Hu
                 et al. 2022), by AdamW; the better of three rates by the held-out pieces of the folder

With --old, the run of MODEL, also the bits of its own held-out pieces before and after. A row that is there is not made
again, so the command can be broken off between two.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from flagship import by_processor_time, kept
from partimento.bundle import Bundle, open_bundle
from partimento.codec import Codec, TokenSpec
from partimento.corpus import Corpus, inspect
from partimento.model import Batch, Predicts
from partimento.pieces import Pieces
from partimento.recipes import Recipe, recipe_named
from partimento.score import Score
from partimento.settings import to_table
from partimento.training.loop import fit, held_out, seconds_per_update
from partimento.training.planning import new_model, plan, windows_of
from partimento.training.preparing import prepare
from partimento.training.rehearsing import rehearsal
from partimento.training.starting import begun, recipe_of
from partimento.windows import Windows

TESTS = 60
RANK, RATES = 16, (3e-4, 1e-3, 3e-3)
ONE_THREAD = ["training.threads=1"]
OLD = 120_000  # ids of what the model had learnt


class LowRank(nn.Module):
    """What is learnt of a matrix as a product of two narrow ones."""

    def __init__(self, matrix: Tensor, rank: int = RANK) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, matrix.shape[1]) / math.sqrt(matrix.shape[1]))
        self.up = nn.Parameter(torch.zeros(matrix.shape[0], rank))

    def forward(self, matrix: Tensor) -> Tensor:
        """The matrix with it."""
        return matrix + self.up @ self.down


def narrowed(model: Any) -> Any:
    """The model with nothing left to learn but what is added to the matrices between its layers."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Linear) and name != "head":
            parametrize.register_parametrization(layer, "weight", LowRank(layer.weight))
            cast(Any, layer).parametrizations.weight.original.requires_grad_(False)
    return model


class Trial:
    """A folder of so many pieces, and what is learnt of it."""

    def __init__(self, bundle: Bundle, folder: Path, tests: list[Score], old: Pieces | None, work: Path) -> None:
        self.bundle = bundle
        self.corpus = inspect(folder)
        self.tests = tests
        self.old = old
        self.work = work

    def of(self, row: str) -> str:
        """What decides a row beside its name: the music, and the recipe that it begins with."""
        recipe = recipe_named("nested") if row.startswith("nothing") else recipe_of(self.bundle)
        what = json.dumps([self.corpus.digest, recipe.to_tables()], sort_keys=True)
        return hashlib.sha256(what.encode()).hexdigest()[:8]

    def learn(self, row: str) -> dict[str, Any]:
        """Bits a note when a row's way of learning is over."""
        way, _, minutes = row.rpartition(" ")
        if row == "as it came":
            codec = self.bundle.codec()
            return self.judged(begun(new_model(recipe_of(self.bundle), codec.spec), self.bundle), codec)
        if row == "prompted":
            model = begun(new_model(recipe_of(self.bundle), self.bundle.codec().spec), self.bundle)
            tests = self.encoded(self.bundle.codec())
            return {"test": prompted(cast(Predicts, model), self.corpus, self.bundle, tests)}
        if way == "nothing":
            return self.fitted(recipe_named("nested").override(ONE_THREAD), None, float(minutes))
        recipe = recipe_of(self.bundle).override(ONE_THREAD)
        if way == "all uncounted":
            return self.fitted(recipe.override(["model.tallies=[]"]), self.bundle, float(minutes))
        if way == "all as told":
            told = recipe.replace("codec", **to_table(self.bundle.codec().settings))
            return self.fitted(told, self.bundle, float(minutes))
        if way == "all large":
            made = {name: self.bundle.recipe["training"][name] for name in ("length", "batch")}
            return self.fitted(recipe.replace("training", **made), self.bundle, float(minutes))
        if way.startswith("all"):
            share = float(way.removeprefix("all").strip(" %") or 0) / 100
            return self.fitted(recipe.replace("preparation", rehearsal=share), self.bundle, float(minutes))
        own = ["training.optimiser=adamw", "training.weight_decay=0"]
        tried = [
            self.fitted(recipe.override([*own, f"training.learning_rate={rate}"]), self.bundle, float(minutes), True)
            for rate in RATES
        ]
        return min(tried, key=lambda found: float(found["valid"]))

    def fitted(self, recipe: Recipe, start: Bundle | None, minutes: float, low_rank: bool = False) -> dict[str, Any]:
        """Learn for some minutes of processor time."""
        folder = self.work / "fit"
        shutil.rmtree(folder, ignore_errors=True)
        prepared = prepare(self.corpus, recipe, self.work / "encoded", start=start)
        with by_processor_time():
            recipe, _ = plan(recipe, prepared, minutes)
            model = begun(new_model(recipe, prepared.codec.spec), start)
            windows = {split: windows_of(prepared, recipe, split, model) for split in ("train", "valid")}
            if share := recipe.settings["preparation"].rehearsal:
                began = time.process_time()
                heard = rehearsal(self.bundle, self.work / "rehearsal", recipe)
                print(f"rehearsing {share:.0%}: composed in {time.process_time() - began:.0f} s")
                windows["train"] = windows_of(prepared, recipe, "train", model, heard)
            if low_rank:
                before = seconds_per_update(model, windows["train"], recipe.settings["training"])
                after = seconds_per_update(narrowed(model), windows["train"], recipe.settings["training"])
                updates = round(recipe.settings["training"].updates * before / after)
                recipe = recipe.replace("training", updates=updates)
            training = recipe.settings["training"]
            history = fit(model, windows["train"], windows["valid"], training, folder, knows=start is not None)
        valid = held_out(model, windows["valid"])["bits per note"]
        rate, updates = training.learning_rate, training.updates
        return {
            **self.judged(model, prepared.codec),
            "valid": valid,
            "updates": updates,
            "best": history.best_update,
            "rate": rate,
        }

    def encoded(self, codec: Codec[Any]) -> Pieces:
        """The test pieces; codecs that keep the same tell them in other ids, and bits of either are bits of both."""
        rows = ((codec.encode(score), score.note_num()) for score in self.tests)
        return Pieces.write(self.work / "tests", rows, codec.spec)

    def retold(self, pieces: Pieces, told: Codec[Any], codec: Codec[Any]) -> Pieces:
        """Pieces that one codec told, told by another."""
        found = [(codec.encode(told.decode(pieces[n][1:-1])), int(pieces.notes[n])) for n in range(len(pieces))]
        return Pieces.write(self.work / "old", found, codec.spec)

    def judged(self, model: Any, codec: Codec[Any]) -> dict[str, Any]:
        """Bits a note of the test pieces, and of what was learnt before."""
        sets = {"test": self.encoded(codec)}
        if self.old is not None:
            told = self.bundle.codec()
            retold = codec.settings != told.settings  # in other ids; bits of either are bits of both
            sets["old"] = self.retold(self.old, told, codec) if retold else self.old
        return {name: held_out(model, Windows(pieces, 3072, 2))["bits per note"] for name, pieces in sets.items()}


def prompted(model: Predicts, corpus: Corpus, bundle: Bundle, tests: Pieces) -> float:
    """Bits a note of test pieces, a piece of the folder heard before each."""
    codec, rng = bundle.codec(), np.random.default_rng(0)
    spec = cast(TokenSpec, codec.spec)
    room = int(bundle.recipe["model"]["context"]) // 2 * spec.group
    pieces = [codec.encode(score) for score in corpus.scores(corpus.pieces("train"))]
    nats, notes = 0.0, 0
    for number in range(len(tests)):
        before: NDArray[np.int64] = pieces[int(rng.integers(len(pieces)))][-room:]
        x = np.concatenate([[spec.bos], before, np.asarray(tests[number][1:], dtype=np.int64)])[None]
        with torch.no_grad():
            found, _ = model.predict(Batch(torch.from_numpy(x), torch.ones(x.shape, dtype=torch.bool)))
        nats -= float(found[0, len(before) :].double().sum())
        notes += int(tests.notes[number])
    return nats / math.log(2) / notes


def folders(music: Path, sizes: Sequence[int], work: Path) -> tuple[dict[int, Path], list[Score]]:
    """A folder of so many pieces each, and the test pieces."""
    corpus = inspect(music)
    kept = corpus.kept
    order = np.random.default_rng(0).permutation(len(kept))
    drawn = [kept[number] for number in order]
    tests, rest = drawn[:TESTS], drawn[TESTS:]
    if len(rest) < max(sizes):
        raise SystemExit(f"{music} has {len(kept)} pieces; for a folder of {max(sizes)} take more, or --sizes.")
    made = {}
    for size in sizes:
        made[size] = work / f"folder-{size}"
        made[size].mkdir(parents=True, exist_ok=True)
        for number, piece in enumerate(rest[:size]):
            path = music / piece.path
            shutil.copyfile(path, made[size] / f"{number:03d}{path.suffix}")
    return made, list(corpus.scores(tests))


def main() -> None:
    """Print a row for each way and each folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("music", type=Path)
    parser.add_argument("--sizes", default="20,50,200")
    parser.add_argument("--old", type=Path)
    parser.add_argument(
        "--rows", default="as it came,prompted,all 5,all large 5,all 20% 5,low rank 5,nothing 5,nothing 30"
    )
    parser.add_argument("--work", type=Path, default=Path("runs") / "finetuning")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    bundle = open_bundle(chosen.model)
    sizes = [int(size) for size in chosen.sizes.split(",")]
    work = chosen.work / bundle.digest[:8] / chosen.music.name
    places, tests = folders(chosen.music, sizes, work)
    old = None if chosen.old is None else Pieces.open(chosen.old / "pieces" / "valid").at_most(OLD, seed=0)
    print("| pieces | learnt | updates | bits a note | … of what it knew before |\n|---:|---|---:|---:|---:|")
    for size, folder in places.items():
        trial = Trial(bundle, folder, tests, old, work)
        for row in chosen.rows.split(","):
            place = work / "rows" / f"{size}-{row.replace(' ', '-')}-{trial.of(row)}"
            found = kept(place, functools.partial(trial.learn, row))
            known = f"{found['old']:.3f}" if "old" in found else ""
            print(f"| {size} | {row} | {found.get('updates', '')} | {found['test']:.3f} | {known} |", flush=True)


if __name__ == "__main__":
    main()
