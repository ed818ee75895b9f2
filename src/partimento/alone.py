"""One job in a process of its own: whatever becomes of it, the caller lives and can say what happened.

The process is a fresh interpreter (spawned, since threads of torch do not survive a fork). Where memory runs short it
offers itself to the system's out-of-memory killer before the caller; its output goes into a log file; should the caller
die, it ends within a second. `isolation` does the like for many small items that must be bounded
in memory; this is for one long job that reports how far it is and can be stopped politely.
"""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from partimento.errors import PartimentoError, explained
from partimento.progress import Progress, Watch, ignore

__all__ = ["Broken", "alone"]

T = TypeVar("T")

TELL_EVERY = 0.2  # seconds between two events without a remark
LISTEN = 0.5  # seconds
ORPHANED = 0.5  # seconds between two looks for the caller
POLITELY = 60.0  # seconds that a process asked to stop has for saving where it was


class Broken(PartimentoError):
    """A job that did not come to its end; the sentence says why."""


def alone(
    function: Callable[[Any, Watch], T], argument: object, *, seconds: float, log: Path, watch: Watch = ignore
) -> T:
    """Do a job in a process of its own.

    Args:
        function: at the top of an importable module; takes the argument and a listener, and what it returns pickles.
        argument: must pickle.
        seconds: after which the job counts as hanging, and is ended.
        log: gets all that the process prints, and the traceback of an error of ours.
        watch: hears what the function tells its listener.

    Raises:
        Broken: it raised a `PartimentoError` (whose sentence is kept), crashed, hung, exhausted the memory or met an
            error of ours.
        KeyboardInterrupt: Ctrl-C; the process has been asked to stop and had time to save where it was.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    log.parent.mkdir(parents=True, exist_ok=True)
    process = context.Process(target=_work, args=(theirs, function, argument, str(log)), daemon=True)
    process.start()
    theirs.close()
    try:
        return _listen(ours, process, time.monotonic() + seconds, watch, log)  # type: ignore[no-any-return]
    except KeyboardInterrupt:
        process.terminate()
        process.join(POLITELY)
        raise
    except TimeoutError as error:
        raise Broken(f"It was ended after {seconds / 60:,.0f} minutes, far beyond its time: it hung.") from error
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        ours.close()


def _listen(connection: Connection, process: Any, until: float, watch: Watch, log: Path) -> Any:
    """Hand events on until the job is done.

    Raises:
        Broken: it came to no result.
        TimeoutError: it takes too long.
    """
    while True:
        try:
            if connection.poll(LISTEN):
                kind, told = connection.recv()
                if kind == "done":
                    return told
                if kind == "broken":
                    raise Broken(told)
                watch(told)
        except (EOFError, OSError) as error:
            process.join(POLITELY)
            raise Broken(_fate(process.exitcode, log)) from error
        if time.monotonic() > until:
            raise TimeoutError


def _fate(code: int | None, log: Path) -> str:
    """What is said of a process that ended without a word."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in {int(s) for s in signal.Signals} else f"signal {-code}"
        if name == "SIGKILL":
            return "The system ended it (SIGKILL), as it does with what takes more memory than there is."
        return f"It crashed ({name}); {log.name} may say where."
    return f"It ended without a result (exit code {code}); {log.name} may say why."


def _work(connection: Connection, function: Callable[[Any, Watch], Any], argument: object, log: str) -> None:
    """Be the process."""
    _settle(Path(log))
    told = 0.0

    def tell(event: Progress) -> None:
        nonlocal told
        now = time.monotonic()
        if event.remark or now - told >= TELL_EVERY:
            told = now
            _send(connection, ("progress", replace(event, heard=None)))  # what is heard does not pickle

    try:
        reply = ("done", function(argument, tell))
    except Exception as error:
        if not isinstance(error, PartimentoError):
            traceback.print_exc()
        text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        ours = f"It met an internal error ({text}); {Path(log).name} says where. Please report this."
        reply = ("broken", explained(error) or ours)
    _send(connection, reply)


def _send(connection: Connection, message: object) -> None:
    try:
        connection.send(message)
    except (BrokenPipeError, ConnectionResetError):  # nobody waits for this any more
        os._exit(1)


def _end_with(caller: int) -> None:
    """End this process where its caller is gone; for a thread."""
    while os.getppid() == caller:
        time.sleep(ORPHANED)
    os._exit(1)


def _settle(log: Path) -> None:
    """Print into the log, leave Ctrl-C to the caller, and be the first to go where memory runs out."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    for standard in (1, 2):
        os.dup2(handle, standard)
    sys.stdout = sys.stderr = os.fdopen(handle, "w", encoding="utf-8", buffering=1)
    faulthandler.enable(sys.stderr)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    if hasattr(os, "setsid"):
        os.setsid()
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500")
