"""Windows: encoded pieces on disk, and the batches that training draws from them; numpy alone.

All pieces lie end to end in one memory-mapped array, so that memory stays flat however much music there is. A batch is
a pure function of `(seed, update)`: a run that is killed and resumed draws what one never stopped would have drawn.

The classic tutorials (Skúli 2017, "How to generate music using a LSTM neural network in Keras") cut *every* overlapping
window of L ids and predict from each the one id after it: L inputs are read for each id that is learnt, and every id is
learnt once an epoch. Here windows do not overlap and *every* position of a window is predicted, from all that stands
before it in the window: the same ids are learnt, once an epoch, for one input read each, which is 1/L of the work. What
differs is the context: a position sees 0 to L-1 ids rather than always L, about L/2 on average; as the windows begin
elsewhere in each epoch, each position meets every length of context in turn, and L can be larger for the same work.

Leaves out: grids (a `RollSpec` would be rows of (channels, pitches) in the same file, without `bos` and `eos`).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from partimento.atomic import atomic_folder
from partimento.codec import TokenSpec
from partimento.errors import PartimentoError

FORMAT = "partimento pieces 1"
POOL = 16  # updates between whose batches windows are sorted by length; more of them saves padding, fewer mix better
LEAST_ROOM = 1 << 15  # held-out positions looked at together; recurrent networks are quicker with many pieces abreast

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]


class InvalidPieces(PartimentoError):
    """A folder of encoded pieces that is cut short, or that something else wrote."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} does not hold encoded pieces: {what}. Delete it and encode the music again.")


class Pieces:
    """Encoded pieces, memory-mapped, each with `bos` before and `eos` after it.

    Attributes:
        spec: what the ids mean.
        notes: (P,) notes in each piece, as its codec counts them.
        lengths: (P,) ids in each piece, `bos` and `eos` among them.
        digest: a hash of all this; equal for equal pieces.
    """

    def __init__(
        self, ids: NDArray[Any], starts: Ids, lengths: Ids, notes: Ids, *, spec: TokenSpec, digest: str
    ) -> None:
        self.ids = ids
        self.starts = starts
        self.lengths = lengths
        self.notes = notes
        self.spec = spec
        self.digest = digest

    @classmethod
    def write(cls, path: Path, arrays: Iterable[tuple[NDArray[np.int64], int]], spec: TokenSpec) -> Pieces:
        """Write pieces one after the other, in memory that does not grow with them, and open them.

        Args:
            path: a folder, made anew; it is there when all is written and not before. An old one is replaced.
            arrays: for each piece its ids as `Codec.encode` gives them, (T,), and how many notes it has.
            spec: what the ids mean.

        Raises:
            ValueError: an id that the spec does not have.
        """
        with atomic_folder(path) as made:
            with (made / "ids.npy").open("w+b") as file:
                lengths, notes, digest = _write_ids(file, arrays, spec)
            np.save(made / "index.npy", np.array([lengths, notes], dtype=np.int64).reshape(2, -1))
            facts = {"format": FORMAT, "spec": dataclasses.asdict(spec), "digest": digest}
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
            spec = TokenSpec(**facts["spec"])
            index = np.load(path / "index.npy", allow_pickle=False)
            ids = np.load(path / "ids.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidPieces(path, "a part is missing, cut short or not its own") from error
        fits = index.ndim == 2 and len(index) == 2 and ids.ndim == 1 and ids.dtype == _stored(spec)
        if not fits or int(index[0].sum()) != len(ids) or (index < 0).any():
            raise InvalidPieces(path, "its parts do not belong together")
        lengths, notes = index.astype(np.int64)
        return cls(ids, np.cumsum(lengths) - lengths, lengths, notes, spec=spec, digest=facts["digest"])

    def take(self, which: NDArray[np.integer[Any]]) -> Pieces:
        """Only the pieces of these numbers, in this order; the file is shared."""
        chosen = hashlib.blake2b(self.digest.encode() + self.starts[which].tobytes(), digest_size=16).hexdigest()
        return Pieces(
            self.ids, self.starts[which], self.lengths[which], self.notes[which], spec=self.spec, digest=chosen
        )

    def at_most(self, positions: int, seed: int) -> Pieces:
        """As many pieces, drawn by `seed`, as have this many positions together; one at least, all if they fit."""
        if self.positions <= positions:
            return self
        order = np.random.default_rng([seed, len(self)]).permutation(len(self))
        fitting = int(np.searchsorted(np.cumsum(self.lengths[order] - 1), positions, side="right"))
        return self.take(np.sort(order[: max(fitting, 1)]))

    @property
    def positions(self) -> int:
        """How many ids there are to predict: all but each piece's `bos`."""
        return int((self.lengths - 1).sum())

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, number: int) -> Ids:
        """The ids of one piece, (T,), `bos` first and `eos` last.

        Raises:
            IndexError: there is no piece of that number.
        """
        start = self.starts[number]
        return np.asarray(self.ids[start : start + self.lengths[number]], dtype=np.int64)


class Windows:
    """Batches of windows over pieces.

    Args:
        pieces: what to draw from.
        length: ids predicted in one window; what a model learns to remember is at most this far apart.
        batch: windows of that length trained on at once; more where they are shorter, so that each update weighs alike.
        seed: with it, and the number of the update, all is decided.
        weights: (P,) how often each piece occurs in an epoch, on average; once if None.
    """

    def __init__(
        self, pieces: Pieces, length: int, batch: int, seed: int = 0, weights: NDArray[np.floating[Any]] | None = None
    ) -> None:
        self.pieces = pieces
        self.length = length
        self.batch = batch
        self.seed = seed
        self.weights = np.ones(len(pieces)) if weights is None else np.asarray(weights, dtype=np.float64)
        expected = float((self.weights * (pieces.lengths - 1)).sum())
        self.updates_per_epoch = max(1, int(expected) // (length * batch))
        self._plan = functools.lru_cache(maxsize=2)(self._plan_epoch)

    def at(self, update: int) -> tuple[Ids, Mask]:
        """The batch of one update, numbered from 0.

        An epoch is `updates_per_epoch` updates; in it every position of every piece is predicted once (or by its
        weight). A piece longer than a window is cut at a random place anew in each epoch; a shorter one is never cut.
        Windows of like length come together, so that little is filled up.

        Returns:
            x (B, T) ids and mask (B, T), True where x is to be predicted.
        """
        epoch, index = divmod(update, self.updates_per_epoch)
        begin, length, edges = self._plan(epoch)
        rows = slice(edges[index], edges[index + 1])
        return self._gather(begin[rows], np.zeros_like(length[rows]), length[rows])

    def cover(self, context: int | None = None) -> Iterator[tuple[Ids, Mask]]:
        """Predict every position exactly once, as held-out figures need it.

        Args:
            context: how many ids a model can look back on. With None each window is a whole piece from its `bos`: each
                position is conditioned on all that precedes it in its piece. With a number, windows of that length
                overlap by half: each position is conditioned on at least `context // 2` ids, or all there are.

        Yields:
            x (B, T) ids and mask (B, T), True where x is to be predicted; what stands before that is context.
        """
        targets = self.pieces.lengths - 1
        longest = int(targets.max(initial=1)) if context is None else context
        stride = max(longest - longest // 2, 1)
        steps = 1 + np.maximum(-((longest - targets) // stride), 0)  # windows for each piece
        piece, nth = _unroll(steps)
        begin = nth * stride
        length = np.minimum(longest, targets[piece] - begin)
        skipped = np.where(nth == 0, 0, longest - stride)
        start = self.pieces.starts[piece] + begin
        order = np.argsort(-length, kind="stable")
        room = max(4 * self.batch * self.length, LEAST_ROOM)  # without gradients there is room for more at once
        first = 0
        while first < len(order):
            count = max(1, room // int(length[order[first]]))
            rows = order[first : first + count]
            yield self._gather(start[rows], skipped[rows], length[rows])
            first += count

    def _plan_epoch(self, epoch: int) -> tuple[Ids, Ids, Ids]:
        """Where each window of an epoch begins in `ids`, how many ids it predicts, and the edges of the batches."""
        rng = np.random.default_rng([self.seed, epoch])
        size = self.length
        times = np.floor(self.weights + rng.random(len(self.pieces))).astype(np.int64)
        drawn = np.repeat(np.arange(len(self.pieces)), times)
        targets = self.pieces.lengths[drawn] - 1
        lead = np.where(targets <= size, 0, rng.integers(0, size, len(drawn)))  # what the first window lacks
        which, nth = _unroll(-((-targets - lead) // size))
        begin = np.maximum(nth * size - lead[which], 0)
        length = np.minimum((nth + 1) * size - lead[which], targets[which]) - begin
        start = self.pieces.starts[drawn][which] + begin

        order = rng.permutation(len(start))
        updates = self.updates_per_epoch
        total = max(int(length.sum()), 1)
        pool = _share(length[order], updates, total) // POOL
        order = order[np.lexsort((length[order], pool))]
        batch = _share(length[order], updates, total)
        edges = np.searchsorted(batch, np.arange(updates + 1))
        shuffled = rng.permutation(updates)
        rows = np.concatenate([np.arange(edges[b], edges[b + 1]) for b in shuffled])
        edges = np.concatenate([[0], np.cumsum(np.diff(edges)[shuffled])])
        return start[order][rows], length[order][rows], edges

    def _gather(self, start: Ids, skipped: Ids, length: Ids) -> tuple[Ids, Mask]:
        """Windows beginning at `start` in `ids`, of which the ids after `skipped` + 1 up to `length` + 1 count."""
        steps = np.arange(int(length.max(initial=0)) + 1)
        inside = steps <= length[:, None]
        where = np.where(inside, start[:, None] + steps, 0)
        x = np.where(inside, self.pieces.ids[where], self.pieces.spec.pad).astype(np.int64)
        return x, inside & (steps > skipped[:, None])


def _share(length: Ids, updates: int, total: int) -> Ids:
    """Which of `updates` equal shares of all positions the middle of each window falls into, windows in this order."""
    middle = 2 * np.cumsum(length) - length
    return np.asarray(middle * updates // (2 * total))


def _unroll(counts: Ids) -> tuple[Ids, Ids]:
    """For counts (2, 3): owners (0, 0, 1, 1, 1) and their numbers (0, 1, 0, 1, 2)."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def _stored(spec: TokenSpec) -> np.dtype[Any]:
    """The smallest type that holds every id."""
    return np.dtype(np.uint16 if spec.vocab_size <= 1 << 16 else np.uint32)


def _write_ids(
    file: BinaryIO, arrays: Iterable[tuple[NDArray[np.int64], int]], spec: TokenSpec
) -> tuple[list[int], list[int], str]:
    """Write the array of all ids; the header's length is known only at the end and put in then (NEP 1 leaves room)."""
    dtype = _stored(spec)
    hashed = hashlib.blake2b(digest_size=16)
    lengths: list[int] = []
    notes: list[int] = []
    _write_header(file, dtype, 0)
    for ids, count in arrays:
        if ids.ndim != 1 or (len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < spec.vocab_size):
            raise ValueError(f"piece {len(lengths)} is not a row of ids below {spec.vocab_size}")
        row = np.concatenate([[spec.bos], ids, [spec.eos]]).astype(dtype).tobytes()
        file.write(row)
        hashed.update(row)
        lengths.append(len(ids) + 2)
        notes.append(count)
    file.seek(0)
    _write_header(file, dtype, sum(lengths))
    hashed.update(np.array(lengths, dtype=np.int64).tobytes())
    return lengths, notes, hashed.hexdigest()


def _write_header(file: BinaryIO, dtype: np.dtype[Any], count: int) -> None:
    header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)}
    npy.write_array_header_1_0(file, header)
