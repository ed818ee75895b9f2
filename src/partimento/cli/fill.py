"""`partimento fill`: some bars of some tracks of a piece written anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from partimento.bundle import open_bundle
from partimento.cli.terminal import say, watching
from partimento.codec import Request
from partimento.composing import Sound, composing_tables
from partimento.errors import ImpossibleRequest
from partimento.files import read_safely
from partimento.filling import Region
from partimento.filling.files import fill_into
from partimento.generation.requests import MOST
from partimento.guards import Guards
from partimento.sampling import Sampling
from partimento.settings import describe, from_table, name_of

_SAMPLING = describe(Sampling)


def fill(
    piece: Path,
    /,
    *,
    to: Path,
    model: Path | None = None,
    bars: str | None = None,
    tracks: str | None = None,
    n: Annotated[int, Parameter(name=["-n", "--number"])] = 1,
    seed: int = 0,
    temperature: Annotated[float | None, Parameter(help=_SAMPLING["temperature"])] = None,
    top_p: Annotated[float | None, Parameter(help=_SAMPLING["top_p"])] = None,
    sound: Sound = "wav",
    soundfont: Path | None = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
) -> None:
    """Write some bars of some tracks of a piece anew, from what stands before, after and beside them.

    Every other note stays as it was. Without tracks all are written anew in those bars; without bars, those tracks
    throughout.

    Args:
        piece: MIDI, MusicXML, ABC or Humdrum.
        to: A new folder: for each version a MIDI file, its sound, a picture and what made it.
        model: A bundle or a run of the recipe nested.
        bars: The first and the last, counted from 1: 5-8, or 5 for one.
        tracks: Which, counted from 1 among those with notes: 2, or 1,3.
        n: How many versions.
        seed: The same seed gives the same music.
        sound: The sounds' format, or none.
        soundfont: Play with this SoundFont (.sf2) instead of the installed one.
        set_: Change a setting of the sampling, the guards or the request, e.g. --set request.longest_note=4; can be
            given several times.
    """
    if model is None:
        raise ImpossibleRequest(
            "Name a model: --model RUN, as `partimento train FOLDER --recipe nested --to RUN` makes it."
        )
    region = Region(_bars(bars), _tracks(tracks))
    if region == Region():
        raise ImpossibleRequest("Say what to write anew: --bars 5-8, --tracks 2, or both.")
    bundle = open_bundle(model)
    drawn = {name: value for name, value in (("temperature", temperature), ("top_p", top_p)) if value is not None}
    tables = composing_tables(bundle.recipe, set_, sampling=drawn)
    if lengths := [one for one in set_ if name_of(one) in {f"request.{length}" for length in MOST}]:
        raise ImpossibleRequest(f"A region has the bars that it has: leave out --set {lengths[0]}.")
    reading = read_safely(piece)
    for repair in reading.repairs:
        say(f"{piece}: {repair}")
    with watching() as watch:
        written = fill_into(
            to,
            bundle,
            reading.score,
            region,
            name=piece.name,
            n=n,
            seed=seed,
            sampling=from_table(Sampling, tables["sampling"], "sampling"),
            guards=from_table(Guards, tables["guards"], "guards"),
            longest_note=from_table(Request, tables["request"], "request").longest_note,
            sound=sound,
            soundfont=soundfont,
            watch=watch,
        )
    for midi, filled in written:
        say(f"{midi}: {filled.notes} new notes. " + " ".join(filled.remarks))


def _bars(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, dash, last = text.partition("-")
    if not first.strip().isdecimal() or (dash and not last.strip().isdecimal()):
        raise ImpossibleRequest(f"--bars takes two numbers, as in 5-8, or one; {text!r} is not that.")
    return int(first), int(last if dash else first)


def _tracks(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ImpossibleRequest(f"--tracks takes numbers with commas between them, as in 1,3; {text!r} is not that.")
    return tuple(int(part) for part in parts)
