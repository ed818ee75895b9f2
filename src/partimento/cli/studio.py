"""`partimento studio`: a page on this machine that trains, composes and edits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from partimento.cli.numbers import WholeOrNone
from partimento.cli.terminal import say
from partimento.errors import InvalidSettings, MissingExtra

HIGHEST_PORT = 65_535


def studio(
    *,
    folder: Path | None = None,
    port: WholeOrNone = None,
    host: str = "127.0.0.1",
    browser: Annotated[bool, Parameter(negative="--no-browser")] = True,
    soundfont: Path | None = None,
) -> None:
    """Open the studio: train, compose and edit in the browser, on this machine alone and without the internet.

    Args:
        folder: Where it keeps what it has: corpora, runs, pieces; Partimento in your home folder if not given.
        port: The port of the page; a free one if not given.
        host: The address to listen at. Another than 127.0.0.1 lets other machines in that know the token, which is
            printed; what they send is not encrypted.
        browser: Open the page.
        soundfont: Play with this SoundFont (.sf2) instead of the installed one.
    """
    if port is not None and not 0 <= port <= HIGHEST_PORT:
        raise InvalidSettings(f"A port is a number up to {HIGHEST_PORT}; {port} is not.")
    try:
        from partimento.studio import serve, usual_folder
    except ModuleNotFoundError as error:
        if error.name in ("fastapi", "uvicorn", "starlette"):
            raise MissingExtra("studio", "The studio") from error
        raise
    serve(folder or usual_folder(), host=host, port=port, soundfont=soundfont, browser=browser, say=say)
