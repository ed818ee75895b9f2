"""Pieces: what was composed, uploaded or edited, each as MIDI in a folder of its own with what was rendered of it.

A file of a stranger is read in a process of its own where its parser may crash (`files.read_safely`); sounds and
pictures are rendered by workers and kept.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np

from partimento import files
from partimento.errors import ImpossibleRequest, PartimentoError
from partimento.files import SUFFIXES, read_safely
from partimento.render import SOUNDS
from partimento.score import Score, bar_lines, end_tick, seconds_at
from partimento.studio import scores
from partimento.studio.dropped import clean
from partimento.studio.hub import Hub
from partimento.studio.names import LONGEST
from partimento.studio.places import Places, new_id
from partimento.studio.shelves import Row, Shelves, now
from partimento.studio.workers import Worker

MIDI = "piece.mid"
RENDERERS = 2
TITLED = (".svg", ".pdf", ".png", ".musicxml")  # what has the piece's name in it
UNNAMED = "Piece "
Format = Literal["mid", "wav", "mp3", "flac", "ogg", "musicxml", "svg", "pdf", "png"]


async def read_in_thread(path: Path) -> Score:
    """A file of music, read while others are answered.

    Raises:
        Unreadable: it is none.
    """
    return (await asyncio.to_thread(read_safely, path)).score


def _told_apart(soundfont: Path) -> str:
    """A word for a SoundFont, since what was played with another must be played again."""
    there = soundfont.stat()
    return f"{zlib.crc32(f'{soundfont.resolve()} {there.st_size} {there.st_mtime_ns}'.encode()):08x}"


class Pieces:
    """The pieces of a studio.

    Args:
        places: where they lie.
        shelves: where they are listed.
        hub: hears of them.
        soundfont: what they are played with; the installed one if None.
    """

    def __init__(self, places: Places, shelves: Shelves, hub: Hub, soundfont: Path | None) -> None:
        self._places = places
        self._shelves = shelves
        self._hub = hub
        self._soundfont = soundfont
        self._voice = "" if soundfont is None else f"-{_told_apart(soundfont)}"
        self._renderers = [Worker() for _ in range(RENDERERS)]
        self._idle = asyncio.Queue[Worker]()
        self._listing = threading.Lock()  # so that two do not take one number
        self._rendering: dict[Path, asyncio.Task[str]] = {}

    def open(self) -> None:
        """Begin to render."""
        for worker in self._renderers:
            self._idle.put_nowait(worker)

    async def close(self) -> None:
        """Render no more."""
        for worker in self._renderers:
            await worker.close()

    def all(self) -> list[dict[str, Any]]:
        """Every piece, the last one first."""
        return [self._told(row) for row in reversed(self._shelves.all("pieces"))]

    def one(self, id: str) -> dict[str, Any]:
        """A piece."""
        return self._told(self._shelves.there("pieces", id))

    @staticmethod
    def _told(row: Row) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name != "begins_bar"}

    async def score(self, id: str) -> dict[str, Any]:
        """The notes of a piece, and which of them are new in it."""
        row = self._shelves.there("pieces", id)
        before = row["from"]
        score = await read_in_thread(self.midi(id))
        known = before is not None and self.midi(before).is_file()
        old = await read_in_thread(self.midi(before)) if known else None
        return await asyncio.to_thread(scores.told, score, old, row["begins_bar"])

    async def add(self, name: str, data: bytes) -> dict[str, Any]:
        """A piece of somebody's, in any format that is read."""
        name = clean(name)
        suffix = Path(name).suffix.lower()
        if suffix == ".zip":
            raise ImpossibleRequest(f"{name}: a ZIP is a corpus, not a piece; drop it on the Corpus page.")
        if suffix not in SUFFIXES:
            raise ImpossibleRequest(f"{name}: files whose name ends in {suffix or 'nothing'} are not read as music.")
        id = new_id()
        folder = self._places.piece(id)
        folder.mkdir(parents=True)
        try:
            given = folder / f"given{suffix}"
            given.write_bytes(data)
            try:
                score = await read_in_thread(given)
            except PartimentoError as error:
                raise ImpossibleRequest(str(error).replace(str(given), name)) from error
            files.write(score, folder / MIDI)
            given.unlink()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return self.list(id, Path(name).stem[:LONGEST], score)

    async def edited(self, id: str, name: str, tracks: list[scores.EditedTrack]) -> dict[str, Any]:
        """A piece as it was edited by hand, beside the one that it was."""
        self._shelves.there("pieces", id)
        score = await asyncio.to_thread(scores.edited, await read_in_thread(self.midi(id)), tracks)
        new = new_id()
        files.write(score, self.midi(new))
        kept = await read_in_thread(self.midi(new))
        if kept.note_num() != score.note_num():
            shutil.rmtree(self._places.piece(new), ignore_errors=True)
            raise ImpossibleRequest("Some notes lie far beyond the others, or one upon the other; move them, and save.")
        return self.list(new, name, kept, parent=id)

    async def rename(self, id: str, name: str) -> dict[str, Any]:
        """Call a piece otherwise; what is engraved of it is engraved anew."""
        self._shelves.there("pieces", id)
        await self._rendered(id)
        self._shelves.change("pieces", {"name": name}, id=id)
        for titled in TITLED:
            (self._places.piece(id) / f"piece{titled}").unlink(missing_ok=True)
        row = self._told(self._shelves.there("pieces", id))
        self._hub.tell("piece", row)
        return row

    async def forget(self, id: str) -> None:
        """Take a piece away."""
        await self._rendered(id)
        self.drop(id)

    async def _rendered(self, id: str) -> None:
        """Wait until nothing is rendered of a piece."""
        folder = self._places.piece(id)
        if tasks := [task for path, task in self._rendering.items() if path.parent == folder]:
            await asyncio.wait(tasks)

    def drop(self, id: str) -> None:
        """Take a piece away of which nothing is rendered."""
        self._shelves.there("pieces", id)
        self._shelves.forget_folder("pieces", id, self._places.piece(id))
        self._hub.tell("gone", {"kind": "piece", "id": id})

    async def file(self, id: str, format: str) -> Path:
        """A piece as a file of some kind, which is made where it has not been yet."""
        row = self._shelves.there("pieces", id)
        folder = self._places.piece(id)
        path = folder / (f"piece{self._voice}.{format}" if f".{format}" in SOUNDS else f"piece.{format}")
        if not path.is_file():
            if path not in self._rendering:
                self._rendering[path] = asyncio.create_task(self._render(folder, path.name, row["name"]))
                self._rendering[path].add_done_callback(lambda _: self._rendering.pop(path, None))
            why = await asyncio.shield(self._rendering[path])
            if why:
                raise ImpossibleRequest(why)
        return path

    async def _render(self, folder: Path, name: str, title: str) -> str:
        worker = await self._idle.get()
        try:
            font = [] if self._soundfont is None else ["--soundfont", str(self._soundfont.resolve())]
            words = ["render", MIDI, "--to", name, f"--title={title}", *font]
            return await worker.do(words, folder, lambda _: None, self._places.root / "rendering.txt")
        finally:
            self._idle.put_nowait(worker)

    def _next_name(self) -> str:
        """The name of a piece that has no other."""
        numbers = (row["name"].removeprefix(UNNAMED) for row in self._shelves.all("pieces"))
        return f"{UNNAMED}{max((int(one) for one in numbers if one.isdecimal()), default=0) + 1}"

    def midi(self, id: str) -> Path:
        """Where a piece lies."""
        return self._places.piece(id) / MIDI

    def list(
        self,
        id: str,
        name: str,
        score: Score,
        job: str | None = None,
        parent: str | None = None,
        begins_bar: int | None = None,
    ) -> dict[str, Any]:
        """Put a piece, which lies where it belongs, on the list, by a number where it has no name; from any thread."""
        with self._listing:
            row = self._list(id, name or self._next_name(), score, job, parent, begins_bar)
        self._hub.tell("piece", row)
        return row

    def _list(
        self, id: str, name: str, score: Score, job: str | None, parent: str | None, begins_bar: int | None
    ) -> dict[str, Any]:
        end = end_tick(score)
        row = {
            "id": id,
            "name": name,
            "job": job,
            "made": now(),
            "notes": score.note_num(),
            "seconds": round(float(seconds_at(score, np.array([end]))[0]), 2),
            "bars": len(bar_lines(score, max(end, 1))),
            "from": parent,
        }
        self._shelves.put("pieces", {**row, "begins_bar": begins_bar})
        return row
