"""Composing from nothing but what is asked: bars, instruments, a form, and a chord for each bar.

All cells of a piece that has none are hidden and written. With a form, AABA say, each letter's section is written once,
B after A; where a letter returns its section is put again, and a share of its cells is written anew from what stands
around them: returns are varied as their neighbours want it. How much of the first a return keeps is measured.

Leaves out: sections of unlike lengths, and changes of metre or tempo.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from partimento.bundle import Bundle
from partimento.codecs.cells import Cells
from partimento.codecs.cells.asking import Asked
from partimento.codecs.cells.fields import (
    BAR,
    FASTEST,
    FIELDS,
    LABELS,
    NOTE,
    SLOWEST,
    STEPS,
    TRACKS,
    Ids,
    Mask,
    durations,
    events_of,
    tempi,
    values,
    vocabulary,
)
from partimento.codecs.cells.grid import Grid
from partimento.errors import ImpossibleRequest
from partimento.filling import Filled, silent, unlearnt
from partimento.filling.possible import require_learnt
from partimento.filling.writing import Manner, Tracks, Writer
from partimento.generation.made import guards_acted, with_signature
from partimento.generation.requests import MOST, side_by_side
from partimento.instruments import DRUMS, instrument_name, numbered, require_programs
from partimento.levels import nearest
from partimento.metres import METRES, Metre
from partimento.progress import Watch, ignore
from partimento.score import Tempo, struck_again

__all__ = ["Composition", "bars_within", "compose_cells", "returns"]


@dataclass(frozen=True)
class Composition:
    """A piece that is to be.

    Attributes:
        bars: how many.
        programs: of its tracks, 0 to 127, or 128 for drums; those that the learnt music usually has if none.
        form: a letter for each section, in upper case, e.g. AABA; all sections are of one length.
        varied: the share of a return's cells that is written anew, 0 to 1.
        metre: numerator and denominator; the learnt music's usual one if None.
        tempo: quarter notes a minute; the learnt music's usual one if None.

    Raises:
        ImpossibleRequest: the bars do not divide into the sections, or a number is out of its range.
    """

    bars: int
    programs: tuple[int, ...] = ()
    form: str = "A"
    varied: float = 0.3
    metre: tuple[int, int] | None = None
    tempo: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.bars <= MOST["bars"]:
            raise ImpossibleRequest(f"A piece has 1 to {MOST['bars']:,} bars, not {self.bars}.")
        if not (self.form.isascii() and self.form.isalpha() and self.form.isupper()):
            raise ImpossibleRequest(f"A form is a letter for each section, e.g. AABA; {self.form!r} is none.")
        if self.bars % len(self.form):
            raise ImpossibleRequest(
                f"{self.bars} bars cannot be divided into the {len(self.form)} sections of {self.form}: ask for a "
                f"multiple of {len(self.form)}."
            )
        if not 0 <= self.varied <= 1:
            raise ImpossibleRequest(f"The share of returns that is varied must be from 0 to 1, not {self.varied:g}.")
        _require_known(self.metre, self.tempo)
        require_programs(self.programs)
        if len(self.programs) > min(LABELS, TRACKS):
            raise ImpossibleRequest("So many tracks cannot be told apart; name fewer.")

    @property
    def section(self) -> int:
        """Bars of a section."""
        return self.bars // len(self.form)

    @property
    def letters(self) -> list[str]:
        """The sections that there are, in the order in which they first come."""
        return list(dict.fromkeys(self.form))

    def tracks(self, codec: Cells) -> dict[int, int]:
        """Programs of its tracks by number."""
        return dict(enumerate(self.programs or codec.usual(0)))

    def said(self) -> str:
        """What it is, in words."""
        names = ", ".join(instrument_name(program) for program in self.programs)
        form = f" in the form {self.form}" if len(self.form) > 1 else ""
        return f"{self.bars} bars{form}" + (f" for {names}" if names else "")


def _require_known(metre: tuple[int, int] | None, tempo: float | None) -> None:
    """Refuse a metre or a tempo that there is not."""
    if metre is not None and tuple(metre) not in METRES:
        raise ImpossibleRequest(f"There is no metre {metre[0]}/{metre[1]} here: 1 to 12 over 4, 8 or 16.")
    if tempo is not None and not SLOWEST <= tempo <= FASTEST:
        raise ImpossibleRequest(f"A tempo is from {SLOWEST:g} to {FASTEST:g} quarter notes a minute.")


def bars_within(
    seconds: float, codec: Cells, *, sections: int = 1, metre: tuple[int, int] | None = None, tempo: float | None = None
) -> int:
    """The bars of a piece that lasts so many seconds at most, as many in each section.

    Args:
        seconds: at most.
        codec: whose usual metre and tempo are taken where none are given.
        sections: of the form.
        metre: numerator and denominator.
        tempo: quarter notes a minute.

    Raises:
        ImpossibleRequest: a bar of each section lasts longer, or there is no such metre, tempo or time.
    """
    _require_known(metre, tempo)
    if not math.isfinite(seconds):
        raise ImpossibleRequest(f"A piece cannot last {seconds} seconds; ask for so many at most.")
    metre = METRES[codec.opening[0]] if metre is None else metre
    tempo = float(tempi()[codec.opening[1]]) if tempo is None else tempo
    bar = 60 * 4 * metre[0] / metre[1] / tempo
    if not seconds >= sections * bar:
        raise ImpossibleRequest(
            f"{seconds:g} seconds are too few: a bar of {metre[0]}/{metre[1]} lasts {bar:.2g} at {tempo:g} quarters a "
            f"minute, and {'one' if sections == 1 else f'{sections}, one for each section,'} at least must fit."
        )
    each = min(seconds / (sections * bar) + 1e-9, int(MOST["bars"]) // sections)
    return int(each) * sections


def compose_cells(
    bundle: Bundle,
    wanted: Composition,
    manner: Manner | None = None,
    *,
    only: range | None = None,
    threads: int = 1,
    watch: Watch = ignore,
) -> list[Filled]:
    """Compose pieces from what is asked.

    Args:
        bundle: a model that has learnt to fill.
        wanted: what each piece is to be.
        manner: how its cells are written, and how many pieces; one, with nothing asked, if None.
        only: these of the pieces, of those that `requests.side_by_side` puts together; all if None.
        threads: for each step of the model.
        watch: hears how far the work is.

    Raises:
        ImpossibleRequest: the model cannot fill, or the cells cannot be what is asked.
    """
    manner = manner or Manner()
    writer = Writer(bundle, manner, threads)
    tracks = wanted.tracks(writer.codec)
    require_learnt(writer.codec, tracks.values())
    wish = _wish(wanted, manner.asked, np.array(list(tracks.values())))
    made = []
    for together in side_by_side(manner.n) if only is None else [only]:
        rngs = [np.random.default_rng([manner.seed, index]) for index in together]
        pieces, acted = _written(writer, wanted, wish, tracks, rngs, watch)
        for index, piece, guarded in zip(together, pieces, acted, strict=True):
            made.append(_composed(index, Grid(piece, tracks), writer.codec, wanted, manner.asked.key, guarded))
    return made


def _wish(wanted: Composition, asked: Asked, programs: Ids) -> Ids:
    """(bars, tracks, 5) what is asked of each cell, of one that returns what is asked of its letter's first.

    As many chords as a section has bars, or fewer, begin anew with each; more go on from one letter's section to the
    next's; more than these have bars are of the piece's own, one after the other.
    """
    chords, section = asked.chords, wanted.section
    first = {letter: wanted.form.index(letter) for letter in wanted.letters}
    begins = dict.fromkeys(first, 0)
    if len(chords) > section * len(first):
        begins = {letter: place * section for letter, place in first.items()}
    elif len(chords) > section:
        begins = {letter: number * section for number, letter in enumerate(first)}
    whole = np.ones((section, len(programs)), dtype=np.bool_)
    own = {letter: asked.of(whole, programs, first=-begin) for letter, begin in begins.items()}
    return np.concatenate([own[letter] for letter in wanted.form])


def _written(
    writer: Writer,
    wanted: Composition,
    wish: Ids,
    tracks: Tracks,
    rngs: Sequence[np.random.Generator],
    watch: Watch,
) -> tuple[list[Ids], list[Counter[str]]]:
    """Pieces side by side: each section once, then all in the order of the form, then what is varied of returns."""
    codec, n = writer.codec, len(rngs)
    firsts = np.concatenate([_bars_of(wanted, wanted.form.index(letter)) for letter in wanted.letters])
    empty = _empty_bars(codec, wanted, len(firsts))
    everything = np.ones((len(firsts), len(tracks)), dtype=np.bool_)
    pieces, acted = writer.write([empty] * n, [everything] * n, [wish[firsts]] * n, tracks, rngs, watch)
    pieces = [codec.told(_cut(_laid_out(_cut(piece, wanted), wanted), wanted)) for piece in pieces]
    returning = [
        _varied(wanted, len(tracks), rng) | _silent_end(Grid(piece, tracks))
        for piece, rng in zip(pieces, rngs, strict=True)
    ]
    if any(mask.any() for mask in returning):
        pieces, more = writer.write(pieces, returning, [wish] * n, tracks, rngs, watch)
        pieces = [_cut(piece, wanted) for piece in pieces]
        acted = [one + other for one, other in zip(acted, more, strict=True)]
    return pieces, acted


def _composed(
    index: int, grid: Grid, codec: Cells, wanted: Composition, key: str | None, acted: Counter[str]
) -> Filled:
    """A piece that has been written, in this key."""
    score = with_signature(codec.decode(grid.events.reshape(-1)), key)
    names = [instrument_name(DRUMS if track.is_drum else track.program) for track in score.tracks]
    for track, name in zip(score.tracks, numbered(names), strict=True):
        track.name = name
    if wanted.tempo is not None:
        score.tempos = type(score.tempos)([Tempo(0, wanted.tempo)])  # finer than the codec has it
    remarks = [
        *guards_acted(acted),
        *_kept(grid, wanted),
        *silent(grid),
        *unlearnt(grid.programs, codec),
        *_silent_bars(grid),
    ]
    if not score.note_num():
        remarks.append("No note came. Has the model learnt such music?")
    return Filled(index, score, score.note_num(), tuple(remarks))


def _cut(piece: Ids, wanted: Composition) -> Ids:
    """The piece with no note that rings on after its section, since another may come next than it was written for.

    Nor does one ring until its pitch is struck again, as one may that is written before a bar which stays.
    """
    grid = Grid(piece)
    notes = grid.kind == NOTE
    onsets, cut = grid.onsets[notes], grid.events[notes]
    end = grid.starts[np.minimum((grid.bar[notes] // wanted.section + 1) * wanted.section, grid.bars)]
    again = struck_again(onsets, 128 * grid.track[notes] + values(cut[:, 2]))
    lasts = np.minimum(durations(cut), np.minimum(end, again) - onsets)
    cut[:, 3] = vocabulary().first("quarters") + lasts // STEPS
    cut[:, 4] = vocabulary().first("steps") + lasts % STEPS
    events = grid.events.copy()
    events[notes] = cut
    return events.reshape(-1)


def _silent_bars(grid: Grid) -> Sequence[str]:
    """A sentence about the bars in which no note begins, where there are some and others have one."""
    without = np.flatnonzero(np.bincount(grid.bar[grid.kind == NOTE], minlength=grid.bars) == 0) + 1
    if not len(without) or len(without) == grid.bars:
        return []
    runs = np.split(without, np.flatnonzero(np.diff(without) > 1) + 1)
    said = ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
    return [f"In {'bar' if len(without) == 1 else 'bars'} {said} no note begins."]


def _bars_of(wanted: Composition, section: int) -> Ids:
    return np.arange(section * wanted.section, (section + 1) * wanted.section)


def _empty_bars(codec: Cells, wanted: Composition, count: int) -> Ids:
    """(6 count,) ids of bars without a note."""
    ids = vocabulary()
    metre, tempo = codec.opening
    if wanted.metre is not None:
        metre = METRES.index(Metre(*wanted.metre))
    if wanted.tempo is not None:
        tempo = int(nearest(np.log(tempi()), np.log(np.array([wanted.tempo])))[0])
    rows = np.full((count, FIELDS), ids.first("none"))
    rows[:, 0], rows[:, 1], rows[:, 2] = ids.first("bar"), ids.first("metre") + metre, ids.first("tempo") + tempo
    return codec.told(rows.reshape(-1))


def _laid_out(piece: Ids, wanted: Composition) -> Ids:
    """The sections, each written once, in the order of the form."""
    kind, events = events_of(piece)
    starts = [*np.flatnonzero(kind == BAR).tolist(), len(kind)]
    size, letters = wanted.section, wanted.letters
    places = [letters.index(letter) * size for letter in wanted.form]
    return np.concatenate([events[starts[first] : starts[first + size]].reshape(-1) for first in places])


def _varied(wanted: Composition, tracks: int, rng: np.random.Generator) -> Mask:
    """(bars, tracks) which cells of returns are written anew."""
    mask = np.zeros((wanted.bars, tracks), dtype=np.bool_)
    for section in _returning(wanted):
        count = wanted.section * tracks
        chosen = rng.permutation(count)[: round(wanted.varied * count)]
        bars = _bars_of(wanted, section)
        mask[bars[chosen // tracks], chosen % tracks] = True
    return mask


def _silent_end(grid: Grid) -> Mask:
    """(bars, tracks) the cells of the last bar, where nothing is struck in it: a piece has the bars that it is to have.

    A piece of one section has been written so; the last section of a form was written where others followed.
    """
    mask = np.zeros((grid.bars, len(grid.tracks)), dtype=np.bool_)
    mask[-1] = not ((grid.kind == NOTE) & (grid.bar == grid.bars - 1)).any()
    return mask


def _returning(wanted: Composition) -> list[int]:
    """The sections that return."""
    return [place for place, letter in enumerate(wanted.form) if letter in wanted.form[:place]]


def returns(grid: Grid, wanted: Composition) -> dict[int, float]:
    """By the number of each section that returns, the share of its notes that its letter's first section has too.

    A note is the same if it has the same track, pitch and place in the section.
    """
    mine = (grid.kind == NOTE) & (grid.track >= 0)
    section, bar = np.divmod(grid.bar[mine], wanted.section)
    notes = np.column_stack([bar, grid.track[mine], grid.events[mine][:, :3]])
    of = [set(map(tuple, notes[section == number].tolist())) for number in range(len(wanted.form))]
    firsts = {number: of[wanted.form.index(wanted.form[number])] for number in _returning(wanted)}
    return {number: len(of[number] & first) / max(len(of[number]), 1) for number, first in firsts.items()}


def _kept(grid: Grid, wanted: Composition) -> Sequence[str]:
    found = returns(grid, wanted)
    if not found:
        return []
    shares = ", ".join(f"{share:.0%} (section {number + 1}, {wanted.form[number]})" for number, share in found.items())
    return [f"Of its notes a return keeps {shares}."]
