"""What a VAE's space of phrases holds: what comes back of held-out phrases, what attributes do, what the prior plays.

    partimento train FOLDER --to RUN --recipe vae
    python benchmarks/vae.py RUN

Takes the held-out pieces that lie in the run (those that chose its weights), cut into phrases end to end; nothing of
what is printed was used to learn. It plays from the bundle, without torch. The tables are Markdown.

- Notes that come back: of the notes of all phrases, those that the phrase decoded from z has at the same pitch and step
  (recall), and of the notes decoded those that the phrase has (precision); z the mean of q(z | x), or drawn from it.
- KL: nats a phrase, summed over the dimensions, and how many of these carry more than 0.1 nat.
- Attributes: their mean over all phrases decoded one way back, as they are, and one way on along each direction.
- The prior: pieces of 16 bars, walked in several ways, beside excerpts of the held-out pieces as long, noise and
  shuffled bars: the distance of each feature (`partimento.evaluation`), less is nearer, and how well neighbouring
  phrases agree (the correlation of their pitch-class histograms).
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partimento.attributes import ATTRIBUTES, measure
from partimento.bundle import Bundle, open_bundle
from partimento.codec import Request
from partimento.evaluation.distances import nearness
from partimento.evaluation.features import measured
from partimento.evaluation.yardsticks import excerpts, noise, shuffled_bars
from partimento.frames import Grid, planes
from partimento.generation import generate
from partimento.interpolation import brought_back, open_latent
from partimento.pieces import Pieces
from partimento.players.graph import Latent
from partimento.sampling import Sampling
from partimento.score import Score

Way = tuple[float, float, int, str]
"""Of walking: r, the temperature of cells, how often a phrase is heard and decoded anew, and the form."""

BARS = 16
MOST = 200  # excerpts, and pieces made


def decoded(player: Latent, z: NDArray[np.float32]) -> Grid:
    """The phrases at z, the likelier state of every cell."""
    return player.played(z, [np.random.default_rng(0)] * len(z), 0.0)[0]


def row(*cells: object) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in cells) + " |")


def reconstruction(player: Latent, x: Grid) -> None:
    """Print what comes back of phrases, and what the space is used for."""
    mean, deviation = player.encode(x)
    print(f"\n{len(x)} held-out phrases of {player.steps} steps\n")
    print("| z | notes that come back | of those decoded |\n|---|---|---|")
    drawn = mean + deviation * np.random.default_rng(0).standard_normal(mean.shape, np.float32)
    for name, z in (("mean", mean), ("drawn", drawn)):
        back = decoded(player, z)
        right, notes = brought_back(x, back)
        row(name, f"{right / notes:.1%}", f"{right / max(brought_back(back, x)[1], 1):.1%}")
    kl = 0.5 * (mean**2 + deviation**2 - 1 - 2 * np.log(deviation))
    used = (kl.mean(0) > 0.1).sum()
    print(f"\nKL about {kl.sum(1).mean():.1f} nats a phrase; {used} of {mean.shape[1]} dimensions are used.")
    print(f"All z together: mean {np.abs(mean.mean(0)).mean():.2f} from 0, ", end="")
    print(f"variance {(mean.var(0) + (deviation**2).mean(0)).mean():.2f} (the prior's is 1).")


def attributes(bundle: Bundle, player: Latent, x: Grid) -> None:
    """Print what going along each attribute does."""
    spec = bundle.codec().spec
    mean, _ = player.encode(x)
    print("\n| attribute | -1 | 0 | 1 | 2 |\n|---|---|---|---|---|")
    for column, name in enumerate(ATTRIBUTES):
        if name in player.attributes:
            z = [mean + far * player.attributes[name] for far in (-1, 0, 1, 2)]
            row(name, *(float(np.nanmean(measure(decoded(player, place), spec)[:, column])) for place in z))


def agreement(scores: Iterable[Grid], steps: int, low: int) -> float:
    """The mean correlation of the pitch-class histograms of neighbouring phrases of pieces (T, C, P)."""
    found: list[float] = []
    for x in scores:
        onset, sustain = planes(x.shape[1])
        struck = x[: len(x) // steps * steps, sustain if onset is None else onset]
        rows = struck.reshape(-1, steps, struck.shape[-1]).sum(1)
        classes = np.stack([rows[:, (np.arange(rows.shape[1]) + low) % 12 == k].sum(1) for k in range(12)], 1)
        for one, other in itertools.pairwise(classes):
            if one.std() and other.std():
                found.append(float(np.corrcoef(one, other)[0, 1]))
    return float(np.mean(found)) if found else np.nan


def walked(bundle: Bundle, way: Way, n: int) -> list[Score]:
    """Pieces that the model makes on its own."""
    r, temperature, settle, form = way
    made = generate(
        bundle,
        request=Request(bars=BARS),
        sampling=Sampling(temperature=temperature),
        player={"walk": r, "settle": settle, "form": form},
        n=n,
        seed=1,
    )
    return [piece.score for piece in made]


def prior(bundle: Bundle, held_out: Sequence[Score], n: int, ways: Iterable[Way]) -> None:
    """Print how near pieces lie to people's, for several ways of walking."""
    codec, rng = bundle.codec(), np.random.default_rng(0)
    steps, low = open_latent(bundle).steps, codec.spec.low
    people = [part for score in held_out for part in excerpts(score, BARS, 2, rng)][:MOST]
    halves = people[::2], people[1::2]
    sets = {"other people's": halves[1], "shuffled bars": shuffled_bars(halves[1], rng), "noise": noise(halves[1], rng)}
    yardsticks = [name for name in sets if name != "other people's"]
    sets |= {f"r {way[0]:g}, t {way[1]:g}, settle {way[2]} {way[3]}": walked(bundle, way, n) for way in ways}
    like = measured(halves[0])
    found = {name: nearness(measured(scores), like) for name, scores in sets.items()}
    print("\n| | " + " | ".join(found) + " |\n" + "|---" * (len(found) + 1) + "|")
    names = list(next(iter(found.values())))
    for feature in names:
        row(feature, *(of[feature].distance for of in found.values()))
    for yardstick in yardsticks:
        nearer = [sum(of[f].distance < found[yardstick][f].distance for f in names) for of in found.values()]
        row(f"nearer than {yardstick}", *(f"{count} of {len(names)}" for count in nearer))
    row("neighbours agree", *(agreement((codec.encode(s) for s in scores), steps, low) for scores in sets.values()))


def main() -> None:
    """Measure a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("-n", type=int, default=100, help="pieces made for each way of walking")
    parser.add_argument("--walks", type=float, nargs="*", default=[0.9])
    parser.add_argument("--temperatures", type=float, nargs="*", default=[0.0, 0.5, 1.0])
    parser.add_argument("--settles", type=int, nargs="*", default=[0, 2, 5])
    parser.add_argument("--forms", nargs="*", default=[""])
    given = parser.parse_args()
    bundle = open_bundle(given.run)
    player = open_latent(bundle)
    pieces = Pieces.open(given.run / "pieces" / "valid")
    grids = [np.asarray(pieces[number], np.float32) for number in range(len(pieces))]
    x = np.concatenate([player.phrases(grid) for grid in grids if len(grid)])
    x = x[x.any((1, 2, 3))]
    reconstruction(player, x)
    attributes(bundle, player, x)
    if given.n:
        codec = bundle.codec()
        ways = itertools.product(given.walks, given.temperatures, given.settles, given.forms)
        prior(bundle, [codec.decode(grid) for grid in grids], given.n, ways)


if __name__ == "__main__":
    main()
