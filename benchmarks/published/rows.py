"""Rows of published tables: a model trained by one command that resumes, and the JSON file that keeps what came of it.

What `boulanger` and `chorales` share: settings from `--set`, minutes that become a number of updates, a run that goes
on where it was broken off, and rows that replace older ones of the same name.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from partimento.atomic import write_text
from partimento.codec import Spec
from partimento.errors import InvalidSettings, PartimentoError
from partimento.model import model_named
from partimento.progress import Progress
from partimento.settings import from_table, to_table
from partimento.training.learning import Training
from partimento.training.loop import Interrupted, fit, seconds_per_update, seeded
from partimento.windows import Windows

HERE = Path(__file__).parent

Tables = dict[str, dict[str, dict[str, Any]]]
"""For each model the settings of its tables `model` and `training` that `--set` goes on from."""


def options(about: str, models: list[str], *, runs: str, results: Path, unit: str) -> argparse.ArgumentParser:
    """The options that all tables have; `unit` is what is foretold, in words."""
    parser = argparse.ArgumentParser(description=about)
    parser.set_defaults(unit=unit)
    parser.add_argument("--model", choices=models, default=models[0])
    parser.add_argument("--name", help="of the row, where a model is trained in several ways; the model's if not given")
    parser.add_argument("--to", type=Path, default=Path("runs") / runs, help="folder of the runs")
    parser.add_argument("--results", type=Path, default=results)
    parser.add_argument("--minutes", type=float, help="time to train; training.updates if not given")
    parser.add_argument("--transpose", type=int, default=5, help="semitones up and down; 0 to learn as written only")
    parser.add_argument("--own-key", type=float, default=0.5, help="share of the draws in which a piece is as written")
    parser.add_argument("--look-every", type=int, default=100, help="updates between looks at the validation pieces")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.NAME=VALUE")
    parser.add_argument("--quiet", action="store_true", help="print the row alone")
    return parser


def run(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The row that a command makes; what goes wrong is said in a sentence."""
    try:
        return make()
    except Interrupted:
        raise SystemExit("It was stopped, and nothing is lost: the same command goes on from there.") from None
    except PartimentoError as error:
        raise SystemExit(f"{error}") from error


def settings_of(chosen: argparse.Namespace, begun: Tables) -> tuple[Any, Training]:
    """The settings of the model and of its training, with what `--set` says.

    Args:
        chosen: the command's options.
        begun: what each model begins with.

    Raises:
        InvalidSettings: there is no such setting, or it cannot have the value.
    """
    tables = {table: dict(values) for table, values in begun[chosen.model].items()}
    tables["training"] |= {
        "device": chosen.device,
        "threads": chosen.threads,
        "seed": chosen.seed,
        "patience": None,
        "held_out_ids": 1 << 40,
        "evaluate_every": chosen.look_every,
    }
    for assignment in chosen.set:
        name, equals, value = assignment.partition("=")
        table, _, field = name.partition(".")
        if not equals or table not in tables:
            raise InvalidSettings(f"--set takes model.NAME=VALUE or training.NAME=VALUE, not {assignment!r}.")
        try:
            tables[table][field] = json.loads(value)
        except ValueError:
            tables[table][field] = value
    return (
        from_table(model_named(chosen.model).Settings, tables["model"], "model"),
        from_table(Training, tables["training"], "training"),
    )


def learnt(
    chosen: argparse.Namespace, begun: Tables, folder: Path, windows: dict[str, Windows], spec: Spec
) -> dict[str, Any]:
    """Train, or go on, to the end; the row without its figures, and the model.

    Args:
        chosen: the command's options.
        begun: what each model begins with.
        folder: of the run.
        windows: of the splits "train" and "valid".
        spec: of what they hold.
    """
    settings, training = settings_of(chosen, begun)
    with seeded(training.seed):
        model = cast(Any, model_named(chosen.model))(settings, spec)
    plan = folder / "plan.json"
    if plan.is_file():
        updates = json.loads(plan.read_text())["updates"]
    else:
        updates = training.updates
        if chosen.minutes:
            seconds = seconds_per_update(model, windows["train"], training)
            updates = max(1, int(chosen.minutes * 60 / seconds))
        write_text(plan, json.dumps({"updates": updates}))
    training = from_table(Training, {**to_table(training), "updates": updates}, "training")
    history = fit(
        model,
        windows["train"],
        windows["valid"],
        training,
        folder / "training",
        resume=True,
        watch=Bar(chosen.quiet, chosen.unit),
    )
    rows = history.rows
    return {
        "model": model,
        "minutes": rows[-1]["seconds"] / 60 if rows else 0.0,
        "updates": updates,
        "best_update": history.best_update,
        "settings": {"model": to_table(settings), "training": to_table(training)},
    }


class Bar:
    """Prints a line at each look at the validation pieces."""

    def __init__(self, quiet: bool, unit: str) -> None:
        self.quiet = quiet
        self.unit = unit
        self.last: float | None = None

    def __call__(self, progress: Progress) -> None:
        """Hear of an update."""
        found = progress.facts.get("held-out loss")
        if found is not None and found != self.last and not self.quiet:
            self.last = found
            print(f"{progress.done:.0f} of {progress.total:.0f} updates: {found:.4f} {self.unit}", flush=True)


def commit() -> str:
    """The commit of the code, with a + where files have changed since."""
    git = ["git", "-C", str(HERE)]
    head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False)
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "") if head.returncode == 0 else "unknown"


def keep(row: dict[str, Any], results: Path) -> None:
    """Put a row into the results, in place of an older one of the same name."""
    rows = json.loads(results.read_text()) if results.is_file() else []
    rows = [old for old in rows if (old["set"], old["name"]) != (row["set"], row["name"])] + [row]
    write_text(results, json.dumps(sorted(rows, key=lambda r: (r["set"], r["name"])), indent=1) + "\n")


def show(row: dict[str, Any]) -> None:
    """Print a row as a table."""
    print("| set | model | parameters | minutes | valid | test |\n|---|---|---:|---:|---:|---:|")
    print(
        f"| {row['set']} | {row['name']} | {row.get('parameters', 0):,} | {row.get('minutes', 0):.1f} |",
        f"{row['valid']:.4f} | {row['test']:.4f} |",
    )


def in_keys(
    pieces: list[NDArray[Any]], transposed: Callable[[NDArray[Any], int], NDArray[Any] | None], keys: int, own: float
) -> tuple[list[NDArray[Any]], NDArray[np.float64]]:
    """Pieces in every key up to so many semitones up and down, and how often each copy is drawn: once a piece in all.

    Args:
        pieces: as they are written.
        transposed: a piece so many semitones higher, or None where it would not fit.
        keys: semitones.
        own: how often a piece is drawn in its own key; the other keys share the rest.
    """
    copies, weights = [], []
    for piece in pieces:
        others = [copy for n in range(-keys, keys + 1) if n and (copy := transposed(piece, n)) is not None]
        copies += [piece, *others]
        weights += [own if others else 1.0, *([(1 - own) / len(others)] * len(others) if others else [])]
    return copies, np.array(weights)


def finished(row: dict[str, Any], chosen: argparse.Namespace, begun: Tables) -> dict[str, Any]:
    """The row of a command that was given before.

    Raises:
        InvalidSettings: it was another command.
    """
    if chosen.model in begun:
        asked = [to_table(value) for value in settings_of(chosen, begun)]
        had = [row["settings"]["model"], {**row["settings"]["training"], "updates": asked[1]["updates"]}]
        if asked != had or (row["transpose"] and row["own_key"] != chosen.own_key):
            raise InvalidSettings(f"{chosen.to} has a row {row['name']!r} of other settings: give this one a --name.")
    return row
