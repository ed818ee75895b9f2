"""`partimento compose --stream`: the notes of a piece as lines of JSON, while it is being made."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.bundle import Bundle
from partimento.codec import Request
from partimento.errors import ImpossibleRequest
from partimento.generation.streaming import Heard, stream
from partimento.guards import Guards
from partimento.sampling import Sampling
from partimento.settings import from_table


def refuse_beside_a_stream(others: Mapping[str, Any]) -> None:
    """Refuse what needs the whole piece before it can be told.

    Args:
        others: by their names; None for what is not said.

    Raises:
        ImpossibleRequest: names it.
    """
    said = [name for name, value in others.items() if value is not None]
    if said:
        name = "A form, instruments or chords" if said[0] == "plan" else f"--{said[0]}"
        raise ImpossibleRequest(
            f"{name} cannot go with --stream, which tells one piece while it is made: leave one or the other out."
        )


def print_notes(bundle: Bundle, prompt: NDArray[np.int64], seed: int, tables: Mapping[str, Any]) -> None:
    """Print each note of a piece as soon as its bar is complete, and in the end what there is to say of the piece.

    Args:
        bundle: what plays.
        prompt: ids to go on from; empty for none.
        seed: the same seed gives the same music.
        tables: the settings of the request, the sampling, the guards and the player.
    """

    def hear(note: Heard) -> None:
        sys.stdout.write(json.dumps(dataclasses.asdict(note)) + "\n")
        sys.stdout.flush()

    made = stream(
        bundle,
        hear,
        request=from_table(Request, tables["request"], "request"),
        sampling=from_table(Sampling, tables["sampling"], "sampling"),
        guards=from_table(Guards, tables["guards"], "guards"),
        player=tables["player"],
        seed=seed,
        prompt=prompt if len(prompt) else None,
    )
    end = {"end": True, "notes": made.notes, "seconds": round(made.seconds, 3), "remarks": made.remarks}
    sys.stdout.write(json.dumps(end) + "\n")
