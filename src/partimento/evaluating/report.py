"""The report of an evaluation: tables for the terminal, and one page with everything to look at and to listen to.

The page is a single file without script and without requests (`render.embedding`): it can be sent and kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from partimento.atomic import write_text
from partimento.evaluating import Evaluation
from partimento.evaluation.distances import densities, known
from partimento.evaluation.features import FEATURES, HISTOGRAMS, Survey
from partimento.evaluation.scorecard import Judged
from partimento.progress import Progress, Watch, ignore
from partimento.prompts import first_bars
from partimento.render import render
from partimento.render.distributions import Distribution, draw
from partimento.render.embedding import embedded
from partimento.render.listening import Card, Cell, Part, Picture, Section, Strong, Table, Text, page
from partimento.score import Score, bar_lines, seconds_at

__all__ = ["features", "lead", "likelihood", "next_steps", "originality", "rows", "shown", "write_page"]

LONGEST_HEARD = 120  # seconds of each
SHOWN = 6  # pieces with a picture and a sound; those that are flagged come first
DRAWN = "distributions.png"
ABOUT = (
    "How each figure is distributed among these pieces and among people's, smoothed, so that an area may reach a "
    "little beyond what the figure can be; the table below has them in numbers."
)
LISTED = 200  # pieces in the table of what they share
UNITS = {feature.name: feature.unit for feature in FEATURES}
LEAST = {feature.name: feature.least for feature in FEATURES}
BINS = {histogram.name: (histogram.unit, histogram.bins) for histogram in HISTOGRAMS}


def lead(made: Evaluation) -> list[str]:
    """What it comes to, in sentences."""
    card = made.scorecard
    inside, of = card.made.inside
    sentences = [
        f"{_count(len(card.pieces), 'piece')} set beside {_count(card.human, 'human piece')} of {made.like.name}, by "
        f"excerpts of {_count(card.bars, 'bar')}.",
        f"Inside human variation on {inside} of {of} figures."
        if of
        else "Too few human pieces to say what lies inside human variation.",
        card.made.realness.sentence,
    ]
    if not card.people.usual:
        sentences.append("Too few human pieces to say how much sharing is usual: nothing is flagged.")
    elif card.flagged:
        worst = card.flagged[0]
        sentences.append(
            f"{_count(len(card.flagged), 'piece')} of {len(card.pieces)} shared more with {made.trained_on} than 99 of "
            f"100 human pieces do; most of all {worst.name} ({_passage(worst)})."
        )
    else:
        sentences.append(f"No piece shares more with {made.trained_on} than 99 of 100 human pieces do.")
    if made.likelihood is not None:
        sentences.append(likelihood(made))
    return sentences


def likelihood(made: Evaluation) -> str:
    """How well the model foretells human music, in a sentence."""
    found = made.likelihood
    if found is None:
        return ""
    drops = f"its codec keeps {found.kept.notes:.1%} of the notes" + (
        f" and drops {', '.join(found.kept.lost)}" if found.kept.lost else ""
    )
    if found.bits_per_note is None:
        return f"The model ({found.model} on {found.codec}) foretells nothing: {found.remark} {drops.capitalize()}."
    sure = "never learnt from" if found.unlearnt else "some of which it may have learnt from"
    bound = "at most " if found.kind == "bound" else ""
    right = "" if found.accuracy is None else f", {found.accuracy:.1%} of ids right"
    of = f"for {_count(found.pieces, 'human piece')} {sure}{right}"
    return (
        f"The model ({found.model} on {found.codec}) needs {bound}{found.bits_per_note:.2f} bits a note ({found.kind}) "
        f"{of}; {drops}."
    )


def next_steps(made: Evaluation) -> list[str]:
    """What could be done about it."""
    card = made.scorecard
    steps = []
    if card.flagged:
        steps.append(
            "Pieces that share too much: compose others, by another seed or at a higher temperature, or by a model "
            "that learnt for a shorter time or from more music."
        )
    if card.made.realness.low > 0.5:
        steps += [f"Pieces have {tell.says}." for tell in card.made.realness.tells]
    if len(card.pieces) < 20:
        steps.append("Judge twenty pieces or more: of fewer, chance decides much.")
    return steps


def features(made: Evaluation) -> Table:
    """Each figure of the set beside that of the reference."""
    rows: list[list[Cell]] = []
    for name, found in made.scorecard.made.standing.items():
        median: list[Cell] = [None if isinstance(v, tuple) else _known(v) for v in (found.made, found.like)]
        inside = {True: "yes", False: "no", None: None}[found.inside]
        figures: list[Cell] = [found.overlap, found.divergence, _known(found.human_divergence)]
        rows.append([name, UNITS.get(name) or None, *median, *figures, Strong(inside) if inside == "no" else inside])
    heads = ["figure", "unit", "made", "human", "overlap", "divergence, bits", "human sets, at most", "inside"]
    return Table(heads, rows, "Medians, the area that both distributions share, and how far they diverge")


def shown(made: Evaluation) -> list[Distribution]:
    """Each figure of the set and of the reference as distributions, to be drawn."""
    mine, theirs = made.scorecard.measured
    found = []
    for name, standing in made.scorecard.made.standing.items():
        if name in mine.figures:
            sample, reference = known(mine.figures[name]), known(theirs.figures[name])
            if len(sample) and len(reference):
                at = densities(sample, reference, LEAST[name])
                found.append(Distribution(name, UNITS[name], *at, standing.inside))
        else:
            mean = [np.nanmean(one.histograms[name], axis=0) for one in (mine, theirs) if _counted(one, name)]
            if len(mean) == 2:
                unit, bins = BINS[name]
                found.append(Distribution(name, unit, np.empty(0), mean[0], mean[1], standing.inside, bins))
    return found


def _counted(found: Survey, name: str) -> bool:
    """Whether any piece has something to count."""
    return not bool(np.isnan(found.histograms[name]).all())


def rows(made: Evaluation) -> Table:
    """The set and others, each beside the reference."""
    cells: list[list[Cell]] = []
    for row in (made.scorecard.made, *made.scorecard.rows):
        inside, of = row.inside
        told = row.realness
        between = f"{told.low:.2f} to {told.high:.2f}" if told.auc == told.auc else None
        name = "these pieces" if row is made.scorecard.made else row.name
        cells.append([name, row.pieces, f"{inside} of {of}", _known(told.auc), between])
    heads = ["set", "pieces", "inside human variation", "told from human (0.5: cannot be)", "95 % interval"]
    return Table(heads, cells, "Beside human music")


def originality(made: Evaluation, pieces: Sequence[Judged] | None = None) -> Table:
    """What each piece shares with the training music, those that share most first, and what human pieces share."""
    card = made.scorecard
    listed = sorted(card.pieces if pieces is None else pieces, key=lambda piece: -_excess(piece))[:LISTED]
    cells: list[list[Cell]] = []
    for piece in listed:
        found, longest = piece.originality, piece.originality.longest
        where: list[Cell] = [None] * 5
        if longest:
            where = [longest.notes, longest.bars, _bars(longest.at), longest.source, _bars(longest.source_at)]
        shares = [found.shares[bars] for bars in (1, 2, 4)]
        flag = {True: Strong("yes"), False: "no", None: None}[piece.flagged]
        cells.append([piece.name, *where, *map(_share, shares), flag])
    for row, which in (("human pieces, median", 0), ("human pieces, 99 of 100 at most", 1)):
        usual = {name: None if spread is None else spread[which] for name, spread in card.people.figures.items()}
        notes, bars = usual["longest_copied_notes"], usual["longest_copied_bars"]
        shared = [_share(usual[f"share_{bars}bar"]) for bars in (1, 2, 4)]
        cells.append([row, notes, bars, None, None, None, *shared, None])
    shares_heads = [f"{bars}-bar windows shared" for bars in (1, 2, 4)]
    heads = ["piece", "longest shared, notes", "bars", "at bars", "of", "there at bars", *shares_heads, "flagged"]
    return Table(heads, cells, f"What is shared with {made.trained_on}, in any key, in any rhythm")


def write_page(made: Evaluation, file: Path, watch: Watch = ignore) -> None:
    """Write the page.

    Args:
        made: what was found.
        file: gets the page, in one piece.
        watch: hears of progress.
    """
    card = made.scorecard
    heard = [*card.flagged, *(piece for piece in card.pieces if not piece.flagged)][:SHOWN]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        cards: list[Part] = []
        for number, piece in enumerate(heard):
            watch(Progress("Drawing and playing", number, len(heard), "pieces"))
            cards.append(_card(made, piece, folder, str(number)))
        draw(shown(made), folder / DRAWN, title="These pieces beside people's")
        parts = [Text("\n\n".join(next_steps(made)))] if next_steps(made) else []
        sections = [
            *([Section("What to do", parts)] if parts else []),
            Section("How good?", [rows(made), Picture(DRAWN, ABOUT), features(made), Text(HOW_TO_READ)]),
            Section("How new?", [originality(made), Text(HOW_NEW)]),
            Section("Listen and look", cards),
        ]
        if made.refused:
            left: list[list[Cell]] = [[name, why.reason, why.advice] for name, why in made.refused]
            sections.append(Section("Left out", [Table(["file", "why", "what to do"], left)]))
        html = page(f"How good and how new: {made.place.name}", sections, "\n\n".join([*lead(made), *made.remarks]))
        write_text(file, embedded(html, folder))


def _card(made: Evaluation, piece: Judged, folder: Path, name: str) -> Card:
    whole = made.scores[piece.name]
    score = _beginning(whole)
    remarks = [*render(score, folder / f"{name}.png", title=piece.name), *render(score, folder / f"{name}.mp3")]
    if score is not whole:
        remarks.append(f"Seen and heard here: its first {len(bar_lines(score))} bars.")
    if piece.originality.longest:
        remarks.append(f"{'Flagged: ' if piece.flagged else ''}it shares {_passage(piece)}.")
    return Card(piece.name, f"{name}.png", f"{name}.mp3", facts=[f"{whole.note_num():,} notes"], remarks=remarks)


def _beginning(score: Score) -> Score:
    """The bars that begin within the first minutes: a page of hours of sound is no page."""
    lines = bar_lines(score)
    bars = int((seconds_at(score, lines) < LONGEST_HEARD).sum())
    return score if bars == len(lines) else first_bars(score, bars)


def _passage(piece: Judged) -> str:
    longest = piece.originality.longest
    if longest is None:
        return "in short passages"
    return (
        f"{longest.notes} notes, {longest.bars:.3g} bars, at bars {_bars(longest.at)}, with {longest.source} at bars "
        f"{_bars(longest.source_at)}"
    )


def _excess(piece: Judged) -> float:
    if piece.excess == piece.excess:
        return piece.excess
    return float(piece.originality.longest.notes if piece.originality.longest else 0)


def _bars(at: tuple[int, int]) -> str:
    return f"{at[0]}-{at[1]}" if at[0] != at[1] else str(at[0])


def _share(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"


def _known(value: float | tuple[float, ...]) -> float | None:
    return None if isinstance(value, tuple) or value != value else value


def _count(count: int, word: str) -> str:
    return f"{count:,} {word}" + ("" if count == 1 else "s")


HOW_TO_READ = """Inside human variation means: the set diverges from the human pieces no more than human sets of its
size do, in 95 of 100 draws. One figure in twenty lies outside by chance alone.

Told from human: a small classifier is shown a piece of the set and a human one and says which is which; 0.5 means that
it cannot tell. It looks at all figures together. The other sets stand there so that these figures mean something.
"""

HOW_NEW = """A shared passage is a stretch of notes that stands in the training music too, in any key and whatever the
rhythm; windows are whole bars with the same rhythm. People share passages as well, so a piece is flagged only where it
shares more than 99 of 100 human pieces do.
"""
