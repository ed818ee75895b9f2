"""`partimento recipes`: what there is to train with."""

from __future__ import annotations

from partimento.cli.terminal import say
from partimento.cli.train import needs_training


def recipes(name: str | None = None, /) -> None:
    """List the recipes that `train` knows, or print one whole.

    Args:
        name: A recipe to print, complete, as a file to start one's own from.
    """
    with needs_training("Looking into recipes", "train"):
        from partimento.recipes import presets, recipe_named
    if name is not None:
        say(recipe_named(name).to_toml().rstrip())
        return
    for preset, about in presets().items():
        say(f"{preset}: {about}")
