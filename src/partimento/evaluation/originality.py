"""Originality: what a piece has in common with the music that a model learnt from, and whether that is more than usual.

A model that recites is worthless however well it plays, and no likelihood tells. After the "originality report" of
Yin, Reuben, Stepney and Collins (2021, "A good algorithm does not steal - it imitates"; 2022, "Measuring when a music
generation algorithm copies too much"): the same figures of people's pieces say how much borrowing is usual, and a
piece is judged beside those (`borrowing`). Theirs is one score for windows of a fixed number of beats, the largest
share of a window's notes that one translation lays over the training music; here passages have any length, are found
whole and named, and are heard in several ways, in some with the rhythm left free as in the symbolic fingerprints of
Collins, Arzt, Frostel and Widmer (2016, "Using geometric symbolic fingerprinting to discover distinctive patterns in
polyphonic music corpora"). Papadopoulos, Roy and Pachet (2014, "Avoiding plagiarism in Markov sequence generation")
bound the length of the longest copy while composing, which `TrainingIndex.copied_at_end` measures.

Conventions. A passage is a stretch of successive events, all that begins together being one (`passages.events`: time
in twelfths of a quarter note; lengths of notes, loudness, tempo, instruments and unison doublings do not count; drums
count where nothing else sounds). It is shared where the events are the same in any key, without gap. Its length is in
*notes*, the different pitches that begin in it, and in *bars* of the judged piece's own metre, from its first onset to
the onset after its last. Passages of fewer than 8 notes or 4 events (`passages.index`) are not counted: those are a
language's words. Windows of bars are those of `passages.bars`.

Leaves out: passages altered within (each alteration ends one), inner voices alone, inversion, retrograde, harmony and
form. What is found is likeness, which is not always borrowing, nor is borrowing always wrong.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.atomic import atomic_file
from partimento.errors import InvalidSettings, Unreadable
from partimento.passages.bars import WINDOWS, WindowIndex, windows
from partimento.passages.events import VOICES, Events, events
from partimento.passages.index import NOTES, PassageIndex, Runs
from partimento.score import Score, bar_lines, end_tick, excerpt

__all__ = ["IDIOM", "KINDS", "LONG", "Common", "Nearest", "Originality", "Passage", "TrainingIndex"]

LONG = 2 * NOTES  # notes of a large loan
IDIOM = 10  # pieces: what so many have in common is nobody's
KINDS = {  # the ways of hearing: of which voice, and whether the rhythm must agree
    "notes": ("texture", True),
    "pitch order": ("texture", False),
    "melody": ("melody", True),
    "melody's pitch order": ("melody", False),
}
FORMAT = 1  # of the file that an index is kept in
CANDIDATES = 16  # pieces looked at closely for the nearest

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Passage:
    """A passage that a piece shares with an indexed one.

    Attributes:
        notes: how many different pitches begin in it, in the judged piece.
        bars: its length in bars of the judged piece, e.g. 2.5.
        at: the bars of the judged piece in which it begins and in which its last event does; the first is 1.
        source: the name of the indexed piece.
        source_at: the bars there.
        semitones: by how many the judged piece lies higher.
    """

    notes: int
    bars: float
    at: tuple[int, int]
    source: str
    source_at: tuple[int, int]
    semitones: int


@dataclass(frozen=True)
class Common:
    """What a piece has in common with the indexed ones, heard in one way.

    Attributes:
        longest: the longest passage in notes, in any key; None where nothing is shared.
        exact: the longest in the same key.
        share: of the piece's notes, those that lie in a shared passage, 0 to 1.
        loan: how many notes are borrowed where a note lies: those of the longest shared passage that it lies in (0 if
            in none), less those of the longest that `IDIOM` pieces share there; on average over notes. A whole copy
            has nearly as many as notes, a piece sewn together from slices nearly as many as a slice.
        largest: the same where it is largest.
        lent: the share of notes where it is `LONG` or more.
    """

    longest: Passage | None
    exact: Passage | None
    share: float
    loan: float
    largest: int
    lent: float


@dataclass(frozen=True)
class Nearest:
    """The indexed piece that has most in common with a piece.

    Attributes:
        source: its name.
        share: of the judged piece's notes, those in passages that it has too, 0 to 1.
    """

    source: str
    share: float


@dataclass(frozen=True)
class Originality:
    """What a piece has in common with the indexed ones.

    Attributes:
        common: by the names of `KINDS`; without those of a melody where there is none.
        nearest: by pitch order; None where nothing is shared.
        shares: the share of windows of 1, 2 and 4 bars that occur in an indexed piece, in any key, 0 to 1; None where
            the piece has no such window.
        shares_exact: those in the same key.
        notes: how many the piece has, unison doublings counted once.
    """

    common: dict[str, Common]
    nearest: Nearest | None
    shares: dict[int, float | None]
    shares_exact: dict[int, float | None]
    notes: int

    @property
    def longest(self) -> Passage | None:
        """The longest shared passage by pitch order, in any key: none by pitch and rhythm is longer."""
        found = self.common.get("pitch order")
        return found.longest if found else None

    def to_json(self, flagged: bool | None) -> dict[str, Any]:
        """What a report says of a piece: plain values; `borrowing.People` gives `flagged`."""
        longest = self.longest
        return {
            "longest_copied_bars": round(longest.bars, 2) if longest else 0.0,
            "longest_copied_notes": longest.notes if longest else 0,
            "source": longest.source if longest else None,
            **{f"share_{bars}bar": self.shares[bars] for bars in WINDOWS},
            "flagged": flagged,
        }


class TrainingIndex:
    """The music that a model learnt from, ready for any piece to be judged by it.

    Attributes:
        names: of the pieces, all different.
    """

    def __init__(self, names: Sequence[str], voices: dict[str, PassageIndex], bars: WindowIndex) -> None:
        self.names = tuple(names)
        self._voices = voices
        self._bars = bars
        self._number = {name: number for number, name in enumerate(self.names)}
        if len(self._number) < len(self.names):
            twice = next(name for number, name in enumerate(self.names) if self._number[name] != number)
            raise InvalidSettings(f"Two pieces to index are named {twice}; each needs a name of its own.")

    @classmethod
    def of(cls, named_scores: Iterable[tuple[str, Score]]) -> TrainingIndex:
        """Index pieces.

        Args:
            named_scores: each piece's name, as a report shall call it, and its score; gone through once.

        Raises:
            InvalidSettings: two have one name.
        """
        names, heard, bars = [], [], []
        for name, score in named_scores:
            names.append(name)
            heard.append(events(score))
            bars.append(windows(score))
        voices = {voice: PassageIndex.of([piece.get(voice, []) for piece in heard]) for voice in VOICES}
        return cls(names, voices, WindowIndex.of(bars))

    @property
    def nbytes(self) -> int:
        """Bytes of memory that its arrays take."""
        return sum(part.nbytes for part in self._arrays().values())

    def judge(self, score: Score, without: Collection[str] = ()) -> Originality:
        """Find what a piece has in common with the indexed ones.

        Args:
            score: any piece.
            without: names of indexed pieces that do not count: its own and its near-copies', to judge a piece that is
                indexed by all the others.

        Raises:
            InvalidSettings: no piece is named so.
        """
        if unknown := [name for name in without if name not in self._number]:
            raise InvalidSettings(f"No piece of this index is named {unknown[0]}.")
        numbers = sorted(self._number[name] for name in without)
        heard, common, nearest = events(score), {}, None
        for voice, readings in heard.items():
            found = [_Found(self, voice, piece, numbers) for piece in readings]
            for kind in (kind for kind, (of, _) in KINDS.items() if of == voice):
                common[kind] = max((one.common(KINDS[kind][1]) for one in found), key=lambda known: known.share)
            if voice == "texture":
                nearest = max((one.nearest() for one in found), key=lambda known: known.share if known else 0.0)
        bars = windows(score)
        return Originality(
            common=common,
            nearest=nearest,
            shares={count: self._bars.share(bars, count, without=numbers) for count in WINDOWS},
            shares_exact={count: self._bars.share(bars, count, exact=True, without=numbers) for count in WINDOWS},
            notes=int(heard["texture"][0].notes.sum()) if heard else 0,
        )

    def copied_at_end(self, score: Score, most: int = 16) -> Passage | None:
        """The longest passage that a piece, as far as it is composed, ends with.

        Args:
            score: the piece so far, best up to a bar line: what begins together counts once it is complete.
            most: how many bars back to look; the passage may be longer.

        Returns:
            The passage, by pitch order and in any key, its bars counted from the piece's beginning; None where the
            end is new.
        """
        lines = bar_lines(score)
        skipped = max(len(lines) - most, 0)
        tail = excerpt(score, int(lines[skipped]), end_tick(score) + 1) if skipped else score
        ending = []
        for piece in events(tail).get("texture", []):
            found = _Found(self, "texture", piece, ())
            ending.append(found.longest(found.runs[found.runs.start + found.runs.length == len(piece)], skipped))
        return max((one for one in ending if one), key=lambda passage: passage.notes, default=None)

    def save(self, path: Path) -> None:
        """Write the index to one file (`.npz`)."""
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **self._arrays())  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> TrainingIndex:
        """Read an index that `save` wrote.

        Raises:
            Unreadable: the file is none, or of another version.
        """
        advice = "Make it again from the music that was learnt from."
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                parts = {name: archive[name] for name in archive.files}
            if int(parts["format"][0]) != FORMAT:
                raise Unreadable(f"{path} is an index of another version.", advice)
            names = bytes(parts["names"]).decode("utf-8", "surrogateescape").split("\0")[:-1]
            voices = {voice: PassageIndex(_under(parts, voice)) for voice in VOICES}
            return cls(names, voices, WindowIndex(_under(parts, "bars")))
        except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise Unreadable(f"{path} cannot be read as an index of passages.", advice) from error

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        text = "".join(f"{name}\0" for name in self.names).encode("utf-8", "surrogateescape")
        parts: dict[str, NDArray[np.generic]] = {
            "format": np.array([FORMAT]),
            "names": np.frombuffer(text, dtype=np.uint8),
        }
        each = {voice: index.arrays() for voice, index in self._voices.items()} | {"bars": self._bars.arrays()}
        for name, arrays in each.items():
            parts |= {f"{name}/{part}": array for part, array in arrays.items()}
        return parts


def _under(parts: dict[str, NDArray[np.generic]], name: str) -> dict[str, NDArray[np.generic]]:
    return {key.removeprefix(f"{name}/"): part for key, part in parts.items() if key.startswith(f"{name}/")}


class _Found:
    """What one reading of one voice of a piece shares with an index."""

    def __init__(self, training: TrainingIndex, voice: str, piece: Events, without: Sequence[int]) -> None:
        self.names, self.index, self.piece = training.names, training._voices[voice], piece
        self.before = np.concatenate([[0], np.cumsum(piece.notes, dtype=np.int64)])  # notes before each event
        self.runs = self.index.runs(piece, without)

    def _notes(self, runs: Runs) -> Ints:
        return np.asarray(self.before[runs.start + runs.length] - self.before[runs.start])

    def common(self, rhythm: bool) -> Common:
        runs = self.index.in_rhythm(self.piece, self.index.chief(self.runs)) if rhythm else self.runs
        notes = self.piece.notes.astype(np.int64)
        best, idiom = self._shared(self.index.chief(runs))
        loan = best - idiom
        return Common(
            longest=self.longest(runs),
            exact=self.longest(self.index.exact(self.piece, runs)),
            share=float(notes[best > 0].sum() / notes.sum()),
            loan=float((notes * loan).sum() / notes.sum()),
            largest=int(loan.max()),
            lent=float(notes[loan >= LONG].sum() / notes.sum()),
        )

    def _shared(self, runs: Runs) -> tuple[Ints, Ints]:
        """The notes of the longest run that each event lies in, (N,), and of the longest of `IDIOM` pieces' longest."""
        count = len(self.piece)
        best, idiom = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        if not len(runs):
            return best, idiom
        event = np.repeat(runs.start - np.cumsum(runs.length) + runs.length, runs.length) + np.arange(runs.length.sum())
        owner = np.repeat(self.index.piece_of(runs.found), runs.length)
        notes = np.repeat(self._notes(runs), runs.length)
        known = np.sort((event * len(self.names) + owner) << 24 | notes)
        known = known[np.append(known[1:] >> 24 != known[:-1] >> 24, True)]  # the longest of each piece
        event, notes = (known >> 24) // len(self.names), known & (1 << 24) - 1
        order = np.lexsort((-notes, event))
        event, notes = event[order], notes[order]
        rank = np.arange(len(event)) - np.searchsorted(event, event)
        best[event[rank == 0]] = notes[rank == 0]
        idiom[event[rank == IDIOM - 1]] = notes[rank == IDIOM - 1]
        return best, idiom

    def longest(self, runs: Runs, skipped: int = 0) -> Passage | None:
        """The longest of the runs; of equals the first in the piece, then in the index."""
        if not len(runs):
            return None
        best = int(np.argmax(self._notes(runs)))
        start, found, length = int(runs.start[best]), int(runs.found[best]), int(runs.length[best])
        place, bar = self.piece.place, self.index.bar
        return Passage(
            notes=int(self.before[start + length] - self.before[start]),
            bars=float(place[start + length] - place[start]),
            at=(int(place[start]) + 1 + skipped, int(place[start + length - 1]) + 1 + skipped),
            source=self.names[int(self.index.piece_of(runs.found[best : best + 1])[0])],
            source_at=(int(bar[found]), int(bar[found + length - 1])),
            semitones=int(self.piece.low[start]) - int(self.index.low[found]),
        )

    def nearest(self) -> Nearest | None:
        """The indexed piece whose passages hold most of the notes."""
        if not len(self.runs):
            return None
        owner = self.index.piece_of(self.runs.found)
        most = np.bincount(owner, weights=self._notes(self.runs))
        candidates = np.argsort(-most, kind="stable")[:CANDIDATES].tolist()
        shares = {number: self._held(self.runs[owner == number]) for number in candidates if most[number]}
        best = max(shares, key=lambda number: shares[number])
        return Nearest(self.names[best], shares[best])

    def _held(self, runs: Runs) -> float:
        """The share of the piece's notes that lie in runs."""
        inside = np.zeros(len(self.piece) + 1, dtype=np.int64)
        np.add.at(inside, runs.start, 1)
        np.add.at(inside, runs.start + runs.length, -1)
        return float(self.piece.notes[np.cumsum(inside)[:-1] > 0].sum() / self.before[-1])
