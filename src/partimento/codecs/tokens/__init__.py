"""Music as one stream of tokens: REMI+, by MidiTok.

REMI (Huang and Yang 2020, "Pop Music Transformer") tells music as bars, positions within a bar, and for each note its
pitch, velocity and duration; REMI+ (von Rütte et al. 2022, "FIGARO") adds metre, tempo and instruments. MidiTok
(Fradet et al. 2021) gives the vocabulary and the meaning of tokens: it turns them into scores, and `encode` gives what
its encoding gives. `grid` places the music so that this loses nothing more, `writing` tells it in tokens, and `grammar`
keeps what is sampled well-formed:

    Bar TimeSig (Position Tempo? (Program? (Pitch|PitchDrum) Velocity Duration)*)*

A Program stands only where the instrument changes, so that music for one instrument spends a token on it once; at one
position instruments come by program, drums last, and the pitches of each ascend. Rests are told by positions and
bars, with no token of their own.

Lost: onsets and durations off the grid, notes longer than 16 beats, a note doubled within an instrument, all but 32
velocities and 61 tempi, which of several tracks with the same instrument a note was on, empty bars at the end, key
signatures, pedals, bends and other controllers, names and lyrics. Left out: MidiTok's other tokenizations, which would
each need a grammar, and its learnt byte pairs, under which a grammar cannot see single tokens.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from partimento.atomic import write_text
from partimento.codec import Codec, TokenSpec
from partimento.codecs.tokens.grammar import Remi, Vocabulary
from partimento.codecs.tokens.grid import DENSE_BEATS, LONGEST_BEATS, Grid
from partimento.codecs.tokens.writing import write
from partimento.errors import InvalidBundle, InvalidSettings
from partimento.metres import METRES
from partimento.score import Score
from partimento.settings import settings

VOCABULARY_FILE = "vocabulary.json"
TEMPO_RANGE = (15, 480)  # quarter notes a minute; five octaves


class Tokens(Codec[TokenSpec]):
    """REMI+ by MidiTok; see the module's docstring for what it keeps and loses."""

    name: ClassVar[str] = "tokens"

    @settings
    class Settings:
        """How finely time, loudness and tempo are told."""

        steps_per_beat: int = 12
        """Positions of a beat; 12 holds sixteenths and triplets, 24 thirty-second notes as well."""
        velocities: int = 32
        """Levels of loudness, evenly spaced up to 127; 32 are at most 2 off."""
        tempi: int = 61
        """Levels of tempo from 15 to 480 quarter notes a minute, evenly spaced by ratio; 61 are at most 3 % off."""

        def __post_init__(self) -> None:
            for name, least, most in (("steps_per_beat", 1, 96), ("velocities", 1, 127), ("tempi", 2, 1000)):
                if not least <= getattr(self, name) <= most:
                    raise ValueError(f"{name} must be {least} to {most}")

    settings: Settings

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._tokenizer = _tokenizer(settings)
        self.grid = Grid(
            settings.steps_per_beat,
            np.array(self._tokenizer.velocities, dtype=np.int64),
            np.array(self._tokenizer.tempos, dtype=np.float64),
        )
        self.vocabulary = Vocabulary.of(list(self._tokenizer.vocab))
        self.used = np.ones(len(self.vocabulary.names), dtype=np.bool_)

    @property
    def spec(self) -> TokenSpec:
        """Ids of MidiTok's vocabulary."""
        names = self.vocabulary.names
        return TokenSpec(len(names), names.index("PAD_None"), names.index("BOS_None"), names.index("EOS_None"))

    def learn(self, scores: Iterable[Score]) -> None:
        """Note which instruments, drums, metres, tempi and velocities occur, that no others be sampled.

        The vocabulary is fixed: ids that never occur cost a model next to nothing, and a prompt from elsewhere can
        still be told.
        """
        found: set[str] = set()
        for score in scores:
            placed = self.grid.place(score)
            notes = placed.notes
            if not len(notes):
                continue
            found |= {f"Program_{p}" for p in np.unique(notes["program"])}
            found |= {f"PitchDrum_{p}" for p in np.unique(notes["pitch"][notes["program"] < 0])}
            found |= {f"Velocity_{v}" for v in np.unique(notes["velocity"])}
            found |= {f"TimeSig_{c.metre.numerator}/{c.metre.denominator}" for c in placed.changes}
            found |= {f"Tempo_{qpm}" for _, qpm in placed.tempi}
        kinds = ("Program", "PitchDrum", "Velocity", "TimeSig", "Tempo") if found else ()
        used = [n in found or k not in kinds for n, k in zip(self.vocabulary.names, self.vocabulary.kind, strict=True)]
        self.used = np.array(used)

    def adapt(self, scores: Iterable[Score]) -> None:
        """Note what occurs in the other music, in place of what did: the vocabulary is fixed."""
        self.learn(scores)

    def encode(self, score: Score) -> NDArray[np.int64]:
        """(T,) ids; empty where there are no notes."""
        placed = self.grid.place(score)
        return write(placed, self.vocabulary) if len(placed.notes) else np.empty(0, dtype=np.int64)

    def decode(self, x: NDArray[Any]) -> Score:
        """The score that the ids tell; ids that make no sense where they stand are passed over."""
        ids = np.asarray(x).reshape(-1)
        ids = ids[(ids >= 0) & (ids < len(self.vocabulary.names))]
        score: Score = self._tokenizer.decode(_miditok().TokSequence(ids=ids.tolist()))
        return score

    def grammar(self) -> Remi:
        """Well-formed REMI+ with the instruments, metres and tempi that `learn` saw."""
        return Remi(self.vocabulary, self.grid, self.used)

    def notes(self, x: NDArray[Any]) -> int:
        """How many notes `decode(x)` has: each whole triple of pitch, velocity and duration."""
        ids = np.asarray(x).reshape(-1)
        ids = ids[(ids >= 0) & (ids < len(self.vocabulary.names))]
        kinds = np.array(self.vocabulary.kind)[ids]
        starts = np.isin(kinds[:-2], ("Pitch", "PitchDrum"))
        return int((starts & (kinds[1:-1] == "Velocity") & (kinds[2:] == "Duration")).sum())

    def save(self, folder: Path) -> None:
        """Write the vocabulary and which of it occurs."""
        entries = {name: bool(used) for name, used in zip(self.vocabulary.names, self.used, strict=True)}
        write_text(folder / VOCABULARY_FILE, json.dumps(entries, indent=0))

    @classmethod
    def load(cls, folder: Path, settings: Any) -> Tokens:
        """The saved codec.

        Raises:
            InvalidBundle: the file is missing or damaged, or the MidiTok installed here has another vocabulary.
        """
        codec = cls(settings)
        path = folder / VOCABULARY_FILE
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))
            names, used = list(entries.keys()), list(entries.values())
        except (OSError, ValueError, AttributeError) as error:
            raise InvalidBundle(f"{path} is missing or damaged; take the bundle anew from where it came.") from error
        if names != codec.vocabulary.names or not all(isinstance(u, bool) for u in used):
            raise InvalidBundle(
                f"{path} does not fit the tokens of these settings: the bundle was changed, or made with another"
                " version of MidiTok; install the version that its README names."
            )
        codec.used = np.array(used)
        return codec


def _tokenizer(settings: Tokens.Settings) -> Any:
    """MidiTok's REMI with everything switched on that the codec keeps."""
    miditok = _miditok()
    steps = settings.steps_per_beat
    coarse = Grid(steps, np.empty(0, np.int64), np.empty(0)).coarse_steps
    metres = {d: [m.numerator for m in METRES if m.denominator == d] for d in sorted({m.denominator for m in METRES})}
    try:
        config = miditok.TokenizerConfig(
            pitch_range=(0, 127),
            beat_res={(0, DENSE_BEATS): steps, (DENSE_BEATS, LONGEST_BEATS): coarse},
            num_velocities=settings.velocities,
            special_tokens=["PAD", "BOS", "EOS"],
            use_programs=True,
            one_token_stream_for_programs=True,
            program_changes=True,
            use_pitchdrum_tokens=True,
            drums_pitch_range=(0, 127),
            use_time_signatures=True,
            time_signature_range=metres,
            use_tempos=True,
            num_tempos=settings.tempi,
            tempo_range=TEMPO_RANGE,
            log_tempos=True,
        )
        return miditok.REMI(config)
    except ValueError as error:
        raise InvalidSettings(f"These settings make no tokens: {error}.") from error


@functools.cache
def _miditok() -> Any:
    """Import MidiTok without its data sets for PyTorch, which would cost seconds where torch is installed.

    MidiTok itself goes without them where torch is missing; a None in `sys.modules` is Python's way to say so.
    """
    missing = "miditok.pytorch_data" not in sys.modules and "miditok" not in sys.modules
    if missing:
        sys.modules["miditok.pytorch_data"] = None  # type: ignore[assignment]
    try:
        import miditok
    finally:
        if missing:
            del sys.modules["miditok.pytorch_data"]
    return miditok
