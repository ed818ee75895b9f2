"""`partimento fill`: some bars of some tracks of a piece written anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from partimento.cli.cells import Versions, Wishes, bars_of, make, tracks_of
from partimento.errors import ImpossibleRequest
from partimento.filling import Region


def fill(
    piece: Path,
    /,
    *,
    bars: str | None = None,
    tracks: str | None = None,
    wishes: Annotated[Wishes | None, Parameter(name="*")] = None,
    versions: Annotated[Versions, Parameter(name="*")],
) -> None:
    """Write some bars of some tracks of a piece anew, from what stands before, after and beside them.

    Every other note stays as it was. Without tracks all are written anew in those bars; without bars, those tracks
    throughout.

    Args:
        piece: MIDI, MusicXML, ABC or Humdrum.
        bars: The first and the last, counted from 1: 5-8, or 5 for one.
        tracks: Which, counted from 1 among those with notes: 2, or 1,3.
        wishes: What is asked of what is written.
        versions: What is made, and how.
    """
    region = Region(bars_of(bars), tracks_of(tracks))
    if region == Region():
        raise ImpossibleRequest("Say what to write anew: --bars 5-8, --tracks 2, or both.")
    make(piece, region, wishes, versions)
