"""OpenMP's threads, told to sleep while they wait; to be said before torch is imported.

Else they spin, and where something else uses a core they spin against it: an update then takes twenty times as long,
and a long piece forty.
"""

from __future__ import annotations

import os


def sleep_while_waiting() -> None:
    """Let threads sleep that wait for one another, if nothing else has been said."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
