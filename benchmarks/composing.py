"""How fast a model composes, and how much of the time goes into choosing rather than into the model.

A network of the tutorials' size (three LSTMs of 512) with random weights serves: the arithmetic is the same, and no
piece is better or worse than another. Rates are by the clock, times by the processor, the best of a few runs. Run as
`python benchmarks/composing.py FOLDER [--codec tokens]`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loops import scores
from partimento.bundle import Bundle, write_bundle
from partimento.codec import Request, TokenSpec, codec_named
from partimento.generation import open_player
from partimento.model import model_named
from partimento.sampling import Draft, Sampling, Stepper, sample
from partimento.settings import from_table, to_table


class Timed:
    """A stepper that counts its steps and the processor time that they take."""

    def __init__(self, stepper: Any) -> None:
        self.stepper, self.cpu, self.steps = stepper, 0.0, 0
        self.start, self.narrow = stepper.start, stepper.narrow

    def step(self, ids: NDArray[np.int64], state: Any) -> tuple[NDArray[np.float32], Any]:
        """Pass it on and look at the clock."""
        cpu = time.process_time()
        result: tuple[NDArray[np.float32], Any] = self.stepper.step(ids, state)
        self.cpu += time.process_time() - cpu
        self.steps += 1
        return result


def bundle_of(folder: Path, codec_name: str, stack: list[str], place: Path) -> Bundle:
    """A bundle of an untrained network on the vocabulary of this folder's music."""
    kind = codec_named(codec_name)
    codec = kind(kind.Settings())
    codec.learn(scores(folder, 100))
    network = model_named("lstm")
    model = network(from_table(network.Settings, {"stack": stack}, "model"), codec.spec)
    return write_bundle(
        place,
        recipe={"codec": to_table(codec.settings)},
        codec_name=codec_name,
        codec=codec,
        model_name="lstm",
        arrays=model.arrays(),
        export=model.export,
        facts={},
    )


def measure(bundle: Bundle, stepper: Stepper, spec: TokenSpec, pieces: int, notes: int) -> tuple[float, ...]:
    """Ids and notes a second, µs a step of the model, µs an id for choosing it, and the latter's share."""
    drafts, codec = [], bundle.codec()
    for i in range(pieces):
        grammar = codec.grammar()
        if grammar:
            grammar.start(Request(notes=notes))
            grammar.begin()
        drafts.append(Draft(np.random.default_rng([0, i]), grammar, np.array([spec.bos])))
    timed = Timed(stepper)
    wall, cpu = time.perf_counter(), time.process_time()
    sample(timed, drafts, spec, longest=100_000, sampling=Sampling(top_p=0.98))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    ids, micro = sum(len(draft.ids) for draft in drafts), 1e6
    choosing = cpu - timed.cpu
    return ids / wall, pieces * notes / wall, timed.cpu / timed.steps * micro, choosing / ids * micro, choosing / cpu


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--codec", default="tokens")
    parser.add_argument("--stack", nargs="+", default=["cell 512"] * 3)
    parser.add_argument("--notes", type=int, default=300)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        bundle = bundle_of(chosen.folder, chosen.codec, chosen.stack, Path(place) / "model")
        spec = bundle.codec().spec
        stepper = open_player(bundle)
        print(f"{chosen.codec}, {spec.vocab_size} ids, one thread, {' + '.join(chosen.stack)}\n")
        print("| pieces at once | ids/s | notes/s | µs a step of the model | µs an id for choosing | share |")
        print("|---:|" + "---:|" * 5)
        for pieces in (1, 8, 32):
            runs = [measure(bundle, stepper, spec, pieces, chosen.notes) for _ in range(chosen.runs)]
            ids, notes, step, choosing, share = max(runs)
            print(f"| {pieces} | {ids:,.0f} | {notes:,.0f} | {step:,.0f} | {choosing:.0f} | {share:.0%} |", flush=True)


if __name__ == "__main__":
    main()
