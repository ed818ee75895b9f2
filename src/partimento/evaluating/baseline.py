"""The baseline: what a Markov chain makes of the same human music; what anything else should be better than.

It is trained as any run is (recipe `markov`, in the pieces' own keys) and kept in the cache by the music that it
learnt from. Chains have composed since Hiller and Isaacson (1957); they stand for what imitation by counting comes to.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from pathlib import Path

from partimento.bundle import open_bundle
from partimento.codec import Request
from partimento.corpus import Corpus, cache_folder
from partimento.errors import MissingExtra, PartimentoError
from partimento.generation import generate
from partimento.progress import Progress, Watch, ignore
from partimento.score import Score

__all__ = ["markov"]


def markov(corpus: Corpus, bars: int, n: int, seed: int, watch: Watch = ignore) -> tuple[list[Score], str]:
    """Compose with a Markov chain of a corpus.

    Args:
        corpus: what it learns from.
        bars: of each piece.
        n: pieces.
        seed: of what it composes.
        watch: hears of progress.

    Returns:
        The pieces; or none, and a sentence that says why.
    """
    try:
        bundle = open_bundle(_chain(corpus, watch))
        pieces = generate(bundle, request=Request(bars=bars), n=n, seed=seed, watch=_without_remarks(watch))
        return [made.score for made in pieces if made.notes], ""
    except ModuleNotFoundError:
        return [], f"There is no row for a Markov chain: {MissingExtra('train', 'counting')}"
    except PartimentoError as error:
        return [], f"There is no row for a Markov chain: {error}"


def _chain(corpus: Corpus, watch: Watch) -> Path:
    """The folder of the chain's bundle, made where the cache does not have it."""
    from partimento.recipes import recipe_named
    from partimento.training.runs import train

    kept = cache_folder() / "markov" / corpus.digest[:32]
    if (kept / "manifest.json").is_file():
        return kept
    recipe = recipe_named("markov").override(["preparation.transpose=0"])
    watch(Progress("Counting a Markov chain", 0, None, "runs"))
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as run:
        bundle = train(corpus.folder, Path(run) / "run", recipe)
        shutil.rmtree(kept, ignore_errors=True)
        bundle.folder.rename(kept)
    return kept


def _without_remarks(watch: Watch) -> Watch:
    """A listener that is not told of each guard that acted: nobody asked for these pieces."""
    return lambda event: watch(dataclasses.replace(event, job="Composing with a Markov chain", remark=""))
