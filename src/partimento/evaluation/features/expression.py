"""Features of expression: how much the tempo and the loudness vary. A codec that drops them gives 0, and so it sounds.

Leaves out: where they vary. A machine that draws loudness at random has the same spread as one that shapes a phrase.
"""

from __future__ import annotations

import numpy as np

from partimento.evaluation.features.view import View
from partimento.score import tempo_changes

__all__ = ["FASTEST", "SLOWEST", "dynamics_spread", "tempo_spread"]

SLOWEST, FASTEST = 10.0, 1000.0  # quarter notes a minute; what a file says beyond is no tempo that one could play


def tempo_spread(view: View) -> float:
    """The standard deviation of the tempo, in quarter notes a minute, each moment counting by its length in beats.

    Counted from the first onset to the last note's end, by the tempo map (120 where there is none). 0 where the tempo
    stays, also that of a performance which a sequencer recorded at one tempo: it has its freedom in its onsets. NaN
    where nothing lasts.
    """
    notes = view.notes
    start = int(notes["onset"].min(initial=0)) if len(notes) else 0
    stop = int((notes["onset"] + notes["duration"]).max(initial=0))
    if stop <= start:
        return np.nan
    changes = tempo_changes(view.score)
    at = np.array(sorted(changes), dtype=np.int64)
    tempo = np.clip([changes[time] for time in at.tolist()], SLOWEST, FASTEST)
    weight = np.diff(np.clip(np.append(at, stop), start, stop)).astype(np.float64)
    apart = tempo - tempo[0]  # exactly 0 where it stays
    return float(np.sqrt(np.average((apart - np.average(apart, weights=weight)) ** 2, weights=weight)))


def dynamics_spread(view: View) -> float:
    """The standard deviation of the notes' velocities (1 to 127, as MIDI has them); drums count."""
    velocity = view.notes["velocity"]
    return float(velocity.std(dtype=np.float64)) if len(velocity) else np.nan
