"""Workers: processes that do commands of the command line, one after the other (`cli.working`).

A worker ends with the studio: its input is a pipe that closes when the studio dies, however it dies, and a run that
trains then keeps where it was. A worker that has trained, or has crashed, is not used again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
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
        self._busy = False
        self._asked = False  # whether what is at work was asked to stop, be it before its process was there

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
        self._busy, self._asked = True, False
        try:
            why = await self._do(arguments, folder, hear, log)
        except Exception:  # whatever it says now would be taken for an answer to the next command
            self._busy = self._asked = False
            if self._process is not None:
                self._let_go(self._process)
                self._process = None
            raise
        self._busy = self._asked = False  # not where the studio ends: then `close` lets it keep what it has
        return why

    async def _do(self, arguments: Sequence[str], folder: Path, hear: Hear, log: Path) -> str:
        given, told = await self._ready()
        if self._asked:
            await self.close()
            return STOPPED
        order = json.dumps({"arguments": list(arguments), "folder": str(folder), "log": str(log)}) + "\n"
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

    async def _ready(self) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "partimento.cli.working", str(self._niceness)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LONGEST_LINE,
                start_new_session=True,  # Ctrl-C is for the studio, which tells its workers
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

    def stop(self) -> None:
        """Ask what is at work to stop and to keep what it has, once; what does not within a minute is killed."""
        if not self._busy or self._asked:
            return
        self._asked = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._let_go(process)

    def _let_go(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        if self._stopping is not None:
            self._stopping.cancel()
        self._stopping = asyncio.create_task(self._kill_later(process))

    async def _kill_later(self, process: asyncio.subprocess.Process) -> None:
        began = time.monotonic()
        while process.returncode is None and time.monotonic() - began < PATIENCE:
            await asyncio.sleep(0.2)
            if process is self._process and not self._asked:
                return  # it has stopped what it did, and waits for more
        if process.returncode is None:
            process.kill()

    async def close(self) -> None:
        """Let the process end: at once where nothing is at work, else when it has kept what it does."""
        process, self._process = self._process, None
        if process is None:
            return
        if self._asked and process.stdout is not None:  # a second word would make it hurry
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_until_end(process.stdout), PATIENCE)
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


async def _until_end(told: asyncio.StreamReader) -> None:
    """Hear what is told until a command is over."""
    while (line := await told.readline()) and not json.loads(line).get("end"):
        pass
