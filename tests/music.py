"""Small music for tests: hypothesis strategies for any score, and tunes that sound like music."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from partimento.codec import Request
from partimento.files import write
from partimento.score import Note, Score, Tempo, TimeSignature, Track

TICKS_PER_QUARTER = (1, 24, 96, 120, 220, 480, 1024)
METRES = ((4, 4), (3, 4), (2, 4), (2, 2), (6, 8), (12, 8), (5, 8), (7, 8), (3, 16), (1, 4), (15, 8), (13, 16), (4, 1))


@st.composite
def notes(draw: st.DrawFn, ticks_per_quarter: int, quarters: int = 12) -> Note:
    """One note: on a common beat or anywhere, of any length, also none."""
    grid = draw(st.sampled_from((1, max(ticks_per_quarter // 4, 1), max(ticks_per_quarter // 3, 1))))
    onset = draw(st.integers(0, quarters * ticks_per_quarter // grid)) * grid
    duration = draw(st.one_of(st.integers(0, 3).map(lambda n: n * grid), st.integers(0, 40 * ticks_per_quarter)))
    return Note(onset, duration, draw(st.integers(0, 127)), draw(st.integers(1, 127)))


@st.composite
def tracks(draw: st.DrawFn, ticks_per_quarter: int, max_notes: int = 12) -> Track:
    """One track, drums one time in five; few pitches at times, so that notes of one pitch overlap."""
    drums = draw(st.integers(0, 4)) == 0
    track = Track("", 0 if drums else draw(st.sampled_from((0, 0, 24, 33, 127))), drums)
    track.notes.extend(draw(st.lists(notes(ticks_per_quarter), max_size=max_notes)))
    if draw(st.booleans()):
        for note in track.notes:
            note.pitch = 60 + note.pitch % 3
    track.notes.sort()
    return track


@st.composite
def scores(draw: st.DrawFn, max_tracks: int = 3, max_notes: int = 12) -> Score:
    """Any small score: several instruments, drums, metres that change anywhere, tempi, overlaps; also an empty one."""
    ticks = draw(st.sampled_from(TICKS_PER_QUARTER))
    score = Score(ticks)
    score.tracks.extend(draw(st.lists(tracks(ticks, max_notes), max_size=max_tracks)))
    when = st.one_of(st.just(0), st.integers(0, 12 * ticks), st.integers(0, 12).map(lambda n: n * ticks))
    for time, (numerator, denominator) in draw(st.lists(st.tuples(when, st.sampled_from(METRES)), max_size=3)):
        score.time_signatures.append(TimeSignature(time, numerator, denominator))
    for time, qpm in draw(st.lists(st.tuples(when, st.floats(10, 500)), max_size=3)):
        score.tempos.append(Tempo(time, qpm))
    return score.sort()


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Any request for a little music."""
    length = draw(st.sampled_from(("none", "bars", "seconds", "notes")))
    return Request(
        bars=draw(st.integers(1, 4)) if length == "bars" else None,
        seconds=draw(st.floats(0.5, 8)) if length == "seconds" else None,
        notes=draw(st.integers(1, 20)) if length == "notes" else None,
        longest_silence=draw(st.sampled_from((8.0, 2.0, 0.25))),
        longest_note=draw(st.sampled_from((16.0, 4.0, 0.5))),
    )


def tune(seed: int, bars: int = 8, drums: bool = True) -> Score:
    """A tune in 4/4 with a bass and, if asked for, drums, on eighth notes; another seed gives another tune."""
    rng = np.random.default_rng(seed)
    score = Score(480)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    score.tempos.append(Tempo(0, 96.0))
    melody, bass, kit = Track("Melody", 0, False), Track("Bass", 32, False), Track("Drums", 0, True)
    scale = np.array([60, 62, 64, 65, 67, 69, 71, 72, 74, 76])
    degree = int(rng.integers(len(scale)))
    for bar in range(bars):
        root = int(rng.choice([36, 41, 43, 45]))
        for beat in range(4):
            start = (4 * bar + beat) * 480
            eighths = 2 if rng.random() < 0.4 else 1
            for part in range(eighths):
                degree = int(np.clip(degree + rng.integers(-2, 3), 0, len(scale) - 1))
                length = 480 // eighths
                melody.notes.append(Note(start + part * length, length, int(scale[degree]), int(rng.integers(60, 100))))
            if beat % 2 == 0:
                bass.notes.append(Note(start, 960, root + (7 if beat else 0), 70))
            kit.notes.append(Note(start, 120, 36 if beat % 2 == 0 else 38, 90))
    score.tracks.extend([melody, bass, kit] if drums else [melody, bass])
    return score.sort()


def write_tunes(folder: Path, seeds: Iterable[int], bars: int, *, drums: bool = True) -> None:
    """Write a tune of each seed into a folder, named by it."""
    for seed in seeds:
        write(tune(seed, bars, drums=drums), folder / f"{seed:02d}.mid")
