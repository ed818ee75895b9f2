"""Holding a place for one process: a lock on a file, which ends with the process, however that ends."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

try:
    import fcntl
except ImportError:  # Windows, where nobody is kept out
    fcntl = None  # type: ignore[assignment]


def hold(path: Path) -> TextIO | None:
    """Hold a file until it is closed; None where another process holds it.

    Args:
        path: the file, made where it is not there; its folder is.
    """
    lock = path.open("w")
    if fcntl is not None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
    return lock
