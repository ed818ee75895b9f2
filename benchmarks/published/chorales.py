"""The JSB chorales on a grid of sixteenths, four voices apart: nats for each voice and step, exactly, on whole pieces.

    python benchmarks/published/chorales.py --data FOLDER --minutes 60
    python benchmarks/published/chorales.py --data FOLDER --model transformer --device cuda --minutes 60
    python benchmarks/published/chorales.py --data FOLDER --mix nested second --keys 6
    python benchmarks/published/chorales.py --data FOLDER --model uniform

The protocol is that of Music Transformer (Huang et al. 2018) and Coconet (Huang et al. 2017): FOLDER has the file
`Jsb16thSeparated.json` of the repository czhuang/JSB-Chorales-dataset, its pieces as they are written there, not
transposed; each step has four symbols, soprano to bass, a pitch or a rest; each symbol's probability is by the chain
rule, given all before it in its piece, and every symbol counts alike, those of the first step included (foretold from
nothing). What a model gives to anything that is no symbol is lost to it. Weights are those of the best look at the
validation pieces; nothing is chosen on the test pieces, which are looked at once. Transposed copies are of the training
pieces alone.

A command that was broken off goes on where it was, when it is given again; one that is finished prints its row again.
Rows go into `chorales.json` beside this file, with the settings and the commit that made them. `--mix` makes a row of
finished ones: the mean of their probabilities, symbol by symbol; with `--keys`, each also reads the piece in that many
keys up and down, which is a mean of probabilities too (what lies beyond the symbols of a key has none there).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from rows import Tables, commit, finished, in_keys, keep, learnt, options, run, settings_of, show
from torch import nn

from partimento.atomic import write_text
from partimento.codec import TokenSpec
from partimento.errors import InvalidSettings, Unreadable
from partimento.model import Batch, Predicts, model_named
from partimento.pieces import Pieces
from partimento.settings import from_table
from partimento.windows import Windows

RESULTS = Path(__file__).parent / "chorales.json"
FILE = "Jsb16thSeparated.json"
SPLITS = ("train", "valid", "test")
VOICES, STEPS = 4, 16  # of a bar
LOW, HIGH = 30, 87  # pitches that the pieces, 36 to 81, have in any key up to a tritone away
REST = HIGH - LOW + 1
SYMBOLS = (0, REST + 1)
SPEC = TokenSpec(
    vocab_size=REST + 4,
    pad=REST + 1,
    bos=REST + 2,
    eos=REST + 3,
    group=VOICES,
    places=((SYMBOLS, (REST + 3, REST + 4)), *[(SYMBOLS,)] * (VOICES - 1)),
)

Ids = NDArray[np.int64]

# what each model begins with; `--set` says otherwise
SETTINGS: Tables = {
    "nested": {
        "model": {"layers": 4, "width": 256, "heads": 4, "dropout": 0.2, "inner": 128, "periods": [16, 48]},
        "training": {"length": 4096, "batch": 2, "learning_rate": 1.5e-3, "weight_decay": 0.1, "updates": 6000},
    },
    "transformer": {
        "model": {"layers": 4, "width": 192, "heads": 4, "dropout": 0.2, "periods": [4, 64], "lags": [4, 8]},
        "training": {"length": 2048, "batch": 4, "learning_rate": 1.5e-3, "weight_decay": 0.1, "updates": 6000},
    },
    "lstm": {
        "model": {"stack": ["cell 512", "norm", "dropout 0.3", "cell 512", "norm", "dropout 0.3"], "embedding": 256},
        "training": {"length": 1024, "batch": 8, "learning_rate": 3e-3, "weight_decay": 0.1, "updates": 3000},
    },
}
UNIFORM = "uniform"


def read_pieces(folder: Path) -> dict[str, list[Ids]]:
    """The pieces of each split as (T, 4) symbols, soprano first.

    Raises:
        Unreadable: the file is not there, or another.
    """
    try:
        found = json.loads((folder / FILE).read_text())
        return {split: [_symbols(np.array(piece, dtype=np.int64)) for piece in found[split]] for split in SPLITS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unreadable(
            f"{folder} has no {FILE}, or another: {error!r}.", "Fetch czhuang/JSB-Chorales-dataset again."
        ) from error


def _symbols(piece: Ids) -> Ids:
    if piece.ndim != 2 or piece.shape[1] != VOICES or ((piece >= 0) & ((piece < LOW) | (piece > HIGH))).any():
        raise ValueError("a piece is not steps of four pitches")
    return np.where(piece < 0, REST, piece - LOW)


def transposed(piece: Ids, semitones: int) -> Ids | None:
    """The piece that many semitones higher, or None where a pitch would have no symbol."""
    sounding = piece != REST
    moved = np.where(sounding, piece + semitones, REST)
    return moved if ((moved[sounding] >= 0) & (moved[sounding] < REST)).all() else None


def pieces_of(folder: Path, pieces: list[Ids], keys: int = 0, own: float = 1.0) -> tuple[Pieces, NDArray[np.float64]]:
    """Pieces in every key up to so many semitones away, and how often each copy is drawn: once a piece in all."""
    copies, weights = in_keys(pieces, transposed, keys, own)
    arrays = ((copy.reshape(-1), int((copy != REST).sum())) for copy in copies)
    return Pieces.write(folder, arrays, SPEC), weights


def log_probabilities(model: Predicts, piece: Ids, device: torch.device) -> NDArray[np.float64]:
    """(4 T,) nats of each symbol of a piece (T, 4)."""
    x = torch.from_numpy(np.concatenate([[SPEC.bos], piece.reshape(-1)]))[None].to(device)
    with torch.no_grad():
        return model.predict(Batch(x, torch.ones_like(x, dtype=torch.bool)))[0][0].double().cpu().numpy()


def mixed(models: list[Predicts], piece: Ids, keys: int, device: torch.device) -> NDArray[np.float64]:
    """(4 T,) nats of each symbol by the mean of what all models give in all keys that the symbols reach."""
    copies = [copy for n in range(-keys, keys + 1) if (copy := transposed(piece, n)) is not None]
    found = [log_probabilities(model, copy, device) for model in models for copy in copies]
    return np.asarray(np.logaddexp.reduce(found, axis=0) - np.log(len(found)))


def figures(models: list[Predicts], music: dict[str, list[Ids]], keys: int, device: torch.device) -> dict[str, float]:
    """Nats for each symbol, of the validation and of the test pieces."""
    found = {}
    for split in ("valid", "test"):
        nats = np.concatenate([mixed(models, piece, keys, device) for piece in music[split]])
        found[split] = round(float(-nats.mean()), 4)
    return found


def uniform(music: dict[str, list[Ids]]) -> dict[str, Any]:
    """All pitches of the pieces and the rest alike: shows that the measure is right."""
    known = len(np.unique(np.concatenate([piece.reshape(-1) for pieces in music.values() for piece in pieces])))
    nats = round(float(np.log(known)), 4)
    return {"set": "jsb16", "name": UNIFORM, "symbols": known, "valid": nats, "test": nats, "commit": commit()}


def measured(chosen: argparse.Namespace) -> dict[str, Any]:
    """The row of one command."""
    music = read_pieces(chosen.data)
    if chosen.model == UNIFORM:
        return uniform(music)
    if chosen.mix:
        return mixture(chosen, music)
    name = chosen.name or chosen.model
    folder = chosen.to / name
    done = folder / "row.json"
    if done.is_file():
        return finished(json.loads(done.read_text()), chosen, SETTINGS)
    pieces = {"valid": pieces_of(folder / "pieces" / "valid", music["valid"])}
    pieces["train"] = pieces_of(folder / "pieces" / "train", music["train"], chosen.transpose, chosen.own_key)
    training = settings_of(chosen, SETTINGS)[1]
    windows = {
        s: Windows(made, training.length, training.batch, training.seed, weights)
        for s, (made, weights) in pieces.items()
    }
    found = learnt(chosen, SETTINGS, folder, windows, SPEC)
    model = found.pop("model")
    device = torch.device(chosen.device)
    row = {
        "set": "jsb16",
        "name": name,
        "model": chosen.model,
        "transpose": chosen.transpose,
        "own_key": chosen.own_key if chosen.transpose else 1.0,
        "parameters": int(sum(array.size for array in model.arrays().values())),
        **figures([cast(Any, model.to(device).eval())], music, 0, device),
        **found,
        "device": device.type,
        "threads": chosen.threads,
        "commit": commit(),
    }
    write_text(done, json.dumps(row, indent=1) + "\n")
    return row


def mixture(chosen: argparse.Namespace, music: dict[str, list[Ids]]) -> dict[str, Any]:
    """A row of finished rows.

    Raises:
        InvalidSettings: one of them is not finished.
    """
    torch.set_num_threads(chosen.threads)
    device = torch.device(chosen.device)
    models: list[Predicts] = []
    rows = []
    for name in chosen.mix:
        folder = chosen.to / name
        if not (folder / "row.json").is_file():
            raise InvalidSettings(f"{folder} has no finished row to mix.")
        row = json.loads((folder / "row.json").read_text())
        cls = cast(Any, model_named(row["model"]))
        model = cls(from_table(cls.Settings, row["settings"]["model"], "model"), SPEC)
        model.load_arrays(safetensors.numpy.load_file(folder / "training" / "best.safetensors"))
        models.append(cast(Any, cast(nn.Module, model).to(device).eval()))
        rows.append(row)
    return {
        "set": "jsb16",
        "name": chosen.name or " + ".join(chosen.mix) + (f" in {2 * chosen.keys + 1} keys" if chosen.keys else ""),
        "mix": chosen.mix,
        "keys": chosen.keys,
        "parameters": sum(row["parameters"] for row in rows),
        "minutes": sum(row["minutes"] for row in rows),
        **figures(models, music, chosen.keys, device),
        "commit": commit(),
    }


def main() -> None:
    """Print one row, and keep it."""
    models = [*SETTINGS, UNIFORM]
    parser = options(__doc__.splitlines()[0], models, runs="chorales", results=RESULTS, unit="nats a symbol")
    parser.set_defaults(transpose=6, own_key=1 / 13)
    parser.add_argument("--data", type=Path, required=True, help=f"folder of {FILE}")
    parser.add_argument("--mix", nargs="+", metavar="NAME", help="finished rows to take the mean of")
    parser.add_argument("--keys", type=int, default=0, help="with --mix: read pieces in so many keys up and down too")
    chosen = parser.parse_args()
    row = run(lambda: measured(chosen))
    keep(row, chosen.results)
    show(row)


if __name__ == "__main__":
    main()
