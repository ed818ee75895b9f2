"""The few exceptions a user meets.

Each carries a whole sentence that says what was wrong and what to do about it; the command line prints that sentence
and no traceback. Anything else that reaches a user is a bug.
"""

from __future__ import annotations


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
