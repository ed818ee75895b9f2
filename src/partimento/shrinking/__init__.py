"""Shrinking: a bundle with its weights in fewer bits, which is smaller and plays faster; what that costs is measured.

What plays is in 8 bits as far as it is products (`products`), what can be learnt on from in 16. A shrunk bundle is a
bundle like any other: it composes, fills and is gone on from. How much worse it foretells music is measured with the
players themselves, of both, on the same pieces.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from partimento.bundle import Bundle, write_bundle
from partimento.codec import TokenSpec
from partimento.errors import ImpossibleRequest
from partimento.generation import open_player
from partimento.pieces import Pieces
from partimento.progress import Progress, Watch, ignore
from partimento.shrinking.products import LARGEST, shrink_graph

__all__ = ["Shrunk", "bits_per_note", "shrink"]

MOST = 40_000  # ids that are foretold to measure what shrinking costs
JOB = "Foretelling music"


@dataclass(frozen=True)
class Shrunk:
    """A bundle before and after.

    Attributes:
        bundle: the new one.
        bytes: of both.
        bits: a note, by the player of either; None where no music was given.
        notes: that were foretold.
    """

    bundle: Bundle
    bytes: tuple[int, int]
    bits: tuple[float, float] | None
    notes: int


def shrink(bundle: Bundle, folder: Path, pieces: Pieces | None, *, watch: Watch = ignore) -> Shrunk:
    """Write a bundle with its weights in fewer bits.

    Args:
        bundle: which one.
        folder: of the new one, new or empty.
        pieces: held-out music, encoded by its codec, to measure on; nothing is measured if None.
        watch: hears of progress.

    Raises:
        ImpossibleRequest: the bundle has no graphs, is shrunk already, or does not draw ids one by one.
        InvalidBundle: the folder holds something else.
    """
    graphs = sorted(bundle.player_folder.glob("*.onnx"))
    if "shrunk" in bundle.facts:
        raise ImpossibleRequest(f"{bundle.folder} is shrunk already.")
    if not graphs or not isinstance(bundle.codec().spec, TokenSpec):
        raise ImpossibleRequest(f"The model {bundle.model_name} has no products to shrink.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ImpossibleRequest(f"{folder} already holds something: choose a new folder.")

    smaller = {}
    for number, path in enumerate(graphs):
        watch(Progress("Shrinking", number, len(graphs), "graphs"))
        smaller[path.name] = shrink_graph(path)
    watch(Progress("Shrinking", len(graphs), len(graphs), "graphs"))

    def export(new: Path) -> str:
        shutil.copytree(bundle.player_folder, new, dirs_exist_ok=True)
        for name, graph in smaller.items():
            onnx.save(graph, new / name)
        return bundle.player_name

    facts = {**bundle.facts, "shrunk": "products in 8 bits, all other weights in 16", "shrunk_from": bundle.digest}
    written: dict[str, Any] = {
        "recipe": bundle.recipe,
        "codec_name": bundle.codec_name,
        "codec": bundle.codec(),
        "model_name": bundle.model_name,
        "arrays": {name: _sixteen(array) for name, array in bundle.arrays().items()},
        "export": export,
    }
    bits, notes = None, 0
    if pieces is not None:
        pieces = pieces.at_most(MOST, 0)
        with tempfile.TemporaryDirectory() as spare:
            tried = write_bundle(Path(spare) / "bundle", **written, facts=facts)
            before, after = (bits_per_note(one, pieces, watch) for one in (bundle, tried))
        bits, notes = (before, after), int(pieces.notes.sum())
        facts |= {"bits_per_note_before_shrinking": before, "bits_per_note_shrunk": after}
    made = write_bundle(folder, **written, facts=facts)
    return Shrunk(made, (_size(bundle), _size(made)), bits, notes)


def bits_per_note(bundle: Bundle, pieces: Pieces, watch: Watch = ignore) -> float:
    """How well a bundle's player foretells pieces: all bits of them over their notes.

    Args:
        bundle: draws ids one by one.
        pieces: encoded by its codec; whole, from their first id.
        watch: hears of progress.
    """
    stepper, nats, done = open_player(bundle), 0.0, 0
    for number in range(len(pieces)):
        ids, state = pieces[number], stepper.start(1)
        for place in range(len(ids) - 1):
            logits, state = stepper.step(ids[place : place + 1], state)
            row = logits[0].astype(np.float64)
            nats += float(np.logaddexp.reduce(row) - row[ids[place + 1]])
            done += 1
            if done % 256 == 0:
                watch(Progress(JOB, done, pieces.positions, "ids"))
    watch(Progress(JOB, pieces.positions, pieces.positions, "ids"))
    return float(nats / math.log(2) / int(pieces.notes.sum()))


def _sixteen(array: NDArray[Any]) -> NDArray[Any]:
    """The same in 16 bits, where they can say it."""
    if array.dtype != np.float32 or np.abs(array).max(initial=0) >= LARGEST:
        return array
    return array.astype(np.float16)


def _size(bundle: Bundle) -> int:
    return sum(path.stat().st_size for path in bundle.folder.rglob("*") if path.is_file())
