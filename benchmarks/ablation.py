"""What the flagship's form is worth: each part of it changed, within the same processor time.

    python benchmarks/ablation.py MUSIC --minutes 8 --work runs/ablation [--rows as-it-is,by-place]

Every row learns from the same training pieces of MUSIC on the codec `cells`, one thread, for as many updates as the
minutes of processor time have room for. Bits a note of held-out pieces, whole, exactly; the validation pieces choose
the weights, the test pieces nothing. A row that is there is not made again, so the command can be broken off between
two.

    as-it-is    the recipe nested, four blocks of 256: attention over events, half of it by musical time
    by-place    queries and keys turned by the number of the event alone
    distance    a learnt number for each head and distance instead
    no-headings no event is told its track and what is asked of it
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
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, trainers

from flagship import CELLS, COMMON, HEAD, kept, learnt, place, tell
from partimento.codec import TokenSpec
from partimento.codecs.cells.fields import vocabulary
from partimento.corpus import inspect
from partimento.pieces import Pieces
from partimento.recipes import Recipe, recipe_named
from partimento.training.preparing import Prepared, prepare

FLAT = ["model.name=transformer", "preparation.hidden=0", "model.context=1536", "model.dropout=0", "plan.sizes=[]"]
ROWS: dict[str, list[str]] = {
    "as-it-is": [],
    "by-place": ["model.positions=rotary"],
    "distance": ["model.positions=distance"],
    "no-headings": ["model.headings=false"],
    "not-hidden": ["preparation.hidden=0"],
    "3x192": ["plan.sizes=[]", "model.layers=3", "model.width=192", "model.heads=3"],
    "2x256": ["plan.sizes=[]", "model.layers=2"],
    "8x192": ["plan.sizes=[]", "model.layers=8", "model.width=192", "model.heads=3"],
    "3x384": ["plan.sizes=[]", "model.layers=3", "model.width=384", "model.heads=6"],
    "flat": FLAT,
    "flat-bpe": [*FLAT, "training.length=1024"],
}
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


def main() -> None:
    """Print a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("music", type=Path)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--work", type=Path, default=Path("runs") / "ablation")
    parser.add_argument("--rows", default=",".join(ROWS))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    corpus = inspect(chosen.music)
    print(HEAD.format("row"))
    for name in chosen.rows.split(","):
        recipe = recipe_named("nested").override([*COMMON, *CELLS, *ROWS[name]])
        folder = place(chosen.work / chosen.music.name, name, corpus, recipe, chosen.minutes)

        def learn(name: str = name, folder: Path = folder, recipe: Recipe = recipe) -> dict[str, Any]:
            prepared = prepare(corpus, recipe, folder / "encoded")
            if name.endswith("bpe"):
                prepared = merged(prepared, folder)
            return learnt(prepared, recipe, chosen.minutes, folder / "fit")

        tell(name, kept(folder, learn))


if __name__ == "__main__":
    main()
