"""Training: the one loop that every model learns in, and what survives when it is killed.

An update is a function of the weights, the optimiser's state and its own number: batches are drawn by (seed, update)
(see `windows`), dropout draws from a generator seeded by (seed, update), the learning rate and the evaluations go by
the update's number. So it does not matter when a run was killed: it goes on from its last checkpoint and ends, on the
same machine, with the same bits. Leaves out: several devices, and mixed precision with loss scaling (float16).
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
import os
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from partimento.atomic import write_text
from partimento.errors import InvalidSettings, PartimentoError, TooLittleMusic
from partimento.model import Batch, Counted, Judged, Learns, Likelihood, Model, Predicts
from partimento.progress import Progress, Watch, ignore
from partimento.settings import to_table
from partimento.training.checkpoints import BEST, CHECKPOINTS, CURVES, keep_checkpoint
from partimento.training.learning import FREE, LAST, Diverged, Row, Run, Training, as_csv
from partimento.windows import Drawn, Windows

__all__ = [
    "Diverged",
    "History",
    "Interrupted",
    "RunExists",
    "Training",
    "fit",
    "held_out",
    "multiplies_bfloat16",
    "seconds_per_update",
    "seeded",
    "some_of",
]


class RunExists(PartimentoError):
    """A folder that already holds a run, or something else, where a new run was to begin."""


class Interrupted(PartimentoError):
    """Training that was asked to stop, and has saved where it was."""


@dataclasses.dataclass(frozen=True)
class History:
    """What came of a run.

    Attributes:
        rows: one for each look at the held-out pieces, with "update", "loss" (nats for each id, since the row before),
            "accuracy", "held-out loss", "held-out accuracy", "notes/s" and "seconds" (since the run began), as far as
            the model has them. Also in `curves.csv`.
        best_update: the update whose weights the model now has.
        ended_early: whether the held-out loss ended it before the last update.
    """

    rows: tuple[Row, ...]
    best_update: int
    ended_early: bool


@contextlib.contextmanager
def seeded(*seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Let torch draw from a generator with this seed inside, and go on outside as if nothing had been drawn.

    Example:
        >>> with seeded(1): a = torch.rand(2)
        >>> with seeded(1): b = torch.rand(2)
        >>> bool((a == b).all())
        True
    """
    devices = [torch.cuda.current_device()] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> 1))
        yield


def fit(
    model: Model,
    train: Windows,
    valid: Windows,
    training: Training,
    folder: Path,
    *,
    knows: bool = False,
    resume: bool = False,
    watch: Watch = ignore,
) -> History:
    """Train a model; it ends with the weights of the best held-out loss.

    Args:
        model: as its settings made it; with `resume` its weights are replaced by the checkpoint's.
        train: what it learns from.
        valid: what decides which weights are the best, and when to stop.
        training: how.
        folder: gets `last.safetensors` (to go on from), `best.safetensors` (`Model.arrays`), `curves.csv` and
            `checkpoints/` (see `checkpoints`).
        knows: the model has learnt before, and the weights that it comes with may turn out to be the best.
        resume: go on with the run in `folder`, or begin where there is none; one that is over learns no more.
        watch: hears of each update.

    Raises:
        RunExists: the folder holds a run and `resume` is False.
        InvalidSettings: the run in the folder was started with other settings or other music.
        TooLittleMusic: there is no piece to learn from, or none held out.
        Interrupted: Ctrl-C or SIGTERM; all is saved.
        Diverged: the loss is not a number any more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not resume and any((folder / name).exists() for name in (LAST, BEST, CURVES, CHECKPOINTS)):
        raise RunExists(f"{folder} already holds a training run: go on with it by --resume, or choose another folder.")
    if not len(train.pieces) or not len(valid.pieces):
        raise TooLittleMusic("Training needs at least one piece to learn from and one held out to judge by.")
    for leftover in (*folder.glob(".last-*.safetensors"), *folder.glob(".best-*.safetensors")):
        leftover.unlink()  # of a process killed while it wrote
    if isinstance(model, Counted):
        return _count(model, train, valid, folder, watch)
    module = _learning(model)
    device, precision = _place(training)
    module.to(device)
    run = Run(module, training, folder, _started_with(model, train, valid, training, device, precision), precision)
    if resume and (folder / LAST).exists():
        run.load()
    looked_at = to_look_at(valid, training)
    notes_per_id = float(train.pieces.notes.sum()) / max(train.pieces.positions, 1)
    first_pass = train.updates_per_epoch

    with _cores(training.threads), _stop_request() as stop:
        if run.update == 0:
            if knows:
                with seeded(training.seed, 0, device=device):
                    run.take_as_best(held_out(model, looked_at))
            run.save()
        while run.update < training.updates and not run.out_of_patience(first_pass):
            started = time.perf_counter()
            drawn = train.at(run.update)
            with seeded(training.seed, run.update, device=device):
                losses = run.learn(_batch(drawn, device))
            run.note(losses, ids=int(drawn.mask.sum()), seconds=time.perf_counter() - started)

            if run.update % training.looks_every == 0 or run.update == training.updates:
                with seeded(training.seed, run.update, device=device):
                    run.look(held_out(model, looked_at), notes_per_id)
            stopping = stop.is_set()
            if stopping or run.save_is_due:
                run.save()
            watch(Progress("Training", run.update, training.updates, "updates", run.facts(notes_per_id)))
            if stopping:
                raise Interrupted(
                    f"Training was stopped after {run.update} of {training.updates} updates, and nothing is lost: "
                    f"the same command with --resume goes on from there."
                )
        run.save()
    run.take_best()
    return History(tuple(run.rows), run.best_update, run.out_of_patience(first_pass) and run.update < training.updates)


def to_look_at(valid: Windows, training: Training) -> Windows:
    """What of the held-out pieces is looked at while training."""
    return some_of(valid, training.held_out_ids, training.seed)


def some_of(windows: Windows, positions: int, seed: int) -> Windows:
    """Windows to judge by over as many of their pieces, drawn by `seed`, as have this many positions together."""
    return Windows(windows.pieces.at_most(positions, seed), windows.length, windows.batch, align=windows.align)


def held_out(model: Model, windows: Windows, tell: Callable[[int], None] | None = None) -> dict[str, float]:
    """How well a model predicts pieces, each position once, from all that precedes it in its piece (see `cover`).

    Args:
        model: what predicts.
        windows: of the pieces.
        tell: hears again and again how many positions are done.

    Returns:
        "loss" (nats for each id or frame; its own figure of a model that is `Judged`), "ids" and "notes"; of a
        likelihood also "nats" and "bits per note" (all bits, `eos` and everything, divided by the notes); of a model
        that `Predicts`, "accuracy". Nothing of a model that has neither a likelihood, nor a figure, nor one loss.
    """
    module = model if isinstance(model, nn.Module) else None
    device = next(module.parameters()).device if module is not None else torch.device("cpu")
    nats, hits, ids = 0.0, 0, 0
    if module is not None:
        module.eval()
    with torch.no_grad():
        for drawn in windows.cover(getattr(model, "context", None)):
            batch = _batch(drawn, device)
            count = int(drawn.mask.sum())
            ids += count
            if isinstance(model, Predicts):
                nat, hit = model.predict(batch)
                nats -= nat.double().sum().item()
                hits += int(hit.sum())
            elif isinstance(model, Likelihood):
                nats -= model.log_likelihood(batch).double().sum().item()
            elif isinstance(model, Judged):
                nats += model.judge(batch).double().sum().item()
            elif isinstance(model, Learns) and len(model.sides()) == 1:
                (side,) = model.sides()
                nats += model.loss(batch, side)["loss"].item() * count
            else:
                return {}
            if tell is not None:
                tell(ids)
    notes = int(windows.pieces.notes.sum())
    facts = {"loss": nats / max(ids, 1), "ids": float(ids), "notes": float(notes)}
    if isinstance(model, Likelihood | Predicts):
        facts["nats"] = nats
        if notes:
            facts["bits per note"] = nats / math.log(2) / notes
    if isinstance(model, Predicts):
        facts["accuracy"] = hits / max(ids, 1)
    return facts


def seconds_per_update(model: Model, train: Windows, training: Training, most: float = 2.0) -> float:
    """Measure how long an update takes, on a copy of the model; the first does not count.

    Args:
        model: as it will be trained.
        train: as it will be trained on.
        training: as it will be trained.
        most: seconds that this may take once two updates are done.
    """
    if isinstance(model, Counted):
        return 0.0
    device, precision = _place(training)
    run = Run(_learning(copy.deepcopy(model)).to(device), training, Path(), {}, precision)
    seconds: list[float] = []
    with _cores(training.threads):
        began = time.perf_counter()
        for update in range(50):
            started = time.perf_counter()
            with seeded(training.seed, update, device=device):
                run.learn(_batch(train.at(update), device))
            seconds.append(time.perf_counter() - started)
            if update and time.perf_counter() - began > most:
                break
    return statistics.median(seconds[1:])


def _started_with(
    model: Model, train: Windows, valid: Windows, training: Training, device: torch.device, precision: torch.dtype
) -> dict[str, Any]:
    """All that decides what a run comes to, by the names that a user knows."""
    return {
        "model.name": model.name,
        **{f"model.{name}": value for name, value in to_table(model.settings).items()},
        **{f"training.{name}": value for name, value in to_table(training).items() if name not in FREE},
        "the device": device.type,
        "the precision": str(precision).removeprefix("torch."),
        "what ids mean": dataclasses.asdict(model.spec),
        "the music to learn from": f"{len(train.pieces)} pieces, {train.pieces.digest}",
        "the held-out music": f"{len(valid.pieces)} pieces, {valid.pieces.digest}",
        "how music is cut": [train.length, train.batch, train.seed, train.align, float(train.weights.sum())],
        "the share of what is told with hidden music": 0.0 if train.retold is None else float(train.retold[1]),
        "what is rehearsed": None if train.beside is None else [train.beside[0].pieces.digest, train.beside[1]],
        "how much ids count": None if train.importance is None else float(train.importance.sum()),
    }


def _count(model: Counted, train: Windows, valid: Windows, folder: Path, watch: Watch) -> History:
    """Let a model that counts read each piece once; there is nothing to go on from, it takes seconds."""
    started = time.perf_counter()
    pieces = train.pieces
    model.count(pieces[number] for number in range(len(pieces)))
    seconds = time.perf_counter() - started
    kept = cast(Model, model)
    row = {
        "update": 1.0,
        **{f"held-out {name}": v for name, v in held_out(kept, valid).items() if name in ("loss", "accuracy")},
    }
    row |= {"notes/s": float(pieces.notes.sum()) / max(seconds, 1e-9), "seconds": seconds}
    keep_checkpoint(folder, 1, kept.arrays(), best=True, apart=True)
    write_text(folder / CURVES, as_csv([row]))
    watch(Progress("Counting", len(pieces), len(pieces), "pieces", {n: v for n, v in row.items() if n != "update"}))
    return History((row,), best_update=1, ended_early=False)


def _learning(model: Model) -> nn.Module:
    if isinstance(model, nn.Module) and isinstance(model, Learns):
        return model
    raise TypeError(f"{type(model).__name__} learns neither by gradient nor by counting")


def _place(training: Training) -> tuple[torch.device, torch.dtype]:
    """Where to train and what to multiply in.

    Raises:
        InvalidSettings: a GPU is asked for and there is none, or numbers that a processor does not multiply.
    """
    gpu = torch.cuda.is_available()
    if training.device == "cuda" and not gpu:
        raise InvalidSettings("training.device = 'cuda', but torch finds no GPU; leave it at 'auto'.")
    device = torch.device("cuda" if gpu and training.device != "cpu" else "cpu")
    able = multiplies_bfloat16(device)
    if training.precision == "bfloat16" and not able:
        raise InvalidSettings(
            "training.precision = 'bfloat16', but this processor has no products in it, so that an update would take "
            "fifty times as long, if it can be had at all; leave it at 'auto'."
        )
    wanted = able if training.precision == "auto" else training.precision == "bfloat16"
    return device, torch.bfloat16 if wanted else torch.float32


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether products in bfloat16 are done by the machine itself."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def _batch(drawn: Drawn, device: torch.device) -> Batch:
    parts = (None if part is None else torch.from_numpy(part).to(device) for part in drawn)
    return Batch(*parts)  # type: ignore[arg-type]


@contextlib.contextmanager
def _cores(threads: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else before
    torch.set_num_threads(threads or available)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _stop_request() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets; a second Ctrl-C stops at once. Without effect outside the main thread."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(*_: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
