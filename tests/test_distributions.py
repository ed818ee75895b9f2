"""Distributions: what is drawn of two sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from partimento.errors import PartimentoError
from partimento.render.distributions import HUMAN, Distribution, distributions, draw
from partimento.render.drawing import Boxes, Text
from partimento.render.style import BLUE, VERMILION

AT = np.linspace(0.0, 10.0, 201)


def bump(middle: float) -> np.ndarray:
    shares = np.exp(-((AT - middle) ** 2))
    return np.asarray(shares / shares.sum())


CURVE = Distribution("note density", "notes a beat", AT, bump(7), bump(3), inside=False)
BARS = Distribution("durations", "beats", np.empty(0), np.array([0.2, 0.8]), np.array([1.0, 0.0]), None, ("1/2", "1"))


def test_both_sets_lie_where_their_figures_are() -> None:
    drawing = distributions([CURVE], "Two sets")
    (area,), (line,) = ([s for s in drawing.shapes if isinstance(s, Boxes) and s.fill == c][1:] for c in (HUMAN, BLUE))
    tallest = max(area.boxes, key=lambda box: box[3])
    highest = min(line.boxes, key=lambda box: box[1])
    left, wide = 24.0, max(x for x, *_ in [*area.boxes, *line.boxes]) - 24
    assert (tallest[0] - left) / wide == pytest.approx(0.3 / 0.93, abs=0.05)
    assert highest[0] - left > 2 * (tallest[0] - left)
    assert tallest[1] == pytest.approx(highest[1], abs=3)  # as high as one another


@pytest.mark.parametrize("all_alike", [1.0, 0.0, 0.1, 2.0, 120.0, 1e-6])
def test_figures_that_are_all_alike_are_drawn(all_alike: float) -> None:
    """As those of tunes for one voice are: of all of them one note sounds at once."""
    spread = 0.15 * max(all_alike, 1e-7)
    at = np.linspace(all_alike - spread, all_alike + spread, 201)
    one = Distribution("polyphony", "pitches", at, bump(5), bump(5), inside=True)
    numbers = [text.text for text in distributions([one], "Alike").shapes if isinstance(text, Text)]
    assert sum(text.replace(".", "").replace("-", "").replace("e", "").isdigit() for text in numbers) >= 2


def test_what_lies_outside_is_said_in_words_and_nothing_else_is() -> None:
    said = [
        s.text for s in distributions([CURVE, BARS], "Two sets").shapes if isinstance(s, Text) and s.fill == VERMILION
    ]
    assert said == ["outside"]


def test_bars_are_as_tall_as_their_shares() -> None:
    shapes = [s for s in distributions([BARS], "Two sets").shapes if isinstance(s, Boxes)]
    human, made = (next(s for s in shapes[2:] if s.fill == colour).boxes for colour in (HUMAN, BLUE))
    assert len(human) == 1
    assert [box[3] / human[0][3] for box in made] == pytest.approx([0.2, 0.8])


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_figures_give_the_same_picture(suffix: str, tmp_path: Path) -> None:
    files = [tmp_path / f"{n}{suffix}" for n in range(2)]
    for file in files:
        draw([CURVE, BARS, CURVE, CURVE, CURVE], file, title="Two sets")
    assert files[0].read_bytes() == files[1].read_bytes()
    if suffix == ".png":
        with Image.open(files[0]) as image:
            assert image.size[0] == 1880


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PartimentoError, match=r"\.png"):
        draw([CURVE], tmp_path / "it.txt", title="Two sets")
