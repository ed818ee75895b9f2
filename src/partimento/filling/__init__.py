"""Filling: some bars of some tracks of a piece written anew, from what stands before, after and beside them.

The model hears the piece with those cells hidden and writes them (`codecs.cells.hiding`); every other note stays
exactly as it was, down to times finer than the model knows, and so do tempi, metres and controllers. A new note gives
way to an old one of its pitch that sounds or begins, since MIDI could not tell them apart, and the pedal is left as the
music after the region has it. Where more is hidden than fits into what a model hears at once, it is written from the
beginning on, part by part, each part from all that there is by then. Piece i of a request draws from (seed, i) and the
attempt: the same model, piece, region and seed give the same music.

Leaves out: what to put there (a density, a chord), which cells cannot be asked for yet; and what no score keeps
(lyrics, system-exclusive messages), which a file loses by being read.
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
from partimento.codecs.cells.fields import BAR, FIELDS, LABELS, TRACKS, events_of
from partimento.codecs.cells.grid import Grid, Mask
from partimento.codecs.cells.hiding import hide, unfold, without_answers
from partimento.errors import ImpossibleRequest
from partimento.filling.splicing import spliced
from partimento.generation import open_player
from partimento.generation.made import guards_acted
from partimento.generation.requests import ATTEMPTS, check
from partimento.guards import Guards
from partimento.progress import Progress, Watch, ignore
from partimento.sampling import Draft, Sampling, sample
from partimento.score import Score

__all__ = ["Filled", "Region", "fill", "require_filling"]

ADVICE = "Take one that `partimento train FOLDER --recipe nested` made."
LONGEST = 16_384  # ids that are written at once
WRITTEN_SHARE = 0.5  # of what a model hears: what it may be expected to write itself
FEWEST_EVENTS = 6  # that a cell is expected to have

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Region:
    """What is to be written anew.

    Attributes:
        bars: the first and the last, counted from 1; None for all.
        tracks: which, counted from 1 among those with notes; None for all.
    """

    bars: tuple[int, int] | None = None
    tracks: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.tracks is not None:
            object.__setattr__(self, "tracks", tuple(sorted(set(self.tracks))))

    def cells(self, grid: Grid) -> Mask:
        """(bars, tracks) which cells those are.

        Raises:
            ImpossibleRequest: the piece has no such bars or tracks.
        """
        count = len(grid.tracks)
        first, last = self.bars or (1, grid.bars)
        if not 1 <= first <= last <= grid.bars:
            raise ImpossibleRequest(f"The piece has bars 1 to {grid.bars}; there are no bars {first} to {last} in it.")
        tracks = self.tracks or tuple(range(1, count + 1))
        wrong = [track for track in tracks if not 1 <= track <= count]
        if wrong:
            raise ImpossibleRequest(
                f"The piece has {count} track{'s' * (count != 1)} with notes; there is no track {wrong[0]} among them."
            )
        if len(tracks) > LABELS:
            raise ImpossibleRequest(f"At most {LABELS} tracks can be filled at once; name fewer.")
        mask = np.zeros((grid.bars, count), dtype=np.bool_)
        mask[first - 1 : last, [track - 1 for track in tracks]] = True
        return mask


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
    region: Region,
    *,
    n: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    guards: Guards | None = None,
    longest_note: float | None = None,
    threads: int = 1,
    watch: Watch = ignore,
) -> list[Filled]:
    """Write a region of a piece anew, several times over.

    Args:
        bundle: a model that has learnt to fill.
        score: the piece.
        region: what is written anew.
        n: how many versions.
        seed: the same seed gives the same music.
        sampling: how ids are drawn; as they come if None.
        guards: against endless loops.
        longest_note: quarter notes after which a new note must end; as a request has it if None.
        threads: for each step of the model.
        watch: hears how far the work is.

    Raises:
        ImpossibleRequest: the model cannot fill, or the piece has no such region.
    """
    wanted = Request() if longest_note is None else Request(longest_note=longest_note)
    check(wanted, n, seed)
    codec = require_filling(bundle)
    before = codec.encode(score)
    grid = Grid(before)
    sounding = sum(len(track.notes) > 0 for track in score.tracks)
    if not sounding:
        raise ImpossibleRequest("The piece has no note; there is nothing to fill.")
    if sounding > TRACKS:
        raise ImpossibleRequest(f"The piece has {sounding} tracks, more than the {TRACKS} that can be told apart.")
    cells = region.cells(grid)
    tracks = dict(zip(grid.tracks.tolist(), grid.programs.tolist(), strict=True))
    hears = int(bundle.recipe.get("model", {}).get("context", 512))
    options: dict[str, Any] = {"sampling": sampling or Sampling(), "guards": guards or Guards(), "longest": LONGEST}
    stepper = open_player(bundle, threads)
    parts = list(_parts(grid, cells, hears))

    def attempt(seeds: Sequence[Sequence[int]]) -> list[tuple[Score, int, Counter[str]]]:
        """Write a version from each of these seeds, side by side."""
        rngs = [np.random.default_rng(list(one)) for one in seeds]
        pieces, acted = [before] * len(seeds), [Counter[str]() for _ in seeds]
        for number, part in enumerate(parts):
            watch(Progress("Filling", number, len(parts), "parts"))
            windows = [_window(Grid(piece), part, hears) for piece in pieces]
            prompts = [_heard(piece, window, part, tracks) for piece, window in zip(pieces, windows, strict=True)]
            drafts = [_draft(codec, prompt, wanted, rng) for prompt, rng in zip(prompts, rngs, strict=True)]
            sample(stepper, drafts, codec.spec, **options)
            for index, draft in enumerate(drafts):
                told = unfold(np.concatenate([prompts[index], np.array(draft.ids, dtype=np.int64)]))
                pieces[index] = _put(pieces[index], windows[index], told)
                acted[index] += draft.acted
        watch(Progress("Filling", len(parts), len(parts), "parts"))
        made = [Grid(piece, tracks) for piece in pieces]
        return [(*spliced(score, grid, cells, one), told) for one, told in zip(made, acted, strict=True)]

    found = dict(enumerate(attempt([[seed, index] for index in range(n)])))
    for again in range(1, ATTEMPTS):
        silent = [index for index, (_, notes, _) in found.items() if not notes]
        if silent:
            found |= dict(zip(silent, attempt([[seed, index, again] for index in silent]), strict=True))
    return [_filled(index, score, *found[index]) for index in range(n)]


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


def _heard(piece: Ids, window: tuple[int, int], part: Mask, tracks: Mapping[int, int]) -> Ids:
    """What the model hears: the bars of the window, the cells of the part hidden."""
    start, stop = _edges(piece, window)
    return without_answers(hide(piece[start:stop], lambda _: part[window[0] : window[1]], tracks))


def _draft(codec: Cells, prompt: Ids, request: Request, rng: np.random.Generator) -> Draft:
    grammar = codec.grammar()
    grammar.start(request)
    for id in prompt.tolist():
        grammar.advance(id)
    grammar.begin()
    return Draft(rng, grammar, np.concatenate([[codec.spec.bos], prompt]))


def _put(piece: Ids, window: tuple[int, int], told: Ids) -> Ids:
    """The piece with the bars of a window told anew."""
    start, stop = _edges(piece, window)
    return np.concatenate([piece[:start], told, piece[stop:]])
