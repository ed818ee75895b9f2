"""`partimento vary`: a piece of which some is written anew here and there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from partimento.cli.cells import Versions, Wishes, bars_of, make, tracks_of
from partimento.filling import Region, Variation


def vary(
    piece: Path,
    /,
    *,
    share: float = 0.5,
    bars: str | None = None,
    tracks: str | None = None,
    wishes: Annotated[Wishes | None, Parameter(name="*")] = None,
    versions: Annotated[Versions, Parameter(name="*")],
) -> None:
    """Write some bars of a piece's tracks anew, here and there, from all that stays.

    Which ones is drawn by chance, others in each version.

    Args:
        piece: MIDI, MusicXML, ABC or Humdrum.
        share: How much of it is written anew, more than 0 and at most 1.
        bars: Only in these, counted from 1: 5-8, or 5 for one.
        tracks: Only of these, counted from 1 among those with notes: 2, or 1,3.
        wishes: What is asked of what is written.
        versions: What is made, and how.
    """
    make(piece, Variation(share, Region(bars_of(bars), tracks_of(tracks))), wishes, versions)
