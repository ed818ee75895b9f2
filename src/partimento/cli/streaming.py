"""`partimento compose --stream`: the notes of a piece as lines of JSON, while it is being made."""

from __future__ import annotations

import dataclasses
import json
import sys

from partimento.bundle import Bundle
from partimento.composing import Order
from partimento.generation.streaming import stream
from partimento.heard import Heard


def print_notes(bundle: Bundle, order: Order) -> None:
    """Print each note of a piece as soon as its bar is complete, and in the end what there is to say of the piece.

    Args:
        bundle: what plays.
        order: the piece; of several the first.
    """

    def hear(note: Heard) -> None:
        sys.stdout.write(json.dumps(dataclasses.asdict(note)) + "\n")
        sys.stdout.flush()

    made = stream(bundle, hear, **order.asked())
    end = {"end": True, "notes": made.notes, "seconds": round(made.seconds, 3), "remarks": made.remarks}
    sys.stdout.write(json.dumps(end) + "\n")
