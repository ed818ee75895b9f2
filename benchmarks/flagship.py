"""The flagship beside every autoregressive classic on one codec, within the same processor time.

    python benchmarks/flagship.py MUSIC --minutes 5 --work runs/flagship [--systems nested,lstm,gru,rnn,markov]

Each system learns from the same training pieces of MUSIC on the codec `cells`, one thread, for as many updates as the
minutes of processor time have room for (measured before, as `train --minutes` measures the clock). Bits a note of
held-out pieces, whole, exactly; the validation pieces choose the weights, the test pieces nothing. A row that is there
is not made again, so the command can be broken off between two.

What each classic gets on this codec: windows as long in music as on its own (six ids are an event), its own optimiser,
and the better of its own learning rate and a lower one, by the validation pieces. On codecs of their own, which keep
less of a note and so have less to foretell, are `lstm-tokens`, `lstm-chords`, `rnn-nade` and `biaxial`: their bits are
of other things, and stand apart.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch

from partimento.atomic import write_text
from partimento.corpus import Corpus, inspect
from partimento.model import Counted
from partimento.recipes import Recipe, recipe_named
from partimento.training import loop, planning
from partimento.training.loop import fit, held_out
from partimento.training.planning import new_model, plan, windows_of
from partimento.training.preparing import Prepared, prepare

COMMON = ["training.threads=1"]
CELLS = ["codec.name=cells", "codec.tempo_told=changed", "codec.align=true"]
LONGER = [*CELLS, "training.length=768", "training.batch=8"]
SYSTEMS: dict[
    str, list[tuple[str, list[str]]]
] = {  # ways of learning, of which the best on the validation pieces counts
    "nested": [("nested", CELLS)],
    **{name: [(name, LONGER), (name, [*LONGER, "training.learning_rate=0.004"])] for name in ("lstm", "gru", "rnn")},
    "markov": [("markov", CELLS)],
    "lstm-tokens": [("lstm", [])],
    "lstm-chords": [("chords", [])],
    "rnn-nade": [("rnn-nade", [])],
    "biaxial": [("biaxial", [])],
}


@contextmanager
def by_processor_time() -> Iterator[None]:
    """Let minutes be minutes of the processor, whatever else the machine does."""
    clock = types.SimpleNamespace(perf_counter=time.process_time)
    before = loop.time, planning.time
    loop.time = planning.time = cast(Any, clock)
    try:
        yield
    finally:
        loop.time, planning.time = before


def learnt(prepared: Prepared, recipe: Recipe, minutes: float, folder: Path) -> dict[str, Any]:
    """Train for some minutes of processor time, and measure on the validation and the test pieces."""
    with by_processor_time():
        recipe, _ = plan(recipe, prepared, minutes)
        return planned(prepared, recipe, folder)


def planned(prepared: Prepared, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Train for as many updates as the recipe says, and measure on the validation and the test pieces."""
    shutil.rmtree(folder, ignore_errors=True)  # of a row that was broken off
    model = new_model(recipe, prepared.codec.spec)
    windows = {split: windows_of(prepared, recipe, split, model) for split in ("train", "valid", "test")}
    began = time.process_time()
    history = fit(model, windows["train"], windows["valid"], recipe.settings["training"], folder)
    seconds = time.process_time() - began
    found = {split: held_out(model, windows[split]) for split in ("valid", "test")}
    return {
        "parameters": int(sum(array.size for array in model.arrays().values())),
        "updates": 0 if isinstance(model, Counted) else recipe.settings["training"].updates,
        "best_update": history.best_update,
        "minutes": seconds / 60,
        **{split: figures["bits per note"] for split, figures in found.items()},
    }


def place(work: Path, name: str, corpus: Corpus, recipe: Recipe, minutes: float) -> Path:
    """The folder of a row: another for other music, another recipe or other minutes."""
    what = json.dumps([corpus.digest, recipe.to_tables(), minutes], sort_keys=True)
    return work / f"{name}-{hashlib.sha256(what.encode()).hexdigest()[:8]}"


def kept(folder: Path, learn: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The row that a folder has, learnt now where it has none."""
    done = folder / "row.json"
    if not done.is_file():
        write_text(done, json.dumps(learn(), indent=1) + "\n")
    return dict(json.loads(done.read_text()))


HEAD = "| {} | parameters | updates | minutes | valid | test |\n|---|---:|---:|---:|---:|---:|"


def tell(name: str, row: dict[str, Any]) -> None:
    """Print a row."""
    print(
        f"| {name} | {row['parameters']:,} | {row['updates']:,} | {row['minutes']:.1f} |",
        f"{row['valid']:.3f} | {row['test']:.3f} |",
        flush=True,
    )


def main() -> None:
    """Print a row for each system."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("music", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--work", type=Path, default=Path("runs") / "flagship")
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    corpus = inspect(chosen.music)
    print(HEAD.format("system"))
    for system in chosen.systems.split(","):
        rows = []
        for number, (name, settings) in enumerate(SYSTEMS[system]):
            recipe = recipe_named(name).override([*COMMON, *settings])
            folder = place(chosen.work / chosen.music.name, f"{system}-{number}", corpus, recipe, chosen.minutes)

            def learn(recipe: Recipe = recipe, folder: Path = folder) -> dict[str, Any]:
                return learnt(prepare(corpus, recipe, folder / "encoded"), recipe, chosen.minutes, folder / "fit")

            rows.append(kept(folder, learn))
        tell(system, min(rows, key=lambda row: float(row["valid"])))


if __name__ == "__main__":
    main()
