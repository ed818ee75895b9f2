"""`partimento audition`: every checkpoint of a run, heard with one seed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from partimento.cli.numbers import Whole, WholeOrNone
from partimento.cli.tables import show
from partimento.cli.terminal import say, watching
from partimento.cli.train import needs_training
from partimento.codec import Request
from partimento.composing import Order, Sound, composing_tables
from partimento.guards import Guards
from partimento.sampling import Sampling
from partimento.settings import describe, from_table

BARS = 16
LENGTHS = ("request.bars", "request.seconds", "request.notes")
_REQUEST = describe(Request)


def audition(
    run: Path,
    /,
    *,
    to: Path,
    n: Annotated[Whole, Parameter(name=["-n", "--number"])] = 1,
    seed: Whole = 0,
    bars: Annotated[WholeOrNone, Parameter(help=f"Exactly this many bars; {BARS} if no length is given.")] = None,
    seconds: Annotated[float | None, Parameter(help=_REQUEST["seconds"])] = None,
    notes: Annotated[WholeOrNone, Parameter(help=_REQUEST["notes"])] = None,
    temperature: Annotated[float | None, Parameter(help=describe(Sampling)["temperature"])] = None,
    sound: Sound = "mp3",
    soundfont: Path | None = None,
    last: WholeOrNone = None,
    bundles: Annotated[bool, Parameter(negative="")] = False,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
) -> None:
    """Compose from every saved checkpoint of a run with one seed, to hear how it learnt.

    Args:
        run: The folder of a run, finished or still at work.
        to: A new folder: a page to listen and look, a table (CSV, JSON), and the pieces of each checkpoint.
        n: How many pieces each checkpoint composes.
        seed: The same for all.
        sound: The sound's format, or none.
        soundfont: Play with this SoundFont (.sf2) instead of the installed one.
        last: Only so many checkpoints, the last ones.
        bundles: Keep each checkpoint as a bundle that `compose` can play.
        set_: Change a setting of the player, the sampling, the guards or the request, as for `compose`.
    """
    with needs_training("Auditioning checkpoints", "train"):
        from partimento.auditioning import audition as hear
        from partimento.auditioning import recipe_of
    asked = {name: v for name, v in {"bars": bars, "seconds": seconds, "notes": notes}.items() if v is not None}
    if not asked and not any(setting.partition("=")[0].strip() in LENGTHS for setting in set_):
        asked = {"bars": BARS}
    drawn = {} if temperature is None else {"temperature": temperature}
    tables = composing_tables(recipe_of(run).to_tables(), set_, request=asked, sampling=drawn)
    order = Order(
        n=n,
        seed=seed,
        request=from_table(Request, tables["request"], "request"),
        sampling=from_table(Sampling, tables["sampling"], "sampling"),
        guards=from_table(Guards, tables["guards"], "guards"),
        prompt=np.empty(0, dtype=np.int64),
        player=tables["player"],
    )
    try:
        with watching() as watch:
            made = hear(run, to, order, sound=sound, soundfont=soundfont, keep_bundles=bundles, last=last, watch=watch)
    except KeyboardInterrupt:
        if to.exists():
            say(f"Stopped; the checkpoints heard until then: {to / 'index.html'}")
        raise
    show(made.table())
    for heard in made.heard:
        if heard.why:
            say(f"Update {heard.update:,} cannot be played: {heard.why}")
    say(f"Listen and look: {made.page}")
