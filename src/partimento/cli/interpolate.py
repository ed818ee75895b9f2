"""`partimento interpolate`: from one piece to another through those between them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from partimento.bundle import open_bundle
from partimento.cli.numbers import Whole, WholeOrNone
from partimento.cli.terminal import say, watching
from partimento.composing import Sound
from partimento.errors import ImpossibleRequest
from partimento.files import read_safely
from partimento.interpolation import Journey, interpolate_into, settings_of


def interpolate(
    first: Path,
    second: Path,
    /,
    *,
    to: Path,
    model: Path | None = None,
    steps: Whole = 7,
    bars: WholeOrNone = None,
    temperature: float = 0.0,
    seed: Whole = 0,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
    sound: Sound = "wav",
    soundfont: Path | None = None,
) -> None:
    """Go from one piece to another through the pieces that a model knows between them.

    Args:
        first: The piece to begin with: MIDI, MusicXML, ABC or Humdrum.
        second: The piece to arrive at.
        to: A new folder: a MIDI file, a sound and a picture of each piece on the way, and of all in a row.
        model: A bundle or a run of the recipe vae.
        steps: How many pieces, the model's versions of the two among them.
        bars: How many bars of each piece, from the first in which anything sounds; one phrase if not given.
        temperature: Above 0 cells are drawn by chance; 0 takes the likelier, so that nothing changes but the place.
        seed: Decides what is drawn.
        set_: Change a setting of the player, e.g. --set player.attributes.density=1.5 to move all along an attribute of
            the model; can be given several times.
        sound: The sounds' format, or none.
        soundfont: Play with this SoundFont (.sf2) instead of the installed one.
    """
    if model is None:
        raise ImpossibleRequest(
            "Name a model: --model RUN, as `partimento train FOLDER --recipe vae --to RUN` makes it."
        )
    bundle = open_bundle(model)
    player = settings_of(bundle, set_)
    journey = Journey(steps=steps, bars=bars, seed=seed, temperature=temperature, player=player)
    pieces = []
    for file in (first, second):
        reading = read_safely(file)
        for repair in reading.repairs:
            say(f"{file}: {repair}")
        pieces.append(reading.score)
    with watching() as watch:
        remarks = interpolate_into(
            to,
            bundle,
            (pieces[0], pieces[1]),
            journey,
            names=(first.name, second.name),
            sound=sound,
            soundfont=soundfont,
            watch=watch,
        )
    for remark in remarks:
        say(remark)
    if seed and not temperature:
        say("--seed is of no effect at --temperature 0, where nothing is drawn.")
    say(f"{to}: {steps} pieces, and all of them in a row in {to / 'all.mid'}")
