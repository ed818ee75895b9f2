"""The hub: what happens in the studio, told to every page that listens, as server-sent events.

A page that cannot keep up is let go; it connects again and fetches what there is, so nothing depends on having heard
every event. Leaves out: events from before a page listened.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from typing import Any

MOST_WAITING = 2_000  # events that a page may be behind
ALIVE_EVERY = 15.0  # seconds after which a page hears that there is nothing to hear
MOST_LISTENERS = 200


class Hub:
    """Who listens."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[str | None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def open(self) -> None:
        """Tell from the loop that runs now, whichever thread has something to tell."""
        self._loop = asyncio.get_running_loop()

    @property
    def full(self) -> bool:
        """Whether no more can listen."""
        return self._closed or len(self._listeners) >= MOST_LISTENERS

    def tell(self, kind: str, what: Any) -> None:
        """Tell all; from any thread."""
        event = f"event: {kind}\ndata: {json.dumps(_finite(what), ensure_ascii=False, allow_nan=False)}\n\n"
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._spread, event)

    def _spread(self, event: str) -> None:
        for listener in tuple(self._listeners):
            if listener.qsize() >= MOST_WAITING:
                self._listeners.discard(listener)
                listener.put_nowait(None)
            else:
                listener.put_nowait(event)

    async def listen(self) -> AsyncIterator[str]:
        """What is told from now on, as text of an event stream."""
        mine: asyncio.Queue[str | None] = asyncio.Queue()
        self._listeners.add(mine)
        try:
            yield "retry: 1000\n\n"
            while True:
                try:
                    event = await asyncio.wait_for(mine.get(), ALIVE_EVERY)
                except TimeoutError:
                    yield ": nothing new\n\n"
                    continue
                if event is None:
                    return
                yield event
        finally:
            self._listeners.discard(mine)

    def close(self) -> None:
        """Let everybody go, and those who come later; from any thread."""
        self._closed = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._let_go)

    def _let_go(self) -> None:
        for listener in tuple(self._listeners):
            listener.put_nowait(None)


def _finite(what: Any) -> Any:
    """The same with nothing for what is no number, which JSON cannot say."""
    if isinstance(what, float) and not math.isfinite(what):
        return None
    if isinstance(what, dict):
        return {name: _finite(value) for name, value in what.items()}
    return [_finite(value) for value in what] if isinstance(what, list) else what
