"""Notes and chords as tokens, the vocabulary of the Keras LSTM tutorials: as they had it, or with rhythm put back.

The idea is Skúli Sigurgeirsson's ("How to Generate Music using a LSTM Neural Network in Keras", 2017; code in
Skuldur/Classical-Piano-Composer), taken up by most tutorials since: a token is a single note by its name or a chord by
its pitch classes, and the vocabulary is what the corpus has. `classic` gives that, as `classic.py` tells. Without it,
chords have their octaves, and tempo, metre, onsets, lengths and loudness stand between them (`rhythm.py`).

What is lost on the way, by default: instruments (all parts sound on one) and drums; onsets finer than the grid, lengths
between those of the grid's list and beyond 16 beats; two notes of one pitch at a time; changes of tempo (the mean is
kept) and of metre (the longest is kept); loudness finer than its levels, within a chord altogether; pedal, bends,
controllers. With `classic`: rhythm, rests, octaves of chords, loudness, tempo, metre, drums, all instruments but the
first (unless all are asked for), and notes and chords that were not learnt. Measured in docs/codecs/chords.md.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from partimento.atomic import write_text
from partimento.codec import Codec, Grammar, TokenSpec
from partimento.codecs.chords import classic, rhythm
from partimento.codecs.chords.grammar import RhythmGrammar, Spelling
from partimento.codecs.chords.naming import chord_name, chord_pitches
from partimento.codecs.chords.words import BOS, EOS, PAD, VELOCITY, Words
from partimento.errors import InvalidBundle
from partimento.score import Score
from partimento.settings import settings

_FILE = "vocabulary.json"


@settings
class ChordSettings:
    """What the tokens tell."""

    classic: bool = False
    """As the tutorials have it: notes by name and chords by pitch class, a half beat each, of the first instrument."""
    instruments: Literal["first", "all"] = "first"
    """Whose notes the tutorials' tokens are: the first instrument's alone, as they have it, or all's (drums never)."""
    order: Literal["frequency", "name"] = "frequency"
    """How ids are given to notes and chords; the first tutorial has them by name, later ones by frequency."""
    steps_per_beat: int = 12
    """Steps of a quarter note on which notes may begin: 4 for sixteenths, 12 for triplets too (classic: no)."""
    levels: int = 8
    """Levels of loudness at most, learnt from the corpus; 1 for none (classic: no)."""
    chords: int = 512
    """How many different chords are learnt, the commonest; others are written as smaller ones (classic: all)."""
    least: int = 3
    """Times that a chord must occur to be learnt (classic: 1)."""
    widest: int = 6
    """Notes that a learnt chord has at most (classic: no limit)."""
    program: int = 0
    """The General MIDI instrument that plays what is decoded, from 0, the piano, to 127."""

    def __post_init__(self) -> None:
        limits = {"steps_per_beat": (1, 48), "levels": (1, 64), "chords": (0, 60_000), "least": (1, 10**6)}
        for name, (low, high) in {**limits, "widest": (1, 128), "program": (0, 127)}.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be from {low} to {high}")


class Chords(Codec[TokenSpec]):
    """Scores as notes and chords; see the module for what is lost."""

    name: ClassVar[str] = "chords"
    Settings: ClassVar[type[Any]] = ChordSettings

    def __init__(self, settings: ChordSettings | None = None) -> None:
        self.settings = settings or ChordSettings()
        self._take([])

    @property
    def spec(self) -> TokenSpec:
        """Ids of the vocabulary."""
        return TokenSpec(vocab_size=len(self.vocabulary), pad=PAD, bos=BOS, eos=EOS)

    @property
    def vocabulary(self) -> list[str]:
        """The name of each id."""
        return self._names

    def learn(self, scores: Iterable[Score]) -> None:
        """Learn which notes and chords there are, and by default which metres."""
        chosen = self.settings
        if chosen.classic:
            counts = Counter(token for score in scores for token in classic.extract(score, chosen.instruments))
            self._take(sorted(counts, key=lambda token: (-counts[token], token)))
        else:
            words = rhythm.learn(
                scores, chosen.steps_per_beat, chosen.levels, chosen.chords, chosen.least, chosen.widest
            )
            self._take([chord_name(chord) for chord in words.chords], words.metres, words.velocities)

    def _take(
        self,
        names: list[str],
        metres: Sequence[tuple[int, int]] = (),
        velocities: Sequence[int] = (VELOCITY,),
    ) -> None:
        """Make these notes and chords, by frequency, metres and levels of loudness the vocabulary."""
        chosen = self.settings
        if chosen.order == "name":
            names = sorted(names)
        self._learnt = {"chords": names, "metres": [list(metre) for metre in metres], "loud": [*velocities]}
        if chosen.classic:
            self._names = ["pad", "bos", "eos", *names]
            self._sounds = [(), (), (), *(classic.word_pitches(name) for name in names)]
            self._ids = {name: id for id, name in enumerate(self._names) if id > EOS}
        else:
            chords = [chord_pitches(name) for name in names]
            self._words = Words(chosen.steps_per_beat, velocities, metres, chords)
            self._names = self._words.names()
            self._spelling = Spelling(self._words)

    def encode(self, score: Score) -> NDArray[np.int64]:
        """(T,) ids of a piece."""
        if not self.settings.classic:
            return rhythm.encode(score, self._words)
        tokens = classic.extract(score, self.settings.instruments)
        return np.array([self._ids[token] for token in tokens if token in self._ids], dtype=np.int64)

    def decode(self, x: NDArray[Any]) -> Score:
        """The piece that (T,) ids tell of, up to the first `eos`; ids without sense do nothing."""
        ids = [int(id) for id in np.asarray(x).ravel()]
        if not self.settings.classic:
            return rhythm.decode(ids, self._words, self.settings.program)
        if EOS in ids:
            ids = ids[: ids.index(EOS)]
        chords = [self._sounds[id] for id in ids if EOS < id < len(self._sounds)]
        return classic.play(chords, self.settings.program)

    def grammar(self) -> Grammar:
        """A new grammar; bars are by the piece's metre (classic: 4/4)."""
        if self.settings.classic:
            return classic.ClassicGrammar(np.array([len(sound) for sound in self._sounds]), EOS)
        return RhythmGrammar(self._words, self._spelling)

    def save(self, folder: Path) -> None:
        """Write `vocabulary.json`."""
        write_text(folder / _FILE, json.dumps(self._learnt, ensure_ascii=False, indent=0))

    @classmethod
    def load(cls, folder: Path, settings: Any) -> Chords:
        """The codec that was saved.

        Raises:
            InvalidBundle: `vocabulary.json` is missing or does not hold a vocabulary.
        """
        codec = cls(settings)
        try:
            learnt = json.loads((folder / _FILE).read_text(encoding="utf-8"))
            codec._take(
                [str(name) for name in learnt["chords"]],
                [(int(over), int(under)) for over, under in learnt["metres"]],
                [int(velocity) for velocity in learnt["loud"]],
            )
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise InvalidBundle(
                f"The bundle's codec cannot be read: {folder / _FILE} is missing or changed. Fetch the bundle afresh."
            ) from error
        return codec
