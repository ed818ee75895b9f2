"""Isolation: one function over many items in worker processes, each item limited in time and memory.

Parsers written in C crash, hang and swallow memory on hostile or merely broken files. Here such a file costs itself and
nothing else: its worker is killed and replaced, the item comes back as `Unreadable`, and the run goes on. The pools
of the standard library break as a whole when a worker dies; pebble (Cafasso 2015) replaces workers too, but takes all
its items at once and starts threads in the caller. Here items are taken and results held a bounded number at a time.

A worker is forked where that is safe (Linux, no other thread, no library that keeps threads of its own): it starts in
milliseconds with everything imported. Elsewhere it is a fresh interpreter that imports the function's module alone,
never the caller's main script. Items queue in a worker's pipe, so that it never waits for the caller. A crash is
believed of an item only where its worker was fresh: a worker that had done other items may have been spoilt by one of
them, so the item is tried once more. Memory is limited by `RLIMIT_AS` on POSIX; macOS does not enforce it and Windows
has no such limit, so there only time is limited. Leaves out: sandboxing; an item may still do what its user may.
"""

from __future__ import annotations

import contextlib
import faulthandler
import itertools
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

from partimento.errors import Unreadable

__all__ = ["isolated"]

T = TypeVar("T")
R = TypeVar("R")
Task = tuple[Callable[[Any], Any], float, int]  # what a worker does, its seconds and megabytes an item

QUEUE = 16  # items that a worker holds at most: it need not wait for the caller, and few are delayed by a slow one
AHEAD = 64  # items a worker, taken but not yet yielded: what bounds memory
QUEUED_BYTES = 4096  # fits every system's pipe, so that caller and worker never wait for one another
START = 60.0  # seconds that a worker may take to start
GRACE = 5.0  # seconds after which a worker ends itself, should nobody be there to kill it
OUT_OF_MEMORY = 77  # a worker's exit code
THREADED = ("torch", "onnxruntime")  # libraries whose threads do not survive a fork

ADVICE = "Open it in a notation program or a sequencer and save it again, or leave it out."


def isolated(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    workers: int | None = None,
    seconds: float = 20.0,
    megabytes: int = 2048,
) -> Iterator[tuple[T, R | Unreadable]]:
    """Yield each item with what `function` makes of it, in the order of items.

    Args:
        function: a function at the top of an importable module.
        items: taken lazily, at most 64 a worker ahead of what has been yielded; must pickle.
        workers: processes at most; as many as the processors this process may use if None.
        seconds: the longest an item may take, by the clock on the wall.
        megabytes: the most memory an item may need beyond what a worker needs to start.

    Yields:
        (item, result); the result is `Unreadable` where the function raised it, where it crashed, hung or exhausted its
        memory, and where it raised anything else, a fault of ours that costs this one item.

    Raises:
        RuntimeError: workers cannot be started at all.

    Example:
        >>> import math
        >>> list(isolated(math.sqrt, [9.0, 16.0]))
        [(9.0, 3.0), (16.0, 4.0)]
    """
    pool = _Pool(function, workers or _processors(), seconds, megabytes)
    source = enumerate(items)
    held: dict[int, T] = {}  # taken and not yet yielded
    done: dict[int, Any] = {}
    try:
        for turn in itertools.count():
            while turn not in done:
                while len(held) < AHEAD * pool.size and pool.has_room() and (taken := next(source, None)):
                    held[taken[0]] = taken[1]
                    pool.add(*taken)
                if not held:
                    return
                done.update(pool.results())
            yield held.pop(turn), done.pop(turn)
    finally:
        pool.stop()


def _processors() -> int:
    """How many processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Pool:
    """Workers, and the items that wait for one."""

    def __init__(self, function: Callable[[Any], Any], size: int, seconds: float, megabytes: int) -> None:
        self.size = size
        self.seconds = seconds
        self.megabytes = megabytes
        self.task: Task = (function, seconds, megabytes)
        self.workers: list[_Worker] = []
        self.waiting: deque[tuple[int, bytes]] = deque()
        self.suspects: set[int] = set()  # items at which a worker crashed that was not fresh

    def has_room(self) -> bool:
        """Whether an item added now would be handed out at once."""
        return not self.waiting

    def add(self, index: int, item: object) -> None:
        """Take an item; it is handed out as soon as a worker has room."""
        self.waiting.append((index, pickle.dumps(item, protocol=pickle.HIGHEST_PROTOCOL)))
        self._hand_out()

    def results(self) -> Iterator[tuple[int, Any]]:
        """Wait until something has happened, and yield what is finished: (index, result)."""
        now = time.monotonic()
        soonest = min((w.deadline(self.seconds) for w in self.workers if w.queue), default=now)
        owners: dict[Any, _Worker] = {w.connection: w for w in self.workers}
        ready = wait(list(owners), timeout=max(soonest - now, 0.0))
        for connection in ready:
            worker = owners[connection]
            try:
                result = worker.receive()
            except (EOFError, OSError):
                yield from self._bury(worker, late=False)
            else:
                if result:
                    yield result
        if not ready:
            now = time.monotonic()
            for worker in [w for w in self.workers if w.queue and w.deadline(self.seconds) <= now]:
                yield from self._bury(worker, late=True)
        self._hand_out()

    def stop(self) -> None:
        """End all workers at once."""
        for worker in self.workers:
            worker.stop()

    def _hand_out(self) -> None:
        while self.waiting:
            index, message = self.waiting[0]
            worker = min(self.workers, key=lambda w: len(w.queue), default=None)
            if worker is None or (worker.queue and len(self.workers) < self.size):
                worker = self._start()
            if not worker.has_room(len(message)):
                return
            self.waiting.popleft()
            worker.send(index, message)

    def _start(self) -> _Worker:
        worker = _Worker(self.task, [w.connection for w in self.workers])
        self.workers.append(worker)
        return worker

    def _bury(self, worker: _Worker, *, late: bool) -> Iterator[tuple[int, Unreadable]]:
        """End a worker that crashed or is late; yield what became of its item, unless that is to be tried again."""
        self.workers.remove(worker)
        code = worker.stop()
        if not worker.ready:
            raise RuntimeError(f"A worker process could not be started (its exit code is {code}).")
        if not worker.queue:
            return
        culprit, message = worker.queue.popleft()
        self.waiting.extendleft(reversed(worker.queue))
        fate = "SIGALRM" if late else signal.Signals(-code).name if code < 0 else ""
        if fate == "SIGALRM":
            yield culprit, Unreadable(f"It takes longer than {self.seconds:g} seconds to read.", ADVICE)
        elif worker.finished and culprit not in self.suspects:
            self.suspects.add(culprit)
            self._start().send(culprit, message)
        elif fate == "SIGKILL" or code == OUT_OF_MEMORY:  # nobody but a system short of memory sends that signal
            yield culprit, Unreadable(f"It needs more than {self.megabytes} MB of memory to read.", ADVICE)
        else:
            yield culprit, Unreadable("It is damaged in a way that crashes the program that reads it.", ADVICE)


class _Worker:
    """The caller's end of one worker process."""

    def __init__(self, task: Task, others: list[Any]) -> None:
        self.queue: deque[tuple[int, bytes]] = deque()  # index and message; the first is being worked on
        self.ready = False  # has it started?
        self.finished = 0  # items
        self.since = time.monotonic()  # when it began with the first of the queue
        self.connection, theirs = multiprocessing.Pipe()
        self.process: BaseProcess | subprocess.Popen[bytes]
        if _forks():
            self.process = _fork(task, theirs, [self.connection, *others])
        else:
            self.process = _spawn(theirs)
            self.connection.send(task)
        theirs.close()

    def has_room(self, size: int) -> bool:
        """Whether that many bytes can be sent without ever waiting for the worker."""
        return not self.queue or (len(self.queue) < QUEUE and size + sum(len(m) for _, m in self.queue) <= QUEUED_BYTES)

    def send(self, index: int, message: bytes) -> None:
        """Queue an item."""
        if not self.queue and self.ready:
            self.since = time.monotonic()
        self.queue.append((index, message))
        with contextlib.suppress(OSError):  # it has died: `receive` will tell
            self.connection.send_bytes(message)

    def receive(self) -> tuple[int, Any] | None:
        """The next result, (index, result); None where the worker only says that it has started."""
        reply = self.connection.recv_bytes()
        self.since = time.monotonic()
        if not self.ready:
            self.ready = True
            return None
        index, _ = self.queue.popleft()
        self.finished += 1
        try:
            return index, pickle.loads(reply)  # noqa: S301 - written by our own worker
        except Exception as error:
            return index, _fault(error)

    def deadline(self, seconds: float) -> float:
        """When the item at work, or the start, has taken too long; by the monotonic clock."""
        return self.since + (seconds if self.ready else START)

    def stop(self) -> int:
        """Kill the process, wait until it is gone and return its exit code (-n where signal n ended it)."""
        self.connection.close()
        self.process.kill()
        if isinstance(self.process, subprocess.Popen):
            return self.process.wait()
        self.process.join()
        return self.process.exitcode or 0


def _forks() -> bool:
    """Whether a fork is safe: no other thread can hold a lock that its child would wait for."""
    return sys.platform == "linux" and threading.active_count() == 1 and not any(m in sys.modules for m in THREADED)


def _fork(task: Task, theirs: Any, inherited: list[Any]) -> BaseProcess:
    """Start a worker as a copy of this process."""
    process = multiprocessing.get_context("fork").Process(target=_work, args=(task, theirs, inherited), daemon=True)
    process.start()
    return process


def _spawn(theirs: Any) -> subprocess.Popen[bytes]:
    """Start a worker as a fresh interpreter; it is sent its task and inherits nothing but its end of the pipe."""
    handle = theirs.fileno()
    program = f"import sys; sys.path[:] = {sys.path!r}; from partimento.isolation import _serve; _serve({handle})"
    options: dict[str, Any] = {"pass_fds": [handle]}
    if sys.platform == "win32":
        os.set_handle_inheritable(handle, True)
        options = {"startupinfo": subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]})}
    nowhere = subprocess.DEVNULL
    command = [sys.executable, "-c", program]
    return subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, **options)  # noqa: S603 - our own


def _serve(handle: int) -> None:
    """Be a worker in a fresh interpreter."""
    connection = type(multiprocessing.Pipe()[0])(handle)
    _work(connection.recv(), connection, [])


def _work(task: Task, connection: Any, inherited: list[Any]) -> None:
    """Answer items until the caller hangs up or dies."""
    function, seconds, megabytes = task
    for other in inherited:  # else the workers would keep one another's pipes open
        other.close()
    _settle(megabytes)
    connection.send_bytes(b"ready")
    with contextlib.suppress(EOFError, OSError):
        while True:
            message = connection.recv_bytes()
            _alarm(seconds + GRACE)
            reply = _attempt(function, message)
            _alarm(0)
            connection.send_bytes(reply)


def _settle(megabytes: int) -> None:
    """Make this process quiet, deaf to Ctrl-C (the caller sees to that), without core dumps, and limited in memory."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    sys.stdout = sys.stderr = os.fdopen(nowhere, "w", encoding="utf-8")
    faulthandler.disable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform != "win32":
        import resource

        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        used = 0
        if sys.platform == "linux":
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        wanted = used + megabytes * 2**20
        limit = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        with contextlib.suppress(ValueError, OSError):  # macOS refuses
            resource.setrlimit(resource.RLIMIT_AS, (limit, most))


def _alarm(seconds: float) -> None:
    """End this process in so many seconds, even inside C code; 0 for never mind."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _attempt(function: Callable[[Any], Any], message: bytes) -> bytes:
    """The pickled result, or why there is none; ends the process where memory is exhausted."""
    try:
        item = pickle.loads(message)  # noqa: S301 - written by our own caller
        return pickle.dumps(function(item), protocol=pickle.HIGHEST_PROTOCOL)
    except Unreadable as error:
        verdict = error
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BaseException as error:
        verdict = _fault(error)
    return pickle.dumps(verdict)


def _fault(error: BaseException) -> Unreadable:
    """What is said of an item that an error of ours keeps from being read."""
    text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return Unreadable(f"Reading it met an internal error ({text}).", "Please report this; the file is left out.")
