"""Progress: one event type that every long job emits; bars, CSV files and charts are its listeners."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partimento.heard import Heard


@dataclass(frozen=True)
class Progress:
    """One step of a long job.

    Attributes:
        job: what is being done, in two or three words for a person, e.g. "Reading files".
        done: how much is done, in `unit`.
        total: how much there is, in `unit`; None where nobody can know.
        unit: e.g. "files", "updates", "notes".
        facts: figures worth showing beside the bar, e.g. {"loss": 1.23, "notes/s": 5400.0}.
        remark: a sentence worth keeping on the screen, e.g. that a guard acted; empty for most events.
        heard: gives the new notes of a piece that is being made (of several the first), as far as it is; to be called
            before the next event, by who wants to hear them. What is written again later is heard otherwise then.
    """

    job: str
    done: float
    total: float | None
    unit: str
    facts: Mapping[str, float] = field(default_factory=dict)
    remark: str = ""
    heard: Callable[[], Sequence[Heard]] | None = field(default=None, compare=False, repr=False)


Watch = Callable[[Progress], None]


def ignore(event: Progress) -> None:
    """Listen to nothing."""
