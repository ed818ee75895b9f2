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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from partimento import files
from partimento.atomic import atomic_file
from partimento.bundle import COMES_ALONG, Bundle, open_bundle
from partimento.codec import TokenSpec
from partimento.codecs.cells import Cells
from partimento.errors import ImpossibleRequest, PartimentoError
from partimento.files import SUFFIXES, read_safely
from partimento.render.audio import require_soundfont
from partimento.score import Score, bar_lines, end_tick, seconds_at
from partimento.studio import corpora, scores
from partimento.studio.hub import Hub
from partimento.studio.jobs import Jobs
from partimento.studio.orders import MADE, RUN, Desk, Order
from partimento.studio.places import Places, new_id
from partimento.studio.shelves import Row, Shelves, now
from partimento.studio.workers import Worker

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
MIDI = "piece.mid"
MOST_PIECES_ON_SHELF = 100_000
RENDERERS = 2
WORDS = {  # of files that jobs write for a page to show
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
        self._own_soundfont = soundfont
        root.mkdir(parents=True, exist_ok=True)
        self._lock = (root / LOCK).open("w")
        if fcntl is not None:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                self._lock.close()
                raise ImpossibleRequest(
                    f"Another studio works in {root}: use that one, or name another folder by --folder."
                ) from error
        self.shelves = Shelves(self.places.shelves)
        self.hub = Hub()
        self.jobs = Jobs(self.places, self.shelves, self.hub, self._desk, self._finish)
        self._bundles: dict[str, tuple[Bundle, dict[str, str]]] = {}
        self._renderers = [Worker() for _ in range(RENDERERS)]
        self._idle = asyncio.Queue[Worker]()
        self._rendering: dict[Path, asyncio.Task[str]] = {}

    async def open(self) -> None:
        """Begin to work."""
        self.hub.open()
        for worker in self._renderers:
            self._idle.put_nowait(worker)
        await self.jobs.open()

    async def close(self) -> None:
        """Keep everything, and let go."""
        self.hub.close()
        await self.jobs.close()
        for worker in self._renderers:
            await worker.close()
        self.shelves.close()
        self._lock.close()

    # Corpora

    def corpora(self) -> list[dict[str, Any]]:
        """Every corpus."""
        return [self._corpus(row) for row in self.shelves.all("corpora")]

    def corpus(self, id: str) -> dict[str, Any]:
        """A corpus with each of its files."""
        row = self._there("corpora", id)
        listed, statistics = corpora.listed(self.shelves, self.places, id)
        return {**self._corpus(row), "list": listed, "statistics": statistics}

    def new_corpus(self, name: str) -> dict[str, Any]:
        """An empty corpus."""
        id = new_id()
        (self.places.corpus(id) / corpora.IN).mkdir(parents=True)
        self.shelves.put("corpora", {"id": id, "name": name, "made": now()})
        return self._tell_corpus(id)

    async def add_file(self, id: str, name: str, data: bytes) -> dict[str, Any]:
        """Files dropped into a corpus."""
        self._there("corpora", id)
        added, refused = await asyncio.to_thread(corpora.add, self.shelves, self.places, id, corpora.clean(name), data)
        self._tell_corpus(id)
        return {"added": added, "refused": refused}

    def leave_out(self, id: str, numbers: list[int]) -> dict[str, Any]:
        """Leave these files of a corpus out, and no others."""
        self._there("corpora", id)
        corpora.leave_out(self.shelves, self.places, id, set(numbers))
        if self._there("corpora", id)["pieces"] is not None:
            self.shelves.change("corpora", {"pieces": corpora.serving(self.shelves, self.places, id)}, id=id)
        return self._tell_corpus(id)

    def forget_corpus(self, id: str) -> None:
        """Take a corpus away; what has learnt from it has its own copy."""
        self._there("corpora", id)
        if any(row["asked"].get("corpus") == id for row in self.shelves.all("jobs", state="running")):
            raise ImpossibleRequest("A job looks at this corpus: stop it first.")
        self.shelves.forget("corpora", id=id)
        shutil.rmtree(self.places.corpus(id), ignore_errors=True)
        self.hub.tell("gone", {"kind": "corpus", "id": id})

    def corpus_file(self, id: str, number: int) -> Path:
        """Where a file of a corpus lies."""
        row = self.shelves.one("files", corpus=id, number=number)
        if row is None:
            raise KeyError(number)
        return corpora.place_of(self.places, id, row)

    async def corpus_score(self, id: str, number: int) -> Score:
        """A file of a corpus, read."""
        return await self._read(self.corpus_file(id, number))

    def _corpus(self, row: Row) -> dict[str, Any]:
        listed = self.shelves.all("files", corpus=row["id"])
        looking = [
            job["id"]
            for state in ("running", "waiting")
            for job in self.shelves.all("jobs", kind="inspect", state=state)
            if job["asked"].get("corpus") == row["id"]
        ]
        return {
            **{name: row[name] for name in ("id", "name", "made", "pieces")},
            "files": len(listed),
            "left_out_by_hand": sum(one["left_out"] for one in listed),
            "inspecting": next(iter(looking), None),
        }

    def _tell_corpus(self, id: str) -> dict[str, Any]:
        told = self._corpus(self._there("corpora", id))
        self.hub.tell("corpus", told)
        return told

    # Models

    def models(self) -> list[dict[str, Any]]:
        """Every model: the one that comes along, and those that were trained here."""
        found = [COMES_ALONG, *(row["id"] for row in self.shelves.all("jobs", model=1))]
        return [told for id in found if (told := self._model(id)) is not None]

    def _model(self, id: str) -> dict[str, Any] | None:
        try:
            bundle, modes = self._bundle(id)
        except PartimentoError:
            return None
        scores_of = bundle.facts.get("scores")
        return {
            "id": id,
            "name": self._name(id),
            "recipe": f"{bundle.model_name} on {bundle.codec_name}",
            "about": str(bundle.facts.get("about") or bundle.recipe.get("about") or ""),
            "modes": modes,
            "scores": dict(scores_of) if isinstance(scores_of, dict) else {},
            "learnt": id != COMES_ALONG,
        }

    def _bundle(self, id: str) -> tuple[Bundle, dict[str, str]]:
        if id not in self._bundles:
            place = self._model_place(id)
            bundle = open_bundle(None if place == COMES_ALONG else Path(place))
            self._bundles[id] = bundle, modes(bundle, trained_here=id != COMES_ALONG)
        return self._bundles[id]

    def _model_place(self, id: str) -> str:
        """The place of a model, as the command line takes it."""
        if id == COMES_ALONG:
            return COMES_ALONG
        row = self._there("jobs", id)
        if row["kind"] not in ("train", "shrink"):
            raise KeyError(id)
        return str(self.places.job(id) / RUN)

    # Pieces

    def pieces(self) -> list[dict[str, Any]]:
        """Every piece, the last one first."""
        return self.shelves.all("pieces")[::-1]

    def piece(self, id: str) -> dict[str, Any]:
        """A piece."""
        return self._there("pieces", id)

    async def score(self, id: str) -> dict[str, Any]:
        """The notes of a piece, and which of them are new in it."""
        row = self._there("pieces", id)
        before = row["from"]
        score = await self._read(self._midi(id))
        known = before is not None and self._midi(before).is_file()
        return scores.told(score, await self._read(self._midi(before)) if known else None)

    async def add_piece(self, name: str, data: bytes) -> dict[str, Any]:
        """A piece of somebody's, in any format that is read."""
        name = corpora.clean(name)
        suffix = Path(name).suffix.lower()
        if suffix not in SUFFIXES:
            raise ImpossibleRequest(f"{name}: files whose name ends in {suffix or 'nothing'} are not read as music.")
        id = new_id()
        folder = self.places.piece(id)
        folder.mkdir(parents=True)
        try:
            given = folder / f"given{suffix}"
            given.write_bytes(data)
            try:
                score = await self._read(given)
            except PartimentoError as error:
                raise ImpossibleRequest(str(error).replace(str(given), name)) from error
            files.write(score, folder / MIDI)
            given.unlink()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return self._list_piece(id, Path(name).stem, score)

    async def edited(self, id: str, name: str, tracks: list[scores.EditedTrack]) -> dict[str, Any]:
        """A piece as it was edited by hand, beside the one that it was."""
        self._there("pieces", id)
        score = scores.edited(await self._read(self._midi(id)), tracks)
        new = new_id()
        files.write(score, self.places.piece(new) / MIDI)
        return self._list_piece(new, name, score, parent=id)

    def forget_piece(self, id: str) -> None:
        """Take a piece away."""
        self._there("pieces", id)
        self.shelves.forget("pieces", id=id)
        shutil.rmtree(self.places.piece(id), ignore_errors=True)
        self.hub.tell("gone", {"kind": "piece", "id": id})

    async def piece_file(self, id: str, format: str) -> Path:
        """A piece as a file of some kind, which is made where it has not been yet."""
        row = self._there("pieces", id)
        folder = self.places.piece(id)
        path = folder / f"piece.{format}"
        if not path.is_file():
            if path not in self._rendering:
                self._rendering[path] = asyncio.create_task(self._render(folder, path.name, row["name"]))
            try:
                why = await asyncio.shield(self._rendering[path])
            finally:
                self._rendering.pop(path, None)
            if why:
                raise ImpossibleRequest(why)
        return path

    async def _render(self, folder: Path, name: str, title: str) -> str:
        worker = await self._idle.get()
        try:
            font = [] if self._own_soundfont is None else ["--soundfont", str(self._own_soundfont.resolve())]
            words = ["render", MIDI, "--to", name, f"--title={title}", *font]
            return await worker.do(words, folder, lambda _: None, self.places.root / "rendering.txt")
        finally:
            self._idle.put_nowait(worker)

    def _midi(self, id: str) -> Path:
        return self.places.piece(id) / MIDI

    async def _read(self, path: Path) -> Score:
        return (await asyncio.to_thread(read_safely, path)).score

    def _list_piece(
        self, id: str, name: str, score: Score, job: str | None = None, parent: str | None = None
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
        self.shelves.put("pieces", row)
        self.hub.tell("piece", row)
        return row

    # Jobs

    def start(self, order: Order, client: str) -> dict[str, Any]:
        """A new job."""
        told = self.jobs.add(order, client)
        if order.kind == "inspect":
            self._tell_corpus(told["asked"]["corpus"])
        return told

    def _desk(self, folder: Path) -> Desk:
        def midi(id: str) -> Path:
            self._there("pieces", id)
            return self._midi(id)

        def music(id: str) -> Path:
            self._there("corpora", id)
            return self.places.corpus(id) / corpora.IN

        return Desk(folder, self._model_place, midi, music, self._name)

    def _name(self, id: str) -> str:
        """What a model, a piece or a corpus is called."""
        if id == COMES_ALONG:
            return "the model that comes along"
        for table, column in (("pieces", "name"), ("corpora", "name"), ("jobs", "label")):
            if row := self.shelves.one(table, id=id):
                return str(row[column])
        raise KeyError(id)

    def _finish(self, row: Row, order: Order, folder: Path) -> dict[str, Any]:
        """List what a job has made."""
        if row["kind"] == "inspect":
            return self._finish_inspection(row, folder)
        for number, midi in enumerate(sorted(_made(row["kind"], folder)), start=1):
            self._keep(row, order, midi, number)
        return {"files": list(_files(row["kind"], folder)), "model": int(row["kind"] in ("train", "shrink"))}

    def _keep(self, row: Row, order: Order, midi: Path, number: int) -> None:
        id = new_id()
        target = self.places.piece(id) / MIDI
        score = read_safely(midi).score
        with atomic_file(target) as temporary:
            shutil.copyfile(midi, temporary)
        name = f"{row['label'].split(' · ')[0]}, {number}"
        self._list_piece(id, name, score, job=row["id"], parent=order.parent())

    def _finish_inspection(self, row: Row, folder: Path) -> dict[str, Any]:
        id = row["asked"]["corpus"]
        report = json.loads((folder / "report.json").read_text("utf-8"))
        with atomic_file(self.places.corpus(id) / "report.json") as temporary:
            shutil.copyfile(folder / "report.json", temporary)
        self.shelves.change("corpora", {"pieces": len(report["kept"])}, id=id)
        with contextlib.suppress(KeyError):
            self._tell_corpus(id)
        return {"files": []}

    def job_file(self, id: str, name: str) -> Path:
        """A file that a job has written for a page to show.

        Raises:
            KeyError: there is none of that name.
        """
        row = self._there("jobs", id)
        if name not in row["files"]:
            raise KeyError(name)
        return self.places.job(id) / name

    def curves(self, id: str) -> list[dict[str, float]]:
        """The rows of a training's curve, as far as there are any."""
        self._there("jobs", id)
        path = self.places.job(id) / RUN / "training" / "curves.csv"
        try:
            text = path.read_text("utf-8")
        except OSError:
            return []
        rows = csv.DictReader(text.splitlines())
        return [{name: float(value) for name, value in row.items() if value} for row in rows]

    def _there(self, table: str, id: str) -> Row:
        row = self.shelves.one(table, id=id)
        if row is None:
            raise KeyError(id)
        return row


def _made(kind: str, folder: Path) -> Iterator[Path]:
    """The pieces that a job has made."""
    if kind == "audition":
        yield from (folder / "audition").rglob("*.mid")
    yield from (folder / MADE).glob("*.mid")


def _files(kind: str, folder: Path) -> Iterator[str]:
    """The files that a page may show."""
    for name in WORDS.get(kind, ()):
        path = folder / name
        found = [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else []
        for one in found:
            if one.is_file() and one.suffix in (".html", ".json", ".png", ".svg", ".csv", ".mp3", ".mid"):
                yield one.relative_to(folder).as_posix()


FILLS = (
    "This model writes pieces from their beginning to their end and has not learnt to fill; train one by the recipe "
    "nested."
)
NO_SPACE = "Only a model with a space in which pieces lie near one another can do this; train one by the recipe vae."
GRIDS = "This model draws grids, and cannot be heard while it composes."
NO_RUN = "Only a run that was trained here has checkpoints to hear."


def modes(bundle: Bundle, *, trained_here: bool) -> dict[str, str]:
    """What a model can do: nothing by a name where it can, else why not."""
    codec = bundle.codec()
    fills = isinstance(codec, Cells) and bundle.recipe.get("preparation", {}).get("hidden", 0)
    why = "" if fills and bundle.model_name == "nested" else FILLS
    return {
        "compose": "",
        "continue": "",
        "stream": "" if isinstance(codec.spec, TokenSpec) else GRIDS,
        **dict.fromkeys(("fill", "vary", "accompany", "harmonise", "plan"), why),
        "interpolate": "" if bundle.player_name == "graph" and bundle.model_name == "vae" else NO_SPACE,
        "audition": "" if trained_here else NO_RUN,
        "shrink": "" if trained_here else NO_RUN,
    }
