"""`partimento compare`: every system on the same music, side by side."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from partimento.cli.numbers import Whole, WholeOrNone
from partimento.cli.tables import show
from partimento.cli.terminal import say, watching
from partimento.cli.train import needs_training
from partimento.errors import InvalidSettings


def compare(
    folder: Path,
    /,
    *,
    to: Path,
    recipes: str | None = None,
    minutes: float = 3.0,
    sample: WholeOrNone = None,
    seed: Whole = 0,
    bars: Whole = 16,
    pieces: Whole = 16,
    common: Annotated[bool, Parameter(negative="--no-common")] = True,
    sound: Literal["wav", "flac", "ogg", "mp3", "none"] = "mp3",
) -> None:
    """Train every system on the same music in the same time, and set what they make beside people's pieces.

    A system that fails costs a row, which says why; where all fail, so does the command. The same command goes on with
    a comparison that was broken off, leaves alone what is finished, and tries again what failed.

    Args:
        folder: The music: MIDI, MusicXML, ABC or Humdrum, in any folders below it. Nothing in it is changed.
        to: A folder for the comparison: a page to listen and look, tables, and each system's run and music.
        recipes: Which recipes, e.g. lstm,markov,mine.toml; all that `partimento recipes` lists if not given.
        minutes: The time that each system may train.
        sample: Learn from a random subset of this many pieces.
        seed: Which random subset, and all else that is random.
        bars: The length of each composed piece.
        pieces: How many pieces each system composes.
        common: Train those that learn ids one after another on the codec `tokens` too, so that they do compare.
        sound: The sounds' format, or none.
    """
    with needs_training("Comparing systems", "train"):
        from partimento.alone import Broken
        from partimento.comparing import Terms
        from partimento.comparing import compare as compare_systems
        from partimento.recipes import presets, recipe_named
    if not 0 < minutes < math.inf:
        raise InvalidSettings(f"--minutes must be more than 0, not {minutes:g}.")
    if min(bars, pieces) < 1 or seed < 0:
        raise InvalidSettings("--bars and --pieces must be 1 or more, and --seed 0 or more.")
    names = [name.strip() for name in recipes.split(",") if name.strip()] if recipes is not None else list(presets())
    terms = Terms(minutes=minutes, sample=sample, seed=seed, bars=bars, pieces=pieces, sound=sound)
    with watching() as watch:
        made = compare_systems(folder, to, [recipe_named(n) for n in names], terms, common=common, watch=watch)
    for table in made.tables():
        say("")
        show(table)
    say("")
    say(f"Listen and look: {to / 'index.html'}")
    if all(row.result is None for row in made.rows):
        raise Broken(f"Every system failed, the first so: {made.rows[0].why}")
