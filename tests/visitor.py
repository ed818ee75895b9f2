"""A studio that serves in a process of its own, and one who visits it over HTTP, as a page does."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OVER = ("done", "failed", "stopped")


class Visitor:
    """One who asks a studio; a client of its own by its cookie."""

    def __init__(self, port: int, name: str = "test", headers: dict[str, str] | None = None) -> None:
        self.port = port
        self.headers = {"Cookie": f"partimento-client={name}", **(headers or {})}

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """A request: its status, headers and bytes. Bytes are sent as they are, all else as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/octet-stream" if isinstance(body, bytes) else "application/json"}
        try:
            connection.request(
                method, path, sent, {**self.headers, **(kind if body is not None else {}), **(headers or {})}
            )
            answer = connection.getresponse()
            return answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """What is there."""
        status, _, data = self.ask("GET", f"/api/{path}")
        assert status == 200, data
        return json.loads(data)

    def post(self, path: str, body: Any = None) -> Any:
        """What comes of it."""
        status, _, data = self.ask("POST", f"/api/{path}", body)
        assert status in (200, 201), data
        return json.loads(data)

    def refused(self, method: str, path: str, body: Any = None, status: int | None = None) -> str:
        """The sentence with which something is refused."""
        found, _, data = self.ask(method, f"/api/{path}", body)
        assert 400 <= found < 500, (found, data)
        assert status in (None, found), (found, data)
        return str(json.loads(data)["detail"])

    def upload(self, path: str, name: str, data: bytes) -> Any:
        """A file."""
        return self.post(f"{path}?name={urllib.parse.quote(name)}", data)

    def done(self, job: dict[str, Any], seconds: float = 300, until: tuple[str, ...] = OVER) -> dict[str, Any]:
        """A job when it is over."""
        return self.when(lambda: self.get(f"jobs/{job['id']}"), lambda found: found["state"] in until, seconds)

    def when(self, look: Callable[[], Any], there: Callable[[Any], bool], seconds: float = 300) -> Any:
        """What is there as soon as it is as it should be."""
        end = time.monotonic() + seconds
        while not there(found := look()):
            assert not (isinstance(found, dict) and found.get("state") == "failed"), found["why"]
            assert time.monotonic() < end, found
            time.sleep(0.05)
        return found

    def does(self, kind: str, **asked: Any) -> dict[str, Any]:
        """A job, done well."""
        found = self.done(self.post(f"jobs/{kind}", asked))
        assert found["state"] == "done", found["why"]
        return found

    def events(self, seconds: float) -> Iterator[tuple[str, Any]]:
        """What the studio tells of its own accord, for a while."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        connection.request("GET", "/api/events", headers=self.headers)
        answer = connection.getresponse()
        kind, end = "", time.monotonic() + seconds
        try:
            while time.monotonic() < end and (line := answer.readline().decode()):
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ").strip()
                elif line.startswith("data: "):
                    yield kind, json.loads(line.removeprefix("data: "))
        except TimeoutError:
            return
        finally:
            connection.close()


class Serving:
    """A studio that serves."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.address = ""
        self.begin()

    def begin(self) -> None:
        """Let it serve, at a free port."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "partimento", "studio", *self._said()],
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "XDG_CACHE_HOME": str(self.folder.parent / "cache"),
                "OMP_NUM_THREADS": "2",
                "PYTHONUNBUFFERED": "1",
            },
        )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert "The studio: http://" in said, said
        self.address = said.split(": ", 1)[1].strip()
        self.port = int(urllib.parse.urlsplit(self.address).port or 0)
        visitor = Visitor(self.port)
        for _ in range(200):
            try:
                visitor.ask("GET", "/api/about")
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the studio does not answer")

    def _said(self) -> list[str]:
        return ["--folder", str(self.folder), "--port", "0", "--no-browser", *self.options]

    def visitor(self, name: str = "test") -> Visitor:
        """One who visits it."""
        return Visitor(self.port, name)

    def kill(self) -> None:
        """As `kill -9` does."""
        self.process.kill()
        self._close()

    def _close(self) -> None:
        self.process.wait(90)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def end(self) -> None:
        """As a person ends it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self._close()


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Serving]:
    """A studio that serves, ended in the end."""
    studio = Serving(folder, *options)
    try:
        yield studio
    finally:
        studio.end()
