"""What the flagship's form is worth: each part of it changed, at equal compute.

    python benchmarks/ablation.py MUSIC --updates 900 --work runs/ablation [--rows as-it-is,by-place]

Every row learns from the same training pieces of MUSIC on the codec `cells`, one thread, the first for so many updates,
each other for as many as take it as long: what an update of each takes is measured first, the rows by turns, so that
whatever else the machine does slows them alike. Bits a note of held-out pieces, whole, exactly; the validation pieces
choose the weights, the test pieces nothing. What is measured and learnt is not made again, so the command can be broken
off between two rows.

    as-it-is    the recipe nested with two blocks of 256: attention over events, half of it by musical time
    by-place    queries and keys turned by the number of the event alone
    distance    a learnt number for each head and distance instead
    no-headings no event is told its track and what is asked of it
    no-returns  what followed when the same was told before is not looked for
    no-tallies  nor is counted how often each id was told lately
    tempo-told  every bar tells its tempo
    not-hidden  no cell is hidden, so that it cannot fill, and all of its time goes into what is measured here
    3x192 …     other depths and widths
    flat        attention over ids, six for each event: the plain Transformer, no cell hidden: beside `not-hidden`
    flat-bpe    the same over what pairs of ids become that often stand together (Gage 1994; Sennrich et al. 2016; for
                music Fradet et al. 2023, "Byte pair encoding for symbolic music"), 4,096 in all, no pair across a bar

What of `flat-bpe` is measured is the likelihood of one way of telling a piece, of the many that there are: its bits are
at most as many as stated.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, trainers

from flagship import CELLS, COMMON, by_processor_time, kept, place, planned
from partimento.codec import TokenSpec
from partimento.codecs.cells.fields import vocabulary
from partimento.corpus import Corpus, inspect
from partimento.pieces import Pieces
from partimento.recipes import recipe_named
from partimento.training.loop import seconds_per_update
from partimento.training.planning import new_model, windows_of
from partimento.training.preparing import Prepared, prepare

FLAT = [
    *("model.name=transformer", "model.context=1024", "model.dropout=0", "preparation.hidden=0"),
    *("training.length=1024", "training.batch=4"),
]
ROWS: dict[str, list[str]] = {
    "as-it-is": [],
    "no-returns": ["model.returns=[]"],
    "no-tallies": ["model.tallies=[]"],
    "tempo-told": ["codec.tempo_told=always"],
    "by-place": ["model.positions=rotary"],
    "distance": ["model.positions=distance"],
    "no-headings": ["model.headings=false"],
    "not-hidden": ["preparation.hidden=0"],
    "3x192": ["model.layers=3", "model.width=192", "model.heads=3"],
    "4x256": ["model.layers=4"],
    "8x192": ["model.layers=8", "model.width=192", "model.heads=3"],
    "3x384": ["model.layers=3", "model.width=384", "model.heads=6"],
    "flat": FLAT,
    "flat-bpe": FLAT,
}
ROUNDS = 5  # of timing
PAIRS = 4096  # ids of byte pair encoding
FIRST = 0x4E00  # characters that stand for ids


def merged(prepared: Prepared, folder: Path) -> Prepared:
    """The same pieces, told in ids of byte pair encoding, which is learnt from the training pieces."""
    bar = vocabulary().first("bar")

    def bars(x: NDArray[Any]) -> list[str]:
        """A piece without its beginning and its end, a text for each bar."""
        text = "".join(chr(FIRST + id) for id in x.tolist())
        return [chr(FIRST + bar) + part for part in text.split(chr(FIRST + bar))[1:]]

    def told(split: str) -> Iterator[NDArray[Any]]:
        pieces = prepared.pieces[split]
        for number in range(len(pieces)):
            yield pieces[number][1:-1]

    tokenizer = Tokenizer(models.BPE())
    alphabet = [chr(FIRST + id) for id in range(vocabulary().size)]
    trainer = trainers.BpeTrainer(vocab_size=PAIRS, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator((one for x in told("train") for one in bars(x)), trainer)
    size = tokenizer.get_vocab_size()
    spec = TokenSpec(size + 3, pad=size, bos=size + 1, eos=size + 2)
    pieces = {}
    for split, given in prepared.pieces.items():
        rows = (
            (np.array([id for one in tokenizer.encode_batch(bars(x)) for id in one.ids], dtype=np.int64), int(notes))
            for x, notes in zip(told(split), given.notes.tolist(), strict=True)
        )
        pieces[split] = Pieces.write(folder / "merged" / split, rows, spec)
    return dataclasses.replace(prepared, codec=cast(Any, SimpleNamespace(spec=spec)), pieces=pieces)


class Row:
    """A way, and what it learns from."""

    def __init__(self, name: str, corpus: Corpus, work: Path) -> None:
        self.name = name
        recipe = recipe_named("nested").override([*COMMON, *CELLS, "plan.sizes=[]", "model.layers=2", *ROWS[name]])
        self.folder = place(work, name, corpus, recipe, 0)
        self.prepared = prepare(corpus, recipe, self.folder / "encoded")
        if name.endswith("bpe"):
            self.prepared = merged(self.prepared, self.folder)
        self.recipe = recipe

    def seconds(self) -> float:
        """What an update takes of the processor."""
        model = new_model(self.recipe, self.prepared.codec.spec)
        windows = windows_of(self.prepared, self.recipe, "train", model)
        return seconds_per_update(model, windows, self.recipe.settings["training"], most=1.0)

    def learn(self, updates: int, share: float) -> dict[str, Any]:
        """Train and measure; `share` is what an update takes of one as it is."""
        recipe = self.recipe.replace("training", updates=updates)
        return {**planned(self.prepared, recipe, self.folder / "fit"), "share": share}


def timed(rows: Sequence[Row]) -> dict[str, float]:
    """What an update of each takes, beside one of the first."""
    with by_processor_time():
        rounds = [[row.seconds() for row in rows] for _ in range(ROUNDS)]
    return {
        row.name: float(np.median([seconds[number] / seconds[0] for seconds in rounds]))
        for number, row in enumerate(rows)
    }


def main() -> None:
    """Print a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("music", type=Path)
    parser.add_argument("--updates", type=int, default=900)
    parser.add_argument("--work", type=Path, default=Path("runs") / "ablation")
    parser.add_argument("--rows", default=",".join(ROWS))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    corpus = inspect(chosen.music)
    rows = [Row(name, corpus, chosen.work / chosen.music.name) for name in chosen.rows.split(",")]
    what = hashlib.sha256(" ".join(str(row.folder) for row in rows).encode()).hexdigest()[:8]
    shares = kept(chosen.work / chosen.music.name / f"shares-{what}", lambda: timed(rows))
    print("| row | parameters | an update takes | updates | valid | test |\n|---|---:|---:|---:|---:|---:|")
    for row in rows:
        updates = round(chosen.updates / shares[row.name])
        learn = functools.partial(row.learn, updates, shares[row.name])
        found = kept(row.folder / str(updates), learn)
        told = f"{found['parameters']:,} | {found['share']:.2f} | {found['updates']:,}"
        print(f"| {row.name} | {told} | {found['valid']:.3f} | {found['test']:.3f} |", flush=True)


if __name__ == "__main__":
    main()
