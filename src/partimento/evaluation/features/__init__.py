"""Features: figures of a piece, each a pure function of its score, and the distributions of some of them within it.

After Yang and Lerch 2020 ("On the evaluation of generative models in music": pitch range, note lengths, inter-onset
intervals), Dong et al. 2018 and 2020 ("MuseGAN"; "MusPy": scale consistency, polyphony, empty bars, pitch-class
entropy, groove consistency between neighbouring bars), Wu and Yang 2020 ("The Jazz Transformer on the front line":
grooving-pattern similarity, pitch-class entropy, structureness) and Krumhansl 1990 ("Cognitive foundations of musical
pitch": key clarity). By theme: `pitch`, `rhythm`, `form` and `expression`; each says what it does otherwise and why.

Conventions, the same for all:

- Time is counted in beats, which are quarter notes, never in seconds: half of all codecs drop the tempo.
- Bars are those of the score's own metre, changes included; the sources divide a piece by its first metre.
- Onsets count as equal within a `GRID`th of a beat, which keeps sixteenths and triplets apart and forgives a player.
- Drums have no pitch and no length: they are left out where pitch or length is asked, and count in all else.
- Loudness is the velocity of MIDI, 1 to 127, and tempo quarter notes a minute, 120 where a score names none.
- A figure that does not exist (of a piece without notes, say) is NaN and never 0.
- A histogram counts within one piece; its shares sum to 1, and are NaN of a piece that has nothing to count.

Leaves out: what needs a listener (whether a melody is good), what needs chords by name, and lyrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.evaluation.features.expression import dynamics_spread, tempo_spread
from partimento.evaluation.features.form import long_self_similarity, repetition, short_self_similarity
from partimento.evaluation.features.pitch import (
    FARTHEST,
    harmonic_intervals,
    key_clarity,
    melodic_intervals,
    pitch_class_entropy,
    pitch_range,
    polyphony,
    scale_consistency,
)
from partimento.evaluation.features.rhythm import (
    VALUES,
    durations,
    empty_bars,
    groove_consistency,
    inter_onset_intervals,
    mean_duration,
    mean_inter_onset_interval,
    note_density,
)
from partimento.evaluation.features.view import GRID, View
from partimento.score import Score

__all__ = [
    "FEATURES",
    "GRID",
    "HISTOGRAMS",
    "Feature",
    "Histogram",
    "Survey",
    "View",
    "features",
    "measured",
    "survey",
]

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Feature:
    """One figure of a piece.

    Attributes:
        name: as a table's column has it.
        unit: of the figure; "" for a share.
        least: the least difference worth telling; where the pieces of a set are all alike, it stands for their spread.
        measure: what it is; its docstring says where it comes from.
        more: what a piece has that has more of it, as in "more notes a beat than people's".
        less: what a piece has that has less of it.
    """

    name: str
    unit: str
    least: float
    measure: Callable[[View], float]
    more: str
    less: str


@dataclass(frozen=True)
class Histogram:
    """How something is distributed within a piece.

    Attributes:
        name: as a table's row has it.
        unit: of the bins.
        bins: what each of the B bins holds.
        measure: gives the (B,) counts; its docstring says where it comes from.
        more: what a piece has that has more in a bin, "{}" standing for the bin: "more notes of {} beats".
        less: what a piece has that has less in it.
    """

    name: str
    unit: str
    bins: tuple[str, ...]
    measure: Callable[[View], NDArray[np.float64]]
    more: str
    less: str


FEATURES: tuple[Feature, ...] = (
    Feature(
        *("pitch-class entropy", "bits", 0.05, pitch_class_entropy),
        *("pitch classes more evenly used", "pitch classes less evenly used"),
    ),
    Feature("pitch range", "semitones", 1.0, pitch_range, "a wider range", "a narrower range"),
    Feature(
        *("scale consistency", "", 0.01, scale_consistency),
        *("fewer notes outside one scale", "more notes outside one scale"),
    ),
    Feature("key clarity", "", 0.01, key_clarity, "a clearer key", "a less clear key"),
    Feature("polyphony", "pitches", 0.05, polyphony, "more notes at once", "fewer notes at once"),
    Feature("note density", "notes a beat", 0.1, note_density, "more notes a beat", "fewer notes a beat"),
    Feature("mean duration", "beats", 0.05, mean_duration, "longer notes", "shorter notes"),
    Feature(
        *("mean inter-onset interval", "beats", 0.05, mean_inter_onset_interval),
        *("more time between onsets", "less time between onsets"),
    ),
    Feature(
        *("groove consistency", "", 0.01, groove_consistency),
        *("rhythms that change less from bar to bar", "rhythms that change more from bar to bar"),
    ),
    Feature("empty bars", "", 0.01, empty_bars, "more empty bars", "fewer empty bars"),
    Feature(
        *("repetition", "", 0.02, repetition),
        *("more bars that repeat an earlier one", "fewer bars that repeat an earlier one"),
    ),
    Feature(
        *("short self-similarity", "", 0.02, short_self_similarity),
        *("bars more like those just before", "bars less like those just before"),
    ),
    Feature(
        *("long self-similarity", "", 0.02, long_self_similarity),
        *("more that returns after eight bars or later", "less that returns after eight bars or later"),
    ),
    Feature("tempo spread", "quarters a minute", 1.0, tempo_spread, "a tempo that varies more", "a steadier tempo"),
    Feature("dynamics spread", "of 127", 1.0, dynamics_spread, "loudness that varies more", "more even loudness"),
)

_BEATS = tuple(str(value) for value in VALUES)
_MOVES = ("-13 or more", *(f"{step:+d}" if step else "0" for step in range(-FARTHEST + 1, FARTHEST)), "+13 or more")
_INTERVALS = (
    *("octaves", "minor seconds", "major seconds", "minor thirds", "major thirds", "fourths", "tritones", "fifths"),
    *("minor sixths", "major sixths", "minor sevenths", "major sevenths"),
)

HISTOGRAMS: tuple[Histogram, ...] = (
    Histogram("durations", "beats", _BEATS, durations, "more notes of {} beats", "fewer notes of {} beats"),
    Histogram(
        *("inter-onset intervals", "beats", _BEATS, inter_onset_intervals),
        *("more onsets {} beats apart", "fewer onsets {} beats apart"),
    ),
    Histogram(
        *("melodic intervals", "semitones", _MOVES, melodic_intervals),
        *("more moves of {} semitones in the top line", "fewer moves of {} semitones in the top line"),
    ),
    Histogram(
        *("harmonic intervals", "", _INTERVALS, harmonic_intervals),
        *("more {} above the bass", "fewer {} above the bass"),
    ),
)


def features(score: Score) -> dict[str, float]:
    """All features of a piece by name, in the order of `FEATURES`; NaN for those that it does not have.

    Example:
        >>> round(features(Score(480))["polyphony"], 1)
        nan
    """
    view = View(score)
    return {feature.name: feature.measure(view) for feature in FEATURES}


def measured(scores: Iterable[Score]) -> dict[str, Figures]:
    """All features of N pieces by name: (N,) each, NaN for those that a piece does not have."""
    rows = [features(score) for score in scores]
    return {feature.name: np.array([row[feature.name] for row in rows], dtype=np.float64) for feature in FEATURES}


@dataclass(frozen=True, eq=False)
class Survey:
    """All that is measured of N pieces.

    Attributes:
        figures: (N,) of each feature by name, as `measured` gives them.
        histograms: (N, B) shares of each histogram by name; NaN in the row of a piece that has nothing to count.
    """

    figures: dict[str, Figures]
    histograms: dict[str, Figures]

    def of(self, rows: NDArray[np.integer[Any]]) -> Survey:
        """The same of some of the pieces, by their numbers."""
        return Survey(
            {name: column[rows] for name, column in self.figures.items()},
            {name: shares[rows] for name, shares in self.histograms.items()},
        )


def survey(scores: Iterable[Score]) -> Survey:
    """Measure pieces: all features and all histograms, in one pass."""
    figures: dict[str, list[float]] = {feature.name: [] for feature in FEATURES}
    shares: dict[str, list[Figures]] = {histogram.name: [] for histogram in HISTOGRAMS}
    for score in scores:
        view = View(score)
        for feature in FEATURES:
            figures[feature.name].append(feature.measure(view))
        for histogram in HISTOGRAMS:
            counts = histogram.measure(view)
            shares[histogram.name].append(counts / counts.sum() if counts.sum() else np.full(len(counts), np.nan))
    return Survey(
        {name: np.array(column, dtype=np.float64) for name, column in figures.items()},
        {h.name: np.array(shares[h.name], dtype=np.float64).reshape(-1, len(h.bins)) for h in HISTOGRAMS},
    )
