"""Returns: what came next when the same was told before, which makes it the likelier that it comes next again.

Music comes back: a bar, a verse, an accompaniment. Where the last groups of a voice are those that it had before, note
for note, the next one mostly is what followed then, the surer the longer both have been alike. A piece is its own best
model here, as in the short-term models of Conklin and Witten (1995, "Multiple viewpoint systems for music prediction"),
and returns are found as the *match model* of Mahoney's PAQ finds them (2005, "Adaptive weighing of context models for
lossless data compression"): a pointer to what was told after the same groups, at the latest place, by the longest
context of those tried, goes along the piece as long as it is right. Where it is wrong it goes on as well, and says
little until it is right again or another is found: of a varied return most is as it was.

What lies less than `NEAREST` groups back is no return: what was heard just now attention sees, and who composes would
repeat it on the spot, the surer the more often it has come. For the same reason nothing was alike for longer than it is
ago.

Groups are alike where the same ids that count (`Tallies.counted`) were told in them: lengths and loudness may differ.
Each voice is a stream of its own, from what begins it in a bar to what follows its last event there: another voice that
enters or rests costs it one group foretold wrong, and breaks nothing off. What a hidden cell was to hold goes on from
where that was hidden, and may return from later in the piece.

Leaves out: returns in another key, an octave higher, or in another voice.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

NEAREST = 16  # groups ago, at least
LONGEST = 64  # groups that were alike, at most, that are told of
PATIENCE = 8  # groups foretold wrong after which a place is given up
MOST_CONTEXTS = 1 << 14  # of a piece that are remembered, the latest

Group = tuple[int, ...]


class _Heard:
    """A group that was heard, and the one that its voice had next."""

    __slots__ = ("counted", "group", "next", "number")

    def __init__(self, group: Group, counted: Group, number: int) -> None:
        self.group, self.counted, self.number = group, counted, number
        self.next: _Heard | None = None


@dataclass
class _Voice:
    """Where a voice is.

    Attributes:
        told: how many groups it had.
        late: what counts of its last groups.
        near: its last groups, with the contexts that they end.
        last: its last group, which does not know yet what comes next.
        again: the group that comes next if what was heard before returns.
        alike: for how many groups it has.
        wrong: how many it has foretold wrong, one after the other.
    """

    told: int = 0
    late: tuple[Group, ...] = ()
    near: deque[tuple[list[int], _Heard]] = field(default_factory=deque)
    last: _Heard | None = None
    again: _Heard | None = None
    alike: int = 0
    wrong: int = 0


class Returns:
    """Goes through one piece.

    Args:
        contexts: how many groups have to be alike that a return is looked for, the longest first.
    """

    def __init__(self, contexts: Sequence[int]) -> None:
        self._contexts = tuple(sorted(contexts, reverse=True))
        self._voices: dict[int, _Voice] = {}
        self._hidden: dict[int, _Voice] = {}
        self._after: dict[int, _Heard] = {}  # by the hash of voice and context
        self._number, self._now = -1, self._voices.setdefault(-1, _Voice())

    def enter(self, voice: int) -> None:
        """What is heard from now on is of this voice, -1 for none."""
        self._number, self._now = voice, self._voices.setdefault(voice, _Voice())

    def hide(self, label: int) -> None:
        """Here something of this voice is told later, by this label."""
        now = self._now
        self._hidden[label] = dataclasses.replace(now, last=None, near=deque())
        self._voices[self._number] = self._now = _Voice(now.told, near=now.near)

    def answer(self, label: int) -> None:
        """Now it is."""
        self._voices[self._number] = self._now = self._hidden.pop(label, _Voice())

    def hear(self, group: Group, counted: Group) -> None:
        """Take note of a group's ids, and of those that count."""
        now = self._now
        if now.again is not None:
            right = now.again.counted == counted
            now.alike, now.wrong = (now.alike + 1, 0) if right else (0, now.wrong + 1)
            now.again = now.again.next if now.wrong < PATIENCE else None
        heard = _Heard(group, counted, now.told)
        now.told += 1
        if now.last is not None:
            now.last.next = heard
        now.last = heard
        now.late = (*now.late, counted)[-self._contexts[0] :]
        known = [
            (length, hash((self._number, now.late[-length:]))) for length in self._contexts if length <= len(now.late)
        ]
        if now.again is None or now.wrong:
            for length, context in known:
                before = self._after.get(context)
                if before is not None and before.next is not None:
                    now.again, now.alike, now.wrong = before.next, length, 0
                    break
        now.near.append(([context for _, context in known], heard))
        if len(now.near) >= NEAREST:
            contexts, before = now.near.popleft()
            for context in contexts:
                self._after.pop(context, None)  # so that they are in the order of their latest places
                self._after[context] = before
        while len(self._after) > MOST_CONTEXTS:
            del self._after[next(iter(self._after))]

    def following(self) -> tuple[Group, int]:
        """What comes next if what was heard before returns.

        Returns:
            Its ids, none where nothing returns; and for how many groups it has, `LONGEST` at most.
        """
        now = self._now
        if now.again is None:
            return (), 0
        ago = now.told - now.again.number  # not above 0 of what was told after the place of a hidden cell
        return now.again.group, min(now.alike, LONGEST, ago if ago > 0 else LONGEST)
