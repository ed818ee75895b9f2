"""Music as events, in cells: what each track has in each bar; nothing is lost that need not be.

A score is a grid of cells, bar by track (Ens and Pasquier 2020, "MMM: Exploring conditional multi-track music
generation with the Transformer", whose cells stand track after track; here they stand bar after bar, so that a piece
grows in time). Each event is one group of six ids (`fields`), after the compound words of Hsiao et al. (2021, "Compound
Word Transformer") and the events of midi-model; a model that knows groups (`models.nested`) reads an event as one.

Kept: every note with its track, its pitch, its onset and its end to the nearest 24th of a quarter note, loudness within
2, programs and drums, tempi from 15 to 480 quarter notes a minute within 1.4 %, metres from the bar on in which they
hold, and the sustain pedal.

Lost: times finer than that; with `align` how far all of a piece lies beside its beats (`alignment`); what a note lasts
over 64 quarters; metres that `metres` lacks; how far the pedal is down; what comes after the bar of the last onset; key
signatures, bends, other controllers, names, lyrics.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from partimento.alignment import beside_beats, on_beats
from partimento.atomic import write_text
from partimento.codec import Codec, TokenSpec
from partimento.codecs.cells.asking import measured, partly
from partimento.codecs.cells.busyness import ANY
from partimento.codecs.cells.changing import Changes, counted_changes
from partimento.codecs.cells.clock import COMMON
from partimento.codecs.cells.fields import (
    BAR,
    CELL,
    DOWN,
    DRUMS,
    FIELDS,
    NOTE,
    STEPS,
    TEMPI,
    TEMPO,
    TRACKS,
    UP,
    counted,
    events_of,
    headings,
    id_kinds,
    places,
    tempi,
    timing,
    values,
    vocabulary,
    voices,
)
from partimento.codecs.cells.grammar import Cells as Grammar
from partimento.codecs.cells.grid import Grid
from partimento.codecs.cells.hiding import drawn, hide, unfold
from partimento.codecs.cells.reading import read
from partimento.codecs.cells.writing import with_changes_alone, write
from partimento.compasses import compasses
from partimento.errors import InvalidBundle
from partimento.levels import nearest
from partimento.metres import METRES
from partimento.score import DEFAULT_QPM, Score, note_array
from partimento.settings import settings

USED_FILE = "used.json"
ALWAYS = ("bar", "cell", "note", "step", "none", "quarters", "steps", "eos")
ENDING_SHARE = 0.5  # of the parts with which a piece ends: what is told so that it does
PERCUSSION = np.arange(27, 88)  # keys of drums that General MIDI 2 names; level 1 has 35 to 81
USUAL_PITCHES = 0.999  # of all notes of a program: what is not below its lowest pitch, or not above its highest
USUALLY_BUSY = 25.0, 75.0  # per cent of pieces that are no busier than the least, and the most, that is usual
USUAL_CHORDS = 0.999  # of all that a program strikes at once: how many notes of so many it may strike
ASKED_SHARE = 0.65  # of what is told with cells hidden: what is told with something asked of them


class Cells(Codec[TokenSpec]):
    """Events in cells; see the module's docstring for what they keep and lose."""

    name: ClassVar[str] = "cells"
    changeable: ClassVar[tuple[str, ...]] = ("tempo_told", "align")

    @settings
    class Settings:
        """How tempi and onsets are told."""

        tempo_told: Literal["always", "changed"] = "always"
        """In every bar, as the model that comes along has learnt them, or only where they change: that they stay is
        learnt much sooner so."""
        align: bool = False
        """Whether a piece whose notes keep a grid that lies beside its beats is moved onto these, so that a model need
        not keep in mind how far beside."""

    settings: Settings

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.used = np.ones(vocabulary().size, dtype=np.bool_)
        self.programs = np.ones((TRACKS, DRUMS + 1), dtype=np.int64)  # in how many pieces a track has a program
        self.at_once = np.full(DRUMS + 1, 128)  # notes that a program strikes at once at most
        self.ranges = np.tile([0, 127], (DRUMS + 1, 1))  # the lowest and the highest pitch that a program plays
        self.opening = (COMMON, int(nearest(tempi(), np.array([DEFAULT_QPM]))[0]))  # metre and tempo that pieces have
        self.first_tempi = np.ones(TEMPI, dtype=np.bool_)  # with which pieces begin
        self.busy = ANY  # notes a quarter note, from the least to the most that is usual
        self.busy_tracks = np.tile(ANY, (DRUMS + 1, 1))  # the same of a track, by its program
        self.changes = Changes()  # how seldom metre and tempo change
        self.cell_size = 6.0  # events of a cell that has any, on average

    @property
    def spec(self) -> TokenSpec:
        """Groups of `FIELDS` ids."""
        ids = vocabulary()
        return TokenSpec(
            ids.size,
            pad=ids.first("pad"),
            bos=ids.first("bos"),
            eos=ids.first("eos"),
            group=FIELDS,
            places=places(),
            timing=timing(),
            headings=headings(),
            kinds=id_kinds(),
            voices=voices(),
            counted=counted(),
        )

    @property
    def _changes_alone(self) -> bool:
        return self.settings.tempo_told == "changed"

    def learn(self, scores: Iterable[Score]) -> None:
        """Note what occurs, that nothing else be sampled: programs by track, metres, tempi, loudness, drums, pedals.

        And with which tempi pieces begin, how seldom these and metres change, how many notes a program strikes at once,
        but for the rarest times, and how busy pieces are. The vocabulary is fixed: ids that never occur cost a model
        next to nothing, and a prompt from elsewhere can still be told.
        """
        ids = vocabulary()
        used = np.zeros(ids.size, dtype=np.bool_)
        programs = np.zeros((TRACKS, DRUMS + 1), dtype=np.int64)
        metres, levels, counts = Counter[int](), list[int](), Counter[int]()
        struck = np.zeros((DRUMS + 1, 129), dtype=np.int64)  # how often each program strikes so many notes at once
        busy, of_tracks = list[float](), defaultdict[int, list[float]](list)
        timed = []  # events of bars and tempi
        for score in scores:
            x = self._written(score)
            used[x] = True
            kind, events = events_of(x)
            timed.append(events[np.isin(kind, (BAR, TEMPO))])
            counts.update(kind.tolist())
            bars = values(events[kind == BAR][:, 1:3])
            if len(bars):
                metres[int(np.bincount(bars[:, 0]).argmax())] += 1
                levels.append(int(bars[0, 1]))
            cells = np.unique(events[kind == CELL][:, 1:3], axis=0)
            programs[values(cells[:, 0]), values(cells[:, 1])] += 1
            grid = Grid(x)
            np.add.at(struck, _struck(grid), 1)
            for program, notes in zip(grid.programs.tolist(), grid.notes.sum(axis=0).tolist(), strict=True):
                of_tracks[program].append(notes * STEPS / grid.starts[-1])
            onsets = note_array(score)["onset"] / score.ticks_per_quarter
            if len(onsets):
                busy.append(len(onsets) / max(np.ptp(onsets), 1.0))
        if not used.any():
            return
        for name in ALWAYS:
            used[ids[name].start : ids[name].stop] = True
        pitches = slice(ids["pitch"].start, ids["pitch"].stop)
        sounding = np.flatnonzero(used[pitches])
        if len(sounding):  # between the lowest and the highest every pitch may come
            used[pitches.start + sounding[0] : pitches.start + sounding[-1] + 1] = True
        drums = slice(ids["drum"].start, ids["drum"].stop)
        if used[drums][PERCUSSION].any():  # what electronic kits add below it, players have no sound for
            used[drums] &= np.isin(np.arange(128), PERCUSSION)
        self.used, self.programs = used, programs
        self.opening = (metres.most_common(1)[0][0], sorted(levels)[len(levels) // 2])
        self.first_tempi = np.isin(np.arange(TEMPI), levels)
        self.at_once, self.changes = _usual(struck), counted_changes(timed)
        if busy:
            least, most = np.percentile(busy, USUALLY_BUSY).tolist()
            self.busy = least, most
        self.busy_tracks = np.tile(ANY, (DRUMS + 1, 1))
        for program, own in of_tracks.items():
            self.busy_tracks[program] = np.percentile(own, USUALLY_BUSY)
        self.cell_size = sum(counts[kind] for kind in (NOTE, DOWN, UP)) / max(counts[CELL], 1)

    def learn_ranges(self, scores: Iterable[Score]) -> None:
        """Note from where to where programs play, but for the rarest notes; what does not play keeps its range."""
        heard = np.zeros((DRUMS, 128), dtype=np.int64)
        for score in scores:
            notes = note_array(score)
            notes = notes[notes["program"] >= 0]
            np.add.at(heard, (notes["program"], notes["pitch"]), 1)
        ranges = self.ranges.copy()
        for program in np.flatnonzero(heard.any(axis=1)).tolist():
            share = np.cumsum(heard[program]) / heard[program].sum()
            ranges[program] = (share > 1 - USUAL_PITCHES).argmax(), (share >= USUAL_PITCHES).argmax()
        self.ranges = ranges

    def adapt(self, scores: Iterable[Score]) -> None:
        """Learn what occurs in the other music, in place of what was learnt: the vocabulary is fixed."""
        self.learn(scores)

    def usual(self, tracks: int) -> tuple[int, ...]:
        """The programs, 128 for drums, of the tracks that learnt pieces usually have after their first so many."""
        pieces = self.programs.sum(axis=1)
        having = pieces[max(tracks - 1, 0)]
        usual = [number for number in range(tracks, TRACKS) if having and 2 * pieces[number] >= having]
        return tuple(int(self.programs[number].argmax()) for number in usual)

    def encode(self, score: Score) -> NDArray[np.int64]:
        """(6 E,) ids; empty where there are no notes."""
        return self.told(self._written(score))

    def beside_beats(self, score: Score) -> int:
        """How many ticks sooner than it is a piece is told, or later where negative; see `alignment`."""
        return beside_beats(score) if self.settings.align else 0

    def _written(self, score: Score) -> NDArray[np.int64]:
        """(6 E,) ids, with the tempo in each bar."""
        return write(on_beats(score) if self.settings.align else score)

    def told(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ids that name the tempo in each bar, as this codec tells it."""
        return with_changes_alone(x) if self._changes_alone else x

    def decode(self, x: NDArray[Any]) -> Score:
        """The score that the ids tell; events that make no sense are passed over."""
        return read(unfold(np.asarray(x).reshape(-1)))

    def retold(self, x: NDArray[Any], rng: np.random.Generator, ends: bool = False) -> NDArray[Any] | None:
        """The same with some cells hidden and told after the rest (`hiding`); None where there is no whole bar.

        In two of three cases something is asked of them (`asking`). What the marks of hidden cells take is left out, at
        the end or, where the piece `ends` there, as often at the beginning; so this is no longer than `x`.
        """
        ids = np.asarray(x, dtype=np.int64)
        pattern = drawn(rng)
        asked = (lambda grid: partly(measured(grid), rng)) if rng.random() < ASKED_SHARE else None
        to_the_end = ends and rng.random() < ENDING_SHARE
        length = len(ids)
        while length >= FIELDS:
            size = length // FIELDS * FIELDS
            part = ids[len(ids) - size :] if to_the_end else ids[:size]
            told = hide(part, pattern, asked=asked, ends=ends and (to_the_end or size == len(ids)))
            if told is part:
                return None
            if len(told) <= len(ids):
                return told
            length = min(length * len(ids) // len(told), length - FIELDS)
        return None

    def given(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        """The marks of hidden cells and of the end, and what is asked."""
        ids = vocabulary()
        marks = [ids.first(name) for name in ("fill", "hidden", "asked", "end")]
        first = np.repeat(np.asarray(x)[::FIELDS], FIELDS)[: len(x)]
        return np.isin(first, marks)

    def grammar(self) -> Grammar:
        """Well-formed events with what `learn` saw."""
        programs, told = self.programs > 0, not self._changes_alone
        ranges, unheard = self.ranges.copy(), np.flatnonzero(~programs[:, :DRUMS].any(axis=0))
        ranges[unheard] = compasses()[unheard]
        return Grammar(
            self.used,
            programs,
            self.at_once,
            ranges,
            in_every_bar=told,
            first_tempi=self.first_tempi,
            busy=self.busy,
            changes=self.changes,
        )

    def notes(self, x: NDArray[Any]) -> int:
        """How many notes `decode(x)` has."""
        return int((events_of(unfold(np.asarray(x).reshape(-1)))[0] == NOTE).sum())

    def save(self, folder: Path) -> None:
        """Write what occurs."""
        tracks, programs = np.nonzero(self.programs)
        document = {
            "fields": vocabulary().SIZES,
            "used": np.flatnonzero(self.used).tolist(),
            "programs": np.stack([tracks, programs, self.programs[tracks, programs]], 1).tolist(),
            "at once": self.at_once.tolist(),
            "ranges": self.ranges.tolist(),
            "opening": self.opening,
            "first tempi": np.flatnonzero(self.first_tempi).tolist(),
            "changes": asdict(self.changes),
            "cell size": self.cell_size,
            "busy": self.busy,
            "busy tracks": self.busy_tracks.tolist(),
        }
        write_text(folder / USED_FILE, json.dumps(document))

    @classmethod
    def load(cls, folder: Path, settings: Any) -> Cells:
        """The saved codec.

        Raises:
            InvalidBundle: the file is missing or damaged, or of another version's fields.
        """
        codec = cls(settings)
        path = folder / USED_FILE
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["fields"] != vocabulary().SIZES:
                raise InvalidBundle(f"{path} has other fields than this version of Partimento; train the model anew.")
            used, programs = np.zeros_like(codec.used), np.zeros_like(codec.programs)
            ids, triples = np.array(document["used"], dtype=np.int64), np.array(document["programs"], dtype=np.int64)
            if ids.min(initial=0) < 0 or triples.min(initial=0) < 0:
                raise ValueError("a number is below 0")
            used[ids] = True
            track, program, count = triples.reshape(-1, 3).T
            programs[track, program] = count
            at_once = np.array(document.get("at once", codec.at_once.tolist()), dtype=np.int64)
            if at_once.shape != codec.at_once.shape or at_once.min() < 1:
                raise ValueError("there is a program that strikes nothing")
            ranges = np.array(document.get("ranges", codec.ranges.tolist()), dtype=np.int64)
            low, high = ranges.reshape(codec.ranges.shape).T
            if not ((low >= 0) & (low <= high) & (high <= 127)).all():
                raise ValueError("there is a program that plays nothing")
            metre, tempo = (int(number) for number in document["opening"])
            first_tempi = np.isin(np.arange(TEMPI), document.get("first tempi", range(TEMPI)))
            changes = Changes(**document.get("changes", {}))
            size = float(document["cell size"])
            least, most = (float(figure) for figure in document.get("busy", codec.busy))
            if not 0 <= least <= most < math.inf or most == 0:
                raise ValueError("learnt pieces have no notes")
            tracks = np.array(document.get("busy tracks", codec.busy_tracks.tolist()), dtype=np.float64)
            fewest, fullest = tracks.reshape(codec.busy_tracks.shape).T
            if not ((fewest >= 0) & (fewest <= fullest) & (fullest < math.inf)).all():
                raise ValueError("a track cannot be so busy")
            known = 0 <= metre < len(METRES) and 0 <= tempo < TEMPI and first_tempi.any()
            if not (known and 0 <= size < math.inf):
                raise ValueError("there is no such metre or tempo")
        except (OSError, ValueError, KeyError, TypeError, IndexError, OverflowError, AttributeError) as error:
            raise InvalidBundle(f"{path} is missing or damaged; take the bundle anew from where it came.") from error
        codec.used, codec.programs, codec.at_once, codec.ranges = used, programs, at_once, ranges
        codec.opening, codec.first_tempi, codec.changes = (metre, tempo), first_tempi, changes
        codec.cell_size, codec.busy, codec.busy_tracks = size, (least, most), tracks.reshape(-1, 2)
        return codec


def _struck(grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each time at which a track strikes something: its program, and how many notes."""
    notes = (grid.kind == NOTE) & (grid.track >= 0)
    times, count = np.unique(np.stack([grid.track[notes], grid.onsets[notes]], 1), axis=0, return_counts=True)
    return grid.programs[times[:, 0]], np.minimum(count, 128)


def _usual(struck: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many notes each program strikes at once at most, but for the rarest times.

    Args:
        struck: (129, 129) how often each strikes so many.

    Returns:
        (129,); of a program that was never heard as many as of any.
    """
    heard = struck.sum(axis=1)
    share = np.cumsum(struck, axis=1) / np.maximum(heard, 1)[:, None]
    most = np.where(heard > 0, (share >= USUAL_CHORDS).argmax(axis=1), 0)
    return np.where(heard > 0, most, max(int(most.max()), 1))
