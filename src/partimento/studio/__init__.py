"""The studio: a page on the same machine that trains, composes and edits, and does all that the command line does.

    safety.py      who may speak with it
    app.py         what it answers
    studio.py      what it has: corpora.py, models.py, pieces.py, and jobs
    jobs.py        what waits and who is next; workers.py does it, orders/ says by which command
    dropped.py     files as they were dropped; scores.py notes for the page; forms.py recipes as forms
    shelves.py     the database; places.py the folder; names.py what things are called; hub.py what is told to the page
    page/          the page, built from the repository's page/ (TypeScript)

Only this file and those that it names are needed to serve; music is made by workers, processes of the command line.
"""

from __future__ import annotations

import os
import secrets
import socket
import webbrowser
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from partimento.errors import InvalidSettings
from partimento.studio.app import make_app
from partimento.studio.studio import Studio

HTTP = 80  # which browsers do not name
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PORT = 8765
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - only where it is asked for, and then with a token
WAITING = 128  # connections that may wait
TRIED = 20  # ports from that one on, where none is named


def usual_folder() -> Path:
    """Where a studio keeps what it has, if nothing else is said."""
    return Path(os.environ.get("PARTIMENTO_STUDIO") or Path.home() / "Partimento")


def serve(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    soundfont: Path | None = None,
    browser: bool = True,
    say: Callable[[str], None] = print,
) -> None:
    """Serve a studio until it is stopped (Ctrl-C).

    Args:
        folder: where it keeps what it has.
        host: the address to listen at; one that other machines can reach needs a token, which is made and printed.
        port: the port; a free one from 8765 on if None.
        soundfont: what pieces are played with; the installed one if None.
        browser: open the page.
        say: is told the address.

    Raises:
        ImpossibleRequest: another studio has the folder open.
        InvalidSettings: nothing can listen there.
    """
    token = "" if host in LOOPBACK else secrets.token_urlsafe(24)
    listening = _listening(host, port)
    port = listening.getsockname()[1]
    name = socket.gethostname() if host in EVERYWHERE else host
    shown = f"[{name}]" if ":" in name else name
    own = ("127.0.0.1", "localhost", "[::1]")
    hosts = [] if token else [f"{name}:{port}" for name in own] + (list(own) if port == HTTP else [])
    studio = Studio(folder, soundfont)
    app = make_app(studio, hosts=hosts, token=token)
    address = f"http://{shown}:{port}/" + (f"?token={token}" if token else "")
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, server_header=False)
    server = _Server(config, studio)
    say(f"The studio: {address}")
    say(f"It keeps everything in {folder}. Ctrl-C ends it; what is at work goes on next time.")
    if browser:
        webbrowser.open(address)
    server.run(sockets=[listening])


class _Server(uvicorn.Server):
    """A server that lets go of the pages that listen as soon as it is to end, which would wait for them."""

    def __init__(self, config: uvicorn.Config, studio: Studio) -> None:
        super().__init__(config)
        self._studio = studio

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self._studio.hub.close()
        super().handle_exit(sig, frame)


def _listening(host: str, port: int | None) -> socket.socket:
    """A socket that listens there.

    Raises:
        InvalidSettings: none can.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    why: OSError | None = None
    for number in [port] if port is not None else range(PORT, PORT + TRIED):
        found = socket.socket(family, socket.SOCK_STREAM)
        if os.name == "posix":  # elsewhere it would take a port that is in use
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, number))
            found.listen(WAITING)  # before the browser comes
        except OSError as error:
            found.close()
            why = error
        else:
            return found
    raise InvalidSettings(
        f"Nothing can listen at {host}, port {port if port is not None else f'{PORT} and those after it'} "
        f"({why.strerror if why else 'no such port'}): choose another --port or --host."
    )


__all__ = ["serve", "usual_folder"]
