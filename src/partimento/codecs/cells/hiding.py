"""Hiding cells, to be written after all the rest: how one model learns to fill whatever is missing.

A model that writes from left to right fills a gap if what surrounds the gap comes first and what is in it last (Donahue
et al. 2020, "Enabling language models to fill in the blanks"; in music MMM, Ens and Pasquier 2020, and the Anticipatory
Music Transformer, Thickstun et al. 2023). Where a cell is hidden a `hidden` event stands with a label, and after the
last bar an `answer` event with the same label begins what the cell holds, the cells in their order in the piece:

    fill · bar · cell 0 … · hidden 1 (a) · bar · hidden 0 (b) · cell 1 … · end · answer (a) … · answer (b) …

A cell in which its track is silent can be hidden too, so that to be hidden does not mean to hold something. What is
asked of a cell (`asking`) stands after its label in both places: where it is hidden, that what comes later can be known
before it is told, and where it is answered. What a user may ask for are patterns of hidden cells, and those that are
learnt are drawn from the same: some bars of all tracks (fill a gap), a track throughout (accompany), all tracks but one
(harmonise), any cells at all (vary), or all of them (compose from what is asked alone).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from partimento.codecs.cells.asking import asked_events
from partimento.codecs.cells.fields import (
    ANSWER,
    ASKED,
    BAR,
    CELL,
    END,
    FIELDS,
    FILL,
    HIDDEN,
    LABELS,
    Ids,
    Mask,
    events_of,
    vocabulary,
)
from partimento.codecs.cells.grid import Grid


def hide(
    x: Ids,
    hidden: Callable[[Grid], Mask],
    tracks: Mapping[int, int] | None = None,
    asked: Callable[[Grid], Ids] | None = None,
    ends: bool = False,
) -> Ids:
    """Tell some cells after all the rest.

    Args:
        x: (6 E,) ids in the form that `write` gives, or a part of such that is more than a bar.
        hidden: says for (bars, tracks) which cells; no more than `LABELS` of them, the first ones, are hidden.
        tracks: numbers and programs of the tracks that there are; those that have something in `x` if None.
        asked: says for (bars, tracks, 5) what is asked of each cell; nothing if None.
        ends: whether the piece ends with the last bar.

    Returns:
        The ids retold; `x` itself where nothing is hidden.
    """
    grid = Grid(x, tracks)
    if not grid.bars or not len(grid.tracks):
        return x
    mask = np.asarray(hidden(grid), dtype=np.bool_)
    mask = mask & (np.cumsum(mask).reshape(mask.shape) <= LABELS)
    if not mask.any():
        return x
    ids = vocabulary()
    bar, track = np.nonzero(mask)
    label = np.full(mask.shape, -1)
    label[bar, track] = np.arange(len(bar))
    mine = np.where(grid.track >= 0, label[grid.bar, grid.track], -1)
    told = ~((mine >= 0) & (grid.kind == CELL))  # a hidden cell begins with its answer instead

    def marks(name: str) -> Ids:
        rows = np.full((len(bar), FIELDS), ids.first("none"))
        rows[:, 0] = ids.first(name)
        rows[:, 1] = ids.first("track") + grid.tracks[track]
        rows[:, 2] = ids.first("program") + grid.programs[track]
        rows[:, 3] = ids.first("label") + np.arange(len(bar))
        return rows

    head, tail = np.full((2, 1, FIELDS), ids.first("none"))
    head[0, 0], tail[0, 0] = ids.first("fill"), ids.first("end")
    index = np.arange(len(grid.kind))
    stays, goes = told & (mine < 0), told & (mine >= 0)
    none, first = np.array([-1]), np.array([-2])
    blocks = [
        _block(0, none, none, none, head),
        _block(0, grid.bar[stays], grid.track[stays], index[stays], grid.events[stays]),
        _block(0, bar, track, first, marks("hidden")),
        _block(1, np.arange(len(bar)), none, first, marks("answer")),
        _block(1, mine[goes], none, index[goes], grid.events[goes]),
    ]
    if ends:
        blocks.append(_block(0, np.array([grid.bars]), none, none, tail))
    if asked is not None:
        wanted = asked(grid)[bar, track]
        some = (wanted >= 0).any(axis=1)
        events = asked_events(wanted[some])
        blocks += [
            _block(0, bar[some], track[some], none, events),
            _block(1, np.flatnonzero(some), none, none, events),
        ]
    rows = np.concatenate(blocks)
    return rows[np.lexsort(rows[:, 3::-1].T)][:, 4:].reshape(-1)


def _block(answer: int, place: Ids, track: Ids, order: Ids, events: Ids) -> Ids:
    """Events with what they are sorted by: answers last, then by bar or label, by track, and as they stood."""
    keys = [np.broadcast_to(key, len(events)) for key in (np.array([answer]), place, track, order)]
    return np.concatenate([np.stack(keys, 1), events], 1)


def without_answers(x: Ids) -> Ids:
    """What is told before the first answer: all that a model hears that is to give them."""
    kind, events = events_of(x)
    answers = np.flatnonzero(kind == ANSWER)
    return events[: answers[0] if len(answers) else len(events)].reshape(-1)


def unfold(x: Ids) -> Ids:
    """The inverse of `hide`: every answer where its cell was hidden; ids without such events are left alone."""
    kind, events = events_of(x)
    if not np.isin(kind, (FILL, HIDDEN, ANSWER, ASKED, END)).any():
        return x
    music = ~np.isin(kind, (ASKED, END))
    kind, events = kind[music], events[music]
    index = np.arange(len(kind))
    begins = np.isin(kind, (BAR, CELL, HIDDEN, ANSWER))
    home = np.maximum.accumulate(np.where(begins, index, -1))
    answers = (home >= 0) & (kind[home] == ANSWER) & (kind != ANSWER)
    rows: list[Ids] = []
    for event in index[~answers & ~np.isin(kind, (FILL, ANSWER))].tolist():
        if kind[event] != HIDDEN:
            rows.append(events[event : event + 1])
            continue
        asked = index[(kind == ANSWER) & (events[:, 3] == events[event, 3])]
        content = events[answers & (home == asked[0])] if len(asked) else events[:0]
        if len(content):
            cell = events[event : event + 1].copy()
            cell[0, 0], cell[0, 3] = vocabulary().first("cell"), vocabulary().first("none")
            rows += [cell, content]
    return np.concatenate([np.empty((0, FIELDS), np.int64), *rows]).reshape(-1)


def drawn(rng: np.random.Generator) -> Callable[[Grid], Mask]:
    """A pattern of hidden cells, as users ask for them, drawn by chance."""

    def bars(count: int) -> Mask:
        """Some bars one after the other."""
        length = int(rng.integers(1, max(count // 2, 1) + 1))
        first = int(rng.integers(0, count - length + 1))
        return (np.arange(count) >= first) & (np.arange(count) < first + length)

    def tracks(count: int) -> Mask:
        """Some tracks, one at least, and not all where there are several."""
        chosen = np.zeros(count, dtype=np.bool_)
        chosen[rng.permutation(count)[: int(rng.integers(1, max(count - 1, 1) + 1))]] = True
        return chosen

    def pattern(grid: Grid) -> Mask:
        shape = (grid.bars, len(grid.tracks))
        whole = np.ones(shape, dtype=np.bool_)
        match int(rng.integers(0, 5)):
            case 0:
                return whole & bars(shape[0])[:, None]
            case 1:
                return whole & tracks(shape[1]) & (bars(shape[0])[:, None] if shape[1] == 1 else True)
            case 2:
                return whole & tracks(shape[1]) & bars(shape[0])[:, None]
            case 3:
                return whole
            case _:
                return np.asarray(rng.random(shape) < rng.uniform(0.1, 0.6))

    return pattern
