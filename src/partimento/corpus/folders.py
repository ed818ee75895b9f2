"""Folders: every file below a folder, in an order that does not depend on the machine.

Hidden files and folders count, links are followed, a folder that is reached twice is looked through once, and whatever
cannot be a piece of music (a pipe, a broken link, an unknown suffix, a folder that may not be opened) is named with a
reason rather than skipped. Leaves out: archives, which are files like any other.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from partimento.errors import Unreadable
from partimento.files import SUFFIXES

__all__ = ["Found", "find", "shown"]


@dataclass
class Found:
    """What lies below a folder.

    Attributes:
        files: relative paths of those that may be music, sorted.
        unreadable: relative paths of what cannot be opened, each with a reason and an advice.
        not_music: the same for files whose suffix is that of no kind of music.
    """

    files: list[Path] = field(default_factory=list)
    unreadable: list[tuple[Path, str, str]] = field(default_factory=list)
    not_music: list[tuple[Path, str, str]] = field(default_factory=list)


def shown(path: Path) -> str:
    r"""A path as text that can be printed and written as JSON: bytes that are no UTF-8 become \xNN."""
    return os.fsencode(path.as_posix()).decode("utf-8", errors="backslashreplace")


def find(folder: Path) -> Found:
    """Look through a folder and all folders in it.

    Raises:
        Unreadable: there is no such folder, or it may not be opened.
    """
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise Unreadable(f"{shown(folder)} is a file.", "Name the folder that it lies in.")
    except (FileNotFoundError, NotADirectoryError) as error:
        advice = "See whether its name is written as it should be."
        raise Unreadable(f"There is no folder {shown(folder)}.", advice) from error
    except OSError as error:
        raise Unreadable(f"{shown(folder)} cannot be opened ({error.strerror}).", _RIGHT) from error
    found = Found()
    visited: set[tuple[int, int]] = set()
    waiting = deque([Path()])  # relative; linked folders wait until all real ones are done
    links: deque[Path] = deque()
    while waiting or links:
        inside = waiting.popleft() if waiting else links.popleft()
        try:
            place = (folder / inside).stat()
            if (place.st_dev, place.st_ino) in visited:
                reason = "It is a link to a folder that is looked through already."
                found.unreadable.append((inside, reason, "Nothing needs to be done."))
                continue
            visited.add((place.st_dev, place.st_ino))
            with os.scandir(folder / inside) as listed:
                entries = sorted(listed, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            if inside == Path():
                raise Unreadable(f"{shown(folder)} cannot be opened ({error.strerror}).", _RIGHT) from error
            found.unreadable.append((inside, f"The folder cannot be opened ({error.strerror}).", _RIGHT))
            continue
        for entry in entries:
            path = inside / entry.name
            if _is_folder(entry):
                (links if entry.is_symlink() else waiting).append(path)
            else:
                _sort_in(found, folder, path)
    for paths in (found.unreadable, found.not_music):
        paths.sort(key=lambda left: os.fsencode(left[0].as_posix()))
    found.files.sort(key=lambda path: os.fsencode(path.as_posix()))
    return found


_RIGHT = "Give yourself the right to read it."


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _sort_in(found: Found, folder: Path, path: Path) -> None:
    """Put a file where it belongs."""
    try:
        mode = (folder / path).stat().st_mode
    except FileNotFoundError:
        found.unreadable.append((path, "It is a link to a file that is not there.", "Mend the link or delete it."))
    except OSError as error:
        found.unreadable.append((path, f"It cannot be opened ({error.strerror}).", _RIGHT))
    else:
        if not stat.S_ISREG(mode):
            found.unreadable.append((path, "It is a device or a pipe, not a file.", "Leave it out."))
        elif path.suffix.lower() in SUFFIXES:
            found.files.append(path)
        else:
            found.not_music.append((path, _not_music(path.suffix), _readable()))


def _not_music(suffix: str) -> str:
    if not suffix:
        return "Its name has no suffix that says what kind of music it holds."
    return f"Files whose name ends in {shown(Path(suffix))} are not read as music."


def _readable() -> str:
    return (
        f"Nothing needs to be done; if it is music, export it in a format that is read: {', '.join(sorted(SUFFIXES))}."
    )
