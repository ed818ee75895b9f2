"""Real codecs and real models through a bundle: what is trained is what plays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from partimento.bundle import Bundle, open_bundle, write_bundle
from partimento.codec import Request, codec_named
from partimento.generation import generate
from partimento.model import Counted, model_named
from partimento.score import Note, Score, Track, bar_lines, end_tick, note_array
from partimento.settings import from_table, to_table

MODELS = {"markov": {}, "lstm": {"stack": ["cell 24"]}}


def song(rng: np.random.Generator) -> Score:
    """Eight bars of melody and bass in C."""
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    score = Score(480)
    for low, step in ((60, 240), (36, 960)):
        track = Track("", 0)
        for i in range(8 * 1920 // step):
            track.notes.append(Note(i * step, step, low + int(rng.choice(scale)), int(rng.choice([60, 80]))))
        score.tracks.append(track)
    return score


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Bundle]:
    """A bundle of this codec and this model on a few songs; learnt by counting, or not at all."""
    made: dict[tuple[str, str], Bundle] = {}

    def make(codec_name: str, model_name: str) -> Bundle:
        if (codec_name, model_name) not in made:
            rng = np.random.default_rng(0)
            songs = [song(rng) for _ in range(12)]
            kind, network = codec_named(codec_name), model_named(model_name)
            codec = kind(kind.Settings())
            codec.learn(songs)
            model = network(from_table(network.Settings, MODELS[model_name], "model"), codec.spec)
            if isinstance(model, Counted):
                ends: list[NDArray[np.int64]] = [np.array([codec.spec.bos]), np.array([codec.spec.eos])]
                model.count(np.concatenate([ends[0], codec.encode(s), ends[1]]) for s in songs)
            made[codec_name, model_name] = write_bundle(
                tmp_path_factory.mktemp("bundles") / "model",
                recipe={"codec": {"name": codec_name, **to_table(codec.settings)}, "model": to_table(model.settings)},
                codec_name=codec_name,
                codec=codec,
                model_name=model_name,
                arrays=model.arrays(),
                export=model.export,
                facts={"pieces": len(songs)},
            )
        return open_bundle(made[codec_name, model_name].folder)

    return make


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("codec", ["chords", "tokens"])
class TestPairs:
    def test_so_many_bars_are_so_many(self, bundled: Callable[[str, str], Bundle], codec: str, model: str) -> None:
        made = list(generate(bundled(codec, model), request=Request(bars=4), n=3, seed=1))
        for piece in made:
            assert piece.notes > 0
            assert len(bar_lines(piece.score)) <= 4
            assert not any("cut" in remark for remark in piece.remarks)
        again = list(generate(bundled(codec, model), request=Request(bars=4), n=3, seed=1))
        assert [p.encoded.tolist() for p in made] == [p.encoded.tolist() for p in again]

    def test_so_many_notes_are_so_many(self, bundled: Callable[[str, str], Bundle], codec: str, model: str) -> None:
        (piece,) = generate(bundled(codec, model), request=Request(notes=40), seed=2)
        assert piece.notes == 40

    def test_so_many_seconds_are_not_passed(
        self, bundled: Callable[[str, str], Bundle], codec: str, model: str
    ) -> None:
        (piece,) = generate(bundled(codec, model), request=Request(seconds=9.0), seed=3)
        assert 4 < piece.seconds <= 9.01

    def test_a_song_goes_on(self, bundled: Callable[[str, str], Bundle], codec: str, model: str) -> None:
        prompt = song(np.random.default_rng(99))
        (piece,) = generate(bundled(codec, model), prompt=prompt, request=Request(bars=3), seed=4)
        assert len(bar_lines(piece.score)) <= 11
        heard, understood = note_array(prompt), note_array(piece.score)[: prompt.note_num()]
        ticks = piece.score.ticks_per_quarter / 480
        assert piece.begins >= heard["onset"][-1] * ticks, "what is new begins with the prompt's last notes or later"
        assert piece.begins_bar == piece.begins // (4 * piece.score.ticks_per_quarter) + 1
        early = slice(0, -2)  # notes may come to the last chord
        assert understood["pitch"][early].tolist() == heard["pitch"][early].tolist()
        assert understood["onset"][early].tolist() == (heard["onset"][early] * ticks).tolist()
        assert end_tick(piece.score) > 8 * 1920 * ticks
        assert piece.score.note_num() == prompt.note_num() + piece.notes
        assert piece.remarks == ()


def test_playing_needs_no_torch(bundled: Callable[[str, str], Bundle]) -> None:
    program = (
        "import sys; from pathlib import Path; from partimento.bundle import open_bundle; "
        "from partimento.generation import generate; from partimento.codec import Request; "
        "(made,) = generate(open_bundle(Path(sys.argv[1])), request=Request(bars=2)); "
        "print(made.notes > 0, sorted({'torch', 'onnx', 'matplotlib'} & set(sys.modules)))"
    )
    folder = bundled("chords", "lstm").folder
    done = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True []\n", "")
