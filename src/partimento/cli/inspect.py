"""`partimento inspect`: the corpus doctor's report."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from partimento.atomic import write_text
from partimento.cli import outputs
from partimento.cli.numbers import Whole, WholeOrNone
from partimento.cli.terminal import say, watching
from partimento.corpus import Corpus
from partimento.corpus import inspect as inspect_corpus
from partimento.corpus.folders import shown
from partimento.errors import TooLittleMusic

EXAMPLES = 8  # lines shown of a kind; the JSON file has all


def inspect(
    folder: Path,
    /,
    *,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    picture: Path | None = None,
    sample: WholeOrNone = None,
    seed: Whole = 0,
) -> None:
    """Read a folder of music: what serves, what does not and why, and what is in it.

    Args:
        folder: Looked through with all folders in it; nothing in it is changed.
        json_file: Write the whole report to this file as well.
        picture: Draw the statistics into this .png or .svg file.
        sample: Take only a random subset of this many pieces, the same for the same seed.
        seed: Which random subset.
    """
    outputs.require(json_file, "--json", ".json")
    with watching() as watch:
        corpus = inspect_corpus(folder, sample=sample, seed=seed, watch=watch)
    if json_file is not None:
        write_text(json_file, json.dumps(corpus.to_json(), indent=1, ensure_ascii=False) + "\n")
    if picture is not None:
        from partimento.render.statistics import draw

        draw(corpus.statistics, picture)
    _report(corpus)
    for written in (json_file, picture):
        if written is not None:
            say(f"Written: {written}")


def _report(corpus: Corpus) -> None:
    """Say it in lines that a person reads from top to bottom, the music first."""
    found = corpus.statistics
    say(f"{shown(corpus.folder)}: {found['files']:,} files, {len(corpus.kept):,} pieces that serve.")
    if corpus.kept:
        splits = [f"{len(corpus.pieces(split)):,} to {use}" for split, use in _USES]
        say(f"  Split by content: {', '.join(splits)}.")
        say(f"  {found['notes']:,} notes, {found['hours']:.1f} hours.")
        for name in ("instruments", "metres", "keys"):
            say(f"  {name.capitalize()}: {_most(found[name])}.")
        say(f"  Tempo: {_middle(found['tempi'])} quarter notes a minute.")
        say(f"  Notes at once: {_middle(found['polyphony'])}.")
    repaired = [f"{piece.name}: {'; '.join(piece.repairs)}" for piece in corpus.kept if piece.repairs]
    if repaired:
        say(f"{len(repaired):,} pieces were mended while they were read (the files are as they were):")
        _first(repaired)
    if corpus.left_out:
        say(f"{len(corpus.left_out):,} are left out:")
        grouped: dict[str, list[str]] = defaultdict(list)
        for left in corpus.left_out:
            grouped[f"{left.reason} {left.advice}"].append(left.path)
        for why, paths in sorted(grouped.items(), key=lambda item: -len(item[1])):
            say(f"  {why}")
            _first([f"  {path}" for path in paths])
    try:
        corpus.require_enough()
    except TooLittleMusic as error:
        say(str(error))


_USES = (("train", "learn from"), ("valid", "stop by"), ("test", "test with"))


def _most(counts: dict[str, int], shown: int = 6) -> str:
    rest = len(counts) - shown
    named = ", ".join(f"{name} ({count:,})" for name, count in list(counts.items())[:shown])
    return named + (f" and {rest} more" if rest > 0 else "")


def _middle(column: dict[str, Any]) -> str:
    spread = column["spread"]
    return f"{spread['median']:g} (from {spread['least']:g} to {spread['most']:g})"


def _first(lines: list[str]) -> None:
    for line in lines[:EXAMPLES]:
        say(f"  {line}")
    if len(lines) > EXAMPLES:
        say(f"  and {len(lines) - EXAMPLES:,} more, which --json FILE lists.")
