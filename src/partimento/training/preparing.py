"""Preparing: a corpus encoded as a model learns from it, once, and kept in the cache by its content and settings."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.atomic import atomic_folder
from partimento.bundle import Bundle
from partimento.codec import Codec, Ranges, TokenSpec, codec_named
from partimento.corpus import Corpus, cache_folder
from partimento.errors import InvalidSettings, PartimentoError, TooLittleMusic
from partimento.model import model_named
from partimento.pieces import Pieces
from partimento.progress import Progress, Watch, ignore
from partimento.recipes import Recipe
from partimento.score import Score, transpose
from partimento.settings import to_table
from partimento.versions import code_version

ENCODES = (  # what decides how music is encoded: where any of it changes, it is encoded anew
    "alignment.py",
    "codec.py",
    "codecs",
    "compasses.py",
    "harmony.py",
    "instruments.py",
    "keys.py",
    "levels.py",
    "metres.py",
    "score.py",
    "timing.py",
)
SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Prepared:
    """A corpus as a model learns from it.

    Attributes:
        corpus: the pieces, split.
        codec: has learnt what it learns from the training pieces.
        folder: of the cache, where they lie.
        pieces: encoded pieces by split; those to train on in every key asked for.
        notes: notes to train on, transpositions not counted.
    """

    corpus: Corpus
    codec: Codec[Any]
    folder: Path
    pieces: dict[str, Pieces]
    notes: int

    def shares(self, recipe: Recipe) -> NDArray[np.float64]:
        """How often each encoded training piece occurs in an epoch: (P,), on average once.

        A piece's keys follow one another, its own first.
        """
        count, wanted = len(self.pieces["train"]), recipe.settings["preparation"]
        keys = 2 * wanted.transpose + 1
        if wanted.own_key is None:
            return np.ones(count)
        share = np.full(keys, (1 - wanted.own_key) * keys / (keys - 1))
        share[0] = wanted.own_key * keys
        return np.tile(share, count // keys)


def prepare(
    corpus: Corpus, recipe: Recipe, spare: Path, watch: Watch = ignore, start: Bundle | None = None
) -> Prepared:
    """Encode a corpus, or map it where the cache has it already; no file of music is read then.

    Args:
        corpus: what to encode.
        recipe: how.
        spare: the folder to take where the cache cannot be written to.
        watch: hears of every piece.
        start: the model to go on from, whose codec is taken; a new one learns from the music if None.

    Raises:
        InvalidSettings: the model does not learn what the codec gives.
        TooLittleMusic: the codec cannot say a note of the pieces of a split.
    """
    kind: Any = codec_named(recipe.codec)
    if not isinstance(kind(recipe.settings["codec"]).spec, model_named(recipe.model).Spec):
        gives, takes = ("grids", "tokens") if model_named(recipe.model).Spec is TokenSpec else ("tokens", "grids")
        raise InvalidSettings(
            f"The codec {recipe.codec} gives {gives}, and {recipe.model} learns from {takes}: "
            f"--set codec.name={'tokens' if takes == 'tokens' else 'roll'}."
        )
    key = {
        "corpus": corpus.digest,
        "codec": {"name": recipe.codec, **to_table(recipe.settings["codec"])},
        "transpose": recipe.settings["preparation"].transpose,
        "start": None if start is None else start.digest,
        "code": code_version(*ENCODES, libraries=("miditok", "symusic")),
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    cached = _place(cache_folder() / "encoded", spare) / digest
    try:
        codec, pieces = _opened(kind, cached, recipe)
    except (PartimentoError, OSError, ValueError, KeyError):  # not there yet, or damaged
        with atomic_folder(cached) as new:
            own = kind(recipe.settings["codec"]) if start is None else start.codec(recipe.settings["codec"])
            learn = own.learn if start is None else own.adapt
            _encode(corpus, own, learn, recipe.settings["preparation"].transpose, new, watch)
        codec, pieces = _opened(kind, cached, recipe)
    notes = sum(piece.notes for piece in corpus.pieces("train"))
    return Prepared(corpus=corpus, codec=codec, folder=cached, pieces=pieces, notes=notes)


def _place(folder: Path, spare: Path) -> Path:
    """The folder, if it can be written to, else the spare one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return spare
    return folder if os.access(folder, os.W_OK) else spare


def _opened(kind: Any, folder: Path, recipe: Recipe) -> tuple[Codec[Any], dict[str, Pieces]]:
    codec: Codec[Any] = kind.load(folder / "codec", recipe.settings["codec"])
    return codec, {split: Pieces.open(folder / split) for split in SPLITS}


def _encode(
    corpus: Corpus,
    codec: Codec[Any],
    learn: Callable[[Iterable[Score]], None],
    semitones: int,
    folder: Path,
    watch: Watch,
) -> None:
    """Let the codec learn and write every split, the pieces to train on in every key."""
    shifts = {"train": sorted(range(-semitones, semitones + 1), key=abs), "valid": [0], "test": [0]}
    total = len(corpus.kept)
    done = 0

    def scores(split: str) -> Iterator[Score]:
        for score in corpus.scores(corpus.pieces(split)):
            yield from (transpose(score, shift) for shift in shifts[split])

    def encoded(split: str) -> Iterator[tuple[NDArray[Any], int]]:
        nonlocal done
        heard = 0
        for number, score in enumerate(scores(split)):
            x = codec.encode(score)
            heard += codec.notes(x)
            yield x, score.note_num()
            if (number + 1) % len(shifts[split]) == 0:
                done += 1
                watch(Progress("Encoding", done, total, "pieces"))
        if not heard:
            raise TooLittleMusic(
                f"The codec {codec.name} finds no note in the {split} pieces; it may not keep their instruments. "
                "Take a recipe with another codec, such as --recipe lstm, which keeps drums and all instruments."
            )

    learn(scores("train"))
    if isinstance(codec, Ranges):
        codec.learn_ranges(corpus.scores(corpus.pieces("train")))
    (folder / "codec").mkdir()
    codec.save(folder / "codec")
    for split in SPLITS:
        Pieces.write(folder / split, encoded(split), codec.spec)
