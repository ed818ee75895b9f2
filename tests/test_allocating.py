"""Memory that is freed stays with the process: the same array, taken again, costs no new pages."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

CODE = """
import resource, sys
import numpy as np
from partimento.allocating import keep_what_is_freed
if sys.argv[1] == "kept":
    keep_what_is_freed()
def take():
    np.ones(1 << 23)  # 64 MB, written throughout
take()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    take()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the allocator is another one")
def test_memory_is_fetched_from_the_system_once() -> None:
    pages = {}
    for how in ("kept", "given back"):
        done = subprocess.run([sys.executable, "-c", CODE, how], capture_output=True, text=True, timeout=60, check=True)
        pages[how] = int(done.stdout)
    assert pages["kept"] * 10 < pages["given back"]
