"""Writing: hidden cells of pieces, part by part, each from all that there is by then.

A model hears so many events at once. A part is as many bars as can be heard and written together; the model hears it
with the bars before it, and with those after it as far as nothing in them is still to be written.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.bundle import Bundle
from partimento.codec import Request
from partimento.codecs.cells import Cells
from partimento.codecs.cells.asking import DENSITY, Asked, counts, measured
from partimento.codecs.cells.fields import (
    BAR,
    CELL,
    DOWN,
    FIELDS,
    LABELS,
    NOTE,
    UP,
    Ids,
    Mask,
    durations,
    events_of,
    vocabulary,
)
from partimento.codecs.cells.grid import Grid
from partimento.codecs.cells.hiding import hide, unfold, without_answers
from partimento.errors import ImpossibleRequest
from partimento.filling.expecting import expected
from partimento.filling.possible import require_enough_notes, require_filling, require_pitches
from partimento.generation import open_player
from partimento.generation.requests import check
from partimento.guards import Guards
from partimento.heard import Heard, new_in
from partimento.progress import Progress, Watch, ignore
from partimento.sampling import Draft, Sampling, sample
from partimento.settings import from_table, to_table

__all__ = ["Manner", "Writer"]

LONGEST = 16_384  # ids that are written at once
WRITTEN_SHARE = 0.5  # of what a model hears: what it may be expected to write itself
FEWEST_EVENTS = 6  # that a cell is expected to have
MARKS = 1  # events that stand where a cell is hidden, and one more where something is asked of it

Tracks = Mapping[int, int]
"""Programs of tracks by their numbers."""


@dataclass(frozen=True)
class Manner:
    """How cells are written: all that decides what comes of them but the model, the piece and which cells they are.

    Attributes:
        asked: what they are to be.
        n: how many versions.
        seed: the same seed gives the same music.
        sampling: how ids are drawn.
        guards: against endless loops.
        longest_note: quarter notes after which a new note must end.
        longest_silence: quarter notes without any sound after which something must be played.

    Raises:
        ImpossibleRequest: so many cannot be made at once, or a number is out of its range.
    """

    asked: Asked = field(default_factory=Asked)
    n: int = 1
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)
    guards: Guards = field(default_factory=Guards)
    longest_note: float = Request.longest_note
    longest_silence: float = Request.longest_silence

    def __post_init__(self) -> None:
        check(self.request, self.n, self.seed)

    @property
    def request(self) -> Request:
        """The same as grammars take it, as far as they do."""
        try:
            return Request(longest_note=self.longest_note, longest_silence=self.longest_silence, key=self.asked.key)
        except ValueError as error:
            raise ImpossibleRequest(
                f"The longest note and the longest silence must be more than 0 ({error})."
            ) from error

    def to_table(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "asked": dataclasses.asdict(self.asked),
            "pieces": self.n,
            "seed": self.seed,
            "sampling": to_table(self.sampling),
            "guards": to_table(self.guards),
            "longest_note": self.longest_note,
            "longest_silence": self.longest_silence,
        }

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Manner:
        """The manner that `to_table` gave."""
        return cls(
            asked=Asked(**table["asked"]),
            n=int(table["pieces"]),
            seed=int(table["seed"]),
            sampling=from_table(Sampling, table["sampling"], "sampling"),
            guards=from_table(Guards, table["guards"], "guards"),
            longest_note=float(table["longest_note"]),
            longest_silence=float(table.get("longest_silence", Request.longest_silence)),
        )


class Writer:
    """A model that writes hidden cells.

    Args:
        bundle: which one.
        manner: how it writes.
        threads: for each step of the model.

    Raises:
        ImpossibleRequest: it has not learnt to fill, or no bundle could do so.
    """

    def __init__(self, bundle: Bundle, manner: Manner, threads: int = 1) -> None:
        self.codec = require_filling(bundle)
        self._request = manner.request
        self._hears = int(bundle.recipe.get("model", {}).get("context", 512))
        self._options: dict[str, Any] = {"sampling": manner.sampling, "guards": manner.guards, "longest": LONGEST}
        self._stepper = open_player(bundle, threads)

    def write(
        self,
        pieces: Sequence[Ids],
        cells: Sequence[Mask],
        wishes: Sequence[Ids],
        tracks: Tracks,
        rngs: Sequence[np.random.Generator],
        watch: Watch = ignore,
        beside: float = 0.0,
    ) -> tuple[list[Ids], list[Counter[str]]]:
        """Write cells of pieces, side by side. A track that would have no note in all the piece is written once more.

        Args:
            pieces: (6 E,) ids of each.
            cells: (bars, tracks) which cells of each are written; what they hold is forgotten.
            wishes: (bars, tracks, 5) what is asked of them.
            tracks: those of all pieces.
            rngs: what each is drawn from.
            watch: hears of each part.
            beside: quarter notes after which who watches hears the notes, as they are told upon their beats.

        Returns:
            The pieces with those cells, and how often each guard acted on each, "length" among them: a part was cut
            at `LONGEST`.

        Raises:
            ImpossibleRequest: a range is asked for that holds no pitch that the model has learnt, or a density at which
                a bar has fewer notes than are to sound at once.
        """
        for piece, wish in zip(pieces, wishes, strict=True):
            require_pitches(self.codec, self._request.key, piece, wish)
            require_enough_notes(Grid(piece, tracks), wish)
        pieces, acted = self._once(pieces, cells, wishes, tracks, rngs, watch, beside)
        again = [_silent_tracks(Grid(piece, tracks), mask) for piece, mask in zip(pieces, cells, strict=True)]
        if any(mask.any() for mask in again):
            dense = [_dense(Grid(x, tracks), one, wish) for x, one, wish in zip(pieces, again, wishes, strict=True)]
            pieces, more = self._once(pieces, again, dense, tracks, rngs, watch, beside)
            acted = [one + other for one, other in zip(acted, more, strict=True)]
        return pieces, acted

    def _once(
        self,
        pieces: Sequence[Ids],
        cells: Sequence[Mask],
        wishes: Sequence[Ids],
        tracks: Tracks,
        rngs: Sequence[np.random.Generator],
        watch: Watch,
        beside: float,
    ) -> tuple[list[Ids], list[Counter[str]]]:
        """The same, whatever comes."""
        pieces, acted = list(pieces), [Counter[str]() for _ in pieces]
        parts = [
            list(_parts(Grid(piece, tracks), mask, wish, self._hears, self.codec.cell_size))
            for piece, mask, wish in zip(pieces, cells, wishes, strict=True)
        ]
        most = max(len(own) for own in parts)
        for number in range(most):
            rows = [row for row in range(len(pieces)) if number < len(parts[row])]
            asked = [
                self._asked(pieces[row], cells[row], parts[row][number:], wishes[row], tracks, rngs[row])
                for row in rows
            ]
            drafts = [draft for _, _, draft in asked]
            cells_now = sum(int(parts[row][number].sum()) for row in rows)
            heard = functools.partial(self._heard_of, beside, pieces[rows[0]], *asked[0]) if rows[0] == 0 else None
            look = functools.partial(_tell, drafts, cells_now, number, most, watch, heard)
            look()
            sample(self._stepper, drafts, self.codec.spec, look=look, **self._options)
            for row, (window, prompt, draft) in zip(rows, asked, strict=True):
                told = unfold(np.concatenate([prompt, np.array(draft.ids, dtype=np.int64)]))
                pieces[row] = _put(pieces[row], window, told)
                acted[row] += draft.acted + Counter(length=not draft.ended)  # what was not written then stays silent
        watch(Progress("Writing", most, most, "parts"))
        return pieces, acted

    def _heard_of(self, beside: float, piece: Ids, window: tuple[int, int], prompt: Ids, draft: Draft) -> list[Heard]:
        """The notes of a part, as far as it is written, so many quarter notes later than they are told."""
        ids = np.array(draft.ids, dtype=np.int64)
        so_far = np.concatenate([prompt, ids[: len(ids) // FIELDS * FIELDS]])
        now, before = (self.codec.decode(_put(piece, window, unfold(told))) for told in (so_far, prompt))
        return new_in(now, before, beside)

    def _asked(
        self,
        piece: Ids,
        cells: Mask,
        parts: Sequence[Mask],
        wishes: Ids,
        tracks: Tracks,
        rng: np.random.Generator,
    ) -> tuple[tuple[int, int], Ids, Draft]:
        """For the first of these parts the bars that are heard, what is heard, and the piece to go on with."""
        grid = Grid(piece, tracks)
        later = np.zeros(grid.bars, dtype=np.bool_)
        for part in parts[1:]:
            later |= part.any(axis=1)
        window = _window(grid, parts[0], later, wishes, self._hears)
        prompt = _heard(piece, window, parts[0], wishes, tracks, ends=window[1] == grid.bars)
        busy = expected(grid, cells, parts[0], self.codec.busy_tracks)
        return window, prompt, _draft(self.codec, _ringing(grid, window[0]), prompt, self._request, rng, busy)


def _tell(
    drafts: Sequence[Draft],
    cells: int,
    number: int,
    most: int,
    watch: Watch,
    heard: Callable[[], Sequence[Heard]] | None,
) -> None:
    """Say how far a part is, by the cells that have been begun."""
    answer = vocabulary().first("answer")
    begun = sum(draft.ids[::FIELDS].count(answer) for draft in drafts)
    watch(Progress("Writing", number + begun / (cells + 1), most, "parts", heard=heard))


def _silent_tracks(grid: Grid, cells: Mask) -> Mask:
    """Of some cells those of tracks that have no note in all the piece, unless it has none at all."""
    notes = grid.track[grid.kind == NOTE]
    silent = ~np.isin(np.arange(len(grid.tracks)), notes)
    return cells & silent & bool(len(notes))


def _dense(grid: Grid, cells: Mask, wishes: Ids) -> Ids:
    """Wishes in which of some cells as many notes are asked as the piece has elsewhere, where no number is asked."""
    known = measured(grid)[..., DENSITY]
    found = wishes.copy()
    if cells.any():
        found[cells & (wishes[..., DENSITY] < 0), DENSITY] = int(np.median(known[known >= 0]))
    return found


def _parts(grid: Grid, cells: Mask, wishes: Ids, hears: int, cell_size: float) -> Iterator[Mask]:
    """The cells, as many bars at a time as can be heard and written at once; a bar at least."""
    had, lengths = np.zeros(cells.shape, dtype=np.int64), np.diff(grid.starts)
    np.add.at(had, (grid.bar[grid.track >= 0], grid.track[grid.track >= 0]), 1)
    usual = max(float(had[had > 0].mean()) if had.any() else cell_size, FEWEST_EVENTS)
    likely = np.where(cells, usual, 0.0)  # events that will be written
    for bar, place in zip(*np.nonzero(cells & (wishes[..., DENSITY] >= 0)), strict=True):
        likely[bar, place] = counts(int(wishes[bar, place, DENSITY]), int(lengths[bar]))[1]
    beside = np.where(cells, _marks(wishes), had).sum(axis=1) + 1  # events of each bar that are heard
    part, heard, written, events = np.zeros_like(cells), 0, 0, 0.0
    for bar in np.flatnonzero(cells.any(axis=1)).tolist():
        more = int(cells[bar].sum())
        full = (
            heard + int(beside[bar]) > (1 - WRITTEN_SHARE) * hears
            or events + float(likely[bar].sum()) > WRITTEN_SHARE * hears
            or written + more > LABELS
        )
        if written and full:
            yield part
            part, heard, written, events = np.zeros_like(cells), 0, 0, 0.0
        part[bar] = cells[bar]
        heard, written, events = heard + int(beside[bar]), written + more, events + float(likely[bar].sum())
    if written:
        yield part


def _marks(wishes: Ids) -> Ids:
    """(bars, tracks) events that stand where a cell is hidden."""
    return np.where((wishes >= 0).any(axis=2), MARKS + 1, MARKS)


def _window(grid: Grid, part: Mask, later: NDArray[np.bool_], wishes: Ids, hears: int) -> tuple[int, int]:
    """The bars that are heard: those of the part and as many before and after it as there is room for.

    Args:
        grid: the piece.
        part: (bars, tracks) what is written.
        later: (bars,) where something is written later; these and what follows them are not heard.
        wishes: what is asked.
        hears: events that the model hears.
    """
    bars = np.flatnonzero(part.any(axis=1))
    first, stop = int(bars[0]), int(bars[-1]) + 1
    unknown = np.flatnonzero(later)
    end = int(unknown[0]) if len(unknown) else grid.bars
    sizes = np.bincount(grid.bar, minlength=grid.bars)
    marks = int(np.where(part, _marks(wishes), 0).sum())
    room = int((1 - WRITTEN_SHARE) * hears) - marks - int(sizes[first:stop].sum())
    while True:
        before = int(sizes[first - 1]) if first > 0 else hears
        after = int(sizes[stop]) if stop < end else hears
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


def _heard(piece: Ids, window: tuple[int, int], part: Mask, wishes: Ids, tracks: Tracks, *, ends: bool) -> Ids:
    """What the model hears: the bars of the window, the cells of the part hidden, and what is asked of them."""
    start, stop = _edges(piece, window)
    bars = slice(*window)
    told = hide(piece[start:stop], lambda _: part[bars], tracks, asked=lambda _: wishes[bars], ends=ends)
    return without_answers(told)


def _ringing(grid: Grid, first: int) -> Ids:
    """Of the bars before one what still matters in it: their lengths, notes that ring into it, and pedals."""
    ends = grid.onsets + durations(grid.events)
    rings = (grid.kind == NOTE) & (ends > grid.starts[first])
    matters = rings | np.isin(grid.kind, (DOWN, UP))
    cells = np.zeros((grid.bars, len(grid.tracks)), dtype=np.bool_)
    cells[grid.bar[matters], grid.track[matters]] = True
    kept = matters | (grid.kind == BAR) | ((grid.kind == CELL) & cells[grid.bar, grid.track])
    found: Ids = grid.events[kept & (grid.bar < first)].reshape(-1)
    return found


def _draft(
    codec: Cells,
    before: Ids,
    prompt: Ids,
    request: Request,
    rng: np.random.Generator,
    busy: Mapping[int, tuple[float, float]],
) -> Draft:
    """A piece that is to be gone on with after a prompt; what came before it only its grammar knows."""
    grammar = codec.grammar()
    grammar.start(request)
    grammar.expect(busy)
    for id in [*before.tolist(), *prompt.tolist()]:
        grammar.advance(id)
    grammar.begin()
    return Draft(rng, grammar, np.concatenate([[codec.spec.bos], prompt]))


def _put(piece: Ids, window: tuple[int, int], told: Ids) -> Ids:
    """The piece with the bars of a window told anew."""
    start, stop = _edges(piece, window)
    return np.concatenate([piece[:start], told, piece[stop:]])
