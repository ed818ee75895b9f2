"""Curves: how training went, drawn from `curves.csv`.

Loss above (that of each side, where two learn against one another), accuracy beneath where the model has it; held-out
figures as dots on a line, the best of them marked. A cell may be blank: not every update is held out against. Drawn
with matplotlib's figure objects alone, so that nothing global changes and no display is needed. Leaves out: speed,
which the file has too.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.atomic import atomic_file
from partimento.errors import MissingExtra, PartimentoError, Unreadable
from partimento.render.style import BLUE, GREEN, GREY, INK, PALE, TRACKS, VERMILION

__all__ = ["draw"]

SMOOTH = 60  # windows of the smoothed loss in a whole curve
LOSS, HELD_OUT, ACCURACY = "loss", "held-out loss", "held-out accuracy"

Column = NDArray[np.float64]


def draw(csv_path: Path, path: Path, *, title: str = "Training") -> None:
    """Draw the curves of a training run.

    Args:
        csv_path: as training writes it: the columns `update` and `loss` (or a `… loss` for each side), `held-out loss`
            and `held-out accuracy` where there are such; cells may be blank.
        path: ends in .png or .svg; appears whole or not at all.
        title: stands above.

    Raises:
        Unreadable: the CSV file is not such a table, or has no row.
        MissingExtra: matplotlib is not installed.
        PartimentoError: another suffix.
    """
    if path.suffix.lower() not in (".png", ".svg"):
        raise PartimentoError(f"Curves are drawn as a .png or .svg file, not {path.name}.")
    columns = _read(csv_path)
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("train", "Drawing curves") from error
    accurate = ACCURACY in columns and bool(np.isfinite(columns[ACCURACY]).any())
    with rc_context({"svg.hashsalt": "partimento"}):  # ids in an SVG are drawn at random without it
        figure = Figure(figsize=(9, 6.2 if accurate else 4.4), facecolor="white")
        FigureCanvasAgg(figure)
        heights = (2.2, 1) if accurate else (1,)
        axes: list[Any] = list(
            figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
        )
        figure.subplots_adjust(left=0.085, right=0.965, top=0.86, bottom=0.095, hspace=0.12)
        figure.text(0.03, 0.94, title, fontsize=15, weight="bold", color=INK)
        for each in axes:
            _plain(each)
        _loss(axes[0], columns)
        if accurate:
            _accuracy(axes[1], columns)
        axes[-1].set_xlabel("updates", color=GREY, fontsize=9.5)
        with atomic_file(path) as temporary:
            kind = path.suffix.lower()[1:]
            figure.savefig(temporary, format=kind, dpi=150, metadata={"Date" if kind == "svg" else "Software": None})


def _read(path: Path) -> dict[str, Column]:
    """The table's columns; blank cells are NaN."""
    advice = "It should be the curves.csv of a training run."
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        names = [name for name in (rows[0] if rows else ()) if name in ("update", HELD_OUT, ACCURACY) or _is_loss(name)]
        columns = {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror or error}.", advice) from error
    except (ValueError, TypeError, csv.Error) as error:
        raise Unreadable(f"{path} is no table of numbers ({error}).", advice) from error
    losses = [loss for name, loss in columns.items() if _is_loss(name)]
    if "update" not in columns or not any(np.isfinite(columns["update"] + loss).any() for loss in losses):
        raise Unreadable(f"{path} has no rows with an update and a loss.", advice)
    return columns


def _is_loss(name: str | None) -> bool:
    """Whether a column is a loss of training, of the model or of one of its sides."""
    return name is not None and name != HELD_OUT and (name == LOSS or name.endswith(f" {LOSS}"))


def _loss(axes: Any, columns: dict[str, Column]) -> None:
    names = [name for name in columns if _is_loss(name)]
    colours = (BLUE, *(colour for colour in TRACKS if colour not in (BLUE, VERMILION)))
    shown = [_trained(axes, columns, name, colours[n % len(colours)]) for n, name in enumerate(names)]
    if HELD_OUT in columns:
        at, held_out = _finite(columns, HELD_OUT)
        if len(at):
            axes.plot(at, held_out, color=VERMILION, linewidth=1.8, marker="o", markersize=3.5, label="held out")
            best = int(np.argmin(held_out))
            _mark(axes, float(at[best]), float(held_out[best]))
            shown.append(held_out[len(held_out) // 20 :])
    every = np.concatenate(shown)
    if len(every):  # the first few updates fall so steeply that they would flatten all the rest
        low, high = float(every.min()), float(every.max())
        room = max(high - low, 0.2 * abs(high), 1e-6)
        axes.set_ylim(low - 0.12 * room, high + 0.12 * room + (0.3 * room if len(every) < 4 else 0))
    axes.set_ylabel("loss (nats)" if LOSS in columns else "loss", color=GREY, fontsize=9.5)
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=len(names) + 1,
        frameon=False,
        fontsize=10,
        labelcolor=INK,
    )


def _trained(axes: Any, columns: dict[str, Column], name: str, colour: str) -> Column:
    """Draw one loss of training, and a smooth line over it where it has many points; what of it should be seen."""
    update, loss = _finite(columns, name)
    label = "training" if name == LOSS else name.removesuffix(f" {LOSS}")
    dense = len(update) > 2 * SMOOTH
    axes.plot(
        update,
        loss,
        color=colour,
        alpha=0.3 if dense else 1,
        linewidth=0.9 if dense else 1.6,
        label=None if dense else label,
        marker="o" if len(update) == 1 else None,
    )
    if dense:
        width = len(loss) // SMOOTH
        smooth = np.convolve(loss, np.ones(width) / width, mode="valid")
        axes.plot(update[width // 2 : width // 2 + len(smooth)], smooth, color=colour, linewidth=1.8, label=label)
    return loss[len(loss) // 20 :]


def _mark(axes: Any, update: float, loss: float) -> None:
    """Mark the update whose weights are kept."""
    axes.axvline(update, color=INK, linewidth=0.9, linestyle=(0, (3, 3)))
    axes.plot([update], [loss], marker="o", markersize=9, markerfacecolor="white", markeredgecolor=INK, zorder=5)
    late = update > sum(axes.get_xlim()) / 2
    axes.annotate(
        f"best {loss:.4g}\nupdate {update:,.0f}",
        (update, loss),
        xytext=(-10 if late else 10, 22),
        textcoords="offset points",
        ha="right" if late else "left",
        fontsize=9.5,
        color=INK,
        linespacing=1.3,
        bbox={"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": PALE, "alpha": 0.92},
        zorder=6,
    )


def _accuracy(axes: Any, columns: dict[str, Column]) -> None:
    update, accuracy = _finite(columns, ACCURACY)
    axes.plot(
        update, 100 * accuracy, color=GREEN, linewidth=1.8, marker="o" if len(update) < 200 else None, markersize=3.5
    )
    axes.set_ylabel("accuracy (%)", color=GREY, fontsize=9.5)
    axes.annotate(
        f"{100 * accuracy[-1]:.1f} %",
        (1, 100 * accuracy[-1]),
        xycoords=("axes fraction", "data"),
        xytext=(-4, -6),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=9.5,
        color=INK,
    )


def _finite(columns: dict[str, Column], name: str) -> tuple[Column, Column]:
    """Updates at which a column has a figure, and those figures."""
    there = np.isfinite(columns[name]) & np.isfinite(columns["update"])
    return columns["update"][there], columns[name][there]


def _plain(axes: Any) -> None:
    """Take away what is not data."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    axes.tick_params(colors=GREY, labelsize=9, length=3)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 0 and value == round(value) else "")
