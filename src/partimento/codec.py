"""Codecs: what a representation is.

A codec maps scores to arrays whose first axis is time, and back. `encode` states its losses in the codec's docstring;
`decode` is total: any array of the spec decodes to some score, so whatever a model samples can be heard. What may come
next while sampling is decided by a stateful `Grammar`, because exact bars, polyphony and chords cannot be told from
the last id alone. Laws that every codec keeps are in `tests/test_codec_laws.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from partimento.discovery import class_named, names_in
from partimento.keys import pitches_in
from partimento.score import Score
from partimento.settings import settings
from partimento.timing import Timing

BEGINS, ENDS, LEAVES, TELLS = 1, -1, 2, 3  # what a group does with a voice
LABEL = 3  # which id of a group that leaves out or tells a part of a voice names which


@dataclass(frozen=True)
class TokenSpec:
    """Arrays of ids: x is (T,) int64 in 0..vocab_size-1.

    `bos` stands before a piece and `eos` after it; neither is part of what `encode` returns: windows and players put
    them there. `pad` fills up batches and is never predicted. Where ids come in groups (one for each of four voices),
    `group` is how many: T is a multiple of it; `places` may then say which ids stand at each place of a group, as
    ranges (first, stop), `eos` among those of the first. Where it says nothing, any id may stand anywhere. `timing`
    says when each group is, where the ids tell it. `headings` says of each id how deep a heading a group is that begins
    with it, from 1; 0 for none. A heading holds for what comes after it, up to the next one that is as deep or less.
    `kinds` says of each id which kind it is of, of those that are alike: a pitch class, say; from 0, and -1 for none.
    It may be alone of its kind. `voices` says of each id whether a group that begins with it begins a voice, which its
    second id names (`BEGINS`), ends it (`ENDS`) or does neither (0), or leaves out a part of it (`LEAVES`) or tells
    that later (`TELLS`), which its fourth names (`tallies`). `counted` says of each id whether that it was told counts
    there; where it says nothing, it does.
    """

    vocab_size: int
    pad: int
    bos: int
    eos: int
    group: int = 1
    places: tuple[tuple[tuple[int, int], ...], ...] = ()
    timing: Timing | None = None
    headings: tuple[int, ...] = ()
    kinds: tuple[int, ...] = ()
    voices: tuple[int, ...] = ()
    counted: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        ranges = tuple(tuple((int(first), int(stop)) for first, stop in place) for place in self.places)
        object.__setattr__(self, "places", ranges)  # JSON has made lists of them
        object.__setattr__(self, "headings", tuple(self.headings))
        object.__setattr__(self, "kinds", tuple(self.kinds))
        object.__setattr__(self, "voices", tuple(self.voices))
        object.__setattr__(self, "counted", tuple(self.counted))
        if isinstance(self.timing, dict):  # and a table of this
            object.__setattr__(self, "timing", Timing(**self.timing))

    def at(self, place: int) -> NDArray[np.int64]:
        """The ids that may stand at a place of a group, ascending."""
        ranges = self.places[place] if self.places else ((0, self.vocab_size),)
        return np.unique(np.concatenate([np.arange(first, stop) for first, stop in ranges]))


@dataclass(frozen=True)
class RollSpec:
    """Grids: x is (T, channels, pitches) float32 in 0..1, a step each 1/steps_per_beat of a quarter note.

    Row p of a grid is MIDI pitch `low + p`.
    """

    channels: int
    low: int
    pitches: int
    steps_per_beat: int


Spec = TokenSpec | RollSpec
S = TypeVar("S", TokenSpec, RollSpec)


@settings
class Request:
    """What a new piece must be. At most one of bars, seconds and notes; without any, the piece ends where it will."""

    bars: int | None = None
    """Exactly this many bars, the prompt's bars not counted."""
    seconds: float | None = None
    """At most this many seconds of new music; a piece that would end sooner goes on."""
    notes: int | None = None
    """Exactly this many new notes."""
    key: str | None = None
    """No new pitch lies outside of this key or scale, e.g. G minor or D dorian; drums are not meant."""
    longest_silence: float = 8.0
    """Quarter notes without any sound after which something must be played; the guard against long silences."""
    longest_note: float = 16.0
    """Quarter notes after which a held note must end; the guard against stuck notes."""

    def __post_init__(self) -> None:
        lengths = [name for name in ("bars", "seconds", "notes") if getattr(self, name) is not None]
        if len(lengths) > 1:
            raise ValueError(f"ask for one of {' and '.join(lengths)}, not both")
        for name in (*lengths, "longest_silence", "longest_note"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0")
        pitches_in(self.key)  # refuses one that there is not


class Grammar(Protocol):
    """What may come next in one piece, decided by all that came before.

    Use: `start(request)`, `advance` once for each id of the prompt, `begin()`, then `mask`/`advance` in turn until
    `mask` allows nothing but `eos`. A grammar never leaves the sampler without a choice.

    Attributes:
        acted: how often each guard forbade something that would else have been allowed, by the guard's name
            ("silence", "stuck note"); the request's length is no guard.
        keeps_key: whether it keeps to the key that is asked for; of a class.
    """

    acted: Counter[str]
    keeps_key: ClassVar[bool]

    def start(self, request: Request) -> None:
        """Begin a new piece."""

    def begin(self) -> None:
        """The prompt is over: bars, seconds and notes count from the next id on."""

    def advance(self, id: int) -> None:
        """Take note of the next id; an id that the mask forbids is taken as well as it can be (prompts hold such)."""

    def mask(self) -> NDArray[np.bool_]:
        """(V,) what may come next; at least one True."""

    def beyond(self) -> NDArray[np.int64] | None:
        """The ids that nothing but the length asked for forbids now, where the piece may end; None if there are none.

        A model that would go on with one of them has said all that there is room for: their probability is `eos`'s.
        Were it shared out among what is allowed instead, pieces would end in notes that nobody meant.
        """


class Codec(ABC, Generic[S]):
    """A two-way map between scores and arrays whose first axis is time.

    A codec's class has its settings in `Settings` and its registered name in `name` (the module's name). It is made
    from its settings alone: `Chords(Chords.Settings(...))`.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[Any]]
    changeable: ClassVar[tuple[str, ...]] = ()  # settings with which every id means what it means without
    settings: Any

    @property
    @abstractmethod
    def spec(self) -> S:
        """What `encode` returns."""

    @abstractmethod
    def encode(self, score: Score) -> NDArray[Any]:
        """An array of `spec`, first axis time. Never raises on a readable score; may be empty."""

    @abstractmethod
    def decode(self, x: NDArray[Any]) -> Score:
        """A score from any array of `spec`; never raises."""

    def learn(self, scores: Iterable[Score]) -> None:
        """Learn a vocabulary from the training scores, where there is one to learn. Called once, before `encode`."""

    def adapt(self, scores: Iterable[Score]) -> None:
        """Take note of other music that a model goes on to learn from; every id keeps its meaning."""

    def grammar(self) -> Grammar | None:
        """A new grammar for sampling, or None where any array of the spec is as good as any other."""
        return None

    def notes(self, x: NDArray[Any]) -> int:
        """How many notes `decode(x)` would sound; for "bits per note" and "notes/s"."""
        return int(self.decode(x).note_num())

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what `learn` learnt (settings are kept by the bundle) as files below an existing empty folder."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, settings: Any) -> Codec[S]:
        """A codec that encodes and decodes exactly as the saved one."""


@runtime_checkable
class Ranges(Protocol):
    """A codec that knows from where to where instruments play."""

    def learn_ranges(self, scores: Iterable[Score]) -> None:
        """Learn that from the training scores in the keys that they are written in; called after `learn`."""


@runtime_checkable
class Aligns(Protocol):
    """A codec that may tell a piece sooner or later than it is."""

    def beside_beats(self, score: Score) -> int:
        """How many ticks sooner a piece is told, or later where negative."""


@runtime_checkable
class Retells(Protocol):
    """A codec that can tell a part of a piece with some of it hidden, for a model to learn to fill what is missing."""

    def retold(self, x: NDArray[Any], rng: np.random.Generator, ends: bool = False) -> NDArray[Any] | None:
        """The same part told so, about as long; None where there is nothing to hide.

        Args:
            x: (T,) ids, a part of what `encode` gives.
            rng: decides what is hidden.
            ends: whether the piece ends with this part.
        """

    def given(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of the ids of a part told so are always given, by whoever asks, and need not be foretold: (T,)."""


def codecs() -> dict[str, type[Codec[Any]]]:
    """Every codec by name: one for each module of `partimento.codecs`.

    Each module of that package holds one subclass of `Codec`, whose `name` is the module's.
    """
    return {name: codec_named(name) for name in names_in("partimento.codecs")}


def codec_named(name: str) -> type[Codec[Any]]:
    """The codec of that name, importing no other.

    Raises:
        InvalidSettings: there is none; names those that there are.
    """
    found: type[Codec[Any]] = class_named("partimento.codecs", name, Codec, "codec")
    return found
