"""Settings: small frozen classes that are the help, the recipe file and the web form at once.

A setting lives beside what it sets. `@settings` makes a frozen, keyword-only dataclass whose fields are validated
strictly (pydantic), and the docstring under each field is its description everywhere: in `--help`, in a recipe's
comments and as a form's label. Leaves out: nesting, inheritance and environment variables.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, dataclass_transform

import pydantic
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as pydantic_dataclass

from partimento.errors import InvalidSettings

T = TypeVar("T")


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
    try:
        result: T = _adapter(cls).validate_json(json.dumps(dict(table)))
    except pydantic.ValidationError as error:
        known = ", ".join(f.name for f in dataclasses.fields(cls))  # type: ignore[arg-type]
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


def to_table(value: Any) -> dict[str, Any]:
    """The complete settings as a plain table, the inverse of `from_table` (tuples become lists)."""
    table: dict[str, Any] = json.loads(_adapter(type(value)).dump_json(value))
    return table


def describe(cls: type[Any]) -> dict[str, str]:
    """Each field's name and the docstring under it."""
    fields: Mapping[str, Any] = cls.__pydantic_fields__
    return {name: field.description or "" for name, field in fields.items()}
