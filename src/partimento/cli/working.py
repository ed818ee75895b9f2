"""Commands that another program gives, a line of JSON each, and what comes of them, as the studio works.

    python -m partimento.cli.working [NICENESS]
    {"arguments": ["compose", "--to", "music", "--bars", "8"], "folder": "where/to/work", "log": "log.txt"}

Each command is one of the command line, with all that it checks and says. It is answered by any number of

    {"progress": {"job": …, "done": …, "total": …, "unit": …, "facts": {…}, "left": seconds or null, "remark": …}}
    {"notes": […]}                      new notes of the first piece that is being made, as `heard.Heard`
    {"said": "a line of its result"}

and at the end {"end": true, "why": ""}; where it failed `why` is a sentence. The process stays warm for the next
command. It ends with its input, as where the program that gives the commands has been killed: what is at work then is
asked to stop as by SIGTERM, so that a run that trains keeps where it was. Leaves out: two commands at a time.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any, TextIO

from cyclopts import CycloptsError

from partimento.cli import app
from partimento.cli.terminal import heard_by
from partimento.errors import explained
from partimento.heard import Heard
from partimento.progress import Progress

TELL_EVERY = 0.1  # seconds between two events of one job
LISTENING = 0.1  # share of the time that hearing what is being made may take
STOPPED = "It was stopped."
FAULT = "Something went wrong inside of Partimento, which is a bug; what the program said of it is in the job's log."


class _Lines(io.TextIOBase):
    """Standard output for commands: tells each whole line."""

    def __init__(self, tell: _Teller) -> None:
        self._tell = tell
        self._begun = ""

    def write(self, text: str) -> int:
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            self._tell({"said": line})
        return len(text)


class _Teller:
    """Writes what comes of commands, a line at a time."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._began: dict[str, tuple[float, float]] = {}  # when a job was first heard of, and how much was done then
        self.begin()

    def __call__(self, answer: dict[str, Any]) -> None:
        self._out.write(json.dumps(answer, ensure_ascii=False) + "\n")
        self._out.flush()

    def begin(self) -> None:
        """Forget the last command."""
        self._told: tuple[str, float] = ("", 0.0)
        self._began = {}
        self._heard: set[Heard] = set()
        self._listens = 0.0  # the time from which on it does so again

    def hear(self, event: Progress) -> None:
        """Tell of an event, but for those that follow at the heels of another of the same job."""
        now = time.monotonic()
        if event.heard is not None and now >= self._listens:
            fresh = [note for note in event.heard() if note not in self._heard]
            self._listens = time.monotonic() + (time.monotonic() - now) / LISTENING
            self._heard |= set(fresh)
            if fresh:
                self({"notes": [dataclasses.asdict(note) for note in fresh]})
        began, before = self._began.setdefault(event.job, (now, event.done))
        job, told = self._told
        over = event.total is not None and event.done >= event.total
        if not (event.remark or over) and job == event.job and now - told < TELL_EVERY:
            return
        self._told = (event.job, now)
        left = None
        if event.total is not None and event.done > before:
            left = (now - began) / (event.done - before) * max(event.total - event.done, 0)
        shown = {name: float(value) for name, value in event.facts.items()}
        self(
            {
                "progress": {
                    "job": event.job,
                    "done": event.done,
                    "total": event.total,
                    "unit": event.unit,
                    "facts": shown,
                    "left": None if left is None else round(left, 1),
                    "remark": event.remark,
                }
            }
        )


def _given(working: threading.Event) -> Iterator[dict[str, Any]]:
    """The commands, as they come; when there are no more, what is at work then is asked to stop."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        lines.put(None)
        if working.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=read, daemon=True).start()
    while (line := lines.get()) is not None:
        working.set()  # before anything else, lest the end of the input goes unheard
        yield json.loads(line)


def work(arguments: list[str]) -> str:
    """Do a command; gives why it failed, or nothing."""
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return " ".join(str(error).split())
    except KeyboardInterrupt:
        return STOPPED
    except BaseException as error:
        sentence = explained(error)
        if sentence is None:
            traceback.print_exc()
        return FAULT if sentence is None else sentence
    return ""


def _say_beside_into(log: str | None) -> None:
    """Let all that is said beside the answers, by whichever library, stand in a file."""
    if log is not None:
        with open(log, "ab") as file:  # noqa: PTH123 - its number is what counts
            os.dup2(file.fileno(), 2)


def main() -> None:
    """Do one command after the other."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    tell = _Teller(out)
    sys.stdout = _Lines(tell)
    working = threading.Event()

    def stop(*_: Any) -> None:
        if working.is_set():
            raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)  # a training has a way of its own
    if len(sys.argv) > 1 and hasattr(os, "nice"):
        os.nice(int(sys.argv[1]))
    for command in _given(working):
        tell.begin()
        try:
            os.chdir(command["folder"])
            _say_beside_into(command.get("log"))
            with heard_by(tell.hear):
                why = work([str(word) for word in command["arguments"]])
        except OSError as error:
            why = explained(error) or FAULT
        except KeyboardInterrupt:
            why = STOPPED
        working.clear()
        tell({"end": True, "why": why})


if __name__ == "__main__":
    main()
