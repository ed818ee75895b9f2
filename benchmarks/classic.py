"""The classic Keras tutorial against Partimento, side by side: reading, learning, composing, memory.

Both sides get the same songs, the same split, the same vocabulary and the same tokens (those of the tutorial's own
extraction by music21), and are judged by the same held-out loss: nats for the token after each window of 100 in the
songs held out. `classic_keras.py` is the tutorials' side and runs in an environment of its own.

Each part writes its result as JSON into the work folder and does not run again once that is there; the tutorial's
training, which takes hours, goes on from its last epoch when it is started again. Seconds are wall time and, since
another program slows the one and hardly the other, processor time of the whole process with all its threads.

    python benchmarks/classic.py all MIDI_FOLDER --work runs/classic
    python benchmarks/classic.py report MIDI_FOLDER --work runs/classic > table.md

Leaves out: judging the music.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
WINDOW = 100
NOTES = 500  # what the tutorial composes
BATCHES = 20


def stack(first: float, between: float) -> list[str]:
    """The tutorial's three LSTMs of 512, with these shares of dropout; its dense layer of 256 gains nothing."""
    return [*([f"dropout {first}"] if first else []), *(["cell 512", "norm", f"dropout {between}"] * 3)]


# How ours learns: in one epoch, which should be as good as the tutorial's best, and to the best of its own.
LEARNING: dict[str, Any] = {"length": 64, "batch": 16, "learning_rate": 2e-3}
PLANS: dict[str, dict[str, Any]] = {
    "match": {
        "model": {"embedding": 256, "stack": stack(0.0, 0.2)},
        "training": {**LEARNING, "updates": 46, "evaluate_every": 46, "warmup": 0.1},
    },
    "best": {
        "model": {"embedding": 256, "stack": stack(0.3, 0.5)},
        "training": {**LEARNING, "updates": 276, "evaluate_every": 23, "warmup": 0.07},
    },
}

Ids = NDArray[np.int64]


class Work:
    """The folder where results are kept, and how parts of the benchmark are run."""

    def __init__(self, songs: Path, folder: Path, keras: Path | None) -> None:
        self.songs, self.folder = songs.resolve(), folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._keras = keras

    def result(self, name: str, make: Callable[[], Any]) -> Any:
        """What is kept under that name; made now if it is not there."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            value = make()
            part = path.with_suffix(".part")
            part.write_text(json.dumps(value, indent=1), encoding="utf-8")
            part.replace(path)
        return json.loads(path.read_text(encoding="utf-8"))

    def known(self, name: str) -> Any:
        """What is kept under that name, or None."""
        path = self.folder / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def keras(self, *arguments: object, environment: Mapping[str, str] | None = None) -> dict[str, float]:
        """Run a part of the tutorials' side, in its own environment."""
        return measured([str(self._python()), str(HERE / "classic_keras.py"), *map(str, arguments)], environment)

    def _python(self) -> Path:
        if self._keras is not None:
            return self._keras
        python = self.folder / "venv" / "bin" / "python"
        if not (self.folder / "venv" / "whole").exists():
            venv.create(self.folder / "venv", with_pip=True, clear=True)
            subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "requirements-keras.txt"], check=True)
            (self.folder / "venv" / "whole").touch()
        return python


def measured(command: list[str], environment: Mapping[str, str] | None = None) -> dict[str, float]:
    """Run a program to its end; seconds of wall and processor time, and the most memory, in MiB, of any process of it.

    Raises:
        SystemExit: it failed.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, **(environment or {})}, stdout=sys.stderr)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with status {process.returncode}.")
    return {
        "wall": round(wall, 3),
        "cpu": round(used.ru_utime + used.ru_stime, 3),
        "peak_mib": round(used.ru_maxrss / 1024, 1),
    }


# reading


def parse(work: Work) -> dict[str, Any]:
    """Read all songs: music21 as the tutorial calls it, and `partimento inspect`, both with no cache to draw on."""

    def make() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as cache:  # music21 keeps what it has read in the folder for temporary files
            theirs = work.keras("parse", work.songs, work.folder / "music21.json", environment={"TMPDIR": cache})
        inspect = [sys.executable, "-m", "partimento", "inspect", str(work.songs)]
        ours = []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as cache:
                ours.append(measured(inspect, {"XDG_CACHE_HOME": cache}))
        return {"music21": theirs, "inspect": min(ours, key=lambda run: run["wall"])}

    found: dict[str, Any] = work.result("parse", make)
    return found


def data(work: Work) -> Path:
    """The file that both sides learn from: every song's tokens and part of the split, and the vocabulary.

    Of the songs in the order of their SHA-256 the first tenth is for testing, the second is held out.
    """

    def make() -> dict[str, Any]:
        parse(work)
        songs = json.loads((work.folder / "music21.json").read_text(encoding="utf-8"))["songs"]
        songs.sort(key=lambda song: song["sha256"])
        tenth = round(len(songs) / 10)
        for place, song in enumerate(songs):
            song["split"] = "test" if place < tenth else "valid" if place < 2 * tenth else "train"
        return {"vocabulary": sorted({token for song in songs for token in song["tokens"]}), "songs": songs}

    work.result("data", make)
    return work.folder / "data.json"


# learning


def train_keras(work: Work, recipe: str, patience: int, budget: float) -> None:
    """Train the tutorial's recipe; start again to go on."""
    work.keras("train", data(work), work.folder, "--recipe", recipe, "--patience", patience, "--budget", budget)

    def test() -> Any:
        work.keras("test", data(work), work.folder / "one.json", "--recipe", recipe)
        return json.loads((work.folder / "one.json").read_text(encoding="utf-8"))

    work.result(f"keras-{recipe}-test", test)


def train_ours(work: Work, plan: str, threads: int | None) -> None:
    """Learn by a plan in a process of its own, from its start until the bundle is written; then judge the bundle."""

    def make() -> dict[str, Any]:
        place = work.folder / f"ours-{plan}"
        shutil.rmtree(place, ignore_errors=True)  # of a run that was broken off: it is timed as a whole or not at all
        command = [sys.executable, __file__, "learn", str(work.songs), "--work", str(work.folder), "--plan", plan]
        passive = {"OMP_WAIT_POLICY": "passive"}  # as `partimento train` has it
        run = measured([*command, *(["--threads", str(threads)] if threads else [])], passive)
        judged = {split: judge(data(work), place / "bundle", split) for split in ("valid", "test")}
        return {**run, "threads": threads, "plan": PLANS[plan], **judged["valid"], "test": judged["test"]}

    work.result(f"ours-{plan}", make)


def songs_of(path: Path) -> tuple[Any, dict[str, list[Ids]]]:
    """The tutorials' codec with the benchmark's vocabulary, and each split's songs as ids."""
    from partimento.codecs.chords import Chords, ChordSettings

    told = json.loads(path.read_text(encoding="utf-8"))
    settings = ChordSettings(classic=True, order="name")
    with tempfile.TemporaryDirectory() as folder:
        Chords(settings).save(Path(folder))  # a codec that has learnt nothing, given the benchmark's vocabulary
        kept = Path(folder) / "vocabulary.json"
        learnt = {**json.loads(kept.read_text(encoding="utf-8")), "chords": told["vocabulary"]}
        kept.write_text(json.dumps(learnt), encoding="utf-8")
        codec = Chords.load(Path(folder), settings)
    number = {name: id for id, name in enumerate(codec.vocabulary)}
    splits: dict[str, list[Ids]] = {"train": [], "valid": [], "test": []}
    for song in told["songs"]:
        splits[song["split"]].append(np.array([number[token] for token in song["tokens"]], dtype=np.int64))
    return codec, splits


def learn(path: Path, plan: str, place: Path, threads: int | None) -> None:
    """Learn from the training songs and write the bundle, as `partimento train` does."""
    from partimento.bundle import write_bundle
    from partimento.model import model_named
    from partimento.pieces import Pieces
    from partimento.settings import from_table, to_table
    from partimento.training.loop import Training, fit, seeded
    from partimento.windows import Windows

    codec, splits = songs_of(path)
    kind = model_named("lstm")
    training = Training(**PLANS[plan]["training"], threads=threads)
    train, valid = (
        Windows(
            Pieces.write(place / split, ((ids, len(ids)) for ids in splits[split]), codec.spec),
            training.length,
            training.batch,
            training.seed,
        )
        for split in ("train", "valid")
    )
    with seeded(training.seed):
        model = kind(from_table(kind.Settings, PLANS[plan]["model"], "model"), codec.spec)
    history = fit(model, train, valid, training, place / "run")
    write_bundle(
        place / "bundle",
        recipe={
            "codec": {"name": "chords", **to_table(codec.settings)},
            "model": {"name": "lstm", **to_table(model.settings)},
            "training": to_table(training),
        },
        codec_name="chords",
        codec=codec,
        model_name="lstm",
        arrays=model.arrays(),
        export=model.export,
        facts={"best update": history.best_update},
    )


def held_out_windows(songs: list[Ids]) -> Iterator[Ids]:
    """(N, 101) every window of 100 within a song with the id after it, as both sides are judged by."""
    for ids in songs:
        if len(ids) > WINDOW:
            yield np.lib.stride_tricks.sliding_window_view(ids, WINDOW + 1)


def judge(path: Path, bundle: Path, split: str) -> dict[str, Any]:
    """The held-out loss, nats, and accuracy of a bundle, by playing it: ids after windows of 100 of a split's songs.

    The figure is of the bundle as it is handed over, in float32 on onnxruntime, and knows nothing of training.
    """
    from partimento.bundle import open_bundle
    from partimento.generation import open_player

    windows = np.concatenate(list(held_out_windows(songs_of(path)[1][split])))
    stepper = open_player(open_bundle(bundle), threads=os.cpu_count() or 1)
    nats, right = 0.0, 0
    for some in np.array_split(windows, max(1, len(windows) // 512)):
        state = stepper.start(len(some))
        for step in range(WINDOW):
            logits, state = stepper.step(some[:, step], state)
        asked = some[:, WINDOW]
        top = logits.max(axis=1, keepdims=True)
        sums = top[:, 0] + np.log(np.exp(logits.astype(np.float64) - top).sum(axis=1))
        nats += float((sums - logits[np.arange(len(some)), asked]).sum())
        right += int((logits.argmax(axis=1) == asked).sum())
    return {"held_out": nats / len(windows), "accuracy": right / len(windows), "held_out_windows": len(windows)}


def batches(work: Work, recipe: str, threads: int | None) -> None:
    """Time some batches of the tutorial and some updates of ours in turn, thrice: the ratio of speeds, now."""

    def make() -> list[dict[str, Any]]:
        rounds = []
        for _ in range(3):
            work.keras("batches", data(work), work.folder / "one.json", "--recipe", recipe, "--count", BATCHES)
            theirs = json.loads((work.folder / "one.json").read_text(encoding="utf-8"))
            rounds.append({"keras": theirs, "ours": updates(data(work), threads)})
        return rounds

    work.result("batches", make)


def updates(path: Path, threads: int | None) -> dict[str, float]:
    """Time one epoch's updates by the plan "match", after a few that warm up."""
    from partimento.model import Batch, model_named
    from partimento.pieces import Pieces
    from partimento.settings import from_table
    from partimento.training.learning import Run
    from partimento.training.loop import Training, multiplies_bfloat16, torch
    from partimento.windows import Windows

    codec, splits = songs_of(path)
    training = Training(**PLANS["match"]["training"])
    kind = model_named("lstm")
    model = kind(from_table(kind.Settings, PLANS["match"]["model"], "model"), codec.spec)
    fast = multiplies_bfloat16(torch.device("cpu"))
    run = Run(model, training, Path(), {}, torch.bfloat16 if fast else torch.float32)
    torch.set_num_threads(threads or os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        pieces = Pieces.write(Path(folder) / "train", ((ids, len(ids)) for ids in splits["train"]), codec.spec)
        windows = Windows(pieces, training.length, training.batch, training.seed)
        drawn = [windows.at(update) for update in range(3 + windows.updates_per_epoch)]
    for number, (x, mask, *_) in enumerate(drawn):
        if number == 3:
            wall, cpu = time.perf_counter(), time.process_time()
        run.learn(Batch(torch.from_numpy(x), torch.from_numpy(mask)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "updates": len(drawn) - 3,
        "ids": sum(int(mask.sum()) for _, mask, *_ in drawn[3:]),
        "wall": wall,
        "cpu": cpu,
    }


# composing


def compose(work: Work, recipe: str) -> None:
    """Compose notes and chords one after another: the tutorial, and our bundle on one thread, greedy and in full."""

    def make() -> dict[str, Any]:
        work.keras("compose", data(work), work.folder / "one.json", "--recipe", recipe, "--count", NOTES)
        theirs = json.loads((work.folder / "one.json").read_text(encoding="utf-8"))
        bundle = next(b for plan in ("best", "match") if (b := work.folder / f"ours-{plan}" / "bundle").exists())
        return {"keras": theirs, "greedy": greedy(bundle), "full": in_full(bundle)}

    work.result("compose", make)


def greedy(bundle: Path) -> dict[str, float]:
    """The likeliest next id, again and again, as the tutorial takes it: the model alone, one piece, one thread."""
    from partimento.bundle import open_bundle
    from partimento.generation import open_player

    opened = open_bundle(bundle)
    stepper, bos = open_player(opened), opened.codec().spec.bos

    def write(count: int) -> None:
        state, id = stepper.start(1), np.array([bos])
        for _ in range(count):
            logits, state = stepper.step(id, state)
            id = logits.argmax(axis=1)

    write(50)
    wall, cpu = time.perf_counter(), time.process_time()
    write(10 * NOTES)
    return {"notes": 10 * NOTES, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def in_full(bundle: Path) -> dict[str, float]:
    """`generate` as `compose` calls it: sampled, with grammar and guards, to a score; one piece, one thread."""
    from partimento.bundle import open_bundle
    from partimento.codec import Request
    from partimento.generation import generate
    from partimento.sampling import Sampling

    opened = open_bundle(bundle)
    asked = Request(bars=10 * NOTES // 8)
    list(generate(opened, request=Request(bars=4), seed=0))
    wall, cpu = time.perf_counter(), time.process_time()
    (made,) = generate(opened, request=asked, sampling=Sampling(top_p=0.98), seed=1)
    return {"notes": len(made.encoded), "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


# the report


def report(work: Work, recipe: str) -> str:
    """What has been measured, as Markdown, ratios first."""
    rows: list[tuple[str, str, str, str]] = []
    found = work.known("parse")
    if found:
        rows.append(_row("read the songs, s", found["music21"], found["inspect"]))
        rows.append(_ratio("… most memory, MiB", found["music21"]["peak_mib"], found["inspect"]["peak_mib"]))
    theirs, compare = work.known(f"keras-{recipe}"), work.known("compose")
    if theirs and theirs["epochs"]:
        best = min(theirs["epochs"], key=lambda row: row["held_out"])
        upto = [row for row in theirs["epochs"] if row["epoch"] <= best["epoch"]]
        spent = {clock: theirs["setup"][clock] + sum(row[clock] for row in upto) for clock in ("wall", "cpu")}
        for plan in PLANS:
            ours = work.known(f"ours-{plan}")
            if ours:
                losses = f"{best['held_out']:.3f} after {best['epoch']} of {len(theirs['epochs'])} epochs"
                rows.append((f"plan {plan}: held-out loss, nats", losses, f"{ours['held_out']:.3f}", ""))
                tested = work.known(f"keras-{recipe}-test")
                if tested:
                    rows.append(("… on the test songs", f"{tested['loss']:.3f}", f"{ours['test']['held_out']:.3f}", ""))
                rows.append(_row(f"plan {plan}: time to it, s", spent, ours))
                rows.append(_ratio("… most memory, MiB", best["peak_mib"], ours["peak_mib"]))
    for part in ("greedy", "full") if compare else ():
        keras, ours = (
            {c: side["notes"] / side[c] for c in ("wall", "cpu")} for side in (compare["keras"], compare[part])
        )
        rows.append(_row(f"notes/s, {part}", ours, keras, swap=True))
    lines = ["| what | tutorial | Partimento | ratio |", "|---|---:|---:|---:|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    for round in work.known("batches") or ():
        per = {
            "tutorial": round["keras"]["wall"] / round["keras"]["batches"] / round["keras"]["batch"],
            "ours": round["ours"]["wall"] / round["ours"]["ids"],
        }
        lines.append(
            f"\nms for each id learnt: {per['tutorial'] * 1e3:.2f} against {per['ours'] * 1e3:.3f}, "
            f"{per['tutorial'] / per['ours']:.0f} times"
        )
    return "\n".join(lines)


def _row(
    name: str, theirs: Mapping[str, float], ours: Mapping[str, float], swap: bool = False
) -> tuple[str, str, str, str]:
    """A row of wall (and processor) figures; with `swap`, `theirs` is the larger figure and stands on the right."""
    texts = [f"{side['wall']:,.1f} ({side['cpu']:,.1f})" for side in (theirs, ours)]
    times = f"{theirs['wall'] / ours['wall']:,.0f}× ({theirs['cpu'] / ours['cpu']:,.0f}×)"
    return (name, *(reversed(texts) if swap else texts), times)  # type: ignore[return-value]


def _ratio(name: str, theirs: float, ours: float) -> tuple[str, str, str, str]:
    return name, f"{theirs:,.0f}", f"{ours:,.0f}", f"{theirs / ours:.1f}×"


def main() -> None:
    """Run the parts that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("parse", "train-keras", "train-ours", "batches", "compose", "report", "all", "learn")
    parser.add_argument("part", choices=parts)
    parser.add_argument("songs", type=Path, help="the folder with the tutorial's MIDI files")
    parser.add_argument("--work", type=Path, default=Path("runs/classic"), help="where results are kept")
    parser.add_argument("--keras", type=Path, help="a Python that has requirements-keras.txt; else one is set up")
    parser.add_argument("--recipe", choices=["2017", "2019"], default="2019", help="the tutorial's version")
    parser.add_argument("--patience", type=int, default=3, help="epochs without gain after which the tutorial stops")
    parser.add_argument("--budget", type=float, default=7200.0, help="the tutorial's seconds of processor time")
    parser.add_argument("--plan", choices=sorted(PLANS), help="one plan of ours; else all")
    parser.add_argument("--threads", type=int, help="for our training; else all cores")
    told = parser.parse_args()
    work = Work(told.songs, told.work, told.keras)
    if told.part == "learn":
        learn(data(work), told.plan, work.folder / f"ours-{told.plan}", told.threads)
        return
    if told.part in ("parse", "all"):
        parse(work)
    if told.part in ("train-keras", "all"):
        train_keras(work, told.recipe, told.patience, told.budget)
    if told.part in ("train-ours", "all"):
        for plan in [told.plan] if told.plan else PLANS:
            train_ours(work, plan, told.threads)
    if told.part in ("batches", "all"):
        batches(work, told.recipe, told.threads)
    if told.part in ("compose", "all"):
        compose(work, told.recipe)
    if told.part in ("report", "all"):
        print(report(work, told.recipe))


if __name__ == "__main__":
    main()
