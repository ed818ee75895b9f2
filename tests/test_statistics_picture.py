"""The picture of a corpus: drawn for whatever a folder holds, whole or not at all, the same each time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from partimento.corpus.doctor import Doctor
from partimento.corpus.statistics import Summary, facts
from partimento.errors import InvalidSettings, MissingExtra
from partimento.render.statistics import draw
from partimento.score import Score, Track, note_array
from test_passages import tune


def statistics_of(*scores: Score, **counts: int) -> dict[str, Any]:
    """What the doctor would count, without files."""
    summary = Summary()
    for score in scores:
        summary.add(facts(score, note_array(score)))
    table = Doctor(Path(), None).discharge()[2] | summary.table()
    table["kept"] = table["splits"]["train"]["pieces"] = len(scores)
    table["left_out"] = counts
    table["files"] = len(scores) + sum(counts.values())
    return table


def drums() -> Score:
    score = tune(1)
    track = Track("", 0, True)
    track.notes.extend(score.tracks[0].notes)
    del score.tracks[0]
    score.tracks.append(track)
    return score


CORPORA = {
    "nothing": statistics_of(),
    "only what is left out": statistics_of(unreadable=3, duplicate=1),
    "one piece": statistics_of(tune(1)),
    "one note": statistics_of(tune(1, length=1)),
    "drums alone": statistics_of(drums()),
    "many": statistics_of(*(tune(seed, 20 + 9 * seed, 1 + seed % 3) for seed in range(30)), duplicate=4),
}


@pytest.mark.parametrize("name", CORPORA)
def test_every_corpus_has_a_picture(tmp_path: Path, name: str) -> None:
    draw(CORPORA[name], tmp_path / "corpus.png")
    with Image.open(tmp_path / "corpus.png") as image:
        assert image.width > 1200
        assert image.height > 800
        colours = image.convert("RGB").getcolors(1 << 24)
    assert colours is not None
    assert len(colours) > 20, "there is something to see"


def test_the_picture_can_be_vectors_and_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        draw(CORPORA["many"], tmp_path / name)
    one, two = ((tmp_path / name).read_text(encoding="utf-8") for name in ("one.svg", "two.svg"))
    assert one.startswith("<?xml")
    assert one == two
    assert 'href="http' not in one, "nothing is loaded from elsewhere"


def test_nothing_global_changes(tmp_path: Path) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    plotting = "matplotlib.pyplot" in sys.modules
    draw(CORPORA["one piece"], tmp_path / "corpus.png")
    assert dict(matplotlib.rcParams) == before
    assert ("matplotlib.pyplot" in sys.modules) == plotting


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"corpus\.pdf"):
        draw(CORPORA["one piece"], tmp_path / "corpus.pdf")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"partimento\[train\]"):
        draw(CORPORA["one piece"], tmp_path / "corpus.png")
