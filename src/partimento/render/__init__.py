"""Rendering: one function that makes a picture or a sound of a score, by suffix.

What draws and what plays is imported when it is asked for. Leaves out: notation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from partimento.atomic import atomic_file
from partimento.errors import PartimentoError
from partimento.score import Score

__all__ = ["PICTURES", "SOUNDS", "render"]

PICTURES, SOUNDS = (".png", ".svg"), (".wav", ".flac", ".ogg", ".mp3")


def render(
    score: Score,
    path: Path,
    *,
    title: str = "",
    new_from: int | None = None,
    given: Score | None = None,
    soundfont: Path | None = None,
    synthesiser: Literal["builtin", "fluidsynth"] = "builtin",
) -> tuple[str, ...]:
    """Make a picture or a sound of a score; the file appears whole or not at all.

    Args:
        score: the music; may be empty, which gives an empty roll or a moment of silence.
        path: .png and .svg make a piano roll; .wav, .flac, .ogg and .mp3 a sound.
        title: stands above a picture.
        new_from: the tick at which new music begins; a picture shades what comes before as the prompt.
        given: a piece whose notes a picture shows in grey where the score has them too, so that what is new stands out.
        soundfont: an SF2 file to play with; the installed one if None.
        synthesiser: what plays; "fluidsynth" is the program of that name, where it is installed.

    Returns:
        Sentences about what the file does not hold, e.g. that a long piece was cut.

    Raises:
        PartimentoError: another suffix, no time, no such SoundFont or synthesiser, or the folder cannot be written to.
    """
    suffix = path.suffix.lower()
    if suffix not in PICTURES + SOUNDS:
        raise PartimentoError(
            f"{path.name or path}: a picture ends in {' or '.join(PICTURES)}, a sound in {', '.join(SOUNDS)}."
        )
    if score.ticks_per_quarter <= 0:
        raise PartimentoError(f"{score.ticks_per_quarter} ticks to a quarter note are no time in which music could be.")
    try:
        with atomic_file(path) as temporary:
            if suffix in PICTURES:
                from partimento.render.pictures import draw

                return draw(score, temporary, title=title, new_from=new_from, given=given)
            from partimento.render.audio import play

            return play(score, temporary, soundfont=soundfont, synthesiser=synthesiser)
    except OSError as error:
        raise PartimentoError(f"{path} cannot be written: {error.strerror or error}.") from error
