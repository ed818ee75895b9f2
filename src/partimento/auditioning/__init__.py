"""Auditioning: how a network learnt, to be heard: one order, played by every checkpoint of a run with the same seed.

Users of the classic tutorials load one saved file after the other and compose with it, to hear where noise becomes
music and music is copied. Here each checkpoint becomes a bundle for as long as it plays, so what is heard is what that
bundle would compose. Beside its losses stand the features of what it made and, in a row of their own, those of held-out
pieces of the same length. What the checkpoints composed is theirs: nothing chooses among them.
"""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from partimento.auditioning.report import FIGURES, Audition, Heard
from partimento.bundle import open_bundle, write_bundle
from partimento.codec import Codec, codec_named
from partimento.composing import Composed, Order, Sound, compose_into, require_empty
from partimento.errors import ImpossibleRequest, InvalidBundle, PartimentoError
from partimento.evaluation.features import measured
from partimento.files import read
from partimento.model import Model, held_out_figure
from partimento.pieces import Pieces
from partimento.progress import Progress, Watch, ignore
from partimento.prompts import first_bars
from partimento.recipes import Recipe, read_recipe
from partimento.render.audio import require_soundfont
from partimento.score import Score, bar_lines, end_tick, excerpt, note_array
from partimento.training.checkpoints import Checkpoint, NoCheckpoints, checkpoints
from partimento.training.planning import new_model

BUNDLES = "bundles"
MOST_HELD_OUT = 40  # pieces measured for the row to compare with


def audition(
    run: Path,
    folder: Path,
    order: Order,
    *,
    sound: Sound = "mp3",
    soundfont: Path | None = None,
    keep_bundles: bool = False,
    last: int | None = None,
    watch: Watch = ignore,
) -> Audition:
    """Compose from every checkpoint of a run; all is written after each of them.

    Args:
        run: the run's folder; it may still be at work.
        folder: new or empty.
        order: what each checkpoint composes.
        sound: the sound's format, or "none".
        soundfont: the SoundFont to play with; the installed one if None.
        keep_bundles: keep each checkpoint as a bundle, in `folder/bundles`.
        last: only so many checkpoints, the last ones; all if None.
        watch: hears of progress, in checkpoints.

    Raises:
        NoCheckpoints: the run holds none, or is no run.
        InvalidSettings: the run's recipe is damaged.
        ImpossibleRequest: the folder holds something, or the model cannot do what is asked; nothing is written.
    """
    require_empty(folder)
    if last is not None and last < 1:
        raise ImpossibleRequest(f"The last {last} checkpoints are none to hear; ask for 1 or more.")
    points = checkpoints(run)[-(last or 0) :]
    recipe = recipe_of(run)
    codec = codec_of(run, recipe)
    if sound != "none":
        require_soundfont(soundfont)
    model = new_model(recipe, codec.spec)
    player = _Player(folder, recipe, codec, model, order, sound, soundfont, keep_bundles)
    human = held_out_features(run, codec, order.request.bars)
    held_out = held_out_figure(model, weighted=recipe.settings["preparation"].oversample is not None)
    made = Audition(folder, run, recipe, order, len(points), human, held_out)
    existed = folder.exists()
    try:
        for number, point in enumerate(points):
            heard = player.play(point, _within(watch, number, len(points), point.update))
            made = dataclasses.replace(made, heard=(*made.heard, heard))
            made.write()
            remark = f"Update {point.update:,} cannot be played: {heard.why}" if heard.why else ""
            facts = {"update": float(point.update)} | {n: point.figures[n] for n in FIGURES if n in point.figures}
            watch(Progress("Auditioning", number + 1, len(points), "checkpoints", facts, remark))
    finally:
        if not made.heard and folder.exists():  # not one was played: leave the place as it was
            shutil.rmtree(folder)
            if existed:
                folder.mkdir()
    return made


def recipe_of(run: Path) -> Recipe:
    """The recipe of a run, complete and as it was planned.

    Raises:
        NoCheckpoints: it is no run.
        InvalidSettings: the recipe is damaged.
    """
    if not (run / "recipe.toml").is_file():
        raise NoCheckpoints(f"{run} is no run: name a folder that `partimento train --to` was given.")
    return read_recipe(run / "recipe.toml")


def codec_of(run: Path, recipe: Recipe) -> Codec[Any]:
    """The codec of a run, as its training pieces made it.

    Raises:
        InvalidBundle: it is not there, or damaged.
    """
    folder = run / "pieces" / "codec"
    if not folder.is_dir():  # a run from before it was kept there
        return open_bundle(run).codec()
    kind: Any = codec_named(recipe.codec)
    try:
        made: Codec[Any] = kind.load(folder, recipe.settings["codec"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidBundle(f"{folder} cannot be used ({error}); train anew.") from error
    return made


def held_out_features(run: Path, codec: Codec[Any], bars: int | None = None) -> dict[str, float]:
    """The mean of each feature over held-out pieces of a run, as its codec says them; none where it has no pieces.

    Args:
        run: the run's folder.
        codec: the run's.
        bars: cut each piece to its first so many.
    """
    try:
        pieces = Pieces.open(run / "pieces" / "valid")
    except PartimentoError:
        return {}
    chosen = np.linspace(0, len(pieces) - 1, min(len(pieces), MOST_HELD_OUT)).round().astype(int)
    scores = (codec.decode(pieces[int(number)]) for number in chosen)
    return _means(first_bars(score, bars) if bars else score for score in scores if score.note_num())


@dataclass(frozen=True)
class _Player:
    """What plays one checkpoint after the other."""

    folder: Path
    recipe: Recipe
    codec: Codec[Any]
    model: Model
    order: Order
    sound: Sound
    soundfont: Path | None
    keep_bundles: bool

    def play(self, point: Checkpoint, watch: Watch) -> Heard:
        """Make a bundle of a checkpoint and let it compose; where it cannot, say why."""
        best = point.best and "held-out loss" in point.figures  # a GAN's are the last; none is the best
        heard = Heard(point.update, best, point.figures)
        pieces, bundle = self.folder / heard.name, self.folder / BUNDLES / heard.name
        whole = False
        try:
            composed = self._compose(point, bundle, pieces, watch)
            heard = dataclasses.replace(heard, pieces=composed, features=_means(map(_new_music, composed)))
            whole = True
        except ImpossibleRequest:
            raise  # no other checkpoint could do it either
        except PartimentoError as error:
            heard = dataclasses.replace(heard, why=str(error))
        finally:
            if not whole:
                shutil.rmtree(pieces, ignore_errors=True)
            if not (whole and self.keep_bundles):
                shutil.rmtree(bundle, ignore_errors=True)
            if bundle.parent.is_dir() and not any(bundle.parent.iterdir()):
                bundle.parent.rmdir()
        return heard

    def _compose(self, point: Checkpoint, bundle: Path, pieces: Path, watch: Watch) -> tuple[Composed, ...]:
        self.model.load_arrays(point.arrays())
        made = write_bundle(
            bundle,
            recipe=self.recipe.to_tables(),
            codec_name=self.recipe.codec,
            codec=self.codec,
            model_name=self.recipe.model,
            arrays=self.model.arrays(),
            export=self.model.export,
            facts={"about": self.recipe.about, "update": point.update, "scores": dict(point.figures)},
        )
        return tuple(compose_into(pieces, made, self.order, sound=self.sound, soundfont=self.soundfont, watch=watch))


def _new_music(piece: Composed) -> Score:
    """What a checkpoint made, without the prompt before it, from the bar line before its first note."""
    if not piece.notes:
        return Score(480)  # an early checkpoint may be silent
    score = read(piece.midi).score
    onsets = np.sort(note_array(score)["onset"])
    if piece.notes == len(onsets):
        return score
    begins = int(onsets[-piece.notes])
    for track in score.tracks:
        track.notes = type(track.notes)([note for note in track.notes if note.time >= begins])
    lines = bar_lines(score)
    return excerpt(score, int(lines[np.searchsorted(lines, begins, side="right") - 1]), end_tick(score) + 1)


def _means(scores: Iterable[Score]) -> dict[str, float]:
    """The mean of each feature over the pieces that have it."""
    means = {}
    for name, values in measured(scores).items():
        there = values[np.isfinite(values)]
        means[name] = float(there.mean()) if len(there) else math.nan
    return means


def _within(watch: Watch, number: int, total: int, update: int) -> Watch:
    """A listener to one checkpoint's composing, which tells of it as a part of the whole audition."""

    def hear(event: Progress) -> None:
        part = min(event.done / event.total, 1.0) if event.total else 0.0
        remark = f"Update {update:,}: {event.remark}" if event.remark else ""
        facts = {"update": float(update), **event.facts}
        watch(Progress("Auditioning", number + 0.95 * part, total, "checkpoints", facts, remark))

    return hear
