"""`partimento accompany`: new tracks beside those of a piece."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from partimento.cli.cells import Versions, Wishes, bars_of, make
from partimento.filling import Accompaniment
from partimento.instruments import programs_named


def accompany(
    piece: Path,
    /,
    *,
    instruments: str | None = None,
    bars: str | None = None,
    wishes: Annotated[Wishes | None, Parameter(name="*")] = None,
    versions: Annotated[Versions, Parameter(name="*")],
) -> None:
    """Write new tracks beside those of a piece, which stay as they are.

    Args:
        piece: MIDI, MusicXML, ABC or Humdrum.
        instruments: Who plays them, e.g. bass,drums (General MIDI's names, or numbers from 0); by default those that
            the learnt music usually has beside as many tracks.
        bars: Only in these, counted from 1: 5-8, or 5 for one.
        wishes: What is asked of what is written.
        versions: What is made, and how.
    """
    programs = () if instruments is None else programs_named(instruments)
    make(piece, Accompaniment(programs, bars_of(bars)), wishes, versions)
