"""Memory that is freed stays with the process, for what comes next (glibc's allocator; elsewhere without effect).

An update of training takes and frees the same large arrays each time. By default each of them is fetched from the
system, which fills its pages with zeros one by one, and given back: a seventh of an update of the recipe nested. What
is kept is as much as the process ever had at once.
"""

from __future__ import annotations

import ctypes

TRIM, TOP_PAD, MMAP_MAX, ARENAS = -1, -2, -4, -8  # of malloc.h
STEP = 64 << 20  # bytes that are fetched from the system at a time


def keep_what_is_freed() -> None:
    """Let the allocator keep memory; to be said before torch is imported, whose threads would get arenas else."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # another system, another allocator
        return
    for setting, value in ((ARENAS, 1), (MMAP_MAX, 0), (TRIM, 2**31 - 1), (TOP_PAD, STEP)):
        mallopt(setting, value)
