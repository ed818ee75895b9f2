"""Names: what a person calls something, as text that can be shown; never a path."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

LONGEST = 120  # letters
JOINER = "\u200d"  # of emoji that are one


def shown(text: str) -> str:
    """A text without what is not to be seen, as what turns the direction of all that follows."""
    return "".join(letter for letter in text if letter.isprintable() or letter == JOINER)


def _seen(name: str) -> str:
    name = shown(name).strip()
    if not name:
        raise ValueError("a name has a letter that can be seen")
    return name


Name = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(_seen)]
