"""Interpolation: from one piece to another, through the pieces that lie between them in a model's latent space.

Both pieces are cut into phrases, the model says where each phrase lies, and N pieces are made along the way between the
two places. The way is spherical (White 2016, "Sampling generative networks"): what is drawn from a normal distribution
in many dimensions lies near a sphere, and a straight line would lead through its middle, where no music is. The first
and the last piece are the model's own versions of the two, and how many of their notes come back is said.

The same pieces, model and settings make the same files. Leaves out: aligning the two pieces in key or metre.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.atomic import filled_folder, write_text
from partimento.bundle import Bundle
from partimento.codec import Codec, RollSpec
from partimento.composing import Sound, require_empty
from partimento.errors import ImpossibleRequest, InvalidBundle, InvalidSettings
from partimento.files import write
from partimento.frames import Grid, planes
from partimento.players import graph
from partimento.progress import Progress, Watch, ignore
from partimento.prompts import first_bars
from partimento.render import render
from partimento.render.audio import require_soundfont
from partimento.sampling import Sampling
from partimento.score import Score, join
from partimento.settings import assigned, from_table, put, to_table

FORMAT = 1
ADVICE = "Take one that `partimento train FOLDER --recipe vae` made."
MOST_STEPS = 1_000
MOST_BARS = 1_000

Places = NDArray[np.float32]
"""(K, Z) where the K phrases of a piece lie."""


@dataclass(frozen=True)
class Journey:
    """All that decides an interpolation, but the model and the two pieces.

    Attributes:
        steps: how many pieces, the model's versions of the two among them.
        bars: how many bars of each piece, from the first in which anything sounds; None for one phrase.
        seed: decides the cells at temperatures above 0.
        temperature: of the cells; 0 takes the likelier, so that nothing changes but the place.
        player: how far to go along which attributes; the rest is of no effect.
    """

    steps: int
    bars: int | None = None
    seed: int = 0
    temperature: float = 0.0
    player: graph.Settings = graph.Settings()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        if not 2 <= self.steps <= MOST_STEPS:
            raise ImpossibleRequest(f"A way has 2 to {MOST_STEPS:,} steps, its ends among them; not {self.steps}.")
        if self.bars is not None and not 1 <= self.bars <= MOST_BARS:
            raise ImpossibleRequest(f"Take 1 to {MOST_BARS:,} bars of each piece, not {self.bars}.")
        if self.seed < 0:
            raise ImpossibleRequest(f"A seed is 0 or more; {self.seed} is not.")


@dataclass(frozen=True, eq=False)
class Stage:
    """One piece on the way.

    Attributes:
        share: how much of the way lies behind it, 0 to 1.
        cells: (T, C, P) its grid.
        score: the same as music.
        notes: how many.
    """

    share: float
    cells: Grid
    score: Score
    notes: int


def slerp(a: NDArray[Any], b: NDArray[Any], share: float) -> NDArray[Any]:
    """The point on the arc from a to b, (..., Z), with this share of the angle behind it; on the line if there is none.

    Example:
        >>> slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.5).round(3).tolist()
        [0.707, 0.707]
    """
    lengths = [np.linalg.norm(point, axis=-1, keepdims=True) for point in (a, b)]
    cosine = (a * b).sum(-1, keepdims=True) / np.maximum(lengths[0] * lengths[1], 1e-12)
    angle = np.arccos(np.clip(cosine, -1, 1))
    sine = np.sin(angle)
    bent = sine > 1e-4
    safe = np.where(bent, sine, 1)
    first = np.where(bent, np.sin((1 - share) * angle) / safe, 1 - share)
    second = np.where(bent, np.sin(share * angle) / safe, share)
    return np.asarray(first * a + second * b)


def settings_of(bundle: Bundle, assignments: Iterable[str] = ()) -> graph.Settings:
    """The settings of a bundle's player, as its recipe has them, with `player.attributes.name=value` put in.

    Raises:
        ImpossibleRequest: the model has no latent space.
        InvalidSettings: an assignment that is none, names no setting, or one that is of no effect on the way between
            two pieces.
    """
    if bundle.player_name != "graph":
        raise ImpossibleRequest(
            f"{bundle.folder} holds a model of the kind {bundle.model_name!r}, which has no space in which pieces lie "
            f"near one another. {ADVICE}"
        )
    table = copy.deepcopy(dict(bundle.recipe.get("player", {})))
    given = [assigned(assignment, ["player"])[1:] for assignment in assignments]
    for name, value in given:
        put(table, name, value)
    made = from_table(graph.Settings, table, "player")
    idle = [name for name, _ in given if name.partition(".")[0] != "attributes"]
    if idle:
        raise InvalidSettings(
            f"player.{idle[0]} is of no effect on the way between two pieces; only player.attributes.NAME is."
        )
    return made


def open_latent(bundle: Bundle, settings: graph.Settings | None = None) -> graph.Latent:
    """Open a bundle's latent space.

    Args:
        bundle: of a model that can say where a piece lies.
        settings: of the player; as the bundle's recipe says if None.

    Raises:
        ImpossibleRequest: the model has no such space, or cannot say where a piece lies in it.
    """
    usual = settings_of(bundle)
    player = graph.open_player(bundle.player_folder, settings or usual)
    if not player.hears:
        raise ImpossibleRequest(
            f"{bundle.folder} holds a model of the kind {bundle.model_name!r}, which makes pieces from a space but "
            f"cannot say where a given piece lies in it. {ADVICE}"
        )
    return player


def grid_of(codec: Codec[Any], player: graph.Latent, piece: Score, bars: int | None, name: str) -> Grid:
    """The first bars of a piece, as whole phrases.

    Args:
        codec: the model's.
        player: says how long a phrase is.
        piece: the music.
        bars: how many of its own bars, from the first in which anything sounds; None for one phrase.
        name: of the piece, for the error's sentence.

    Returns:
        (K, steps, C, P), the last filled up with silence.

    Raises:
        ImpossibleRequest: nothing of it can be said.
        InvalidBundle: the codec and the player do not belong together.
    """
    spec = codec.spec
    if not isinstance(spec, RollSpec) or not player.fits(spec.channels, spec.pitches):
        raise InvalidBundle("The model's codec and its player do not belong together: fetch the bundle afresh.")
    x = codec.encode(first_bars(piece, bars or MOST_BARS))
    if bars is None:
        x = x[: player.steps]
    if not x.any():
        raise ImpossibleRequest(f"{name} has no note in the bars asked for that this model can say.")
    return player.phrases(x)


def stages(codec: Codec[Any], player: graph.Latent, first: Grid, second: Grid, journey: Journey) -> tuple[Stage, ...]:
    """Make the pieces along the way.

    Args:
        codec: the model's.
        player: the model's space.
        first: (K, steps, C, P) the phrases of the piece to begin with.
        second: the same of the piece to arrive at.
        journey: how.
    """
    a, b = player.encode(first)[0], player.encode(second)[0]
    made = []
    for share in np.linspace(0, 1, journey.steps).tolist():
        places = player.moved(slerp(a, b, share).astype(np.float32))
        rngs = [np.random.default_rng([journey.seed, phrase]) for phrase in range(len(first))]  # on the whole way alike
        cells, _ = player.played(places, rngs, journey.temperature)
        cells = cells.reshape(-1, *cells.shape[2:])
        made.append(Stage(share, cells, codec.decode(cells), codec.notes(cells)))
    return tuple(made)


def brought_back(x: Grid, made: Grid) -> tuple[int, int]:
    """How many notes of x are also in `made`, at the same pitch and step, and how many x has; (..., C, P) both."""
    onset, sustain = planes(x.shape[-2])
    plane = sustain if onset is None else onset
    old, new = x[..., plane, :].reshape(-1) > 0, made[..., plane, :].reshape(-1) > 0
    return int((old & new).sum()), int(old.sum())


def interpolate_into(
    folder: Path,
    bundle: Bundle,
    pieces: tuple[Score, Score],
    journey: Journey,
    *,
    names: tuple[str, str] = ("the first piece", "the second piece"),
    sound: Sound = "wav",
    soundfont: Path | None = None,
    watch: Watch = ignore,
) -> list[str]:
    """Go from one piece to another and write each piece on the way, and one file that plays all in a row; or nothing.

    Args:
        folder: new or empty; gets `001.mid`, … and `all.mid`, each with its sound and picture, and
            `interpolation.json`, which says how all came to be.
        bundle: the model.
        pieces: from where to where.
        journey: how.
        names: of the pieces.
        sound: the sounds' format, or "none".
        soundfont: the SoundFont to play with; the installed one if None.
        watch: hears of progress.

    Returns:
        A sentence for each thing worth knowing.

    Raises:
        ImpossibleRequest: the folder holds something, or the model cannot do what is asked; nothing is written.
    """
    require_empty(folder)
    if sound != "none":
        require_soundfont(soundfont)
    from_table(Sampling, {"temperature": journey.temperature}, "sampling")
    codec, player = bundle.codec(), open_latent(bundle, journey.player)
    grids = [grid_of(codec, player, piece, journey.bars, name) for piece, name in zip(pieces, names, strict=True)]
    shared = min(map(len, grids))
    remarks = []
    if len(grids[0]) != len(grids[1]):
        frames = shared * player.steps
        remarks.append(f"One piece is shorter than the other: both are taken up to {frames} steps.")
    first, second = (grid[:shared] for grid in grids)
    made = stages(codec, player, first, second, journey)
    for name, grid, stage in ((names[0], first, made[0]), (names[1], second, made[-1])):
        back, notes = brought_back(grid, stage.cells.reshape(grid.shape))
        remarks.append(f"{back} of {notes} notes of {name} come back in the model's version of it.")
    silent = sum(not stage.notes for stage in made)
    if silent:
        remarks.append(
            f"{silent} of {len(made)} pieces are silent: the model is sure of no note there. Train it for longer, or "
            "draw by chance with --temperature 1."
        )
    about = {
        "format": FORMAT,
        "partimento": version("partimento"),
        "model": bundle.digest,
        "bundle": str(bundle.folder),
        "from": names[0],
        "to": names[1],
        "steps": journey.steps,
        "bars": journey.bars,
        "seed": journey.seed,
        "temperature": journey.temperature,
        "player": to_table(journey.player),
        "made": [{"share": round(stage.share, 6), "notes": stage.notes} for stage in made],
        "remarks": remarks,
    }
    with filled_folder(folder) as new:
        _write(new, codec, made, " to ".join(names), sound, soundfont, watch)
        write_text(new / "interpolation.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    return remarks


def _write(
    folder: Path,
    codec: Codec[RollSpec],
    made: tuple[Stage, ...],
    title: str,
    sound: Sound,
    soundfont: Path | None,
    watch: Watch,
) -> None:
    """Write every piece, and all in a row."""
    scores = {f"{number:03d}": stage.score for number, stage in enumerate(made, start=1)}
    titles = {name: f"{title} · {stage.share:.0%}" for name, stage in zip(scores, made, strict=True)}
    row = made[0].score
    for number, stage in enumerate(made[1:], start=1):
        begins = number * len(stage.cells) * row.ticks_per_quarter // codec.spec.steps_per_beat
        row = join(row, _notes_alone(stage.score), begins)
    scores["all"], titles["all"] = row, f"{title} · all {len(made)} in a row"
    for done, (name, score) in enumerate(scores.items(), start=1):
        write(score, folder / f"{name}.mid")
        render(score, folder / f"{name}.png", title=titles[name])
        if sound != "none":
            render(score, folder / f"{name}.{sound}", soundfont=soundfont)
        watch(Progress("Interpolating", done, len(scores), "pieces"))


def _notes_alone(score: Score) -> Score:
    """A score without tempo and metre, which the first of a row has set for all."""
    notes = score.copy()
    for name in ("tempos", "time_signatures", "key_signatures"):
        getattr(notes, name).clear()
    return notes
