"""`partimento render`: a picture or a sound of a piece."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from partimento.cli.terminal import say
from partimento.files import read_safely
from partimento.render import render as render_score


def render(
    file: Path,
    /,
    *,
    to: Path,
    soundfont: Path | None = None,
    synthesiser: Literal["builtin", "fluidsynth"] = "builtin",
) -> None:
    """Make a picture or a sound of a piece.

    Args:
        file: The piece: MIDI, MusicXML, ABC or Humdrum.
        to: What to make, by suffix: .png, .svg, .wav, .flac, .ogg or .mp3.
        soundfont: Play with this SoundFont (.sf2) instead of the installed one.
        synthesiser: What plays it; fluidsynth where it is installed.
    """
    reading = read_safely(file)
    for repair in reading.repairs:
        say(f"{file}: {repair}")
    for remark in render_score(reading.score, to, title=file.stem, soundfont=soundfont, synthesiser=synthesiser):
        say(f"{to}: {remark}")
    say(f"{to}")
