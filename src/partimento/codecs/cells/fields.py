"""The fields of an event, and the ids of their values.

An event is a group of six ids. The first says what it is and, of what happens within a bar, at which quarter of it; the
others are its fields, each from a range of ids of its own, and `none` where it has no more:

    bar     metre      tempo                                        begins a bar; no tempo: the one before stays
    tempo   at: step   tempo                                        from here on, within a bar
    cell    track      program                                      begins what a track has in this bar
    up      at: step                                                the pedal of this track goes up
    down    at: step                                                and down, at the same step too: it is changed
    note    at: step   pitch     quarters     steps     velocity    of this track; how long it lasts comes third
    fill                                                            begins a piece of which cells are hidden
    hidden  track      program   label                              stands where a cell is hidden
    answer  track      program   label                              begins what is hidden there
    asked   density    lowest    highest   polyphony   chord        what a hidden cell is to be; after either
    end                                                             the piece ends with the bar before; of such alone

A step is 1/24 of a quarter note in any metre, and times are counted from the beginning of the bar.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from partimento.codec import BEGINS, ENDS, LABEL, LEAVES, TELLS
from partimento.harmony import CHORDS
from partimento.instruments import DRUMS as DRUMS
from partimento.metres import METRES
from partimento.timing import ANSWERS, AT, HIDES, Timing
from partimento.timing import BAR as BAR_BEGINS

STEPS = 24  # of a quarter note
FIELDS = 6  # of an event
QUARTERS = 12  # of the longest bar
LONGEST = 64  # quarters that a note lasts less than
VELOCITIES = 33
TEMPI, SLOWEST, FASTEST = 128, 15.0, 480.0  # levels; quarter notes a minute
TRACKS = 129  # tracks that a piece may have: every program, and drums
LABELS = 64  # cells that may be hidden at once
DENSITIES, SPARSEST, DENSEST = 16, 0.25, 16.0  # levels; notes for each quarter note of a cell
CLASSES = 12  # of pitches an octave or more apart
VOICES = 16  # notes at once that a cell may be asked to have at most
BAR, TEMPO, CELL, UP, DOWN, NOTE = range(6)  # what an event is, in the order of what begins at one time
FILL, HIDDEN, ANSWER, ASKED, END = range(6, 11)

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Vocabulary:
    """Where the ids of each field begin, and how many it has.

    Attributes:
        spans: by the field's name.
        size: how many ids there are.
    """

    spans: dict[str, range]
    size: int

    SIZES: ClassVar[dict[str, int]] = {
        "bar": 1,
        "tempo at": QUARTERS,
        "cell": 1,
        "down": QUARTERS,
        "up": QUARTERS,
        "note": QUARTERS,
        "fill": 1,
        "hidden": 1,
        "answer": 1,
        "asked": 1,
        "end": 1,
        "step": STEPS,
        "metre": len(METRES),
        "tempo": TEMPI,
        "track": TRACKS,
        "program": DRUMS + 1,
        "pitch": 128,
        "drum": 128,
        "quarters": LONGEST,
        "steps": STEPS,
        "velocity": VELOCITIES,
        "label": LABELS,
        "density": DENSITIES,
        "polyphony": VOICES,
        "chord": CHORDS,
        "none": 1,
        "pad": 1,
        "bos": 1,
        "eos": 1,
    }

    def __getitem__(self, name: str) -> range:
        return self.spans[name]

    def first(self, name: str) -> int:
        """The first id of a field."""
        return self.spans[name].start


@functools.cache
def vocabulary() -> Vocabulary:
    """The one vocabulary that there is."""
    spans, start = {}, 0
    for name, size in Vocabulary.SIZES.items():
        spans[name] = range(start, start + size)
        start += size
    return Vocabulary(spans, start)


KINDS = {
    "bar": BAR,
    "tempo at": TEMPO,
    "cell": CELL,
    "down": DOWN,
    "up": UP,
    "note": NOTE,
    "fill": FILL,
    "hidden": HIDDEN,
    "answer": ANSWER,
    "asked": ASKED,
    "end": END,
}
FIELDS_OF: dict[int, tuple[tuple[str, ...], ...]] = {  # what may stand in the fields after the first
    BAR: (("metre",), ("tempo", "none"), ("none",), ("none",), ("none",)),
    TEMPO: (("step",), ("tempo",), ("none",), ("none",), ("none",)),
    CELL: (("track",), ("program",), ("none",), ("none",), ("none",)),
    DOWN: (("step",), ("none",), ("none",), ("none",), ("none",)),
    UP: (("step",), ("none",), ("none",), ("none",), ("none",)),
    NOTE: (("step",), ("pitch", "drum"), ("quarters",), ("steps",), ("velocity",)),
    FILL: (("none",), ("none",), ("none",), ("none",), ("none",)),
    HIDDEN: (("track",), ("program",), ("label",), ("none",), ("none",)),
    ANSWER: (("track",), ("program",), ("label",), ("none",), ("none",)),
    ASKED: (
        ("density", "none"),
        ("pitch", "none"),
        ("pitch", "none"),
        ("polyphony", "none"),
        ("chord", "none"),
    ),
    END: (("none",), ("none",), ("none",), ("none",), ("none",)),
}


@functools.cache
def places() -> tuple[tuple[tuple[int, int], ...], ...]:
    """For each id of an event the ranges that it is from; `eos` may begin one."""
    ids = vocabulary()
    names = [
        {*KINDS, "eos"},
        *({name for fields in FIELDS_OF.values() for name in fields[at]} for at in range(FIELDS - 1)),
    ]
    return tuple(tuple((ids[name].start, ids[name].stop) for name in Vocabulary.SIZES if name in own) for own in names)


@functools.cache
def timing() -> Timing:
    """When events are: hidden cells, wherever they are told, in their bars."""
    ids = vocabulary()
    roles, amounts = np.zeros(ids.size, dtype=np.int64), np.zeros(ids.size, dtype=np.int64)
    for name in ("note", "down", "up", "tempo at"):
        span = ids[name]
        roles[span.start : span.stop], amounts[span.start : span.stop] = AT, STEPS * np.arange(QUARTERS)
    roles[[ids.first("bar"), ids.first("hidden"), ids.first("answer")]] = BAR_BEGINS, HIDES, ANSWERS
    lengths = {"step": range(STEPS), "metre": [metre.bar(STEPS) for metre in METRES], "label": range(LABELS)}
    for name, amount in lengths.items():
        amounts[ids[name].start : ids[name].stop] = amount
    return Timing(tuple(roles.tolist()), tuple(amounts.tolist()), STEPS, mark=LABEL)


@functools.cache
def headings() -> tuple[int, ...]:
    """How deep a heading each id begins: what a track has in a bar, and what is asked of that.

    Bars are none: all was learnt more slowly, whether they told their tempi, which are like names of pieces, or not.
    """
    ids = vocabulary()
    depths = np.zeros(ids.size, dtype=np.int64)
    for depth, names in enumerate((("cell", "hidden", "answer"), ("asked",)), start=1):
        depths[[ids.first(name) for name in names]] = depth
    return tuple(depths.tolist())


@functools.cache
def id_kinds() -> tuple[int, ...]:
    """Of each id its kind (`codec.TokenSpec`): of a pitch its class.

    Each metre, each tempo, and that none is told, is alone of its kind: so what is unlikely is cut of those too, and
    a tempo that hardly ever changes does not change in most long pieces.
    """
    ids = np.full(vocabulary().size, -1)
    span = vocabulary()["pitch"]
    ids[span.start : span.stop] = np.arange(len(span)) % CLASSES
    alone = [id for name in ("metre", "tempo", "none") for id in vocabulary()[name]]
    ids[alone] = CLASSES + np.arange(len(alone))
    return tuple(ids.tolist())


@functools.cache
def counted() -> tuple[bool, ...]:
    """Of each id whether that it was told counts (`tallies`): not of how long notes are, and how loud.

    What was drawn short would be drawn short the likelier again, until all is as short as can be.
    """
    found = np.ones(vocabulary().size, dtype=np.bool_)
    for name in ("quarters", "steps", "velocity"):
        found[vocabulary()[name].start : vocabulary()[name].stop] = False
    return tuple(found.tolist())


@functools.cache
def voices() -> tuple[int, ...]:
    """Of each id whether an event that begins with it begins a track, hides a part of it or tells that, or ends it."""
    ids = vocabulary()
    found = np.zeros(ids.size, dtype=np.int64)
    names = {"cell": BEGINS, "hidden": LEAVES, "answer": TELLS, "bar": ENDS}
    for name, voice in names.items():
        found[ids.first(name)] = voice
    return tuple(found.tolist())


@functools.cache
def tempi() -> NDArray[np.float64]:
    """(TEMPI,) quarter notes a minute, evenly spaced by ratio; the nearest is at most 1.4 % off."""
    return np.round(np.geomspace(SLOWEST, FASTEST, TEMPI), 3)


@functools.cache
def densities() -> NDArray[np.float64]:
    """(DENSITIES,) notes for each quarter note, evenly spaced by ratio."""
    return np.geomspace(SPARSEST, DENSEST, DENSITIES)


@functools.cache
def velocities() -> Ids:
    """(VELOCITIES,) levels from 1 to 127, evenly spaced but for the first; the nearest is at most 2 off."""
    return np.maximum(np.rint(np.linspace(0, 127, VELOCITIES)), 1).astype(np.int64)


@functools.cache
def _first() -> tuple[Ids, Ids, Ids]:
    """For each id, as the first of an event, its kind (-1 for none), its quarter, and where its field begins."""
    ids = vocabulary()
    kind, quarter = np.full(ids.size, -1), np.zeros(ids.size, dtype=np.int64)
    start = np.zeros(ids.size, dtype=np.int64)
    for name, span in ids.spans.items():
        start[span.start : span.stop] = span.start
        if name in KINDS:
            kind[span.start : span.stop] = KINDS[name]
            quarter[span.start : span.stop] = np.arange(len(span))
    return kind, quarter, start


def kinds(ids: Ids) -> Ids:
    """What each id is as the first of an event; -1 for one that begins none."""
    return np.asarray(_first()[0][ids])


def quarters(ids: Ids) -> Ids:
    """At which quarter of its bar an event with that first id is."""
    return np.asarray(_first()[1][ids])


def values(ids: Ids) -> Ids:
    """The value of each id within its field."""
    return np.asarray(ids - _first()[2][ids])


def is_tempo(ids: Ids) -> Mask:
    """Which ids are tempi."""
    span = vocabulary()["tempo"]
    return np.asarray((span.start <= ids) & (ids < span.stop))


def may_stand(first: int, field: int, id: int) -> bool:
    """Whether an event with that first id may have this one in that of its six fields."""
    return bool(_fits()[kinds(np.array(first)), field, id])


def onsets(events: Ids) -> Ids:
    """At which step of its bar each event (…, 6) is, of those that are at a step of their own."""
    return quarters(events[..., 0]) * STEPS + values(events[..., 1])


def durations(events: Ids) -> Ids:
    """Steps that each note (…, 6) lasts."""
    return values(events[..., 3]) * STEPS + values(events[..., 4])


def events_of(x: Ids) -> tuple[Ids, Ids]:
    """The events of a row of ids, those that make no sense left out.

    Args:
        x: (T,) ids; what is over after the last whole group is left out too.

    Returns:
        (E,) kinds and (E, 6) ids.
    """
    ids = vocabulary()
    groups = np.asarray(x, dtype=np.int64)[: len(x) // FIELDS * FIELDS].reshape(-1, FIELDS)
    if ((groups < 0) | (groups >= ids.size)).any():
        groups = np.where((groups < 0) | (groups >= ids.size), ids.first("pad"), groups)
    kind = kinds(groups[:, 0])
    sound = _fits()[kind[:, None], np.arange(FIELDS), groups].all(axis=1)
    sound &= (kind != NOTE) | (values(groups[:, 3]) + values(groups[:, 4]) > 0)  # a note lasts a step at least
    return kind[sound], groups[sound]


@functools.cache
def _fits() -> NDArray[np.bool_]:
    """(kinds + 1, FIELDS, ids) what may stand in which field of an event; of no kind, the last, nothing may."""
    ids = vocabulary()
    fits = np.zeros((len(FIELDS_OF) + 1, FIELDS, ids.size), dtype=np.bool_)
    for kind, fields in FIELDS_OF.items():
        fits[kind, 0] = True  # it made it that kind
        for field, names in enumerate(fields, start=1):
            for name in names:
                fits[kind, field, ids[name].start : ids[name].stop] = True
    return fits
