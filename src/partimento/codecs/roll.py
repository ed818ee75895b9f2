"""Music as a grid of pitches by steps: the state matrix of the classic systems.

Boulanger-Lewandowski et al. 2012 ("Modeling temporal dependencies in high-dimensional sequences") train on piano rolls;
Johnson 2015 ("Composing music with recurrent neural networks") and, after him, the RBM tutorial of Shiebler 2016 tell
held from repeated notes by a second plane. Here plane 0 is the onsets, 1 where a pitch is struck in this step, and
plane 1 the sustain, 1 where it sounds; those tutorials have the same two in the other order, as "play" and
"articulate", over the 78 pitches 24..101. With `planes = "velocity"`, plane 2 holds how loud a struck note is, 0..1;
with `planes = "sustain"` there is that plane alone, as in Boulanger-Lewandowski's rolls.

Decoding takes 0.5 and above as 1. An onset begins a note, also where the sustain is missing; the note lasts as long as
the sustain goes on without another onset. A sustain that follows no note is ignored: what a model leaves lying there
has no beginning.

Lost: onsets and lengths off the grid (a step is 1/4 quarter note by default), pitches beyond the grid, instruments (all
pitched tracks are one piano), drums (left out), tempo and metre (decoded as 120 quarter notes a minute in 4/4),
loudness (decoded as 80) without its plane, the silence after the last note and, without onsets, that a note was
repeated.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from partimento.codec import Codec, RollSpec
from partimento.score import DEFAULT_QPM, Score, Tempo, TimeSignature, Track, note_array, note_list
from partimento.settings import settings

ONSET, SUSTAIN, VELOCITY = 0, 1, 2
PLANES = ("sustain", "onset", "velocity")
DEFAULT_VELOCITY = 80


class Roll(Codec[RollSpec]):
    """The state matrix; see the module's docstring for what it keeps and loses."""

    name: ClassVar[str] = "roll"

    @settings
    class Settings:
        """What the grid covers and how finely."""

        low: int = 24
        """The lowest MIDI pitch."""
        pitches: int = 78
        """How many pitches, upwards from the lowest."""
        steps_per_beat: int = 4
        """Steps of a quarter note; 4 are sixteenth notes, 12 hold triplets as well."""
        planes: Literal["sustain", "onset", "velocity"] = "onset"
        """What a grid tells: which pitches sound (repeated notes melt into one); also where they are struck; also how
        loud."""

        def __post_init__(self) -> None:
            if not 0 <= self.low <= 127:
                raise ValueError("low must be 0 to 127")
            if not 1 <= self.pitches <= 128 - self.low:
                raise ValueError(f"pitches must be 1 to {128 - self.low} above {self.low}")
            if not 1 <= self.steps_per_beat <= 96:
                raise ValueError("steps_per_beat must be 1 to 96")

    settings: Settings

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def spec(self) -> RollSpec:
        """One plane, two with onsets, three with loudness."""
        s = self.settings
        return RollSpec(PLANES.index(s.planes) + 1, s.low, s.pitches, s.steps_per_beat)

    def encode(self, score: Score) -> NDArray[np.float32]:
        """(T, channels, pitches): as many steps as sound until the last note's end; none where there are no notes."""
        spec = self.spec
        notes = note_array(score)
        row = notes["pitch"] - spec.low
        kept = (notes["program"] >= 0) & (row >= 0) & (row < spec.pitches)
        notes, row = notes[kept], row[kept].astype(np.int64)
        scale = spec.steps_per_beat / score.ticks_per_quarter
        start = _nearest(notes["onset"] * scale)
        length = np.maximum(_nearest(notes["duration"] * scale), 1)
        total = int((start + length).max(initial=0))

        x = np.zeros((total, spec.channels, spec.pitches), dtype=np.float32)
        if spec.channels > 1:
            x[start, ONSET, row] = 1
        # +1 where a note starts and -1 where it ends, summed along time, counts what sounds
        edges = np.zeros((total + 1, spec.pitches), dtype=np.int32)
        np.add.at(edges, (start, row), 1)
        np.add.at(edges, (start + length, row), -1)
        x[:, SUSTAIN if spec.channels > 1 else 0] = np.cumsum(edges, axis=0)[:-1] > 0
        if spec.channels > VELOCITY:
            np.maximum.at(x[:, VELOCITY], (start, row), notes["velocity"].astype(np.float32) / 127)
        return x

    def decode(self, x: NDArray[Any]) -> Score:
        """One track of piano, from an array of the spec with any values at all."""
        spec = self.spec
        x = np.nan_to_num(np.asarray(x, dtype=np.float32).reshape(-1, spec.channels, spec.pitches))
        if spec.channels == 1:
            x = _with_onsets(x)
        onset = x[:, ONSET].T >= 0.5
        held = (x[:, SUSTAIN].T >= 0.5) & ~onset
        row, start = np.nonzero(onset)
        # where each step's run of held cells ends: the first later step, or the last + 1, that is not held
        steps = held.shape[1]
        stops = np.where(held, steps, np.arange(steps))
        stops = np.minimum.accumulate(stops[:, ::-1], axis=1)[:, ::-1]
        stops = np.concatenate([stops, np.full((spec.pitches, 1), steps)], axis=1)
        stop = stops[row, start + 1]

        score = Score(spec.steps_per_beat)
        score.tempos.append(Tempo(0, DEFAULT_QPM))
        score.time_signatures.append(TimeSignature(0, 4, 4))
        track = Track("", 0, False)
        velocity = np.full(len(row), DEFAULT_VELOCITY, dtype=np.int8)
        if spec.channels > VELOCITY:
            velocity = np.clip(np.rint(x[start, VELOCITY, row] * 127), 1, 127).astype(np.int8)
        order = np.lexsort((row, start))
        track.notes = note_list(start[order], (stop - start)[order], (row + spec.low)[order], velocity[order])
        score.tracks.append(track)
        return score

    def notes(self, x: NDArray[Any]) -> int:
        """How many notes `decode(x)` has: each onset is one."""
        planes = np.asarray(x).reshape(-1, self.spec.channels, self.spec.pitches)
        if self.spec.channels == 1:
            planes = _with_onsets(planes)
        return int((planes[:, ONSET] >= 0.5).sum())

    def save(self, folder: Path) -> None:
        """Write nothing: all there is to know is in the settings."""

    @classmethod
    def load(cls, folder: Path, settings: Any) -> Roll:  # noqa: ARG003
        """The codec of these settings."""
        return cls(settings)


def _with_onsets(x: NDArray[Any]) -> NDArray[Any]:
    """Add to a sustain plane alone, (T, 1, P), the onsets of its runs: (T, 2, P)."""
    sounds = x >= 0.5
    before = np.concatenate([np.zeros_like(sounds[:1]), sounds[:-1]])
    return np.concatenate([sounds & ~before, sounds], axis=1).astype(np.float32)


def _nearest(steps: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.floor(steps + 0.5).astype(np.int64)
