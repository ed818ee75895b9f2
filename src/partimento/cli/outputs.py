"""Files that a command is told to write: looked at before the work, so that no slip overwrites a piece of music."""

from __future__ import annotations

from pathlib import Path

from partimento.errors import InvalidSettings


def require(file: Path | None, option: str, *suffixes: str) -> None:
    """Refuse a folder, and a name with another ending.

    Args:
        file: what is to be written; None for nothing.
        option: what it was given as, for the sentence.
        suffixes: endings that it may have, the usual one first.

    Raises:
        InvalidSettings: it is none of these.
    """
    if file is None:
        return
    if file.is_dir():
        raise InvalidSettings(f"{file} is a folder; name a file.")
    if file.suffix.lower() not in suffixes:
        raise InvalidSettings(f"{option} writes a file that ends in {' or '.join(suffixes)}, and {file} does not.")
