"""Showing: a model's layers are told truly, and a bundle is shown whatever it says, without torch."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from partimento.bundle import Bundle, open_bundle, write_bundle
from partimento.cli import app
from partimento.codec import RollSpec, TokenSpec
from partimento.errors import InvalidSettings, PartimentoError
from partimento.model import Batch, Model, model_named, models
from partimento.render.drawing import SCALE, Boxes, Text
from partimento.render.network import MOST_LAYERS, Layer, draw, network
from partimento.showing import shown
from partimento.training.anatomy import layers_of

from little import Crotchets, write_player
from test_model_laws import SMALL

SPECS = (TokenSpec(12, 9, 10, 11), RollSpec(1, 60, 12, 4), RollSpec(1, 21, 88, 4), RollSpec(2, 24, 78, 4))


def made(name: str) -> Model:
    """The model, small, for the first spec that it takes."""
    kind = model_named(name)
    for spec in SPECS:
        try:
            return kind(kind.Settings(**SMALL.get(name, {})), spec)  # type: ignore[call-arg]
        except InvalidSettings:
            continue
    raise AssertionError(f"{name} takes none of {SPECS}")


@pytest.mark.parametrize("name", sorted(models()))
def test_the_layers_of_every_model_are_all_that_it_learns(name: str) -> None:
    model = made(name)
    if not isinstance(model, nn.Module):
        model.count([np.array([10, 0, 1, 2, 0, 11])])  # type: ignore[attr-defined]
        layers = layers_of(model)
        assert sum(layer["parameters"] for layer in layers) == sum(array.size for array in model.arrays().values())
        return
    before = {key: np.array(array) for key, array in model.arrays().items()}
    random, training = torch.random.get_rng_state(), model.training
    layers = layers_of(model)
    assert json.loads(json.dumps(layers)) == layers
    assert sum(layer["parameters"] for layer in layers) == sum(p.numel() for p in model.parameters())
    learnt = {id(p) for parameters in model.sides().values() for p in parameters}  # type: ignore[operator]
    for layer in layers:  # a layer that is trained was computed, and its shape noted
        module = model.get_submodule(layer["name"]) if layer["name"] != name else model
        if learnt & {id(p) for p in module.parameters(recurse=False)} and not list(module.children()):
            assert layer["shape"] is not None or layer["name"] == name, layer
    assert torch.equal(random, torch.random.get_rng_state())
    assert model.training == training
    for key, array in model.arrays().items():
        np.testing.assert_array_equal(array, before[key])


def test_the_classic_stack_has_the_shapes_and_parameters_of_its_formulas() -> None:
    kind = model_named("lstm")
    stack = ("cell 512", "dropout 0.3", "cell 512", "dense 256 relu", "norm")
    model = kind(kind.Settings(input="one-hot", stack=stack), TokenSpec(300, 0, 1, 2))  # type: ignore[call-arg]
    found = {layer["name"]: (layer["kind"], layer["shape"], layer["parameters"]) for layer in layers_of(model)}
    assert found == {  # torch's LSTM has two biases where Keras's has one: 4 H (I + H + 2)
        "stack.0": ("LSTM", ["B", "T", 512], 4 * 512 * (300 + 512 + 2)),
        "stack.1": ("Dropout", ["B", "T", 512], 0),
        "stack.2": ("LSTM", ["B", "T", 512], 4 * 512 * (512 + 512 + 2)),
        "stack.3.0": ("Linear", ["B", "T", 256], 256 * 513),
        "stack.3.1": ("ReLU", ["B", "T", 256], 0),
        "stack.4": ("LayerNorm", ["B", "T", 256], 512),
        "head": ("Linear", ["BT", 300], 300 * 257),
    }


class Pair(nn.Module):
    """Two sides that share an embedding, one of which meddles with its own state while it computes."""

    name = "pair"
    spec = TokenSpec(12, 9, 10, 11)

    def __init__(self) -> None:
        super().__init__()
        self.critic = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.BatchNorm1d(3))
        self.maker = nn.ModuleDict({"shared": nn.Embedding(12, 4), "twin": nn.Linear(4, 12, bias=False)})
        self.maker["twin"].weight = self.maker["shared"].weight
        self.bias = nn.Parameter(torch.zeros(12))
        self.unused = nn.Linear(2, 2)
        self.seen = nn.Parameter(torch.zeros(1), requires_grad=False)

    def sides(self) -> dict[str, list[nn.Parameter]]:
        return {"maker": [*self.maker.parameters(), self.bias], "critic": list(self.critic.parameters())}

    def loss(self, batch: Batch, side: str) -> dict[str, Tensor]:
        self.seen.data += 1
        h = self.maker["shared"](batch.x)
        if side == "critic":
            return {"loss": self.critic(h.flatten(0, 1)).mean()}
        return {"loss": (self.maker["twin"](h) + self.bias + torch.rand(1)).mean()}


def test_sides_are_told_apart_and_shared_numbers_count_once() -> None:
    pair = Pair()
    layers = {layer["name"]: layer for layer in layers_of(pair)}  # type: ignore[arg-type]
    assert list(layers) == [
        *("maker.shared", "maker.twin", "critic.0", "critic.1", "critic.2"),  # as they are computed
        *("pair", "unused"),
    ]
    assert [layer["side"] for layer in layers.values()] == ["maker", "maker", "critic", "critic", "critic", "", ""]
    assert layers["maker.shared"]["parameters"] == 48
    assert layers["maker.twin"]["parameters"] == 0
    assert layers["pair"]["parameters"] == 13
    assert layers["pair"]["arrays"] == {"bias": [12], "seen": [1]}
    assert layers["unused"]["shape"] is None
    assert float(pair.seen) == 0
    assert float(pair.critic[2].num_batches_tracked) == 0  # type: ignore[arg-type]


def test_a_model_that_takes_no_such_batch_is_told_by_its_arrays() -> None:
    class Stubborn(Pair):
        def loss(self, batch: Batch, side: str) -> dict[str, Tensor]:
            raise ValueError("never")

    layers = layers_of(Stubborn())  # type: ignore[arg-type]
    assert {layer["name"] for layer in layers} >= {"maker.shared", "critic.0"}
    assert all(layer["shape"] is None for layer in layers)


# bundles

LAYERS = [
    {"name": "embed", "kind": "Embedding", "shape": ["B", "T", 8], "parameters": 96, "arrays": {"weight": [12, 8]}},
    {"name": "drop", "kind": "Dropout", "shape": ["B", "T", 8], "parameters": 0, "arrays": {}},
    {"name": "head", "kind": "Linear", "shape": ["BT", 12], "parameters": 96, "arrays": {"weight": [12, 8]}},
]


def bundle_with(folder: Path, facts: dict[str, Any]) -> Bundle:
    arrays = {"stack.0.weight": np.zeros((3, 4), np.float32), "stack.0.bias": np.zeros(3, np.float32)}
    return write_bundle(
        folder,
        recipe={"about": "Crotchets alone.", "codec": {"name": "crotchets", "ticks": 4}, "model": {"width": 8}},
        codec_name="crotchets",
        codec=Crotchets(Crotchets.Settings()),
        model_name="lstm",
        arrays=arrays | {"bias": np.zeros(5, np.float32)},
        export=write_player,
        facts=facts,
    )


def test_what_training_noted_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = {
        "layers": LAYERS,
        "pieces": 92,
        "notes": 58_123,
        "splits": {"train": {"pieces": 80, "notes": 50_000}},
        "data_licence": "CC BY-SA 4.0",
        "scores": {"test, bits per note": 3.25},
        "ended_early": True,
    }
    bundle = bundle_with(tmp_path / "model", facts)
    app(["show", str(bundle.folder), "--to", str(tmp_path / "net.svg")], result_action="return_value")
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert said[0] == "lstm on crotchets: Crotchets alone."
    for line in (
        "embed Embedding B × T × 8 96 weight 12 × 8",
        "drop Dropout B × T × 8 0",
        "head Linear BT × 12 96 weight 12 × 8",
        "all 192",
        "learnt from 92 pieces, 58,123 notes",
        "train pieces 80 pieces, 50,000 notes",
        "licence of that music CC BY-SA 4.0",
        "ended early yes",
        f"digest {bundle.digest}",
        "test, bits per note 3.25",
    ):
        assert line in said, line
    assert (tmp_path / "net.svg").exists()


def test_an_older_bundle_is_shown_by_its_arrays(tmp_path: Path) -> None:
    made = shown(bundle_with(tmp_path / "model", {}))
    assert not made.noted
    assert {layer.name: (layer.parameters, dict(layer.arrays)) for layer in made.layers} == {
        "stack.0": (15, {"weight": (3, 4), "bias": (3,)}),
        "bias": (5, {"bias": (5,)}),
    }
    assert "not noted" in made.reading
    assert "not stated" in made.licence
    made.draw(tmp_path / "net.png")
    with Image.open(tmp_path / "net.png") as image:
        assert image.width == 940 * SCALE


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=12), inner, max_size=4)),
    max_leaves=12,
)
FORGED = st.fixed_dictionaries(
    {"name": JSON, "kind": JSON, "shape": JSON, "parameters": JSON, "arrays": JSON}, optional={"side": JSON}
)


@pytest.fixture(scope="module")
def anything(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_with(tmp_path_factory.mktemp("bundles") / "model", {})


@given(facts=st.dictionaries(st.text(max_size=12), JSON), layers=st.one_of(JSON, st.lists(FORGED, max_size=3)))
def test_whatever_a_stranger_says_is_shown_as_text(anything: Bundle, facts: dict[str, Any], layers: Any) -> None:
    known = dict(zip(("scores", "splits", "about"), facts.values(), strict=False))
    made = shown(dataclasses.replace(anything, facts={**facts, **known, "layers": layers}))
    tables = [made.layer_table(), made.facts_table(), made.scores_table()]
    cells = [cell for table in tables if table for row in table.rows for cell in row if isinstance(cell, str)]
    assert all(cell.isprintable() for cell in [*cells, made.title, made.about, made.licence])
    network(made.layers, made.title, made.about)


def test_show_needs_no_torch(tmp_path: Path) -> None:
    bundle_with(tmp_path / "model", {"layers": LAYERS})
    code = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'matplotlib', 'verovio', 'music21'): sys.modules[name] = None\n"
        "sys.argv = ['partimento', 'show', 'model', '--to', 'net.png']\n"
        "from partimento.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Embedding" in done.stdout
    assert (tmp_path / "net.png").stat().st_size > 1000


# pictures

SOME = [
    Layer("embed", "Embedding", ("B", "T", 256), 1000, {"weight": (4, 250)}),
    Layer("stack.0", "LSTM", ("B", "T", 512), 3000, {"weight": (30, 100)}),
    Layer("stack.1", "Dropout", ("B", "T", 512)),
    Layer("head", "Linear", ("BT", 32), 500, {"weight": (5, 100)}),
]


def bars(layers: list[Layer], colour: str | None = None) -> list[tuple[float, float, float, float]]:
    """The bars of the layers, from top to bottom: centred, and longer than anything in the legend."""
    shapes = [s for s in network(layers, "x").shapes if isinstance(s, Boxes)]
    found = [box for s in shapes if colour in (None, s.fill) for box in s.boxes if box[0] + box[2] / 2 == 500]
    return [box for box in found if box[2] >= 34]


def test_a_layer_that_gives_more_is_wider_and_one_that_learns_nothing_thin() -> None:
    embed, lstm, dropout, head = bars(SOME)
    assert lstm[2] == dropout[2] > embed[2] > head[2]
    assert lstm[3] == embed[3] == head[3] > dropout[3]
    assert [box[1] for box in (embed, lstm, dropout, head)] == sorted(box[1] for box in bars(SOME))


def test_a_picture_says_all_that_the_table_says(tmp_path: Path) -> None:
    words = [shape.text for shape in network(SOME, "title", "about").shapes if isinstance(shape, Text)]
    for text in ("title", "about", "LSTM", "stack.0", "B × T × 512", "3,000", "recurrent", "4,500 parameters"):
        assert text in words
    draw(SOME, tmp_path / "net.svg", title="a <b> & c")
    draw(SOME, tmp_path / "again.svg", title="a <b> & c")
    assert (tmp_path / "net.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()
    assert "a <b> & c" in ET.parse(tmp_path / "net.svg").getroot().itertext()
    with pytest.raises(PartimentoError, match=r"\.png or \.svg"):
        draw(SOME, tmp_path / "net.pdf", title="x")


def test_sides_have_headings() -> None:
    layers = [
        Layer(name, "Linear", (3,), 9, side=side) for name, side in zip("abc", ("maker", "critic", ""), strict=True)
    ]
    words = [shape.text for shape in network(layers, "x").shapes if isinstance(shape, Text)]
    order = ("maker", "a", "critic", "b", "of no side", "c")
    assert [word for word in words if word in order] == [*order]


@given(st.integers(0, 3 * MOST_LAYERS), st.text(max_size=300))
def test_nothing_lies_outside_of_the_picture(count: int, name: str) -> None:
    drawing = network([Layer(f"{name}{n}", name, ("B", 2 ** (n % 60)), n) for n in range(count)], name, name)
    for shape in drawing.shapes:
        if isinstance(shape, Boxes):
            assert all(x >= 0 and y >= 0 for x, y, _, _ in shape.boxes)
            assert all(x + w <= drawing.width and y + h <= drawing.height for x, y, w, h in shape.boxes)
        else:
            assert 0 < shape.y < drawing.height
    more = [shape.text for shape in drawing.shapes if isinstance(shape, Text) and re.search("and .* more", shape.text)]
    assert bool(more) >= (count > MOST_LAYERS)


def test_a_bundle_that_is_none_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PartimentoError, match="nothing is there"):
        open_bundle(tmp_path / "nowhere")
