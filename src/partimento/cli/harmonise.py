"""`partimento harmonise`: a melody, and what goes with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from partimento.cli.cells import Versions, Wishes, make
from partimento.cli.numbers import Whole
from partimento.filling import Accompaniment, alone
from partimento.instruments import programs_named


def harmonise(
    melody: Path,
    /,
    *,
    track: Whole = 1,
    instruments: str | None = None,
    wishes: Annotated[Wishes | None, Parameter(name="*")] = None,
    versions: Annotated[Versions, Parameter(name="*")],
) -> None:
    """Write what goes with a melody: the other voices, or chords.

    The melody stays as it is; what else the piece has is left out.

    Args:
        melody: MIDI, MusicXML, ABC or Humdrum.
        track: Where it is, counted from 1 among the tracks with notes.
        instruments: Who plays with it, e.g. piano or choir,choir,choir; by default those that the learnt music usually
            has beside its first track.
        wishes: What is asked of what is written, e.g. --chords "C G Am F".
        versions: What is made, and how.
    """
    programs = () if instruments is None else programs_named(instruments)
    make(melody, Accompaniment(programs), wishes, versions, prepared=lambda score: alone(score, track))
