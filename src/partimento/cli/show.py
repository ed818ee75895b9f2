"""`partimento show`: what a model is made of, and what it says about itself."""

from __future__ import annotations

from pathlib import Path

from partimento.bundle import open_bundle
from partimento.cli.tables import show as show_table
from partimento.cli.terminal import say
from partimento.showing import shown


def show(model: Path | None = None, /, *, to: Path | None = None) -> None:
    """Show what a model is made of, what it learnt from and what it reached.

    Args:
        model: A bundle, or the folder of a run; the model that comes along if not given.
        to: Draw the layers into this .png or .svg file as well.
    """
    made = shown(open_bundle(model))
    if to is not None:
        made.draw(to)
    say(f"{made.title}{f': {made.about}' if made.about else ''}")
    say("")
    show_table(made.layer_table())
    say(made.reading)
    for table in (made.facts_table(), made.scores_table()):
        if table is not None:
            say("")
            show_table(table)
    if to is not None:
        say(f"The picture: {to}")
