"""Jobs: what waits, who is next, and what becomes of it when the studio is killed.

Jobs wait in lanes, so that those who compose do not wait for those who train; in each lane clients take turns, one job
each, however many somebody has asked for. A job that was at work when the studio died waits again when it starts: a
training goes on from its last checkpoint, all else begins anew with the same seed. Leaves out: more than one machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from partimento.errors import ImpossibleRequest
from partimento.studio.hub import Hub
from partimento.studio.orders import MADE, RUN, Desk, Order, orders
from partimento.studio.places import Places, new_id
from partimento.studio.shelves import Row, Shelves, now
from partimento.studio.workers import Worker

LANES = {"compose": (2, 0), "look": (1, 2), "learn": (1, 5)}  # workers of each, and how nice they are to the others
GOES_ON = ("train", "compare")  # kinds that go on where they were
MOST_WAITING = 200  # jobs of one client
MOST_REMARKS = 200
LOG = "log.txt"
WAITING, RUNNING, PAUSED, DONE, FAILED, STOPPED = "waiting", "running", "paused", "done", "failed", "stopped"
OVER = (DONE, FAILED, STOPPED)

Finish = Callable[[Row, Order, Path], dict[str, Any]]
Far = Callable[[Row, Order, dict[str, Any]], None]


class Jobs:
    """The queue.

    Args:
        places: where jobs work.
        shelves: where they are listed.
        hub: hears of them.
        desk: what an order needs, for a job's folder.
        far: hears how far each job is.
        finish: called when a job has done what it was asked; gives what of it is to be listed.
    """

    def __init__(
        self, places: Places, shelves: Shelves, hub: Hub, desk: Callable[[Path], Desk], far: Far, finish: Finish
    ) -> None:
        self._places = places
        self._shelves = shelves
        self._hub = hub
        self._desk = desk
        self._far = far
        self._finish = finish
        self._progress: dict[str, dict[str, Any]] = {}
        self._at_work: dict[str, Worker] = {}
        self._wanted: dict[str, str] = {}  # what a job at work is to be when it has stopped
        self._turns: dict[str, int] = {}  # when each client was last served
        self._woken = {lane: asyncio.Condition() for lane in LANES}
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    async def open(self) -> None:
        """Begin: what was at work waits again."""
        for row in self._shelves.all("jobs", state=RUNNING):
            self._shelves.change("jobs", {"state": WAITING, "progress": None}, id=row["id"])
        for lane, (count, niceness) in LANES.items():
            self._tasks += [asyncio.create_task(self._serve(lane, Worker(niceness))) for _ in range(count)]

    async def close(self) -> None:
        """Ask all that is at work to stop and to keep what it has; it is listed as at work, and goes on next time."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def add(self, order: Order, client: str) -> Row:
        """A new job.

        Raises:
            ImpossibleRequest: the client has too many that wait.
        """
        waiting = [row for row in self._shelves.all("jobs", client=client) if row["state"] == WAITING]
        if len(waiting) >= MOST_WAITING:
            raise ImpossibleRequest(f"{MOST_WAITING} jobs wait already; let some of them be done, or stop them.")
        id = new_id()
        folder = self._places.job(id)
        folder.mkdir(parents=True)
        try:
            desk = self._desk(folder)
            order.words(desk)  # refuses what is not there, and takes copies of what it needs
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
        self._shelves.change("jobs", {"state": WAITING, "why": "", "ended": None}, id=id)
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

    def forget(self, id: str) -> None:
        """Take a job off the list, with all that lies in its folder; pieces that it made stay.

        Raises:
            ImpossibleRequest: it is at work.
        """
        row = self._row(id)
        if row["state"] == RUNNING:
            raise ImpossibleRequest("This job is at work: stop it first.")
        self._shelves.forget("jobs", id=id)
        shutil.rmtree(self._places.job(id), ignore_errors=True)
        self._hub.tell("gone", {"kind": "job", "id": id})

    def told(self, row: Row) -> dict[str, Any]:
        """A job, as a page hears of it."""
        id = row["id"]
        shown = {name: row[name] for name in ("id", "kind", "label", "state", "made", "began", "ended", "why", "asked")}
        pieces = [piece["id"] for piece in self._shelves.all("pieces", job=id)]
        return {
            **shown,
            "progress": self._progress.get(id, row["progress"]),
            "remarks": row["remarks"],
            "ahead": self._ahead(row) if row["state"] == WAITING else 0,
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
        """Let a job be over, or as soon as it has kept what it has."""
        id = row["id"]
        if id in self._at_work:
            self._wanted[id] = state
            self._at_work[id].stop()
        else:
            self._shelves.change("jobs", {"state": state, "ended": now() if state in OVER else None}, id=id)
        return self._told(id)

    def _wake(self, lane: str) -> None:
        async def wake() -> None:
            async with self._woken[lane]:
                self._woken[lane].notify_all()

        self._waking = asyncio.ensure_future(wake())

    def _in_turn(self, lane: str) -> list[Row]:
        """What waits in a lane, the next first: of each client one, of those first that were served longest ago."""
        waiting = [row for row in self._shelves.all("jobs", lane=lane) if row["state"] == WAITING]
        before: dict[str, int] = {}
        keyed = []
        for number, row in enumerate(waiting):
            turn = before.get(row["client"], 0)
            before[row["client"]] = turn + 1
            keyed.append(((turn, self._turns.get(row["client"], 0), number), row))
        return [row for _, row in sorted(keyed, key=lambda one: one[0])]

    def _ahead(self, row: Row) -> int:
        return next((place for place, one in enumerate(self._in_turn(row["lane"])) if one["id"] == row["id"]), 0)

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
                await self._do(row, worker)
                if lane != "compose":
                    await worker.close()  # what has trained holds much memory
        finally:
            await worker.close()

    async def _do(self, row: Row, worker: Worker) -> None:
        id, folder = row["id"], self._places.job(row["id"])
        remarks: list[str] = list(row["remarks"]) if row["kind"] in GOES_ON else []
        try:
            self._told(id)
            order = orders()[row["kind"]].model_validate(row["asked"])
            if row["kind"] not in GOES_ON:
                for left in (MADE, RUN, "audition", "report.json", "report.html"):  # of a time before the studio died
                    _clear(folder / left)
            words = order.words(self._desk(folder))

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
                self._far(row, order, event)
                self._told(id)

            why = await worker.do(words, folder, hear, folder / LOG)
            wanted = self._wanted.pop(id, None)
            if wanted is not None and why:
                values: dict[str, Any] = {"state": wanted, "why": "" if wanted == PAUSED else "It was stopped."}
            elif why:
                values = {"state": FAILED, "why": why}
            else:
                found = await asyncio.to_thread(self._finish, row, order, folder)
                values = {"state": DONE, "why": "", **found}
        except asyncio.CancelledError:
            raise
        except Exception as error:
            from partimento.errors import explained

            values = {"state": FAILED, "why": explained(error) or f"The studio stumbled ({type(error).__name__})."}
        finally:
            self._at_work.pop(id, None)
        ended = None if values["state"] == PAUSED else now()
        progress = self._progress.pop(id, None)
        self._shelves.change("jobs", {**values, "ended": ended, "progress": progress}, id=id)
        with contextlib.suppress(KeyError):
            self._told(id)


def _clear(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
