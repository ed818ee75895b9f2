"""Settings: small frozen classes that are the help, the recipe file and the web form at once.

A setting lives beside what it sets. `@settings` makes a frozen, keyword-only dataclass whose fields are validated
strictly (pydantic), and the docstring under each field is its description everywhere: in `--help`, in a recipe's
comments and as a form's label. One class may add to another. Leaves out: nesting and environment variables.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar, dataclass_transform

import pydantic
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as pydantic_dataclass

from partimento.errors import InvalidSettings

T = TypeVar("T")

LARGEST = 3.4e38  # what float32, in which models compute, can hold


@dataclass_transform(frozen_default=True, kw_only_default=True)
def settings(cls: type[T]) -> type[T]:
    """Make `cls` a frozen, strict, documented settings class.

    Example:
        >>> @settings
        ... class Width:
        ...     width: int = 3
        >>> Width(width=4)
        Width(width=4)
    """
    config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)
    made: Any = pydantic_dataclass(frozen=True, kw_only=True, config=config)(cls)
    return made  # type: ignore[no-any-return]


_adapter: Callable[[Any], pydantic.TypeAdapter[Any]] = functools.cache(pydantic.TypeAdapter)


def from_table(cls: type[T], table: Mapping[str, Any], where: str) -> T:
    """Validate a plain table (of a TOML or JSON file) as `cls`.

    Args:
        cls: a class made by `@settings`.
        table: names and values; lists stand for tuples.
        where: the table's name, for the error's sentence, e.g. "model".

    Raises:
        InvalidSettings: names each offending setting, its value and what it may be.
    """
    huge = [name for name, value in _numbers(table, where) if not abs(value) <= LARGEST]
    if huge:
        raise InvalidSettings(f"Invalid settings: {huge[0]} must be a finite number, {LARGEST:g} at most.")
    try:
        result: T = _adapter(cls).validate_json(json.dumps(dict(table)))
    except pydantic.ValidationError as error:
        known = ", ".join(f.name for f in dataclasses.fields(cls)) or "none"  # type: ignore[arg-type]
        complaints = []
        for e in error.errors():
            name = ".".join([where, *(str(part) for part in e["loc"])])
            if not e["loc"]:
                complaints.append(f"{where}: {e['msg'].removeprefix('Value error, ')}")
            elif e["type"] == "unexpected_keyword_argument":
                complaints.append(f"there is no setting {name} (there are: {known})")
            else:
                complaints.append(f"{name} = {e['input']!r}: {e['msg'][0].lower()}{e['msg'][1:]}")
        raise InvalidSettings("Invalid settings: " + "; ".join(complaints) + ".") from error
    return result


def _numbers(value: Any, name: str) -> Iterator[tuple[str, float]]:
    """Every number of a plain value, with its name."""
    if isinstance(value, int | float):
        yield name, value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _numbers(entry, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _numbers(entry, name)


def to_table(value: Any) -> dict[str, Any]:
    """The complete settings as a plain table, the inverse of `from_table` (tuples become lists)."""
    table: dict[str, Any] = json.loads(_adapter(type(value)).dump_json(value))
    return table


def describe(cls: type[Any]) -> dict[str, str]:
    """Each field's name and the docstring under it."""
    found: dict[str, str] = {}
    for ancestor in reversed(cls.__mro__):  # where a class adds to another, the docstrings are under either's fields
        fields: Mapping[str, Any] = vars(ancestor).get("__pydantic_fields__", {})
        found |= {name: field.description or found.get(name, "") for name, field in fields.items()}
    return found


def assigned(assignment: str, tables: Iterable[str]) -> tuple[str, str, Any]:
    """What `table.name=value` says, as `--set` gives it; the value is TOML, and a bare word is a string.

    Args:
        assignment: e.g. "training.seed=3".
        tables: those that there are.

    Returns:
        The table, the setting's name (with dots where it lies deeper) and the value.

    Raises:
        InvalidSettings: it is none, or names no table that there is.

    Example:
        >>> assigned("player.attributes.density=1.5", ["player"])
        ('player', 'attributes.density', 1.5)
    """
    _, equals, text = assignment.partition("=")
    if not equals:
        raise InvalidSettings(f"--set takes name=value, e.g. training.seed=3; {assignment!r} is not that.")
    name = name_of(assignment)
    table, _, field = name.partition(".")
    if not field:
        raise InvalidSettings(f"--set takes table.name=value, e.g. training.seed=3; {assignment!r} names no table.")
    known = list(tables)
    if table not in known:
        raise InvalidSettings(f"There is no table {table!r} to set {name!r} in; there are: {', '.join(known)}.")
    try:
        return table, field, tomllib.loads(f"value = {text.strip()}")["value"]
    except ValueError:  # no TOML, or a number of thousands of digits
        return table, field, text.strip()


def name_of(assignment: str) -> str:
    """What an assignment sets, without the spaces around and inside its name.

    Example:
        >>> name_of("training.updates = 2")
        'training.updates'
    """
    return ".".join(part.strip() for part in assignment.partition("=")[0].split("."))


def put(table: dict[str, Any], name: str, value: Any) -> None:
    """Set a setting in a plain table, by a name with dots where it lies deeper."""
    first, dot, rest = name.partition(".")
    if not dot:
        table[first] = value
        return
    if not isinstance(table.setdefault(first, {}), dict):
        raise InvalidSettings(f"{first} is one value, so there is no {name} to set.")
    put(table[first], rest, value)
