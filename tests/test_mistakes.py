"""What goes wrong outside: a full disk, too little memory and Ctrl-C end in a sentence, whichever library noticed."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from partimento.errors import InvalidSettings, explained

WRITES = {
    "safetensors": "import safetensors.numpy as s; s.save_file({'w': np.zeros(100_000, np.float32)}, place)",
    "libsndfile": "import soundfile; soundfile.write(place, np.zeros(100_000), 44_100, format='WAV')",
    "python": "open(place, 'wb').write(bytes(200_000))",
}


@pytest.mark.skipif(sys.platform == "win32", reason="no process can be kept from writing much there")
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_place_without_room_is_said_to_be_one(write: str, tmp_path: Path) -> None:
    program = (
        "import resource, numpy as np\n"
        "from partimento.errors import explained\n"
        f"place = {str(tmp_path / 'new')!r}\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        f"try: {write}\n"
        "except Exception as error: print(explained(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout.rstrip().endswith("and has room.")


@pytest.mark.parametrize(
    "allocate",
    [
        lambda: torch.empty(10**15),
        lambda: torch.nn.LSTM(8, 10**12),
        lambda: torch.nn.Linear(10**12, 10**12),
        lambda: torch.nn.Linear(10**30, 1),
        lambda: np.zeros(10**15),
        lambda: np.zeros(10**19),
        lambda: np.zeros((10**9, 10**9, 10**9)),
    ],
)
def test_too_little_memory_is_said_to_be_that(allocate: Callable[[], object]) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each library has its own
        allocate()
    said = explained(caught.value)
    assert said is not None
    assert "more memory than there is" in said


def test_a_fault_of_ours_is_not_explained_away() -> None:
    assert explained(ValueError("negative dimensions are not allowed")) is None
    assert explained(safetensors.SafetensorError("header too large")) is None
    assert explained(InvalidSettings("That cannot be.")) == "That cannot be."
    there = OSError(errno.ENOSPC, "No space left on device", "a place")
    assert str(explained(there)).startswith("a place: No space left on device.")


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        ("KeyboardInterrupt()", 130, "partimento: stopped.\n"),
        ("MemoryError()", 1, "partimento: It needs more memory than there is"),
        ('RuntimeError("DefaultCPUAllocator: can\'t allocate memory")', 1, "partimento: It needs more memory"),
        ("ValueError('a fault of ours')", 1, "Traceback"),
    ],
)
def test_the_command_line_ends_in_a_sentence(raised: str, status: int, said: str) -> None:
    program = (
        "import sys, partimento.cli.inspect as command\n"
        f"def fail(*_, **__): raise {raised}\n"
        "command.inspect_corpus = fail\n"
        "sys.argv = ['partimento', 'inspect', 'music']\n"
        "from partimento.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == status
    assert done.stderr.startswith(said)
