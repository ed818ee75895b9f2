"""Filling: some cells of a piece written anew, from what stands before, after and beside them.

Which ones a task says (`tasks`): a region, tracks that come new, a variation. What each is to be can be asked for
(`codecs.cells.asking`). The model hears the piece with those cells hidden and writes them (`codecs.cells.hiding`);
every other note stays exactly as it was, down to times finer than the model knows, and so do tempi, metres and
controllers. A new note gives way to an old one of its pitch that sounds or begins, since MIDI could not tell them
apart, and the pedal is left as the music after the cells has it. Where more is hidden than fits into what a model hears
at once, it is written from the beginning on, part by part, each part from all that there is by then. Piece i of a
request draws from (seed, i) and the attempt: the same model, piece, task and seed give the same music.

Leaves out: what no score keeps (lyrics, system-exclusive messages), which a file loses by being read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.bundle import Bundle
from partimento.codec import Request
from partimento.codecs.cells import Cells
from partimento.codecs.cells.asking import HIGHEST, LOWEST, Asked
from partimento.codecs.cells.fields import (
    BAR,
    CELL,
    DOWN,
    DRUMS,
    FIELDS,
    LABELS,
    NOTE,
    STEPS,
    TRACKS,
    UP,
    events_of,
    quarters,
    values,
    vocabulary,
)
from partimento.codecs.cells.grid import Grid, Mask
from partimento.codecs.cells.hiding import hide, unfold, without_answers
from partimento.errors import ImpossibleRequest
from partimento.filling.splicing import spliced
from partimento.filling.tasks import Accompaniment, Region, Task, Variation, alone
from partimento.generation import open_player
from partimento.generation.made import guards_acted
from partimento.generation.requests import ATTEMPTS, check
from partimento.guards import Guards
from partimento.progress import Progress, Watch, ignore
from partimento.sampling import Draft, Sampling, sample
from partimento.score import Score, Track

__all__ = ["Accompaniment", "Asked", "Filled", "Region", "Task", "Variation", "alone", "fill", "require_filling"]

ADVICE = "Take one that `partimento train FOLDER --recipe nested` made."
LONGEST = 16_384  # ids that are written at once
WRITTEN_SHARE = 0.5  # of what a model hears: what it may be expected to write itself
FEWEST_EVENTS = 6  # that a cell is expected to have

Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Filled:
    """A piece with a region written anew.

    Attributes:
        index: its place in the request, from 0.
        score: the whole piece.
        notes: how many notes are new.
        remarks: sentences about how it came to be.
    """

    index: int
    score: Score
    notes: int
    remarks: tuple[str, ...]


def fill(
    bundle: Bundle,
    score: Score,
    task: Task,
    *,
    asked: Asked | None = None,
    n: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    guards: Guards | None = None,
    longest_note: float | None = None,
    threads: int = 1,
    watch: Watch = ignore,
) -> list[Filled]:
    """Write some cells of a piece anew, several times over.

    Args:
        bundle: a model that has learnt to fill.
        score: the piece.
        task: which cells are written.
        asked: what they are to be.
        n: how many versions.
        seed: the same seed gives the same music.
        sampling: how ids are drawn; as they come if None.
        guards: against endless loops.
        longest_note: quarter notes after which a new note must end; as a request has it if None.
        threads: for each step of the model.
        watch: hears how far the work is.

    Raises:
        ImpossibleRequest: the model cannot fill, the piece has no such cells, or they cannot be what is asked.
    """
    wanted = Request() if longest_note is None else Request(longest_note=longest_note)
    check(wanted, n, seed)
    codec = require_filling(bundle)
    given, score = score, score.copy()
    before, tracks = _told(codec, score, task)
    grid = Grid(before, tracks)
    hears = int(bundle.recipe.get("model", {}).get("context", 512))
    options: dict[str, Any] = {"sampling": sampling or Sampling(), "guards": guards or Guards(), "longest": LONGEST}
    stepper = open_player(bundle, threads)

    def attempt(seeds: Sequence[Sequence[int]]) -> list[tuple[Score, int, Counter[str]]]:
        """Write a version from each of these seeds, side by side."""
        rngs = [np.random.default_rng(list(one)) for one in seeds]
        masks = [task.cells(grid, rng) for rng in rngs]
        wishes = [_possible(codec, (asked or Asked()).of(mask, grid.programs)) for mask in masks]
        parts = [list(_parts(grid, mask, hears)) for mask in masks]
        pieces, acted = [before] * len(seeds), [Counter[str]() for _ in seeds]
        most = max(len(own) for own in parts)
        for number in range(most):
            watch(Progress("Filling", number, most, "parts"))
            rows = [row for row in range(len(seeds)) if number < len(parts[row])]
            windows = [_window(Grid(pieces[row]), parts[row][number], hears) for row in rows]
            prompts = [
                _heard(pieces[row], window, parts[row][number], wishes[row], tracks)
                for row, window in zip(rows, windows, strict=True)
            ]
            rung = [_ringing(Grid(pieces[row], tracks), window[0]) for row, window in zip(rows, windows, strict=True)]
            drafts = [
                _draft(codec, earlier, prompt, wanted, rngs[row])
                for row, earlier, prompt in zip(rows, rung, prompts, strict=True)
            ]
            sample(stepper, drafts, codec.spec, **options)
            for row, window, prompt, draft in zip(rows, windows, prompts, drafts, strict=True):
                told = unfold(np.concatenate([prompt, np.array(draft.ids, dtype=np.int64)]))
                pieces[row] = _put(pieces[row], window, told)
                acted[row] += draft.acted
        watch(Progress("Filling", most, most, "parts"))
        made = [Grid(piece, tracks) for piece in pieces]
        return [(*spliced(score, grid, mask, one), told) for mask, one, told in zip(masks, made, acted, strict=True)]

    found = dict(enumerate(attempt([[seed, index] for index in range(n)])))
    for again in range(1, ATTEMPTS):
        silent = [index for index, (_, notes, _) in found.items() if not notes]
        if silent:
            found |= dict(zip(silent, attempt([[seed, index, again] for index in silent]), strict=True))
    return [_filled(index, given, *found[index]) for index in range(n)]


def _told(codec: Cells, score: Score, task: Task) -> tuple[Ids, dict[int, int]]:
    """The piece in ids, and the programs of its tracks by number, those included that the task adds, to the score too.

    Raises:
        ImpossibleRequest: it has no note, too many tracks, or none that could be added.
    """
    before = codec.encode(score)
    sounding = sum(len(track.notes) > 0 for track in score.tracks)
    if not sounding:
        raise ImpossibleRequest("The piece has no note; there is nothing to fill.")
    if sounding > TRACKS:
        raise ImpossibleRequest(f"The piece has {sounding} tracks, more than the {TRACKS} that can be told apart.")
    grid = Grid(before)
    tracks = dict(zip(grid.tracks.tolist(), grid.programs.tolist(), strict=True))
    for number, program in enumerate(task.added(codec, sounding), start=max(tracks) + 1):
        tracks[number] = program
        score.tracks.append(Track("", program % DRUMS, program == DRUMS))
    return before, tracks


def _possible(codec: Cells, wishes: Ids) -> Ids:
    """The wishes themselves.

    Raises:
        ImpossibleRequest: a range holds no pitch that the model has learnt.
    """
    span = vocabulary()["pitch"]
    known = np.flatnonzero(codec.used[span.start : span.stop])
    low, high = wishes[..., LOWEST].max(initial=-1), wishes[..., HIGHEST].max(initial=-1)
    high = 127 if high < 0 else high
    if len(known) and not ((known >= low) & (known <= high)).any():
        raise ImpossibleRequest(
            f"The model has learnt pitches {known[0]} to {known[-1]}; none of them is from {max(low, 0)} to {high}."
        )
    return wishes


def _filled(index: int, score: Score, made: Score, notes: int, acted: Counter[str]) -> Filled:
    """A version; where no note came, the piece as it was."""
    if notes:
        return Filled(index, made, notes, tuple(guards_acted(acted)))
    said = (
        f"No note came, though it was tried {ATTEMPTS} times: the piece is as it was. Has the model heard such music?"
    )
    return Filled(index, score, 0, (said,))


def require_filling(bundle: Bundle) -> Cells:
    """The codec of a model that has learnt to fill.

    Raises:
        ImpossibleRequest: it has not.
    """
    codec = bundle.codec()
    hidden = bundle.recipe.get("preparation", {}).get("hidden", 0)
    if not isinstance(codec, Cells) or not hidden or bundle.model_name != "nested":
        raise ImpossibleRequest(f"The model {bundle.folder} has not learnt to fill. {ADVICE}")
    return codec


def _parts(grid: Grid, cells: Mask, hears: int) -> Iterator[Mask]:
    """The cells, as many bars at a time as can be heard and written at once; a bar at least."""
    counts = np.zeros(cells.shape, dtype=np.int64)
    np.add.at(counts, (grid.bar[grid.track >= 0], grid.track[grid.track >= 0]), 1)
    usual = max(float(counts[counts > 0].mean()), FEWEST_EVENTS)
    beside = np.where(cells, 1, counts).sum(axis=1) + 1  # events of each bar that are heard
    part, heard, written = np.zeros_like(cells), 0, 0
    for bar in np.flatnonzero(cells.any(axis=1)).tolist():
        more = int(cells[bar].sum())
        full = (
            heard + int(beside[bar]) > (1 - WRITTEN_SHARE) * hears
            or (written + more) * usual > WRITTEN_SHARE * hears
            or written + more > LABELS
        )
        if written and full:
            yield part
            part, heard, written = np.zeros_like(cells), 0, 0
        part[bar] = cells[bar]
        heard, written = heard + int(beside[bar]), written + more
    if written:
        yield part


def _window(grid: Grid, part: Mask, hears: int) -> tuple[int, int]:
    """The bars that are heard: those of the part and as many before and after it as there is room for."""
    bars = np.flatnonzero(part.any(axis=1))
    first, stop = int(bars[0]), int(bars[-1]) + 1
    sizes = np.bincount(grid.bar, minlength=grid.bars)
    room = int((1 - WRITTEN_SHARE) * hears) - int(part.sum()) - int(sizes[first:stop].sum())
    while True:
        before = int(sizes[first - 1]) if first > 0 else hears
        after = int(sizes[stop]) if stop < grid.bars else hears
        if min(before, after) > room:
            return first, stop
        if before <= room:
            first, room = first - 1, room - before
        if after <= room:
            stop, room = stop + 1, room - after


def _edges(piece: Ids, window: tuple[int, int]) -> tuple[int, int]:
    """Where the ids of some bars begin and end."""
    kind, _ = events_of(piece)
    bars = np.append(np.flatnonzero(kind == BAR), len(kind)) * FIELDS
    return int(bars[window[0]]), int(bars[window[1]])


def _heard(piece: Ids, window: tuple[int, int], part: Mask, wishes: Ids, tracks: Mapping[int, int]) -> Ids:
    """What the model hears: the bars of the window, the cells of the part hidden, and what is asked of them."""
    start, stop = _edges(piece, window)
    bars = slice(*window)
    return without_answers(hide(piece[start:stop], lambda _: part[bars], tracks, asked=lambda _: wishes[bars]))


def _ringing(grid: Grid, first: int) -> Ids:
    """Of the bars before one what still matters in it: their lengths, notes that ring into it, and pedals."""
    row = values(grid.events)
    at = grid.starts[grid.bar] + quarters(grid.events[:, 0]) * STEPS + row[:, 1]
    rings = (grid.kind == NOTE) & (at + row[:, 3] * STEPS + row[:, 4] > grid.starts[first])
    matters = rings | np.isin(grid.kind, (DOWN, UP))
    cells = np.zeros((grid.bars, len(grid.tracks)), dtype=np.bool_)
    cells[grid.bar[matters], grid.track[matters]] = True
    kept = matters | (grid.kind == BAR) | ((grid.kind == CELL) & cells[grid.bar, grid.track])
    found: Ids = grid.events[kept & (grid.bar < first)].reshape(-1)
    return found


def _draft(codec: Cells, before: Ids, prompt: Ids, request: Request, rng: np.random.Generator) -> Draft:
    """A piece that is to be gone on with after a prompt; what came before it only its grammar knows."""
    grammar = codec.grammar()
    grammar.start(request)
    for id in [*before.tolist(), *prompt.tolist()]:
        grammar.advance(id)
    grammar.begin()
    return Draft(rng, grammar, np.concatenate([[codec.spec.bos], prompt]))


def _put(piece: Ids, window: tuple[int, int], told: Ids) -> Ids:
    """The piece with the bars of a window told anew."""
    start, stop = _edges(piece, window)
    return np.concatenate([piece[:start], told, piece[stop:]])
