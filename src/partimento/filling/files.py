"""Files of pieces whose cells were written: each version as MIDI, sound, picture, and what made it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from partimento.atomic import write_text
from partimento.bundle import Bundle
from partimento.choosing import likest, people_of
from partimento.composing import Sound, maker_of, require_empty
from partimento.errors import ImpossibleRequest, PartimentoError, Unreadable
from partimento.files import write
from partimento.filling import Filled, Manner, Task, fill
from partimento.filling.composition import Composition, compose_cells
from partimento.generation.requests import side_by_side
from partimento.progress import Watch, ignore
from partimento.render import render
from partimento.render.audio import require_soundfont
from partimento.score import Score

FORMAT = 2


def fill_into(
    folder: Path,
    bundle: Bundle,
    score: Score,
    task: Task,
    manner: Manner,
    *,
    name: str,
    sound: Sound = "wav",
    soundfont: Path | None = None,
    watch: Watch = ignore,
) -> list[tuple[Path, Filled]]:
    """Fill, and write each version as a MIDI file, its sound, a picture and what made it.

    Args:
        folder: new or empty.
        bundle: a model that has learnt to fill.
        score: the piece.
        task: what is written.
        manner: how.
        name: of the piece.
        sound: the sound's format, or "none".
        soundfont: the SoundFont to play with; the installed one if None.
        watch: hears of progress.

    Raises:
        ImpossibleRequest: the folder holds something, the model cannot fill, the piece has no such cells, or they
            cannot be what is asked.
    """
    made = {"piece": name, "task": {"name": type(task).__name__.lower(), **dataclasses.asdict(cast(Any, task))}}
    files, made = _Files(folder, bundle, f"{name} · {task.said()}", sound, soundfont), {**made, **manner.to_table()}
    written = []
    for together in side_by_side(manner.n):
        filled = fill(bundle, score, task, manner, only=together, watch=watch)
        written += files.write(filled, made, given=score)
    return written


def compose_cells_into(
    folder: Path,
    bundle: Bundle,
    wanted: Composition,
    manner: Manner,
    *,
    sound: Sound = "wav",
    soundfont: Path | None = None,
    best: int | None = None,
    watch: Watch = ignore,
) -> list[tuple[Path, Filled]]:
    """Compose from what is asked, and write each piece as `fill_into` does; with `best`, when all are made.

    Args:
        folder: new or empty.
        bundle: a model that has learnt to fill.
        wanted: what each piece is to be.
        manner: how.
        sound: the sound's format, or "none".
        soundfont: the SoundFont to play with; the installed one if None.
        best: write only so many, those most like the music that was learnt from (`choosing`), best first.
        watch: hears of progress.

    Raises:
        ImpossibleRequest: the folder holds something, the model cannot fill, or the cells cannot be what is asked.
    """
    people = {} if best is None else people_of(bundle, best, manner.n)
    files = _Files(folder, bundle, wanted.said(), sound, soundfont)
    facts = {"composition": dataclasses.asdict(wanted), **manner.to_table()}
    batches: Iterable[list[Filled]] = (
        compose_cells(bundle, wanted, manner, only=together, watch=watch) for together in side_by_side(manner.n)
    )
    if best is not None:
        batches = [likest([made for batch in batches for made in batch], people, best)]
    return [written for batch in batches for written in files.write(batch, facts)]


def compose_cells_again(
    file: Path,
    folder: Path,
    model: Path | None = None,
    *,
    sound: Sound = "wav",
    soundfont: Path | None = None,
    watch: Watch = ignore,
) -> tuple[Path, Filled]:
    """Make a piece again that `compose_cells_into` made, byte for byte on the same machine and versions.

    Args:
        file: the piece's MIDI file, beside which its JSON file lies, or the JSON file.
        folder: new or empty.
        model: the bundle or run that made it; where None, as the JSON file says.
        sound: the sound's format, or "none".
        soundfont: the SoundFont to play with; the installed one if None.
        watch: hears of progress.

    Raises:
        Unreadable: the file does not say completely how it was made.
        InvalidBundle: the model is not the one that made it.
    """
    facts = _facts(file)
    try:
        if facts["format"] != FORMAT:
            raise ValueError(f"its format is {facts['format']}, and this version of Partimento reads {FORMAT}")
        table = facts["composition"]
        metre = None if table["metre"] is None else tuple(table["metre"])
        wanted = Composition(**{**table, "programs": tuple(table["programs"]), "metre": metre})
        manner, index = Manner.from_table(facts), int(facts["version"]) - 1
        place, digest, made_by = Path(facts["bundle"]), str(facts["model"]), str(facts["partimento"])
        if not 0 <= index < manner.n:
            raise ValueError(f"it is piece {index + 1} of {manner.n}")
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, PartimentoError) as error:
        raise Unreadable(f"{file} does not say completely how it was made ({error}).", "Compose anew.") from error
    bundle = maker_of(file, place if model is None else model, digest, made_by, watch)
    files = _Files(folder, bundle, wanted.said(), sound, soundfont)
    together = next(numbers for numbers in side_by_side(manner.n) if index in numbers)  # side by side, as it was drawn
    pieces = compose_cells(bundle, wanted, manner, only=together, watch=watch)
    (written,) = files.write([pieces[together.index(index)]], {"composition": table, **manner.to_table()})
    return written


def is_of_cells(file: Path) -> bool:
    """Whether a file, or the JSON file beside it, says that a piece was composed of cells.

    Raises:
        ImpossibleRequest: it was filled, and is made again by the command that made it.
    """
    try:
        facts = _facts(file)
    except Unreadable:
        return False
    if "task" in facts:
        raise ImpossibleRequest(
            f"{file} was written into {facts.get('piece')}: the same command with the same seed makes it again."
        )
    return "composition" in facts


def _facts(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.with_suffix(".json").read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise Unreadable(f"{file} does not say how it was made.", "Name the .mid or .json of a piece.") from error


class _Files:
    """A folder that pieces go into; what could not be written in the end is refused at once."""

    def __init__(self, folder: Path, bundle: Bundle, title: str, sound: Sound, soundfont: Path | None) -> None:
        require_empty(folder)
        if sound != "none":
            require_soundfont(soundfont)
        self._folder, self._bundle, self._title = folder, bundle, title
        self._sound, self._soundfont = sound, soundfont

    def write(
        self, pieces: Sequence[Filled], made: Mapping[str, Any], given: Score | None = None
    ) -> list[tuple[Path, Filled]]:
        """Write pieces: MIDI, picture, sound, and what they were `made` with; what was given is grey."""
        self._folder.mkdir(parents=True, exist_ok=True)
        title = f"{self._title} by {self._bundle.model_name} · seed {made['seed']}"
        written = []
        for piece in pieces:
            midi = self._folder / f"{piece.index + 1:03d}.mid"
            write(piece.score, midi)
            remarks = [*piece.remarks, *render(piece.score, midi.with_suffix(".png"), title=title, given=given)]
            if self._sound != "none":
                remarks += render(piece.score, midi.with_suffix(f".{self._sound}"), soundfont=self._soundfont)
            document = {
                "format": FORMAT,
                "partimento": version("partimento"),
                "model": self._bundle.digest,
                "bundle": self._bundle.place,
                **made,
                "version": piece.index + 1,
                "made": {"notes": piece.notes, "remarks": remarks},
            }
            write_text(midi.with_suffix(".json"), json.dumps(document, indent=1, ensure_ascii=False) + "\n")
            written.append((midi, Filled(piece.index, piece.score, piece.notes, tuple(remarks))))
        return written
