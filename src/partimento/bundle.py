"""Bundles: a trained model as one folder that plays anywhere, whole or not at all.

    README.md           the model card, written from the facts
    config.json         format, versions, names of codec and model, the complete settings that made it
    model.safetensors   what was learnt
    codec/              what the codec learnt
    player/             what plays it, without torch (`config.json` names the player)
    facts.json          what it was trained on and what it reached
    manifest.json       size and SHA-256 of each of these; the bundle's digest is that of this file

The layout follows what the Hugging Face Hub shows well; arrays are safetensors, settings are JSON, graphs are ONNX, and
nothing is ever unpickled. `open_bundle` reads the manifest and compares every part with it before anything is used. A
digest says that a bundle is whole and which one it is; it does not say who made it. Nothing of the corpus is in here
but what the model and the codec's vocabulary hold. The layout in full is in `docs/bundle.md`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import math
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partimento.atomic import atomic_folder
from partimento.card import model_card
from partimento.codec import Codec, codec_named
from partimento.errors import InvalidBundle, InvalidSettings
from partimento.settings import from_table

FORMAT = 1
LARGEST_JSON = 32 << 20  # bytes
LARGEST_BUNDLE = 8 << 30
MOST_PARTS = 1000
SENTENCES = ("about", "source")  # of a recipe; all else in it are tables
NEEDED = ("README.md", "config.json", "facts.json", "model.safetensors")
SHIPPED = Path(__file__).parent / "shipped"  # the model that comes along
COMES_ALONG = "shipped"  # what it is called where a path could stand
ADVICE = "Fetch or copy the bundle afresh, or train it again."


@dataclass(frozen=True)
class Bundle:
    """A whole and verified bundle.

    Attributes:
        folder: where it lies.
        digest: SHA-256 of its manifest, in hexadecimal: the same digest, the same music.
        codec_name: the codec's name.
        model_name: the model's name.
        player_name: the module of `partimento.players` that plays it.
        recipe: the complete settings that made it, as plain tables ([codec], [model], [training], …).
        facts: what it was trained on and what it reached.
    """

    folder: Path
    digest: str
    codec_name: str
    model_name: str
    player_name: str
    recipe: Mapping[str, Any] = field(repr=False)
    facts: Mapping[str, Any] = field(repr=False)

    @property
    def place(self) -> str:
        """What `open_bundle` takes to open it: where it lies, or the name of the one that comes along."""
        return COMES_ALONG if self.folder == SHIPPED else str(self.folder)

    @property
    def player_folder(self) -> Path:
        """The folder that the player opens."""
        return self.folder / "player"

    def codec(self, settings: Any = None) -> Codec[Any]:
        """The codec, as it was when the model was trained.

        Args:
            settings: of it, in place of its own, which differ in what is `changeable` at most.

        Raises:
            InvalidBundle: this version of Partimento has no such codec, or it cannot use what the bundle holds.
        """
        table = {name: value for name, value in self.recipe.get("codec", {}).items() if name != "name"}
        try:
            kind = codec_named(self.codec_name)
            own = from_table(kind.Settings, table, "codec") if settings is None else settings
            return kind.load(self.folder / "codec", own)
        except (InvalidSettings, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise InvalidBundle(f"{self.folder}: its codec cannot be used ({error}). {ADVICE}") from error

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that the model learnt, by name."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            arrays: dict[str, NDArray[Any]] = load_file(self.folder / "model.safetensors")
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise InvalidBundle(f"{self.folder}: model.safetensors cannot be read ({error}). {ADVICE}") from error
        return arrays


def write_bundle(
    folder: Path,
    *,
    recipe: Mapping[str, Any],
    codec_name: str,
    codec: Codec[Any],
    model_name: str,
    arrays: Mapping[str, NDArray[Any]],
    export: Callable[[Path], str],
    facts: Mapping[str, Any],
) -> Bundle:
    """Write a bundle, whole or not at all: beside its place first, then moved there.

    Args:
        folder: where it shall lie; a bundle that lies there already is replaced.
        recipe: the complete settings, as plain tables; [codec] may hold the codec's `name` too.
        codec_name: the codec's name.
        codec: saves what it learnt.
        model_name: the model's name.
        arrays: all that the model learnt, by name.
        export: writes what the player needs into an empty folder and returns the player's name.
        facts: what it was trained on and what it reached; `docs/bundle.md` lists the names that the card shows.

    Raises:
        InvalidBundle: something that is no bundle lies there.
    """
    from safetensors.numpy import save_file

    folder = folder.absolute()
    if folder.exists() and not (folder / "config.json").is_file() and not _is_empty_folder(folder):
        raise InvalidBundle(f"{folder} holds something that is not a bundle; choose another place for the bundle.")
    with atomic_folder(folder) as new:
        for part in ("codec", "player"):
            (new / part).mkdir()
        codec.save(new / "codec")
        player_name = export(new / "player")
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, new / "model.safetensors")
        (new / "model.safetensors").chmod((new / "codec").stat().st_mode & 0o666)  # else for its maker alone
        config = {
            "format": FORMAT,
            "partimento": importlib.metadata.version("partimento"),
            "codec": codec_name,
            "model": model_name,
            "player": player_name,
            "recipe": recipe,
        }
        _write_json(new / "config.json", config)
        _write_json(new / "facts.json", facts)
        card = model_card(_read_json(new, "config.json"), _read_json(new, "facts.json"))
        (new / "README.md").write_text(card, "utf-8")
        _write_json(new / "manifest.json", {"parts": {name: _fingerprint(path) for name, path in _parts(new).items()}})
        made = open_bundle(new)
    return dataclasses.replace(made, folder=folder)


def open_bundle(path: Path | str | None = None) -> Bundle:
    """Open a bundle and verify every part of it.

    Args:
        path: the bundle's folder, or that of a training run, which holds its bundle in `bundle/`; the model that comes
            along if None, or `shipped` where nothing else has that name.

    Raises:
        InvalidBundle: there is none, or a part of it is missing, changed, extra, or made by a newer version; says
            which and what to do.
    """
    path = None if path is None else Path(path)
    folder = SHIPPED if path is None or _comes_along(path) else _located(path.absolute())
    config = _read_json(folder, "config.json")
    version = config.get("format")
    if type(version) is not int or version < 1:
        raise InvalidBundle(f"{folder}: config.json does not say which format the bundle has. {ADVICE}")
    if version > FORMAT:
        raise InvalidBundle(
            f"{folder} was made by a newer version of Partimento ({config.get('partimento')}; bundle format {version}, "
            f"this one reads up to {FORMAT}): pip install --upgrade partimento."
        )
    _verify(folder)
    names = {name: config.get(name) for name in ("codec", "model", "player")}
    recipe, facts = config.get("recipe"), _read_json(folder, "facts.json")
    if not all(isinstance(name, str) for name in names.values()) or not isinstance(recipe, dict):
        raise InvalidBundle(f"{folder}: config.json names no codec, model, player and recipe. {ADVICE}")
    odd = [name for name, table in recipe.items() if name not in SENTENCES and not isinstance(table, dict)]
    if odd:
        raise InvalidBundle(f"{folder}: config.json has settings of the {odd[0]} that are none. {ADVICE}")
    return Bundle(
        folder=folder,
        digest=hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest(),
        codec_name=str(names["codec"]),
        model_name=str(names["model"]),
        player_name=str(names["player"]),
        recipe=recipe,
        facts=facts,
    )


def _comes_along(path: Path) -> bool:
    """Whether the name is that of the model that comes along."""
    return str(path) == COMES_ALONG and not path.exists()


def _located(path: Path) -> Path:
    """The folder of the bundle: `path` itself, or `bundle` in it."""
    for folder in (path, path / "bundle"):
        if (folder / "config.json").is_file() or (folder / "manifest.json").is_file():
            return folder
    if not path.exists():
        raise InvalidBundle(f"There is no bundle at {path}: nothing is there.")
    if not path.is_dir():
        raise InvalidBundle(f"{path} is a file; a bundle is a folder, as `partimento train` writes it.")
    raise InvalidBundle(
        f"{path} holds no bundle. If it is a training run, it has not written its bundle yet: "
        f"let it go on with `partimento train FOLDER --to {path} --resume`."
    )


def _verify(folder: Path) -> None:
    """Compare every part with the manifest.

    Raises:
        InvalidBundle: says which part is missing, changed or extra.
    """
    listed = _read_json(folder, "manifest.json").get("parts")
    if not isinstance(listed, dict) or len(listed) > MOST_PARTS:
        raise InvalidBundle(f"{folder}: manifest.json is not the list of a bundle's parts. {ADVICE}")
    total = 0
    for name, entry in listed.items():
        if not _is_plain_name(name):
            raise InvalidBundle(f"{folder}: manifest.json names {name!r}, which is no place in a bundle. {ADVICE}")
        if not isinstance(entry, dict) or type(entry.get("bytes")) is not int:
            raise InvalidBundle(f"{folder}: manifest.json does not say what {name} should be. {ADVICE}")
        total += max(entry["bytes"], 0)
    if total > LARGEST_BUNDLE:
        raise InvalidBundle(f"{folder} says that it has {total >> 30} GB, more than any bundle may have. {ADVICE}")
    present = _parts(folder)
    missing = sorted({*NEEDED, *listed} - present.keys())
    if missing:
        raise InvalidBundle(f"{folder}: its part {missing[0]} is missing. {ADVICE}")
    extra = sorted(present.keys() - listed.keys())
    if extra:
        raise InvalidBundle(f"{folder}: {extra[0]} is not a part of this bundle. Take it out of the folder.")
    for name, path in present.items():
        if path.stat().st_size != listed[name]["bytes"] or _fingerprint(path) != listed[name]:
            raise InvalidBundle(f"{folder}: its part {name} has changed since the bundle was made. {ADVICE}")


def _is_plain_name(name: str) -> bool:
    """Whether a part's name leads to a place inside the bundle, on every system."""
    path = PurePosixPath(name)
    odd = {"..", ""} & set(path.parts) or set(name) & {*'\\:*?"<>|\0'}
    return bool(path.parts) and not path.is_absolute() and str(path) == name and not odd


def _parts(folder: Path) -> dict[str, Path]:
    """Every file below the folder by its name there, but the manifest and what lies in the open as hidden (`.git`).

    Raises:
        InvalidBundle: there are too many, or something that is neither a file nor a folder.
    """
    found: dict[str, Path] = {}
    for place, folders, files in os.walk(folder):
        top = Path(place) == folder
        folders[:] = sorted(f for f in folders if not (top and f.startswith(".")))
        for file in sorted([*files, *(f for f in folders if (Path(place) / f).is_symlink())]):
            path = Path(place) / file
            name = path.relative_to(folder).as_posix()
            if name == "manifest.json" or (top and file.startswith(".")):
                continue
            if not path.exists():
                continue  # a link to nowhere: missing
            if not stat.S_ISREG(path.stat().st_mode) or len(found) >= MOST_PARTS:
                raise InvalidBundle(f"{folder}: {name} is not a part of this bundle. Take it out of the folder.")
            found[name] = path
    return found


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    """A JSON object of bounded size.

    Raises:
        InvalidBundle: it is missing, too large or no JSON object.
    """
    path = folder / name
    if not path.is_file():
        raise InvalidBundle(f"{folder}: its part {name} is missing. {ADVICE}")
    if path.stat().st_size > LARGEST_JSON:
        raise InvalidBundle(f"{folder}: its part {name} is larger than it may be. {ADVICE}")
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidBundle(f"{folder}: its part {name} cannot be read as JSON ({error}). {ADVICE}") from error
    if not isinstance(value, dict):
        raise InvalidBundle(f"{folder}: its part {name} is not what it should be. {ADVICE}")
    return value


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")


def _plain(value: Any) -> Any:
    """A value as JSON knows it; numbers that are none (a loss that was NaN) become null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _is_empty_folder(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
