"""Files of pieces whose cells were written: each version as MIDI, sound, picture, and what made it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from partimento.atomic import write_text
from partimento.bundle import Bundle
from partimento.composing import Sound, require_empty
from partimento.files import write
from partimento.filling import Asked, Filled, Task, fill
from partimento.filling.composition import Composition, compose_cells
from partimento.guards import Guards
from partimento.progress import Watch, ignore
from partimento.render import render
from partimento.render.audio import require_soundfont
from partimento.sampling import Sampling
from partimento.score import Score
from partimento.settings import to_table

FORMAT = 1


def fill_into(
    folder: Path,
    bundle: Bundle,
    score: Score,
    task: Task,
    *,
    name: str,
    asked: Asked | None = None,
    n: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    guards: Guards | None = None,
    longest_note: float | None = None,
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
        name: of the piece.
        asked: what it is to be.
        n: how many versions.
        seed: the same seed gives the same music.
        sampling: how ids are drawn.
        guards: against endless loops.
        longest_note: quarter notes after which a new note must end.
        sound: the sound's format, or "none".
        soundfont: the SoundFont to play with; the installed one if None.
        watch: hears of progress.

    Raises:
        ImpossibleRequest: the folder holds something, the model cannot fill, the piece has no such cells, or they
            cannot be what is asked.
    """
    _ready(folder, sound, soundfont)
    options: dict[str, Any] = {"sampling": sampling, "guards": guards, "longest_note": longest_note, "watch": watch}
    filled = fill(bundle, score, task, asked=asked, n=n, seed=seed, **options)
    facts = {
        "piece": name,
        "task": {"name": type(task).__name__.lower(), **dataclasses.asdict(task)},  # type: ignore[call-overload]
        **_how(asked, seed, sampling, guards, longest_note),
    }
    title = f"{name} · {task.said()} by {bundle.model_name} · seed {seed}"
    return _write(folder, bundle, filled, title, facts, sound, soundfont)


def compose_cells_into(
    folder: Path,
    bundle: Bundle,
    wanted: Composition,
    *,
    asked: Asked | None = None,
    n: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    guards: Guards | None = None,
    longest_note: float | None = None,
    sound: Sound = "wav",
    soundfont: Path | None = None,
    watch: Watch = ignore,
) -> list[tuple[Path, Filled]]:
    """Compose from what is asked, and write each piece as a MIDI file, its sound, a picture and what made it.

    Args:
        folder: new or empty.
        bundle: a model that has learnt to fill.
        wanted: what each piece is to be.
        asked: what its cells are to be.
        n: how many pieces.
        seed: the same seed gives the same music.
        sampling: how ids are drawn.
        guards: against endless loops.
        longest_note: quarter notes after which a note must end.
        sound: the sound's format, or "none".
        soundfont: the SoundFont to play with; the installed one if None.
        watch: hears of progress.

    Raises:
        ImpossibleRequest: the folder holds something, the model cannot fill, or the cells cannot be what is asked.
    """
    _ready(folder, sound, soundfont)
    options: dict[str, Any] = {"sampling": sampling, "guards": guards, "longest_note": longest_note, "watch": watch}
    made = compose_cells(bundle, wanted, asked=asked, n=n, seed=seed, **options)
    facts = {
        "composition": dataclasses.asdict(wanted),
        **_how(asked, seed, sampling, guards, longest_note),
    }
    title = f"{wanted.said()} by {bundle.model_name} · seed {seed}"
    return _write(folder, bundle, made, title, facts, sound, soundfont)


def _ready(folder: Path, sound: Sound, soundfont: Path | None) -> None:
    """Refuse at once what could not be written in the end."""
    require_empty(folder)
    if sound != "none":
        require_soundfont(soundfont)


def _how(
    asked: Asked | None, seed: int, sampling: Sampling | None, guards: Guards | None, longest_note: float | None
) -> dict[str, Any]:
    return {
        "asked": dataclasses.asdict(asked or Asked()),
        "seed": seed,
        "sampling": to_table(sampling or Sampling()),
        "guards": to_table(guards or Guards()),
        "longest_note": longest_note,
    }


def _write(
    folder: Path,
    bundle: Bundle,
    pieces: Sequence[Filled],
    title: str,
    facts: Mapping[str, Any],
    sound: Sound,
    soundfont: Path | None,
) -> list[tuple[Path, Filled]]:
    """Write pieces: MIDI, picture, sound, and what made them."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for piece in pieces:
        midi = folder / f"{piece.index + 1:03d}.mid"
        write(piece.score, midi)
        remarks = [*piece.remarks, *render(piece.score, midi.with_suffix(".png"), title=title)]
        if sound != "none":
            remarks += render(piece.score, midi.with_suffix(f".{sound}"), soundfont=soundfont)
        document = {
            "format": FORMAT,
            "partimento": version("partimento"),
            "model": bundle.digest,
            **facts,
            "version": piece.index + 1,
            "made": {"notes": piece.notes, "remarks": remarks},
        }
        write_text(midi.with_suffix(".json"), json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        written.append((midi, Filled(piece.index, piece.score, piece.notes, tuple(remarks))))
    return written
