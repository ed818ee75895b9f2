"""The command line, whole: what a user types, and what a user then finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from partimento.files import read, write
from partimento.render.audio import measure
from partimento.score import bar_lines

from music import tune

TINY = [
    *("--set", "training.updates=30", "--set", "training.length=64", "--set", "training.batch=4"),
    *("--set", 'model.stack=["cell 16"]', "--set", "preparation.transpose=0"),
]
TINY_LSTM = ["--recipe", "lstm", *TINY]


def partimento(*arguments: object, where: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "partimento", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=where,
        env={**os.environ, "XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "2"},
        check=False,
    )


class Desk:
    """A folder with some music in it, and a shell there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "music").mkdir()
        for seed in range(12):
            write(tune(seed, bars=16), folder / "music" / f"tune {seed}.mid")
        (folder / "music" / "notes.txt").write_text("not music")
        (folder / "music" / "broken.mid").write_bytes(b"MThd\x00\x00")

    def run(self, *arguments: object) -> str:
        done = partimento(*arguments, where=self.folder, cache=self.folder / "cache")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fail(self, *arguments: object) -> str:
        done = partimento(*arguments, where=self.folder, cache=self.folder / "cache")
        assert done.returncode != 0
        assert "Traceback" not in done.stderr, done.stderr
        return done.stderr + done.stdout


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    made = Desk(tmp_path_factory.mktemp("desk"))
    made.run("train", "music", "--to", "run", *TINY_LSTM)
    made.run("compose", "run", "--to", "new", "-n", 2, "--bars", 4, "--seed", 5)
    return made


def test_inspect_reports_every_file_once(desk: Desk) -> None:
    said = desk.run("inspect", "music", "--json", "report.json", "--picture", "report.png")
    report = json.loads((desk.folder / "report.json").read_text())
    named = [entry["path"] for entry in report["kept"] + report["left_out"]]
    assert sorted(named) == sorted(path.name for path in (desk.folder / "music").iterdir())
    assert {entry["path"] for entry in report["left_out"]} == {"notes.txt", "broken.mid"}
    assert "14 files, 12 pieces that serve" in said
    assert (desk.folder / "report.png").stat().st_size > 10_000


def test_a_run_holds_what_it_says(desk: Desk) -> None:
    run = desk.folder / "run"
    assert {"recipe.toml", "corpus.json", "curves.png", "bundle"} <= {path.name for path in run.iterdir()}
    facts = json.loads((run / "bundle" / "facts.json").read_text())
    assert facts["pieces"] == facts["splits"]["train"]["pieces"] < 12
    assert 0 < facts["scores"]["test, bits per note"] < 100
    assert "Markov baseline, test, bits per note" in facts["scores"]


def test_each_piece_sounds_and_has_a_picture(desk: Desk) -> None:
    for name in ("001", "002"):
        score = read(desk.folder / "new" / f"{name}.mid").score
        assert score.note_num() > 0
        sound = measure(desk.folder / "new" / f"{name}.wav")
        assert sound.rms > 0.001
        assert sound.seconds > 1
        assert (desk.folder / "new" / f"{name}.png").stat().st_size > 1000
        facts = json.loads((desk.folder / "new" / f"{name}.json").read_text())
        assert facts["seed"] == 5
        assert facts["request"]["bars"] == 4


@pytest.mark.parametrize("suffix", [".mid", ".json"])
def test_a_piece_is_made_again_byte_for_byte(desk: Desk, suffix: str) -> None:
    to = f"again{suffix}"
    desk.run("compose", "--again", f"new/002{suffix}", "--to", to, "--sound", "none", "run")
    assert (desk.folder / to / "002.mid").read_bytes() == (desk.folder / "new" / "002.mid").read_bytes()


def test_a_prompt_is_gone_on_from(desk: Desk) -> None:
    desk.run(
        "compose",
        "run",
        "--to",
        "on",
        "--prompt",
        "music/tune 3.mid",
        "--prompt-bars",
        2,
        "--bars",
        2,
        "--sound",
        "none",
    )
    facts = json.loads((desk.folder / "on" / "001.json").read_text())
    assert facts["prompt"]["from"] == "tune 3.mid"
    assert facts["made"]["begins_bar"] in (2, 3)  # the prompt's last bar may be filled up
    assert len(bar_lines(read(desk.folder / "on" / "001.mid").score)) == 4
    desk.run("compose", "run", "--to", "random", "--prompt", "random", "--notes", 20, "--sound", "none")
    assert json.loads((desk.folder / "random" / "001.json").read_text())["made"]["notes"] == 20
    seed = ("--prompt", "random", "--prompt-notes", 12)
    desk.run("compose", "run", "--to", "seeded", *seed, "--notes", 20, "--sound", "none")
    made = json.loads((desk.folder / "seeded" / "001.json").read_text())["made"]
    assert made["notes"] == 20
    assert read(desk.folder / "seeded" / "001.mid").score.note_num() == 12 + 20


def test_what_is_in_the_way_is_not_overwritten(desk: Desk) -> None:
    assert "already holds something" in desk.fail("compose", "run", "--to", "new")
    assert "--resume" in desk.fail("train", "music", "--to", "run", *TINY_LSTM)
    other = ("--minutes", 5, "--recipe", "vae", "--set", "training.seed=4")
    assert "model.name was lstm and is now vae" in desk.fail("train", "music", "--to", "run", "--resume", *other)
    assert "training.seed was 0 and is now 4" in desk.fail("train", "music", "--to", "run", "--resume", *other[-2:])
    assert (
        "there is nothing to go on with"
        in partimento(
            "train", "music", "--to", "run", "--resume", where=desk.folder, cache=desk.folder / "cache"
        ).stderr
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["inspect", "nowhere"], "nowhere"),
        (["train", "music", "--to", "x", "--recipe", "nonsense"], "There is no recipe 'nonsense'"),
        (["train", "music", "--to", "x", "--set", "model.cells=3"], "there is no setting model.cells"),
        (["train", "music", "--to", "x", "--set", "model.cell=3"], "model.cell"),
        (["train", "music", "--to", "x", "--set", "nonsense"], "--set takes name=value"),
        (["train", "music", "--to", "x", "--minutes", "inf"], "--minutes must be a number of minutes, more than 0"),
        (["train", "music", "--to", "x", "--minutes", "1", "--set", "training.updates = 2"], "Give either --minutes"),
        (["train", "music", "--to", "x", "--sample", "3"], "The sample of music has 3 pieces"),
        (["compose", "music", "--to", "x"], "holds no bundle"),
        (["compose", "--to", "x", "--prompt", "random"], "holds no music to draw a prompt from"),
        (["compose", "run", "--to", "x", "--bars", "4", "--notes", "4"], "ask for one of bars and notes"),
        (["compose", "run", "--to", "x", "--bars", "0"], "bars must be more than 0"),
        (["compose", "run", "--to", "x", "--temperature", "-1"], "temperature must be 0 or more"),
        (
            ["compose", "run", "--to", "x", "--prompt", "random", "--prompt-bars", "2", "--prompt-notes", "2"],
            "not both",
        ),
        (["compose", "run", "--to", "x", "--prompt", "random", "--prompt-notes", "0"], "must be 1 or more"),
        (["compose", "run", "--to", "x", "-n", "0"], "0 pieces cannot be made"),
        (["compose", "run", "--to", "x", "--prompt", "music/broken.mid"], "broken.mid"),
        (["compose", "run", "--to", "x", "--soundfont", "no.sf2"], "no.sf2"),
        (["compose", "--again", "music/tune 1.mid", "--to", "x"], "does not say how it was made"),
        (["render", "music/tune 1.mid", "--to", "x.docx"], ".png"),
        (["render", "music/none.mid", "--to", "x.png"], "none.mid"),
    ],
)
def test_a_mistake_gets_a_sentence(desk: Desk, arguments: list[str], sentence: str) -> None:
    assert sentence in " ".join(desk.fail(*arguments).split())
    assert not (desk.folder / "x").exists()


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf", "musicxml", "wav", "flac", "ogg", "mp3"])
def test_render_makes_what_the_suffix_says(desk: Desk, suffix: str) -> None:
    desk.run("render", "music/tune 1.mid", "--to", f"tune.{suffix}")
    assert (desk.folder / f"tune.{suffix}").stat().st_size > 1000


def test_an_svg_shows_the_score_or_a_piano_roll(desk: Desk) -> None:
    desk.run("render", "music/tune 1.mid", "--to", "score.svg")
    desk.run("render", "music/tune 1.mid", "--to", "roll.svg", "--view", "roll")
    assert "notehead" in (desk.folder / "score.svg").read_text("utf-8")
    assert "notehead" not in (desk.folder / "roll.svg").read_text("utf-8")
    assert "a score ends in" in desk.fail("render", "music/tune 1.mid", "--to", "x.png", "--view", "score")


def test_too_little_music_is_refused(desk: Desk) -> None:
    (desk.folder / "few").mkdir(exist_ok=True)
    for seed in range(3):
        write(tune(seed), desk.folder / "few" / f"{seed}.mid")
    assert "training needs at least 6" in " ".join(desk.fail("train", "few", "--to", "y").split())


def test_a_recipe_prints_as_a_recipe_file(desk: Desk) -> None:
    (desk.folder / "mine.toml").write_text(desk.run("recipes", "lstm"))
    desk.run("train", "music", "--to", "mine", "--recipe", "mine.toml", *TINY)
    assert "lstm" in desk.run("recipes")


def test_a_model_plays_without_what_trains(desk: Desk) -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'matplotlib', 'verovio', 'music21'): sys.modules[name] = None\n"
        "sys.argv = ['partimento', 'compose', 'run', '--to', 'bare', '--bars', '2']\n"
        "from partimento.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=desk.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert read(desk.folder / "bare" / "001.mid").score.note_num() > 0


def test_places_that_cannot_be_written_get_a_sentence(desk: Desk) -> None:
    (desk.folder / "file").write_text("in the way")
    assert "file" in desk.fail("train", "music", "--to", "file/run", *TINY_LSTM)
    assert "file" in desk.fail("compose", "run", "--to", "file/new")
    assert "file" in desk.fail("inspect", "music", "--json", "file/report.json")


def test_a_report_does_not_overwrite_music(desk: Desk) -> None:
    tune = next((desk.folder / "music").glob("*.mid"))
    before = tune.read_bytes()
    assert "--json writes a file that ends in .json" in desk.fail("inspect", "music", "--json", f"music/{tune.name}")
    assert tune.read_bytes() == before
