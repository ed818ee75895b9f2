"""Rendering: one function that makes a sheet of music, a picture or a sound of a score, by suffix.

What draws and what plays is imported when it is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from partimento.atomic import atomic_file
from partimento.errors import PartimentoError
from partimento.score import Score

__all__ = ["PICTURES", "SHEETS", "SOUNDS", "render"]

PICTURES, SOUNDS = (".png", ".svg"), (".wav", ".flac", ".ogg", ".mp3")
SHEETS = (".musicxml", ".pdf", ".svg")


def render(
    score: Score,
    path: Path,
    *,
    title: str = "",
    new_from: int | None = None,
    given: Score | None = None,
    soundfont: Path | None = None,
    synthesiser: Literal["builtin", "fluidsynth"] = "builtin",
    view: Literal["roll", "score"] | None = None,
) -> tuple[str, ...]:
    """Make a sheet of music, a picture or a sound of a score; the file appears whole or not at all.

    Args:
        score: the music; may be empty, which gives an empty roll or a moment of silence.
        path: .png makes a piano roll; .pdf an engraved score on pages of A4, .svg one on a single page as tall as it
            needs to be, .musicxml one for notation programs; .wav, .flac, .ogg and .mp3 a sound.
        title: stands above a picture or a score.
        new_from: the tick at which new music begins; a piano roll shades what comes before as the prompt.
        given: a piece whose notes a piano roll shows in grey where the score has them too, so that what is new stands
            out.
        soundfont: an SF2 file to play with; the installed one if None.
        synthesiser: what plays; "fluidsynth" is the program of that name, where it is installed.
        view: what an .svg shows, a piano roll or the engraved score; the score if None.

    Returns:
        Sentences about what the file does not hold, e.g. that a long piece was cut.

    Raises:
        MissingExtra: an engraved score is asked for, and verovio is not installed.
        PartimentoError: another suffix, a view that it cannot have, no time, no such SoundFont or synthesiser, or the
            folder cannot be written to.
    """
    suffix = path.suffix.lower()
    if suffix not in PICTURES + SHEETS + SOUNDS:
        raise PartimentoError(
            f"{path.name or path}: a piano roll ends in {' or '.join(PICTURES)}, a score in {', '.join(SHEETS)}, "
            f"a sound in {', '.join(SOUNDS)}."
        )
    made_as = view or ("score" if suffix in SHEETS else "roll")
    if suffix not in SOUNDS and suffix not in {"roll": PICTURES, "score": SHEETS}[made_as]:
        kinds = " or ".join({"roll": PICTURES, "score": SHEETS}[made_as])
        raise PartimentoError(f"{path.name}: a {'piano roll' if made_as == 'roll' else 'score'} ends in {kinds}.")
    if score.ticks_per_quarter <= 0:
        raise PartimentoError(f"{score.ticks_per_quarter} ticks to a quarter note are no time in which music could be.")
    try:
        with atomic_file(path) as temporary:
            if suffix not in SOUNDS and made_as == "score":
                from partimento.render.sheets import write_sheet

                return write_sheet(score, temporary, title=title)
            if suffix in PICTURES:
                from partimento.render.pictures import draw

                return draw(score, temporary, title=title, new_from=new_from, given=given)
            from partimento.render.audio import play

            return play(score, temporary, soundfont=soundfont, synthesiser=synthesiser)
    except OSError as error:
        raise PartimentoError(f"{path} cannot be written: {error.strerror or error}.") from error
