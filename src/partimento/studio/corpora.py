"""Corpora: the music that there is to learn from, each a folder of dropped files with what the doctor says of it."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import threading
from pathlib import Path
from typing import Any

from partimento.atomic import atomic_file
from partimento.errors import ImpossibleRequest
from partimento.score import Score
from partimento.studio import dropped
from partimento.studio.hub import Hub
from partimento.studio.names import LONGEST
from partimento.studio.pieces import read_in_thread
from partimento.studio.places import Places, new_id
from partimento.studio.shelves import NotThere, Row, Shelves, now

FOR_NUMBERS = 10  # letters of a name that a number may take


class Corpora:
    """The corpora of a studio.

    Args:
        places: where they lie.
        shelves: where they are listed.
        hub: hears of them.
    """

    def __init__(self, places: Places, shelves: Shelves, hub: Hub) -> None:
        self._places = places
        self._shelves = shelves
        self._hub = hub
        self._naming = threading.Lock()

    def all(self) -> list[dict[str, Any]]:
        """Every corpus."""
        return [self._told(row) for row in self._shelves.all("corpora")]

    def one(self, id: str) -> dict[str, Any]:
        """A corpus with each of its files."""
        row = self._shelves.there("corpora", id)
        listed, statistics = dropped.listed(self._shelves, self._places, id)
        return {**self._told(row), "list": listed, "statistics": statistics}

    def new(self, name: str) -> dict[str, Any]:
        """An empty corpus; where another has its name, it is numbered."""
        id = new_id()
        (self._places.corpus(id) / dropped.IN).mkdir(parents=True)
        with self._naming:
            known = {row["name"] for row in self._shelves.all("corpora")}
            others = (f"{name[: LONGEST - FOR_NUMBERS]} {number}" for number in itertools.count(2))
            name = next(one for one in itertools.chain([name], others) if one not in known)
            self._shelves.put("corpora", {"id": id, "name": name, "made": now()})
        return self.tell(id)

    async def add(self, id: str, name: str, data: bytes) -> dict[str, Any]:
        """Files dropped into a corpus."""
        self._shelves.there("corpora", id)
        added, refused = await asyncio.to_thread(
            dropped.add, self._shelves, self._places, id, dropped.clean(name), data
        )
        self.tell(id)
        return {"added": added, "refused": refused}

    def leave_out(self, id: str, numbers: list[int]) -> dict[str, Any]:
        """Leave these files of a corpus out, and no others."""
        self._shelves.there("corpora", id)
        dropped.leave_out(self._shelves, self._places, id, set(numbers))
        if self._shelves.there("corpora", id)["pieces"] is not None:
            self._shelves.change("corpora", {"pieces": dropped.serving(self._shelves, self._places, id)}, id=id)
        return self.tell(id)

    def forget(self, id: str) -> None:
        """Take a corpus away; what has learnt from it has its own copy."""
        self._shelves.there("corpora", id)
        looking = self._shelves.all("jobs", kind="inspect", state="running")
        if any(row["asked"].get("corpus") == id for row in looking):
            raise ImpossibleRequest("A job looks at this corpus: stop it first.")
        self._shelves.forget_folder("corpora", id, self._places.corpus(id))
        self._hub.tell("gone", {"kind": "corpus", "id": id})

    def file(self, id: str, number: int) -> Path:
        """Where a file of a corpus lies."""
        row = self._shelves.one("files", corpus=id, number=number)
        if row is None:
            raise NotThere(number)
        return dropped.place_of(self._places, id, row)

    async def score(self, id: str, number: int) -> Score:
        """A file of a corpus, read."""
        return await read_in_thread(self.file(id, number))

    def _told(self, row: Row) -> dict[str, Any]:
        listed = self._shelves.all("files", corpus=row["id"])
        looking = [
            job["id"]
            for state in ("running", "waiting")
            for job in self._shelves.all("jobs", kind="inspect", state=state)
            if job["asked"].get("corpus") == row["id"]
        ]
        return {
            **{name: row[name] for name in ("id", "name", "made", "pieces")},
            "files": len(listed),
            "left_out_by_hand": sum(one["left_out"] for one in listed),
            "inspecting": next(iter(looking), None),
        }

    def tell(self, id: str) -> dict[str, Any]:
        """Tell all of a corpus, and give what was told."""
        told = self._told(self._shelves.there("corpora", id))
        self._hub.tell("corpus", told)
        return told

    def take_report(self, id: str, file: Path) -> None:
        """Take what the doctor found."""
        report = json.loads(file.read_text("utf-8"))
        with atomic_file(self._places.corpus(id) / "report.json") as temporary:
            shutil.copyfile(file, temporary)
        self._shelves.change("corpora", {"pieces": len(report["kept"])}, id=id)
