"""Versions of code: what a cache must know to tell whether what it keeps would still be made so."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from importlib import metadata, resources

__all__ = ["code_version"]


@functools.cache
def code_version(*places: str, libraries: tuple[str, ...] = ()) -> str:
    """A hash of some of the package's source and of the versions of libraries: another where any of it is another.

    Args:
        places: files (`score.py`) or whole folders (`codecs`), below the package.
        libraries: distributions; one that is not installed counts as none.
    """
    digest = hashlib.sha256()
    package = resources.files("partimento")
    for place in places:
        with resources.as_file(package / place) as path:
            files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
            for file in files:
                digest.update(f"{file.relative_to(path.parent).as_posix()};".encode() + file.read_bytes())
    for library in libraries:
        with contextlib.suppress(metadata.PackageNotFoundError):
            digest.update(f"{library} {metadata.version(library)};".encode())
    return digest.hexdigest()
