"""Rehearsing: music that a model composes before it goes on learning, and hears again among the new.

Who learns something else forgets what was before, unless it is heard again among the new (Robins 1995, "Catastrophic
forgetting, rehearsal and pseudorehearsal"). A bundle holds none of the music that it learnt from, so the model itself
makes what is heard again (his pseudorehearsal): a share of the updates learns from that.

Leaves out: models that make grids, and telling the model to stay near what it was (Li and Hoiem 2016).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from partimento.bundle import Bundle
from partimento.codec import Request, TokenSpec
from partimento.errors import InvalidSettings
from partimento.generation import generate
from partimento.pieces import Pieces
from partimento.progress import Progress, Watch, ignore
from partimento.recipes import Recipe
from partimento.settings import to_table

MOST = 40_000  # ids that are composed; who learns longer hears them again and again
BARS, AT_ONCE = 32, 32  # of each piece, and how many pieces side by side


def rehearsal(start: Bundle, folder: Path, recipe: Recipe, watch: Watch = ignore) -> Pieces:
    """Music that a model makes, to be heard again; what the folder has already is taken.

    Args:
        start: the model.
        folder: new, or as an earlier call left it.
        recipe: of the run, planned: says how much of it will be heard, and by its seed what is composed.
        watch: hears of progress.

    Raises:
        InvalidSettings: the model makes grids, and nobody could hear those among ids.
    """
    if folder.exists():
        return Pieces.open(folder)
    codec = start.codec(recipe.settings["codec"])
    told_alike = to_table(codec.settings) == to_table(start.codec().settings)
    if not isinstance(codec.spec, TokenSpec):
        raise InvalidSettings("Only models of ids rehearse: --set preparation.rehearsal=0.")
    training, share = recipe.settings["training"], recipe.settings["preparation"].rehearsal
    wanted = min(MOST, math.ceil(share * training.updates * training.batch * training.length))
    made = 0

    def composed() -> Iterator[tuple[NDArray[Any], int]]:
        nonlocal made
        batch = 0
        while made < wanted:
            for piece in generate(start, request=Request(bars=BARS), n=AT_ONCE, seed=training.seed + batch):
                ids = piece.encoded if told_alike else codec.encode(piece.score)
                made += max(len(ids), 1)
                watch(Progress("Composing what it knows", min(made, wanted), wanted, "tokens"))
                yield ids, piece.notes
                if made >= wanted:
                    return
            batch += 1

    return Pieces.write(folder, composed(), codec.spec)
