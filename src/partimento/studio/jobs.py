"""Jobs: what waits, who is next, and what becomes of it when the studio is killed.

Jobs wait in lanes, so that those who compose do not wait for those who train; in each lane clients take turns, one job
each, however many somebody has asked for. A job that was at work when the studio died waits again when it starts: a
training goes on from its last checkpoint, all else begins anew with the same seed. Leaves out: more than one machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any, Protocol

from partimento.errors import ImpossibleRequest, explained
from partimento.studio.hub import Hub
from partimento.studio.orders import ORDERS
from partimento.studio.orders.order import MADE, RUN, Desk, Order
from partimento.studio.places import Places, new_id
from partimento.studio.shelves import NotThere, Row, Shelves, now
from partimento.studio.workers import Worker

LANES = {"compose": (2, 0), "look": (1, 2), "learn": (1, 5)}  # workers of each, and how nice they are to the others
GOES_ON = ("train", "compare")  # kinds that go on where they were
MOST_WAITING = 200  # jobs of one client
MOST_REMARKS = 200
TOLD_AHEAD = 50  # jobs that wait, and hear that one less is before them
LOG = "log.txt"
WAITING, RUNNING, PAUSED, DONE, FAILED, STOPPED = "waiting", "running", "paused", "done", "failed", "stopped"
OVER = (DONE, FAILED, STOPPED)

GONE = "What this job needs has been deleted."


class Keeper(Protocol):
    """Who knows what jobs are about."""

    def desk(self, folder: Path) -> Desk:
        """What an order needs, for the folder of a job."""

    def begin(self, row: Row) -> None:
        """A job begins, maybe not for the first time: nothing that it has made is to be listed."""

    def far(self, row: Row, order: Order, event: dict[str, Any]) -> None:
        """How far a job is."""

    def finish(self, row: Row, order: Order, folder: Path) -> dict[str, Any]:
        """List what a job has made, which has done what it was asked; gives what else of it is to be listed."""

    def over(self, row: Row) -> None:
        """A job is over, however it ended, and listed so."""


class Jobs:
    """The queue.

    Args:
        places: where jobs work.
        shelves: where they are listed.
        hub: hears of them.
        keeper: knows what they are about.
    """

    def __init__(self, places: Places, shelves: Shelves, hub: Hub, keeper: Keeper) -> None:
        self._places = places
        self._shelves = shelves
        self._hub = hub
        self._keeper = keeper
        self._progress: dict[str, dict[str, Any]] = {}
        self._at_work: dict[str, Worker] = {}
        self._turns: dict[str, int] = {}  # when each client was last served
        self._woken = {lane: asyncio.Condition() for lane in LANES}
        self._tasks: list[asyncio.Task[None]] = []
        self._finishing: set[asyncio.Future[Any]] = set()

    async def open(self) -> None:
        """Begin: what was at work waits again."""
        for row in self._shelves.all("jobs", state=RUNNING):
            self._shelves.change("jobs", {"state": WAITING, "progress": None}, id=row["id"])
        for lane, (count, niceness) in LANES.items():
            self._tasks += [asyncio.create_task(self._serve(lane, Worker(niceness))) for _ in range(count)]

    async def close(self) -> None:
        """Ask all that is at work to stop and to keep what it has; it is listed as at work, and goes on next time."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._finishing, return_exceptions=True)

    async def add(self, order: Order, client: str) -> Row:
        """A new job.

        Raises:
            ImpossibleRequest: the client has too many that wait.
        """
        if len(self._shelves.all("jobs", client=client, state=WAITING)) >= MOST_WAITING:
            raise ImpossibleRequest(f"{MOST_WAITING} jobs wait already; let some of them be done, or stop them.")
        id = new_id()
        folder = self._places.job(id)
        folder.mkdir(parents=True)
        try:
            desk = self._keeper.desk(folder)
            await asyncio.to_thread(order.words, desk)  # refuses what is not there, and takes copies of what it needs
            label = order.label(desk)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        row = {
            "id": id,
            "kind": order.kind,
            "label": label,
            "lane": order.lane,
            "client": client,
            "state": WAITING,
            "made": now(),
            "asked": order.model_dump(mode="json", exclude_defaults=True),
        }
        self._shelves.put("jobs", row)
        self._wake(order.lane)
        return self._told(id)

    def pause(self, id: str) -> Row:
        """Stop a job that can go on.

        Raises:
            ImpossibleRequest: it cannot.
        """
        row = self._row(id)
        if row["kind"] not in GOES_ON or row["state"] not in (WAITING, RUNNING):
            raise ImpossibleRequest("Only a training or a comparison that waits or is at work can be paused.")
        return self._end(row, PAUSED)

    def resume(self, id: str) -> Row:
        """Let a job go on, or try again.

        Raises:
            ImpossibleRequest: it is at work or done.
        """
        row = self._row(id)
        if row["state"] not in (PAUSED, STOPPED, FAILED):
            raise ImpossibleRequest("This job is at work, or waits, or is done; there is nothing to go on with.")
        anew = {} if row["kind"] in GOES_ON else {"progress": None}
        self._shelves.change("jobs", {"state": WAITING, "why": "", "ended": None, **anew}, id=id)
        self._wake(row["lane"])
        return self._told(id)

    def stop(self, id: str) -> Row:
        """End a job.

        Raises:
            ImpossibleRequest: it is over.
        """
        row = self._row(id)
        if row["state"] in OVER:
            raise ImpossibleRequest("This job is over already.")
        return self._end(row, STOPPED)

    async def forget(self, id: str) -> None:
        """Take a job off the list, with all that lies in its folder; pieces that it made stay.

        Raises:
            ImpossibleRequest: it is at work, or another works with its model.
        """
        row = self._row(id)
        if row["state"] == RUNNING or id in self._at_work:
            raise ImpossibleRequest(
                "This job is at work, or still keeps what it has: stop it first, and wait a little."
            )
        for other in (one for state in (WAITING, RUNNING) for one in self._shelves.all("jobs", state=state)):
            if id in (other["asked"].get("model"), other["asked"].get("run")):
                raise ImpossibleRequest(f"{other['label']}: this works with the model, or waits for it; stop it first.")
        await asyncio.to_thread(self._shelves.forget_folder, "jobs", id, self._places.job(id))
        self._hub.tell("gone", {"kind": "job", "id": id})

    def all(self) -> list[dict[str, Any]]:
        """Every job, as a page hears of it."""
        ahead = {row["id"]: self._busy(lane) + place for lane in LANES for place, row in enumerate(self._in_turn(lane))}
        return [self._as_told(row, ahead.get(row["id"], 0)) for row in self._shelves.all("jobs")]

    def told(self, row: Row) -> dict[str, Any]:
        """A job, as a page hears of it."""
        return self._as_told(row, self._ahead(row) if row["state"] == WAITING else 0)

    def _as_told(self, row: Row, ahead: int) -> dict[str, Any]:
        id = row["id"]
        shown = {name: row[name] for name in ("id", "kind", "label", "state", "made", "began", "ended", "why", "asked")}
        pieces = [piece["id"] for piece in self._shelves.all("pieces", job=id)]
        return {
            **shown,
            "progress": self._progress.get(id, row["progress"]),
            "remarks": row["remarks"],
            "ahead": ahead,
            "ending": id in self._at_work and row["state"] in (WAITING, PAUSED, STOPPED),  # it still keeps what it has
            "pieces": pieces,
            "files": row["files"],
            "model": id if row["model"] else None,
            "as_of": time.time_ns() // 1000,
        }

    def _row(self, id: str) -> Row:
        return self._shelves.there("jobs", id)

    def _told(self, id: str) -> Row:
        """Tell all of a job, and give what was told."""
        told = self.told(self._row(id))
        self._hub.tell("job", told)
        return told

    def _end(self, row: Row, state: str) -> Row:
        """List a job as over, so that it is whatever happens; what is at work keeps what it has meanwhile."""
        id = row["id"]
        ended, why = (now(), "It was stopped.") if state in OVER else (None, "")
        self._shelves.change("jobs", {"state": state, "ended": ended, "why": why}, id=id)
        if id in self._at_work:
            self._at_work[id].stop()
        return self._told(id)

    def _wake(self, lane: str) -> None:
        async def wake() -> None:
            async with self._woken[lane]:
                self._woken[lane].notify_all()

        self._waking = asyncio.ensure_future(wake())

    def _in_turn(self, lane: str) -> list[Row]:
        """What waits in a lane, the next first: of each client one, of those first that were served longest ago."""
        waiting = self._shelves.all("jobs", lane=lane, state=WAITING)
        before: dict[str, int] = {}
        keyed = []
        for number, row in enumerate(waiting):
            if row["id"] in self._at_work:
                continue  # it has been let go on, and still keeps what it had
            turn = before.get(row["client"], 0)
            before[row["client"]] = turn + 1
            keyed.append(((turn, self._turns.get(row["client"], 0), number), row))
        return [row for _, row in sorted(keyed, key=lambda one: one[0])]

    def _ahead(self, row: Row) -> int:
        lane = row["lane"]
        place = next((place for place, one in enumerate(self._in_turn(lane)) if one["id"] == row["id"]), 0)
        return self._busy(lane) + place

    def _busy(self, lane: str) -> int:
        """How many jobs are at work in a lane, where none of its workers is free."""
        running = len(self._shelves.all("jobs", lane=lane, state=RUNNING))
        return running if running >= LANES[lane][0] else 0

    async def _serve(self, lane: str, worker: Worker) -> None:
        """Do what waits in a lane, for ever."""
        try:
            while True:
                async with self._woken[lane]:
                    while not (waiting := self._in_turn(lane)):
                        await self._woken[lane].wait()
                    row = waiting[0]
                    self._turns[row["client"]] = max(self._turns.values(), default=0) + 1
                    self._shelves.change("jobs", {"state": RUNNING, "began": now(), "why": ""}, id=row["id"])
                    self._at_work[row["id"]] = worker
                try:
                    await self._do(row, worker)
                except Exception:
                    logging.getLogger(__name__).exception("a job ended in a fault of the studio")
                    await asyncio.sleep(1)
                finally:
                    self._at_work.pop(row["id"], None)
                    with contextlib.suppress(NotThere, sqlite3.Error):
                        self._told(row["id"])
                    self._wake(lane)
                if lane != "compose":
                    await worker.close()  # what has trained holds much memory
        finally:
            await worker.close()

    async def _do(self, row: Row, worker: Worker) -> None:
        id, folder = row["id"], self._places.job(row["id"])
        self._told(id)
        for other in self._in_turn(row["lane"])[:TOLD_AHEAD]:  # which have one less ahead now
            self._told(other["id"])
        try:
            values = await self._done(row, worker, folder)
        except asyncio.CancelledError:
            raise
        except NotThere:
            values = {"state": FAILED, "why": GONE}
        except Exception as error:
            sentence = explained(error)
            if sentence is None:
                logging.getLogger(__name__).exception("a job ended in a fault of the studio")
            values = {"state": FAILED, "why": sentence or f"The studio stumbled ({type(error).__name__})."}
        progress = self._progress.pop(id, None)
        while True:
            try:
                there = self._shelves.there("jobs", id)
                if there["state"] != RUNNING and values["state"] != DONE:  # it was stopped, paused, or let go on again
                    values = {"state": there["state"], "why": there["why"]}
                ended = now() if values["state"] in OVER else None
                self._shelves.change("jobs", {**values, "ended": ended, "progress": progress}, id=id)
                break
            except sqlite3.Error:  # a full disk: what has been done must not be forgotten
                await asyncio.sleep(1)
        self._keeper.over(self._shelves.there("jobs", id))

    async def _done(self, row: Row, worker: Worker, folder: Path) -> dict[str, Any]:
        """Do a job; gives what is to be listed of how it ended."""
        id = row["id"]
        order = ORDERS[row["kind"]].model_validate(row["asked"])
        remarks: list[str] = list(row["remarks"]) if row["kind"] in GOES_ON else []
        if row["kind"] not in GOES_ON:
            self._keeper.begin(row)
            for left in (MADE, RUN, "audition", "report.json", "report.html"):  # of a time before the studio died
                _clear(folder / left)
        words = await asyncio.to_thread(order.words, self._keeper.desk(folder))

        def hear(answer: dict[str, Any]) -> None:
            for note in answer.get("notes", ()):
                self._hub.tell("note", {"job": id, "note": note})
            event = answer.get("progress")
            if event is None:
                return
            if event["remark"] and event["remark"] not in remarks and len(remarks) < MOST_REMARKS:
                remarks.append(event["remark"])
                self._shelves.change("jobs", {"remarks": remarks}, id=id)
            self._progress[id] = {name: value for name, value in event.items() if name != "remark"}
            self._keeper.far(row, order, event)
            self._told(id)

        if self._shelves.there("jobs", id)["state"] != RUNNING:
            return {"state": STOPPED}  # while it was being prepared
        if why := await worker.do(words, folder, hear, folder / LOG):
            return {"state": FAILED, "why": why}
        finishing = asyncio.ensure_future(asyncio.to_thread(self._keeper.finish, row, order, folder))
        self._finishing.add(finishing)
        try:
            return {"state": DONE, "why": "", **await asyncio.shield(finishing)}
        finally:
            self._finishing.discard(finishing)


def _clear(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
