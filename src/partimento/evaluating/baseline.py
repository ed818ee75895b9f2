"""The baseline: what a Markov chain makes of the same human music; what anything else should be better than.

It counts the training pieces as the recipe `markov` does, in their own keys, and is kept in the cache by its music.
Chains have composed since Hiller and Isaacson (1957); they stand for what imitation by counting comes to.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from partimento.bundle import open_bundle, write_bundle
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
    from partimento.training.preparing import prepare
    from partimento.training.runs import baseline

    kept = cache_folder() / "markov" / corpus.digest[:32]
    if (kept / "manifest.json").is_file():
        return kept
    recipe = recipe_named("markov").override(["preparation.transpose=0"])
    corpus.require_enough()
    with tempfile.TemporaryDirectory() as spare:
        prepared = prepare(corpus, recipe, Path(spare), watch)
        watch(Progress("Counting a Markov chain", 0, None, "pieces"))
        model = baseline(prepared)
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_bundle(
            kept,
            recipe=recipe.to_tables(),
            codec_name=recipe.codec,
            codec=prepared.codec,
            model_name=recipe.model,
            arrays=model.arrays(),
            export=model.export,
            facts={"about": recipe.about, "pieces": len(corpus.kept), "corpus_digest": corpus.digest},
        )
    return kept


def _without_remarks(watch: Watch) -> Watch:
    """A listener that is not told of each guard that acted: nobody asked for these pieces."""
    return lambda event: watch(dataclasses.replace(event, job="Composing with a Markov chain", remark=""))
