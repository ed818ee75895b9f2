"""The loop: what it learns, when it stops, and that being killed changes nothing."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import math
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from partimento.codec import TokenSpec
from partimento.errors import InvalidSettings, PartimentoError, TooLittleMusic
from partimento.model import Batch, Model
from partimento.models.lstm import Lstm
from partimento.models.markov import Markov
from partimento.pieces import Pieces
from partimento.progress import Progress
from partimento.training import learning
from partimento.training.loop import (
    Diverged,
    History,
    Interrupted,
    RunExists,
    Training,
    fit,
    held_out,
    multiplies_bfloat16,
    seconds_per_update,
    seeded,
)
from partimento.windows import Windows

SPEC = TokenSpec(vocab_size=14, pad=11, bos=12, eos=13)
NAMES = ["best.safetensors", "checkpoints", "curves.csv", "last.safetensors"]
SHORT: dict[str, Any] = {
    "updates": 24,
    "length": 16,
    "batch": 4,
    "evaluate_every": 4,
    "learning_rate": 1e-2,
    "threads": 1,
}


def training(**changes: Any) -> Training:
    return Training(**{**SHORT, **changes})


def network(seed: int = 0, spec: TokenSpec = SPEC) -> Lstm:
    with seeded(seed):
        return Lstm(Lstm.Settings(embedding=8, stack=("cell 12", "dropout 0.3", "dense 10 relu")), spec)


def scales(folder: Path, count: int, seed: int) -> Pieces:
    """Pieces that run up and down; where they turn is left to chance."""
    rng = np.random.default_rng(seed)
    runs = [np.cumsum(np.repeat(rng.choice([-1, 1], 8), 4)) % 11 for _ in range(count)]
    return Pieces.write(folder, ((ids, len(ids)) for ids in runs), SPEC)


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pieces, Pieces]:
    folder = tmp_path_factory.mktemp("music")
    return scales(folder / "train", 30, 1), scales(folder / "valid", 6, 2)


def run(
    music: tuple[Pieces, Pieces], folder: Path, model: Model | None = None, of: Training | None = None, **options: Any
) -> tuple[Model, History]:
    of = of or training()
    model = model or network()
    train, valid = (Windows(pieces, of.length, of.batch, of.seed) for pieces in music)
    return model, fit(model, train, valid, of, folder, **options)


def same(one: Model, other: Model) -> bool:
    mine, yours = one.arrays(), other.arrays()
    return mine.keys() == yours.keys() and all(np.array_equal(mine[name], yours[name]) for name in mine)


def curves(folder: Path) -> list[dict[str, str]]:
    with (folder / "curves.csv").open() as file:
        return list(csv.DictReader(file))


class Never:
    """Tells nothing otherwise."""

    def retold(self, ids: NDArray[np.int64], rng: np.random.Generator, whole: bool) -> None:
        return None

    def given(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.zeros(len(ids), dtype=bool)


class Killed(BaseException):
    """Stands for the end of the process."""


def test_it_learns_and_ends_with_the_best_weights(music: tuple[Pieces, Pieces], tmp_path: Path) -> None:
    model, history = run(music, tmp_path, of=training(updates=120))
    losses = [row["held-out loss"] for row in history.rows]
    assert losses[-1] < 0.75 * losses[0]
    best = min(history.rows, key=lambda row: row["held-out loss"])
    assert history.best_update == best["update"]
    found = held_out(model, Windows(music[1], 16, 4))
    assert found["loss"] == pytest.approx(best["held-out loss"], rel=1e-6)
    assert found["accuracy"] == pytest.approx(best["held-out accuracy"])
    kept = safetensors.numpy.load_file(tmp_path / "best.safetensors")
    assert all(np.array_equal(kept[name], array) for name, array in model.arrays().items())


def test_curves_are_kept_as_csv(music: tuple[Pieces, Pieces], tmp_path: Path) -> None:
    _, history = run(music, tmp_path)
    rows = curves(tmp_path)
    assert [int(row["update"]) for row in rows] == [4, 8, 12, 16, 20, 24]
    assert set(rows[0]) == {"update", "loss", "accuracy", "held-out loss", "held-out accuracy", "notes/s", "seconds"}
    for row, kept in zip(rows, history.rows, strict=True):
        assert float(row["held-out loss"]) == pytest.approx(kept["held-out loss"], rel=1e-5)
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds)


def test_each_update_is_reported(music: tuple[Pieces, Pieces], tmp_path: Path) -> None:
    events: list[Progress] = []
    run(music, tmp_path, watch=events.append)
    assert [(event.done, event.total, event.unit) for event in events] == [(n, 24, "updates") for n in range(1, 25)]
    assert {"loss", "accuracy", "notes/s", "held-out loss", "held-out accuracy"} == set(events[-1].facts)
    assert all(math.isfinite(value) for event in events for value in event.facts.values())


def test_held_out_figures_count_every_id_and_note(music: tuple[Pieces, Pieces]) -> None:
    class Fair(Model):
        """Throws a fair die for every id."""

        exact = True

        def __init__(self) -> None:
            pass

        def log_likelihood(self, batch: Batch) -> Tensor:
            return -math.log(14) * batch.mask.sum(1).double()

    Fair.__abstractmethods__ = frozenset()
    found = held_out(Fair(), Windows(music[1], 7, 3))
    assert found["ids"] == 6 * 33
    assert found["notes"] == 6 * 32
    assert found["loss"] == pytest.approx(math.log(14))
    assert found["nats"] == pytest.approx(6 * 33 * math.log(14))
    assert found["bits per note"] == pytest.approx(33 / 32 * math.log2(14))


def test_it_ends_when_the_held_out_loss_gets_worse(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = [Pieces.write(tmp_path / n, [(rng.integers(0, 11, 40), 40) for _ in range(3)], SPEC) for n in "tv"]
    of = training(updates=2000, patience=3, schedule="constant")
    _, history = run((noise[0], noise[1]), tmp_path / "run", of=of)
    assert history.ended_early
    last = history.rows[-1]["update"]
    assert last < 2000
    assert last - history.best_update == 3 * 4
    _, again = run((noise[0], noise[1]), tmp_path / "run", of=of, resume=True)
    assert again == history


def test_it_does_not_end_before_it_has_been_through_the_music(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = [Pieces.write(tmp_path / n, [(rng.integers(0, 11, 40), 40) for _ in range(40)], SPEC) for n in "tv"]
    of = training(updates=60, patience=1, schedule="constant", learning_rate=10.0, evaluate_every=1, length=8, batch=2)
    once = Windows(noise[0], 8, 2).updates_per_epoch
    assert once > 60
    _, history = run((noise[0], noise[1]), tmp_path / "run", of=of)
    assert not history.ended_early
    assert history.best_update < 59


def test_a_killed_run_goes_on_as_if_never_stopped(music: tuple[Pieces, Pieces], tmp_path: Path) -> None:
    whole, history = run(music, tmp_path / "whole")
    for kill_at in (1, 3, 4, 5, 15, 23):
        folder = tmp_path / str(kill_at)

        def die(event: Progress, at: int = kill_at) -> None:
            if event.done == at:
                raise Killed

        with pytest.raises(Killed):
            run(music, folder, of=training(save_every=0.02), watch=die)
        model, resumed = run(music, folder, network(seed=9), of=training(save_every=1000.0), resume=True)
        assert same(model, whole)
        assert resumed.best_update == history.best_update
        deterministic = ("update", "loss", "accuracy", "held-out loss", "held-out accuracy")
        assert [[row[n] for n in deterministic] for row in resumed.rows] == [
            [row[n] for n in deterministic] for row in history.rows
        ]
        assert len(curves(folder)) == len(history.rows)


def test_a_kill_early_in_a_run_costs_little_of_it(
    music: tuple[Pieces, Pieces], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(learning, "time", types.SimpleNamespace(perf_counter=lambda: now[0]))
    at: list[float] = []

    def hear(event: Progress) -> None:
        now[0] += 0.5  # seconds that an update takes
        at.append(event.done)
        if event.done == 23:
            raise Killed

    with pytest.raises(Killed):
        run(music, tmp_path, of=training(save_every=1000.0), watch=hear)
    at.clear()
    run(music, tmp_path, of=training(save_every=1000.0), resume=True, watch=lambda event: at.append(event.done))
    assert 23 - 7 <= at[0] <= 23  # a quarter of what was done, and the update under way


@pytest.mark.parametrize("dying_at", range(1, 9))
def test_death_while_writing_leaves_the_file_before(
    dying_at: int, music: tuple[Pieces, Pieces], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = run(music, tmp_path / "whole")
    written = 0
    save = safetensors.torch.save_file

    def die_half_way(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
        nonlocal written
        written += 1
        save(tensors, path, metadata)
        if written == dying_at:
            path.write_bytes(path.read_bytes()[:100])
            os.link(path, path.with_name(".last-left.safetensors"))  # what a real death would leave
            raise Killed

    monkeypatch.setattr(learning.safetensors.torch, "save_file", die_half_way)
    folder = tmp_path / "run"
    with pytest.raises(Killed):
        run(music, folder, of=training(save_every=0.0))
    monkeypatch.undo()
    model, _ = run(music, folder, network(seed=0 if dying_at == 1 else 9), of=training(save_every=0.0), resume=True)
    assert same(model, whole)
    assert sorted(file.name for file in folder.iterdir()) == NAMES


SCRIPT = """
    import os, sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from test_training import killable  # once: each part of the run is a process of its own, forked before torch works
    for part in range({parts}):
        if os.fork() == 0:
            print("process", os.getpid(), flush=True)
            killable(Path({folder!r}), part > 0, {threads}, {updates})
            os._exit(0)
        os.wait()
"""


def killable(folder: Path, resume: bool, threads: int, updates: int) -> Model:
    """A run with all that could differ: dropout, bfloat16 where there is any, a schedule."""
    of = training(updates=updates, evaluate_every=25, threads=threads, save_every=0.05, patience=None)
    pieces = Pieces.open(folder.parent / "train"), Pieces.open(folder.parent / "valid")

    def say(event: Progress) -> None:
        if sys.argv[0] == "-c" and event.done % 10 == 0:
            print(int(event.done), flush=True)  # noqa: T201

    return run(pieces, folder, network(seed=int(resume)), of=of, resume=resume, watch=say)[0]


@pytest.mark.parametrize(
    ("planned", "threads", "updates"), [(3, 1, 300), pytest.param(6, 2, 1200, marks=pytest.mark.long)]
)
def test_sigkill_at_random_moments_changes_no_bit(planned: int, threads: int, updates: int, tmp_path: Path) -> None:
    scales(tmp_path / "train", 30, 1)
    scales(tmp_path / "valid", 6, 2)
    whole = killable(tmp_path / "whole", False, threads, updates)
    moments = random.Random(time.time_ns())
    folder, killed, reached = tmp_path / "killed", 0, [0]
    options = {"tests": str(Path(__file__).parent), "folder": str(folder), "threads": threads, "updates": updates}
    script = textwrap.dedent(SCRIPT).format(parts=planned + 1, **options)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        number = 0
        for line in process.stdout:
            if line.startswith("process"):
                number = int(line.split()[1])
            elif number:
                reached.append(int(line))
                if killed < planned:
                    time.sleep(moments.uniform(0.0, 0.2))
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(number, signal.SIGKILL)
                        killed += 1
                number = 0
    assert process.returncode == 0
    assert killed == planned, "the run was over before it could be killed"
    assert reached == sorted(reached), "each part went on from where the one before had come to"
    assert reached[-1] > reached[1]
    model = network(seed=7)
    model.load_arrays(safetensors.numpy.load_file(folder / "best.safetensors"))
    assert same(model, whole)
    last, whole_last = (
        safetensors.numpy.load_file(tmp_path / name / "last.safetensors") for name in ("killed", "whole")
    )
    assert last.keys() == whole_last.keys()
    assert all(np.array_equal(last[name], whole_last[name]) for name in last)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_saves_and_says_how_to_go_on(
    number: signal.Signals, music: tuple[Pieces, Pieces], tmp_path: Path
) -> None:
    whole, _ = run(music, tmp_path / "whole")

    def ask(event: Progress) -> None:
        if event.done == 7:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=r"after \d+ of 24 updates.*--resume"):
        run(music, tmp_path / "run", watch=ask)
    assert signal.getsignal(number) is before
    events: list[Progress] = []
    model, _ = run(music, tmp_path / "run", network(seed=9), resume=True, watch=events.append)
    assert events[0].done in (8, 9)
    assert same(model, whole)


def test_it_trains_outside_the_main_thread(music: tuple[Pieces, Pieces], tmp_path: Path) -> None:
    done: list[History] = []
    thread = threading.Thread(target=lambda: done.append(run(music, tmp_path)[1]))
    thread.start()
    thread.join()
    assert len(done[0].rows) == 6


def test_a_folder_with_a_run_is_refused(music: tuple[Pieces, Pieces], tmp_path: Path) -> None:
    run(music, tmp_path)
    with pytest.raises(RunExists, match="--resume"):
        run(music, tmp_path)


def test_resuming_where_nothing_is_begins(music: tuple[Pieces, Pieces], tmp_path: Path) -> None:
    one, _ = run(music, tmp_path / "one", resume=True)
    other, _ = run(music, tmp_path / "other")
    assert same(one, other)


def test_resuming_a_run_that_is_over_trains_no_more(music: tuple[Pieces, Pieces], tmp_path: Path) -> None:
    model, history = run(music, tmp_path)
    events: list[Progress] = []
    again, same_history = run(music, tmp_path, network(seed=9), resume=True, watch=events.append)
    assert same(model, again)
    assert same_history == history
    assert events == []


def test_other_settings_are_refused_by_name(music: tuple[Pieces, Pieces], tmp_path: Path) -> None:
    run(music, tmp_path)
    with pytest.raises(InvalidSettings, match=r"training\.learning_rate was 0\.01 and is now 0\.02;.*seed was 0"):
        run(music, tmp_path, of=training(learning_rate=0.02, seed=3), resume=True)
    changed = Lstm(Lstm.Settings(embedding=9, stack=network().settings.stack), SPEC)
    with pytest.raises(InvalidSettings, match=r"model\.embedding was 8 and is now 9"):
        run(music, tmp_path, changed, resume=True)
    with pytest.raises(InvalidSettings, match="the music to learn from was 30 pieces"):
        run((music[0].take(np.arange(29)), music[1]), tmp_path, resume=True)
    hiding, valid = Windows(music[0], 16, 4, retold=(Never(), 0.5)), Windows(music[1], 16, 4)
    with pytest.raises(InvalidSettings, match=r"the share of what is told with hidden music was 0\.0 and is now 0\.5"):
        fit(network(), hiding, valid, training(), tmp_path, resume=True)
    with pytest.raises(InvalidSettings, match="the held-out music"):
        run((music[0], music[1].take(np.array([0, 1, 2, 3, 5, 4]))), tmp_path, resume=True)


def test_a_damaged_checkpoint_is_refused(music: tuple[Pieces, Pieces], tmp_path: Path) -> None:
    run(music, tmp_path)
    file = tmp_path / "last.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:1000])
    with pytest.raises(InvalidSettings, match="damaged"):
        run(music, tmp_path, resume=True)
    safetensors.numpy.save_file({"a": np.zeros(1)}, file)
    with pytest.raises(InvalidSettings, match="no checkpoint of this version"):
        run(music, tmp_path, resume=True)


def test_a_loss_that_is_no_number_ends_the_run_in_a_sentence(music: tuple[Pieces, Pieces], tmp_path: Path) -> None:
    model = network()
    good = {name: array.copy() for name, array in model.arrays().items()}

    def spoil(event: Progress) -> None:
        if event.done == 6:
            with torch.no_grad():
                model.head.bias[0] = math.nan

    with pytest.raises(Diverged, match=r"at update 7.*lower learning rate, e\.g\. --set training\.learning_rate="):
        run(music, tmp_path, model, watch=spoil)
    kept = safetensors.numpy.load_file(tmp_path / "best.safetensors")
    assert all(np.isfinite(array).all() for array in kept.values())
    assert any(not np.array_equal(kept[name], array) for name, array in good.items())


@pytest.mark.parametrize("optimiser", ["adamw", "muon", "adam", "rmsprop", "sgd"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_optimiser_and_precision_learns_and_resumes(
    optimiser: str, precision: str, music: tuple[Pieces, Pieces], tmp_path: Path
) -> None:
    of = training(optimiser=optimiser, precision=precision, updates=40, schedule="constant", clip=None)
    if precision == "bfloat16" and not multiplies_bfloat16(torch.device("cpu")):
        with pytest.raises(InvalidSettings, match="no products in it"):
            run(music, tmp_path, of=of)
        return
    whole, history = run(music, tmp_path / "whole", of=of)
    assert history.rows[-1]["held-out loss"] < history.rows[0]["held-out loss"]

    def die(event: Progress) -> None:
        if event.done == 21:
            raise Killed

    with pytest.raises(Killed):
        run(music, tmp_path / "run", of=dataclasses.replace(of, save_every=0.0), watch=die)
    model, _ = run(music, tmp_path / "run", network(seed=9), of=of, resume=True)
    assert same(model, whole)


class Duel(nn.Module, Model):
    """Two sides and no likelihood: one guesses a number, the other doubts it."""

    name = "duel"
    Settings = Lstm.Settings
    Spec = TokenSpec

    def __init__(self) -> None:
        super().__init__()
        self.settings, self.spec = Lstm.Settings(), SPEC
        self.guess, self.doubt = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.ones(1))

    def sides(self) -> dict[str, list[nn.Parameter]]:
        return {"guesser": [self.guess], "doubter": [self.doubt]}

    def loss(self, batch: Batch, side: str) -> dict[str, Tensor]:
        gap = (self.guess - 3).square().sum() * self.doubt.square().sum()
        return {"loss": gap if side == "guesser" else (self.doubt - 1).square().sum() + 0 * gap}

    def arrays(self) -> dict[str, Any]:
        return {name: value.detach().numpy().copy() for name, value in self.state_dict().items()}

    def load_arrays(self, arrays: dict[str, Any]) -> None:
        self.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})

    def export(self, folder: Path) -> str:
        raise NotImplementedError


def test_a_model_of_two_sides_trains_each_by_its_own_loss(music: tuple[Pieces, Pieces], tmp_path: Path) -> None:
    of = training(updates=200, learning_rate=0.1, weight_decay=0.0)
    model, history = run(music, tmp_path, Duel(), of=of)
    assert isinstance(model, Duel)
    assert model.guess.item() == pytest.approx(3, abs=0.1)
    assert model.doubt.item() == pytest.approx(1, abs=0.01)
    assert {"guesser loss", "doubter loss"} <= set(history.rows[0])
    assert "held-out loss" not in history.rows[0]
    assert history.best_update == 200, "without a held-out loss the last weights are the best"
    assert not history.ended_early


def test_a_model_that_counts_is_fitted_too(music: tuple[Pieces, Pieces], tmp_path: Path) -> None:
    events: list[Progress] = []
    model, history = run(music, tmp_path, Markov(Markov.Settings(order=4), SPEC), watch=events.append)
    assert history.rows[0]["held-out loss"] == pytest.approx(held_out(model, Windows(music[1], 16, 4))["loss"])
    assert history.rows[0]["held-out loss"] < 1.5
    assert events[-1].done == events[-1].total == 30
    assert (tmp_path / "curves.csv").exists()
    again, _ = run(music, tmp_path, Markov(Markov.Settings(order=4), SPEC), resume=True)
    assert same(model, again)


def test_an_update_is_timed_on_a_copy(music: tuple[Pieces, Pieces]) -> None:
    model = network()
    before = {name: array.copy() for name, array in model.arrays().items()}
    started = time.perf_counter()
    seconds = seconds_per_update(model, Windows(music[0], 16, 4), training(), most=0.3)
    assert 0 < seconds < 0.3
    assert time.perf_counter() - started < 5
    assert all(np.array_equal(array, before[name]) for name, array in model.arrays().items())
    assert all(p.grad is None for p in model.parameters())


def test_drawing_inside_leaves_the_outside_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with seeded(1, 2):
        one = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with seeded(1, 3):
        assert not torch.equal(torch.rand(3), one)


@pytest.mark.parametrize("empty", [0, 1])
def test_no_music_is_refused(empty: int, music: tuple[Pieces, Pieces], tmp_path: Path) -> None:
    none = music[0].take(np.array([], dtype=np.int64))
    with pytest.raises(TooLittleMusic, match="at least one piece"):
        run((none, music[1]) if empty == 0 else (music[0], none), tmp_path)


def test_a_gpu_that_is_not_there_is_refused(music: tuple[Pieces, Pieces], tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(PartimentoError, match="no GPU"):
        run(music, tmp_path, of=training(device="cuda"))
