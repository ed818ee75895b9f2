"""Runs: a folder of music in, a trained bundle out, in the time that was given.

A run is a folder: `recipe.toml` (complete, with what was planned), `corpus.json` (the doctor's report), `pieces/` (the
held-out pieces, for random prompts, and the codec, which a run at work has no bundle for), `training/` (checkpoints,
curves) and, at the end, `bundle/`. All is written atomically, and the plan is saved before the first update: a run
broken off at any moment and resumed ends as if it had never stopped.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from partimento.atomic import atomic_folder, write_text
from partimento.bundle import Bundle, open_bundle, write_bundle
from partimento.codec import TokenSpec
from partimento.corpus import Corpus, inspect
from partimento.corpus.doctor import Piece
from partimento.errors import InvalidSettings
from partimento.evaluation.features import measured
from partimento.evaluation.scorecard import cut
from partimento.holding import hold
from partimento.model import Counted, Judged, Learns, Model, held_out_figure, likelihood_kind, model_named
from partimento.progress import Progress, Watch, ignore
from partimento.recipes import Recipe, read_recipe
from partimento.render.curves import draw
from partimento.settings import to_table
from partimento.training.anatomy import layers_of
from partimento.training.checkpoints import CURVES
from partimento.training.index import INDEX, indexed
from partimento.training.loop import History, RunExists, fit, held_out, some_of
from partimento.training.planning import new_model, plan, warnings, windows_of
from partimento.training.preparing import SPLITS, Prepared, prepare
from partimento.training.rehearsing import rehearsal
from partimento.training.resuming import HAS_A_PLAN, began_with, told_anew
from partimento.training.starting import START, begun, codec_then, kept, require_same_codec, told_by
from partimento.windows import Windows

LOCK = ".lock"
CAME = "as-it-came.json"  # what the model reached that it began from
AS_IT_CAME = "as it came, "  # before the names of those figures
REHEARSAL = "rehearsal"  # what a run composes to hear it again
BEFORE_PLAN = {"corpus.json", "pieces", "encoded", START, LOCK}  # what a run may have written before its plan
TOLD = ".told-"  # where the held-out pieces lie as a model was told them, while they are measured
WRITTEN = (*sorted(BEFORE_PLAN - {LOCK}), HAS_A_PLAN)
HALF = (TOLD, *(f".{Path(name).stem}-" for name in WRITTEN))  # what a process that was killed may have left
HUMAN, HUMAN_BARS = 200, 16  # held-out pieces that a bundle knows the figures of, and how long their excerpts are
MOST_MEASURED = {"valid": 1 << 17, "test": 1 << 19}  # positions that a finished model is measured on, drawn by piece
MOST_COUNTED = 1 << 24  # ids that the Markov chain beside a network counts: more would take minutes and gigabytes
NOT_THE_SAME = ("seconds", "notes/s")  # columns of the curve that differ from run to run, and stay out of the bundle


def train(
    folder: Path,
    run: Path,
    recipe: Recipe,
    *,
    minutes: float | None = None,
    sample: int | None = None,
    data_licence: str | None = None,
    start: Bundle | None = None,
    resume: bool = False,
    watch: Watch = ignore,
) -> Bundle:
    """Learn from a folder of music.

    Args:
        folder: the music.
        run: the run's folder, new or empty; with `resume` that of the run to go on with.
        recipe: how; with `resume` the run's own recipe is taken instead, but for what may be said anew (`FREE`).
        minutes: the time that training may take; None as the recipe says.
        sample: learn from a random subset of this many pieces.
        data_licence: under which licence the music is, for the model's card.
        start: a trained model to go on from; from nothing if None.
        resume: go on with a run that was broken off, or do nothing where it is finished.
        watch: hears of everything.

    Returns:
        The bundle, in `run/bundle`.

    Raises:
        RunExists: `run` holds something and `resume` is False, or another process trains in it.
        TooLittleMusic: there is not enough to learn from and to hold out.
        InvalidSettings: with `resume`, the folder's music is not what the run began with; or the recipe makes another
            network than that of `start`.
    """
    if run.resolve().is_relative_to(folder.resolve()):
        raise InvalidSettings(
            f"{run} lies in {folder}: what is composed there would be learnt from. Choose another --to."
        )
    saved = run / HAS_A_PLAN
    if resume and (run / "bundle").exists():
        watch(Progress("Training", 1, 1, "runs", remark=f"{run} is finished; there is nothing to go on with."))
        return open_bundle(run)
    planned = resume and saved.is_file()
    if not planned and run.exists() and not (run.is_dir() and all(_before_plan(path) for path in run.iterdir())):
        hint = "go on with it by --resume, or " if saved.is_file() else ""
        raise RunExists(f"{run} already holds something: {hint}choose a new folder for --to.")
    if resume and not planned:
        watch(Progress("Planning", 0, None, "", remark=f"There is no run at {run} to go on with yet: it begins now."))
    if planned:
        recipe = told_anew(read_recipe(saved), recipe)
        began = began_with(run)
        sample, data_licence = began["sample"], data_licence or began["data_licence"]
    corpus = inspect(folder, sample=sample, seed=recipe.settings["training"].seed, watch=watch)
    corpus.require_enough()
    if planned:
        _require_same(corpus, run, began["digest"])
    with _alone(run):
        for left in run.iterdir():  # by a process that was killed
            if left.name.startswith(HALF):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        start = kept(run, start, resume=resume, planned=planned)
        if start is not None:
            require_same_codec(recipe, start)
            if not planned:
                begun(new_model(recipe, start.codec().spec), start)  # refused before anything is prepared
        elif recipe.settings["preparation"].rehearsal:
            raise InvalidSettings(
                "Only what goes on from a trained model has something to rehearse: name one by --from."
            )
        prepared = prepare(corpus, recipe, run / "encoded", watch, start)
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
        return _learn(prepared, recipe, run, data_licence, start, resume, watch)


def _better(scores: Mapping[str, float], before: Mapping[str, float]) -> bool:
    """Whether a model foretells the held-out pieces better than as it came, however either tells them."""
    name = "valid, bits per note"
    return name not in scores or scores[name] < before[AS_IT_CAME + name]


def _before_plan(path: Path) -> bool:
    """Whether a run may have written this before it had a plan, be it half of it."""
    return path.name in BEFORE_PLAN or path.name.startswith(HALF)


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Hold a run for this process, until it ends however it ends.

    Raises:
        RunExists: another process holds it.
    """
    run.mkdir(parents=True, exist_ok=True)
    lock = hold(run / LOCK)
    if lock is None:
        raise RunExists(f"Another process is training in {run}: wait for it, or choose a new folder for --to.")
    with lock:
        yield


def _learn(
    prepared: Prepared,
    recipe: Recipe,
    run: Path,
    data_licence: str | None,
    start: Bundle | None,
    resume: bool,
    watch: Watch,
) -> Bundle:
    """Train as planned, measure on the test pieces and write the bundle."""
    training = recipe.settings["training"]
    model = begun(new_model(recipe, prepared.codec.spec), start)
    share = recipe.settings["preparation"].rehearsal
    heard = rehearsal(start, run / REHEARSAL, recipe, watch) if start is not None and share else None
    windows = {
        split: windows_of(prepared, recipe, split, model, heard if split == "train" else None) for split in SPLITS
    }
    judged = {split: some_of(windows[split], most, training.seed) for split, most in MOST_MEASURED.items()}
    rounds = 1 + (not isinstance(model, Counted) and isinstance(prepared.codec.spec, TokenSpec))

    def telling(job: str, number: int, of: int) -> Callable[[float], None]:
        """Say how much of some rounds of measuring is done, a round being 1."""
        return lambda share: watch(Progress(job, number + share, of, "models"))

    before = {}
    if start is not None and (run / CAME).is_file():  # of a run that goes on
        before = json.loads((run / CAME).read_bytes())
    elif start is not None:
        with tempfile.TemporaryDirectory(dir=run, prefix=TOLD, ignore_cleanup_errors=True) as folder:
            told = told_by(codec_then(start, prepared), prepared, judged, Path(folder))
            before = scores_of(model, told, AS_IT_CAME, telling("Measuring it as it came", 0, 1))
        write_text(run / CAME, json.dumps(before) + "\n")
    learnt = windows["train"], windows["valid"], training, run / "training"
    history = fit(model, *learnt, knows=start is not None, resume=resume, watch=watch)
    watch(Progress("Measuring", 0, rounds, "models"))
    scores = scores_of(model, judged, "", telling("Measuring", 0, rounds))
    codec, remark = prepared.codec, ""
    if start is not None and (history.best_update == 0 or not _better(scores, before)):
        remark = "It never foretold the held-out pieces better than as it came, and stays as it came."
        model, codec = begun(new_model(recipe, prepared.codec.spec), start), codec_then(start, prepared)
        recipe = recipe.replace("codec", **to_table(codec.settings))
        scores = {name.removeprefix(AS_IT_CAME): figure for name, figure in before.items()}
    elif history.ended_early:
        remark = f"Stopped early: the held-out loss was last better at update {history.best_update:,}, which is kept."
    if remark:
        watch(Progress("Training", history.rows[-1]["update"], training.updates, "updates", remark=remark))
    if isinstance(model, Learns):
        weighted = recipe.settings["preparation"].oversample is not None
        draw(run / "training" / CURVES, run / "curves.png", held_out=held_out_figure(model, weighted=weighted))
    scores |= before
    if not (run / INDEX).is_file():
        indexed(prepared.corpus, prepared.corpus.pieces("train"), watch).save(run / INDEX)
    if rounds > 1:
        scores |= scores_of(baseline(prepared), judged, "Markov baseline, ", telling("Measuring", 1, rounds))
    facts = {
        **_facts(prepared.corpus, recipe, model, history),
        "data_licence": data_licence,
        **({} if start is None else {"started_from": start.digest}),
        "scores": scores,
        "measured": {
            split: {"pieces": len(own.pieces), "notes": int(own.pieces.notes.sum())} for split, own in judged.items()
        },
    }
    bundle = write_bundle(
        run / "bundle",
        recipe=recipe.to_tables(),
        codec_name=recipe.codec,
        codec=codec,
        model_name=recipe.model,
        arrays=model.arrays(),
        export=model.export,
        facts=facts,
    )
    watch(
        Progress(
            "Measuring", rounds, rounds, "models", remark=_summary(scores, facts["likelihood"], facts.get("figure", ""))
        )
    )
    return bundle


def _facts(corpus: Corpus, recipe: Recipe, model: Model, history: History) -> dict[str, Any]:
    """What a model learnt from, how it went, and what the model is."""
    counted = {split: {"pieces": len(corpus.pieces(split)), "notes": _notes(corpus.pieces(split))} for split in SPLITS}
    return {
        "about": recipe.about,
        **({"source": recipe.source} if recipe.source else {}),
        **counted["train"],
        "hours": round(sum(piece.seconds for piece in corpus.pieces("train")) / 3600, 2),
        "splits": counted,
        "corpus_digest": corpus.digest,
        "parameters": int(sum(array.size for array in model.arrays().values())),
        "seed": recipe.settings["training"].seed,
        "best_update": history.best_update,
        "ended_early": history.ended_early,
        "likelihood": likelihood_kind(model),
        **({"figure": model.figure} if isinstance(model, Judged) else {}),
        "layers": layers_of(model),
        "human": _human(corpus, recipe.settings["training"].seed),
        "curve": [{k: v for k, v in row.items() if k not in NOT_THE_SAME} for row in history.rows],
    }


def _notes(pieces: Iterable[Piece]) -> int:
    return sum(piece.notes for piece in pieces)


def _human(corpus: Corpus, seed: int) -> dict[str, Any]:
    """What people's pieces are like that the model did not learn from: figures of excerpts, by feature."""
    held_out = [*corpus.pieces("valid"), *corpus.pieces("test")]
    drawn = np.sort(np.random.default_rng([seed, len(held_out)]).permutation(len(held_out))[:HUMAN])
    figures = measured(cut(list(corpus.scores(held_out[number] for number in drawn)), HUMAN_BARS, seed))
    return {
        "bars": HUMAN_BARS,
        "figures": {
            name: [None if math.isnan(one) else float(f"{one:.6g}") for one in column]
            for name, column in figures.items()
        },
    }


def baseline(prepared: Prepared) -> Model:
    """A Markov model of the training pieces, of some where there are very many: what every network must beat."""
    kind = model_named("markov")
    model: Any = kind(kind.Settings(), prepared.codec.spec)  # type: ignore[call-arg]
    model.count(prepared.pieces["train"].at_most(MOST_COUNTED, seed=0))
    return model  # type: ignore[no-any-return]


def scores_of(
    model: Model, windows: dict[str, Windows], prefix: str, tell: Callable[[float], None]
) -> dict[str, float]:
    """What a model reaches on the pieces that chose its weights, and on the test pieces, which chose nothing.

    Args:
        model: what is measured.
        windows: of these splits.
        prefix: of the figures' names.
        tell: hears again and again which share of it is done.
    """
    scores: dict[str, float] = {}
    sizes = {split: own.pieces.positions for split, own in windows.items()}
    before = 0
    for split, size in sizes.items():

        def told(done: int, before: int = before) -> None:
            tell((before + done) / max(sum(sizes.values()), 1))

        found = held_out(model, windows[split], told)
        before += size
        scores |= {
            f"{prefix}{split}, {name}": found[name] for name in ("bits per note", "loss", "accuracy") if name in found
        }
    return scores


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
    beside = {"as it came": AS_IT_CAME, "a Markov chain": "Markov baseline, "}
    figures = [
        f"{name}: {scores[f'{prefix}test, bits per note']:.2f} bits"
        for name, prefix in beside.items()
        if f"{prefix}test, bits per note" in scores
    ]
    if figures:
        sentence += f" ({', '.join(figures)})"
    return sentence + "."
