"""The benchmark of the chorales: that what is read, transposed and mixed is what it says."""

from __future__ import annotations

import importlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from partimento.errors import Unreadable
from partimento.models.nested import Nested
from partimento.training.loop import seeded

PUBLISHED = Path(__file__).parent.parent / "benchmarks" / "published"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(PUBLISHED))
    yield importlib.import_module("chorales")
    for name in ("chorales", "rows"):
        sys.modules.pop(name, None)


def pieces(count: int) -> list[list[list[int]]]:
    """Four voices that hold and move, the alto resting now and then."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(count):
        steps = np.repeat(rng.integers(0, 5, (6, 4)) + np.array([70, 64, 58, 45]), 4, axis=0)
        steps[:4, 1] = -1
        made.append(steps.tolist())
    return made


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = {"train": pieces(3), "valid": pieces(2), "test": pieces(2)}
    (tmp_path / "Jsb16thSeparated.json").write_text(json.dumps(file))
    return tmp_path


def test_pieces_are_four_symbols_a_step(script: ModuleType, data: Path) -> None:
    found = script.read_pieces(data)["train"]
    assert len(found) == 3
    assert found[0].shape == (24, 4)
    assert (found[0][:4, 1] == script.REST).all()
    assert found[0][0, 0] + script.LOW == pieces(1)[0][0][0]


def test_another_file_is_refused(script: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="Jsb16thSeparated"):
        script.read_pieces(tmp_path)
    (tmp_path / "Jsb16thSeparated.json").write_text(json.dumps({"train": [[[60, 61]]], "valid": [], "test": []}))
    with pytest.raises(Unreadable, match="Jsb16thSeparated"):
        script.read_pieces(tmp_path)


def test_transposed_copies_keep_rests_and_lose_no_pitch(script: ModuleType) -> None:
    piece = np.array([[50, script.REST, 20, 3]])
    assert script.transposed(piece, 2).tolist() == [[52, script.REST, 22, 5]]
    assert script.transposed(piece, -3).tolist() == [[47, script.REST, 17, 0]]
    assert script.transposed(piece, -4) is None
    assert script.transposed(piece, 8) is None


def test_a_model_that_knows_nothing_scores_the_logarithm_of_its_symbols(script: ModuleType, data: Path) -> None:
    model = Nested(Nested.Settings(layers=1, width=8, heads=2, inner=8), script.SPEC).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    found = script.figures([model], script.read_pieces(data), 0, torch.device("cpu"))
    symbols = script.REST + 1  # the first voice may end the piece as well
    alike = (math.log(symbols + 1) + 3 * math.log(symbols)) / 4
    assert found == pytest.approx(dict.fromkeys(("valid", "test"), alike), abs=1e-4)


def test_a_mixture_is_the_mean_of_probabilities(script: ModuleType, data: Path) -> None:
    models = []
    for seed in range(2):
        with seeded(seed):
            models.append(Nested(Nested.Settings(layers=1, width=8, heads=2, inner=8), script.SPEC).eval())
    piece, cpu = script.read_pieces(data)["valid"][0], torch.device("cpu")
    each = [np.exp(script.log_probabilities(model, piece, cpu)) for model in models]
    np.testing.assert_allclose(np.exp(script.mixed(models, piece, 0, cpu)), np.mean(each, axis=0), rtol=1e-5)
    up, down = (np.exp(script.log_probabilities(models[0], piece + n * (piece != script.REST), cpu)) for n in (1, -1))
    expected = (each[0] + up + down) / 3
    np.testing.assert_allclose(np.exp(script.mixed(models[:1], piece, 1, cpu)), expected, rtol=1e-5)


def test_a_row_is_made_found_again_and_mixed(
    script: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--data", str(data), "--to", str(data / "runs"), "--results", str(data / "rows.json"), "--quiet"]
    small = ["model.layers=1", "model.width=16", "model.heads=2", "model.inner=16", "training.updates=3"]
    trained = [*where, "--transpose", "1", *(word for one in small for word in ("--set", one))]
    for words in ([*trained], [*trained], [*where, "--mix", "nested", "--keys", "1"], [*where, "--model", "uniform"]):
        monkeypatch.setattr(sys, "argv", ["chorales.py", *words])
        script.main()
    rows = {row["name"]: row for row in json.loads((data / "rows.json").read_text())}
    assert set(rows) == {"nested", "nested in 3 keys", "uniform"}
    assert rows["nested"]["updates"] == 3
    assert 0 < rows["nested"]["test"] < 5
    monkeypatch.setattr(sys, "argv", ["chorales.py", *trained, "--set", "model.dropout=0.5"])
    with pytest.raises(SystemExit, match="other settings"):
        script.main()
    monkeypatch.setattr(sys, "argv", ["chorales.py", *where, "--mix", "nobody"])
    with pytest.raises(SystemExit, match="no finished row"):
        script.main()
    assert capsys.readouterr().out.count("| nested |") == 2
