"""Trials: one system learns, composes and is measured; what a process of its own does, and what it brings back.

A trial is a folder: `run/` (see `runs`), `music/` with what it composed, `result.json` when all is done, `log.txt`.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.atomic import atomic_folder
from partimento.bundle import Bundle, open_bundle
from partimento.codec import Codec, Request, TokenSpec
from partimento.errors import ImpossibleRequest
from partimento.evaluation.features import FEATURES, measured
from partimento.evaluation.losses import kept
from partimento.evaluation.variety import likeness
from partimento.files import read, write
from partimento.generation import Made, generate
from partimento.progress import Progress, Watch
from partimento.prompts import first_bars
from partimento.recipes import Recipe
from partimento.render import render
from partimento.score import Score, end_tick, seconds_at
from partimento.settings import to_table
from partimento.training.checkpoints import CURVES, FOLDER
from partimento.training.runs import train

__all__ = [
    "SHOWN",
    "Figures",
    "Piece",
    "Result",
    "Trial",
    "complete",
    "from_plain",
    "plain",
    "to_plain",
    "try_out",
    "write_music",
]

SHOWN = 2  # pieces of each system that get a picture and a sound

Figures = Mapping[str, Sequence[float | None]]


@dataclass(frozen=True)
class Trial:
    """What is asked of one system.

    Attributes:
        name: the system's.
        folder: the trial's.
        music: the folder to learn from.
        recipe: how; its seed is that of the comparison.
        minutes: to train.
        sample: learn from a random subset of this many pieces; all if None.
        bars: of each new piece.
        pieces: to compose.
        seed: of what is composed.
        sound: the sounds' format, or "none".
        held_out: excerpts of human pieces, to measure what the codec drops.
    """

    name: str
    folder: Path
    music: Path
    recipe: Recipe
    minutes: float
    sample: int | None
    bars: int
    pieces: int
    seed: int
    sound: str
    held_out: Sequence[Score] = field(repr=False)


@dataclass(frozen=True)
class Piece:
    """One composed piece; paths relative to the trial's folder, empty where there is none."""

    midi: str
    picture: str
    sound: str
    notes: int
    seconds: float
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """What became of one system; plain values, as `result.json` has them.

    Attributes:
        model: its name.
        codec: the codec's name.
        codec_settings: the codec's settings that are not its defaults.
        vocabulary: how many ids the codec has; None of a grid.
        written: hash of what the codec writes; bits per note compare only where it is the same.
        likelihood: "exact", "bound" (of the true figure it is at most this) or "none".
        figure: what its scores called "loss" are, where it has no likelihood; empty where they are nats, or none.
        bits: bits per note of the test pieces, or None.
        valid_bits: the same of the pieces that chose the weights.
        scores: all that the run measured, by name.
        parameters: how many numbers it learnt.
        updates: of the weights it has.
        training_seconds: pauses between parts of a broken run not counted.
        notes_a_second: when composing all pieces side by side, opening the model included.
        notes_kept: the share of held-out notes of which the codec brings back the pitch.
        in_place: the share that it brings back where they were.
        lost: what else it loses, in words.
        features: figures of what it composed, by feature.
        through: figures of held-out pieces as the codec brings them back: what a perfect model would reach.
        likeness: the share of passages that two of its pieces have in common, on average; None of fewer than two.
        pieces: what it composed.
        remarks: about the whole, e.g. that bars could not be asked for.
    """

    model: str
    codec: str
    codec_settings: dict[str, Any]
    vocabulary: int | None
    written: str
    likelihood: str
    figure: str
    bits: float | None
    valid_bits: float | None
    scores: dict[str, float]
    parameters: int
    updates: int
    training_seconds: float
    notes_a_second: float
    notes_kept: float
    in_place: float
    lost: tuple[str, ...]
    features: Figures
    through: Figures
    likeness: float | None
    pieces: tuple[Piece, ...]
    remarks: tuple[str, ...] = ()


def try_out(trial: Trial, watch: Watch) -> Result:
    """Let one system learn (or go on learning), compose, and be measured.

    Raises:
        PartimentoError: it cannot; says why.
    """
    run = trial.folder / "run"
    bundle = train(
        trial.music,
        run,
        trial.recipe,
        minutes=trial.minutes,
        sample=trial.sample,
        resume=run.exists(),
        watch=watch,
    )
    made, rate, remarks = _compose(bundle, trial, watch)
    watch(Progress("Measuring", 0, 1, "systems"))
    scores = [piece.score for piece in made]
    codec = bundle.codec()
    encoded = [codec.encode(score) for score in trial.held_out]
    through = [codec.decode(x) for x in encoded]
    lost = kept(zip(trial.held_out, through, strict=True))
    figures = dict(bundle.facts["scores"])
    bits = figures.get("test, bits per note")
    return Result(
        model=bundle.model_name,
        codec=bundle.codec_name,
        codec_settings=_unusual(codec.settings),
        vocabulary=getattr(codec.spec, "vocab_size", None),
        written=_written(codec, encoded),
        likelihood=str(bundle.facts["likelihood"]) if bits is not None else "none",
        figure=str(bundle.facts.get("figure", "")),
        bits=bits,
        valid_bits=figures.get("valid, bits per note"),
        scores=figures,
        parameters=int(bundle.facts["parameters"]),
        updates=int(bundle.facts["best_update"]),
        training_seconds=_training_seconds(run),
        notes_a_second=rate,
        notes_kept=lost.notes,
        in_place=lost.in_place,
        lost=lost.lost,
        features=plain(measured(scores)),
        through=plain(measured(through)),
        likeness=None if np.isnan(alike := likeness(scores)) else alike,
        pieces=write_music(trial.folder, trial.name, scores, trial.sound, [piece.remarks for piece in made]),
        remarks=remarks,
    )


def complete(result: Result, folder: Path, held_out: Sequence[Score]) -> Result:
    """Measure what an earlier version did not, on the music that a system composed then; what it measured stays.

    Args:
        result: of a trial that was finished.
        folder: the trial's.
        held_out: as the trial had them.

    Raises:
        PartimentoError: the music or the bundle is no longer there, or damaged.
    """
    names = [feature.name for feature in FEATURES]
    if all(name in result.features and name in result.through for name in names):
        return result
    codec = open_bundle(folder / "run").codec()
    composed = plain(measured(read(folder / piece.midi).score for piece in result.pieces))
    through = plain(measured(codec.decode(codec.encode(score)) for score in held_out))
    return dataclasses.replace(
        result,
        features={name: result.features.get(name, composed[name]) for name in names},
        through={name: result.through.get(name, through[name]) for name in names},
    )


def plain(figures: Mapping[str, NDArray[np.float64]]) -> dict[str, list[float | None]]:
    """Figures as JSON has them: None where there is none."""
    return {name: [None if np.isnan(f) else float(f) for f in column] for name, column in figures.items()}


def _compose(bundle: Bundle, trial: Trial, watch: Watch) -> tuple[list[Made], float, tuple[str, ...]]:
    """New pieces, notes a second, and remarks."""
    began = time.perf_counter()
    remarks: tuple[str, ...] = ()
    try:
        made = generate(bundle, request=Request(bars=trial.bars), n=trial.pieces, seed=trial.seed, watch=watch)
    except ImpossibleRequest as error:
        made = generate(bundle, n=trial.pieces, seed=trial.seed, watch=watch)
        remarks = (f"Its pieces end where they will, and are cut after {trial.bars} bars: {error}",)
    pieces = list(made)
    rate = sum(piece.notes for piece in pieces) / max(time.perf_counter() - began, 1e-9)
    if remarks:
        pieces = [dataclasses.replace(piece, score=first_bars(piece.score, trial.bars)) for piece in pieces]
    return pieces, rate, remarks


def write_music(
    folder: Path, title: str, scores: Sequence[Score], sound: str, remarks: Sequence[Sequence[str]] = ()
) -> tuple[Piece, ...]:
    """Write pieces into `folder/music`: all as MIDI, the first `SHOWN` to look at and to listen to as well.

    Args:
        folder: gets `music`, anew.
        title: stands above the pictures.
        scores: the pieces.
        sound: the sounds' format, or "none".
        remarks: about each piece.
    """
    pieces = []
    with atomic_folder(folder / "music") as new:
        for number, score in enumerate(scores):
            name, said = f"{number + 1:03d}", list(remarks[number]) if remarks else []
            write(score, new / f"{name}.mid")
            picture, heard = "", ""
            if number < SHOWN:
                picture, heard = f"{name}.png", f"{name}.{sound}" if sound != "none" else ""
            for file in filter(None, (picture, heard)):
                said += render(score, new / file, title=f"{title} · {number + 1}")
            midi, picture, heard = (f"music/{file}" if file else "" for file in (f"{name}.mid", picture, heard))
            seconds = float(seconds_at(score, np.array([end_tick(score)]))[0])
            pieces.append(Piece(midi, picture, heard, score.note_num(), seconds, tuple(said)))
    return tuple(pieces)


def _training_seconds(run: Path) -> float:
    """Seconds of the last look at the held-out pieces, pauses not counted."""
    with (run / FOLDER / CURVES).open(newline="", encoding="utf-8") as file:
        return max((float(row.get("seconds") or 0) for row in csv.DictReader(file)), default=0.0)


def _unusual(settings: Any) -> dict[str, Any]:
    """The settings that are not the defaults."""
    usual = to_table(type(settings)())
    return {name: value for name, value in to_table(settings).items() if value != usual[name]}


def _written(codec: Codec[Any], encoded: Sequence[NDArray[Any]]) -> str:
    """A hash of what is to be foretold: equal for codecs that write the same, whatever numbers their ids have."""
    digest = hashlib.sha256(f"{codec.name} {getattr(codec.spec, 'vocab_size', '')}".encode())
    known: dict[int, int] = {}  # ids, numbered as they first occur
    for x in encoded:
        if isinstance(codec.spec, TokenSpec):
            x = np.array([known.setdefault(id, len(known)) for id in x.tolist()], dtype=np.int64)
        digest.update(str(x.shape).encode() + np.ascontiguousarray(x).tobytes())
    return digest.hexdigest()[:16]


def to_plain(result: Result) -> dict[str, Any]:
    """A result as JSON has it; the inverse of `from_plain`."""
    return dataclasses.asdict(result)


def from_plain(table: dict[str, Any]) -> Result:
    """A result from what `to_plain` gave.

    Raises:
        TypeError: it is another version's.
        KeyError: the same.
    """
    pieces = tuple(Piece(**{**piece, "remarks": tuple(piece["remarks"])}) for piece in table["pieces"])
    return Result(**{**table, "pieces": pieces, "lost": tuple(table["lost"]), "remarks": tuple(table["remarks"])})
