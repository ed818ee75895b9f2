"""Boltzmann machines on Boulanger-Lewandowski's sets: nats per frame, *estimated* by annealed importance sampling.

    python benchmarks/published/annealing.py jsb --data MAT_FOLDER --model rbm --minutes 10
    python benchmarks/published/annealing.py jsb --data MAT_FOLDER --model rnn_rbm --minutes 30

The figures stand in a table apart from those of `boulanger.py`: they are no chain rule but minus the log probability of
each frame given those before it, with the partition function of its machine estimated (see `partimento.boltzmann`),
which comes out too good rather than too bad. Frames, splits and scoring are otherwise the same: 88 keys, every frame
alike, the first included, weights chosen on the validation pieces (by pseudo-likelihood), test pieces looked at once.
Boulanger-Lewandowski et al. (2012, arXiv:1206.6392) estimate in the same way and have for the JSB chorales 7.43 (RBM)
and 6.27 (RNN-RBM). `--again` estimates once more with twice as many steps: what moves then was not to be trusted.

A command that was broken off goes on where it was; one that is finished prints its row again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from boulanger import KEYS, LOW, SETS, pieces_of, read_set
from numpy.typing import NDArray
from rows import commit, keep
from torch import Tensor

from partimento.atomic import write_text
from partimento.boltzmann import Machine, log_partition
from partimento.codec import RollSpec
from partimento.errors import PartimentoError
from partimento.models.rbm import Rbm
from partimento.models.rnn_rbm import RnnRbm
from partimento.progress import Progress
from partimento.settings import from_table, to_table
from partimento.training.learning import Training
from partimento.training.loop import fit, seconds_per_update, seeded
from partimento.windows import Windows

RESULTS = Path(__file__).parent / "annealing.json"
SPLITS = ("train", "valid", "test")
FRAMES = 512  # machines of the RNN-RBM that are annealed at once
MODELS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "rbm": (
        Rbm,
        {"steps": 1, "align": 1, "hidden": 150, "gibbs": 15, "chains": 128},
        {"length": 1, "batch": 256, "learning_rate": 2e-3, "optimiser": "adam"},
    ),
    "rnn_rbm": (
        RnnRbm,
        {"hidden": 150, "state": 150, "gibbs": 15},
        {"length": 64, "batch": 16, "learning_rate": 2e-3, "optimiser": "adamw", "weight_decay": 0.05},
    ),
}


def annealed(machine: Machine, chains: int, betas: int, seed: int) -> tuple[Tensor, Tensor]:
    """Log Z and its standard error, from runs that begin at the machine's visible units without what hidden ones share.

    The machine to begin at is the one whose biases have the mean field of hidden units that hear nothing.
    """
    base = machine.down(torch.sigmoid(machine.hidden))
    return log_partition(machine, base, chains=chains, betas=betas, generator=torch.Generator().manual_seed(seed))


def frames_of(model: Rbm | RnnRbm, pieces: list[NDArray[np.uint8]]) -> Iterator[tuple[Machine, Tensor]]:
    """Machines and the frames (N, 1, 88) to ask them for."""
    for piece in pieces:
        x = torch.from_numpy(piece.astype(np.float32))[None, :, None]  # (1, T, 1, 88)
        if isinstance(model, Rbm):
            yield model.machine(), x[0]
        else:
            yield model.machine(x, torch.ones(x.shape[:2], dtype=torch.bool)), x[0]


@torch.no_grad()
def estimate(
    model: Rbm | RnnRbm, pieces: list[NDArray[np.uint8]], chains: int, betas: int, seed: int
) -> dict[str, Any]:
    """Nats a frame, the standard error of the mean that sampling gives it, and the largest of a single frame."""
    found = list(frames_of(model, pieces))
    energy = torch.cat([machine.free_energy(v) for machine, v in found])
    if isinstance(model, Rbm):
        log_z, error = annealed(found[0][0], chains, betas, seed)
        return {"nats": (energy.double().mean() + log_z).item(), "error": error.item(), "worst": error.item()}
    weight = found[0][0].weight
    visible = torch.cat([machine.visible for machine, _ in found]).split(FRAMES)
    hidden = torch.cat([machine.hidden for machine, _ in found]).split(FRAMES)
    parts = [
        annealed(Machine(weight, b, c), chains, betas, seed + n)
        for n, (b, c) in enumerate(zip(visible, hidden, strict=True))
    ]
    log_z, error = (torch.cat(part) for part in zip(*parts, strict=True))
    return {
        "nats": (energy.double() + log_z).mean().item(),
        "error": (error.square().sum().sqrt() / len(error)).item(),
        "worst": error.max().item(),
    }


def trained(
    chosen: argparse.Namespace, folder: Path, music: dict[str, Any], spec: RollSpec
) -> tuple[Any, dict[str, Any]]:
    """The model, trained to the end, and what is to be said of that."""
    kind, model_settings, how = MODELS[chosen.model]
    tables = {"model": dict(model_settings), "training": dict(how)}
    tables["training"] |= {"threads": chosen.threads, "seed": chosen.seed, "patience": None, "held_out_ids": 1 << 40}
    for assignment in chosen.set:
        table, _, rest = assignment.partition(".")
        field, _, value = rest.partition("=")
        try:
            tables[table][field] = json.loads(value)
        except ValueError:
            tables[table][field] = value
    training = from_table(Training, tables["training"], "training")
    with seeded(training.seed):
        model = kind(from_table(kind.Settings, tables["model"], "model"), spec)
    windows = {}
    for split in SPLITS[:2]:
        pieces, weights = pieces_of(
            folder / "pieces" / split, spec, music[split], chosen.transpose * (split == "train")
        )
        align = {"align": model.align} if chosen.model == "rbm" else {}
        windows[split] = Windows(pieces, training.length, training.batch, training.seed, weights, **align)
    plan = folder / "plan.json"
    if not plan.is_file():
        seconds = seconds_per_update(model, windows["train"], training)
        updates = max(1, int(chosen.minutes * 60 / seconds)) if chosen.minutes else training.updates
        write_text(plan, json.dumps({"updates": updates}))
    updates = json.loads(plan.read_text())["updates"]
    training = from_table(Training, {**to_table(training), "updates": updates}, "training")
    history = fit(model, windows["train"], windows["valid"], training, folder / "training", resume=True, watch=Lines())
    settings = {"model": to_table(model.settings), "training": to_table(training)}
    return model.eval(), {"best_update": history.best_update, "minutes": history.rows[-1]["seconds"] / 60, **settings}


class Lines:
    """Prints a line at each look at the validation pieces."""

    last: float | None = None

    def __call__(self, progress: Progress) -> None:
        """Hear of an update."""
        found = progress.facts.get("held-out loss")
        if found is not None and found != self.last:
            self.last = found
            print(f"{progress.done:.0f} of {progress.total:.0f}: {found:.4f} nats of pseudo-likelihood", flush=True)


def main() -> None:
    """Print one row, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name_of_set", choices=SETS, metavar="SET", help=", ".join(SETS))
    parser.add_argument("--data", type=Path, required=True, help="folder of the four MATLAB files")
    parser.add_argument("--model", choices=MODELS, default="rnn_rbm")
    parser.add_argument("--to", type=Path, default=Path("runs/annealing"), help="folder of the runs")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--minutes", type=float, help="time to train; training.updates if not given")
    parser.add_argument("--transpose", type=int, default=0, help="semitones up and down")
    parser.add_argument("--chains", type=int, default=100)
    parser.add_argument("--betas", type=int, default=1000)
    parser.add_argument("--again", action="store_true", help="estimate once more, with twice as many steps")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.NAME=VALUE")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    kind = SETS[chosen.name_of_set]
    folder = chosen.to / f"{chosen.name_of_set}-{chosen.model}"
    try:
        music = read_set(chosen.data / kind.file)
        model, row = trained(chosen, folder, music, RollSpec(1, LOW, KEYS, kind.steps_per_beat))
    except PartimentoError as error:
        raise SystemExit(f"{error}") from error
    row = {"set": chosen.name_of_set, "name": chosen.model, **row, "commit": commit()}
    for betas in (chosen.betas, 2 * chosen.betas)[: 1 + chosen.again]:
        for split in SPLITS[1:]:
            found = estimate(model, music[split], chosen.chains, betas, chosen.seed)
            row[split] = {"chains": chosen.chains, "betas": betas, **found}
            print(
                f"{split}: {found['nats']:.3f} nats a frame, standard error {found['error']:.3f}, of the worst frame "
                f"{found['worst']:.2f} ({chosen.chains} runs of {betas} steps)",
                flush=True,
            )
    keep(cast(dict[str, Any], row), chosen.results)


if __name__ == "__main__":
    main()
