"""Naming: what a person calls the files and folders that were judged, in place of their paths.

Who keeps pieces under numbers, as the studio does, wants to read of "Waltz" and not of `pieces/0001.mid`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from partimento.errors import InvalidSettings
from partimento.evaluating import Evaluation
from partimento.evaluation.originality import Nearest, Passage
from partimento.evaluation.scorecard import Judged

__all__ = ["named", "read_names"]

Shared = TypeVar("Shared", Passage, Nearest)


def read_names(file: Path) -> dict[str, str]:
    """Names by path, from a JSON file.

    Raises:
        InvalidSettings: it cannot be read, or is something else.
    """
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"--names {file} cannot be read as JSON ({error}).") from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        raise InvalidSettings(f'--names {file} must hold names by path, as in {{"pieces/0001.mid": "Waltz"}}.')
    return found


def named(made: Evaluation, names: Mapping[str, str], trained_on: Path | None = None) -> Evaluation:
    """An evaluation that speaks of files and folders by these names, as far as they have some.

    Args:
        made: what was found.
        names: by path, as it was given: of the folders, and of files in them.
        trained_on: what the pieces must not copy, as it was given.
    """
    learnt = made.like if trained_on is None else trained_on

    def piece(name: str) -> str:
        return names.get(str(made.place / name), name)

    def judged(one: Judged) -> Judged:
        shared = one.originality
        common = {
            kind: dataclasses.replace(found, longest=source(found.longest), exact=source(found.exact))
            for kind, found in shared.common.items()
        }
        originality = dataclasses.replace(shared, common=common, nearest=source(shared.nearest))
        return dataclasses.replace(one, name=piece(one.name), originality=originality)

    def source(found: Shared | None) -> Shared | None:
        return found and dataclasses.replace(found, source=names.get(str(learnt / found.source), found.source))

    def folder(place: Path) -> Path:
        return Path(names.get(str(place), place.name).replace("/", "-"))

    card = dataclasses.replace(made.scorecard, pieces=tuple(map(judged, made.scorecard.pieces)))
    scores = {piece(name): score for name, score in made.scores.items()}
    if len(scores) < len(made.scores):
        raise InvalidSettings("--names gives two pieces one name.")
    return dataclasses.replace(
        made,
        place=folder(made.place),
        like=folder(made.like),
        trained_on=made.trained_on.replace(str(learnt), names.get(str(learnt), str(learnt))),
        scorecard=card,
        refused=[(piece(name), why) for name, why in made.refused],
        scores=scores,
    )
