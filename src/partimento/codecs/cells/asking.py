"""What can be asked of a hidden cell, and what each cell of a piece would have been asked for.

Five things: how dense it is (notes for each quarter note), its lowest and its highest pitch, how many of its notes
sound at once at most, and the chord of its bar. MMM and MIDI-GPT (Ens and Pasquier 2020; Pasquier et al. 2025) ask for
density and polyphony so, FIGARO (von Rütte et al. 2023) for chords. What is learnt is measured in the music itself,
some of it told and some not, so that a model learns to go without any of it.

Leaves out: notes that ring on from an earlier bar, in polyphony and in chords.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from partimento.codecs.cells.fields import (
    DENSEST,
    DRUMS,
    FIELDS,
    NOTE,
    SPARSEST,
    STEPS,
    VOICES,
    Ids,
    Mask,
    densities,
    durations,
    onsets,
    values,
    vocabulary,
)
from partimento.codecs.cells.grid import Grid
from partimento.errors import ImpossibleRequest
from partimento.harmony import CHORDS, chord_name, classes, recognised
from partimento.keys import pitches_in
from partimento.levels import nearest

__all__ = ["ASPECTS", "Asked", "Wish", "asked_events", "aspects", "measured", "partly"]

ASPECTS = ("density", "lowest", "highest", "polyphony", "chord")
"""What may be asked, in the order of an event's fields."""
DENSITY, LOWEST, HIGHEST, POLYPHONY, CHORD = range(len(ASPECTS))
NOTHING = -1
ALONE = 0.4  # share of what is told in which one thing alone is, as people mostly ask
SINGLY = ((DENSITY,), (LOWEST, HIGHEST), (POLYPHONY,), (CHORD,))
TOLD = 0.5  # share in which each aspect is told, else
EXACT = 0.5  # share in which a range is told as it is
WIDER = 8  # semitones that it is told wider at most, else


Wish: TypeAlias = float | int | tuple[float | int | None, ...] | None
"""What is asked of all tracks that are written, or of one after the other of them; None for nothing."""
PER_TRACK = {"density": DENSITY, "lowest": LOWEST, "highest": HIGHEST, "polyphony": POLYPHONY}
LIMITS = {"density": (SPARSEST, DENSEST), "lowest": (0, 127), "highest": (0, 127), "polyphony": (1, VOICES)}


@dataclass(frozen=True)
class Asked:
    """What cells are to be; None for as the model would have it.

    The first four are one value for all tracks that are written, or a tuple with one for each of them, in their order.

    Attributes:
        density: notes for each quarter note, 0.25 to 16, to the nearest of `densities`.
        lowest: no pitch is lower, 0 to 127; drums are not meant.
        highest: no pitch is higher.
        polyphony: so many notes of a track sound at once in each bar in which it plays, and no more, 1 to 16.
        key: no pitch lies outside of it (`keys.scale_named`); drums are not meant, and the model is not told.
        chords: of one bar after the other, from the first that may be written, and over again (`harmony`): a wish, and
            on the strong beats a rule.

    Raises:
        ImpossibleRequest: a number lies outside of these, the lowest pitch is higher than the highest, there is no such
            key, or a chord has no tone in the key and the range.
    """

    density: Wish = None
    lowest: Wish = None
    highest: Wish = None
    polyphony: Wish = None
    key: str | None = None
    chords: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in (*LIMITS, "chords"):
            if isinstance(value := getattr(self, name), list):  # as it comes from JSON
                object.__setattr__(self, name, tuple(value))
        for name, (least, most) in LIMITS.items():
            for value in _row(getattr(self, name)):
                if value is not None and not least <= value <= most:
                    raise ImpossibleRequest(f"The {name} must be from {least:g} to {most:g}, not {value:g}.")
        for chord in self.chords:
            if not (isinstance(chord, int | np.integer) and 0 <= chord < CHORDS):
                raise ImpossibleRequest(f"{chord!r} is no chord's number: harmony.chords_named gives those of names.")
        in_key = pitches_in(self.key)
        for low, high, polyphony in self._ranges():
            if low > high:
                raise ImpossibleRequest("The lowest pitch is higher than the highest.")
            there = in_key & (np.arange(128) >= low) & (np.arange(128) <= high)
            if not there.any():
                raise ImpossibleRequest(f"No pitch of {self.key} is from {low:g} to {high:g}.")
            if polyphony > there.sum():
                raise ImpossibleRequest(
                    f"{polyphony:g} notes cannot sound at once: there are {there.sum()} pitches from {low:g} to "
                    f"{high:g}."
                )
            for chord in self.chords:
                if not classes(chord)[np.flatnonzero(there) % 12].any():
                    raise ImpossibleRequest(
                        f"No tone of {chord_name(chord)} lies in the key and the range that are asked."
                    )

    def _ranges(self) -> Iterator[tuple[float, float, float]]:
        """The lowest and the highest pitch of all tracks, or of each, and how many are to sound at once."""
        rows = _row(self.lowest), _row(self.highest), _row(self.polyphony)
        count = max(map(len, rows))
        for low, high, polyphony in itertools.zip_longest(*(row * count if len(row) == 1 else row for row in rows)):
            yield 0 if low is None else low, 127 if high is None else high, polyphony or 0

    def of(self, cells: Mask, programs: Ids, tracks: Ids | None = None, first: int = 0) -> Ids:
        """What is asked of each cell.

        Args:
            cells: (bars, tracks) those that are meant.
            programs: (tracks,) of the tracks; drums have neither pitches nor chords.
            tracks: places of the tracks that may be written, in whose order something is asked of each; those of the
                cells if None.
            first: the bar that the first chord is of.

        Returns:
            (bars, tracks, 5) values of their events' fields; nothing of other cells.

        Raises:
            ImpossibleRequest: something is asked of another number of tracks than there are.
        """
        found = np.full((*cells.shape, len(ASPECTS)), NOTHING)
        tracks = np.flatnonzero(cells.any(axis=0)) if tracks is None else tracks
        for name, aspect in PER_TRACK.items():
            row = _row(getattr(self, name))
            if len(row) not in (1, len(tracks)):
                raise ImpossibleRequest(
                    f"The {name} is asked of {len(row)} tracks one by one, and {len(tracks)} "
                    f"{'is' if len(tracks) == 1 else 'are'} written."
                )
            found[:, tracks, aspect] = [NOTHING if value is None else _level(name, value) for value in row]
        if self.chords:
            place = np.arange(len(cells)) - first
            found[..., CHORD] = np.array(self.chords)[place % len(self.chords)][:, None]
        found[~cells] = NOTHING
        found[:, programs == DRUMS, LOWEST], found[:, programs == DRUMS, HIGHEST] = NOTHING, NOTHING
        found[:, programs == DRUMS, CHORD] = NOTHING
        return found


def _row(wish: Wish) -> tuple[float | int | None, ...]:
    return wish if isinstance(wish, tuple) else (wish,)


def _level(name: str, value: float) -> int:
    """The value of an event's field that asks for this."""
    if name == "density":
        return int(nearest(np.log(densities()), np.log(np.array([value])))[0])
    return int(value) - (name == "polyphony")


@functools.cache
def counts(density: int, length: int) -> tuple[int, int]:
    """How many notes at least, and at most, a cell has whose density is told by this level.

    Args:
        density: the level, 0 to 15.
        length: of its bar, in steps.
    """
    wanted = float(densities()[density]) * length / STEPS
    half = float(np.sqrt(densities()[1] / densities()[0]))
    least, most = int(np.ceil(wanted / half)), int(np.floor(wanted * half))
    return (least, most) if 1 <= least <= most else (max(round(wanted), 1),) * 2


def measured(grid: Grid) -> Ids:
    """(bars, tracks, 5) what each cell would have been asked for, as values of its event's fields.

    Of a cell without notes there is the chord alone; drums have no pitch, and -1 stands where there is nothing to say.
    """
    shape = (grid.bars, len(grid.tracks))
    found = np.full((*shape, len(ASPECTS)), NOTHING)
    notes = (grid.kind == NOTE) & (grid.track >= 0)
    events, bar, track = grid.events[notes], grid.bar[notes], grid.track[notes]
    at, pitch, lasts = onsets(events), values(events[:, 2]), durations(events)
    lengths = np.diff(grid.starts)

    count = np.zeros(shape)
    np.add.at(count, (bar, track), 1)
    there = count > 0
    dense = np.log(count[there] / np.broadcast_to(lengths[:, None] / STEPS, shape)[there])
    found[there, DENSITY] = nearest(np.log(densities()), dense)

    pitched = grid.programs[track] != DRUMS
    lowest, highest = np.full(shape, 128), np.full(shape, NOTHING)
    np.minimum.at(lowest, (bar[pitched], track[pitched]), pitch[pitched])
    np.maximum.at(highest, (bar[pitched], track[pitched]), pitch[pitched])
    found[..., LOWEST] = np.where(lowest < 128, lowest, NOTHING)
    found[..., HIGHEST] = highest

    cell = bar * shape[1] + track
    most = _most_at_once(cell, at, at + lasts, grid.bars * shape[1]).reshape(shape)
    found[there, POLYPHONY] = np.minimum(most[there], VOICES) - 1

    sounds = np.minimum(lasts, lengths[bar] - at)
    time = np.zeros((grid.bars, 12))
    np.add.at(time, (bar[pitched], pitch[pitched] % 12), np.maximum(sounds[pitched], 0))
    found[..., CHORD] = recognised(time)[:, None]
    found[:, grid.programs == DRUMS, CHORD] = NOTHING
    return found


def _most_at_once(cell: Ids, start: Ids, end: Ids, cells: int) -> Ids:
    """(cells,) how many notes of each cell sound at once at most."""
    who = np.concatenate([cell, cell])
    when = np.concatenate([start, end])
    step = np.concatenate([np.ones(len(start), np.int64), np.full(len(end), -1)])
    order = np.lexsort((step, when, who))  # what ends at a step ends before another begins
    sounding = np.cumsum(step[order])  # each cell ends with none
    most = np.zeros(cells, dtype=np.int64)
    np.maximum.at(most, who[order], sounding)
    return most


def partly(asked: Ids, rng: np.random.Generator) -> Ids:
    """The same with some aspects left out, and ranges sometimes wider than they are, as a user asks for them.

    A silent cell has a chord and nothing else. Where anything else is told its chord is not, else a chord that is asked
    alone would be taken for a cell that is silent.
    """
    told = asked.copy()
    kept = rng.random(len(ASPECTS)) < TOLD
    if rng.random() < ALONE:
        kept[:] = False
        kept[list(SINGLY[int(rng.integers(len(SINGLY)))])] = True
    if rng.random() >= EXACT:
        down, up = rng.integers(0, WIDER + 1, 2)
        told[..., LOWEST] = np.where(told[..., LOWEST] >= 0, np.maximum(told[..., LOWEST] - down, 0), NOTHING)
        told[..., HIGHEST] = np.where(told[..., HIGHEST] >= 0, np.minimum(told[..., HIGHEST] + up, 127), NOTHING)
    told[..., ~kept] = NOTHING
    if kept[:CHORD].any():
        told[(asked[..., :CHORD] == NOTHING).all(axis=-1), CHORD] = NOTHING
    return told


def asked_events(asked: Ids) -> Ids:
    """(N, 6) events for what is asked of N cells, (N, 5)."""
    ids = vocabulary()
    firsts = [ids.first(name) for name in ("density", "pitch", "pitch", "polyphony", "chord")]
    rows = np.empty((len(asked), FIELDS), dtype=np.int64)
    rows[:, 0] = ids.first("asked")
    rows[:, 1:] = np.where(asked == NOTHING, ids.first("none"), np.array(firsts) + asked)
    return rows


def aspects(event: NDArray[np.int64]) -> tuple[int, ...]:
    """What an `asked` event (6,) says, in the order of `ASPECTS`; -1 for nothing."""
    none = vocabulary().first("none")
    return tuple(NOTHING if id == none else int(values(np.array(id))) for id in event[1:].tolist())
