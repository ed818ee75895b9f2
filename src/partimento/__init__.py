"""Partimento: teach a machine your music.

Give it a folder of MIDI; minutes later, on an ordinary computer, it composes new music in that style. The names below
are the public ones; each is imported when it is first used (PEP 562), so that what needs torch costs those alone who
train.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partimento.bundle import Bundle, open_bundle
    from partimento.codec import Request
    from partimento.composing import Order, compose_again, compose_into
    from partimento.corpus import Corpus, inspect
    from partimento.errors import PartimentoError
    from partimento.evaluating import Evaluation, evaluate
    from partimento.files import read, write
    from partimento.filling import Accompaniment, Asked, Filled, Manner, Region, Variation, fill
    from partimento.filling.composition import Composition, compose_cells
    from partimento.generation import Made, generate
    from partimento.generation.streaming import stream
    from partimento.guards import Guards
    from partimento.heard import Heard
    from partimento.progress import Progress
    from partimento.recipes import Recipe, presets, recipe_named
    from partimento.sampling import Sampling
    from partimento.score import Score
    from partimento.training.runs import train

_HOMES = {
    "bundle": ("Bundle", "open_bundle"),
    "codec": ("Request",),
    "composing": ("Order", "compose_again", "compose_into"),
    "corpus": ("Corpus", "inspect"),
    "errors": ("PartimentoError",),
    "evaluating": ("Evaluation", "evaluate"),
    "files": ("read", "write"),
    "filling": ("Accompaniment", "Asked", "Filled", "Manner", "Region", "Variation", "fill"),
    "filling.composition": ("Composition", "compose_cells"),
    "generation": ("Made", "generate"),
    "generation.streaming": ("stream",),
    "guards": ("Guards",),
    "heard": ("Heard",),
    "progress": ("Progress",),
    "recipes": ("Recipe", "presets", "recipe_named"),
    "sampling": ("Sampling",),
    "score": ("Score",),
    "training.runs": ("train",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Accompaniment",
    "Asked",
    "Bundle",
    "Composition",
    "Corpus",
    "Evaluation",
    "Filled",
    "Guards",
    "Heard",
    "Made",
    "Manner",
    "Order",
    "PartimentoError",
    "Progress",
    "Recipe",
    "Region",
    "Request",
    "Sampling",
    "Score",
    "Variation",
    "compose_again",
    "compose_cells",
    "compose_into",
    "evaluate",
    "fill",
    "generate",
    "inspect",
    "open_bundle",
    "presets",
    "read",
    "recipe_named",
    "stream",
    "train",
    "write",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'partimento' has no attribute {name!r}")
    return getattr(importlib.import_module(f"partimento.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
