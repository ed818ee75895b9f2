"""Borrowing: how much pieces of people share with the training music, and which pieces share more than that.

People borrow: chorales have tunes in common, jigs their cadences. So a piece is flagged only where it shares more than
99 of 100 pieces of people that the model did not learn from, judged by the same index (Yin et al. 2021 compare with
the same baseline, by a confidence interval of its mean, which says nothing about single pieces).

One figure is compared, so that several ways of looking do not each find their own hundredth piece. Of every piece
four *traits* are taken: heard by pitch and rhythm and by pitch order (`originality.KINDS`), the largest loan
(`Common.largest`), which a long passage inside a long piece makes large, and the mean loan (`Common.loan`), which
passages sewn together make large though none is long. Each trait is divided by its own 99th human percentile, or by its
floor (`FLOORS`) where that is more: less is nobody's theft, a scale for instance. The largest of the four quotients is
the piece's *excess*, and the piece is flagged where its excess is above the 99th percentile of people's.

- A melody alone flags nothing: whole tunes are common property in much music (every twentieth chorale has its tune in
  common with another), so percentiles of melodies lie far out and are known badly.
- People's pieces of which a third or more is lent in large loans (`VERSION`) are versions of training pieces. They are
  judged like any other but do not count in the percentiles, for one such piece among a hundred would excuse all copies.
  No more than three in a hundred, or one, are left out so: where there are more, that is what people do here. So of the
  pieces that the percentiles were taken from, four in a hundred are flagged at most if there are a hundred.
- The percentile is the least of people's figures that at least 99 % do not exceed. Of fewer than 100 pieces that is
  the largest, which one further piece exceeds with a probability of 1 / (n + 1). The longest of many chance matches
  follows Gumbel's distribution (Karlin and Altschul 1990, "Methods for assessing the statistical significance of
  molecular sequence features"), whose upper tail falls by e every √6/π standard deviations; so as many of these as lie
  between one in n and one in 100, ln(100 / n), are added.
- With fewer than `FEWEST` pieces of people nothing is flagged: None, not False.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from partimento.evaluation.originality import LONG, Originality
from partimento.passages import NEAR
from partimento.passages.bars import WINDOWS
from partimento.passages.index import NOTES

__all__ = ["FEWEST", "FLOORS", "VERSION", "People", "traits"]

PERCENT = 99
FEWEST = 5  # pieces of people: below, a standard deviation says too little
VERSION = NEAR  # of a piece's notes, in large loans: what makes near-copies
VERSIONS = 0.03  # of people's pieces, at most
FLOORS = {"largest": LONG, "mean": NOTES}  # notes
FIGURES = ("longest_copied_bars", "longest_copied_notes", *(f"share_{bars}bar" for bars in WINDOWS))
HEARD = ("notes", "pitch order")


def traits(judged: Originality) -> dict[str, float]:
    """The traits by which pieces are compared, in notes: the largest and the mean loan in each way of hearing."""
    found = {}
    for kind in HEARD:
        common = judged.common.get(kind)
        found[f"largest, {kind}"] = float(common.largest) if common else 0.0
        found[f"mean, {kind}"] = common.loan if common else 0.0
    return found


class People:
    """What pieces of people share with the training music.

    Attributes:
        pieces: how many count.
        versions: how many were left out as versions of training pieces.
        usual: by trait, what 99 of 100 pieces do not exceed, or the floor; empty if there are too few.
        limit: the excess above which a piece is flagged; NaN if there are too few.
        figures: of what a report says of a piece (`Originality.to_json`), the median and the 99th percentile over the
            pieces that count; None where no piece has it.
    """

    def __init__(self, judged: Sequence[Originality]) -> None:
        lent = [one.common["pitch order"].lent if one.common else 0.0 for one in judged]
        most = sorted(range(len(judged)), key=lambda number: -lent[number])[: math.ceil(VERSIONS * len(judged))]
        versions = {number for number in most if lent[number] >= VERSION}
        own = [one for number, one in enumerate(judged) if number not in versions]
        self.pieces, self.versions = len(own), len(versions)
        self.figures = {name: _spread([one.to_json(None)[name] for one in own]) for name in FIGURES}
        self.usual: dict[str, float] = {}
        self.limit = np.nan
        if self.pieces >= FEWEST:
            found = [traits(one) for one in own]
            for trait in found[0]:
                floor = FLOORS[trait.split(",")[0]]
                self.usual[trait] = max(_percentile([one[trait] for one in found]), floor)
            self.limit = max(_tail([max(self._quotients(one).values()) for one in own]), 1.0)

    def _quotients(self, judged: Originality) -> dict[str, float]:
        return {trait: value / self.usual[trait] for trait, value in traits(judged).items()}

    def excess(self, judged: Originality) -> tuple[float, str]:
        """How far a piece goes beyond what is usual, and by which trait: (NaN, "") with too few pieces of people."""
        if not self.usual:
            return np.nan, ""
        quotients = self._quotients(judged)
        trait = max(quotients, key=lambda name: quotients[name])
        return quotients[trait], trait

    def flags(self, judged: Originality) -> bool | None:
        """Whether a piece shares more than 99 of 100 pieces of people do; None with too few of these to say."""
        return self.excess(judged)[0] > self.limit if self.usual else None


def _spread(values: Sequence[float | None]) -> tuple[float, float] | None:
    known = [value for value in values if value is not None]
    return (float(np.median(known)), _percentile(known)) if known else None


def _percentile(values: Sequence[float]) -> float:
    return float(np.percentile(values, PERCENT, method="inverted_cdf"))


def _tail(values: Sequence[float]) -> float:
    """The 99th percentile, of few values continued as Gumbel's distribution is."""
    rare = max(math.log((100 / (100 - PERCENT)) / len(values)), 0.0)
    return _percentile(values) + rare * math.sqrt(6) / math.pi * float(np.std(values, ddof=1))
