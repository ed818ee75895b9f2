"""Placed music as REMI+ ids, all events of a piece at once.

The ids are those that MidiTok's own encoding gives for the same music (a test compares them); its loop makes an object
for each token, which for thousands of files is the longest wait before training.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from partimento.codecs.tokens.grammar import Vocabulary
from partimento.codecs.tokens.grid import Placed, instruments
from partimento.metres import Metre

BAR, POSITION, TEMPO, NOTE = range(4)  # the order of what begins at one tick


def write(placed: Placed, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """The ids of placed music, which has at least one note.

    Args:
        placed: the music.
        vocabulary: made with the levels of `placed.grid`.

    Returns:
        (T,) ids.
    """
    notes, grid, span = placed.notes, placed.grid, vocabulary.span
    starts = np.array([c.tick for c in placed.changes], dtype=np.int64)
    which = np.array(
        [vocabulary.metres.index(c.metre) for c in placed.changes], dtype=np.int64
    )  # the metre of each section
    lengths = np.array([grid.bar_ticks(c.metre) for c in placed.changes], dtype=np.int64)
    strides = np.array([grid.ticks_per_step(c.metre) for c in placed.changes], dtype=np.int64)

    ends = np.append(starts[1:], notes["onset"][-1] + 1)
    bars = np.concatenate([np.arange(*section) for section in zip(starts, ends, lengths, strict=True)])
    bar_metres = which[np.searchsorted(starts, bars, side="right") - 1]
    bar_ids = np.stack([np.full(len(bars), span["Bar"].start), span["TimeSig"].start + bar_metres], axis=1)

    tempo_ticks = np.array([tick for tick, _ in placed.tempi], dtype=np.int64)
    tempo_ids = span["Tempo"].start + np.searchsorted(grid.tempi, [qpm for _, qpm in placed.tempi])

    ticks = np.union1d(notes["onset"], tempo_ticks)
    since = ticks - bars[np.searchsorted(bars, ticks, side="right") - 1]
    position_ids = span["Position"].start + since // strides[np.searchsorted(starts, ticks, side="right") - 1]

    note_ids = _note_ids(placed, vocabulary, which[np.searchsorted(starts, notes["onset"], side="right") - 1])
    blocks = [
        (bars, BAR, bar_ids),
        (ticks, POSITION, position_ids[:, None]),
        (tempo_ticks, TEMPO, tempo_ids[:, None]),
        (notes["onset"], NOTE, note_ids),
    ]
    keys = np.concatenate([np.repeat(at * len(blocks) + rank, block.shape[1]) for at, rank, block in blocks])
    ids = np.concatenate([block.ravel() for *_, block in blocks])[np.argsort(keys, kind="stable")]
    return ids[ids >= 0].astype(np.int64)


def _note_ids(placed: Placed, vocabulary: Vocabulary, metre: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N, 4) program, pitch, velocity and duration of each note; -1 for a program that stays the same."""
    notes, grid, span = placed.notes, placed.grid, vocabulary.span
    program = instruments(notes)
    changes = np.append(True, np.diff(program) != 0)
    drums = notes["program"] < 0
    denominators = np.array([m.denominator for m in vocabulary.metres])[metre]
    lengths = np.zeros(len(notes), dtype=np.int64)
    for denominator in np.unique(denominators):
        here = denominators == denominator
        lengths[here] = np.searchsorted(grid.durations(Metre(1, int(denominator))), notes["duration"][here])
    return np.stack(
        [
            np.where(changes, span["Program"].start + program, -1),
            np.where(drums, span["PitchDrum"].start, span["Pitch"].start) + notes["pitch"],
            span["Velocity"].start + np.searchsorted(grid.velocities, notes["velocity"]),
            span["Duration"].start + lengths,
        ],
        axis=1,
    )
