"""Commands that another program gives: what comes of each, and what becomes of them when that program dies."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from partimento.files import write

from music import tune

LONG = ["training.updates=100000", "training.length=64", "training.batch=4", 'model.stack=["cell 16"]']


def begun() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "partimento.cli.working"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def give(process: subprocess.Popen[str], folder: Path, *arguments: str) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps({"arguments": arguments, "folder": str(folder)}) + "\n")
    process.stdin.flush()


def answers(process: subprocess.Popen[str], folder: Path, *arguments: str) -> list[dict[str, Any]]:
    give(process, folder, *arguments)
    assert process.stdout is not None
    found = []
    while not found or "end" not in found[-1]:
        found.append(json.loads(process.stdout.readline()))
    return found


def test_commands_are_done_one_after_the_other(tmp_path: Path) -> None:
    with begun() as process:
        made = answers(process, tmp_path, "compose", "--to", "made", "--bars", "2", "--sound", "none")
        assert made[-1] == {"end": True, "why": ""}
        assert next(one["said"] for one in made if "said" in one).startswith("made/001.mid: ")
        bars = [one["progress"] for one in made if "progress" in one]
        assert (bars[-1]["done"], bars[-1]["total"], bars[-1]["unit"], bars[-1]["left"]) == (2, 2, "bars", 0)
        assert "already holds something" in answers(process, tmp_path, "compose", "--to", "made")[-1]["why"]
        assert "Unknown option" in answers(process, tmp_path, "compose", "--bogus")[-1]["why"]
        assert "nowhere" in answers(process, tmp_path, "inspect", "nowhere")[-1]["why"]
        assert answers(process, tmp_path, "recipes")[-1]["why"] == ""
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


def test_a_training_keeps_where_it_was_when_its_input_ends(tmp_path: Path) -> None:
    for seed in range(10):
        write(tune(seed, bars=16), tmp_path / "music" / f"{seed}.mid")
    words = ["train", "music", "--to", "run", "--recipe", "lstm"]
    for setting in LONG:
        words += ["--set", setting]
    with begun() as process:
        give(process, tmp_path, *words)
        assert process.stdout is not None
        done = 0.0
        while done < 200:
            answer = json.loads(process.stdout.readline())
            assert "end" not in answer, answer
            if "progress" in answer and answer["progress"]["job"] == "Training":
                done = answer["progress"]["done"]
        assert process.stdin is not None
        process.stdin.close()  # as where the studio has been killed
        began = time.monotonic()
        rest = [json.loads(line) for line in process.stdout]
        assert "nothing is lost" in rest[-1]["why"]
        assert process.wait(30) == 0
        assert time.monotonic() - began < 30
    assert (tmp_path / "run" / "training" / "last.safetensors").is_file()
