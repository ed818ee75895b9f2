"""Voices: lines on a staff that overlap, each with its own rhythm.

Notes that begin and end together are a chord. Chords are dealt to at most three voices, the higher line to the first,
by a beam search over what a reader minds: lines that cross, leap or begin anew, and more voices than it takes (the
costs are those of Kilian and Hoos 2002, "Voice separation: a local optimisation approach"). Where chords of one voice
overlap all the same, they are cut at each other's beginnings and ends, and ties join the parts.

Leaves out: notes of one pitch that overlap on one staff. The earlier ends where the later begins, as on any keyboard.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["MOST_VOICES", "Sound", "Tone", "voices_of"]

MOST_VOICES = 3
KEPT = 12  # ways that are followed at a time
OVERLAP, CROSSING, THIRD = 6.0, 2.0, 3.0


class Tone(NamedTuple):
    """A note of a staff, in units; `fifth` is its name's place on the line of fifths, C being 0."""

    start: int
    end: int
    pitch: int
    fifth: int = 0


class Sound(NamedTuple):
    """What a voice plays from one time to another: tones, and the pitches tied from before and to what follows."""

    start: int
    end: int
    tones: tuple[Tone, ...]
    held: frozenset[int] = frozenset()
    holding: frozenset[int] = frozenset()


class _Way(NamedTuple):
    """One way of dealing so far: its cost, each voice's last chord, and the voices dealt to (linked backwards)."""

    cost: float
    last: tuple[Sound | None, ...]
    dealt: tuple[int, tuple | None]  # type: ignore[type-arg]


def voices_of(tones: Sequence[Tone]) -> list[list[Sound]]:
    """The voices of a staff, the highest first, each without overlaps.

    Args:
        tones: those of one pitch do not overlap.
    """
    chords = [
        Sound(start, end, tuple(own))
        for (start, end), own in itertools.groupby(
            sorted(tones, key=lambda t: (t.start, t.end, t.pitch)), key=lambda t: (t.start, t.end)
        )
    ]
    chords.sort(key=lambda c: (c.start, -c.tones[-1].pitch))
    dealt = _deal(chords, _alone(chords))
    return [_untangled([c for c, own in zip(chords, dealt, strict=True) if own == v]) for v in range(MOST_VOICES)]


def _alone(chords: Sequence[Sound]) -> list[bool]:
    """Which chords overlap none before or after them."""
    ended = itertools.accumulate((c.end for c in chords), max, initial=0)
    following = [*(c.start for c in chords[1:]), None]
    return [
        before <= chord.start and (after is None or after >= chord.end)
        for chord, before, after in zip(chords, ended, following, strict=False)
    ]


def _deal(chords: Sequence[Sound], alone: Sequence[bool]) -> list[int]:
    """Which voice each chord goes to."""
    ways = [_Way(0.0, (None,) * MOST_VOICES, (0, None))]
    for chord, free in zip(chords, alone, strict=True):
        found: dict[tuple[Sound | None, ...], _Way] = {}
        for way, voice in itertools.product(ways, range(1 if free else MOST_VOICES)):
            cost = way.cost + _cost(chord, voice, way.last)
            last = tuple(chord if v == voice else own for v, own in enumerate(way.last))
            if last not in found or cost < found[last].cost:
                found[last] = _Way(cost, last, (voice, way.dealt))
        ways = sorted(found.values(), key=lambda w: w.cost)[:KEPT]
    result: list[int] = []
    link: tuple | None = ways[0].dealt  # type: ignore[type-arg]
    while link is not None and link[1] is not None:
        result.append(link[0])
        link = link[1]
    return result[::-1]


def _cost(chord: Sound, voice: int, last: Sequence[Sound | None]) -> float:
    """What a reader minds about a chord in a voice."""
    cost = THIRD if voice == 2 else 0.0
    own = last[voice]
    if own is not None and own.end > chord.start:
        cost += OVERLAP
    elif own is not None and chord.start - own.end < 48:
        cost += 0.04 * abs(chord.tones[-1].pitch - own.tones[-1].pitch)
        cost += 0.3 if own.end < chord.start else 0.0
    elif voice:
        cost += 0.5
    sounding = [(v, s) for v, s in enumerate(last) if v != voice and s is not None and s.end > chord.start]
    if voice and not any(v == 0 for v, _ in sounding):
        cost += 0.6
    for other, sound in sounding:
        if other < voice:
            below = sound.tones[0].pitch - chord.tones[-1].pitch
        else:
            below = chord.tones[0].pitch - sound.tones[-1].pitch
        cost += CROSSING if below <= 0 else 0.0
    return cost


def _untangled(chords: Sequence[Sound]) -> list[Sound]:
    """One voice without overlaps: chords that do overlap are cut at each other's beginnings and ends, and tied."""
    result: list[Sound] = []
    at = 0
    while at < len(chords):
        stop, end = at + 1, chords[at].end
        while stop < len(chords) and chords[stop].start < end:
            end = max(end, chords[stop].end)
            stop += 1
        group = chords[at:stop]
        result += group if len(group) == 1 else _cut([tone for chord in group for tone in chord.tones])
        at = stop
    return result


def _cut(tones: Sequence[Tone]) -> list[Sound]:
    edges = sorted({time for tone in tones for time in (tone.start, tone.end)})
    sounds = []
    for start, end in itertools.pairwise(edges):
        own = sorted((t for t in tones if t.start < end and t.end > start), key=lambda t: t.pitch)
        held = frozenset(t.pitch for t in own if t.start < start)
        holding = frozenset(t.pitch for t in own if t.end > end)
        sounds.append(Sound(start, end, tuple(own), held, holding))
    return sounds
