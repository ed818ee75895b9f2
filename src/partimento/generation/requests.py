"""Requests: which length is asked for, what is too much, and what a codec loses of a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from partimento.codec import Codec, Request
from partimento.errors import ImpossibleRequest
from partimento.score import Score, note_array

Draft = TypeVar("Draft")

ATTEMPTS = 4  # how often a piece without a note is tried again, in all
SIDE_BY_SIDE = 32
MOST = {"bars": 2_000, "seconds": 7_200.0, "notes": 100_000}
MOST_PIECES = 10_000


def length_asked(request: Request) -> str | None:
    """Which length is asked for: "bars", "seconds", "notes" or none."""
    return next((name for name in MOST if getattr(request, name) is not None), None)


def check(request: Request, n: int, seed: int) -> None:
    """Refuse what no bundle can make.

    Raises:
        ImpossibleRequest: says why.
    """
    if not 1 <= n <= MOST_PIECES:
        raise ImpossibleRequest(f"{n} pieces cannot be made at once; ask for 1 to {MOST_PIECES:,}.")
    if seed < 0:
        raise ImpossibleRequest(f"A seed is 0 or more; {seed} is not.")
    asked = length_asked(request)
    if asked and getattr(request, asked) > MOST[asked]:
        raise ImpossibleRequest(f"A piece may have {MOST[asked]:,} {asked} at most; ask for fewer.")


def prompt_losses(codec: Codec[Any], prompt: Score) -> list[str]:
    """Sentences about what a codec cannot say of a prompt; none where it keeps every note and instrument."""
    given, kept = note_array(prompt), note_array(codec.decode(codec.encode(prompt)))
    remarks = []
    if len(kept) < len(given):
        remarks.append(f"The model's codec cannot say {len(given) - len(kept)} of the prompt's {len(given)} notes.")
    lost = sorted(set(given["program"].tolist()) - set(kept["program"].tolist()))
    if lost:
        names = ", ".join("drums" if program < 0 else f"program {program + 1}" for program in lost)
        remarks.append(f"The model's codec does not keep these instruments of the prompt: {names} (General MIDI).")
    return remarks


def drafted(
    n: int, seed: int, write: Callable[[list[list[int]]], Sequence[Draft]], silent: Callable[[Draft], bool]
) -> Iterator[dict[int, tuple[Draft, int]]]:
    """Let pieces be written side by side, and those without a note again, from other seeds.

    Args:
        n: how many pieces.
        seed: of the request; piece i is drawn from (seed, i), and at later attempts from (seed, i, attempt).
        write: writes a draft from each of some seeds.
        silent: whether a draft has no note.

    Yields:
        Some pieces: by its number each draft, and at which attempt it came.
    """
    for first in range(0, n, SIDE_BY_SIDE):
        indices = range(first, min(first + SIDE_BY_SIDE, n))
        drafts = {i: (draft, 1) for i, draft in zip(indices, write([[seed, i] for i in indices]), strict=True)}
        for attempt in range(1, ATTEMPTS):
            again = [i for i in indices if silent(drafts[i][0])]
            if not again:
                break
            written = write([[seed, i, attempt] for i in again])
            drafts |= {i: (draft, attempt + 1) for i, draft in zip(again, written, strict=True)}
        yield drafts
