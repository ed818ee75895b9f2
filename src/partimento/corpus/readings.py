"""Readings: what reading a file gives, in worker processes, for each file that the cache does not know.

A worker returns one `Row` for each piece of a file (tune books hold many): what the piece is like (`statistics.facts`),
what it is recognised by (`passages.Trace`) and the score itself. Rows are kept under a key made of the file's content,
its kind, the limits and the code that reads; so a file that is renamed or copied is not read again, and one that has
changed is.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from partimento import files
from partimento.corpus.cache import Cache, Row, Rows, packed, unpacked
from partimento.corpus.statistics import facts
from partimento.errors import Unreadable
from partimento.isolation import isolated
from partimento.passages import trace
from partimento.score import Score, note_array
from partimento.versions import code_version

__all__ = ["Taken", "content_hash", "kept_score", "read_again", "score_hash", "take", "take_all", "version"]

CODE = (  # what a row depends on, below the package
    *("files", "score.py", "keys.py", "passages/lines.py", "passages/traces.py"),
    *("corpus/statistics.py", "corpus/readings.py", "corpus/cache.py"),
)
LIBRARIES = ("symusic", "verovio")
SECONDS, MEGABYTES = 20.0, 2048  # the most that reading one file may take


def take(item: tuple[str, files.Limits]) -> Rows:
    """Read one file; what a worker does. A refusal comes back as a row as well, so that it can be kept."""
    path, limits = item
    try:
        pieces = files.read_each(Path(path), limits)
    except Unreadable as refusal:
        pieces = (("", refusal),)
    several = len(pieces) > 1
    return tuple(
        _row(f"{number} {title}".strip() if several else "", reading)
        for number, (title, reading) in enumerate(pieces, start=1)
    )


def _row(tune: str, reading: files.Reading | Unreadable) -> Row:
    """What is kept of one piece."""
    if isinstance(reading, Unreadable):
        return Row({"tune": tune, "reason": reading.reason, "advice": reading.advice})
    notes = note_array(reading.score)
    seen = trace(notes, reading.score.ticks_per_quarter)
    record = {
        "tune": tune,
        "facts": facts(reading.score, notes),
        "repairs": list(reading.repairs),
        "score": score_hash(reading.score),
        "music": seen.music,
        "notes": seen.notes,
    }
    return Row(record, seen.sketches.astype("<u4").tobytes(), packed(reading.score))


def score_hash(score: Score) -> str:
    """A hash of all that a score has but texts, equal for equal scores."""
    digest = hashlib.sha256(repr(score.ticks_per_quarter).encode())
    lists: list[tuple[str, Any]] = [
        ("score", score.tempos),
        ("score", score.time_signatures),
        ("score", score.key_signatures),
    ]
    for track in score.tracks:
        kind = f"{track.program} {track.is_drum}"
        lists += [(kind, events) for events in (track.notes, track.controls, track.pitch_bends, track.pedals)]
    for kind, events in lists:
        digest.update(f"{kind} {len(events)};".encode())
        for column in events.numpy().values() if len(events) else ():
            digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Taken:
    """A file with what reading it gave.

    Attributes:
        path: relative to the folder.
        sha256: of its bytes; empty where it cannot be opened.
        key: under what the cache keeps its rows.
        rows: what reading it gave, of each piece in it, or why there is nothing where it could not be opened or the
            worker crashed or took too long; None for a file whose content has come before, under the same key.
    """

    path: Path
    sha256: str
    key: str
    rows: Rows | Unreadable | None


def take_all(
    folder: Path,
    paths: Iterable[Path],
    *,
    limits: files.Limits,
    cache: Cache,
    workers: int | None = None,
    settled: Callable[[], None] = lambda: None,
) -> Generator[Taken]:
    """Read files in worker processes, but for those that the cache knows; in the order of `paths`, lazily.

    Args:
        folder: where they lie.
        paths: relative to the folder, of known suffixes.
        limits: beyond which a file is refused.
        cache: gives and keeps rows.
        workers: processes; as many as there are processors if None.
        settled: called whenever one more file needs no reading any more.
    """
    queue: deque[tuple[Taken, bool]] = deque()  # in order, each with whether it waits for a worker
    asked: set[str] = set()

    def unread() -> Iterator[tuple[str, files.Limits]]:
        """Queue each file, and yield those that must be read."""
        for path in paths:
            taken, waits = _look_up(folder, path, limits, cache, asked)
            queue.append((taken, waits))
            if waits:
                yield str(folder / path), limits
            else:
                settled()

    for _, result in isolated(take, unread(), workers=workers, seconds=SECONDS, megabytes=MEGABYTES):
        while not queue[0][1]:
            yield queue.popleft()[0]
        taken = queue.popleft()[0]
        settled()
        if isinstance(result, Unreadable):  # it may be the machine's fault, and is tried again another time
            yield replace(taken, rows=result)
        else:
            cache.put(taken.key, result)
            yield replace(taken, rows=tuple(Row(row.record, row.sketches) for row in result))
    yield from (taken for taken, _ in queue)


def kept_score(
    cache: Cache, source: Path, key: str, number: int, expected: str, limits: files.Limits, name: str
) -> Score:
    """A score as it was read, from the cache or, where that has lost it, from the file again.

    Args:
        cache: may have it.
        source: the file.
        key: of its rows.
        number: which of its pieces is wanted, from 0.
        expected: what the `score_hash` of that piece was.
        limits: under which it was read.
        name: the piece's, for the error.

    Raises:
        Unreadable: the file is gone or has changed since.
    """
    score = unpacked(cache.score(key, number))
    if score is None:
        score = read_again(source, key, number, expected, limits, cache)
    if score is None:
        raise Unreadable(f"{name} has changed since it was read.", "Begin again with the music as it is now.")
    return score


def read_again(source: Path, key: str, number: int, expected: str, limits: files.Limits, cache: Cache) -> Score | None:
    """Read one file whose scores the cache has lost, and keep them.

    Args:
        source: the file.
        key: of its rows.
        number: which of its pieces is wanted, from 0.
        expected: what the `score_hash` of that piece was.
        limits: under which it was read.
        cache: keeps the row.

    Returns:
        The score; None where the file no longer gives it.
    """
    for _, rows in isolated(take, [(str(source), limits)], workers=1, seconds=SECONDS, megabytes=MEGABYTES):
        if not isinstance(rows, Unreadable) and number < len(rows) and rows[number].record.get("score") == expected:
            cache.put(key, rows)
            return unpacked(rows[number].score)
    return None


def _look_up(folder: Path, path: Path, limits: files.Limits, cache: Cache, asked: set[str]) -> tuple[Taken, bool]:
    """What is known of a file before it is read, and whether it must be."""
    try:
        sha256 = content_hash(folder / path)
    except OSError as error:
        refusal = Unreadable(f"It cannot be opened ({error.strerror}).", "Give yourself the right to read it.")
        return Taken(path, "", "", refusal), False
    key = row_key(sha256, files.SUFFIXES[path.suffix.lower()], limits)
    if key in asked:
        return Taken(path, sha256, key, None), False
    asked.add(key)
    rows = cache.get(key)
    return Taken(path, sha256, key, rows), rows is None


def content_hash(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def row_key(sha256: str, kind: str, limits: files.Limits) -> str:
    """Under what a file's row is kept.

    Args:
        sha256: the hash of its content.
        kind: its format's name.
        limits: under which it was read.
    """
    return hashlib.sha256(repr((sha256, kind, limits, version())).encode()).hexdigest()


def version() -> str:
    """The version of the code that reads: rows of another are of no use."""
    return code_version(*CODE, libraries=LIBRARIES)
