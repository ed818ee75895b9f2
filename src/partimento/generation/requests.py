"""Requests: which length is asked for, what is too much, and what a codec loses of a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from partimento.codec import Codec, Request
from partimento.errors import ImpossibleRequest
from partimento.evaluation.originality import Passage
from partimento.score import Score, note_array

Draft = TypeVar("Draft")

ATTEMPTS = 4  # at a piece that has no note, in all
COPY_ATTEMPTS = 12  # at one that copies too much
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


def check_key(request: Request, codec: Codec[Any]) -> None:
    """Refuse a key that a codec's grammar cannot keep to.

    Raises:
        ImpossibleRequest: says which codecs can.
    """
    grammar = codec.grammar()
    if request.key is not None and not (grammar and grammar.keeps_key):
        raise ImpossibleRequest(
            f"The model's codec {codec.name!r} cannot keep to a key; those that can are tokens and cells."
        )


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


@dataclass(frozen=True, eq=False)
class Fault:
    """Why a draft must be written again.

    Attributes:
        kept: the beginning of it that stays: ids or frames, maybe none.
        copies: the passage that it copies at too great length; None where it has no note.
    """

    kept: NDArray[Any]
    copies: Passage | None = None


@dataclass(frozen=True, eq=False)
class Written(Generic[Draft]):
    """A piece as it was written in the end.

    Attributes:
        draft: what was written last.
        faults: what was the matter with the drafts before it and, where `faulty`, with it.
        faulty: whether it had to stay as it is.
    """

    draft: Draft
    faults: tuple[Fault, ...] = ()
    faulty: bool = False

    def remarks(self) -> list[str]:
        """What to say of a piece that was written more than once."""
        silent = sum(fault.copies is None for fault in self.faults)
        copied = len(self.faults) - silent
        last = self.faults[-1].copies if self.faulty else None
        if self.faulty and last is None:
            return [f"It has no notes, though it was tried {len(self.faults)} times."]
        said = [f"It came without a note at first and was tried {silent + 1} times."] if silent else []
        times = copied - self.faulty
        again = f"written again {'once' if times == 1 else f'{times} times'}"
        if last is not None:
            where = f"with {last.source}, at bars {last.at[0]} to {last.at[1]}"
            said.append(f"It still shares {last.bars:.3g} bars {where}, though it was {again}.")
        elif copied:
            said.append(f"It copied too long a passage, and was {again} until it did not.")
        return said


def side_by_side(n: int) -> Iterator[range]:
    """The numbers of n pieces, as many together as are written side by side."""
    for first in range(0, n, SIDE_BY_SIDE):
        yield range(first, min(first + SIDE_BY_SIDE, n))


def drafted(
    n: int,
    seed: int,
    write: Callable[[list[list[int]], list[NDArray[Any] | None]], Sequence[Draft]],
    amiss: Callable[[Draft, int], Fault | None],
) -> Iterator[dict[int, Written[Draft]]]:
    """Let pieces be written side by side, and those with which something is amiss again, from other seeds.

    Args:
        n: how many pieces.
        seed: of the request; piece i is drawn from (seed, i), and at later attempts from (seed, i, attempt).
        write: writes a draft from each of some seeds, after what is kept of the one before (None: nothing).
        amiss: what is the matter with a draft, at that attempt, from 1 on; None where nothing is.

    Yields:
        Some pieces, by their numbers.
    """
    for indices in side_by_side(n):
        written = write([[seed, i] for i in indices], [None] * len(indices))
        pieces = {i: Written(draft) for i, draft in zip(indices, written, strict=True)}
        waiting = list(indices)
        while waiting:
            again: dict[int, tuple[Fault, ...]] = {}
            for i in waiting:
                piece = pieces[i]
                fault = amiss(piece.draft, len(piece.faults) + 1)
                faults = piece.faults if fault is None else (*piece.faults, fault)
                most = ATTEMPTS if fault is None or fault.copies is None else COPY_ATTEMPTS
                if fault is not None and len(faults) < most:
                    again[i] = faults
                pieces[i] = Written(piece.draft, faults, faulty=fault is not None)
            kept = [faults[-1].kept if len(faults[-1].kept) else None for faults in again.values()]
            drafts = write([[seed, i, len(faults)] for i, faults in again.items()], kept) if again else []
            pieces |= {i: Written(draft, again[i]) for i, draft in zip(again, drafts, strict=True)}
            waiting = list(again)
        yield pieces
