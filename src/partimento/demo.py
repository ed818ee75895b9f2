"""The demo: new music at once, and in three minutes more a model of one's own, from music that a pip package brings.

The model that comes along composes first, for a piano, a string quartet and voices with piano. Then one learns from the
Bach chorales of the music21 wheel (Cuthbert and Ariza 2010; the music is in the public domain), which are read as data
files; music21 itself is never imported. A second call goes on where the first was broken off, or composes more.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from partimento.bundle import Bundle, open_bundle
from partimento.codec import Request
from partimento.composing import Composed, Order, compose_into
from partimento.errors import MissingExtra
from partimento.filling import Filled, Manner
from partimento.filling.composition import Composition
from partimento.filling.files import compose_cells_into
from partimento.guards import Guards
from partimento.progress import Watch, ignore
from partimento.recipes import Recipe, recipe_named
from partimento.sampling import Sampling
from partimento.settings import from_table
from partimento.training.runs import train

AT_ONCE = {
    "piano": Composition(bars=16, programs=(0, 0)),  # a track for each hand, as in scores
    "quartet": Composition(bars=16, programs=(40, 40, 41, 42), form="AABA"),
    "song": Composition(bars=16, programs=(52, 0, 0), tempo=90),
}
MINUTES = 1.5  # of training; reading, measuring and composing take about another
TRIED = 8  # pieces at once, of which the likest to people's is kept
PIECES, OF = 3, 12  # pieces that are kept, the likest to people's, of so many
BARS = 16


@dataclass(frozen=True)
class Shown:
    """What the demo made.

    Attributes:
        run: the training run.
        music: the folder with the new pieces.
        pieces: the new pieces.
    """

    run: Path
    music: Path
    pieces: list[Composed]


def compose_at_once(folder: Path, *, watch: Watch = ignore) -> list[tuple[Path, Filled]]:
    """Compose with the model that comes along: each piece in a folder of its own below this; none that is there.

    Returns:
        Each new piece's MIDI file, beside which its sound and its picture lie, and what came of it.
    """
    bundle, made = open_bundle(), []
    for name, wanted in AT_ONCE.items():
        if not (folder / name).exists():
            manner = Manner(n=TRIED, sampling=_sampling(bundle))
            made += compose_cells_into(folder / name, bundle, wanted, manner, best=1, watch=watch)
    return made


def demo(
    folder: Path,
    *,
    recipe: Recipe | None = None,
    minutes: float | None = MINUTES,
    sample: int | None = None,
    watch: Watch = ignore,
) -> Shown:
    """Train on the Bach chorales and compose.

    Args:
        folder: gets `run/` and `music/`; where it is there already, training goes on or is taken as it is, and more
            music comes into `music-2/` and so on, with another seed.
        recipe: how to learn; the one to begin with if None.
        minutes: the time that training may take; None as the recipe says.
        sample: learn from a random subset of this many chorales.
        watch: hears of everything.

    Raises:
        MissingExtra: the `demo` extra is not installed.
    """
    run = folder / "run"
    bundle = train(
        chorales(),
        run,
        recipe or recipe_named(),
        minutes=minutes,
        sample=sample,
        data_licence="public domain (Bach; the files of the music21 corpus)",
        resume=run.exists(),
        watch=watch,
    )
    seed, music = 0, folder / "music"
    while music.exists():
        seed += 1
        music = folder / f"music-{seed + 1}"
    return Shown(run, music, compose_into(music, bundle, _order(bundle, seed), best=PIECES, watch=watch))


def _order(bundle: Bundle, seed: int) -> Order:
    return Order(
        n=OF,
        seed=seed,
        request=Request(bars=BARS),
        sampling=_sampling(bundle),
        guards=Guards(),
        prompt=np.empty(0, dtype=np.int64),
    )


def _sampling(bundle: Bundle) -> Sampling:
    return from_table(Sampling, bundle.recipe["sampling"], "sampling")


def chorales() -> Path:
    """The folder of Bach chorales in the music21 wheel.

    Raises:
        MissingExtra: the `demo` extra is not installed.
    """
    spec = find_spec("music21")
    folders = list(spec.submodule_search_locations or []) if spec else []
    folder = Path(folders[0]) / "corpus" / "bach" if folders else Path()
    if not folders or not folder.is_dir():
        raise MissingExtra("demo", "The demo")
    return folder
