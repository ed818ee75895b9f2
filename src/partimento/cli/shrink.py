"""`partimento shrink`: a model in fewer bits."""

from __future__ import annotations

from pathlib import Path

from partimento.bundle import open_bundle
from partimento.cli.terminal import say, watching
from partimento.cli.train import needs_training
from partimento.pieces import Pieces


def shrink(model: Path, /, *, to: Path) -> None:
    """Keep a model's weights in fewer bits: a smaller bundle that plays faster, and what that costs, measured.

    Args:
        model: A run, on whose held-out pieces the cost is measured, or a bundle, of which it is not.
        to: A new folder for the bundle.
    """
    with needs_training("Shrinking", "train"):
        from partimento.shrinking import shrink as shrink_bundle
    bundle, kept = open_bundle(model), model / "pieces" / "valid"
    with watching() as watch:
        made = shrink_bundle(bundle, to, Pieces.open(kept) if kept.is_dir() else None, watch=watch)
    before, after = (size / 1e6 for size in made.bytes)
    say(f"{to}: {after:.1f} MB instead of {before:.1f}.")
    if made.bits is None:
        say("What that costs was not measured: name a run, which has its held-out pieces, to know.")
    else:
        was, now = made.bits
        say(f"Held-out pieces ({made.notes:,} notes) take {now:.3f} bits a note instead of {was:.3f}.")
    say(f"Compose with it: partimento compose {to} --to NEW_FOLDER")
