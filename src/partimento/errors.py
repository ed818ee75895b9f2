"""The few exceptions a user meets.

Each carries a whole sentence that says what was wrong and what to do about it; the command line prints that sentence
and no traceback. What the machine lacks, room, memory or leave to write, is noticed by many libraries, each of which
says so in its own way; `explained` knows them all. Anything else that reaches a user is a bug.
"""

from __future__ import annotations

import re
import shutil


class PartimentoError(Exception):
    """What a user can mend; `str(error)` is a sentence to show as it is."""


class Unreadable(PartimentoError):
    """A file that cannot serve as music.

    Args:
        reason: what is wrong with it, in words a musician understands.
        advice: what could be done about it.
    """

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason} {advice}".strip())
        self.reason = reason
        self.advice = advice

    def __reduce__(self) -> tuple[type[Unreadable], tuple[str, str]]:
        return (Unreadable, (self.reason, self.advice))


class InvalidSettings(PartimentoError):
    """A setting that does not exist or has a value that it cannot have."""


class InvalidBundle(PartimentoError):
    """A bundle with a part missing, changed or made by another version."""


class ImpossibleRequest(PartimentoError):
    """A request for music that this bundle cannot make, refused before anything is sampled."""


class TooLittleMusic(PartimentoError):
    """A folder without enough music to do what was asked."""


class MissingExtra(PartimentoError):
    """A command that needs an optional part of the installation.

    Args:
        extra: the name of the extra, e.g. `train`.
        purpose: what it is needed for, e.g. "training".
    """

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs an optional part that is not installed: pip install 'partimento[{extra}]'.")
        self.extra = extra


PLACE = "Look whether the place is there, may be written to and has room."
MEMORY = (
    "It needs more memory than there is: take a smaller model, smaller batches or shorter windows, or ask for less."
)

_OS_ERROR = re.compile(r"(?P<why>[^:]+) \(os error \d+\)")  # as Rust says it
_NO_MEMORY = re.compile(
    "can't allocate memory|not enough memory|out of memory|failed to allocate memory|bad.?alloc"
    "|storage size calculation overflowed|overflow when unpacking long|array is too big|maximum allowed dimension",
    re.IGNORECASE,
)


def explained(error: BaseException) -> str | None:
    """The sentence to show for an error that is no bug, whichever library raised it; None for any other.

    The system's own errors are `OSError`s and `MemoryError`s. But safetensors tells of a full disk by an exception of
    its own that quotes the system, libsndfile by one that only says "System error", and torch and numpy tell of sizes
    beyond all memory by whatever came to hand (`RuntimeError`, `TypeError`, `ValueError`).
    """
    if isinstance(error, PartimentoError):
        return str(error)
    if isinstance(error, MemoryError):
        return MEMORY
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list) and error.args[0]:
        source, _, why = error.args[0][0]  # of all that could not be copied, the first
        return f"{source} cannot be copied ({why}). {PLACE}"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}. {PLACE}"
    kind, text = type(error).__name__, str(error)
    if kind == "SafetensorError" and (quoted := _OS_ERROR.search(text)):
        return f"{quoted['why'].strip()}. {PLACE}"
    if kind == "LibsndfileError" and "System error" in text:
        return f"A sound cannot be written. {PLACE}"
    if isinstance(error, RuntimeError | TypeError | ValueError) and _NO_MEMORY.search(text):
        return MEMORY
    return None
