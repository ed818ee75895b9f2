"""Progress in a terminal: a bar with the figures and the time left; plain lines where nobody watches (a log, CI).

A program that gives the commands (`working`) hears the events themselves in their place.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from partimento.progress import Progress, Watch

REFRESH_EVERY = 0.1  # seconds between two drawings of the bars
BAR, BESIDE = 30, 65  # characters of a bar, and of it with what stands beside it but the job and the figures
LINE_EVERY = 10.0  # seconds between two plain lines
_listeners: list[Watch] = []  # the last hears, in place of the terminal


@contextmanager
def heard_by(watch: Watch) -> Iterator[None]:
    """Let all that commands inside would show be heard by a listener."""
    _listeners.append(watch)
    try:
        yield
    finally:
        _listeners.pop()


def _figures(event: Progress, room: int | None = None) -> str:
    """The figures of an event, as many as there is room for."""
    told = ""
    for name, value in event.facts.items():
        more = f"{told}{'  ' * bool(told)}{name} " + (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}")
        if room is not None and len(more) > room:
            break
        told = more
    return told


@contextmanager
def watching() -> Iterator[Watch]:
    """Show every event of a job: yields the listener to hand to it."""
    if _listeners:
        yield _listeners[-1]
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_lines()
        return
    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=BAR),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
        console=console,
        auto_refresh=False,  # its own thread would keep the reading of files from forking
    )
    tasks: dict[str, TaskID] = {}
    shown = [0.0]
    with bars:

        def show(event: Progress) -> None:
            if event.remark:
                bars.console.print(escape(event.remark), highlight=False)
            if event.job not in tasks:
                tasks[event.job] = bars.add_task(event.job, total=event.total, figures="")
            figures = _figures(event, console.width - BESIDE - max(map(len, tasks)))
            bars.update(tasks[event.job], completed=event.done, total=event.total, figures=figures)
            now = time.monotonic()
            if now - shown[0] > REFRESH_EVERY or event.done == event.total:
                shown[0] = now
                bars.refresh()

        yield show


def _plain_lines() -> Watch:
    last: dict[str, float] = {}
    ended: dict[str, float | None] = {}  # how much there was of the jobs whose end has been told

    def show(event: Progress) -> None:
        if event.remark:
            print(event.remark, file=sys.stderr, flush=True)
            if not event.facts:
                return
        now = time.monotonic()
        finished = event.total is not None and event.done >= event.total
        again = finished and ended.get(event.job) == event.total
        if again or (event.job in last and now - last[event.job] < LINE_EVERY and not finished):
            return
        last[event.job] = float("inf") if finished else now
        if finished:
            ended[event.job] = event.total
        of = f" of {event.total:,.0f}" if event.total is not None else ""
        line = f"{event.job}: {event.done:,.0f}{of} {event.unit}  {_figures(event)}"
        print(line.rstrip(), file=sys.stderr, flush=True)

    return show


def say(line: str) -> None:
    """Print a line of a command's result."""
    print(line)
