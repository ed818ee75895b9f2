"""How fast and how well originality is judged.

    python benchmarks/originality.py speed FOLDER [--pieces 10000] [--sample 400]

indexes so many pieces and judges others: seconds to build, megabytes in memory and on disk, milliseconds a piece. Where
the folder has fewer pieces than asked for, more are made of their bars in another order and another key, which shares
more with the rest than music does and so takes longer to judge.

    python benchmarks/originality.py table FOLDER [--sample 400]
    python benchmarks/originality.py table Jsb16thSeparated.json

judges the held-out pieces of a folder (or of the chorales' own splits) by its training pieces and prints what they
share, how many are flagged, each by the others, and how many forgeries are (`docs/originality.md`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from symusic.core import NoteTickList

from partimento.corpus import inspect
from partimento.evaluation.borrowing import People
from partimento.evaluation.forgeries import FORGERIES, spliced
from partimento.evaluation.originality import KINDS, TrainingIndex
from partimento.passages.bars import WINDOWS
from partimento.passages.events import edges_beyond
from partimento.score import Note, Score, TimeSignature, Track

TRIED = 100  # forgeries of a kind
Named = list[tuple[str, Score]]


def read(path: Path, sample: int | None) -> tuple[Named, Named]:
    """The training pieces and the held-out ones."""
    if path.suffix == ".json":
        data = {name: [chorale(steps) for steps in each] for name, each in json.loads(path.read_text()).items()}
        named = {name: [(f"{name} {number}", one) for number, one in enumerate(each)] for name, each in data.items()}
        return named["train"], named["valid"] + named["test"]
    corpus = inspect(path, sample=sample)
    split = {
        name: [(f"{p.path} {p.tune}", corpus.score(p)) for p in corpus.pieces(name)]
        for name in ("train", "valid", "test")
    }
    return split["train"], split["valid"] + split["test"]


def chorale(steps: list[list[int]]) -> Score:
    """Four voices on sixteenths; equal pitches one after another are one note."""
    score = Score(4)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    for voice in range(4):
        track = Track("", 52, False)
        pitches = [step[voice] for step in steps]
        for at, pitch in enumerate(pitches):
            if pitch >= 0 and at and pitches[at - 1] == pitch:
                track.notes[-1].duration += 1
            elif pitch >= 0:
                track.notes.append(Note(at, 1, pitch, 80))
        score.tracks.append(track)
    return score


def many(pieces: Named, count: int, rng: np.random.Generator) -> Iterator[tuple[str, Score]]:
    """The pieces, then as many as are missing made of them: each its bars in another order, in a random key."""
    yield from pieces[:count]
    for made in range(len(pieces), count):
        score = pieces[made % len(pieces)][1]
        edges = edges_beyond(score)
        order = rng.permutation(len(edges) - 1)
        result = Score(score.ticks_per_quarter)
        result.time_signatures = score.time_signatures
        semitones = int(rng.integers(-5, 7))
        for track in score.tracks:
            notes = track.notes.numpy()
            bar = np.searchsorted(edges, notes["time"], side="right") - 1
            time_ = np.maximum(notes["time"] + edges[order[bar]] - edges[bar], 0).astype(np.int32)
            pitch = np.clip(notes["pitch"] + semitones * (not track.is_drum), 0, 127).astype(np.int8)
            moved = Track("", track.program, track.is_drum)
            moved.notes = NoteTickList.from_numpy(time_, notes["duration"], pitch, notes["velocity"])
            result.tracks.append(moved)
        yield f"made {made}", result


def speed(training: Named, held_out: Named, count: int) -> None:
    """Print what building, keeping and judging take."""
    rng = np.random.default_rng(0)
    pieces = list(many(training, count, rng))
    notes = sum(score.note_num() for _, score in pieces)
    start = time.process_time()
    index = TrainingIndex.of(pieces)
    built = time.process_time() - start
    with tempfile.TemporaryDirectory() as spare:
        path = Path(spare) / "index.npz"
        index.save(path)
        start = time.process_time()
        TrainingIndex.load(path)
        loaded, kept = time.process_time() - start, path.stat().st_size
    print(
        f"{len(pieces)} pieces, {notes} notes: built in {built:.1f} s; {index.nbytes / 2**20:.0f} MB in memory, ",
        end="",
    )
    print(f"{kept / 2**20:.0f} MB on disk, loaded in {loaded:.2f} s (processor time)")
    copies = [pieces[number] for number in rng.choice(len(pieces), min(100, len(pieces)), replace=False).tolist()]
    for name, judged in (("held-out pieces", held_out[:200]), ("copies", copies)):
        took = []
        for _, score in judged:
            start = time.process_time()
            index.judge(score)
            took.append(1000 * (time.process_time() - start))
        print(f"{len(judged)} {name}: median {np.median(took):.0f} ms, most {max(took):.0f} ms a piece")
    took = []
    for _, score in held_out[:100]:
        start = time.process_time()
        index.copied_at_end(score)
        took.append(1000 * (time.process_time() - start))
    print(f"how much is copied at the end of a piece: median {np.median(took):.1f} ms, most {max(took):.1f} ms")


def table(training: Named, held_out: Named) -> None:
    """Print what held-out pieces share, and what is flagged."""
    index = TrainingIndex.of(training)
    judged = [index.judge(score) for _, score in held_out]
    usual = People(judged)
    print(f"{len(training)} training pieces, {len(held_out)} held out, {usual.versions} of them versions\n")
    print("| held-out pieces | median | 95 % | 99 % |\n|---|---|---|---|")
    for kind in KINDS:
        found = [one.common[kind] for one in judged if kind in one.common]
        rows = {
            f"longest passage, {kind}: notes": [one.longest.notes if one.longest else 0 for one in found],
            f"longest passage, {kind}: bars": [one.longest.bars if one.longest else 0.0 for one in found],
            f"share of notes in shared passages, {kind}": [one.share for one in found],
            f"mean loan, {kind}: notes": [one.loan for one in found],
        }
        for name, values in rows.items():
            spread = np.percentile(values, [50, 95, 99], method="inverted_cdf")
            print(f"| {name} | " + " | ".join(f"{value:.3g}" for value in spread) + " |")
    print("\n| windows that occur in training | any key | same key |\n|---|---|---|")
    for bars in WINDOWS:
        means = []
        for shares in ([one.shares for one in judged], [one.shares_exact for one in judged]):
            known = [share for share in (each[bars] for each in shares) if share is not None]
            means.append(f"{100 * np.mean(known):.2f} %" if known else "")
        print(f"| {bars} | " + " | ".join(means) + " |")
    pieces = [score for _, score in training]
    rng = np.random.default_rng(0)
    flagged = {"held out": [usual.flags(one) for one in judged]}
    flagged["held out, each by the others"] = [
        People(judged[:n] + judged[n + 1 :]).flags(one) for n, one in enumerate(judged)
    ]
    for name, forge in FORGERIES.items():
        chosen = rng.choice(len(pieces), min(TRIED, len(pieces)), replace=False).tolist()
        flagged[name] = [usual.flags(index.judge(forge(pieces[number], rng))) for number in chosen]
    flagged["spliced"] = [usual.flags(index.judge(spliced(pieces, rng))) for _ in range(TRIED)]
    print("\n| flagged | of | share |\n|---|---|---|")
    for name, flags in flagged.items():
        print(f"| {name} | {len(flags)} | {100 * np.mean([flag is True for flag in flags]):.1f} % |")


def main() -> None:
    """Measure one or the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("speed", "table"))
    parser.add_argument("path", type=Path)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--pieces", type=int, default=10_000)
    given = parser.parse_args()
    training, held_out = read(given.path, given.sample)
    if given.what == "speed":
        speed(training, held_out, given.pieces)
    else:
        table(training, held_out)


if __name__ == "__main__":
    main()
