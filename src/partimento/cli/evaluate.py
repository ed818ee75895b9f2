"""`partimento evaluate`: how good some pieces are, and how new."""

from __future__ import annotations

from pathlib import Path

from partimento.cli import outputs
from partimento.cli.numbers import Whole
from partimento.cli.tables import show
from partimento.cli.terminal import say, watching
from partimento.errors import InvalidSettings


def evaluate(
    pieces: Path,
    /,
    *,
    like: Path,
    trained_on: Path | None = None,
    model: Path | None = None,
    json: Path | None = None,
    html: Path | None = None,
    names: Path | None = None,
    seed: Whole = 0,
) -> None:
    """Judge pieces of music, by whomever they were made: how good beside human music, and how new.

    Args:
        pieces: A folder of music, or one file. Copies count: nothing in it is sifted.
        like: A folder of human music: what the pieces should be like.
        trained_on: What they must not copy: the folder that was learnt from, or a run; what --like names if not given.
        model: A bundle or run, or shipped, the model that comes along, to say how well it foretells human music.
        json: Write every figure to this file.
        html: Write a page to look at and to listen to, all in this one file.
        names: A JSON file of what pieces and folders are called in what is written, by their paths as they are given:
            {"pieces/0001.mid": "Waltz", "pieces": "My pieces"}.
        seed: Decides which excerpts are compared.
    """
    from partimento.evaluating import evaluate as judge
    from partimento.evaluating import report
    from partimento.evaluating.naming import named, read_names

    if seed < 0:
        raise InvalidSettings(f"A seed is 0 or more; {seed} is not.")
    outputs.require(json, "--json", ".json")
    outputs.require(html, "--html", ".html", ".htm")
    called = {} if names is None else read_names(names)
    with watching() as watch:
        made = judge(pieces, like, trained_on=trained_on, model=model, seed=seed, watch=watch)
        made = named(made, called, trained_on) if called else made
        if json is not None:
            made.write_json(json)
        if html is not None:
            report.write_page(made, html, watch)
    show(report.features(made))
    say("")
    show(report.rows(made))
    say("")
    if made.scorecard.flagged:
        show(report.originality(made, made.scorecard.flagged))
        say("")
    for sentence in [*report.lead(made), *made.remarks]:
        say(sentence)
    for name, why in made.refused:
        say(f"Left out: {name}: {why}")
    for file in (json, html):
        if file is not None:
            say(f"Written: {file}")
