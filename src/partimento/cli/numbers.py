"""Whole numbers on the command line: 1.5 is none, and is refused where cyclopts would round it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter, Token

__all__ = ["Whole", "WholeOrNone", "whole"]


def whole(text: str) -> int:
    """The number that a text is.

    Raises:
        ValueError: it is none, or none that a number here could be.
    """
    if not re.fullmatch(r"[+-]?[0-9]{1,100}", text.strip()):
        raise ValueError(f"{text.strip()[:40]} is not a whole number")
    return int(text)


def _converted(_: Any, tokens: Sequence[Token]) -> int:
    return whole(tokens[0].value)


Whole = Annotated[int, Parameter(converter=_converted)]
WholeOrNone = Annotated[int | None, Parameter(converter=_converted)]
