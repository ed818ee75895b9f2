"""Puts a shrunk bundle into the package as the model that comes along, with what its card must say of it.

    python shipping/put.py BUNDLE

The sources and their credits are those of the table in `shipping/README.md`; the limits are below. A model that went on
from an earlier one of the package is no style of somebody's own, but all that it has learnt: nothing of where it began
is kept on its card.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from partimento.bundle import SHIPPED, Bundle, open_bundle, write_bundle

LARGEST = 40_000_000  # bytes that the package may carry
TITLE = "The model that comes along with Partimento"
LIMITS = [
    "It has learnt scores more than performances: much of what it writes is of one loudness, and a good half of its "
    "tempi are the nominal 120 quarter notes a minute",
    "It is strongest where its music is: choirs, strings, keyboards and songs of the 15th to the 19th century; of pop, "
    "jazz and electronic music it has heard hardly anything",
    "It hears and writes at most 1,024 events at once, some 800 notes; what lies further back it does not know",
    "Metres are 1 to 12 quarters, eighths or sixteenths",
]


def credits() -> list[str]:
    """A sentence for each source, from the table."""
    text = (Path(__file__).parent / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| \[(.+?)\]\((.+?)\) \| (.+?) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    return [f"{name} ({place}): {what}; {licence}; {credit}" for name, place, what, licence, credit in rows]


def whole(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts without those of what it began from."""
    scores = {name: score for name, score in facts["scores"].items() if not name.startswith("as it came")}
    return {**{name: fact for name, fact in facts.items() if name != "started_from"}, "scores": scores}


def put(bundle: Bundle) -> Bundle:
    """Write it into the package, in place of the one that is there."""
    size = sum(path.stat().st_size for path in bundle.folder.rglob("*") if path.is_file())
    if size > LARGEST or "shrunk" not in bundle.facts:
        raise SystemExit(f"{bundle.folder} has {size / 1e6:.1f} MB: shrink it first; at most {LARGEST / 1e6:.0f} MB.")

    def export(player: Path) -> str:
        shutil.copytree(bundle.player_folder, player, dirs_exist_ok=True)
        return bundle.player_name

    return write_bundle(
        SHIPPED,
        recipe=bundle.recipe,
        codec_name=bundle.codec_name,
        codec=bundle.codec(),
        model_name=bundle.model_name,
        arrays=bundle.arrays(),
        export=export,
        facts={**whole(bundle.facts), "title": TITLE, "limits": LIMITS, "credits": credits()},
    )


if __name__ == "__main__":
    made = put(open_bundle(Path(sys.argv[1])))
    print(f"{made.folder}: {made.digest}")
