"""What each field of an event costs a model, and how sure it is of what nearly always stays: where what it knows goes.

    python benchmarks/fields.py RUN MUSIC [--pieces 25] [--events 2500]

RUN is of a model that reads events in cells by groups (`nested`). Of as many test pieces of MUSIC, each from its
beginning: bits of each of the six ids, by kind of event, and how likely it held it that a bar's metre and its tempo are
those of the bar before, where they were, from the fifth bar on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast

import numpy as np
import torch

from partimento.bundle import open_bundle
from partimento.codecs.cells.fields import BAR, FIELDS, KINDS, NOTE, is_tempo, kinds
from partimento.corpus import inspect
from partimento.model import Batch, Predicts
from partimento.training.planning import new_model
from partimento.training.starting import begun, recipe_of

FIRST = 4  # bars that are not asked


def main() -> None:
    """Print a row for each kind of event, and one for each of what stays."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("music", type=Path)
    parser.add_argument("--pieces", type=int, default=25)
    parser.add_argument("--events", type=int, default=2500)
    chosen = parser.parse_args()
    bundle, corpus = open_bundle(chosen.model), inspect(chosen.music)
    codec = bundle.codec()
    model = cast(Predicts, begun(new_model(recipe_of(bundle), codec.spec), bundle))
    bits, count = np.zeros((len(KINDS), FIELDS)), np.zeros(len(KINDS))
    stays: dict[str, list[float]] = {"metre": [], "tempo": []}
    for score in corpus.scores(corpus.pieces("test")[: chosen.pieces]):
        x = codec.encode(score)[: FIELDS * chosen.events]
        row = torch.from_numpy(np.concatenate([[codec.spec.bos], x]))[None]
        with torch.no_grad():
            nats, _ = model.predict(Batch(row, torch.ones_like(row, dtype=torch.bool)))
        cost = -nats[0].double().numpy().reshape(-1, FIELDS) / np.log(2)
        events, kind = x.reshape(-1, FIELDS), kinds(x[::FIELDS])
        np.add.at(bits, kind, cost)
        np.add.at(count, kind, 1)
        bars = np.flatnonzero(kind == BAR)
        before, here = bars[FIRST - 1 : -1], bars[FIRST:]
        for field, name in enumerate(stays, start=1):
            same = events[here, field] == events[before, field]
            if name == "tempo" and not is_tempo(events[bars, field]).all():
                same = ~is_tempo(events[here, field])  # which says that it stays
            stays[name] += (2 ** -cost[here[same], field]).tolist()
    print(f"{bits.sum() / count[NOTE]:.3f} bits a note\n\n| event | of them | bits of each id | bits a note |")
    print("|---|---:|---|---:|")
    for name, number in KINDS.items():
        if count[number]:
            each = ", ".join(f"{value:.2f}" for value in bits[number] / count[number])
            print(f"| {name} | {count[number]:.0f} | {each} | {bits[number].sum() / count[NOTE]:.2f} |")
    print("\n| stays | bars | likely: median | in the worst tenth at most |\n|---|---:|---:|---:|")
    for name, likely in stays.items():
        if likely:
            print(f"| {name} | {len(likely)} | {np.median(likely):.3f} | {np.quantile(likely, 0.1):.3f} |")


if __name__ == "__main__":
    main()
