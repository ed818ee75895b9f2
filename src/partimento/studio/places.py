"""Places: where the studio keeps what it has, all in one folder, under names that it gives itself.

    studio.sqlite          what there is (`shelves`)
    corpora/ID/music/      files as they were dropped, named by number
    corpora/ID/out/        those that were left out by hand
    corpora/ID/report.json what the doctor found
    jobs/ID/               where a job works: a run, what it made, a report
    pieces/ID/             a piece as MIDI, and what was rendered of it
    unlisted/              all of these from before the list was lost, if ever

An id is twelve letters and digits from the studio itself; what a person named is kept as text and never becomes a path.
"""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

KINDS = "corpora", "jobs", "pieces"
UNLISTED = "unlisted"  # where what was listed lies when the list is gone
ID = re.compile(r"[0-9a-f]{12}")


def new_id() -> str:
    """An id that nothing has yet."""
    return secrets.token_hex(6)


@dataclass(frozen=True)
class Places:
    """The folder of a studio."""

    root: Path

    @property
    def shelves(self) -> Path:
        """The database."""
        return self.root / "studio.sqlite"

    def put_aside(self) -> None:
        """Keep what an old list has listed that is gone: the new one would take it for left over."""
        there = [path for kind in KINDS if (path := self.root / kind).is_dir() and any(path.iterdir())]
        if there:
            names = itertools.chain([UNLISTED], (f"{UNLISTED}-{number}" for number in itertools.count(2)))
            aside = next(path for name in names if not (path := self.root / name).exists())
            aside.mkdir()
            for path in there:
                path.rename(aside / path.name)

    def unknown(self, kind: str, known: Container[str]) -> Iterator[Path]:
        """The folders of `corpora`, `jobs` or `pieces` whose ids are not known."""
        for path in (self.root / kind).glob("*"):
            if ID.fullmatch(path.name) and path.name not in known:
                yield path

    def corpus(self, id: str) -> Path:
        """The folder of a corpus."""
        return self.root / "corpora" / _checked(id)

    def job(self, id: str) -> Path:
        """The folder in which a job works."""
        return self.root / "jobs" / _checked(id)

    def piece(self, id: str) -> Path:
        """The folder of a piece."""
        return self.root / "pieces" / _checked(id)


def _checked(id: str) -> str:
    """An id that can be a folder's name.

    Raises:
        ValueError: it is none of ours.
    """
    if not ID.fullmatch(id):
        raise ValueError(f"{id!r} is no id")
    return id
