"""Streaming: that what is told while a piece is made is the piece."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from partimento.bundle import Bundle, write_bundle
from partimento.cli import app
from partimento.codec import Request
from partimento.errors import ImpossibleRequest
from partimento.generation import generate
from partimento.generation.streaming import stream
from partimento.heard import Heard
from partimento.models.lstm import Lstm
from partimento.score import Note, Score, note_array
from partimento.training.loop import seeded
from test_fill import bundle as bundle  # knows nothing but the grammar of cells

from music import tune


def told(score: Score) -> list[tuple[float, int, int]]:
    """Onset in quarters, pitch and program of each note."""
    notes = note_array(score)
    return [(n["onset"] / score.ticks_per_quarter, int(n["pitch"]), int(n["program"])) for n in notes]


@pytest.mark.parametrize("seed", range(3))
def test_what_is_told_is_what_is_made(bundle: Bundle, seed: int) -> None:
    heard: list[Heard] = []
    made = stream(bundle, heard.append, request=Request(bars=6), seed=seed)
    (same,) = generate(bundle, request=Request(bars=6), seed=seed)
    assert made.score == same.score
    assert [(note.onset, note.pitch, note.program) for note in heard] == told(made.score)
    bars = [note.bar for note in heard]
    assert bars == sorted(bars)
    assert bars[-1] == 6


@pytest.mark.parametrize("seed", range(4))
def test_a_track_keeps_its_number_however_often_is_looked(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    told_by = []
    for looking in (1e-9, 1e6):  # of the time: once, and at each step
        monkeypatch.setattr("partimento.generation.streaming.LOOKING", looking)
        heard: list[Heard] = []
        made = stream(bundle, heard.append, request=Request(bars=8), seed=seed)
        told_by.append(heard)
    assert told_by[0] == told_by[1]
    program: dict[int, int] = {}
    for note in told_by[0]:
        assert program.setdefault(note.track, note.program) == note.program
    assert sorted(program.values()) == sorted(-1 if t.is_drum else t.program for t in made.score.tracks)
    assert list(program) == list(range(len(program)))


def test_bars_are_told_before_the_piece_is_over(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partimento.generation.streaming.LOOKING", 1e6)  # look as often as can be
    grown: list[int] = []
    heard: list[Heard] = []
    write = __import__("partimento.sampling", fromlist=["_write"])._write

    def counted(pens: list[object], logits: np.ndarray) -> None:
        grown.append(len(heard))
        write(pens, logits)

    monkeypatch.setattr("partimento.sampling._write", counted)
    stream(bundle, heard.append, request=Request(bars=12), seed=1)
    assert 0 < grown[-1] < len(heard)
    assert len(set(grown)) > 4


def test_a_prompt_is_not_told(bundle: Bundle) -> None:
    heard: list[Heard] = []
    prompt = tune(2, bars=3)
    made = stream(bundle, heard.append, request=Request(bars=4), seed=2, prompt=prompt)
    old = set(told(bundle.codec().decode(bundle.codec().encode(prompt))))
    assert [(n.onset, n.pitch, n.program) for n in heard] == [note for note in told(made.score) if note not in old]
    assert len(heard) == made.notes
    assert min(note.bar for note in heard) >= 3


@pytest.mark.parametrize("seed", range(4))
def test_what_begins_while_a_prompt_rings_on_is_told(bundle: Bundle, seed: int) -> None:
    prompt = tune(2, bars=2)
    prompt.tracks[0].notes.append(Note(1920, 6 * 1920, 48, 80))  # to the end of all that comes
    heard: list[Heard] = []
    made = stream(bundle, heard.append, request=Request(bars=3), seed=seed, prompt=prompt.sort())
    assert len(heard) == made.notes > 0


def test_the_command_prints_lines_of_json(bundle: Bundle, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["compose", str(bundle.folder), "--stream", "--bars", "4", "--seed", "1"]
    app(words, result_action="return_value")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["end"] is True
    assert lines[-1]["notes"] == len(lines) - 1 > 0
    assert set(lines[0]) == {"bar", "onset", "duration", "seconds", "pitch", "velocity", "program", "track"}
    for wrong in (["--to", str(tmp_path / "new")], ["-n", "2"], ["--best", "1"], ["--chords", "C"]):
        with pytest.raises(ImpossibleRequest, match="--stream"):
            app([*words, *wrong], result_action="return_value")
    with pytest.raises(ImpossibleRequest, match="Say where to"):
        app(words[:2], result_action="return_value")


def test_a_model_of_tokens_is_heard_as_well(tmp_path: Path) -> None:
    from partimento.codecs.tokens import Tokens

    codec = Tokens(Tokens.Settings())
    codec.learn([tune(seed) for seed in range(3)])
    with seeded(0):
        model = Lstm(Lstm.Settings(stack=("cell 16",), embedding=8), codec.spec).eval()
    own = write_bundle(
        tmp_path / "bundle",
        recipe={"about": "", "codec": {"name": "tokens"}, "model": {"name": "lstm"}},
        codec_name="tokens",
        codec=codec,
        model_name="lstm",
        arrays=model.arrays(),
        export=model.export,
        facts={},
    )
    heard: list[Heard] = []
    made = stream(own, heard.append, request=Request(bars=5), seed=3)
    assert [(note.onset, note.pitch, note.program) for note in heard] == told(made.score)
