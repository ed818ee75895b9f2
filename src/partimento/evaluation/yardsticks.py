"""Yardsticks: music that anyone can make without learning; what a machine makes should be nearer to people's than it.

*Noise* has the instruments, the number of notes and the length of a piece of people, and all else by chance. *Shuffled
bars* are people's own bars in an order that means nothing, out of any of the pieces: each bar is perfect, so only what
spans bars (key, range, repetition, groove) can tell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.score import Note, Score, Track, bar_edges, end_tick, excerpt, note_array

__all__ = ["excerpts", "noise", "shuffled_bars"]

STEPS = 4  # of a beat, on which noise begins: its onsets are no easier to tell from music than written ones
LONGEST = 4  # beats of a note of noise
VELOCITY = 80
RESOLUTION = 480  # ticks of a beat in which bars of different pieces are put together

Bar = list[tuple[int, bool, Note]]  # program, drums, and a note counted from the bar's beginning


def excerpts(score: Score, bars: int, most: int, rng: np.random.Generator) -> list[Score]:
    """Cut a piece end to end into excerpts of so many bars, and draw some of those that have a note.

    Args:
        score: a piece; one shorter than `bars` is one excerpt.
        bars: of each excerpt.
        most: excerpts to draw at most; they keep their order.
        rng: draws them.
    """
    edges = bar_edges(score)
    starts = np.arange(0, max(len(edges) - bars, 1), bars)
    onsets = np.sort(note_array(score)["onset"])
    stops = edges[np.minimum(starts + bars, len(edges) - 1)]
    sounding = starts[np.searchsorted(onsets, stops) > np.searchsorted(onsets, edges[starts])]
    chosen = np.sort(rng.permutation(len(sounding))[:most])
    return [
        excerpt(score, int(edges[first]), int(edges[min(first + bars, len(edges) - 1)]))
        for first in sounding[chosen].tolist()
    ]


def noise(scores: Sequence[Score], rng: np.random.Generator) -> list[Score]:
    """For each piece as many notes on the same instruments in the same time, each drawn evenly from all that there is.

    Onsets come from all sixteenths, lengths from a sixteenth to a whole note, pitches from all between the lowest and
    the highest of all pieces, and drums from those that they have.
    """
    notes = np.concatenate([note_array(score) for score in scores]) if scores else note_array(Score(RESOLUTION))
    pitches = np.unique(notes["pitch"][notes["program"] >= 0])
    drums = np.unique(notes["pitch"][notes["program"] < 0])
    every = np.arange(pitches.min(initial=127), pitches.max(initial=0) + 1)
    return [_noise(score, every, drums, rng) for score in scores]


def _noise(
    score: Score, pitches: NDArray[np.integer[Any]], drums: NDArray[np.integer[Any]], rng: np.random.Generator
) -> Score:
    result = score.copy()
    ticks = score.ticks_per_quarter
    steps = max(end_tick(score) * STEPS // ticks, 1)
    for track in result.tracks:
        count = len(track.notes)
        onset = rng.integers(0, steps, count)
        length = np.minimum(rng.integers(1, LONGEST * STEPS + 1, count), steps - onset)
        pitch = rng.choice(drums if track.is_drum else pitches, count) if count else onset
        columns = (onset * ticks // STEPS, np.maximum(length * ticks // STEPS, 1), pitch)
        track.notes.clear()
        for at, long, high in zip(*(column.tolist() for column in columns), strict=True):
            track.notes.append(Note(at, long, high, VELOCITY))
    return result.sort()


def shuffled_bars(scores: Sequence[Score], rng: np.random.Generator) -> list[Score]:
    """The bars of all pieces in random order: each piece has as many bars of each length as before, out of any piece.

    Metre and tempo stay where they were; a note that lasts beyond its bar does so in its new place.
    """
    scores = [score if score.ticks_per_quarter == RESOLUTION else score.resample(RESOLUTION) for score in scores]
    places = [bar_edges(score) for score in scores]
    pool: dict[int, list[Bar]] = defaultdict(list)
    for score, edges in zip(scores, places, strict=True):
        for length, bar in zip(np.diff(edges).tolist(), _bars(score, edges.tolist()), strict=True):
            pool[length].append(bar)
    orders = {length: iter(rng.permutation(len(bars)).tolist()) for length, bars in pool.items()}
    made = []
    for score, edges in zip(scores, places, strict=True):
        lengths = np.diff(edges).tolist()
        drawn = [pool[length][next(orders[length])] for length in lengths]
        made.append(_put_together(score, zip(edges.tolist(), drawn, strict=False)))
    return made


def _bars(score: Score, edges: list[int]) -> list[Bar]:
    """The notes that begin in each bar, counted from its beginning."""
    bars: list[Bar] = [[] for _ in edges[1:]]
    for track in score.tracks:
        for note in track.notes:
            number = int(np.searchsorted(edges, note.time, side="right")) - 1
            moved = Note(note.time - edges[number], note.duration, note.pitch, note.velocity)
            bars[number].append((track.program, track.is_drum, moved))
    return bars


def _put_together(frame: Score, bars: Iterable[tuple[int, Bar]]) -> Score:
    """The bars at their places, in the metre and tempo of a piece."""
    result = Score(frame.ticks_per_quarter)
    result.tempos = frame.tempos.copy()
    result.time_signatures = frame.time_signatures.copy()
    tracks: dict[tuple[int, bool], Track] = {}
    for start, bar in bars:
        for program, drums, note in bar:
            track = tracks.setdefault((program, drums), Track("", program, drums))
            track.notes.append(Note(start + note.time, note.duration, note.pitch, note.velocity))
    for track in tracks.values():
        result.tracks.append(track)
    return result.sort()
