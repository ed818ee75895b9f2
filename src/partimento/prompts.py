"""Prompts: the beginning of a piece, or some of a run's held-out music, as a bundle's codec has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from symusic.core import NoteTickList

from partimento.alignment import moved
from partimento.bundle import Bundle
from partimento.codec import Aligns, Codec, RollSpec, TokenSpec
from partimento.errors import ImpossibleRequest, PartimentoError
from partimento.files import read_safely
from partimento.generation import prompt_losses
from partimento.generation.grids import to_bar_line
from partimento.pieces import Pieces
from partimento.score import Score, bar_lines, end_tick, excerpt, note_array


@dataclass(frozen=True)
class Opening:
    """How much of a piece is given to go on from.

    Attributes:
        count: how many.
        unit: bars, or notes as they sound (a chord of three is three).
    """

    count: int
    unit: Literal["bars", "notes"] = "bars"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ImpossibleRequest(f"--prompt-{self.unit} must be 1 or more, not {self.count}.")

    def of(self, score: Score) -> Score:
        """So much of a score, from the first bar with a note on."""
        return first_bars(score, self.count) if self.unit == "bars" else first_notes(score, self.count)


def prompt_from_file(bundle: Bundle, file: Path, opening: Opening) -> tuple[NDArray[Any], list[str]]:
    """The beginning of a piece of music, as the bundle's codec has it.

    Returns:
        The ids or frames, and a sentence about each thing that was mended in the file or that the codec cannot say.

    Raises:
        Unreadable: it is no music.
        ImpossibleRequest: the bundle's codec can say nothing of it.
    """
    reading, codec = read_safely(file), bundle.codec()
    beside = codec.beside_beats(reading.score) if isinstance(codec, Aligns) else 0
    score = opening.of(moved(reading.score, -beside))  # of the whole piece, of which an opening tells too little
    ids = _encoded(codec, score, opening)
    if not len(ids):
        raise ImpossibleRequest(
            f"{file} has no note in its first {opening.count} {opening.unit} that this model can say."
        )
    return ids, [*reading.repairs, *prompt_losses(codec, score)]


def random_prompt(run: Path, bundle: Bundle, opening: Opening, seed: int) -> tuple[NDArray[Any], int]:
    """Some music from a random bar of a random held-out piece of the run that made the bundle.

    Returns:
        The ids or frames, and the number of the piece.

    Raises:
        ImpossibleRequest: the model is a bundle alone, which holds no music.
    """
    try:
        pieces = Pieces.open(run / "pieces" / "valid")
    except PartimentoError as error:
        raise ImpossibleRequest(
            f"{run} holds no music to draw a prompt from; name the folder of a run, or a file with --prompt FILE."
        ) from error
    if seed < 0:
        raise ImpossibleRequest(f"A seed is 0 or more; {seed} is not.")
    rng = np.random.default_rng([seed, opening.count])
    codec = bundle.codec()
    drawn = rng.permutation(len(pieces)).tolist()
    ends = slice(1, -1) if isinstance(codec.spec, TokenSpec) else slice(None)  # what stands before and after ids
    number = next((number for number in drawn if codec.notes(pieces[number][ends])), drawn[0])
    score = codec.decode(pieces[number][ends])
    lines = bar_lines(score)
    onsets = note_array(score)["onset"]
    if not len(onsets):
        raise ImpossibleRequest(f"The held-out pieces of {run} have no note to go on from; name a file: --prompt FILE.")
    starting = np.unique(np.searchsorted(lines, onsets, side="right") - 1)  # bars in which a note begins
    if opening.unit == "bars":
        left = len(lines) - starting
    else:
        left = len(onsets) - np.searchsorted(np.sort(onsets), lines[starting])
    fitting = starting[left >= opening.count]
    start = int(rng.choice(fitting if len(fitting) else starting[:1]))
    return _encoded(codec, opening.of(excerpt(score, int(lines[start]), end_tick(score) + 1)), opening), number


def _encoded(codec: Codec[Any], score: Score, opening: Opening) -> NDArray[Any]:
    """An opening as a codec has it; a grid of so many bars to the last one's end."""
    x = codec.encode(score)
    return to_bar_line(x, score, codec.spec) if opening.unit == "bars" and isinstance(codec.spec, RollSpec) else x


def first_bars(score: Score, bars: int) -> Score:
    """The first bars of a score in which anything sounds, from the first bar with a note on."""
    starts = [int(note.time) for track in score.tracks for note in track.notes]
    lines = bar_lines(score)
    begin = int(np.searchsorted(lines, min(starts, default=0), side="right")) - 1
    stop = int(lines[begin + bars]) if begin + bars < len(lines) else end_tick(score) + 1
    return excerpt(score, int(lines[begin]), stop)


def first_notes(score: Score, count: int) -> Score:
    """The first notes of a score by onset, then by pitch, from the first bar with a note on; none is cut short."""
    result = first_bars(score, len(bar_lines(score)))
    order = sorted(
        (note.time, note.pitch, track, number)
        for track, played in enumerate(result.tracks)
        for number, note in enumerate(played.notes)
    )
    kept = {(track, number) for _, _, track, number in order[:count]}
    for index, track in enumerate(result.tracks):
        track.notes = NoteTickList([note for number, note in enumerate(track.notes) if (index, number) in kept])
    return result
