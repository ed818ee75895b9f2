"""The model card: a bundle's `README.md`, written from its facts.

After Mitchell et al. 2019, "Model cards for model reporting": what it is, what it was trained on, how to use it, how
well it does and where its limits are. What the facts do not say is left out, never guessed. The front matter is what
the Hugging Face Hub reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LINE = 400  # characters of one fact that are shown


def model_card(config: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """The card as Markdown.

    Args:
        config: as in `config.json`: codec, model, player, partimento (the version), recipe.
        facts: as in `facts.json`; `docs/bundle.md` lists the names that are known here, others are listed as they are.
    """
    recipe = config["recipe"]
    title = _text(facts.get("title", f"A Partimento model: {config['model']} on {config['codec']}"))
    about = facts.get("about", recipe.get("about", ""))
    source = facts.get("source", recipe.get("source", ""))
    sections = [
        f"---\nlibrary_name: partimento\ntags:\n  - music\n  - MIDI\n  - music-generation\n---\n\n# {title}",
        about and f"{_text(about)}.",
        source and f"Its source: {_text(source)}.",
        "A model that composes music as MIDI, made with Partimento "
        f"{_text(config['partimento'])}. The model is `{_text(config['model'])}`, and it reads and writes music as the "
        f"codec `{_text(config['codec'])}` has it. `config.json` holds every setting.",
        "## Play it\n\n```console\npip install partimento\npartimento compose THIS_FOLDER --to new-pieces\n```\n\n"
        "Playing needs no PyTorch. `partimento compose --help` lists what can be asked for.",
        _trained_on(facts),
        _scores(facts),
        _limits(facts),
        _others(facts),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


COUNTS = {"pieces": "pieces", "notes": "notes", "hours": "hours of music"}
WHOLE = {"title", "about", "source", "corpus", "data_licence", "credits", "splits", "scores", "measured", "limits"}
SHOWN = WHOLE | COUNTS.keys()


def _trained_on(facts: Mapping[str, Any]) -> str:
    counted = [f"{_number(facts[name])} {noun}" for name, noun in COUNTS.items() if name in facts]
    lines = []
    if "corpus" in facts or counted:
        corpus = f" {_text(facts['corpus'])}" if "corpus" in facts else ""
        lines.append(f"Trained on{corpus}{': ' if corpus and counted else ' ' * bool(counted)}{', '.join(counted)}.")
    if isinstance(facts.get("splits"), Mapping):
        lines += ["| split | pieces | notes |\n|---|---:|---:|"]
        lines[-1] += "".join(
            f"\n| {_text(name)} | {_number(split.get('pieces'))} | {_number(split.get('notes'))} |"
            for name, split in facts["splits"].items()
            if isinstance(split, Mapping)
        )
    if isinstance(credits := facts.get("credits"), list):
        lines += ["With thanks to:", "\n".join(f"- {_text(credit)}" for credit in credits)]
    licence = facts.get("data_licence") or "not stated; find out before you publish what this model makes"
    lines.append(f"Licence of the training data: {_text(licence)}.")
    lines.append("The bundle holds none of the training pieces, but a model can repeat what it learned: compare.")
    return "## What it was trained on\n\n" + "\n\n".join(lines)


def _scores(facts: Mapping[str, Any]) -> str:
    scores = facts.get("scores")
    if not isinstance(scores, Mapping) or not scores:
        return ""
    rows = "".join(f"\n| {_text(name)} | {_number(value)} |" for name, value in scores.items())
    measured = "On held-out pieces, which it was not trained on, where a name does not say otherwise."
    if isinstance(on := facts.get("measured"), Mapping):
        counts = [
            f"{_text(name)}, {_number(part.get('pieces'))} pieces with {_number(part.get('notes'))} notes"
            for name, part in on.items()
            if isinstance(part, Mapping)
        ]
        measured = f"{measured} These are: {'; '.join(counts)}."
    return f"## What it reached\n\n{measured}\n\n| measure | value |\n|---|---:|{rows}"


def _limits(facts: Mapping[str, Any]) -> str:
    limits = facts.get("limits", [])
    given = [limits] if isinstance(limits, str) else limits if isinstance(limits, list) else []
    own = [
        "It knows the style of its training pieces and no other.",
        "What its codec cannot say it cannot write; the codec's documentation states the losses.",
    ]
    return "## Limits\n\n" + "\n".join(f"- {_text(limit)}." for limit in [*given, *own])


def _others(facts: Mapping[str, Any]) -> str:
    rows = [
        f"\n| {_text(name)} | {_number(value)} |"
        for name, value in facts.items()
        if name not in SHOWN and isinstance(value, str | int | float)
    ]
    return "## Other facts\n\n| fact | value |\n|---|---|" + "".join(rows) if rows else ""


def _text(value: Any) -> str:
    """One line that is nothing but text in Markdown."""
    line = " ".join(str(value).split()).rstrip(".")
    for mark in "\\`|<>*[]":
        line = line.replace(mark, f"\\{mark}" if mark != "<" else "&lt;")
    return line[:LINE]


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _text("–" if value is None else value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
