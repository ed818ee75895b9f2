"""Filling: some cells of a piece written anew, from what stands before, after and beside them.

Which ones a task says (`tasks`): a region, tracks that come new, a variation. What each is to be can be asked for
(`codecs.cells.asking`). The model hears the piece with those cells hidden and writes them (`codecs.cells.hiding`);
every other note stays exactly as it was, down to times finer than the model knows, and so do tempi, metres and
controllers. Where a piece lies beside its beats and the codec aligns (`alignment`), its bars are those of its notes. A
new note gives way to an old one of its pitch that sounds or begins, since MIDI could not tell them apart, and the pedal
is left as the music after the cells has it. Where more is hidden than fits into what a model hears at once, it is
written from the beginning on, part by part, each part from all that there is by then. Piece i of a request draws from
(seed, i) and the attempt: the same model, piece, task and seed give the same music.

Leaves out: what no score keeps (lyrics, system-exclusive messages), which a file loses by being read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from partimento.alignment import moved
from partimento.bundle import Bundle
from partimento.codecs.cells import Cells
from partimento.codecs.cells.asking import Asked
from partimento.codecs.cells.fields import DRUMS, NOTE, STEPS, TRACKS, Ids, Mask
from partimento.codecs.cells.grid import Grid
from partimento.errors import ImpossibleRequest
from partimento.filling.possible import require_learnt
from partimento.filling.splicing import spliced
from partimento.filling.tasks import Accompaniment, Region, Task, Variation, alone
from partimento.filling.writing import Manner, Writer
from partimento.generation.made import guards_acted
from partimento.generation.requests import ATTEMPTS, side_by_side
from partimento.instruments import instrument_name
from partimento.progress import Watch, ignore
from partimento.score import Score, Track, bar_lines

__all__ = ["Accompaniment", "Asked", "Filled", "Manner", "Region", "Task", "Variation", "alone", "fill"]

MANY = 4  # tracks of which half may fall silent unsaid, where there are fewer


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
    manner: Manner | None = None,
    *,
    only: range | None = None,
    threads: int = 1,
    watch: Watch = ignore,
) -> list[Filled]:
    """Write some cells of a piece anew, several times over.

    Args:
        bundle: a model that has learnt to fill.
        score: the piece.
        task: which cells are written.
        manner: how, and how often; once, from seed 0, with nothing asked, if None.
        only: these of the versions, of those that `requests.side_by_side` puts together; all if None.
        threads: for each step of the model.
        watch: hears how far the work is.

    Raises:
        ImpossibleRequest: the model cannot fill, the piece has no such cells, or they cannot be what is asked.
    """
    manner = manner or Manner()
    writer, seed = Writer(bundle, manner, threads), manner.seed
    if score.ticks_per_quarter < STEPS:  # coarser than what is written
        score = score.resample(score.ticks_per_quarter * STEPS, min_dur=1)
    beside = writer.codec.beside_beats(score)
    given, score, later = score, moved(score, -beside), beside / score.ticks_per_quarter
    before, tracks = _told(writer.codec, score, task)
    grid = Grid(before, tracks)
    may_be_written = task.tracks_of(grid)

    def attempt(seeds: Sequence[Sequence[int]]) -> list[tuple[Score, int, Sequence[str]]]:
        """Write a version from each of these seeds, side by side."""
        rngs = [np.random.default_rng(list(one)) for one in seeds]
        cells = [task.cells(grid, rng) for rng in rngs]
        wishes = [manner.asked.of(mask, grid.programs, may_be_written, task.first) for mask in cells]
        pieces, acted = writer.write([before] * len(seeds), cells, wishes, tracks, rngs, watch, later)
        made = [Grid(piece, tracks) for piece in pieces]
        said = [
            [
                *guards_acted(told),
                *silent(one),
                *unlearnt(one.programs[mask.any(axis=0)], writer.codec),
                *silenced(grid, one, mask),
            ]
            for told, one, mask in zip(acted, made, cells, strict=True)
        ]
        found = [spliced(score, grid, mask, one, max(-beside, 0)) for mask, one in zip(cells, made, strict=True)]
        return [(moved(whole, beside), notes, own) for (whole, notes), own in zip(found, said, strict=True)]

    filled = []
    for together in side_by_side(manner.n) if only is None else [only]:
        found = dict(zip(together, attempt([[seed, index] for index in together]), strict=True))
        for again in range(1, ATTEMPTS):
            empty = [index for index, (_, notes, _) in found.items() if not notes]
            if empty:
                found |= dict(zip(empty, attempt([[seed, index, again] for index in empty]), strict=True))
        filled += [_filled(index, given, *found[index]) for index in together]
    return filled


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
    _require_its_bars(score, grid)
    tracks = grid.program_of
    added = task.added(codec, sounding)
    require_learnt(codec, added)
    for number, program in enumerate(added, start=max(tracks) + 1):
        tracks[number] = program
        score.tracks.append(Track(instrument_name(program), program % DRUMS, program == DRUMS))
    return before, tracks


def _require_its_bars(score: Score, grid: Grid) -> None:
    """Refuse a piece whose bars are not those that the model would be told of.

    Raises:
        ImpossibleRequest: names the first bar that is another.
    """
    lines, scale = bar_lines(score), score.ticks_per_quarter / STEPS
    count = min(len(lines), grid.bars)
    other = np.flatnonzero(np.abs(lines[:count] - grid.starts[:count] * scale) > scale)
    if len(other):
        raise ImpossibleRequest(
            f"Bar {other[0]} of the piece has a metre that the model does not know, so that the bars after it would be "
            "others than you mean. It knows 1 to 12 over 4, 8 or 16: write the piece in one of these."
        )


def _filled(index: int, score: Score, made: Score, notes: int, said: Sequence[str]) -> Filled:
    """A version; where no note came, the piece as it was."""
    if notes:
        return Filled(index, made, notes, tuple(said))
    vain = (
        f"No note came, though it was tried {ATTEMPTS} times: the piece is as it was. Has the model heard such music?"
    )
    return Filled(index, score, 0, (vain,))


def silent(grid: Grid) -> Sequence[str]:
    """A sentence about the tracks that have no note."""
    sounding = set(grid.track[grid.kind == NOTE].tolist())
    without = [int(program) for place, program in enumerate(grid.programs.tolist()) if place not in sounding]
    return [f"No note came for {', '.join(map(instrument_name, without))}."] if without and sounding else []


def unlearnt(programs: Ids, codec: Cells) -> Sequence[str]:
    """A sentence about those of the instruments written for that the model has never heard."""
    unknown = [program for program in np.unique(programs).tolist() if not codec.programs[:, program].any()]
    return [f"The model has learnt nothing of {', '.join(map(instrument_name, unknown))}."] if unknown else []


def silenced(before: Grid, made: Grid, cells: Mask) -> Sequence[str]:
    """A sentence about the tracks that played in what is written and are silent there now, where they are half or more.

    Args:
        before: the piece.
        made: the piece as it became.
        cells: (bars, tracks) what is written.
    """
    played, plays = ((grid.notes * cells).any(axis=0) for grid in (before, made))
    gone, all_of_them = int((played & ~plays).sum()), int(played.sum())
    if all_of_them < MANY or 2 * gone < all_of_them:
        return []
    return [f"{gone} of {all_of_them} tracks that played there are silent now; fewer at once (--tracks) may all play."]
