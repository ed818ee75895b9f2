"""Curves: how training went, drawn from `curves.csv`.

Loss above (that of each side, where two learn against one another), accuracy beneath where the model has it; held-out
figures as dots on a line, the best of them marked. Where the held-out loss is another figure than the one that
training makes smaller (a Boltzmann machine learns by a difference of free energies, and is judged by
pseudo-likelihood), each has an axis of its own: on one axis they look like overfitting. A cell may be blank: not every
update is held out against. Drawn with matplotlib's figure objects alone, so that nothing global changes and no display
is needed. Leaves out: speed, which the file has too.
"""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Callable, Sequence
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
LABEL = 26  # characters of a line beside an axis
TITLE, SCALE = 0.75, 0.45  # inches above and below all panels

Column = NDArray[np.float64]


def draw(csv_path: Path, path: Path, *, title: str = "Training", held_out: str = "") -> None:
    """Draw the curves of a training run.

    Args:
        csv_path: as training writes it: the columns `update` and `loss` (or a `… loss` for each side), `held-out loss`
            and `held-out accuracy` where there are such; cells may be blank.
        path: ends in .png or .svg; appears whole or not at all.
        title: stands above.
        held_out: what the held-out loss is, where that is another figure than the loss of training (see
            `model.held_out_figure`); it then has a panel of its own. Empty where they are the same.

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
    panels = _panels(columns, held_out)
    inches = [height for height, _ in panels]
    with rc_context({"svg.hashsalt": "partimento"}):  # ids in an SVG are drawn at random without it
        high = TITLE + sum(inches) + SCALE
        figure = Figure(figsize=(9, high), facecolor="white")
        FigureCanvasAgg(figure)
        axes: list[Any] = list(figure.subplots(len(panels), 1, sharex=True, height_ratios=inches, squeeze=False)[:, 0])
        figure.subplots_adjust(
            left=0.085,
            right=0.925 if ACCURACY in columns else 0.965,
            top=1 - TITLE / high,
            bottom=SCALE / high,
            hspace=0.22,
        )
        figure.text(0.03, 1 - 0.27 / high, title, fontsize=15, weight="bold", color=INK, va="center")
        for each, (_, fill) in zip(axes, panels, strict=True):
            _plain(each)
            fill(each)
        axes[-1].set_xlabel("updates", color=GREY, fontsize=9.5)
        with atomic_file(path) as temporary:
            kind = path.suffix.lower()[1:]
            figure.savefig(temporary, format=kind, dpi=150, metadata={"Date" if kind == "svg" else "Software": None})


def _panels(columns: dict[str, Column], held_out: str) -> list[tuple[float, Callable[[Any], None]]]:
    """The panels from above: how many inches each is high, and what draws it."""
    sides = [name for name in columns if _is_loss(name)]
    judged = HELD_OUT in columns and bool(np.isfinite(columns[HELD_OUT]).any())
    unit = "loss (nats)" if LOSS in columns else "loss"
    panels: list[tuple[float, Callable[[Any], None]]]
    if held_out and judged:
        panels = [
            (2.3, lambda axes: _losses(axes, columns, [], held_out, judged=True)),
            (1.9, lambda axes: _losses(axes, columns, sides, "loss of learning", judged=False)),
        ]
    else:
        panels = [(3.4, lambda axes: _losses(axes, columns, sides, unit, judged=judged))]
    if ACCURACY in columns and bool(np.isfinite(columns[ACCURACY]).any()):
        panels.append((1.6, lambda axes: _accuracy(axes, columns)))
    return panels


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


def _losses(axes: Any, columns: dict[str, Column], sides: Sequence[str], label: str, *, judged: bool) -> None:
    """Draw the losses of these sides and, of what is judged, that of the held-out pieces."""
    colours = (BLUE, *(colour for colour in TRACKS if colour not in (BLUE, VERMILION)))
    shown = [_trained(axes, columns, name, colours[n % len(colours)]) for n, name in enumerate(sides)]
    if judged:
        shown.append(_held_out(axes, columns))
    every = np.concatenate(shown)
    if len(every):
        low, high = float(every.min()), float(every.max())
        room = max(high - low, 0.2 * abs(high), 1e-6)
        axes.set_ylim(low - 0.12 * room, high + 0.12 * room)
    axes.set_ylabel("\n".join(textwrap.wrap(label, LABEL)), color=GREY, fontsize=9.5)
    named = len(axes.get_legend_handles_labels()[0])
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 0.98),
        borderaxespad=0,
        ncols=max(named, 1),
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
    return _seen(loss)


def _seen(loss: Column) -> Column:
    """What of a loss should be seen: without its first few updates, if they fall so steeply that they flatten it."""
    late = loss[len(loss) // 20 :]
    return late if len(late) and np.ptp(loss) > 2 * np.ptp(late) else loss


def _held_out(axes: Any, columns: dict[str, Column]) -> Column:
    """Draw the held-out loss and mark the update whose weights are kept; what of it should be seen."""
    update, loss = _finite(columns, HELD_OUT)
    axes.plot(update, loss, color=VERMILION, linewidth=1.8, marker="o", markersize=3.5, label="held out")
    best = int(np.argmin(loss))
    axes.axvline(update[best], color=INK, linewidth=0.9, linestyle=(0, (3, 3)))
    axes.plot(
        update[best],
        loss[best],
        linestyle="none",
        marker="o",
        markersize=9,
        markerfacecolor="white",
        markeredgecolor=INK,
        zorder=5,
        label=f"best {loss[best]:.4g}, update {update[best]:,.0f}",  # in the legend it covers nothing
    )
    return _seen(loss)


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
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
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
