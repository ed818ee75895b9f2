"""Whole numbers on the command line: 1.5 is none, and is refused where cyclopts would round it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter, Token

__all__ = ["Whole", "WholeOrNone"]


def _whole(_: Any, tokens: Sequence[Token]) -> int:
    text = tokens[0].value.strip()
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ValueError(f"{text} is not a whole number")
    return int(text)


Whole = Annotated[int, Parameter(converter=_whole)]
WholeOrNone = Annotated[int | None, Parameter(converter=_whole)]
