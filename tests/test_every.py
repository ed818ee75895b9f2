"""Every piece of a folder: none is sifted out, and what cannot be read is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from partimento.corpus.every import every
from partimento.errors import Unreadable
from partimento.files import write
from partimento.progress import Progress
from partimento.score import note_array

from music import tune


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "made"
    for seed in (1, 2):
        write(tune(seed), folder / "deep" / f"{seed}.mid")
    shutil.copy(folder / "deep" / "1.mid", folder / "0-again.mid")
    (folder / "broken.mid").write_bytes(b"MThd and no more")
    (folder / "1.png").write_bytes(b"a picture")
    (folder / "book.abc").write_text("X:1\nT:Up\nK:C\nCDEF|\n\nX:2\nT:Down\nK:C\nFEDC|\n")
    return folder


def test_copies_are_pieces_and_pictures_are_not_spoken_of(folder: Path) -> None:
    events: list[Progress] = []
    found = every(folder, events.append)
    assert found.names == ["0-again.mid", "book.abc, tune 1 Up", "book.abc, tune 2 Down", "deep/1.mid", "deep/2.mid"]
    assert [name for name, _ in found.refused] == ["broken.mid"]
    assert events[-1].done == events[-1].total == 5
    by_name = {piece.name: piece for piece in found}
    assert list(by_name) == found.names
    again, first = by_name["0-again.mid"], by_name["deep/1.mid"]
    assert again.score_hash == first.score_hash != by_name["deep/2.mid"].score_hash
    assert (note_array(again.score) == note_array(first.score)).all()
    assert note_array(by_name["book.abc, tune 2 Down"].score)["pitch"].tolist() == [65, 64, 62, 60]


def test_a_second_reading_is_the_same_and_a_lost_cache_is_read_again(folder: Path, tmp_path: Path) -> None:
    found = every(folder)
    first = [(piece.name, piece.score_hash) for piece in found]
    shutil.rmtree(tmp_path / "cache")
    assert (
        [(piece.name, piece.score_hash) for piece in found]
        == first
        == [(piece.name, piece.score_hash) for piece in every(folder)]
    )


def test_a_piece_that_changes_meanwhile_is_not_taken_for_what_it_was(folder: Path, tmp_path: Path) -> None:
    found = every(folder)
    shutil.rmtree(tmp_path / "cache")
    write(tune(9), folder / "deep" / "2.mid")
    with pytest.raises(Unreadable, match=r"deep/2\.mid has changed"):
        list(found)


def test_one_file_is_a_folder_of_one(folder: Path) -> None:
    assert every(folder / "deep" / "2.mid").names == ["2.mid"]
    for wrong in ("1.png", "nowhere"):
        with pytest.raises(Unreadable):
            every(folder / wrong)
