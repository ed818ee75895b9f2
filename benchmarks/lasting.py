"""A long piece: whether memory stays flat while it is made, and whether it goes wrong on the way.

    python benchmarks/lasting.py MODEL [--seconds 300] [--seed 0]

The piece is made note by note (`partimento.stream`). Resident memory is read when the first minute of music is over and
when the piece is, after garbage has been collected; their ratio is the figure. What the guards did is said, and the
longest note and the longest silence.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from pathlib import Path

import numpy as np

from partimento.bundle import open_bundle
from partimento.codec import Request
from partimento.generation.streaming import Heard, stream
from partimento.score import note_array, seconds_at

EARLY = 60.0  # seconds of music


def resident() -> float:
    """Megabytes that this process has in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    early: list[float] = []

    def hear(note: Heard) -> None:
        if not early and note.seconds >= EARLY:
            early.append(resident())

    bundle, began = open_bundle(chosen.model), time.process_time()
    made = stream(bundle, hear, request=Request(seconds=chosen.seconds), seed=chosen.seed)
    late, taken = resident(), time.process_time() - began
    if not early:
        raise SystemExit(f"No note began after the first {EARLY:g} s of {chosen.seconds:g}: ask for more --seconds.")
    notes = note_array(made.score)
    onset, end = (seconds_at(made.score, notes["onset"] + extra) for extra in (0, notes["duration"]))
    silences = onset[1:] - np.maximum.accumulate(end)[:-1]
    print(f"{made.notes:,} notes, {end.max():.1f} s of music, made in {taken:.1f} s of the processor")
    print(f"memory after the first minute {early[0]:.1f} MB, at the end {late:.1f} MB: {late / early[0]:.3f} times")
    print(f"longest note {(end - onset).max():.1f} s, longest silence {silences.max(initial=0):.1f} s")
    print(*(made.remarks or ["No guard acted."]), sep="\n")


if __name__ == "__main__":
    main()
