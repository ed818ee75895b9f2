"""The corpus doctor: a folder of music becomes checked, de-duplicated, split and counted pieces.

Every file of the folder is accounted for: it is kept, or left out with a reason; of a tune book each tune is. What
repeats something else, byte for byte or as music, is left out; near-copies (another verse, arrangement or
transcription) stay, but all on one side of the split, since a model that is tested on what it has learnt shows nothing.
The split follows from the music alone, not from names or order (`splits`). Reading happens in worker processes
(`readings`) and is kept (`cache`); the judging is the `doctor`'s. Leaves out: whether the music is good.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partimento import files
from partimento.corpus.cache import Cache, cache_folder
from partimento.corpus.doctor import Doctor, LeftOut, Piece
from partimento.corpus.folders import find, shown
from partimento.corpus.readings import kept_score, take_all, version
from partimento.corpus.splits import LEAST_GROUPS
from partimento.errors import InvalidSettings, TooLittleMusic
from partimento.progress import Progress, Watch, ignore
from partimento.score import Score

__all__ = ["Corpus", "LeftOut", "Piece", "cache_folder", "inspect"]

HERE_ALONE = ("source", "row", "number", "score_hash")  # fields of a piece that are no part of the report


@dataclass(frozen=True)
class Corpus:
    """What a folder of music holds.

    Attributes:
        folder: the folder.
        kept: the pieces that serve, by path.
        left_out: all other files, by path.
        statistics: what there is in it; plain values by name.
        digest: changes when the music that is kept, its split or how it is read does.
        limits: under which it was read.
    """

    folder: Path
    kept: tuple[Piece, ...]
    left_out: tuple[LeftOut, ...]
    statistics: dict[str, Any]
    digest: str
    limits: files.Limits

    def pieces(self, split: str) -> list[Piece]:
        """The pieces of one split ("train", "valid" or "test"), by path."""
        return [piece for piece in self.kept if piece.split == split]

    def require_enough(self) -> None:
        """See that there is enough to train on and to test with.

        Raises:
            TooLittleMusic: fewer than six pieces that differ from one another.
        """
        count = self.statistics["groups"]
        if count < LEAST_GROUPS:
            drawn = "not drawn" in self.statistics["left_out"]
            where = f"The sample of {shown(self.folder)}" if drawn else shown(self.folder)
            advice = "Take a larger --sample." if drawn else "`partimento inspect` says why files are left out."
            raise TooLittleMusic(
                f"{where} has {count or 'no'} {'piece' if count == 1 else 'pieces'} that can be read and "
                f"that differ from one another; training needs at least {LEAST_GROUPS}: two to stop by, two to test "
                f"with and two to learn from. {advice}"
            )

    def score(self, piece: Piece) -> Score:
        """The score of a piece as it was read; see `scores`."""
        return next(self.scores([piece]))

    def scores(self, pieces: Iterable[Piece]) -> Iterator[Score]:
        """The scores of pieces as they were read, from the cache or, where that has lost them, from the files again.

        Raises:
            Unreadable: a file is gone or has changed since.
        """
        with Cache(version(), _say_nothing) as cache:
            for piece in pieces:
                place = (piece.source, piece.row, piece.number, piece.score_hash)
                yield kept_score(cache, *place, self.limits, piece.name)

    def to_json(self) -> dict[str, Any]:
        """The whole report as plain values."""
        kept = [{f.name: getattr(piece, f.name) for f in dataclasses.fields(piece)} for piece in self.kept]
        return {
            "kept": [{name: value for name, value in piece.items() if name not in HERE_ALONE} for piece in kept],
            "left_out": [{"path": left.path, "reason": left.reason, "advice": left.advice} for left in self.left_out],
            "statistics": self.statistics,
        }


def _say_nothing(_: str) -> None:
    """What the cache cannot do was said when the folder was read."""


def inspect(
    folder: Path,
    *,
    sample: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    limits: files.Limits | None = None,
    watch: Watch = ignore,
) -> Corpus:
    """Look through a folder and all folders in it; nothing in it is changed.

    Args:
        folder: holds music; files of other kinds are listed as left out.
        sample: keep only this many pieces, drawn at random among the files that serve; all if None.
        seed: which random draw.
        workers: processes that read; as many as there are processors if None.
        limits: beyond which a file is refused; the usual ones if None.
        watch: hears how far the reading is, and of a cache that cannot be used.

    Raises:
        Unreadable: there is no such folder.
        InvalidSettings: a sample of less than one piece.
    """
    if sample is not None and sample < 1:
        raise InvalidSettings(f"A sample has at least 1 piece, not {sample}.")
    limits = limits or files.Limits()
    found = find(folder)
    paths = found.files if sample is None else _drawn(found.files, seed)
    doctor = Doctor(folder, sample)
    for kind, entries in (("unreadable", found.unreadable), ("not music", found.not_music)):
        for path, reason, advice in entries:
            doctor.leave_out(path, reason, advice, kind)
    reading = _Reading(len(paths), watch)
    drawn = 0
    with Cache(version(), reading.say) as cache:
        rows = take_all(folder, paths, limits=limits, cache=cache, workers=workers, settled=reading.settled)
        with closing(rows):
            for taken in rows:
                drawn += 1
                doctor.judge(taken)
                if doctor.full():
                    break
    for path in paths[drawn:]:
        doctor.not_drawn(path)
    reading.finish()
    kept, left_out, statistics = doctor.discharge()
    return Corpus(folder, kept, left_out, statistics, _digest(kept), limits)


def _digest(pieces: Sequence[Piece]) -> str:
    told = sorted(f"{piece.sha256} {piece.number} {piece.split} {piece.score_hash}" for piece in pieces)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _drawn(paths: Sequence[Path], seed: int) -> list[Path]:
    """The files in a random order, which those that are there keep when others come."""
    return sorted(paths, key=lambda path: hashlib.sha256(f"{seed} ".encode() + os.fsencode(path.as_posix())).digest())


class _Reading:
    """Tells the listener how far the reading is, ten times a second at most."""

    def __init__(self, total: int, watch: Watch) -> None:
        self.total = total
        self.watch = watch
        self.done = 0
        self.told = 0.0

    def settled(self) -> None:
        """One more file is done with."""
        self.done += 1
        if time.monotonic() - self.told >= 0.1:
            self.told = time.monotonic()
            self.say("")

    def say(self, remark: str) -> None:
        """Hand a sentence on."""
        self.watch(Progress("Reading files", self.done, self.total, "files", remark=remark))

    def finish(self) -> None:
        """All is read, or enough for the sample."""
        self.done = self.total
        self.say("")
