"""Passages: the stretches of music by which copies are recognised, whatever key they are played in.

`lines` hears the voices of a piece, `traces` keeps little enough of each piece that thousands are compared with one
another (the corpus doctor's near-copies), `events` spells a piece out, and `index` finds every passage that a piece
shares with thousands of others (what was copied, and from where).
"""

from partimento.passages.lines import LENGTH, Line, lines, passages
from partimento.passages.traces import NEAR, SKETCH, Trace, groups, near_copies, resemblance, same_music, sketch, trace

__all__ = [
    "LENGTH",
    "NEAR",
    "SKETCH",
    "Line",
    "Trace",
    "groups",
    "lines",
    "near_copies",
    "passages",
    "resemblance",
    "same_music",
    "sketch",
    "trace",
]
