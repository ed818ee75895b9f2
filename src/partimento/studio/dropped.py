"""Dropped files: what was dropped, unpacked with care, and what the doctor says of each file.

A file is kept under a number; its name, which may be anything, is text. A ZIP may hold so many files, so many bytes
when unpacked and no more than a hundred times its own size (a bomb is all of that), and no ZIP inside. What is left out
by hand lies in a folder beside the others, so that every command that is given the corpus does without it.
"""

from __future__ import annotations

import functools
import io
import json
import re
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from partimento.atomic import atomic_file
from partimento.errors import ImpossibleRequest
from partimento.files import SUFFIXES
from partimento.studio.names import shown
from partimento.studio.places import Places
from partimento.studio.shelves import Row, Shelves

MOST_BYTES = 64 << 20  # of one upload
MOST_UNPACKED = 512 << 20  # of what a ZIP holds
MOST_RATIO = 100
MOST_FILES = 20_000  # of a corpus
MOST_FILE = 16 << 20  # bytes of one piece of music
LONGEST_NAME = 300
IN, OUT = "music", "out"
NUMBERED = re.compile(r"\d{5,}\.[a-z]+")  # names of files as they are kept
_one_at_a_time = threading.Lock()  # so that two uploads do not take one number


def add(shelves: Shelves, places: Places, corpus: str, name: str, data: bytes) -> tuple[int, list[str]]:
    """Keep a file, or all that a ZIP holds.

    Returns:
        How many files were kept, and a sentence for each that was not.

    Raises:
        ImpossibleRequest: there would be too many, or the ZIP is none, or a bomb.
    """
    with _one_at_a_time:
        return _add(shelves, places, corpus, name, data)


def _add(shelves: Shelves, places: Places, corpus: str, name: str, data: bytes) -> tuple[int, list[str]]:
    if name.lower().endswith(".zip"):
        found, refused = unpacked(data, name)
    else:
        found, refused = [Dropped(name, len(data), lambda: data)], []
    there = shelves.all("files", corpus=corpus)
    if len(there) + len(found) > MOST_FILES:
        raise ImpossibleRequest(f"A corpus has {MOST_FILES:,} files at most; split it.")
    number = max((row["number"] for row in there), default=0)
    known = {row["name"] for row in there}
    rows: list[Row] = []
    try:
        for file in found:
            suffix = PurePosixPath(file.name).suffix.lower()
            if suffix not in SUFFIXES:
                refused.append(f"{file.name}: files whose name ends in {suffix or 'nothing'} are not read as music.")
            elif file.size > MOST_FILE:
                refused.append(f"{file.name}: it has {file.size >> 20} MB, and a piece {MOST_FILE >> 20} at most.")
            elif file.name in known:
                refused.append(f"{file.name}: it is there already.")
            else:
                number += 1
                known.add(file.name)
                told = {"number": number, "name": file.name, "suffix": suffix, "bytes": file.size}
                rows.append({"corpus": corpus, **told})
                with atomic_file(places.corpus(corpus) / IN / file_name(number, suffix)) as temporary:
                    temporary.write_bytes(file.read())
        shelves.put_all("files", rows)
    except BaseException:  # all of a ZIP or nothing
        for row in rows:
            (places.corpus(corpus) / IN / file_name(row["number"], row["suffix"])).unlink(missing_ok=True)
        if shelves.one("corpora", id=corpus) is None:  # deleted meanwhile
            shutil.rmtree(places.corpus(corpus), ignore_errors=True)
        raise
    return len(rows), refused


@dataclass(frozen=True)
class Dropped:
    """A file that was dropped, by itself or in a ZIP.

    Attributes:
        name: as text.
        size: its bytes.
        read: gives them.
    """

    name: str
    size: int
    read: Callable[[], bytes] = field(repr=False)


def unpacked(data: bytes, name: str) -> tuple[list[Dropped], list[str]]:
    """What a ZIP holds, each file to be read by itself, and what of it is refused.

    Raises:
        ImpossibleRequest: it is none, is locked, or unpacks to more than it may; reading a file raises it, too.
    """
    with _refusing(name):
        return _unpacked(zipfile.ZipFile(io.BytesIO(data)), len(data), name)


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Say what is wrong with a ZIP."""
    try:
        yield
    except ImpossibleRequest:
        raise
    except Exception as error:  # zlib.error and what else a broken file makes of it
        locked = type(error) is RuntimeError  # as zipfile says that a password is wanted
        why = "is locked by a password" if locked else f"is no ZIP that can be read ({error})"
        raise ImpossibleRequest(f"{name} {why}; drop its files themselves.") from error


def _unpacked(archive: zipfile.ZipFile, size: int, name: str) -> tuple[list[Dropped], list[str]]:
    parts = [part for part in archive.infolist() if not part.is_dir() and not _hidden(part.filename)]
    whole = sum(part.file_size for part in parts)
    if len(parts) > MOST_FILES or whole > MOST_UNPACKED or whole > MOST_RATIO * max(size, 1 << 16):
        raise ImpossibleRequest(f"{name} unpacks to {whole >> 20:,} MB in {len(parts):,} files, which is too much.")
    found, refused = [], []
    for part in parts:
        called = clean(part.filename)
        if called.lower().endswith(".zip"):
            refused.append(f"{called}: a ZIP inside of a ZIP is not unpacked.")
        else:
            found.append(Dropped(called, part.file_size, functools.partial(_content, archive, part, name)))
    return found, refused


def _content(archive: zipfile.ZipFile, part: zipfile.ZipInfo, name: str) -> bytes:
    """One file of a ZIP; zipfile reads no more of it than the ZIP says that there is.

    Raises:
        ImpossibleRequest: it is broken or locked, or larger than the ZIP says.
    """
    with _refusing(name):
        return archive.read(part)


def _hidden(name: str) -> bool:
    """Whether a system has put it there for itself."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return any((part.strip(".") and part.startswith(".")) or part == "__MACOSX" for part in parts)


def sweep(shelves: Shelves, places: Places, corpus: str) -> None:
    """Where the studio died: take away files that were never listed, and put all others where the list says."""
    known = {file_name(row["number"], row["suffix"]) for row in shelves.all("files", corpus=corpus)}
    for path in (places.corpus(corpus) / IN).glob("*"):
        if NUMBERED.fullmatch(path.name) and path.name not in known:
            path.unlink()
    out = {row["number"] for row in shelves.all("files", corpus=corpus, left_out=1)}
    _move(shelves, places.corpus(corpus), corpus, out)


def clean(name: str) -> str:
    """A name as text: no control characters, not too long, folders told by "/"."""
    told = shown(name.replace("\\", "/"))
    told = "/".join(part for part in told.split("/") if part not in ("", ".", ".."))
    return told[-LONGEST_NAME:] or "unnamed"


def file_name(number: int, suffix: str) -> str:
    """What a file is called on the disk."""
    return f"{number:05d}{suffix}"


def leave_out(shelves: Shelves, places: Places, corpus: str, numbers: set[int]) -> None:
    """Leave these files out, and no others.

    Each lies where it belongs before the list says so, and is looked for in both places.
    """
    folder = places.corpus(corpus)
    with _one_at_a_time:
        _move(shelves, folder, corpus, numbers)
        shelves.leave_out(corpus, numbers)


def _move(shelves: Shelves, folder: Path, corpus: str, numbers: set[int]) -> None:
    for row in shelves.all("files", corpus=corpus):
        name = file_name(row["number"], row["suffix"])
        wanted, other = (OUT, IN) if row["number"] in numbers else (IN, OUT)
        if (folder / other / name).exists():
            (folder / wanted).mkdir(exist_ok=True)
            (folder / other / name).replace(folder / wanted / name)


def place_of(places: Places, corpus: str, row: Row) -> Path:
    """Where a file lies."""
    folder, name = places.corpus(corpus), file_name(row["number"], row["suffix"])
    return next((folder / part / name for part in (IN, OUT) if (folder / part / name).exists()), folder / IN / name)


def listed(shelves: Shelves, places: Places, corpus: str) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Each file with what the doctor says of it, and the statistics of all."""
    found = _report(places, corpus)
    kept: dict[str, list[dict[str, Any]]] = {}
    for piece in found.get("kept", []):
        kept.setdefault(piece["path"], []).append(piece)
    out = {one["path"]: one for one in found.get("left_out", [])}
    rows = shelves.all("files", corpus=corpus)
    names = {file_name(row["number"], row["suffix"]): row["name"] for row in rows}
    return [
        _verdict(row, kept.get(name, []), out.get(name), names)
        for row in rows
        for name in [file_name(row["number"], row["suffix"])]
    ], found.get("statistics")


def serving(shelves: Shelves, places: Places, corpus: str) -> int:
    """How many pieces serve, by what the doctor found, without those that are left out by hand."""
    out = {file_name(row["number"], row["suffix"]) for row in shelves.all("files", corpus=corpus, left_out=1)}
    return sum(piece["path"] not in out for piece in _report(places, corpus).get("kept", []))


def _report(places: Places, corpus: str) -> dict[str, Any]:
    """What the doctor found; nothing where there is no report yet."""
    report = places.corpus(corpus) / "report.json"
    found: dict[str, Any] = json.loads(report.read_text("utf-8")) if report.is_file() else {}
    return found


def _verdict(
    row: Row, pieces: list[dict[str, Any]], out: dict[str, Any] | None, names: dict[str, str]
) -> dict[str, Any]:
    reason = "" if out is None else f"{out['reason']} {out['advice']}".strip()
    reason = NUMBERED.sub(lambda found: names.get(found[0], found[0]), reason)
    first = pieces[0] if pieces else {}
    return {
        "number": row["number"],
        "name": row["name"],
        "bytes": row["bytes"],
        "left_out": bool(row["left_out"]),
        "verdict": "serves" if pieces else "left out" if out is not None else "unknown",
        "reason": reason,
        "notes": sum(piece["notes"] for piece in pieces),
        "seconds": round(sum(piece["seconds"] for piece in pieces), 1),
        "bars": sum(piece["bars"] for piece in pieces),
        "tempo": first.get("tempo", 0),
        "key": first.get("key", ""),
        "instruments": list(_instruments(pieces)),
        "split": first.get("split", ""),
        "repairs": list(first.get("repairs", ())),
    }


def _instruments(pieces: list[dict[str, Any]]) -> Iterator[str]:
    seen: dict[str, None] = {}
    for piece in pieces:
        seen |= dict.fromkeys(piece["instruments"])
    yield from seen
