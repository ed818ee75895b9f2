"""Every command of the README does what it says there, in its order, in one folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import partimento
from partimento.files import write
from partimento.recipes import USUAL

from commands import ROOT, commands_of, python_of, run
from music import tune
from visitor import Serving

README = (ROOT / "README.md").read_text("utf-8")
QUICK = {  # what makes minutes of a command seconds
    "train": ["--set", "plan.most_passes=1", "--set", "training.batch=4", "--set", "preparation.transpose=0"],
    "audition": ["--bars", "2", "--sound", "none"],
    "fill": ["--sound", "none"],
    "vary": ["--sound", "none"],
    "accompany": ["--sound", "none"],
    "harmonise": ["--sound", "none"],
    "interpolate": ["--steps", "2", "--sound", "none"],
    "compare": ["--minutes", "0.05", "--bars", "2", "--pieces", "2", "--sound", "none"],
}
SMALL = {  # by the recipe
    "lstm": ["--set", 'model.stack=["cell 16"]', "--set", "training.length=64"],
    "vae": ["--set", "model.encoder=16", "--set", "model.conductor=16", "--set", "model.decoder=16"],
    "nested": ["--set", "model.width=16", "--set", "model.heads=2", "--set", "model.inner=16"],
    "as it came": [],
}


def test_every_command_runs(tmp_path: Path) -> None:
    music = tmp_path / "my-music"
    music.mkdir()
    write(tune(0, bars=16), music / "tune.mid")
    write(tune(11, bars=16), music / "another.mid")
    for seed in range(1, 10):
        write(tune(seed, bars=16), music / f"{seed}.mid")
    commands = commands_of(README)
    assert len(commands) >= 8
    for words in commands:
        if words[1] == "studio":
            Serving(tmp_path / "studio").end()
            continue
        recipe = words[words.index("--recipe") + 1] if "--recipe" in words else USUAL
        recipe = "as it came" if "--from" in words else recipe
        quick = [*QUICK.get(words[1], []), *(SMALL.get(recipe, SMALL["lstm"]) if words[1] == "train" else [])]
        done = run([sys.executable, "-m", *words, *quick], tmp_path)
        assert done.returncode == 0, (words, done.stderr)
    done = run([sys.executable, "-c", python_of(README)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "notes" in done.stdout
    assert (tmp_path / "new-music" / "002.mid").read_bytes() == (tmp_path / "the-same" / "002.mid").read_bytes()


def test_every_make_target_and_every_file_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {words[1] for words in commands_of(README, "make")}
    assert {"demo", "test"} <= asked <= targets
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_tree_in_the_readme_is_the_tree() -> None:
    listed = set(re.findall(r"^ {4,}(\w+(?:\.py|/))", README, re.MULTILINE))
    package = ROOT / "src" / "partimento"
    there = {p.name for p in package.glob("*.py") if not p.name.startswith("__")}
    there |= {f"{p.name}/" for p in package.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert there <= listed, there - listed


@pytest.mark.parametrize("name", partimento.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(partimento, name) is not None
    assert name in dir(partimento)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['partimento', '--help']\n"
        "from partimento.cli import app\n"
        "try: app()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'miditok', 'onnxruntime', 'pydantic', 'symusic', 'verovio'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "compose" in done.stdout
