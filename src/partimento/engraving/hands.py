"""Hands: which of a keyboard's two staves a note stands on.

The split is found for the whole piece at once: of all ways to part each chord into a lower and a higher half, the one
in which hands move and stretch least and stay on their own side, by keeping the few best ways so far at each chord (a
beam search; Nakamura, Ono and Sagayama 2014, "Merged-output HMM for piano fingering of both hands", weigh the same
things as probabilities). Leaves out: hands that cross, and which fingers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["split"]

KEPT = 24  # ways that are followed at a time
MIDDLE = 60  # middle C lies between the staves
STRETCH = 12  # semitones that a hand reaches with ease
HOME = (50.0, 70.0)  # where hands are before they have played


class _Way(NamedTuple):
    """One way of splitting what has been so far: its cost, where the hands are, and the splits (linked backwards)."""

    cost: float
    places: tuple[float, float]
    splits: tuple[int, tuple | None]  # type: ignore[type-arg]


def split(chords: Sequence[Sequence[int]], gaps: Sequence[float]) -> list[int]:
    """How many notes of each chord, from the lowest up, the left hand plays.

    Args:
        chords: pitches that begin together, each ascending.
        gaps: quarter notes since the chord before, as many as chords.

    Example:
        >>> split([(36, 43, 64, 67), (72,), (40,)], (0, 1, 1))
        [2, 0, 1]
    """
    ways = [_Way(0.0, HOME, (0, None))]
    for pitches, gap in zip(chords, gaps, strict=True):
        costs = [_chord_cost(pitches, count) for count in range(len(pitches) + 1)]
        fresh = min(gap / 4, 1.0)  # after a rest a hand may be anywhere
        found: dict[tuple[float, float], _Way] = {}
        for way, (count, cost) in itertools.product(ways, enumerate(costs)):
            moved, places = _moved(way.places, pitches, count)
            total = way.cost + cost + moved * (1 - 0.7 * fresh)
            if places not in found or total < found[places].cost:
                found[places] = _Way(total, places, (count, way.splits))
        ways = sorted(found.values(), key=lambda w: w.cost)[:KEPT]
    result: list[int] = []
    link: tuple | None = ways[0].splits  # type: ignore[type-arg]
    while link is not None and link[1] is not None:
        result.append(link[0])
        link = link[1]
    return result[::-1]


def _chord_cost(pitches: Sequence[int], count: int) -> float:
    """How awkward it is that the left hand plays so many notes: stretches, and ledger lines beyond middle C."""
    left, right = pitches[:count], pitches[count:]
    cost = 0.0
    cost += sum(max(hand[-1] - hand[0] - STRETCH, 0) * 0.8 for hand in (left, right) if hand)
    cost += sum(max(len(hand) - 5, 0) * 2.0 for hand in (left, right))
    cost += sum(_far(p - MIDDLE) for p in left)
    cost += sum(_far(MIDDLE - p) for p in right)
    return cost


def _far(semitones: int) -> float:
    """How awkward a note so far on the other hand's side of middle C is."""
    return 0.04 * math.pow(max(semitones - 1, 0), 1.3)


def _moved(places: tuple[float, float], pitches: Sequence[int], count: int) -> tuple[float, tuple[float, float]]:
    """How far the hands move (its cost), and where they are then."""
    cost = 0.0
    new = list(places)
    for hand, own in ((0, pitches[:count]), (1, pitches[count:])):
        if own:
            middle = (own[0] + own[-1]) / 2
            cost += 0.12 * max(abs(middle - places[hand]) - 4, 0)
            new[hand] = round(middle)
    return cost, (new[0], new[1])
