"""Workers: processes that do commands of the command line, one after the other (`cli.working`).

A worker ends with the studio: its input is a pipe that closes when the studio dies, however it dies, and a run that
trains then keeps where it was. A worker that has trained, or has crashed, is not used again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

LONGEST_LINE = 1 << 24  # bytes of an answer
PATIENCE = 60.0  # seconds that a worker has to keep what it does after it was asked to stop

Hear = Callable[[dict[str, Any]], None]
STOPPED = "It was stopped before it had begun."
CRASHED = "The program that did this has ended without a word, as when there is no memory left; try something smaller."


class Worker:
    """One process."""

    def __init__(self, niceness: int = 0) -> None:
        self._niceness = niceness
        self._process: asyncio.subprocess.Process | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._unstarted = False  # whether it was asked to stop before its process was there

    async def do(self, arguments: Sequence[str], folder: Path, hear: Hear, log: Path) -> str:
        """Do a command.

        Args:
            arguments: its words, without the program's name.
            folder: in which.
            hear: is called with each answer but the last.
            log: what the program says beside, for the bugs that there may be.

        Returns:
            Why it failed, a sentence; empty where it did not.
        """
        given, told = await self._ready(log)
        if self._unstarted:
            self._unstarted = False
            await self.close()
            return STOPPED
        order = json.dumps({"arguments": list(arguments), "folder": str(folder)}) + "\n"
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            given.write(order.encode())
            await given.drain()
        while line := await self._line(told):
            answer = json.loads(line)
            if answer.get("end"):
                return str(answer["why"])
            hear(answer)
        await self.close()
        return CRASHED

    async def _ready(self, log: Path) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
        if self._process is None or self._process.returncode is not None:
            with log.open("ab") as errors:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "partimento.cli.working",
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=errors,
                    limit=LONGEST_LINE,
                    start_new_session=True,  # Ctrl-C is for the studio, which tells its workers
                    preexec_fn=self._be_nice if hasattr(os, "nice") else None,
                )
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a worker has neither an ear nor a mouth")
        return process.stdin, process.stdout

    async def _line(self, told: asyncio.StreamReader) -> bytes:
        """The next line that is told; nothing where the process has ended, though children of it may hold its pipe."""
        process = self._process
        reading, ending = asyncio.ensure_future(told.readline()), asyncio.ensure_future(_ended(process))
        try:
            await asyncio.wait((reading, ending), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():  # what it said last may still be on its way
                await asyncio.wait((reading,), timeout=0.2)
            return reading.result() if reading.done() else b""
        finally:
            reading.cancel()
            ending.cancel()

    def _be_nice(self) -> None:
        os.nice(self._niceness)

    def stop(self) -> None:
        """Ask what is at work to stop and to keep what it has; what does not within a minute is killed."""
        process = self._process
        if process is None or process.returncode is not None:
            self._unstarted = True
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        if self._stopping is None or self._stopping.done():
            self._stopping = asyncio.create_task(self._kill_later(process))

    async def _kill_later(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), PATIENCE)
        if process.returncode is None:
            process.kill()

    async def close(self) -> None:
        """Let the process end: at once where nothing is at work, else when it has kept what it does."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), PATIENCE)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()
        if self._stopping is not None:
            self._stopping.cancel()
            self._stopping = None


async def _ended(process: asyncio.subprocess.Process | None) -> None:
    if process is not None:
        await process.wait()
