"""A picture of a corpus: what was kept, and what the music is like, at a glance.

Drawn with matplotlib's figure objects alone, so that nothing global changes and no display is needed. Leaves out:
anything about single pieces; the JSON report has those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from partimento.atomic import atomic_file
from partimento.errors import InvalidSettings, MissingExtra
from partimento.render.style import BLUE, GREEN, GREY, INK, TRACKS, VERMILION, mixed

__all__ = ["draw"]

ORANGE = TRACKS[4]
DEEP = mixed(BLUE, 0.55, INK)
KEPT = {"train": BLUE, "valid": GREEN, "test": ORANGE}
LEFT_OUT = {"duplicate": "#b9c2ca", "unreadable": VERMILION, "not music": "#d7dce0", "not drawn": "#e9edf0"}
FIFTHS = ("Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B")
RELATIVE = ("Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#")  # the minor with the same signature
HEAD: dict[str, Any] = {"fontsize": 11, "weight": "bold", "color": INK, "pad": 7}
NAMES = 0.0053  # of the figure's width for each letter of a bar's name


def draw(statistics: Mapping[str, Any], path: Path) -> None:
    """Draw a corpus's statistics.

    Args:
        statistics: as `Corpus.statistics` has them.
        path: ends in .png or .svg; appears whole or not at all.

    Raises:
        InvalidSettings: another suffix.
        MissingExtra: matplotlib is not installed.
    """
    if path.suffix.lower() not in (".png", ".svg"):
        raise InvalidSettings(f"The picture of a corpus is a .png or .svg file, not {path.name}.")
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("train", "Drawing statistics") from error
    figure = Figure(figsize=(14, 10.2), facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        5,
        12,
        height_ratios=(0.42, 1, 0.9, 0.9, 1.25),
        hspace=0.72,
        wspace=1.3,
        left=0.035,
        right=0.975,
        top=0.90,
        bottom=0.055,
    )
    _title(figure, statistics)
    _files(figure.add_subplot(grid[0, :]), statistics)
    panels: list[tuple[Any, Callable[[Any, Mapping[str, Any]], None]]] = [
        (grid[1, :8], _pitches),
        (grid[1, 8:], _velocities),
        (grid[2:4, 8:], _instruments),
        (grid[2, :4], _notes),
        (grid[2, 4:8], _seconds),
        (grid[3, :4], _tempi),
        (grid[3, 4:8], _polyphony),
        (grid[4, :8], _keys),
        (grid[4, 8:], _metres),
    ]
    for place, panel in panels:
        axes = figure.add_subplot(place)
        _plain(axes)
        panel(axes, statistics)
    with atomic_file(path) as temporary, rc_context({"svg.hashsalt": "partimento"}):  # names of parts, alike each time
        kind = path.suffix.lower()[1:]
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        figure.savefig(temporary, format=kind, dpi=110, metadata=metadata)


def _title(figure: Any, statistics: Mapping[str, Any]) -> None:
    kept, notes, hours = statistics["kept"], statistics["notes"], statistics["hours"]
    minutes = hours * 60
    length = (
        f"{hours:,.1f} hours" if hours >= 1 else f"{minutes:,.0f} minutes" if minutes >= 2 else f"{hours * 3600:,.0f} s"
    )
    figure.text(0.035, 0.957, f"{kept:,} piece{'s' * (kept != 1)}", fontsize=21, weight="bold", color=INK, va="center")
    written = statistics["pieces_written"]
    manner = (
        "written" if written == kept else "performed" if not written else f"{written:,} written, the rest performed"
    )
    facts = [f"{notes:,} notes", length, manner]
    if statistics["near_copies"]:
        facts.append(f"{statistics['near_copies']:,} are near-copies of others")
    if statistics["repaired"]:
        facts.append(f"{statistics['repaired']:,} repaired")
    if kept:
        figure.text(0.975, 0.957, "   ·   ".join(facts), fontsize=11.5, color=GREY, va="center", ha="right")


def _plain(axes: Any) -> None:
    """Take away what is not data."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    axes.patch.set_visible(False)
    axes.tick_params(colors=GREY, labelsize=8.5, length=3)
    axes.set_yticks([])


def _head(axes: Any, title: str, detail: str = "") -> None:
    axes.set_title(title, loc="left", **HEAD)
    axes.set_title(detail, loc="right", fontsize=9, color=GREY, pad=7)


def _files(axes: Any, statistics: Mapping[str, Any]) -> None:
    """One bar for all files: what is kept, by split, and what is left out, by why."""
    splits = statistics["splits"]
    parts = [(name, splits[name]["pieces"], KEPT[name]) for name in KEPT]
    parts += [(name, statistics["left_out"].get(name, 0), color) for name, color in LEFT_OUT.items()]
    total = max(sum(count for _, count, _ in parts), 1)
    start = label_at = 0.0
    axes.set_xlim(0, total)
    axes.set_ylim(-1.3, 1)
    axes.axis("off")
    for name, count, color in parts:
        if not count:
            continue
        axes.barh(0.45, count, left=start, height=1.0, color=color, edgecolor="white", linewidth=1.5)
        start += count
        label = f"{name} {count:,}"
        axes.barh(-0.72, 0.006 * total, left=label_at, height=0.45, color=color)
        axes.text(label_at + 0.010 * total, -0.75, label, fontsize=9.5, color=INK, va="center")
        label_at += (0.030 + 0.0064 * len(label)) * total


def _histogram(axes: Any, table: Mapping[str, Any], title: str, unit: str, *, logarithmic: bool, color: str) -> None:
    """Pieces by a value, with a line at the median."""
    edges, pieces = np.array(table["histogram"]["edges"]), table["histogram"]["pieces"]
    spread = table["spread"]
    if spread is None:
        _head(axes, title)
        axes.set_xticks([])
        return
    if spread["least"] == spread["most"]:
        _head(axes, title, f"{_short(spread['median'])}{unit} throughout")
        axes.bar([0], [1], width=0.04, color=color)
        axes.set_xlim(-0.5, 0.5)
        axes.set_xticks([0], [_short(spread["median"])])
        return
    _head(axes, title, f"{_short(spread['least'])} – {_short(spread['most'])}{unit}, median {_short(spread['median'])}")
    axes.bar(edges[:-1], pieces, width=np.diff(edges) * 0.94, align="edge", color=color)
    axes.axvline(spread["median"], color=INK, linewidth=1.1)
    if logarithmic:
        axes.set_xscale("log")
        ticks = [n * 10**power for power in range(-1, 7) for n in (1, 2, 5) if edges[0] <= n * 10**power <= edges[-1]]
        ticks = ticks if len(ticks) <= 7 else [tick for tick in ticks if f"{tick:g}".startswith(("1", "0.1"))]
        axes.set_xticks(ticks, [_short(tick) for tick in ticks])
        axes.minorticks_off()
    axes.set_xlim(edges[0], edges[-1])


def _short(value: float) -> str:
    """A number as short as a label may be."""
    if value >= 10000:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.0f}" if value >= 20 or value == int(value) else f"{value:.1f}"


def _notes(axes: Any, statistics: Mapping[str, Any]) -> None:
    _histogram(axes, statistics["notes_a_piece"], "Notes a piece", "", logarithmic=True, color=BLUE)


def _seconds(axes: Any, statistics: Mapping[str, Any]) -> None:
    _histogram(axes, statistics["seconds_a_piece"], "Seconds a piece", " s", logarithmic=True, color=BLUE)


def _tempi(axes: Any, statistics: Mapping[str, Any]) -> None:
    _histogram(axes, statistics["tempi"], "Tempo", " a minute", logarithmic=False, color=GREEN)


def _polyphony(axes: Any, statistics: Mapping[str, Any]) -> None:
    _histogram(axes, statistics["polyphony"], "Notes at once", "", logarithmic=False, color=GREEN)


def _pitches(axes: Any, statistics: Mapping[str, Any]) -> None:
    """Notes by pitch, the black keys darker."""
    counts = np.array(statistics["pitches"])
    if statistics["pitch_range"] is None:
        _head(axes, "Pitches", "none: drums alone" if statistics["kept"] else "")
        axes.set_xticks([])
        return
    low, high = statistics["pitch_range"]
    names = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    lowest, highest = (f"{names[pitch % 12]}{pitch // 12 - 1}" for pitch in (low, high))
    _head(axes, "Pitches", f"{lowest} – {highest}")
    pitches = np.arange(low, high + 1)
    black = np.isin(pitches % 12, (1, 3, 6, 8, 10))
    axes.bar(pitches, counts[low : high + 1], width=0.86, color=np.where(black, DEEP, BLUE).tolist())
    octaves = [pitch for pitch in range(0, 128, 12) if low - 6 <= pitch <= high + 6]
    axes.set_xticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
    axes.set_xlim(min([low, *octaves]) - 1.5, max([high, *octaves]) + 1.5)


def _velocities(axes: Any, statistics: Mapping[str, Any]) -> None:
    counts = np.array(statistics["velocities"])
    dynamic, kept = statistics["pieces_with_dynamics"], statistics["kept"]
    share = "none" if not dynamic else "in all pieces" if dynamic == kept else f"in {dynamic:,} of {kept:,} pieces"
    _head(axes, "Dynamics", share if kept else "")
    axes.bar(range(128), counts, width=1.0, color=VERMILION)
    axes.set_xlim(0, 128)
    axes.set_xticks([1, 32, 64, 96, 127])


def _named(axes: Any, counts: Mapping[str, int], title: str, unit: str, color: str, most: int) -> None:
    """Horizontal bars for what has a name, the most frequent first."""
    shown = dict(list(counts.items())[: most if len(counts) <= most else most - 1])
    rest = sum(counts.values()) - sum(shown.values())
    if rest:
        shown[f"{len(counts) - len(shown)} others"] = rest
    total = max(sum(counts.values()), 1)
    _head(axes, title, f"{unit}; {len(counts)} kinds" if len(counts) > 1 else unit)
    place = axes.get_position()
    names = 0.008 + NAMES * max((len(name) for name in shown), default=0)  # room for the names, left of the bars
    axes.set_position((place.x0 + names, place.y0, place.width - names, place.height))
    axes.set_title(axes.get_title(loc="left"), loc="left", x=-names / (place.width - names), **HEAD)
    rows = np.arange(len(shown))
    axes.barh(rows, list(shown.values()), height=0.68, color=[GREY if n.endswith(" others") else color for n in shown])
    for row, count in enumerate(shown.values()):
        share = count / total
        text = f"{share:.0%}" if share >= 0.01 else "< 1%"
        axes.text(max(shown.values()) * 0.012 + count, row, text, va="center", fontsize=8.5, color=GREY)
    axes.set_yticks(rows, list(shown), fontsize=9, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(most - 0.4, -0.6)
    axes.set_xlim(0, max(shown.values(), default=1) * 1.14)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)


def _instruments(axes: Any, statistics: Mapping[str, Any]) -> None:
    _named(axes, statistics["instruments"], "Instruments", "by notes", BLUE, 12)


def _metres(axes: Any, statistics: Mapping[str, Any]) -> None:
    _named(axes, statistics["metres"], "Metres", "by bars", ORANGE, 5)


def _keys(axes: Any, statistics: Mapping[str, Any]) -> None:
    """Major keys up, their relative minor keys down, around the circle of fifths."""
    keys = {("Gb major" if name == "F# major" else name): count for name, count in statistics["keys"].items()}
    major = np.array([keys.get(f"{tonic} major", 0) for tonic in FIFTHS])
    minor = np.array([keys.get(f"{tonic} minor", 0) for tonic in RELATIVE])
    total = max(int(major.sum() + minor.sum()), 1)
    _head(
        axes, "Keys", f"{major.sum() / total:.0%} major, {minor.sum() / total:.0%} minor" if keys and total > 1 else ""
    )
    if not keys:
        axes.axis("off")
        return
    most = max(int(major.max()), int(minor.max()), 1)
    gap = most * 0.24
    places = np.arange(12)
    axes.bar(places, major, bottom=gap, color=ORANGE, width=0.8)
    axes.bar(places, -minor, bottom=-gap, color=DEEP, width=0.8)
    for place in places:
        axes.text(place, gap * 0.48, FIFTHS[place], ha="center", va="center", fontsize=9, color=INK, weight="bold")
        axes.text(place, -gap * 0.48, f"{RELATIVE[place]}m", ha="center", va="center", fontsize=8.5, color=GREY)
    axes.set_ylim(-gap - max(int(minor.max()), most * 0.25) * 1.05, gap + max(int(major.max()), most * 0.25) * 1.05)
    axes.set_xlim(-0.6, 11.6)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
