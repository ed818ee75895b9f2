"""What can be written: refusals of what a model has not learnt, or no cells can be, before anything is drawn."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from partimento.bundle import Bundle
from partimento.codecs.cells import Cells
from partimento.codecs.cells.asking import DENSITY, HIGHEST, LOWEST, POLYPHONY, counts
from partimento.codecs.cells.fields import DRUMS, STEPS, Ids, densities, vocabulary
from partimento.codecs.cells.grid import Grid
from partimento.errors import ImpossibleRequest
from partimento.keys import pitches_in

__all__ = ["require_enough_notes", "require_filling", "require_learnt", "require_pitches"]

ADVICE = "Take the one that comes along, or one that `partimento train FOLDER --recipe nested` made."


def require_filling(bundle: Bundle) -> Cells:
    """The codec of a model that has learnt to fill.

    Raises:
        ImpossibleRequest: it has not.
    """
    codec = bundle.codec()
    hidden = bundle.recipe.get("preparation", {}).get("hidden", 0)
    if not isinstance(codec, Cells) or not hidden or bundle.model_name != "nested":
        raise ImpossibleRequest(
            f"The model {bundle.folder} writes pieces from their beginning to their end and has not learnt to fill: it "
            f"cannot be asked for instruments, forms, chords, densities and the like. {ADVICE}"
        )
    return codec


def require_learnt(codec: Cells, programs: Iterable[int]) -> None:
    """Refuse drums of a model that has learnt none: it has no key of them to strike.

    Raises:
        ImpossibleRequest: says so.
    """
    drums = vocabulary()["drum"]
    if DRUMS in programs and not codec.used[drums.start : drums.stop].any():
        raise ImpossibleRequest("This model has learnt no drums and cannot write any: leave them out, or take another.")


def require_pitches(codec: Cells, key: str | None, piece: Ids, wish: Ids) -> None:
    """Refuse a range that holds no pitch that the model has learnt, or here hears.

    Args:
        codec: what it has learnt.
        key: that is asked for.
        piece: (6 E,) ids.
        wish: (bars, tracks, 5) what is asked of its cells.

    Raises:
        ImpossibleRequest: says so.
    """
    span = vocabulary()["pitch"]
    in_key, of = pitches_in(key), f" of {key}" if key else ""
    heard = np.isin(np.arange(span.start, span.stop), piece)
    known = np.flatnonzero((codec.used[span.start : span.stop] | heard) & in_key)
    for low, high in np.unique(wish[..., [LOWEST, HIGHEST]].reshape(-1, 2), axis=0).tolist():
        high = 127 if high < 0 else high
        if len(known) and not ((known >= low) & (known <= high)).any():
            raise ImpossibleRequest(
                f"The model has learnt, or here hears, pitches{of} from {known[0]} to {known[-1]}; none of "
                f"them is from {max(low, 0)} to {high}."
            )


def require_enough_notes(grid: Grid, wish: Ids) -> None:
    """Refuse a density at which a bar has fewer notes than are to sound at once.

    Args:
        grid: the bars.
        wish: (bars, tracks, 5) what is asked of their cells.

    Raises:
        ImpossibleRequest: says so.
    """
    both = (wish[..., DENSITY] >= 0) & (wish[..., POLYPHONY] >= 0)
    lengths = np.broadcast_to(np.diff(grid.starts)[:, None], both.shape)
    asked = np.stack([wish[both][:, DENSITY], wish[both][:, POLYPHONY], lengths[both]], 1)
    for density, polyphony, length in np.unique(asked, axis=0).tolist():
        _, most = counts(density, length)
        if most <= polyphony:
            raise ImpossibleRequest(
                f"At a density of {densities()[density]:.2g} a bar of {length / STEPS:g} quarter notes has "
                f"{most} note{'s' * (most != 1)} at most, and {polyphony + 1} cannot sound at once: ask for more "
                "notes, or for a lower polyphony."
            )
