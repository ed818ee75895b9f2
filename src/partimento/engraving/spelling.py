"""Spelling: key signatures, and which name a pitch has in its key.

Names lie on the line of fifths (… Bb F C G D A E B F# …), each pitch class on every twelfth place; of those the one is
taken that lies in the twelve around the key that is heard about there: in major from the minor third to the raised
fifth, in minor from the Neapolitan second to the raised fourth (Temperley 2001, "The Cognition of Basic Musical
Structures", ch. 5, has the line of fifths; the twelve are those of any manual of harmony). The key at a bar is told
from the bars around it by `keys`, and leans towards that of the signature.

A signature that a file names is believed where the notes fit it about as well as any other; most MIDI files name C
major because nobody said anything. Leaves out: changes of signature that no file names.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from partimento.engraving.bars import UNITS, Bar
from partimento.keys import key_fits
from partimento.score import Score

__all__ = ["Names", "Signature", "led", "letter_of", "names_about", "signatures"]

Weights = NDArray[np.float64]  # (12,) how long each pitch class sounds
Names = NDArray[np.int64]  # places on the line of fifths, C being 0, G 1 and F -1
DOUBT = 0.04  # share of what sounds by which another signature must fit better than the one that a file names
AROUND = 2  # bars on each side that a bar's key is told from
LOYALTY = 0.03  # correlation that a key loses for each fifth that it lies from the signature
FEWEST = 5.0  # how much a signature gains by needing no accidentals, beside how well its key is heard
FIFTHS = np.arange(12) * 7 % 12  # the place of each pitch class on the line, from C up by semitones, 0..11
LETTERS = "FCGDAEB"


class Signature(NamedTuple):
    """A key signature: sharps, or flats below 0, and whether its key is minor."""

    fifths: int
    minor: bool


def signatures(score: Score, bars: Sequence[Bar], sounding: NDArray[np.float64]) -> dict[int, Signature]:
    """The signatures by the bar from which they hold, the first 0.

    Args:
        score: names signatures, or does not.
        bars: of the whole score.
        sounding: (bars, 12) how long each pitch class sounds in each bar.
    """
    named: dict[int, Signature] = {}
    starts = [bar.start for bar in bars]
    for key in sorted(score.key_signatures, key=lambda k: k.time):
        bar = max(int(np.searchsorted(starts, max(key.time, 0) * UNITS / score.ticks_per_quarter + 3, "right")) - 1, 0)
        if -7 <= key.key <= 7:
            named[bar] = Signature(int(key.key), bool(key.tonality))
    whole = sounding.sum(axis=0)
    told = _told(whole)
    if not named:
        return {0: told}
    if 0 not in named:
        named[0] = told
    result: dict[int, Signature] = {}
    for begin, stop in zip(sorted(named), [*sorted(named)[1:], len(bars)], strict=True):
        own = sounding[begin:stop].sum(axis=0)
        heard = _told(own) if own.any() else named[begin]
        trusted = _share(own, named[begin].fifths) >= _share(own, heard.fifths) - DOUBT
        signature = named[begin] if trusted else heard
        if not result or signature.fifths != result[max(result)].fifths:
            result[begin] = signature
    return result


def _told(sounding: Weights) -> Signature:
    """The key that fits best, as a signature of at most six sharps or flats."""
    fits = key_fits(sounding)
    if not fits.any():
        return Signature(0, False)
    shares = np.array([_share(sounding, _fifths(key)) for key in range(24)])
    key = int(np.argmax(fits + FEWEST * shares))
    return Signature(_fifths(key), key >= 12)


def _fifths(key: int) -> int:
    """The signature of a key, by its place in `key_fits`: from five flats to six sharps."""
    place = int(FIFTHS[key % 12]) - (3 if key >= 12 else 0)
    return (place + 5) % 12 - 5


def _share(sounding: Weights, fifths: int) -> float:
    """How much of what sounds the signature names without accidentals."""
    classes = (np.arange(fifths - 1, fifths + 6) * 7) % 12
    return float(sounding[classes].sum() / max(sounding.sum(), 1e-9))


def names_about(sounding: NDArray[np.float64], signature_of: Sequence[Signature]) -> tuple[Names, NDArray[np.bool_]]:
    """The name that each pitch class has in each bar, and whether it is foreign to the key there.

    Args:
        sounding: (bars, 12) how long each pitch class sounds in each bar.
        signature_of: each bar's signature.

    Returns:
        (bars, 12) places on the line of fifths, from C up by semitones; and (bars, 12) which are foreign.
    """
    bars = len(sounding)
    totals = np.concatenate([np.zeros((1, 12)), np.cumsum(sounding, axis=0)])
    names = np.zeros((bars, 12), dtype=np.int64)
    foreign = np.zeros((bars, 12), dtype=np.bool_)
    for bar, signature in enumerate(signature_of):
        about = totals[min(bar + AROUND + 1, bars)] - totals[max(bar - AROUND, 0)] + sounding[bar]
        fits = key_fits(about)
        places = np.array([_near(_fifths(key), signature.fifths) for key in range(24)])
        lean = np.abs(places - signature.fifths) * LOYALTY + 0.05 * ((np.arange(24) >= 12) != signature.minor)
        key = int(np.argmax(fits - lean)) if fits.any() else -1
        fifths, minor = (signature.fifths, signature.minor) if key < 0 else (int(places[key]), key >= 12)
        low = fifths - (2 if minor else 3)
        own = low + (FIFTHS - low) % 12
        written = signature.fifths - 1 + (FIFTHS - signature.fifths + 1) % 12
        inside = (own >= fifths - 1) & (own <= fifths + 5) | (minor & ((own == fifths + 6) | (own == fifths + 8)))
        plain = ~inside & (written <= signature.fifths + 5)  # what the signature names is no stranger
        names[bar] = np.where(plain, written, own)
        foreign[bar] = ~plain & ((own == low) | (own >= low + 9))
    return names, foreign


def _near(fifths: int, centre: int) -> int:
    """The same key by the name that lies nearest to another on the line of fifths."""
    return fifths + 12 * round((centre - fifths) / 12)


def led(onsets: Sequence[int], pitches: Sequence[int], fifths: Sequence[int], foreign: Sequence[bool]) -> list[int]:
    """Names by where they lead: what is foreign to the key and goes on by a semitone is named as that step.

    G sharp goes up to A, A flat down to G.

    Args:
        onsets: of the notes of a part, ascending, in units.
        pitches: theirs.
        fifths: their names so far, as places on the line of fifths.
        foreign: whether they are foreign to the key.

    Example:
        >>> led([0, 24, 48], [68, 69, 68], [-4, 3, -4], [True, False, True])
        [8, 3, -4]
    """
    result = list(fifths)
    for at in (at for at, stranger in enumerate(foreign) if stranger):
        begin = at
        steps = {0: fifths[at]}
        while 0 in steps and begin < len(onsets):  # what is repeated leads where its last does
            begin = bisect.bisect_right(onsets, onsets[begin])
            stop = bisect.bisect_right(onsets, onsets[begin]) if begin < len(onsets) else begin
            steps = {pitches[then] - pitches[at]: fifths[then] for then in range(begin, stop)}
        near = begin < len(onsets) and onsets[begin] <= onsets[at] + 4 * UNITS
        if near and (1 in steps) != (-1 in steps):
            result[at] = steps[1] + 5 if 1 in steps else steps[-1] - 5
    return result


def letter_of(fifth: int, pitch: int) -> tuple[str, int, int]:
    """Letter, alteration in semitones and octave of a pitch that has a name."""
    alter, place = divmod(fifth + 1, 7)
    natural = (place - 1) * 7 % 12
    return LETTERS[place], alter, (pitch - alter - natural) // 12 - 1
