"""The cache: what reading files gave, kept in an SQLite file outside the music's folder.

It is a convenience: a damaged cache is moved aside and begun anew, one that cannot be written is done without, and both
are said. Rows of another version of the reading code are thrown away. Leaves out: any limit on its size; deleting the
file costs nothing but the time to read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from partimento.passages import SKETCH, Trace
from partimento.score import Score

__all__ = ["Cache", "Row", "Rows", "cache_folder", "packed", "unpacked"]

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
WAITING_ROWS, WAITING_BYTES = 256, 8_000_000  # written together


@dataclass(frozen=True)
class Row:
    """What reading one piece gave, ready to be kept.

    Attributes:
        record: plain values: "tune" (its number and title where the file holds several, else ""), and either "facts",
            "repairs", "score" (its `score_hash`), and "music" and "notes" of its trace, or "reason" and "advice" where
            it cannot serve.
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


Rows = tuple[Row, ...]


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


def cache_folder() -> Path:
    """Where whatever can be made again is kept: `$XDG_CACHE_HOME/partimento`, else `~/.cache/partimento`."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if Path(home).is_absolute() else Path.home() / ".cache") / "partimento"


class Cache:
    """Rows on disk, shared by all processes of a user.

    Args:
        version: of the code that reads; rows of another are thrown away.
        say: hears a sentence when the cache is damaged or cannot be used; nothing is raised, and what cannot be kept
            is read again another time.
    """

    def __init__(self, version: str, say: Callable[[str], None]) -> None:
        self.path = cache_folder() / "readings-2.sqlite3"
        self.version = version
        self.say = say
        self.waiting: list[tuple[str, int, str, str, bytes, bytes]] = []
        self.waiting_bytes = 0
        self.cleared = False
        self.connection: sqlite3.Connection | None = None
        with self._guarded():
            self._open()

    def get(self, key: str) -> Rows | None:
        """The rows kept under a key, without their scores; None if there are none."""
        found = self._fetch("SELECT record, sketches FROM readings WHERE key = ? ORDER BY number", key)
        try:
            return tuple(Row(json.loads(record), sketches) for record, sketches in found) or None
        except ValueError:  # damaged where SQLite does not see it
            return None

    def score(self, key: str, number: int) -> bytes:
        """The score of one of the pieces kept under a key, packed; empty if there is none."""
        found = self._fetch("SELECT score FROM readings WHERE key = ? AND number = ?", key, number)
        return bytes(found[0][0]) if found else b""

    def put(self, key: str, rows: Rows) -> None:
        """Keep the rows of a file; they are written with others, at the latest by `flush`."""
        for number, row in enumerate(rows):
            self.waiting.append((key, number, self.version, json.dumps(row.record), row.sketches, row.score))
            self.waiting_bytes += len(row.score)
        if len(self.waiting) >= WAITING_ROWS or self.waiting_bytes >= WAITING_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits, in one transaction."""
        with self._guarded():
            if self.waiting and self.connection is not None:
                with self.connection:
                    if not self.cleared:  # rows of another version of the reader
                        self.connection.execute("DELETE FROM readings WHERE reader != ?", (self.version,))
                    self.connection.executemany(
                        "INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?, ?, ?)", self.waiting
                    )
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
        columns = "key TEXT, number INTEGER, reader TEXT, record TEXT, sketches BLOB, score BLOB"
        self.connection.execute(f"CREATE TABLE IF NOT EXISTS readings ({columns}, PRIMARY KEY (key, number))")

    def _fetch(self, query: str, *values: str | int) -> list[Any]:
        with self._guarded():
            return self.connection.execute(query, values).fetchall() if self.connection else []
        return []

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
