"""No toy: on how many of eight features lie runs' pieces nearer to people's than noise and shuffled bars do?

    python benchmarks/nearness.py MUSIC RUN[,player.gibbs=50,…] [RUN ...]

MUSIC is the folder that the runs learnt from. Each composes sixteen pieces of sixteen bars, as its recipe says or with
other settings of composing, seed 0; they are set beside excerpts of the held-out pieces as `partimento compare` does it
(`comparing.people`). Eight of the fifteen features are asked for: the others are given to the yardsticks as they are
made (noise has as many notes in the same time), are dropped by most codecs (tempo, loudness) or are another side of one
of the eight.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from partimento.bundle import open_bundle
from partimento.codec import Request
from partimento.comparing.people import NOISE, SHUFFLED, gather
from partimento.composing import composing_tables
from partimento.corpus import inspect
from partimento.errors import ImpossibleRequest
from partimento.evaluation.distances import nearness
from partimento.evaluation.features import measured
from partimento.evaluation.variety import likeness
from partimento.generation import generate
from partimento.prompts import first_bars
from partimento.sampling import Sampling
from partimento.score import Score
from partimento.settings import from_table

EIGHT = (
    *("pitch-class entropy", "pitch range", "scale consistency", "key clarity", "polyphony", "mean duration"),
    *("groove consistency", "short self-similarity"),
)
BARS, PIECES = 16, 16


def composed(run: str, *settings: str) -> list[Score]:
    """What a run composes; the first bars of pieces that end where they will."""
    bundle = open_bundle(Path(run))
    tables = composing_tables(bundle.recipe, settings)
    sampling, player = from_table(Sampling, tables["sampling"], "sampling"), tables["player"]
    try:
        pieces = generate(bundle, request=Request(bars=BARS), sampling=sampling, player=player, n=PIECES)
        return [made.score for made in pieces]
    except ImpossibleRequest:
        pieces = generate(bundle, sampling=sampling, player=player, n=PIECES)
        return [first_bars(made.score, BARS) for made in pieces]


def main() -> None:
    """Print a row for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("music", type=Path)
    parser.add_argument("runs", nargs="+")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        people = gather(inspect(chosen.music), Path(folder), bars=BARS, size=PIECES, seed=0, sound="none")
    print(f"| run | nearer than noise | than both | likeness | {' | '.join(EIGHT)} |")
    print(f"|---|---|---|---:|{'---:|' * len(EIGHT)}")
    yards = people.yardsticks
    for name in (NOISE, SHUFFLED):
        print(f"| {name} | | | | {' | '.join(f'{yards[name][feature].distance:.2f}' for feature in EIGHT)} |")
    for run in chosen.runs:
        scores = composed(*run.split(","))
        near = nearness(measured(scores), people.like)
        noise = [name for name in EIGHT if near[name].distance < yards[NOISE][name].distance]
        both = [name for name in noise if near[name].distance < yards[SHUFFLED][name].distance]
        cells = [f"**{near[name].distance:.2f}**" if name in both else f"{near[name].distance:.2f}" for name in EIGHT]
        counts = f"{len(noise)} of {len(EIGHT)} | {len(both)} of {len(EIGHT)}"
        place = Path(run.split(",")[0])
        name = place.parent.name if place.name == "run" else place.name
        print(f"| {name} | {counts} | {likeness(scores):.3f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
