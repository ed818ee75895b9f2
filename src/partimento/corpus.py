"""The corpus doctor: a folder of music becomes checked, de-duplicated, split and counted pieces.

Every file of the folder is accounted for: it is kept, or left out with a reason. Files that repeat another, byte for
byte or as music, are left out; near-copies (another verse, arrangement or transcription) stay, but all on one side of
the split, since a model that is tested on what it has learnt shows nothing. The split follows from the music alone, not
from names or order. Reading happens in worker processes and is cached (`readings`); of a piece only a few numbers stay
in memory, never its score. Leaves out: judging whether the music is good.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from partimento import files
from partimento.errors import InvalidSettings, TooLittleMusic, Unreadable
from partimento.folders import find, shown
from partimento.passages import Trace, groups, near_copies, same_music
from partimento.progress import Progress, Watch, ignore
from partimento.readings import Cache, Taken, cache_folder, read_again, take_all, unpacked
from partimento.score import Score
from partimento.splits import LEAST_GROUPS, Split, split
from partimento.statistics import Summary

__all__ = ["Corpus", "LeftOut", "Piece", "cache_folder", "inspect"]

HERE_ALONE = ("source", "row", "score_hash")  # fields of a piece that are no part of the report


@dataclass(frozen=True)
class Piece:
    r"""A piece that serves.

    Attributes:
        path: below the folder, with "/" between names; bytes that are no UTF-8 are written as \xNN.
        sha256: of the file's bytes.
        split: "train", "valid" or "test".
        notes: how many there are.
        seconds: until the last note ends.
        repairs: what had to be mended to read it, a sentence each.
        bars: how many there are.
        tracks: those with notes.
        instruments: notes of each, by General MIDI name.
        metres: bars of each.
        tempo: quarter notes a minute, the one in force longest.
        key: e.g. "G major"; "" for drums alone.
        polyphony: mean of notes sounding at once.
        near_copies: path of the first of the pieces that are near-copies of one another; None for a piece on its own.
        source: the file itself.
        row: under what the cache keeps it.
        score_hash: of the score as it was read.
    """

    path: str
    sha256: str
    split: Split
    notes: int
    seconds: float
    repairs: tuple[str, ...]
    bars: int
    tracks: int
    instruments: dict[str, int]
    metres: dict[str, int]
    tempo: float
    key: str
    polyphony: float
    near_copies: str | None
    source: Path = field(repr=False)
    row: str = field(repr=False)
    score_hash: str = field(repr=False)


FACTS = (
    "notes",
    "seconds",
    "bars",
    "tracks",
    "instruments",
    "metres",
    "tempo",
    "key",
    "polyphony",
)  # taken as they are


@dataclass(frozen=True)
class LeftOut:
    """A file, or a folder that cannot be opened, that does not serve.

    Attributes:
        path: as a piece's.
        reason: why, in words a musician understands.
        advice: what could be done about it.
        kind: "unreadable", "not music", "duplicate" or "not drawn"; for counting.
    """

    path: str
    reason: str
    advice: str
    kind: str = field(repr=False)


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

    def pieces(self, split: Split) -> list[Piece]:
        """The pieces of one split, by path."""
        return [piece for piece in self.kept if piece.split == split]

    def require_enough(self) -> None:
        """See that there is enough to train on and to test with.

        Raises:
            TooLittleMusic: fewer than six pieces that differ from one another.
        """
        count = self.statistics["groups"]
        if count < LEAST_GROUPS:
            raise TooLittleMusic(
                f"{shown(self.folder)} has {count or 'no'} {'piece' if count == 1 else 'pieces'} that can be read and "
                f"that differ from one another; training needs at least {LEAST_GROUPS}: two to stop by, two to test "
                "with and two to learn from. `partimento inspect` says why files are left out."
            )

    def score(self, piece: Piece) -> Score:
        """The score of a piece as it was read, from the cache or, where that has lost it, from the file again.

        Raises:
            Unreadable: the file is gone or has changed since.
        """
        with Cache(_say_nothing) as cache:
            score = unpacked(cache.score(piece.row))
            if score is None:
                score = read_again(piece.source, piece.row, piece.score_hash, self.limits, cache)
        if score is None:
            raise Unreadable(
                f"{piece.path} has changed since it was read.", "Begin again with the folder as it is now."
            )
        return score

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
    doctor = _Doctor(folder)
    for kind, entries in (("unreadable", found.unreadable), ("not music", found.not_music)):
        doctor.left_out += [LeftOut(shown(path), reason, advice, kind) for path, reason, advice in entries]
    reading = _Reading(len(paths), watch)
    drawn = 0
    with Cache(reading.say) as cache:
        rows = take_all(folder, paths, limits=limits, cache=cache, workers=workers, settled=reading.settled)
        with closing(rows):
            for taken in rows:
                drawn += 1
                doctor.judge(taken)
                if len(doctor.kept) == sample:
                    break
    for path in paths[drawn:]:
        reason = "It was not drawn for the sample."
        doctor.left_out.append(LeftOut(shown(path), reason, "Ask for a larger sample to have it.", "not drawn"))
    reading.finish()
    return doctor.corpus(limits)


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


class _Doctor:
    """Judges files one by one, then groups, splits and counts what is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: list[Piece] = []  # of no split yet
        self.left_out: list[LeftOut] = []
        self.verdicts: dict[str, Piece | LeftOut] = {}  # by the key of a content
        self.traces: dict[str, Trace] = {}  # by path, as the next
        self.lowest: dict[str, int] = {}  # pitch; tells by how much a copy is transposed
        self.by_music: dict[str, Piece] = {}
        self.by_notes: dict[str, list[Piece]] = {}
        self.summary = Summary()

    def judge(self, taken: Taken) -> None:
        """Keep a file, or leave it out with a reason."""
        verdict = self._verdict(taken)
        self.verdicts.setdefault(taken.key, verdict)
        if isinstance(verdict, LeftOut):
            self.left_out.append(verdict)
        else:
            self.kept.append(verdict)

    def _verdict(self, taken: Taken) -> Piece | LeftOut:
        path, row = shown(taken.path), taken.row
        if row is None:
            first = self.verdicts[taken.key]
            if isinstance(first, Piece):
                return _duplicate(path, f"It repeats {first.path}, byte for byte.")
            return dataclasses.replace(first, path=path)
        if isinstance(row, Unreadable):
            return LeftOut(path, row.reason, row.advice, "unreadable")
        if "reason" in row.record:
            return LeftOut(path, row.record["reason"], row.record["advice"], "unreadable")
        facts, trace = row.record["facts"], row.trace
        lowest = next((pitch for pitch, count in enumerate(facts["pitches"]) if count), 0)
        same = self._same_music(trace)
        if same is not None:
            by = _transposed(lowest - self.lowest[same.path])
            return _duplicate(path, f"It is the same music as {same.path}{by}.")
        piece = Piece(
            path=path,
            sha256=taken.sha256,
            split="train",
            repairs=tuple(row.record["repairs"]),
            near_copies=None,
            source=self.folder / taken.path,
            row=taken.key,
            score_hash=row.record["score"],
            **{name: facts[name] for name in FACTS},
        )
        self.summary.add(facts)
        self.traces[path], self.lowest[path] = trace, lowest
        self.by_music[trace.music] = piece
        self.by_notes.setdefault(trace.notes, []).append(piece)
        return piece

    def _same_music(self, trace: Trace) -> Piece | None:
        """The piece kept before that is the same music, if there is one."""
        alike = self.by_notes.get(trace.notes, ())
        near = (piece for piece in alike if same_music(trace, self.traces[piece.path]))
        return self.by_music.get(trace.music) or next(near, None)

    def corpus(self, limits: files.Limits) -> Corpus:
        """Group, split and count what is kept."""
        kept = sorted(self.kept, key=lambda piece: piece.path)
        traces = [self.traces[piece.path] for piece in kept]
        group = groups(len(kept), near_copies(traces))  # of each piece the first of its group
        sizes = Counter(group)
        music: dict[int, str] = {}
        notes = Counter[int]()
        for piece, trace, first in zip(kept, traces, group, strict=True):
            music[first] = min(music.get(first, trace.music), trace.music)
            notes[first] += piece.notes
        splits = dict(zip(music, split(list(music.values()), [notes[first] for first in music]), strict=True))
        pieces = tuple(
            dataclasses.replace(piece, split=splits[first], near_copies=kept[first].path if sizes[first] > 1 else None)
            for piece, first in zip(kept, group, strict=True)
        )
        left_out = tuple(sorted(self.left_out, key=lambda left: left.path))
        digest = hashlib.sha256("\n".join(sorted(f"{p.sha256} {p.split} {p.score_hash}" for p in pieces)).encode())
        return Corpus(self.folder, pieces, left_out, self._statistics(pieces, sizes), digest.hexdigest(), limits)

    def _statistics(self, pieces: Sequence[Piece], sizes: Counter[int]) -> dict[str, Any]:
        counts: dict[str, dict[str, int]] = {name: {"pieces": 0, "notes": 0} for name in ("train", "valid", "test")}
        for piece in pieces:
            counts[piece.split]["pieces"] += 1
            counts[piece.split]["notes"] += piece.notes
        return {
            "files": len(pieces) + len(self.left_out),
            "kept": len(pieces),
            "left_out": dict(Counter(left.kind for left in self.left_out).most_common()),
            "repaired": sum(1 for piece in pieces if piece.repairs),
            "splits": counts,
            "groups": len(sizes),
            "near_copies": sum(size for size in sizes.values() if size > 1),
            "enough_to_train": len(sizes) >= LEAST_GROUPS,
            **self.summary.table(),
        }


def _duplicate(path: str, reason: str) -> LeftOut:
    return LeftOut(path, reason, "Nothing needs to be done: one of them is enough.", "duplicate")


def _transposed(semitones: int) -> str:
    if not semitones:
        return ""
    return f", {abs(semitones)} semitone{'s' * (abs(semitones) > 1)} {'higher' if semitones > 0 else 'lower'}"
