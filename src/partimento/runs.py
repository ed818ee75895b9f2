"""Runs: a folder of music in, a trained bundle out, in the time that was given.

A run is a folder: `recipe.toml` (complete, with what was planned), `corpus.json` (the doctor's report), `pieces/` (the
held-out pieces, for random prompts, and the codec, which a run at work has no bundle for), `training/` (checkpoints,
curves) and, at the end, `bundle/`. All is written atomically, and the plan is saved before the first update: a run
broken off at any moment and resumed ends as if it had never stopped.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from partimento.anatomy import layers_of
from partimento.atomic import atomic_folder, write_text
from partimento.bundle import Bundle, open_bundle, write_bundle
from partimento.checkpoints import CURVES
from partimento.codec import Codec, Spec, TokenSpec, codec_named
from partimento.corpus import Corpus, cache_folder, inspect
from partimento.errors import InvalidSettings, PartimentoError, TooLittleMusic
from partimento.model import Counted, Judged, Learns, Model, Phrased, likelihood_kind, model_named
from partimento.pieces import Pieces
from partimento.progress import Progress, Watch, ignore
from partimento.recipes import Recipe, read_recipe
from partimento.render.curves import draw
from partimento.score import Score, transpose
from partimento.settings import to_table
from partimento.training import RunExists, fit, held_out, seconds_per_update, seeded
from partimento.windows import Windows, importance

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SPLITS = ("train", "valid", "test")
LOCK = ".lock"
BEFORE_PLAN = {"corpus.json", "pieces", "encoded", LOCK}  # what a run may have written before its plan
NOT_THE_SAME = ("seconds", "notes/s")  # columns of the curve that differ from run to run, and stay out of the bundle
LEAST_NOTES = 5_000  # training notes below which a run warns
TRAINING_SHARE = 0.9  # of the minutes given; reading, looks at the held-out pieces and the bundle take the rest


@dataclass(frozen=True)
class Prepared:
    """A corpus as a model learns from it.

    Attributes:
        corpus: the pieces, split.
        codec: has learnt what it learns from the training pieces.
        folder: of the cache, where they lie.
        pieces: encoded pieces by split; those to train on in every key asked for.
        notes: notes to train on, transpositions not counted.
    """

    corpus: Corpus
    codec: Codec[Any]
    folder: Path
    pieces: dict[str, Pieces]
    notes: int


def train(
    folder: Path,
    run: Path,
    recipe: Recipe,
    *,
    minutes: float | None = None,
    sample: int | None = None,
    data_licence: str | None = None,
    resume: bool = False,
    watch: Watch = ignore,
) -> Bundle:
    """Learn from a folder of music.

    Args:
        folder: the music.
        run: the run's folder, new or empty; with `resume` that of the run to go on with.
        recipe: how; with `resume` the run's own recipe is taken instead.
        minutes: the time that training may take; None as the recipe says.
        sample: learn from a random subset of this many pieces.
        data_licence: under which licence the music is, for the model's card.
        resume: go on with a run that was broken off, or do nothing where it is finished.
        watch: hears of everything.

    Returns:
        The bundle, in `run/bundle`.

    Raises:
        RunExists: `run` holds something and `resume` is False, or another process trains in it.
        TooLittleMusic: there is not enough to learn from and to hold out.
        InvalidSettings: with `resume`, the folder's music is not what the run began with.
    """
    saved = run / "recipe.toml"
    if resume and (run / "bundle").exists():
        watch(Progress("Training", 1, 1, "runs", remark=f"{run} is finished; there is nothing to go on with."))
        return open_bundle(run)
    planned = resume and saved.is_file()
    if not planned and run.exists() and (not run.is_dir() or {path.name for path in run.iterdir()} - BEFORE_PLAN):
        hint = "go on with it by --resume, or " if saved.is_file() else ""
        raise RunExists(f"{run} already holds something: {hint}choose a new folder for --to.")
    if resume and not planned:
        watch(Progress("Planning", 0, None, "", remark=f"There is no run at {run} to go on with yet: it begins now."))
    if planned:
        recipe = read_recipe(saved)
        began = _began(run)
        sample, data_licence = began["sample"], data_licence or began["data_licence"]
    corpus = inspect(folder, sample=sample, seed=recipe.settings["training"].seed, watch=watch)
    corpus.require_enough()
    if planned:
        _require_same(corpus, run, began["digest"])
    prepared = prepare(corpus, recipe, run / "encoded", watch)
    with _alone(run):
        if not planned:
            for remark in warnings(prepared):
                watch(Progress("Planning", 0, None, "", remark=remark))
            recipe, remark = plan(recipe, prepared, minutes, watch)
            report = {**corpus.to_json(), "digest": corpus.digest, "sample": sample, "data_licence": data_licence}
            write_text(run / "corpus.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
            with atomic_folder(run / "pieces") as new:
                shutil.copytree(prepared.folder / "valid", new / "valid")
                shutil.copytree(prepared.folder / "codec", new / "codec")
            write_text(saved, recipe.to_toml())
            watch(Progress("Planning", 1, 1, "plans", remark=remark))
        return _learn(prepared, recipe, run, data_licence, resume, watch)


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Hold a run for this process, until it ends however it ends; without `fcntl` (Windows) nobody is kept out.

    Raises:
        RunExists: another process holds it.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / LOCK).open("w") as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunExists(
                    f"Another process is training in {run}: wait for it, or choose a new folder for --to."
                ) from error
        yield


def _learn(
    prepared: Prepared, recipe: Recipe, run: Path, data_licence: str | None, resume: bool, watch: Watch
) -> Bundle:
    """Train as planned, measure on the test pieces and write the bundle."""
    training = recipe.settings["training"]
    model = new_model(recipe, prepared.codec.spec)
    windows = {split: _windows(prepared, recipe, split, model) for split in SPLITS}
    history = fit(model, windows["train"], windows["valid"], training, run / "training", resume=resume, watch=watch)
    watch(Progress("Measuring", 0, 2, "models"))
    if isinstance(model, Learns):
        draw(run / "training" / CURVES, run / "curves.png")
    scores = scores_of(model, windows, "")
    watch(Progress("Measuring", 1, 2, "models"))
    if not isinstance(model, Counted) and isinstance(prepared.codec.spec, TokenSpec):
        scores |= scores_of(baseline(prepared), windows, "Markov baseline, ")
    corpus = prepared.corpus
    facts = {
        "about": recipe.about,
        **({"source": recipe.source} if recipe.source else {}),
        "pieces": len(corpus.kept),
        "notes": sum(piece.notes for piece in corpus.kept),
        "hours": round(sum(piece.seconds for piece in corpus.kept) / 3600, 2),
        "splits": {
            split: {"pieces": len(corpus.pieces(split)), "notes": sum(p.notes for p in corpus.pieces(split))}
            for split in SPLITS
        },
        "corpus_digest": corpus.digest,
        "data_licence": data_licence,
        "parameters": int(sum(array.size for array in model.arrays().values())),
        "seed": training.seed,
        "best_update": history.best_update,
        "ended_early": history.ended_early,
        "likelihood": likelihood_kind(model),
        **({"figure": model.figure} if isinstance(model, Judged) else {}),
        "layers": layers_of(model),
        "scores": scores,
        "curve": [{k: v for k, v in row.items() if k not in NOT_THE_SAME} for row in history.rows],
    }
    bundle = write_bundle(
        run / "bundle",
        recipe=recipe.to_tables(),
        codec_name=recipe.codec,
        codec=prepared.codec,
        model_name=recipe.model,
        arrays=model.arrays(),
        export=model.export,
        facts=facts,
    )
    watch(Progress("Measuring", 2, 2, "models", remark=_summary(scores, facts["likelihood"], facts.get("figure", ""))))
    return bundle


def prepare(corpus: Corpus, recipe: Recipe, spare: Path, watch: Watch = ignore) -> Prepared:
    """Encode a corpus, or map it where the cache has it already; no file of music is read then.

    Args:
        corpus: what to encode.
        recipe: how.
        spare: the folder to take where the cache cannot be written to.
        watch: hears of every piece.

    Raises:
        InvalidSettings: the model does not learn what the codec gives.
        TooLittleMusic: the codec cannot say a note of the pieces of a split.
    """
    kind: Any = codec_named(recipe.codec)
    if not isinstance(kind(recipe.settings["codec"]).spec, model_named(recipe.model).Spec):
        gives, takes = ("grids", "tokens") if model_named(recipe.model).Spec is TokenSpec else ("tokens", "grids")
        raise InvalidSettings(
            f"The codec {recipe.codec} gives {gives}, and {recipe.model} learns from {takes}: "
            f"--set codec.name={'tokens' if takes == 'tokens' else 'roll'}."
        )
    key = {
        "corpus": corpus.digest,
        "codec": {"name": recipe.codec, **to_table(recipe.settings["codec"])},
        "transpose": recipe.settings["preparation"].transpose,
        "code": _encoding_version(),
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    cached = _place(cache_folder() / "encoded", spare) / digest
    try:
        codec, pieces = _opened(kind, cached, recipe)
    except (PartimentoError, OSError, ValueError, KeyError):  # not there yet, or damaged
        with atomic_folder(cached) as new:
            _encode(corpus, kind(recipe.settings["codec"]), recipe.settings["preparation"].transpose, new, watch)
        codec, pieces = _opened(kind, cached, recipe)
    silent = [split for split in SPLITS if not pieces[split].notes.sum()]
    if silent:
        raise TooLittleMusic(
            f"The codec {recipe.codec} finds no note in the {silent[0]} pieces; it may not keep their instruments. "
            "Take a recipe with another codec, such as --recipe lstm, which keeps drums and all instruments."
        )
    notes = sum(piece.notes for piece in corpus.pieces("train"))
    return Prepared(corpus=corpus, codec=codec, folder=cached, pieces=pieces, notes=notes)


def _windows(prepared: Prepared, recipe: Recipe, split: str, model: Model) -> Windows:
    """Windows over the pieces of a split, cut as the recipe and the model want them.

    Raises:
        InvalidSettings: rare notes are to weigh more for a model that knows none or weighs nothing.
    """
    pieces, training = prepared.pieces[split], recipe.settings["training"]
    least = recipe.settings["preparation"].oversample
    if least is not None and (not isinstance(pieces.spec, TokenSpec) or issubclass(model_named(recipe.model), Counted)):
        raise InvalidSettings(
            f"preparation.oversample is for models that learn ids by gradient, and {recipe.model} does not: "
            "--set preparation.oversample=none."
        )
    heavier = None if least is None or split != "train" else importance(pieces, least)
    length, align = (model.steps, model.align) if isinstance(model, Phrased) else (training.length, None)
    return Windows(pieces, length, training.batch, training.seed, align=align, importance=heavier)


def _place(folder: Path, spare: Path) -> Path:
    """The folder, if it can be written to, else the spare one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return spare
    return folder if os.access(folder, os.W_OK) else spare


def _opened(kind: Any, folder: Path, recipe: Recipe) -> tuple[Codec[Any], dict[str, Pieces]]:
    codec: Codec[Any] = kind.load(folder / "codec", recipe.settings["codec"])
    return codec, {split: Pieces.open(folder / split) for split in SPLITS}


@functools.cache
def _encoding_version() -> str:
    """The version of the code that encodes: what another encoded is encoded again."""
    digest = hashlib.sha256()
    package = Path(__file__).parent
    for source in sorted([package / "codec.py", package / "score.py", *(package / "codecs").rglob("*.py")]):
        digest.update(source.read_bytes())
    for library in ("miditok", "symusic"):
        digest.update(version(library).encode())
    return digest.hexdigest()


def _encode(corpus: Corpus, codec: Codec[Any], semitones: int, folder: Path, watch: Watch) -> None:
    """Learn the codec and write every split, the pieces to train on in every key."""
    shifts = {"train": sorted(range(-semitones, semitones + 1), key=abs), "valid": [0], "test": [0]}
    total = len(corpus.kept)
    done = 0

    def scores(split: str) -> Iterator[Score]:
        for piece in corpus.pieces(split):
            score = corpus.score(piece)
            yield from (transpose(score, shift) for shift in shifts[split])

    def encoded(split: str) -> Iterator[tuple[NDArray[Any], int]]:
        nonlocal done
        for number, score in enumerate(scores(split)):
            x = codec.encode(score)
            yield x, codec.notes(x)
            if (number + 1) % len(shifts[split]) == 0:
                done += 1
                watch(Progress("Encoding", done, total, "pieces"))

    codec.learn(scores("train"))
    (folder / "codec").mkdir()
    codec.save(folder / "codec")
    for split in SPLITS:
        Pieces.write(folder / split, encoded(split), codec.spec)


def new_model(recipe: Recipe, spec: Spec) -> Model:
    """The recipe's model, its first weights decided by the recipe's seed."""
    kind = model_named(recipe.model)
    with seeded(recipe.settings["training"].seed):
        return kind(recipe.settings["model"], spec)  # type: ignore[call-arg]


def baseline(prepared: Prepared) -> Model:
    """A Markov model of the training pieces: what every network must beat."""
    kind = model_named("markov")
    model: Any = kind(kind.Settings(), prepared.codec.spec)  # type: ignore[call-arg]
    model.count(prepared.pieces["train"])
    return model  # type: ignore[no-any-return]


def scores_of(model: Model, windows: dict[str, Windows], prefix: str) -> dict[str, float]:
    """What a model reaches on the pieces that chose its weights, and on the test pieces, which chose nothing."""
    scores: dict[str, float] = {}
    for split in ("valid", "test"):
        found = held_out(model, windows[split])
        scores |= {
            f"{prefix}{split}, {name}": found[name] for name in ("bits per note", "loss", "accuracy") if name in found
        }
    return scores


def plan(recipe: Recipe, prepared: Prepared, minutes: float | None, watch: Watch = ignore) -> tuple[Recipe, str]:
    """Fit the recipe to the corpus and to the time: the model's size and the number of updates.

    The largest size that the corpus has notes enough for is taken, if the time allows enough passes over the music
    with it; how long an update takes is measured.

    Returns:
        The recipe with everything decided, and a sentence or two that say what and why.
    """
    if issubclass(model_named(recipe.model), Counted):
        return recipe, f"Plan: {recipe.model} learns by counting, in one pass over the music."
    wanted = recipe.settings["plan"]
    sizes = [size.model for size in wanted.sizes if size.notes <= prepared.notes] or [{}]
    for number, size in enumerate(reversed(sizes)):
        watch(Progress("Planning", number, len(sizes), "sizes"))
        sized = recipe.replace("model", **size)
        timed, passes, seconds = _timed(sized, prepared, minutes)
        if passes >= wanted.passes or number + 1 == len(sizes):
            break
    model = new_model(timed, prepared.codec.spec)
    semitones = recipe.settings["preparation"].transpose
    keys = f" in {2 * semitones + 1} keys" if semitones else ""
    parameters = sum(array.size for array in model.arrays().values())
    training = timed.settings["training"]
    length = model.steps if isinstance(model, Phrased) else training.length
    unit = "tokens" if isinstance(prepared.codec.spec, TokenSpec) else "steps"
    remark = (
        f"Plan: {recipe.model} with {parameters / 1e6:.1f} million parameters learns from {prepared.notes:,} notes in "
        f"{training.updates:,} updates of {training.batch} × {length} {unit}, {passes:.1f} passes over the "
        f"music{keys}, in about {seconds / 60:.1f} minutes; less if the held-out loss stops falling."
    )
    given = wanted.minutes if minutes is None else minutes
    if given is not None and wanted.epochs is not None and passes < wanted.epochs:
        whole = given * wanted.epochs / max(passes, 1e-9)
        remark += f" The recipe asks for {wanted.epochs:g} passes, which would take {whole:,.0f} minutes."
    elif given is not None and passes < wanted.passes:
        remark += (
            f" That is few passes; {given * wanted.passes / max(passes, 1e-9):.0f} minutes would do it more justice."
        )
    return timed, remark + (f" The source: {recipe.source}" if recipe.source else "")


def _timed(recipe: Recipe, prepared: Prepared, minutes: float | None) -> tuple[Recipe, float, float]:
    """The recipe with its updates decided, by the minutes, else by its epochs; how many passes and seconds they are."""
    training, wanted = recipe.settings["training"], recipe.settings["plan"]
    model = new_model(recipe, prepared.codec.spec)
    windows = _windows(prepared, recipe, "train", model)
    seconds = seconds_per_update(model, windows, training)
    most = math.ceil((wanted.epochs or wanted.most_passes) * windows.updates_per_epoch)
    minutes = wanted.minutes if minutes is None else minutes
    if minutes is not None and seconds > 0:
        fitting = math.floor(minutes * 60 * TRAINING_SHARE / seconds)
        recipe = recipe.replace("training", updates=max(1, min(fitting, most)))
    elif wanted.epochs is not None:
        recipe = recipe.replace("training", updates=most)
    updates = recipe.settings["training"].updates
    return recipe, updates / windows.updates_per_epoch, updates * seconds / TRAINING_SHARE


def warnings(prepared: Prepared) -> Iterable[str]:
    """What a user should know before the time is spent."""
    if prepared.notes < LEAST_NOTES:
        yield (
            f"There are only {prepared.notes:,} notes to learn from; a model will know little beyond them by heart. "
            f"{LEAST_NOTES:,} notes or more (some twenty pieces) serve better."
        )


def _began(run: Path) -> dict[str, Any]:
    """What a run began with."""
    try:
        began: dict[str, Any] = json.loads((run / "corpus.json").read_text("utf-8"))
        return {name: began[name] for name in ("digest", "sample", "data_licence")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidSettings(
            f"{run / 'corpus.json'} is missing or damaged, so the run cannot go on; start a new one in another folder."
        ) from error


def _require_same(corpus: Corpus, run: Path, digest: str) -> None:
    """A run goes on only with the music that it began with."""
    if digest != corpus.digest:
        raise InvalidSettings(
            f"The music in {corpus.folder} is not what the run {run} began with: pieces have come, gone or changed. "
            "Put them back to go on, or start a new run in another folder."
        )


def _summary(scores: dict[str, float], kind: str, figure: str) -> str:
    """What the run came to, beside the baseline, on pieces that chose nothing; empty where nothing can be measured."""
    if "test, bits per note" not in scores:
        return f"On test pieces never seen: {scores['test, loss']:.3f} {figure}." if "test, loss" in scores else ""
    bound = " at most" if kind == "bound" else ""
    sentence = f"On test pieces never seen: {scores['test, bits per note']:.2f} bits a note{bound}"
    if "test, accuracy" in scores:
        sentence += f", {scores['test, accuracy']:.1%} of tokens foretold"
    if "Markov baseline, test, bits per note" in scores:
        sentence += f" (a Markov chain: {scores['Markov baseline, test, bits per note']:.2f} bits)"
    return sentence + "."
