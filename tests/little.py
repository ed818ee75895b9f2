"""The smallest codec and the smallest step model that are real: for tests of what plays bundles."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from partimento.bundle import Bundle, write_bundle
from partimento.codec import Codec, Request, TokenSpec
from partimento.errors import ImpossibleRequest
from partimento.score import Note, Score, Track, note_array
from partimento.settings import settings

LOW, PITCHES = 60, 24
REST = 3 + PITCHES
SPEC = TokenSpec(vocab_size=REST + 1, pad=0, bos=1, eos=2)


class Crotchets(Codec[TokenSpec]):
    """One voice in crotchets: 24 pitches from middle C on and a rest; 4/4 at 120 to the minute."""

    name = "crotchets"

    @settings
    class Settings:
        ticks: int = 4

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.learnt = 0

    spec = SPEC  # type: ignore[assignment]

    def encode(self, score: Score) -> NDArray[np.int64]:
        ids: list[int] = []
        for note in note_array(score.resample(self.settings.ticks)):
            beat = int(note["onset"]) // self.settings.ticks
            if LOW <= note["pitch"] < LOW + PITCHES and note["program"] >= 0 and beat >= len(ids):
                ids += [REST] * (beat - len(ids)) + [3 + int(note["pitch"]) - LOW]
        return np.array(ids, dtype=np.int64)

    def decode(self, x: NDArray[np.int64]) -> Score:
        track = Track("", 0)
        track.notes.extend(
            Note(beat * self.settings.ticks, self.settings.ticks, LOW + int(id) - 3, 80)
            for beat, id in enumerate(x.tolist())
            if 3 <= id < REST
        )
        score = Score(self.settings.ticks)
        score.tracks.append(track)
        return score

    def grammar(self) -> CrotchetGrammar:
        return CrotchetGrammar()

    def save(self, folder: Path) -> None:
        (folder / "learnt.json").write_text(json.dumps(self.learnt))

    @classmethod
    def load(cls, folder: Path, settings: Any) -> Crotchets:
        made = cls(settings)
        made.learnt = json.loads((folder / "learnt.json").read_text())
        return made


class CrotchetGrammar:
    """Counts beats: exact bars and notes, at most so many seconds, no long silence."""

    keeps_key = False

    def __init__(self) -> None:
        self.acted: Counter[str] = Counter()

    def start(self, request: Request) -> None:
        if request.bars and request.bars > 1000:
            raise ImpossibleRequest("Nobody wants to count so many bars.")
        self.request, self.beats, self.notes, self.silent = request, 0, 0, 0
        self.first = 0

    def begin(self) -> None:
        self.first, self.beats, self.notes = self.beats % 4, 0, 0

    def advance(self, id: int) -> None:
        self.beats += 1
        self.notes += id != REST
        self.silent = self.silent + 1 if id == REST else 0

    def beyond(self) -> None:
        return None

    def mask(self) -> NDArray[np.bool_]:
        mask = np.ones(SPEC.vocab_size, dtype=np.bool_)
        mask[[SPEC.pad, SPEC.bos]] = False
        if self.silent >= self.request.longest_silence:
            mask[REST] = False
            self.acted["silence"] += 1
        beats = {"bars": 4, "seconds": 2}
        for name, value in (("bars", self.beats), ("seconds", self.beats), ("notes", self.notes)):
            asked = getattr(self.request, name)
            if asked is not None:
                over = value >= asked * beats.get(name, 1)
                mask[3:] &= not over
                mask[SPEC.eos] = over
        return mask


def step_graph(
    vocab_size: int = SPEC.vocab_size, seed: int = 0, bias: dict[int, float] | None = None
) -> onnx.ModelProto:
    """h' = tanh(0.5 h + E[ids]); logits = h' W + b."""
    rng = np.random.default_rng(seed)
    b = np.zeros(vocab_size, np.float32)
    for id, value in (bias or {}).items():
        b[id] = value
    weights = {
        "E": rng.normal(size=(vocab_size, 8)).astype(np.float32),
        "W": rng.normal(size=(8, vocab_size)).astype(np.float32),
        "b": b,
        "half": np.array(0.5, np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["E", "ids"], ["e"]),
        helper.make_node("Mul", ["h", "half"], ["faded"]),
        helper.make_node("Add", ["faded", "e"], ["sum"]),
        helper.make_node("Tanh", ["sum"], ["next_h"]),
        helper.make_node("Gemm", ["next_h", "W", "b"], ["logits"]),
    ]

    def value(name: str, kind: int, *shape: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, ["B", *shape])

    graph = helper.make_graph(
        nodes,
        "step",
        [value("ids", TensorProto.INT64), value("h", TensorProto.FLOAT, 8)],
        [value("logits", TensorProto.FLOAT, vocab_size), value("next_h", TensorProto.FLOAT, 8)],
        [numpy_helper.from_array(a, name) for name, a in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def write_player(folder: Path, **more: Any) -> str:
    """`step.onnx` and `player.json` of the smallest step model."""
    folder.mkdir(exist_ok=True)
    (folder / "step.onnx").write_bytes(step_graph(**more).SerializeToString())
    states = {"h": {"shape": [8], "dtype": "float32"}}
    described = {"player": "step", "vocab_size": more.get("vocab_size", SPEC.vocab_size), "states": states}
    (folder / "player.json").write_text(json.dumps(described))
    return "step"


def write_little_bundle(folder: Path, recipe: dict[str, Any] | None = None, **more: Any) -> Bundle:
    """A whole bundle; `partimento.bundle.codec_named` must know `Crotchets`."""
    return write_bundle(
        folder,
        recipe=recipe
        or {"about": "Crotchets alone.", "codec": {"name": "crotchets", "ticks": 4}, "model": {"width": 8}},
        codec_name="crotchets",
        codec=Crotchets(Crotchets.Settings()),
        model_name="lstm",
        arrays={"W": np.arange(12, dtype=np.float32).reshape(3, 4), "n": np.array([7])},
        export=lambda path: write_player(path, **more),
        facts={"pieces": 92, "notes": 58_123, "data_licence": "CC BY-SA 4.0", "scores": {"loss": 3.25}, "seed": 1},
    )


def tune(*pitches: int | None, ticks: int = 480, program: int = 0) -> Score:
    """Crotchets of these pitches, None for a rest."""
    track = Track("", program)
    track.notes.extend(Note(i * ticks, ticks, p, 64) for i, p in enumerate(pitches) if p is not None)
    score = Score(ticks)
    score.tracks.append(track)
    return score
