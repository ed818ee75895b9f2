"""Put the tables of a comparison into a page of the docs, between its two marks.

    partimento compare MUSIC --to COMPARED
    python benchmarks/compare_tables.py COMPARED --as nottingham

replaces what stands between `<!-- begin nottingham -->` and `<!-- end nottingham -->` in `docs/compare.md`. What is
written there is `COMPARED/compare.md` without its title and without how to read it, which the page says once.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "compare.md"


def main() -> int:
    """Do it; 1 where there is nothing to put or no place for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("compared", type=Path, help="the folder of a comparison")
    parser.add_argument("--as", dest="name", required=True, help="the name in the page's marks")
    parser.add_argument("--page", type=Path, default=PAGE)
    given = parser.parse_args()
    try:
        facts = json.loads((given.compared / "compare.json").read_text("utf-8"))
        paragraphs = (given.compared / "compare.md").read_text("utf-8").strip().split("\n\n")
        page = given.page.read_text("utf-8")
    except (OSError, ValueError) as error:
        print(f"{error}; name the folder of a comparison and a page.", file=sys.stderr)
        return 1
    begin, end = f"<!-- begin {given.name} -->", f"<!-- end {given.name} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        print(f"{given.page} has no place marked {begin} … {end}.", file=sys.stderr)
        return 1
    first_table = next(n for n, paragraph in enumerate(paragraphs) if paragraph.startswith("**"))
    lead = [f"{paragraphs[1]} Partimento {facts['partimento']}, corpus {facts['corpus']['digest'][:12]}."]
    text = "\n\n".join(lead + paragraphs[first_table:])
    given.page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
