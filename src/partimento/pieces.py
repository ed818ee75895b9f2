"""Pieces: encoded music on disk, end to end in one memory-mapped array; numpy alone.

Memory stays flat however much music there is. Ids are stored in the smallest type that holds them, each piece with
`bos` before and `eos` after it; a grid's frames as packed bits, or as bytes where there is a plane of loudness.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from partimento.atomic import atomic_folder
from partimento.codec import RollSpec, Spec, TokenSpec
from partimento.errors import PartimentoError

FORMAT = "partimento pieces 3"
SPECS: dict[str, type[Any]] = {"tokens": TokenSpec, "roll": RollSpec}
LOUDEST = 127  # what a loudness of 1 is stored as

Ids = NDArray[np.int64]


class InvalidPieces(PartimentoError):
    """A folder of encoded pieces that is cut short, or that something else wrote."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} does not hold encoded pieces: {what}. Delete it and encode the music again.")


class Pieces:
    """Encoded pieces, memory-mapped: ids with `bos` before and `eos` after each piece, or frames.

    Attributes:
        spec: what the rows mean.
        notes: (P,) notes of each piece before it was encoded, those that its codec drops among them.
        lengths: (P,) rows in each piece, `bos` and `eos` among them.
        given: rows at the beginning of a piece that are never predicted: 1 of ids (`bos`), 0 of frames.
        digest: a hash of all this; equal for equal pieces.
    """

    def __init__(self, rows: NDArray[Any], starts: Ids, lengths: Ids, notes: Ids, *, spec: Spec, digest: str) -> None:
        self.rows = rows
        self.starts = starts
        self.lengths = lengths
        self.notes = notes
        self.spec = spec
        self.digest = digest
        self.given = int(isinstance(spec, TokenSpec))

    @classmethod
    def write(cls, path: Path, arrays: Iterable[tuple[NDArray[Any], int]], spec: Spec) -> Pieces:
        """Write pieces one after the other, in memory that does not grow with them, and open them.

        Args:
            path: a folder, made anew; it is there when all is written and not before. An old one is replaced.
            arrays: for each piece what `Codec.encode` gives, (T,) ids or (T, C, P) frames, and how many notes its score
                has.
            spec: what they mean.

        Raises:
            ValueError: an array that is not of the spec.
        """
        with atomic_folder(path) as made:
            with (made / "rows.npy").open("w+b") as file:
                lengths, notes, digest = _write_rows(file, arrays, spec)
            np.save(made / "index.npy", np.array([lengths, notes], dtype=np.int64).reshape(2, -1))
            kind = next(name for name, cls in SPECS.items() if isinstance(spec, cls))
            facts = {"format": FORMAT, "kind": kind, "spec": dataclasses.asdict(spec), "digest": digest}
            (made / "pieces.json").write_text(json.dumps(facts))
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Pieces:
        """Map what `write` wrote; nothing is read but the index.

        Raises:
            InvalidPieces: a part is missing, cut short or foreign.
        """
        try:
            facts = json.loads((path / "pieces.json").read_text())
            if facts["format"] != FORMAT:
                raise InvalidPieces(path, "another version of Partimento made it")
            spec: Spec = SPECS[facts["kind"]](**facts["spec"])
            index = np.load(path / "index.npy", allow_pickle=False)
            rows = np.load(path / "rows.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidPieces(path, "a part is missing, cut short or not its own") from error
        dtype, shape = _stored(spec)
        fits = index.ndim == 2 and len(index) == 2 and rows.dtype == dtype and rows.shape[1:] == shape
        if not fits or int(index[0].sum()) != len(rows) or (index < 0).any():
            raise InvalidPieces(path, "its parts do not belong together")
        lengths, notes = index.astype(np.int64)
        return cls(rows, np.cumsum(lengths) - lengths, lengths, notes, spec=spec, digest=facts["digest"])

    def take(self, which: NDArray[np.integer[Any]]) -> Pieces:
        """Only the pieces of these numbers, in this order; the file is shared."""
        chosen = hashlib.blake2b(self.digest.encode() + self.starts[which].tobytes(), digest_size=16).hexdigest()
        return Pieces(
            self.rows, self.starts[which], self.lengths[which], self.notes[which], spec=self.spec, digest=chosen
        )

    def at_most(self, positions: int, seed: int) -> Pieces:
        """As many pieces, drawn by `seed`, as have this many positions together; one at least, all if they fit."""
        if self.positions <= positions:
            return self
        order = np.random.default_rng([seed, len(self)]).permutation(len(self))
        fitting = int(np.searchsorted(np.cumsum(self.targets[order]), positions, side="right"))
        return self.take(np.sort(order[: max(fitting, 1)]))

    @property
    def targets(self) -> Ids:
        """(P,) rows of each piece that are predicted."""
        return self.lengths - self.given

    @property
    def positions(self) -> int:
        """How many rows there are to predict: every frame, or all ids but each piece's `bos`."""
        return int(self.targets.sum())

    def read(self, where: Ids) -> NDArray[Any]:
        """The rows at these places of the whole, of any shape: ids (…) int64, or frames (…, C, P) float32."""
        rows = self.rows[where]
        spec = self.spec
        if isinstance(spec, TokenSpec):
            return rows.astype(np.int64)
        cells = spec.channels * spec.pitches
        if spec.channels > 2:
            x = rows.astype(np.float32) / LOUDEST
        else:
            x = np.unpackbits(rows, axis=-1, count=cells).astype(np.float32)
        return x.reshape(*where.shape, spec.channels, spec.pitches)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, number: int) -> NDArray[Any]:
        """One piece: ids (T,), `bos` first and `eos` last, or frames (T, C, P).

        Raises:
            IndexError: there is no piece of that number.
        """
        start = self.starts[number]
        return self.read(np.arange(start, start + self.lengths[number]))


def _stored(spec: Spec) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The type and the shape of a row on disk: the smallest that holds it."""
    if isinstance(spec, TokenSpec):
        return np.dtype(np.uint16 if spec.vocab_size <= 1 << 16 else np.uint32), ()
    cells = spec.channels * spec.pitches
    return np.dtype(np.uint8), (cells if spec.channels > 2 else -(-cells // 8),)


def _packed(array: NDArray[Any], spec: Spec, number: int) -> NDArray[Any]:
    """A piece as it is stored.

    Raises:
        ValueError: it is not of the spec.
    """
    if isinstance(spec, TokenSpec):
        if array.ndim != 1 or (len(array) and not 0 <= int(array.min()) <= int(array.max()) < spec.vocab_size):
            raise ValueError(f"piece {number} is not a row of ids below {spec.vocab_size}")
        whole = np.concatenate([[spec.bos], array, [spec.eos]])
        return np.asarray(whole, dtype=_stored(spec)[0])
    if array.shape[1:] != (spec.channels, spec.pitches):
        raise ValueError(f"piece {number} is not a grid of {spec.channels} planes and {spec.pitches} pitches")
    flat = array.reshape(len(array), spec.channels * spec.pitches)
    if spec.channels > 2:
        return np.asarray(np.rint(flat * LOUDEST), dtype=np.uint8)
    return np.asarray(np.packbits(flat >= 0.5, axis=-1))


def _write_rows(
    file: BinaryIO, arrays: Iterable[tuple[NDArray[Any], int]], spec: Spec
) -> tuple[list[int], list[int], str]:
    """Write the array of all rows; the header's length is known only at the end and put in then (NEP 1 leaves room)."""
    hashed = hashlib.blake2b(digest_size=16)
    lengths: list[int] = []
    notes: list[int] = []
    _write_header(file, spec, 0)
    for array, count in arrays:
        packed = _packed(array, spec, len(lengths))
        row = packed.tobytes()
        file.write(row)
        hashed.update(row)
        lengths.append(len(packed))
        notes.append(count)
    file.seek(0)
    _write_header(file, spec, sum(lengths))
    hashed.update(np.array(lengths, dtype=np.int64).tobytes())
    return lengths, notes, hashed.hexdigest()


def _write_header(file: BinaryIO, spec: Spec, count: int) -> None:
    dtype, shape = _stored(spec)
    header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (count, *shape)}
    npy.write_array_header_1_0(file, header)
