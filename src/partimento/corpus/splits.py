"""Splits: which pieces are learnt from, and which are held out to stop by and to test with.

Each group of near-copies has its place on a line by the hash of its music; the test split is filled from one end of the
line, the validation split from the other, to a tenth of all notes each. So the split depends on neither names nor
order, and a new piece moves at most the few that lie at the two borders. Groups too large for a split of a tenth stay
in training, so that one long piece cannot be all that is tested with, and no split takes more than a quarter of the
groups, so that of many short pieces and a long one the long one is not all that is learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

__all__ = ["LEAST_GROUPS", "Split", "split"]

Split = Literal["train", "valid", "test"]
HELD_OUT = 0.1  # of all notes, for valid and for test each
LEAST_GROUPS = 6  # two for valid, two for test and two to learn from


def split(keys: Sequence[str], notes: Sequence[int]) -> list[Split]:
    """Split groups of pieces 80/10/10 by notes.

    Args:
        keys: of each group a hash of its music.
        notes: how many each group has.

    Returns:
        The split of each. Of six groups or more, valid and test have two at least; of three to five, one; of two, the
        one is for valid; one alone is for training.
    """
    result: list[Split] = ["train"] * len(keys)
    few = len(keys) < LEAST_GROUPS
    least = {"test": int(len(keys) > 2), "valid": int(len(keys) > 1)} if few else {"test": 2, "valid": 2}
    most = max(len(keys) // 4, least["valid"])
    target = HELD_OUT * sum(notes)
    usual = sorted(notes)[-(-2 * len(keys) // 3) - 1] if keys else 0  # two thirds of the groups are no larger
    places = sorted(range(len(keys)), key=lambda group: (keys[group], group))
    small = [group for group in places if notes[group] <= max(target / 2, usual)]
    held_out: tuple[tuple[Split, list[int]], ...] = (("test", small), ("valid", small[::-1]))
    for name, line in held_out:
        taken = 0
        for count, group in enumerate(line[: most if least[name] else 0]):
            if count >= least[name] and taken + notes[group] / 2 > target:
                break
            result[group] = name
            taken += notes[group]
    return result
