"""The studio: corpora, jobs, models and pieces in one folder, and everything that a page can ask of them.

No music is made here: jobs are commands of the command line (`orders`), which workers do. What takes longer than a
moment, reading a file of a stranger, rendering a sound, is done in threads and worker processes, so that the page stays
responsive.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from partimento.atomic import atomic_file
from partimento.bundle import COMES_ALONG, Bundle, open_bundle
from partimento.errors import ImpossibleRequest, Unreadable
from partimento.files import read_safely
from partimento.holding import hold
from partimento.render.audio import require_soundfont
from partimento.studio.corpora import Corpora
from partimento.studio.dropped import IN, file_name, sweep
from partimento.studio.hub import Hub
from partimento.studio.jobs import Jobs
from partimento.studio.models import NAME, Models
from partimento.studio.orders.composing import Compose
from partimento.studio.orders.learning import Train
from partimento.studio.orders.looking import Audition
from partimento.studio.orders.order import MADE, RUN, Desk, Order
from partimento.studio.pieces import MIDI, Pieces
from partimento.studio.places import KINDS, UNLISTED, Places, new_id
from partimento.studio.shelves import NotThere, Row, Shelves
from partimento.training.checkpoints import CHECKPOINTS, FOLDER

LOCK = ".lock"
NO_NOTES = "What the model wrote has no notes; it has learnt too little. Train it longer, or try another seed."
HEARD_EVERY = 60.0  # seconds after which a run at work is heard again
SHOWN = {  # what jobs write for a page to show
    "evaluate": ("report.html", "report.json"),
    "compare": ("compared",),
    "audition": ("audition",),
    "train": ("run/curves.png",),
}


class Studio:
    """A folder of corpora, jobs, models and pieces; one process at a time may have it open.

    Args:
        root: the folder; made where it is not there.
        soundfont: what pieces are played with; the installed one if None.

    Raises:
        ImpossibleRequest: another studio has the folder open.
    """

    def __init__(self, root: Path, soundfont: Path | None = None) -> None:
        self.places = Places(root)
        self.soundfont = require_soundfont(soundfont)
        root.mkdir(parents=True, exist_ok=True)
        lock = hold(root / LOCK)
        if lock is None:
            raise ImpossibleRequest(
                f"Another studio works in {root}: use that one, or name another folder by --folder."
            )
        self._lock = lock
        if not self.places.shelves.exists():
            self.places.put_aside()
        try:
            self.shelves = Shelves(self.places.shelves)
        except sqlite3.DatabaseError as error:
            lock.close()
            raise ImpossibleRequest(
                f"{self.places.shelves}, the studio's list, cannot be read ({error}). Put back a copy of it, or move "
                f"it away to begin with an empty list; what it listed is then kept in {UNLISTED}."
            ) from error
        self.hub = Hub()
        self.corpora = Corpora(self.places, self.shelves, self.hub)
        self.models = Models(self.places, self.shelves)
        self.pieces = Pieces(self.places, self.shelves, self.hub, soundfont)
        self.jobs = Jobs(self.places, self.shelves, self.hub, self)
        self._heard: dict[str, tuple[float, str]] = {}  # of runs at work: when each was heard, and its checkpoint then

    async def open(self) -> None:
        """Begin to work."""
        self._sweep()
        self.hub.open()
        self.pieces.open()
        await self.jobs.open()

    def _sweep(self) -> None:
        """Take away what was being made when the studio died, and never got onto its shelf."""
        for kind in KINDS:
            for left in self.places.unknown(kind, {row["id"] for row in self.shelves.all(kind)}):
                shutil.rmtree(left, ignore_errors=True)
        for row in self.shelves.all("corpora"):
            sweep(self.shelves, self.places, row["id"])

    async def close(self) -> None:
        """Keep everything, and let go."""
        self.hub.close()
        await self.jobs.close()
        await self.pieces.close()
        self.shelves.close()
        self._lock.close()

    async def start(self, order: Order, client: str) -> dict[str, Any]:
        """A new job."""
        told = await self.jobs.add(order, client)
        if order.kind == "inspect":
            self.corpora.tell(told["asked"]["corpus"])
        return told

    def desk(self, folder: Path) -> Desk:
        """What an order needs of the studio."""

        def midi(id: str) -> Path:
            self.shelves.there("pieces", id)
            return self.pieces.midi(id)

        def music(id: str) -> Path:
            self.shelves.there("corpora", id)
            return self.places.corpus(id) / IN

        return Desk(folder, self.models.place, midi, music, self._name, self._files)

    def _files(self, id: str) -> dict[str, str]:
        """What the files of a corpus are called, or of the one that a run learnt from, by the names that they have."""
        run = self.shelves.one("jobs", id=id)
        corpus = id if run is None else str(run["asked"].get("corpus", ""))
        rows = self.shelves.all("files", corpus=corpus)
        return {file_name(row["number"], row["suffix"]): row["name"] for row in rows}

    def _name(self, id: str) -> str:
        """What a model, a piece or a corpus is called."""
        if id == COMES_ALONG:
            return NAME
        for table, column in (("pieces", "name"), ("corpora", "name"), ("jobs", "label")):
            if row := self.shelves.one(table, id=id):
                return str(row[column])
        raise NotThere(id)

    def begin(self, row: Row) -> None:
        """Take away what a job has listed before the studio died."""
        for piece in self.shelves.all("pieces", job=row["id"]):
            self.pieces.drop(piece["id"])

    def over(self, row: Row) -> None:
        """Tell of a corpus that it is looked at no more."""
        if row["kind"] == "inspect" and self.shelves.one("corpora", id=row["asked"]["corpus"]):
            self.corpora.tell(row["asked"]["corpus"])

    def far(self, row: Row, order: Order, event: dict[str, Any]) -> None:
        """Let the last checkpoint of a run at work compose, if there is another and it is time."""
        if not isinstance(order, Train) or not order.heard or event["job"] != "Training":
            return
        when, last = self._heard.setdefault(row["id"], (time.monotonic(), ""))
        if time.monotonic() - when < HEARD_EVERY:
            return
        points = sorted((self.places.job(row["id"]) / RUN / FOLDER / CHECKPOINTS).glob("*.safetensors"))
        newest = points[-1].name if points else last
        self._heard[row["id"]] = time.monotonic(), newest
        others = [
            one for state in ("waiting", "running") for one in self.shelves.all("jobs", kind="audition", state=state)
        ]
        if newest != last and not any(one["asked"]["run"] == row["id"] for one in others):
            self._hearing = asyncio.ensure_future(self._hear(row))

    async def _hear(self, row: Row) -> None:
        """Let the last checkpoint of a run compose, where that can be."""
        with contextlib.suppress(ImpossibleRequest, OSError, NotThere):
            await self.start(Audition(run=row["id"], last=1), row["client"])

    def finish(self, row: Row, order: Order, folder: Path) -> dict[str, Any]:
        """List what a job has made."""
        if row["kind"] == "inspect":
            self.corpora.take_report(row["asked"]["corpus"], folder / "report.json")
            return {"files": []}
        made = sorted(_made(row["kind"], folder))
        silent = []
        for number, midi in enumerate(made, start=1):
            try:
                self._keep(row, order, midi, f" {number}" if len(made) > 1 else "")
            except Unreadable:  # as what has no notes is
                silent.append(number)
        if made and len(silent) == len(made):
            raise ImpossibleRequest(NO_NOTES)
        remarks = self.shelves.there("jobs", row["id"])["remarks"]
        remarks += [f"Piece {number} has no notes, and is not listed." for number in silent]
        remarks += _cost(open_bundle(folder / RUN)) if row["kind"] == "shrink" else []
        return {
            "remarks": remarks,
            "files": list(_files(row["kind"], folder)),
            "model": int(row["kind"] in ("train", "shrink")),
        }

    def _keep(self, row: Row, order: Order, midi: Path, which: str) -> None:
        id = new_id()
        target = self.places.piece(id) / MIDI
        score = read_safely(midi).score
        with atomic_file(target) as temporary:
            shutil.copyfile(midi, temporary)
        try:
            title = order.title(self.desk(self.places.job(row["id"])))
        except NotThere:  # what it was made of is gone
            title = str(row["label"])
        name = f"{title}{which}" if title else ""
        if row["kind"] == "audition":
            name = f"After {int(midi.parent.name):,} updates, {title}"
        begins_bar = _begins_bar(midi) if isinstance(order, Compose) and order.prompt is not None else None
        self.pieces.list(id, name, score, row["id"], order.parent(), begins_bar)

    def job_file(self, id: str, name: str) -> Path:
        """A file that a job has written for a page to show.

        Raises:
            NotThere: there is none of that name.
        """
        row = self.shelves.there("jobs", id)
        if name not in row["files"]:
            raise NotThere(name)
        return self.places.job(id) / name

    def curves(self, id: str) -> list[dict[str, float]]:
        """The rows of a training's curve, as far as there are any."""
        self.shelves.there("jobs", id)
        path = self.places.job(id) / RUN / "training" / "curves.csv"
        try:
            text = path.read_text("utf-8")
        except OSError:
            return []
        rows = csv.DictReader(text.splitlines())
        return [{name: float(value) for name, value in row.items() if value} for row in rows]


def _cost(shrunk: Bundle) -> list[str]:
    """What a model in fewer bits has lost, where that was measured."""
    before, after = (shrunk.facts.get(f"bits_per_note_{when}") for when in ("before_shrinking", "shrunk"))
    if before is None or after is None:
        return []
    return [f"Held-out pieces take {after:.3f} bits a note instead of {before:.3f}."]


def _begins_bar(midi: Path) -> int | None:
    """The bar in which what is new begins, as the facts beside a piece say."""
    try:
        return int(json.loads(midi.with_suffix(".json").read_text("utf-8"))["made"]["begins_bar"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _made(kind: str, folder: Path) -> Iterator[Path]:
    """The pieces that a job has made."""
    if kind == "audition":
        yield from (folder / "audition").rglob("*.mid")
    yield from (folder / MADE).glob("*.mid")


def _files(kind: str, folder: Path) -> Iterator[str]:
    """The files that a page may show."""
    for name in SHOWN.get(kind, ()):
        path = folder / name
        found = [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else []
        for one in found:
            if one.is_file() and one.suffix in (".html", ".json", ".png", ".svg", ".csv", ".mp3", ".mid"):
                yield one.relative_to(folder).as_posix()
