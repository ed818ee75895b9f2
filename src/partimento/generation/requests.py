"""Requests: which length is asked for, what is too much, and what a codec loses of a prompt."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from numpy.typing import NDArray

from partimento.codec import Codec, Request
from partimento.errors import ImpossibleRequest
from partimento.score import Score, note_array

Draft = TypeVar("Draft")
Kept = NDArray[Any]
"""The beginning of a draft that stays when the rest is written again: ids or frames, maybe none."""

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
    n: int,
    seed: int,
    write: Callable[[list[list[int]], list[Kept | None]], Sequence[Draft]],
    amiss: Callable[[Draft, int], Kept | None],
) -> Iterator[dict[int, tuple[Draft, int]]]:
    """Let pieces be written side by side, and those with which something is amiss again, from other seeds.

    Args:
        n: how many pieces.
        seed: of the request; piece i is drawn from (seed, i), and at later attempts from (seed, i, attempt).
        write: writes a draft from each of some seeds, after what is kept of the one before.
        amiss: what is to be kept of a draft that must be written again (which may be nothing of it), at that attempt,
            from 1 on; None where it may stay.

    Yields:
        Some pieces: by its number each draft, and at which attempt it came.
    """
    for first in range(0, n, SIDE_BY_SIDE):
        indices = range(first, min(first + SIDE_BY_SIDE, n))
        written = write([[seed, i] for i in indices], [None] * len(indices))
        drafts = {i: (draft, 1) for i, draft in zip(indices, written, strict=True)}
        for attempt in itertools.count(1):
            kept = {i: amiss(draft, attempt) for i, (draft, came) in drafts.items() if came == attempt}
            again = [i for i, of in kept.items() if of is not None]
            if not again:
                break
            written = write([[seed, i, attempt] for i in again], [kept[i] for i in again])
            drafts |= {i: (draft, attempt + 1) for i, draft in zip(again, written, strict=True)}
        yield drafts
