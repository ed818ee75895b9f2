"""Note values: the rhythm of a voice's bar as notes with dots, ties and triplets.

A bar is read down its pulse, from whole bar to beats. Where all that happens in a part of it lies on thirty-seconds, it
is straight; the largest part that halves evenly and is not straight becomes a triplet of its halves. What is straight
is cut where a reader expects to see the beat: a value may cross a stronger position than the one it begins on only if
it is undotted and the next stronger one (a syncopation), or within one beat; a rest never may. These are Gould's rules
(2011, "Behind Bars", pp. 151-187), as far as they can be said in three lines.

Any bar whose times are whole units can be written so, at worst in sixty-fourths of triplets.

Leaves out: quintuplets and other tuplets, and duplets: in compound metres those are dotted.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from partimento.engraving.bars import Pulse
from partimento.engraving.voices import Sound

__all__ = ["TYPES", "Written", "beat_level", "written"]

TYPES = ("whole", "half", "quarter", "eighth", "16th", "32nd", "64th")
# In halves of a unit: a whole note has 192. Those of each type, and with one dot
PLAIN = {192 >> n: (TYPES[n], 0) for n in range(7)}
DOTTED = {3 * (192 >> n) // 2: (TYPES[n], 1) for n in range(6)}
DOUBLE = {7 * (192 >> n) // 4: (TYPES[n], 2) for n in range(1, 5)}
BREVE = {384: ("breve", 0), 576: ("breve", 1)}
STRAIGHT = PLAIN | DOTTED | BREVE
TRIPLETS = (12, 24, 48, 96, 6, 3)  # units that a triplet may take: halves, quarters, eighths … in threes


@dataclass(frozen=True)
class Written:
    """One note, chord or rest as it is written, in units from the beginning of its bar.

    Attributes:
        start: where it begins.
        length: how long it lasts.
        type: its value's name in MusicXML.
        dots: it has.
        sound: what is played; None for a rest.
        held: pitches tied from before.
        holding: pitches tied to what follows.
        triplet: whether it belongs to one; `first` and `last` of it.
        whole_bar: whether it is the rest of an empty bar.
        shown: whether it is seen; rests of second voices are not.
    """

    start: int
    length: int
    type: str
    dots: int = 0
    sound: Sound | None = None
    held: frozenset[int] = frozenset()
    holding: frozenset[int] = frozenset()
    triplet: bool = False
    first: bool = False
    last: bool = False
    whole_bar: bool = False
    shown: bool = True


@dataclass(frozen=True)
class _Span:
    start: int
    end: int
    sound: Sound | None


def written(sounds: Sequence[Sound], start: int, levels: Pulse) -> list[Written]:
    """A voice's bar, full from beginning to end.

    Args:
        sounds: of that voice that sound in the bar, in order; may begin before it and end after it.
        start: of the bar, in units.
        levels: its pulse.
    """
    length = levels[0][-1]
    spans: list[_Span] = []
    at = 0
    for sound in sounds:
        begin, end = max(sound.start - start, 0), min(sound.end - start, length)
        if begin > at:
            spans.append(_Span(at, begin, None))
        spans.append(_Span(begin, end, sound))
        at = end
    if not spans:
        return [Written(0, length, "whole", whole_bar=True)]
    if at < length:
        spans.append(_Span(at, length, None))
    edges = [span.start for span in spans] + [length]
    triplets = _triplets(edges, levels, 0, 0, length)
    notes: list[Written] = []
    cuts = sorted({edge for triplet in triplets for edge in triplet})
    for span in spans:
        inner = [cut for cut in cuts if span.start < cut < span.end]
        for begin, end in itertools.pairwise([span.start, *inner, span.end]):
            inside = next((t for t in triplets if t[0] <= begin and end <= t[1]), None)
            parts = _in_triplet(begin, end, inside) if inside else _straight(begin, end, levels, span.sound is None)
            notes += [_note(part, span, inside) for part in parts]
    return _tied(notes, start)


def _triplets(edges: Sequence[int], levels: Pulse, level: int, start: int, end: int) -> list[tuple[int, int]]:
    """The parts of a bar that are triplets, from a part of it (which begins at `start`) down."""
    inside = [e - start for e in edges if start < e < end]
    if not any(e % 3 for e in inside):
        return []
    parts = _parts(levels, level, start, end)
    length = end - start
    if length in TRIPLETS:
        middle = length // 2 in inside
        finest = {96: 32, 48: 8}.get(length, 1)
        if not parts or (not middle and len(parts) == 2 and not any(e % finest for e in inside)):
            return [(start, end)]
    return [found for begin, stop in parts for found in _triplets(edges, levels, level + 1, begin, stop)]


def _parts(levels: Pulse, level: int, start: int, end: int) -> list[tuple[int, int]]:
    """What the next level makes of a part of a bar; nothing where parts would be shorter than an eighth."""
    if level + 1 >= len(levels):
        return []
    own = levels[level + 1]
    parts = list(itertools.pairwise(own[bisect.bisect_left(own, start) : bisect.bisect_right(own, end)]))
    return [] if len(parts) == 2 and end - start in TRIPLETS and parts[0][1] - start < 12 else parts


def _in_triplet(start: int, end: int, triplet: tuple[int, int]) -> list[tuple[int, int, str, int]]:
    """Values that fill a part of a triplet: start, length, type and dots of each."""
    parts = []
    third = (triplet[1] - triplet[0]) // 3 or 1
    at = start
    while at < end:
        rest = 3 * (end - at)  # in halves of a unit, before a triplet makes three out of two
        fits = [v for v in PLAIN | DOTTED if v <= rest and v % 3 == 0]
        aligned = (at - triplet[0]) % third == 0
        value = max(v for v in fits if aligned or v in PLAIN or v == rest)
        parts.append((at, value // 3, *(PLAIN | DOTTED)[value]))
        at += value // 3
    return parts


def _straight(start: int, end: int, levels: Pulse, rest: bool) -> list[tuple[int, int, str, int]]:
    """Values that fill a straight stretch so that the beat is seen: start, length, type and dots of each."""
    if start == end:
        return []
    length = end - start
    cut, strength = _strongest(start, end, levels)
    own = _strength(start, levels)
    value = STRAIGHT.get(2 * length)
    if value is None and not rest and own <= 1 and 2 * length in DOUBLE and _is_beat(end - length, levels):
        value = DOUBLE[2 * length] if length <= 42 else None
    if value:
        beat = beat_level(levels)
        crosses = strength < own
        if rest:
            part = length <= 24 or any(_is_part(start, end, positions) for positions in levels)
            allowed = (
                not crosses and part and (value[1] == 0 or length == 9 or (length % 36 == 0 and _compound(levels)))
            )
        else:
            syncopated = own - strength == 1 and (value[1] == 0 or own <= beat)
            allowed = not crosses or syncopated or strength > beat
        if allowed:
            return [(start, length, *value)]
    if cut is None:  # nothing to cut at, and no value of that length: the longest that fits, then the rest
        value_units = max(v for v in STRAIGHT if v <= 2 * length) // 2
        cut = start + value_units
    return [*_straight(start, cut, levels, rest), *_straight(cut, end, levels, rest)]


def _strongest(start: int, end: int, levels: Pulse) -> tuple[int | None, int]:
    """The strongest position between two, and its level.

    Of equally strong ones the last for what begins on a strong one, so that long values come first, else the first.
    """
    for level, positions in enumerate(levels):
        inside = positions[bisect.bisect_right(positions, start) : bisect.bisect_left(positions, end)]
        if inside:
            return (inside[-1] if _strength(start, levels) <= level else inside[0]), level
    return None, len(levels)


def _strength(position: int, levels: Pulse) -> int:
    return next((level for level, positions in enumerate(levels) if _is_in(position, positions)), len(levels))


def _is_in(position: int, positions: Sequence[int]) -> bool:
    at = bisect.bisect_left(positions, position)
    return at < len(positions) and positions[at] == position


def _is_part(start: int, end: int, positions: Sequence[int]) -> bool:
    """Whether two positions follow one another in a level."""
    at = bisect.bisect_left(positions, start)
    return at + 1 < len(positions) and positions[at] == start and positions[at + 1] == end


def _is_beat(position: int, levels: Pulse) -> bool:
    return _is_in(position, levels[beat_level(levels)])


def beat_level(levels: Pulse) -> int:
    """The level of the beats: quarters, or dotted quarters."""
    for level, positions in enumerate(levels):
        if max(b - a for a, b in itertools.pairwise(positions)) <= 36:
            return level
    return len(levels) - 1


def _compound(levels: Pulse) -> bool:
    positions = levels[beat_level(levels)]
    return all(b - a == 36 for a, b in itertools.pairwise(positions))


def _note(part: tuple[int, int, str, int], span: _Span, triplet: tuple[int, int] | None) -> Written:
    start, length, type, dots = part
    return Written(
        start,
        length,
        type,
        dots,
        span.sound,
        triplet=triplet is not None,
        first=triplet is not None and start == triplet[0],
        last=triplet is not None and start + length == triplet[1],
    )


def _tied(notes: Sequence[Written], bar: int) -> list[Written]:
    """The notes with the ties that join what was cut, here, at bar lines and where voices were untangled."""
    result = []
    for note in notes:
        if note.sound is not None:
            pitches = frozenset(tone.pitch for tone in note.sound.tones)
            begins, ends = note.start + bar == note.sound.start, note.start + note.length + bar == note.sound.end
            note = replace(
                note,
                held=note.sound.held if begins else pitches,
                holding=note.sound.holding if ends else pitches,
            )
        result.append(note)
    return result
