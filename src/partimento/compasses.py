"""Compasses: from where to where instruments play that nobody has heard yet, by program number.

Of instruments that orchestras have about what handbooks of orchestration give as sounding (Adler, "The Study of
Orchestration"); of organs, strings together, leads and pads a keyboard's five octaves or six; of what is struck or
only heard as an effect, its middle. What was learnt, or stands in a prompt, tells better. Leaves out: what is
comfortable, and drums, whose keys are no pitches.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

__all__ = ["compasses"]

_FROM = {  # the first program of those that have the same, up to the next: lowest and highest pitch
    0: (21, 108),  # pianos
    4: (28, 103),  # electric
    6: (29, 89),  # harpsichord
    7: (36, 96),  # clavinet
    8: (60, 108),  # celesta
    9: (79, 108),  # glockenspiel
    10: (60, 96),  # music box
    11: (53, 89),  # vibraphone
    12: (45, 96),  # marimba
    13: (65, 108),  # xylophone
    14: (60, 77),  # tubular bells
    15: (48, 88),  # dulcimer
    16: (36, 96),  # organs
    21: (41, 93),  # accordion
    22: (60, 96),  # harmonica
    23: (41, 93),  # tango accordion
    24: (40, 88),  # guitars
    32: (28, 67),  # basses
    40: (55, 103),  # violin
    41: (48, 91),  # viola
    42: (36, 84),  # cello
    43: (28, 67),  # contrabass
    44: (28, 96),  # strings, tremolo and plucked
    46: (24, 103),  # harp
    47: (38, 60),  # timpani
    48: (28, 96),  # strings together
    52: (40, 84),  # voices
    55: (36, 84),  # orchestra hit
    56: (54, 86),  # trumpet
    57: (40, 77),  # trombone
    58: (26, 65),  # tuba
    59: (54, 86),  # muted trumpet
    60: (35, 77),  # horn
    61: (36, 84),  # brass together
    62: (36, 96),  # synthetic
    64: (56, 87),  # soprano sax
    65: (49, 80),  # alto
    66: (44, 75),  # tenor
    67: (36, 68),  # baritone
    68: (58, 91),  # oboe
    69: (52, 81),  # English horn
    70: (34, 75),  # bassoon
    71: (50, 94),  # clarinet
    72: (74, 108),  # piccolo
    73: (60, 96),  # flute, recorder, pan flute, bottle
    77: (55, 84),  # shakuhachi
    78: (60, 96),  # whistle, ocarina
    80: (36, 96),  # leads
    87: (28, 96),  # bass and lead
    88: (36, 96),  # pads and effects
    104: (48, 84),  # sitar, banjo, shamisen, koto, kalimba
    109: (55, 81),  # bagpipe
    110: (55, 96),  # fiddle
    111: (58, 86),  # shanai
    112: (36, 84),  # bells, blocks, synthetic drums and noises
}


@functools.cache
def compasses() -> NDArray[np.int64]:
    """(128, 2) the lowest and the highest pitch of each program."""
    starts = np.array(list(_FROM))
    return np.array(list(_FROM.values()))[np.searchsorted(starts, np.arange(128), side="right") - 1]
