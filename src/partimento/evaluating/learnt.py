"""The music that a machine has learnt from, indexed, so that what it makes can be held against it.

An index is made once and kept: of a run beside its other parts (`INDEX`), of a folder in the cache, by what is in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from partimento.corpus import Corpus, Piece, cache_folder
from partimento.corpus.every import every
from partimento.errors import Unreadable
from partimento.evaluation.originality import TrainingIndex
from partimento.progress import Progress, Watch, ignore
from partimento.score import Score
from partimento.training.index import INDEX, indexed
from partimento.versions import code_version

__all__ = ["Learnt", "learnt_from"]


@dataclass(frozen=True, eq=False)
class Learnt:
    """The music that must not be copied.

    Attributes:
        name: what was indexed.
        index: the index.
        own: by the name of a human piece the names of indexed pieces that are it, or near-copies of it.
        remark: a sentence about it, or nothing.
    """

    name: str
    index: TrainingIndex
    own: Mapping[str, Collection[str]]
    remark: str = ""


def learnt_from(place: Path | None, corpus: Corpus, watch: Watch = ignore) -> Learnt:
    """Index what was learnt from.

    Args:
        place: a run's folder, or a folder of music; the corpus itself if None.
        corpus: the human music that is set beside it.
        watch: hears of progress.

    Raises:
        Unreadable: it is neither.
    """
    if place is None or place.resolve() == corpus.folder.resolve():
        index = _kept(corpus.digest, lambda: indexed(corpus, corpus.kept, watch))
        said = f"No training music is named (--trained-on): pieces are held against {corpus.folder} itself."
        return Learnt(str(corpus.folder), index, _groups(corpus, corpus.kept), said if place is None else "")
    for run in (place, place.parent):  # or its bundle
        if (run / "corpus.json").is_file() and (run == place or (place / "manifest.json").is_file()):
            return _of_run(run, corpus)
    found = every(place, watch)
    if not len(found):
        raise Unreadable(f"{place} has no music that can be read.", "Name the folder that was learnt from, or a run.")
    told = list(zip(found.names, found.score_hashes, strict=True))
    pieces = ((piece.name, piece.score) for piece in found)
    digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    index = _kept(digest, lambda: TrainingIndex.of(_told(pieces, len(found), watch)))
    same = defaultdict(list)
    for name, score_hash in told:
        same[score_hash].append(name)
    own = {piece.name: same[piece.score_hash] for piece in corpus.kept if piece.score_hash in same}
    return Learnt(str(place), index, own)


def _of_run(run: Path, corpus: Corpus) -> Learnt:
    try:
        kept = json.loads((run / "corpus.json").read_text("utf-8"))["kept"]
        learnt = {(piece["sha256"], piece["tune"]) for piece in kept if piece["split"] == "train"}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"{run / 'corpus.json'} is damaged.", "Name the folder that the run learnt from.") from error
    if not (run / INDEX).is_file():
        raise Unreadable(
            f"{run} has no index of what it learnt from; it is not finished, or an older version made it.",
            "Name the folder that it learnt from.",
        )
    index = TrainingIndex.load(run / INDEX)
    in_train = [piece for piece in corpus.kept if (piece.sha256, piece.tune) in learnt]
    own = _groups(corpus, in_train)
    return Learnt(f"what {run} learnt from", index, {n: named for n, old in own.items() if (named := _in(index, old))})


def _in(index: TrainingIndex, names: Collection[str]) -> list[str]:
    known = set(index.names)
    return [name for name in names if name in known]


def _groups(corpus: Corpus, indexed: Collection[Piece]) -> dict[str, list[str]]:
    """By name of each piece of the corpus the indexed ones that are it or near-copies of it."""
    groups = defaultdict(list)
    for piece in indexed:
        groups[piece.near_copies or piece.name].append(piece.name)
    found = {piece.name: groups.get(piece.near_copies or piece.name, []) for piece in corpus.kept}
    return {name: names for name, names in found.items() if names}


def _told(pieces: Iterator[tuple[str, Score]], total: int, watch: Watch) -> Iterator[tuple[str, Score]]:
    for number, named in enumerate(pieces):
        watch(Progress("Indexing", number, total, "pieces"))
        yield named


def _kept(digest: str, make: Callable[[], TrainingIndex]) -> TrainingIndex:
    """The index from the cache, or made and kept there if that can be written to."""
    made_by = code_version("evaluation/originality.py", "passages", "score.py")
    file = cache_folder() / "indexes" / f"{digest[:32]}-{made_by[:16]}.npz"
    with contextlib.suppress(Unreadable):
        return TrainingIndex.load(file)
    index = make()
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        index.save(file)
    return index
