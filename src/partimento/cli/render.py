"""`partimento render`: a sheet of music, a picture or a sound of a piece."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from partimento.cli.terminal import say
from partimento.errors import ImpossibleRequest
from partimento.files import read_safely
from partimento.render import render as render_score


def render(
    file: Path,
    /,
    *,
    to: Path,
    soundfont: Path | None = None,
    synthesiser: Literal["builtin", "fluidsynth"] = "builtin",
    view: Literal["roll", "score"] | None = None,
    title: str | None = None,
) -> None:
    """Make a sheet of music, a picture or a sound of a piece.

    Args:
        file: The piece: MIDI, MusicXML, ABC or Humdrum.
        to: What to make, by suffix: a score as .pdf, .svg or .musicxml, a piano roll as .png, a sound as .wav, .flac,
            .ogg or .mp3.
        soundfont: Play with this SoundFont (.sf2) instead of the installed one.
        synthesiser: What plays it; fluidsynth where it is installed.
        title: What stands above it; the file's name if not given.
        view: What an .svg shows: the score, or a piano roll.
    """
    if to.exists() and file.exists() and to.samefile(file):
        raise ImpossibleRequest(f"{to} is the piece itself, and would be lost: choose another --to.")
    reading = read_safely(file)
    for repair in reading.repairs:
        say(f"{file}: {repair}")
    options: dict[str, Any] = {"soundfont": soundfont, "synthesiser": synthesiser, "view": view}
    for remark in render_score(reading.score, to, title=file.stem if title is None else title, **options):
        say(f"{to}: {remark}")
    say(f"{to}")
