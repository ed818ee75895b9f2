"""The doctor: judges pieces of music one by one, then groups, splits and counts what is kept.

A piece that repeats another, byte for byte or as music, is left out, and the reason names the one that stays. Of each
only a few numbers stay in memory, never its score.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from partimento.corpus.cache import Row
from partimento.corpus.folders import shown
from partimento.corpus.readings import Taken
from partimento.corpus.splits import LEAST_GROUPS, Split, split
from partimento.corpus.statistics import Summary
from partimento.errors import Unreadable
from partimento.passages import Trace, groups, near_copies, same_music

__all__ = ["Doctor", "LeftOut", "Piece"]

NOT_DRAWN, MORE = "It was not drawn for the sample.", "Ask for a larger sample to have it."


@dataclass(frozen=True)
class Piece:
    r"""A piece that serves.

    Attributes:
        path: below the folder, with "/" between names; bytes that are no UTF-8 are written as \xNN.
        tune: its number and title in a file that holds several (a tune book); "" for a file of its own.
        sha256: of the file's bytes.
        split: "train", "valid" or "test".
        notes: how many there are.
        seconds: until the last note ends.
        repairs: what had to be mended to read it, a phrase each.
        bars: how many there are.
        tracks: those with notes.
        instruments: notes of each, by General MIDI name.
        metres: bars of each.
        tempo: quarter notes a minute, the one in force longest.
        key: e.g. "G major"; "" for drums alone.
        polyphony: mean of notes sounding at once.
        near_copies: name of the first of the pieces that are near-copies of one another; None for a piece on its own.
        source: the file itself.
        row: under what the cache keeps it.
        number: its place among the file's pieces, from 0.
        score_hash: of the score as it was read.
    """

    path: str
    tune: str
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
    number: int = field(repr=False)
    score_hash: str = field(repr=False)

    @property
    def name(self) -> str:
        """What tells it from every other piece: its path and, in a tune book, its tune."""
        return f"{self.path}, tune {self.tune}" if self.tune else self.path


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


class Doctor:
    """Judges pieces one by one until there are as many as are wanted, then groups, splits and counts those kept."""

    def __init__(self, folder: Path, wanted: int | None) -> None:
        self.folder = folder
        self.wanted = wanted
        self.kept: list[Piece] = []  # of no split yet
        self.left_out: list[LeftOut] = []
        self.verdicts: dict[str, list[Piece | LeftOut]] = {}  # by the key of a content
        self.traces: dict[str, Trace] = {}  # by a piece's name, as the next
        self.lowest: dict[str, int] = {}  # pitch; tells by how much a copy is transposed
        self.by_music: dict[str, Piece] = {}
        self.by_notes: dict[str, list[Piece]] = {}
        self.summary = Summary()

    def judge(self, taken: Taken) -> None:
        """Keep the pieces of a file, or leave it or some of them out with a reason."""
        path = shown(taken.path)
        if isinstance(taken.rows, Unreadable):
            verdicts: list[Piece | LeftOut] = [LeftOut(path, taken.rows.reason, taken.rows.advice, "unreadable")]
        elif taken.rows is None:
            verdicts = self._repeated(path, self.verdicts[taken.key])
        else:
            verdicts = [self._verdict(path, taken, number, row) for number, row in enumerate(taken.rows)]
        self.verdicts.setdefault(taken.key, verdicts)
        self.kept += [verdict for verdict in verdicts if isinstance(verdict, Piece)]
        self.left_out += [verdict for verdict in verdicts if isinstance(verdict, LeftOut)]

    def leave_out(self, path: Path, reason: str, advice: str, kind: str) -> None:
        """Leave out what was not read at all."""
        self.left_out.append(LeftOut(shown(path), reason, advice, kind))

    def not_drawn(self, path: Path) -> None:
        """Leave out a file that the sample did not reach."""
        self.leave_out(path, NOT_DRAWN, MORE, "not drawn")

    def full(self) -> bool:
        """Whether as many pieces are kept as are wanted."""
        return self.wanted is not None and len(self.traces) >= self.wanted

    def _repeated(self, path: str, first: list[Piece | LeftOut]) -> list[Piece | LeftOut]:
        """The verdicts on a file whose content has come before."""
        kept = next((verdict for verdict in first if isinstance(verdict, Piece)), None)
        if kept is not None:
            return [_duplicate(path, f"It repeats {kept.path}, byte for byte.")]
        return [dataclasses.replace(verdict, path=path) for verdict in first]

    def _verdict(self, path: str, taken: Taken, number: int, row: Row) -> Piece | LeftOut:
        """Keep a piece, or leave it out with a reason."""
        record, tune = row.record, row.record["tune"]
        told = f"Tune {tune}: " if tune else ""
        if "reason" in record:
            return LeftOut(path, told + record["reason"], record["advice"], "unreadable")
        if self.full():
            return LeftOut(path, told + NOT_DRAWN, MORE, "not drawn")
        facts, trace = record["facts"], row.trace
        lowest = next((pitch for pitch, count in enumerate(facts["pitches"]) if count), 0)
        same = self._same_music(trace)
        if same is not None:
            by = _transposed(lowest - self.lowest[same.name])
            return _duplicate(path, f"{told}It is the same music as {same.name}{by}.")
        piece = Piece(
            path=path,
            tune=tune,
            sha256=taken.sha256,
            split="train",
            repairs=tuple(record["repairs"]),
            near_copies=None,
            source=self.folder / taken.path,
            row=taken.key,
            number=number,
            score_hash=record["score"],
            **{name: facts[name] for name in FACTS},
        )
        self.summary.add(facts)
        self.traces[piece.name], self.lowest[piece.name] = trace, lowest
        self.by_music[trace.music] = piece
        self.by_notes.setdefault(trace.notes, []).append(piece)
        return piece

    def _same_music(self, trace: Trace) -> Piece | None:
        """The piece kept before that is the same music, if there is one."""
        alike = self.by_notes.get(trace.notes, ())
        near = (piece for piece in alike if same_music(trace, self.traces[piece.name]))
        return self.by_music.get(trace.music) or next(near, None)

    def discharge(self) -> tuple[tuple[Piece, ...], tuple[LeftOut, ...], dict[str, Any]]:
        """Group, split and count what is kept: the pieces and what is left out, both by path, and statistics."""
        kept = sorted(self.kept, key=lambda piece: (piece.path, piece.number))
        traces = [self.traces[piece.name] for piece in kept]
        group = groups(len(kept), near_copies(traces))  # of each piece the first of its group
        sizes = Counter(group)
        music: dict[int, str] = {}
        notes = Counter[int]()
        for piece, trace, first in zip(kept, traces, group, strict=True):
            music[first] = min(music.get(first, trace.music), trace.music)
            notes[first] += piece.notes
        splits = dict(zip(music, split(list(music.values()), [notes[first] for first in music]), strict=True))
        pieces = tuple(
            dataclasses.replace(piece, split=splits[first], near_copies=kept[first].name if sizes[first] > 1 else None)
            for piece, first in zip(kept, group, strict=True)
        )
        left_out = tuple(sorted(self.left_out, key=lambda left: left.path))
        return pieces, left_out, self._statistics(pieces, sizes)

    def _statistics(self, pieces: Sequence[Piece], sizes: Counter[int]) -> dict[str, Any]:
        counts: dict[str, dict[str, int]] = {name: {"pieces": 0, "notes": 0} for name in ("train", "valid", "test")}
        for piece in pieces:
            counts[piece.split]["pieces"] += 1
            counts[piece.split]["notes"] += piece.notes
        return {
            "files": len({piece.path for piece in pieces} | {left.path for left in self.left_out}),
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
