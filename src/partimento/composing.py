"""Composing: from a bundle and a request to files that one can play, look at and make again.

Each piece comes as `001.mid`, its sound, a piano roll (`001.png`) and `001.json`, which holds the model's digest, the
seed and every setting. The MIDI file carries the same as a marker at its beginning, and `compose_again` makes the piece
once more from either, byte for byte on the same machine and versions.
"""

from __future__ import annotations

import copy
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from symusic.core import TextMetaTick

from partimento.atomic import UNFINISHED, write_text
from partimento.bundle import COMES_ALONG, Bundle, open_bundle
from partimento.choosing import likest, people_of
from partimento.codec import Request, RollSpec, codec_named
from partimento.errors import ImpossibleRequest, InvalidBundle, InvalidSettings, Unreadable
from partimento.evaluation.originality import TrainingIndex
from partimento.files import read_safely, write
from partimento.generation import CopyLimit, Made, generate
from partimento.generation.requests import MOST
from partimento.guards import Guards
from partimento.progress import Progress, Watch, ignore
from partimento.render import render
from partimento.render.audio import measure, require_soundfont
from partimento.sampling import Sampling
from partimento.settings import assigned, from_table, put, to_table
from partimento.training.index import INDEX

FORMAT = 2
MOST_CELLS = 1 << 24  # of a prompt
MARK = "partimento "
Sound = Literal["wav", "flac", "ogg", "mp3", "none"]


@dataclass(frozen=True)
class Order:
    """All that decides what is composed, but the model.

    Attributes:
        n: how many pieces.
        seed: the same seed gives the same music.
        request: what each piece must be.
        sampling: how ids are drawn.
        guards: what keeps pieces from going wrong.
        prompt: (P,) ids or (T, C, P) frames to go on from; empty for none.
        prompt_from: where the prompt is from, in words.
        player: settings of the bundle's player, in place of its recipe's.
        max_copied: bars of the longest passage that may be shared with what was learnt from; as they come if None.
    """

    n: int
    seed: int
    request: Request
    sampling: Sampling
    guards: Guards
    prompt: NDArray[Any]
    prompt_from: str = ""
    player: Mapping[str, Any] = field(default_factory=dict)
    max_copied: float | None = None

    def to_table(self) -> dict[str, Any]:
        """The order as plain values; the inverse of `from_table`."""
        return {
            "pieces": self.n,
            "seed": self.seed,
            "request": to_table(self.request),
            "sampling": to_table(self.sampling),
            "guards": to_table(self.guards),
            "player": dict(self.player),
            "prompt": {"from": self.prompt_from, **_plain(self.prompt)},
            **({} if self.max_copied is None else {"max_copied": self.max_copied}),
        }

    def asked(self) -> dict[str, Any]:
        """What is asked of each piece, as `generate` and `stream` take it."""
        return {
            "request": self.request,
            "sampling": self.sampling,
            "guards": self.guards,
            "player": self.player,
            "seed": self.seed,
            "prompt": self.prompt if len(self.prompt) else None,
        }

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Order:
        """The order that `to_table` gave."""
        return cls(
            n=int(table["pieces"]),
            seed=int(table["seed"]),
            request=from_table(Request, table["request"], "request"),
            sampling=from_table(Sampling, table["sampling"], "sampling"),
            guards=from_table(Guards, table["guards"], "guards"),
            prompt=_array(table["prompt"]),
            prompt_from=str(table["prompt"]["from"]),
            player=dict(table["player"]),
            max_copied=None if table.get("max_copied") is None else float(table["max_copied"]),
        )


def _plain(prompt: NDArray[Any]) -> dict[str, Any]:
    """Ids as they are; a grid by its shape and the places of its ones."""
    if prompt.ndim == 1:
        return {"ids": prompt.tolist()}
    return {"shape": list(prompt.shape), "ones": np.flatnonzero(prompt.reshape(-1) >= 0.5).tolist()}


def _array(table: Mapping[str, Any]) -> NDArray[Any]:
    """The inverse of `_plain`.

    Raises:
        ValueError: no prompt could have given it.
    """
    if "ids" in table:
        return np.array(table["ids"], dtype=np.int64)
    shape = tuple(int(size) for size in table["shape"])
    if len(shape) != 3 or math.prod(shape) > MOST_CELLS:
        raise ValueError("its prompt is no grid")
    cells = np.zeros(math.prod(shape), dtype=np.float32)
    cells[np.array(table["ones"], dtype=np.int64)] = 1
    return cells.reshape(shape)


@dataclass(frozen=True)
class Composed:
    """One piece on disk.

    Attributes:
        midi: its MIDI file; the picture, the sound and the facts lie beside it under the same name.
        notes: how many notes are new.
        seconds: how long the new music lasts.
        remarks: sentences about how it came to be.
    """

    midi: Path
    notes: int
    seconds: float
    remarks: tuple[str, ...]


COMPOSING = ("player", "sampling", "guards", "request")
OF_IDS = (  # what means nothing where grids are made
    "guards",
    *("sampling.top_k", "sampling.top_p", "sampling.kinds_p", "sampling.min_p", "sampling.steadiness"),
)
OF_KINDS = ("sampling.kinds_p", "sampling.steadiness")  # and where the codec knows no kinds of ids, nor how busy it is


def composing_tables(
    recipe: Mapping[str, Any], assignments: Iterable[str] = (), **asked: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The tables that decide a composition: as the bundle's recipe has them, with what is asked for put in.

    Args:
        recipe: a bundle's, as plain tables.
        assignments: `table.name=value`, as `--set` gives them.
        asked: by table, what is asked for by other means. A length takes the place of the recipe's.

    Raises:
        InvalidSettings: an assignment that is none, of another table, or of no effect on what this model makes.
    """
    tables: dict[str, dict[str, Any]] = {name: copy.deepcopy(dict(recipe.get(name, {}))) for name in COMPOSING}
    given = [assigned(assignment, COMPOSING) for assignment in assignments]
    given += [(table, name, value) for table, values in asked.items() for name, value in values.items()]
    _require_effect(recipe, [f"{table}.{name}" for table, name, _ in given])
    if any(table == "request" and name in MOST for table, name, _ in given):
        tables["request"] |= dict.fromkeys(MOST)
    for table, name, value in given:
        put(tables[table], name, None if value == "none" else value)
    return tables


def _require_effect(recipe: Mapping[str, Any], names: Sequence[str]) -> None:
    """Refuse what is for models of ids alone where the model makes grids, and what is for the codec `cells` elsewhere.

    Raises:
        InvalidSettings: names it, and what there is in its place.
    """
    of_ids = [name for name in names if name.startswith(tuple(f"{one}." for one in OF_IDS)) or name in OF_IDS]
    settings = dict(recipe.get("codec", {}))
    name = settings.pop("name", None)
    if not of_ids or name is None:
        return
    kind = codec_named(str(name))
    spec = kind(from_table(kind.Settings, settings, "codec")).spec  # type: ignore[call-arg]
    if isinstance(spec, RollSpec):
        raise InvalidSettings(
            f"{of_ids[0]} is of no effect here: it is for models that write one id after another, and this one makes "
            "grids. There are sampling.temperature, and the guards request.longest_silence and request.longest_note."
        )
    of_kinds = [name for name in of_ids if name in OF_KINDS]
    if of_kinds and not spec.kinds:
        raise InvalidSettings(
            f"{of_kinds[0]} is of no effect here: it is for models on the codec cells, such as the recipe nested "
            f"makes, and this one's is {name}. There are sampling.temperature and sampling.top_p."
        )


def require_empty(folder: Path) -> None:
    """Refuse a folder that holds something.

    Raises:
        ImpossibleRequest: it does.
    """
    if folder.exists() and (
        not folder.is_dir() or not all(left.name.startswith(UNFINISHED) for left in folder.iterdir())
    ):
        raise ImpossibleRequest(f"{folder} already holds something; choose a new folder for --to.")


def compose_into(
    folder: Path,
    bundle: Bundle,
    order: Order,
    *,
    sound: Sound = "wav",
    soundfont: Path | None = None,
    only: int | None = None,
    best: int | None = None,
    watch: Watch = ignore,
) -> list[Composed]:
    """Compose and write each piece as it is made; with `best`, when all are made.

    Args:
        folder: new or empty.
        bundle: what plays.
        order: what to compose.
        sound: the sound's format, or "none".
        soundfont: the SoundFont to play with; the installed one if None.
        only: write only the piece of this index, from 0 (all are made: they come in one batch).
        best: write only so many, those most like the music that was learnt from (`evaluation.ranking`), best first.
        watch: hears of progress.

    Raises:
        ImpossibleRequest: the folder holds something, or the bundle cannot do what is asked; nothing is written.
    """
    require_empty(folder)
    people = {} if best is None else people_of(bundle, best, order.n)
    limit = None if order.max_copied is None else CopyLimit(_learnt(bundle), order.max_copied)
    if sound != "none":
        require_soundfont(soundfont)
    pieces = generate(bundle, n=order.n, limit=limit, watch=watch, **order.asked())
    folder.mkdir(parents=True, exist_ok=True)
    pieces = itertools.islice(pieces, None if only is None else only + 1)  # those of later batches need not be made
    kept: Iterable[Made] = (made for made in pieces if only is None or made.index == only)
    if best is not None:
        kept = likest(list(kept), people, best)
    return [_write(folder, bundle, order, made, sound, soundfont) for made in kept]


def _learnt(bundle: Bundle) -> TrainingIndex:
    """The index of what was learnt from, which lies beside the bundle in its run.

    Raises:
        ImpossibleRequest: there is none.
    """
    file = bundle.folder.parent / INDEX
    if not file.is_file():
        raise ImpossibleRequest(
            f"{bundle.folder} is a bundle alone, which does not hold what it learnt from; --max-copied needs its run."
        )
    return TrainingIndex.load(file)


def _write(folder: Path, bundle: Bundle, order: Order, made: Made, sound: Sound, soundfont: Path | None) -> Composed:
    """Write one piece: the MIDI first, so that whatever fails after it, the music is there."""
    facts = {
        "format": FORMAT,
        "partimento": version("partimento"),
        "model": bundle.digest,
        "piece": made.index + 1,
        **order.to_table(),
    }
    score = made.score.copy()
    score.markers.append(TextMetaTick(0, MARK + json.dumps(facts, separators=(",", ":"))))
    name = f"{made.index + 1:03d}"
    midi = folder / f"{name}.mid"
    write(score, midi)
    title = f"{name} · seed {order.seed} · {bundle.model_name} on {bundle.codec_name}"
    remarks = [*made.remarks, *render(made.score, folder / f"{name}.png", title=title, new_from=made.begins or None)]
    result: dict[str, Any] = {"notes": made.notes, "seconds": round(made.seconds, 3), "begins_bar": made.begins_bar}
    if sound != "none":
        heard = folder / f"{name}.{sound}"
        remarks += render(made.score, heard, soundfont=soundfont)
        measured = measure(heard)
        result["sound"] = {"peak": round(measured.peak, 4), "rms": round(measured.rms, 4)}
    about = {**facts, "made": {**result, "remarks": remarks}, "bundle": bundle.place}
    write_text(folder / f"{name}.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    return Composed(midi, made.notes, made.seconds, tuple(remarks))


def compose_again(
    file: Path,
    folder: Path,
    model: Path | None = None,
    *,
    sound: Sound = "wav",
    soundfont: Path | None = None,
    watch: Watch = ignore,
) -> Composed:
    """Make a piece again that `compose_into` made, byte for byte on the same machine and versions.

    Args:
        file: the piece's MIDI file or its JSON file.
        folder: new or empty.
        model: the bundle or run that made it; where None, as the piece's JSON file says, or the one that comes along.
        sound: the sound's format, or "none".
        soundfont: the SoundFont to play with; the installed one if None.
        watch: hears of progress.

    Raises:
        Unreadable: the file does not say how it was made.
        InvalidBundle: the model is not the one that made it.
    """
    facts = facts_of(file)
    beside = file.with_suffix(".json")
    if model is None and beside.is_file():
        model = Path(str(facts_of(beside).get("bundle", "")))
    if model is None and facts.get("model") == open_bundle().digest:
        model = Path(COMES_ALONG)
    if model is None:
        raise Unreadable(
            f"{file} does not say where its model lies.", "Name the model: partimento compose MODEL --again …"
        )
    try:
        order, index = Order.from_table(facts), int(facts["piece"]) - 1
        digest, made_by = facts["model"], facts["partimento"]
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise Unreadable(f"{file} does not say completely how it was made ({error}).", "Compose anew.") from error
    if not 0 <= index < order.n:
        raise Unreadable(f"{file} says that it is piece {index + 1} of {order.n}.", "Compose anew.")
    bundle = maker_of(file, model, digest, made_by, watch)
    (made,) = compose_into(folder, bundle, order, sound=sound, soundfont=soundfont, only=index, watch=watch)
    return made


def maker_of(file: Path, model: Path, digest: str, made_by: str, watch: Watch = ignore) -> Bundle:
    """The bundle that made a piece.

    Args:
        file: the piece.
        model: the bundle or run.
        digest: of the one that made it.
        made_by: the version of Partimento that did.
        watch: hears of another version.

    Raises:
        InvalidBundle: it is another.
    """
    bundle = open_bundle(model)
    if bundle.digest != digest:
        raise InvalidBundle(f"{model} is not the model that made {file}; name the one that did.")
    if made_by != version("partimento"):
        remark = f"{file} was made by Partimento {made_by}; this is {version('partimento')}."
        watch(Progress("Composing", 0, None, "notes", remark=remark + " The music may differ."))
    return bundle


def facts_of(file: Path) -> dict[str, Any]:
    """What a composed piece says about how it was made.

    Args:
        file: its MIDI file or its JSON file.

    Raises:
        Unreadable: it is neither, or says nothing.
    """
    text = ""
    try:
        if file.suffix.lower() == ".json":
            text = file.read_text("utf-8")
        else:
            markers = (str(marker.text) for marker in read_safely(file).score.markers)
            text = next((marker.removeprefix(MARK) for marker in markers if marker.startswith(MARK)), "")
        facts = json.loads(text)
        if facts["format"] != FORMAT:
            raise Unreadable(f"{file} was made by another version of Partimento.", "Compose it with that version.")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unreadable(
            f"{file} does not say how it was made.", "--again takes the .mid or .json file of a composed piece."
        ) from error
    return dict(facts)
