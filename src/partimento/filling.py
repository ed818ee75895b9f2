"""Filling: some bars of some tracks of a piece written anew, from what stands before, after and beside them.

The model hears the piece with those cells hidden and writes them (`codecs.cells.hiding`); all else stays exactly as it
was, down to times finer than the model knows. Where more is hidden than fits into what a model hears at once, it is
written from the beginning on, part by part, each part from all that there is by then. Piece i of a request draws from
`numpy.random.default_rng([seed, i])`: the same model, piece, region and seed give the same music.

Leaves out: what to put there (a density, a chord), which cells cannot be asked for yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic.core import ControlChangeTick, ControlChangeTickList, NoteTickList

from partimento.atomic import write_text
from partimento.bundle import Bundle
from partimento.codec import Request
from partimento.codecs.cells import Cells
from partimento.codecs.cells.fields import BAR, DOWN, FIELDS, LABELS, NOTE, STEPS, UP, events_of, quarters, values
from partimento.codecs.cells.fields import velocities as levels
from partimento.codecs.cells.hiding import Grid, Mask, hide, unfold, without_answers
from partimento.codecs.cells.writing import HOLD
from partimento.composing import Sound, require_empty
from partimento.errors import ImpossibleRequest
from partimento.files import write
from partimento.generation import open_player
from partimento.generation.made import guards_acted
from partimento.generation.requests import check
from partimento.guards import Guards
from partimento.metres import METRES
from partimento.progress import Progress, Watch, ignore
from partimento.render import render
from partimento.render.audio import require_soundfont
from partimento.sampling import Draft, Sampling, sample
from partimento.score import Note, Score
from partimento.settings import to_table

FORMAT = 1
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
        if len(set(tracks)) > LABELS:
            raise ImpossibleRequest(f"At most {LABELS} tracks can be filled at once; name fewer.")
        mask = np.zeros((grid.bars, count), dtype=np.bool_)
        mask[first - 1 : last, [track - 1 for track in set(tracks)]] = True
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
    request: Request | None = None,
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
        request: its `longest_note` counts; a length does not.
        threads: for each step of the model.
        watch: hears how far the work is.

    Raises:
        ImpossibleRequest: the model cannot fill, or the piece has no such region.
    """
    check(request or Request(), n, seed)
    codec = require_filling(bundle)
    before = codec.encode(score)
    grid = Grid(before)
    if not len(grid.tracks):
        raise ImpossibleRequest("The piece has no note; there is nothing to fill.")
    cells = region.cells(grid)
    tracks = dict(zip(grid.tracks.tolist(), grid.programs.tolist(), strict=True))
    hears = int(bundle.recipe.get("model", {}).get("context", 512))
    wanted = Request(longest_note=(request or Request()).longest_note)
    stepper = open_player(bundle, threads)
    rngs = [np.random.default_rng([seed, index]) for index in range(n)]
    pieces, remarks = [before] * n, [list[str]() for _ in range(n)]
    parts = list(_parts(grid, cells, hears))
    for number, part in enumerate(parts):
        watch(Progress("Filling", number, len(parts), "parts"))
        windows = [_window(Grid(piece), part, hears) for piece in pieces]
        prompts = [_heard(piece, window, part, tracks) for piece, window in zip(pieces, windows, strict=True)]
        drafts = [_draft(codec, prompt, wanted, rng) for prompt, rng in zip(prompts, rngs, strict=True)]
        sample(stepper, drafts, codec.spec, longest=LONGEST, sampling=sampling or Sampling(), guards=guards or Guards())
        for index, draft in enumerate(drafts):
            told = unfold(np.concatenate([prompts[index], np.array(draft.ids, dtype=np.int64)]))
            pieces[index] = _put(pieces[index], windows[index], told)
            remarks[index] += guards_acted(draft.acted)
    watch(Progress("Filling", len(parts), len(parts), "parts"))
    made = [Grid(piece, tracks) for piece in pieces]
    return [Filled(i, *_spliced(score, grid, cells, made[i]), tuple(remarks[i])) for i in range(n)]


def require_filling(bundle: Bundle) -> Cells:
    """The codec of a model that has learnt to fill.

    Raises:
        ImpossibleRequest: it has not.
    """
    codec = bundle.codec()
    hidden = bundle.recipe.get("preparation", {}).get("hidden", 0)
    if not isinstance(codec, Cells) or not hidden:
        raise ImpossibleRequest(f"The model {bundle.folder} has not learnt to fill. {ADVICE}")
    return codec


def _parts(grid: Grid, cells: Mask, hears: int) -> Iterator[Mask]:
    """The cells, as many at a time as can be written at once."""
    counts = np.zeros(cells.shape, dtype=np.int64)
    np.add.at(counts, (grid.bar[grid.track >= 0], grid.track[grid.track >= 0]), 1)
    usual = max(float(counts[counts > 0].mean()) if counts.any() else 0.0, FEWEST_EVENTS)
    room = max(int(WRITTEN_SHARE * hears / usual), 1)
    part, held = np.zeros_like(cells), 0
    for bar in np.flatnonzero(cells.any(axis=1)).tolist():
        more = int(cells[bar].sum())
        if held and held + more > min(room, LABELS):
            yield part
            part, held = np.zeros_like(cells), 0
        part[bar], held = cells[bar], held + more
    if held:
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


def _spliced(score: Score, grid: Grid, cells: Mask, made: Grid) -> tuple[Score, int]:
    """The score with the notes and the pedal of some cells as they were made, and how many notes those are."""
    result = score.copy()
    starts = _starts(grid)
    sounding = [index for index, track in enumerate(score.tracks) if len(track.notes)]
    scale = score.ticks_per_quarter / STEPS
    new = 0
    for place in np.flatnonzero(cells.any(axis=0)).tolist():
        track = result.tracks[sounding[place]]

        def stays(time: int, place: int = place) -> bool:
            step = int(np.floor(time / scale + 0.5))
            return not cells[min(int(np.searchsorted(starts, step, side="right")) - 1, len(cells) - 1), place]

        mine = (made.track == place) & cells[made.bar, place]
        steps = _starts(made)[made.bar] + quarters(made.events[:, 0]) * STEPS + values(made.events[:, 1])
        ticks = np.rint(steps * scale).astype(np.int64).tolist()
        notes = [note for note in track.notes if stays(note.time)]
        pedal = [control for control in track.controls if control.number != HOLD or stays(control.time)]
        for event in np.flatnonzero(mine).tolist():
            row = values(made.events[event])
            if made.kind[event] == NOTE:
                lasts = max(round(int(row[3] * STEPS + row[4]) * scale), 1)
                notes.append(Note(ticks[event], lasts, int(row[2]), int(levels()[row[5]])))
                new += 1
            elif made.kind[event] in (DOWN, UP):
                pedal.append(ControlChangeTick(ticks[event], HOLD, 127 if made.kind[event] == DOWN else 0))
        track.notes, track.controls = NoteTickList(notes), ControlChangeTickList(pedal)
        track.pedals = type(track.pedals)()  # made of the controls anew wherever they are asked for
        track.notes.sort()
        track.controls.sort()
    return result, new


def _starts(grid: Grid) -> NDArray[np.int64]:
    """(bars,) steps at which bars begin."""
    metres = values(grid.events[grid.kind == BAR][:, 1])
    lengths = np.array([METRES[metre].bar(STEPS) for metre in metres.tolist()], dtype=np.int64)
    return np.cumsum(lengths) - lengths


def fill_into(
    folder: Path,
    bundle: Bundle,
    score: Score,
    region: Region,
    *,
    name: str,
    n: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    guards: Guards | None = None,
    request: Request | None = None,
    sound: Sound = "wav",
    soundfont: Path | None = None,
    watch: Watch = ignore,
) -> list[tuple[Path, Filled]]:
    """Fill, and write each version as a MIDI file, its sound, a picture and what made it.

    Args:
        folder: new or empty.
        bundle: a model that has learnt to fill.
        score: the piece.
        region: what is written anew.
        name: of the piece.
        n: how many versions.
        seed: the same seed gives the same music.
        sampling: how ids are drawn.
        guards: against endless loops.
        request: its `longest_note` counts.
        sound: the sound's format, or "none".
        soundfont: the SoundFont to play with; the installed one if None.
        watch: hears of progress.

    Raises:
        ImpossibleRequest: the folder holds something, the model cannot fill, or the piece has no such region.
    """
    require_empty(folder)
    if sound != "none":
        require_soundfont(soundfont)
    options: dict[str, Any] = {"sampling": sampling, "guards": guards, "request": request, "watch": watch}
    filled = fill(bundle, score, region, n=n, seed=seed, **options)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for piece in filled:
        midi = folder / f"{piece.index + 1:03d}.mid"
        write(piece.score, midi)
        title = f"{name} · {said(region)} by {bundle.model_name} · seed {seed}"
        remarks = [*piece.remarks, *render(piece.score, midi.with_suffix(".png"), title=title)]
        if sound != "none":
            remarks += render(piece.score, midi.with_suffix(f".{sound}"), soundfont=soundfont)
        facts = {
            "format": FORMAT,
            "partimento": version("partimento"),
            "model": bundle.digest,
            "piece": name,
            "region": {"bars": region.bars, "tracks": region.tracks},
            "version": piece.index + 1,
            "seed": seed,
            "sampling": to_table(sampling or Sampling()),
            "made": {"notes": piece.notes, "remarks": remarks},
        }
        write_text(midi.with_suffix(".json"), json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
        written.append((midi, Filled(piece.index, piece.score, piece.notes, tuple(remarks))))
    return written


def said(region: Region) -> str:
    """A region in words.

    Example:
        >>> said(Region((5, 8), (2,)))
        'bars 5 to 8 of track 2 filled'
    """
    bars = "all bars" if region.bars is None else f"bars {region.bars[0]} to {region.bars[1]}"
    if region.bars is not None and region.bars[0] == region.bars[1]:
        bars = f"bar {region.bars[0]}"
    if region.tracks is None:
        return f"{bars} filled"
    several = "s" if len(region.tracks) > 1 else ""
    return f"{bars} of track{several} {', '.join(map(str, region.tracks))} filled"
