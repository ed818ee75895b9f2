"""Readings: what reading a file gave, made once and kept.

A worker process reads a file and returns one `Row`: what the piece is like (`statistics.facts`), what it is recognised
by (`passages.Trace`) and the score itself. The cache keeps rows in an SQLite file outside the music's folder, under a
key made of the file's content, its kind, the limits and the code that reads; so a file that is renamed or copied is not
read again, and one that has changed is. A cache is a convenience: a damaged one is moved aside and begun anew, one that
cannot be written is done without, and both are said.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np

from partimento import files
from partimento.errors import Unreadable
from partimento.isolation import isolated
from partimento.passages import SKETCH, Trace, trace
from partimento.score import Score, note_array
from partimento.statistics import facts

__all__ = ["Cache", "Row", "Taken", "cache_folder", "read_again", "take_all", "unpacked"]

CODE = ("files", "notation", "repair", "score", "passages", "statistics", "readings")  # what a row depends on
LIBRARIES = ("symusic", "verovio")
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
SECONDS, MEGABYTES = 20.0, 2048  # the most that reading one file may take
WAITING_ROWS, WAITING_BYTES = 256, 8_000_000  # written together


@dataclass(frozen=True)
class Row:
    """What reading one file gave, ready to be kept.

    Attributes:
        record: plain values: "facts", "repairs", "score" (its `score_hash`), and "music" and "notes" of its trace; or
            "reason" and "advice" where the file cannot serve.
        sketches: the sketches of its trace, as bytes.
        score: the score, packed; empty where it is not at hand.
    """

    record: dict[str, Any]
    sketches: bytes = b""
    score: bytes = b""

    @property
    def trace(self) -> Trace:
        """What the piece is recognised by."""
        sketches = np.frombuffer(self.sketches, dtype="<u4").astype(np.uint32).reshape(-1, SKETCH)
        return Trace(self.record["music"], self.record["notes"], sketches)


def take(item: tuple[str, files.Limits]) -> Row:
    """Read one file; what a worker does. A refusal comes back as a row as well, so that it can be kept."""
    path, limits = item
    try:
        reading = files.read(Path(path), limits)
        notes = note_array(reading.score)
        if not len(notes):
            raise Unreadable("It holds no notes.", "Leave it out.")
    except Unreadable as refusal:
        return Row({"reason": refusal.reason, "advice": refusal.advice})
    seen = trace(notes, reading.score.ticks_per_quarter)
    record = {
        "facts": facts(reading.score, notes),
        "repairs": list(reading.repairs),
        "score": score_hash(reading.score),
        "music": seen.music,
        "notes": seen.notes,
    }
    return Row(record, seen.sketches.astype("<u4").tobytes(), packed(reading.score))


@dataclass(frozen=True)
class Taken:
    """A file with what reading it gave.

    Attributes:
        path: relative to the folder.
        sha256: of its bytes; empty where it cannot be opened.
        key: under what the cache keeps its row.
        row: what reading it gave or, where the worker crashed or took too long, why there is none; None for a file
            whose content has come before, under the same key.
    """

    path: Path
    sha256: str
    key: str
    row: Row | Unreadable | None


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
        if isinstance(result, Row):  # else it may be the machine's fault, and is tried again another time
            cache.put(taken.key, result)
            result = Row(result.record, result.sketches)
        settled()
        yield replace(taken, row=result)
    yield from (taken for taken, _ in queue)


def read_again(source: Path, key: str, expected: str, limits: files.Limits, cache: Cache) -> Score | None:
    """Read one file whose score the cache has lost, and keep it.

    Args:
        source: the file.
        key: of its row.
        expected: what its `score_hash` was.
        limits: under which it was read.
        cache: keeps the row.

    Returns:
        The score; None where the file no longer gives it.
    """
    for _, result in isolated(take, [(str(source), limits)], workers=1, seconds=SECONDS, megabytes=MEGABYTES):
        if isinstance(result, Row) and result.record.get("score") == expected:
            cache.put(key, result)
            return unpacked(result.score)
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
    row = cache.get(key)
    return Taken(path, sha256, key, row), row is None


def packed(score: Score) -> bytes:
    """A score as symusic serialises it, after the hash of those bytes; not the same twice (there is padding in it)."""
    state: bytes = score.__getstate__()
    return hashlib.sha256(state).digest() + state


def unpacked(data: bytes) -> Score | None:
    """The inverse of `packed`; None where a byte is missing or has changed."""
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        return None
    score = Score.__new__(Score)
    score.__setstate__(data[32:])
    return score


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
    return hashlib.sha256(repr((sha256, kind, limits, _reader())).encode()).hexdigest()


@functools.cache
def _reader() -> str:
    """The version of the code that reads: rows of another are of no use."""
    digest = hashlib.sha256()
    for name in CODE:
        source = resources.files("partimento") / f"{name}.py"
        digest.update(source.read_bytes() if source.is_file() else b"-")
    for library in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            digest.update(f"{library} {metadata.version(library)}".encode())
    return digest.hexdigest()


def cache_folder() -> Path:
    """Where whatever can be made again is kept: `$XDG_CACHE_HOME/partimento`, else `~/.cache/partimento`."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if Path(home).is_absolute() else Path.home() / ".cache") / "partimento"


class Cache:
    """Rows on disk, shared by all processes of a user.

    Args:
        say: hears a sentence when the cache is damaged or cannot be used; nothing is raised, and what cannot be kept
            is read again another time.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.path = cache_folder() / "readings-1.sqlite3"
        self.say = say
        self.waiting: list[tuple[str, str, str, bytes, bytes]] = []
        self.waiting_bytes = 0
        self.cleared = False
        self.connection: sqlite3.Connection | None = None
        with self._guarded():
            self._open()

    def get(self, key: str) -> Row | None:
        """The row kept under a key, without its score; None if there is none."""
        found = self._fetch("SELECT record, sketches FROM readings WHERE key = ?", key)
        try:
            return Row(json.loads(found[0]), found[1]) if found else None
        except ValueError:  # damaged where SQLite does not see it
            return None

    def score(self, key: str) -> bytes:
        """The score kept under a key, packed; empty if there is none."""
        found = self._fetch("SELECT score FROM readings WHERE key = ?", key)
        return bytes(found[0]) if found else b""

    def put(self, key: str, row: Row) -> None:
        """Keep a row; it is written with others, at the latest by `flush`."""
        self.waiting.append((key, _reader(), json.dumps(row.record), row.sketches, row.score))
        self.waiting_bytes += len(row.score)
        if len(self.waiting) >= WAITING_ROWS or self.waiting_bytes >= WAITING_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits, in one transaction."""
        with self._guarded():
            if self.waiting and self.connection is not None:
                with self.connection:
                    if not self.cleared:  # rows of another version of the reader
                        self.connection.execute("DELETE FROM readings WHERE reader != ?", (_reader(),))
                    self.connection.executemany("INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?, ?)", self.waiting)
                self.cleared = True
        self.waiting.clear()
        self.waiting_bytes = 0

    def close(self) -> None:
        """Write what waits and let go of the file."""
        self.flush()
        self._disconnect()

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.connection = sqlite3.connect(self.path, timeout=30.0)
        self.connection.execute("PRAGMA synchronous = OFF")  # a cache need not survive a power cut
        columns = "key TEXT PRIMARY KEY, reader TEXT, record TEXT, sketches BLOB, score BLOB"
        self.connection.execute(f"CREATE TABLE IF NOT EXISTS readings ({columns})")

    def _fetch(self, query: str, key: str) -> Any:
        with self._guarded():
            return self.connection.execute(query, (key,)).fetchone() if self.connection else None
        return None

    def _disconnect(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn a failure into a sentence: a damaged cache is begun anew, any other is done without."""
        try:
            yield
        except (OSError, RuntimeError, sqlite3.Error) as error:
            self._disconnect()
            if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in DAMAGED:
                self._renew()
            else:
                self._do_without(error)

    def _do_without(self, error: Exception) -> None:
        why = getattr(error, "strerror", None) or error
        self.say(f"What is read cannot be kept in {self.path.parent} ({why}): the next run reads all of it again.")

    def _renew(self) -> None:
        """Move a damaged file aside and begin a new one."""
        aside = self.path.with_suffix(".damaged")
        try:
            self.path.replace(aside)
            self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)
            self.say(f"The cache was damaged; it has been moved to {aside}, and a new one is begun.")
            self._open()
        except (OSError, sqlite3.Error) as error:
            self._disconnect()
            self._do_without(error)
