"""Every piece of a folder, or the one of a file: copies and all, in the order of names; nothing is judged or split.

What is to be evaluated must not be sifted first: a machine that makes one piece a hundred times has made a hundred.
Leaves out: files whose suffix is no music's (pictures and sounds lie beside what `compose` writes), without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from partimento import files
from partimento.corpus.cache import Cache, Row
from partimento.corpus.folders import find, shown
from partimento.corpus.readings import Taken, kept_score, take_all, version
from partimento.errors import Unreadable
from partimento.progress import Progress, Watch, ignore
from partimento.score import Score

__all__ = ["Every", "Named", "every"]


@dataclass(frozen=True, eq=False)
class Named:
    """A piece.

    Attributes:
        name: its path below the folder, with "/" between names; in a tune book with the tune's number and title.
        score: as it was read.
        score_hash: tells it from every other score.
    """

    name: str
    score: Score
    score_hash: str


class Every:
    """The pieces of a folder, read when they are asked for, one after the other, as often as one likes.

    Attributes:
        refused: files and tunes that cannot be read, each with the reason.
        names: of the pieces, in order.
        score_hashes: of the pieces, in order.
    """

    def __init__(self, folder: Path, taken: list[Taken], refused: list[tuple[str, Unreadable]]) -> None:
        self.refused = refused
        self._folder = folder
        self._found: list[tuple[str, Taken, int, str]] = []
        rows: dict[str, tuple[Row, ...]] = {}
        for file in taken:
            if isinstance(file.rows, Unreadable):
                self.refused.append((shown(file.path), file.rows))
                continue
            for number, row in enumerate(rows.setdefault(file.key, file.rows or ())):
                tune = row.record["tune"]
                name = f"{shown(file.path)}, tune {tune}" if tune else shown(file.path)
                if "reason" in row.record:
                    self.refused.append((name, Unreadable(row.record["reason"], row.record["advice"])))
                else:
                    self._found.append((name, file, number, row.record["score"]))
        self.names = [name for name, *_ in self._found]
        self.score_hashes = [score_hash for *_, score_hash in self._found]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Named]:
        with Cache(version(), lambda _: None) as cache:
            for name, file, number, expected in self._found:
                source = self._folder / file.path
                score = kept_score(cache, source, file.key, number, expected, files.LIMITS, name)
                yield Named(name, score, expected)


def every(place: Path, watch: Watch = ignore) -> Every:
    """Look through a folder and all folders in it, or at one file.

    Args:
        place: a folder or a file.
        watch: hears how far the reading is.

    Raises:
        Unreadable: there is no such folder or file.
    """
    if place.is_file():
        if place.suffix.lower() not in files.SUFFIXES:
            raise Unreadable(f"{place} is no music by its name.", f"These are read: {', '.join(files.SUFFIXES)}.")
        folder, paths, refused = place.parent, [Path(place.name)], []
    else:
        found = find(place)
        folder, paths = place, found.files
        refused = [(shown(path), Unreadable(reason, advice)) for path, reason, advice in found.unreadable]
    done = 0

    def say(remark: str) -> None:
        watch(Progress("Reading files", done, len(paths), "files", remark=remark))

    def settled() -> None:
        nonlocal done
        done += 1
        say("")

    with Cache(version(), say) as cache:
        taken = list(take_all(folder, paths, limits=files.LIMITS, cache=cache, settled=settled))
    return Every(folder, taken, refused)
