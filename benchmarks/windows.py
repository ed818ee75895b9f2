"""Every overlapping window and its last position, or windows end to end and every position: what each learns.

The classic tutorials predict the one id after each overlapping window of 100; Partimento predicts every position of
windows that do not overlap (see `partimento.windows`). Here one small LSTM, from the same first weights and with the
same optimiser, learns the same songs both ways, by one thread in float32, and both are judged on the same held-out
songs: by the tutorials' own measure, the id after each window of 100 from those 100 alone, and by ours, every id from
all that precedes it in its song.

    python benchmarks/windows.py MIDI_FOLDER --work runs/windows --seconds 300
    python benchmarks/windows.py MIDI_FOLDER --work runs/windows --report

Each way's curve is a JSON file of the work folder and is not measured again once it is there. Seconds are of processor
time, without the judging. Leaves out: the classic stacks themselves, for which overlapping windows take days.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from partimento.atomic import write_text
from partimento.corpus import inspect
from partimento.model import Batch
from partimento.models.lstm import Lstm
from partimento.pieces import Pieces
from partimento.recipes import recipe_named
from partimento.training.learning import Run, Training
from partimento.training.loop import held_out, seeded
from partimento.training.preparing import prepare
from partimento.windows import Windows

WINDOW = 100
STACK = ("cell 128", "dropout 0.3")
TRAINING = Training(
    optimiser="rmsprop", learning_rate=1e-3, schedule="constant", warmup=0.0, clip=None, length=WINDOW, keep="best"
)
WAYS = {
    "overlapping, last position, 128 windows": 128,
    "end to end, every position, 16 windows": 16,
    "end to end, every position, 2 windows": 2,
    "end to end, every position, 128 windows": 128,
}

Ids = NDArray[np.int64]


def every_window(pieces: Pieces) -> Ids:
    """(N, 101) every window of 100 within a song with the id after it; the tutorials know neither bos nor eos."""
    songs = [pieces[number][1:-1] for number in range(len(pieces))]
    cut = [np.lib.stride_tricks.sliding_window_view(song, WINDOW + 1) for song in songs if len(song) > WINDOW]
    return np.concatenate(cut)


def overlapping(pieces: Pieces, batch: int, seed: int) -> Callable[[int], Batch]:
    """The tutorials' batches: in each epoch every window of 100 within a song once, in an order of its own."""
    windows = every_window(pieces)
    mask = torch.zeros(batch, WINDOW + 1, dtype=torch.bool)
    mask[:, -1] = True
    updates = len(windows) // batch

    def at(update: int) -> Batch:
        epoch, index = divmod(update, updates)
        order = np.random.default_rng([seed, epoch]).permutation(len(windows))
        return Batch(torch.from_numpy(windows[order[index * batch :][:batch]]), mask)

    return at


def end_to_end(pieces: Pieces, batch: int, seed: int) -> Callable[[int], Batch]:
    """Our batches."""
    windows = Windows(pieces, WINDOW, batch, seed)

    def at(update: int) -> Batch:
        drawn = windows.at(update)
        return Batch(torch.from_numpy(drawn.x), torch.from_numpy(drawn.mask))

    return at


def after_each_window(model: Lstm, pieces: Pieces) -> float:
    """Mean nats of the id after each fourth window of 100 of the held-out songs, from those 100 alone."""
    windows = every_window(pieces)[::4]
    nats = 0.0
    with torch.no_grad():
        for rows in np.array_split(windows, math.ceil(len(windows) / 512)):
            h, _ = model.hidden(torch.from_numpy(rows[:, :-1].copy()))
            target = torch.from_numpy(rows[:, -1].copy())
            nats += torch.nn.functional.cross_entropy(model.head(h[:, -1]), target, reduction="sum").item()
    return nats / len(windows)


def looks() -> Iterator[int]:
    """Updates after which both measures are taken: two for each doubling, from the 8th on."""
    at = 8.0
    while True:
        yield round(at)
        at *= 2 ** (1 / 2)


def curve(way: str, train: Pieces, valid: Pieces, seconds: float, seed: int) -> list[dict[str, float]]:
    """Learn for so many seconds of processor time; a row for each look."""
    batch = WAYS[way]
    at = (overlapping if way.startswith("overlapping") else end_to_end)(train, batch, seed)
    with seeded(seed):
        model = Lstm(Lstm.Settings(input="embedding", embedding=64, stack=STACK), train.spec)  # type: ignore[arg-type]
    run = Run(model, TRAINING, Path(), {})
    judged = Windows(valid, WINDOW, batch)
    rows, spent, read, learnt, update, due = [], 0.0, 0, 0, 0, looks()
    look = next(due)
    while spent < seconds:
        began = time.process_time()
        drawn = at(update)
        with seeded(seed, update):
            run.learn(drawn, torch.float32)
        spent += time.process_time() - began
        read += drawn.x[:, 1:].numel()
        learnt += int(drawn.mask.sum())
        update += 1
        if update >= look:
            look = next(n for n in due if n > update)
            ours = held_out(model, judged)
            row = {"updates": update, "read": read, "learnt": learnt, "seconds": round(spent, 2)}
            model.eval()
            rows.append({**row, "after 100": after_each_window(model, valid), "whole songs": ours["loss"]})
            print(way, {name: round(value, 3) for name, value in rows[-1].items()}, flush=True)
    return rows


def report(curves: dict[str, list[dict[str, float]]]) -> str:
    """Two tables: the held-out loss for so many ids read, and the best of each way."""
    reads = [2**n * 100_000 for n in range(20)]
    reads = [read for read in reads if any(rows[-1]["read"] >= read for rows in curves.values())]
    lines = ["| ids read | " + " | ".join(curves) + " |", "|---:|" + "---:|" * len(curves)]
    for read in reads:
        cells = []
        for rows in curves.values():
            found = [row for row in rows if row["read"] <= read]
            cells.append(f"{found[-1]['after 100']:.3f}" if found and rows[-1]["read"] >= 0.9 * read else "")
        lines.append(f"| {read:,} | " + " | ".join(cells) + " |")
    lines += ["", "| way | best, after 100 | ids read | ids learnt | updates | s | best, whole songs | s |"]
    lines += ["|---|---:|---:|---:|---:|---:|---:|---:|"]
    for way, rows in curves.items():
        best = min(rows, key=lambda row: row["after 100"])
        whole = min(rows, key=lambda row: row["whole songs"])
        lines.append(
            f"| {way} | {best['after 100']:.3f} | {best['read']:,} | {best['learnt']:,} | {best['updates']:,} "
            f"| {best['seconds']:.0f} | {whole['whole songs']:.3f} | {whole['seconds']:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure what is not measured yet, or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", action="store_true")
    chosen = parser.parse_args()
    places = {way: chosen.work / f"{way.replace(', ', '-').replace(' ', '-')}.json" for way in WAYS}
    if not chosen.report:
        torch.set_num_threads(1)
        recipe = recipe_named("classic-note-lstm").override(["codec.instruments=first"])
        pieces: dict[str, Any] = prepare(inspect(chosen.folder), recipe, chosen.work / "encoded").pieces
        for way, place in places.items():
            if not place.exists():
                rows = curve(way, pieces["train"], pieces["valid"], chosen.seconds, chosen.seed)
                write_text(place, json.dumps(rows, indent=1) + "\n")
    print(report({way: json.loads(place.read_text()) for way, place in places.items() if place.exists()}))


if __name__ == "__main__":
    main()
