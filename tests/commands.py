"""Commands that a page of the docs tells, and how they are run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent


def commands_of(page: str, program: str = "partimento") -> list[list[str]]:
    """The words of each command of a page's console blocks that is one of this program."""
    lines = [line for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    told = [line.removeprefix("$ ").split("  #")[0].strip() for line in lines if line.startswith("$ ")]
    return [shlex.split(line) for line in told if line.startswith(f"{program} ")]


def python_of(page: str) -> str:
    """The Python code of a page, as one program."""
    return "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))


def run(words: Iterable[str], where: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with a cache of its own."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(where / "cache"), "OMP_NUM_THREADS": "2"}
    return subprocess.run(
        list(words), cwd=where, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
