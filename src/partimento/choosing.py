"""Choosing: of pieces that a model made those most like people's, as its bundle knows them.

A bundle has the figures of pieces that its run held out; each made piece is placed among them (`evaluation.ranking`,
which says what that is worth). Leaves out: taste.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from partimento.bundle import Bundle
from partimento.errors import ImpossibleRequest
from partimento.evaluation.features import features
from partimento.evaluation.ranking import place
from partimento.score import Score

__all__ = ["likest", "people_of"]


class Piece(Protocol):
    """What was made, as a dataclass."""

    @property
    def index(self) -> int:
        """Its place in the request, from 0."""

    @property
    def score(self) -> Score:
        """The music."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences about it."""


P = TypeVar("P", bound=Piece)


def people_of(bundle: Bundle, best: int, of: int) -> Mapping[str, Sequence[float]]:
    """The figures of people's pieces by feature, as the run that made the bundle found them.

    Args:
        bundle: what makes the pieces.
        best: how many are to be chosen.
        of: how many are made.

    Raises:
        ImpossibleRequest: the bundle has none, or there are fewer pieces than are to be chosen.
    """
    if not 1 <= best <= of:
        raise ImpossibleRequest(f"The best {best} of {of} pieces cannot be chosen: ask for 1 to {of}.")
    try:
        figures = bundle.facts["human"]["figures"]
        return {str(name): [math.nan if one is None else float(one) for one in own] for name, own in figures.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ImpossibleRequest(
            f"{bundle.folder} does not say what people's pieces are like, so none of its own can be called best: an "
            "older version made it. Compose without --best."
        ) from error


def likest(pieces: Sequence[P], people: Mapping[str, Sequence[float]], best: int) -> list[P]:
    """So many of some pieces, those most like people's first; each says which it is, and why."""
    places = {made.index: place(features(made.score), people) for made in pieces}
    order = sorted(pieces, key=lambda made: (-places[made.index].score, made.index))
    chosen = []
    for rank, made in enumerate(order[:best], start=1):
        found = places[made.index]
        why = f"; unlike them: {'; '.join(found.says)}" if found.says else ""
        said = f"Ranked {rank} of {len(order)}: like people's pieces on {found.usual} of {found.features} figures{why}."
        changed: Any = replace(made, remarks=(*made.remarks, said))  # type: ignore[type-var]
        chosen.append(changed)
    return chosen
