"""Shelves: what the studio has, in a SQLite database that outlives the server.

Every change is one transaction, on disk before it is answered (write-ahead log, `synchronous = FULL`): whenever the
server is killed, what was listed is listed when it starts again. Rows are plain dictionaries; what has no columns of
its own is kept as JSON. Leaves out: several servers on one folder, which `Studio` refuses.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
create table if not exists corpora (
    id text primary key, name text not null, made real not null, pieces integer
);
create table if not exists files (
    corpus text not null references corpora (id) on delete cascade, number integer not null, name text not null,
    suffix text not null, bytes integer not null, left_out integer not null default 0,
    primary key (corpus, number)
);
create table if not exists jobs (
    id text primary key, kind text not null, label text not null, lane text not null, client text not null,
    state text not null, made real not null, began real, ended real, why text not null default '',
    asked text not null, progress text, remarks text not null default '[]', files text not null default '[]',
    model integer not null default 0
);
create table if not exists pieces (
    id text primary key, name text not null, job text, made real not null, notes integer not null,
    seconds real not null, bars integer not null, "from" text, begins_bar integer
);
create index if not exists jobs_of_lane on jobs (lane, state);
create index if not exists pieces_of_job on pieces (job);
"""
JSON = ("asked", "progress", "remarks", "files")

Row = dict[str, Any]


class NotThere(Exception):
    """Something that the studio does not have, or has no more."""


class Shelves:
    """The database."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._there = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._lock = threading.RLock()  # threads read and list, too
        self._there.row_factory = sqlite3.Row
        for line in ("journal_mode = wal", "synchronous = full", "foreign_keys = on"):
            self._there.execute(f"pragma {line}")
        self._there.executescript(SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._there.close()

    def all(self, table: str, **where: Any) -> list[Row]:
        """Every row of a table in which columns have these values, in the order in which they came."""
        told, values = _condition(where)
        line = f"select * from {table}{told} order by rowid"  # noqa: S608 - our own names
        with self._lock:
            return [_plain(row) for row in self._there.execute(line, values)]

    def one(self, table: str, **where: Any) -> Row | None:
        """The first of them."""
        return next(iter(self.all(table, **where)), None)

    def there(self, table: str, id: str) -> Row:
        """The row of an id.

        Raises:
            NotThere: there is none.
        """
        row = self.one(table, id=id)
        if row is None:
            raise NotThere(id)
        return row

    def put(self, table: str, row: Mapping[str, Any]) -> None:
        """A new row."""
        self.put_all(table, [row])

    def put_all(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """New rows, all or none."""
        told = [_kept(row) for row in rows]
        if told:
            names = ", ".join(f'"{name}"' for name in told[0])
            marks = ", ".join("?" for _ in told[0])
            line = f"insert into {table} ({names}) values ({marks})"  # noqa: S608
            with self._together():
                self._there.executemany(line, [list(row.values()) for row in told])

    def change(self, table: str, values: Mapping[str, Any], **where: Any) -> None:
        """Give columns other values in the rows in which others have these."""
        told, found = _condition(where)
        kept = _kept(values)
        line = f"update {table} set {', '.join(f'{name} = ?' for name in kept)}{told}"  # noqa: S608
        with self._lock:
            self._there.execute(line, [*kept.values(), *found])

    def forget(self, table: str, **where: Any) -> None:
        """Take rows away."""
        told, values = _condition(where)
        with self._lock:
            self._there.execute(f"delete from {table}{told}", values)  # noqa: S608

    def forget_folder(self, table: str, id: str, folder: Path) -> None:
        """Take a row away and then its folder; where the disk has no room for the one, the other first."""
        try:
            self.forget(table, id=id)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            shutil.rmtree(folder, ignore_errors=True)
            self.forget(table, id=id)
        shutil.rmtree(folder, ignore_errors=True)

    def leave_out(self, corpus: str, numbers: set[int]) -> None:
        """Say which files of a corpus are left out by hand, and that all others are not."""
        rows = [(int(row["number"] in numbers), corpus, row["number"]) for row in self.all("files", corpus=corpus)]
        with self._together():
            self._there.executemany("update files set left_out = ? where corpus = ? and number = ?", rows)

    @contextmanager
    def _together(self) -> Iterator[None]:
        """A transaction: all of it or nothing."""
        with self._lock:
            self._there.execute("begin")
            try:
                yield
            except BaseException:
                self._there.execute("rollback")
                raise
            self._there.execute("commit")


def now() -> float:
    """Seconds since 1970."""
    return round(time.time(), 3)


def _condition(where: Mapping[str, Any]) -> tuple[str, list[Any]]:
    told = " and ".join(f'"{name}" is ?' for name in where)
    return (f" where {told}" if told else ""), list(where.values())


def _kept(row: Mapping[str, Any]) -> Row:
    return {name: json.dumps(value) if name in JSON else value for name, value in row.items()}


def _plain(row: sqlite3.Row) -> Row:
    found = dict(row)
    for name in JSON:
        if found.get(name) is not None:
            found[name] = json.loads(found[name])
    return found
