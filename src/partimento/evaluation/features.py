"""Features: ten figures of a piece, each a pure function of its score.

After Yang and Lerch 2020 ("On the evaluation of generative models in music": pitch range, note lengths, inter-onset
intervals), Dong et al. 2018 and 2020 ("MuseGAN"; "MusPy": scale consistency, polyphony, empty bars, pitch-class
entropy, groove consistency between neighbouring bars) and Wu and Yang 2020 ("The Jazz Transformer on the front line":
grooving-pattern similarity, pitch-class entropy).

Conventions, the same for all:

- Time is counted in beats, which are quarter notes, never in seconds: half of all codecs drop the tempo.
- Bars are those of the score's own metre, changes included; the sources divide a piece by its first metre.
- Onsets count as equal within a `GRID`th of a beat, which keeps sixteenths and triplets apart and forgives a player.
- Drums have no pitch and no length: they are left out where pitch or length is asked, and count in all else.
- A figure that does not exist (of a piece without notes, say) is NaN and never 0.

Leaves out: what needs seconds (tempo), loudness, and form beyond the bar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.score import NoteArray, Score, bar_lines, note_array

__all__ = [
    "FEATURES",
    "GRID",
    "Feature",
    "bar_edges",
    "empty_bars",
    "features",
    "groove_consistency",
    "mean_duration",
    "mean_inter_onset_interval",
    "measured",
    "note_density",
    "pitch_class_entropy",
    "pitch_range",
    "polyphony",
    "repetition",
    "scale_consistency",
]

GRID = 12  # steps of a beat
_MAJOR = np.array([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1], dtype=np.float64)
_SCALES = np.stack([np.roll(_MAJOR, tonic) for tonic in range(12)])

Ints = NDArray[np.int64]


def pitch_class_entropy(score: Score) -> float:
    """How evenly the notes are spread over the twelve pitch classes, in bits: 0 for one class to log2(12) = 3.585.

    -Σ p log2 p of the pitch classes of all notes, each counted once however long (Wu and Yang 2020, MusPy). Wu and Yang
    take it over one or four bars and average; here, as in MusPy, it is of the whole piece.
    """
    counts = _pitch_classes(score)
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log2(p)).sum()) if len(p) else np.nan


def pitch_range(score: Score) -> float:
    """Semitones from the lowest to the highest pitch (Yang and Lerch 2020); 0 where there is only one."""
    pitch = _pitched(score)["pitch"]
    return float(int(pitch.max()) - int(pitch.min())) if len(pitch) else np.nan


def scale_consistency(score: Score) -> float:
    """The share of notes in the major scale that holds the most of them, 0 to 1 (Mogren 2016, MusPy).

    The natural minor scales have the same notes. Notes spread evenly over all twelve classes give 7/12 = 0.583, and
    nothing gives less.
    """
    counts = _pitch_classes(score)
    return float((_SCALES @ counts).max() / counts.sum()) if counts.sum() else np.nan


def polyphony(score: Score) -> float:
    """How many pitches sound together on average, where any does; 1 for a melody (MusPy).

    A pitch that two instruments hold counts once.
    """
    notes = _pitched(score)
    onset, end = notes["onset"], notes["onset"] + notes["duration"]
    heard = _covered(onset, end)
    apart = notes["pitch"].astype(np.int64) * (int(end.max(initial=0)) + 1)  # lay the pitches end to end
    return _covered(onset + apart, end + apart) / heard if heard else np.nan


def note_density(score: Score) -> float:
    """Notes a beat, from the first onset to the last note's end; drums count (the note count of Yang and Lerch 2020).

    They count notes a bar, which depends on how the metre is written.
    """
    notes = note_array(score)
    span = _beats(score, int((notes["onset"] + notes["duration"]).max() - notes["onset"].min())) if len(notes) else 0.0
    return len(notes) / span if span else np.nan


def mean_duration(score: Score) -> float:
    """The mean length of the notes that have a pitch, in beats (Yang and Lerch 2020 have its histogram)."""
    notes = _pitched(score)
    return _beats(score, float(notes["duration"].mean())) if len(notes) else np.nan


def mean_inter_onset_interval(score: Score) -> float:
    """The mean time from one onset to the next, in beats; the notes of a chord have one onset (Yang and Lerch 2020).

    NaN where there are fewer than two onsets. They count seconds, and each note of a chord as an interval of 0.
    """
    steps = np.unique(_nearest(note_array(score)["onset"] * (GRID / score.ticks_per_quarter)))
    return float(np.diff(steps).mean()) / GRID if len(steps) > 1 else np.nan


def groove_consistency(score: Score) -> float:
    """How alike neighbouring bars are in where notes begin, 0 to 1 (Wu and Yang 2020; between neighbours: MusPy).

    1 - mean over neighbours of H(a, b) / Q, H the number of the Q places of a bar where notes begin in one of the two
    and not in the other. Only neighbours of the same length are compared, and only where one of them has a note; NaN
    where there are none. A bar of 4/4 has Q = 48 places (Wu and Yang: 64).
    """
    placed = _placed(score)
    size = int(placed.steps.max(initial=1))
    taken = np.unique(placed.bar * size + placed.step)  # sparse: a long piece has few onsets
    begins = np.bincount(taken // size, minlength=len(placed.steps))
    shared = np.bincount(taken[np.isin(taken + size, taken)] // size, minlength=len(placed.steps))
    differing = begins[:-1] + begins[1:] - 2 * shared[:-1]
    compared = (placed.steps[:-1] == placed.steps[1:]) & (begins[:-1] + begins[1:] > 0)
    return float(1 - (differing / placed.steps[:-1])[compared].mean()) if compared.any() else np.nan


def empty_bars(score: Score) -> float:
    """The share of bars in which nothing sounds, 0 to 1, from the first bar to that of the last note (MuseGAN).

    A bar in which a note is only held is not empty. NaN of a piece without notes.
    """
    notes = note_array(score)
    if not len(notes):
        return np.nan
    edges = bar_edges(score)
    first = np.searchsorted(edges, notes["onset"], side="right") - 1
    last = np.searchsorted(edges, np.maximum(notes["onset"] + notes["duration"], notes["onset"] + 1), side="left") - 1
    change = np.zeros(len(edges) + 1, dtype=np.int64)
    np.add.at(change, first, 1)
    np.add.at(change, last + 1, -1)
    return float((np.cumsum(change)[: len(edges) - 1] == 0).mean())


def repetition(score: Score) -> float:
    """The share of bars with an onset that repeat an earlier bar, note for note, 0 to 1.

    Bars are the same where the same pitches, or drums, begin at the same places of bars of the same length; how long
    and how loud they are, and on which instrument, does not matter. The exact case of the self-similarity that Wu and
    Yang 2020 measure from audio. NaN of a piece without notes.
    """
    placed = _placed(score)
    if not len(placed.bar):
        return np.nan
    code = placed.step * 256 + placed.pitch
    size = int(code.max()) + 1
    bar, inside = np.divmod(np.unique(placed.bar * size + code), size)
    starts = np.flatnonzero(np.diff(bar, prepend=-1))
    contents = np.split(inside, starts[1:])
    seen = {(int(placed.steps[b]), row.tobytes()) for b, row in zip(bar[starts], contents, strict=True)}
    return 1 - len(seen) / len(contents)


@dataclass(frozen=True)
class Feature:
    """One figure of a piece.

    Attributes:
        name: as a table's column has it.
        unit: of the figure; "" for a share.
        least: the least difference worth telling; where the pieces of a set are all alike, it stands for their spread.
        measure: what it is; its docstring says where it comes from.
    """

    name: str
    unit: str
    least: float
    measure: Callable[[Score], float]


FEATURES: tuple[Feature, ...] = (
    Feature("pitch-class entropy", "bits", 0.05, pitch_class_entropy),
    Feature("pitch range", "semitones", 1.0, pitch_range),
    Feature("scale consistency", "", 0.01, scale_consistency),
    Feature("polyphony", "pitches", 0.05, polyphony),
    Feature("note density", "notes a beat", 0.1, note_density),
    Feature("mean duration", "beats", 0.05, mean_duration),
    Feature("mean inter-onset interval", "beats", 0.05, mean_inter_onset_interval),
    Feature("groove consistency", "", 0.01, groove_consistency),
    Feature("empty bars", "", 0.01, empty_bars),
    Feature("repetition", "", 0.02, repetition),
)


def features(score: Score) -> dict[str, float]:
    """All features of a piece by name, in the order of `FEATURES`; NaN for those that it does not have.

    Example:
        >>> round(features(Score(480))["polyphony"], 1)
        nan
    """
    return {feature.name: feature.measure(score) for feature in FEATURES}


def measured(scores: Iterable[Score]) -> dict[str, NDArray[np.float64]]:
    """All features of N pieces by name: (N,) each, NaN for those that a piece does not have."""
    rows = [features(score) for score in scores]
    return {feature.name: np.array([row[feature.name] for row in rows], dtype=np.float64) for feature in FEATURES}


def bar_edges(score: Score) -> Ints:
    """Where bars begin and where the last one ends: (bars + 1,) ticks, ascending; every onset lies between two.

    The last bar is whole, though the music may end within it.
    """
    notes = note_array(score)
    last = notes["onset"].max(initial=-1) + 1
    lines = bar_lines(score, int(max((notes["onset"] + notes["duration"]).max(initial=0), last)))
    length = 4 * score.ticks_per_quarter
    for signature in sorted(score.time_signatures, key=lambda s: s.time):
        if signature.time <= lines[-1]:
            length = signature.numerator * 4 * score.ticks_per_quarter // max(signature.denominator, 1)
    return np.append(lines, lines[-1] + max(length, 1))


@dataclass(frozen=True)
class _Placed:
    """Notes by their place in bars: (N,) bar, step within it, and pitch (drums 128 higher); (bars,) steps of each."""

    bar: Ints
    step: Ints
    pitch: Ints
    steps: Ints


def _placed(score: Score) -> _Placed:
    """Place each note on the grid of its bar; one played just before a bar line belongs to the bar after it."""
    notes, edges = note_array(score), bar_edges(score)
    scale = GRID / score.ticks_per_quarter
    steps = np.maximum(_nearest(np.diff(edges) * scale), 1)
    bar = np.searchsorted(edges, notes["onset"], side="right") - 1
    step = _nearest((notes["onset"] - edges[bar]) * scale)
    early = (step >= steps[bar]) & (bar + 1 < len(steps))
    bar, step = np.where(early, bar + 1, bar), np.where(early, 0, step)
    pitch = notes["pitch"].astype(np.int64) + np.where(notes["program"] < 0, 128, 0)
    return _Placed(bar, np.minimum(step, steps[bar] - 1), pitch, steps)


def _pitched(score: Score) -> NoteArray:
    notes = note_array(score)
    return notes[notes["program"] >= 0]


def _pitch_classes(score: Score) -> NDArray[np.float64]:
    """(12,) how many notes each pitch class has."""
    return np.bincount(_pitched(score)["pitch"] % 12, minlength=12).astype(np.float64)


def _covered(start: Ints, end: Ints) -> int:
    """How much of the line so many intervals cover together."""
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    before = np.maximum.accumulate(np.concatenate([start[:1], end[:-1]]))
    return int(np.maximum(end - np.maximum(start, before), 0).sum())


def _beats(score: Score, ticks: float) -> float:
    return ticks / score.ticks_per_quarter


def _nearest(x: NDArray[np.floating[Any]]) -> Ints:
    return np.asarray(np.floor(x + 0.5), dtype=np.int64)
