"""Forms: a recipe's settings as a page asks for them: names, help, ranges and choices from where they are defined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pydantic

from partimento.bundle import Bundle
from partimento.recipes import Recipe, presets, recipe_named
from partimento.settings import describe, to_table
from partimento.training.starting import recipe_of

LEFT_OUT = ("plan.sizes", "plan.minutes", "training.updates")  # what the page asks for otherwise
KINDS = {"integer": "whole", "number": "number", "boolean": "truth", "string": "text", "array": "list"}
STAYS = ("codec", "model")  # tables of a trained model that it cannot go on without


def recipes() -> list[dict[str, str]]:
    """Every recipe that comes along."""
    return [_head(recipe_named(name)) for name in presets()]


def form(name: str) -> dict[str, Any]:
    """A recipe with all of its settings.

    Raises:
        InvalidSettings: there is no such recipe.
    """
    recipe = recipe_named(name)
    return {**_head(recipe), "settings": _settings(recipe.settings)}


def form_from(bundle: Bundle) -> dict[str, Any]:
    """How a trained model would go on: its recipe with all of its settings that may still be others.

    Raises:
        InvalidSettings: this version has other settings.
    """
    recipe = recipe_of(bundle)
    tables = {table: values for table, values in recipe.settings.items() if table not in STAYS}
    return {**_head(recipe), "settings": _settings(tables)}


def _settings(tables: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for table, values in tables.items():
        schema = pydantic.TypeAdapter(type(values)).json_schema()
        helped = describe(type(values))
        for field, value in to_table(values).items():
            if f"{table}.{field}" not in LEFT_OUT:
                shape = schema.get("properties", {}).get(field, {})
                told = " ".join(helped.get(field, "").split())
                found.append({"name": f"{table}.{field}", "help": told, "value": value, **_kind(shape, schema, value)})
    return found


def _head(recipe: Recipe) -> dict[str, str]:
    return {"name": recipe.name, "about": recipe.about, "model": recipe.model, "codec": recipe.codec}


def _kind(shape: dict[str, Any], schema: dict[str, Any], value: Any) -> dict[str, Any]:
    """What may be entered."""
    one = next((part for part in shape.get("anyOf", [shape]) if part.get("type") != "null"), shape)
    if "$ref" in one:
        one = schema.get("$defs", {}).get(one["$ref"].rsplit("/", 1)[-1], one)
    choices = [str(choice) for choice in one.get("enum", [])]
    kind = "choice" if choices else KINDS.get(str(one.get("type")), "other")
    among: dict[str, Any] = one.get("items") or next(iter(one.get("prefixItems", ())), {})
    if kind == "other" and not isinstance(value, dict | list) and value is not None:
        kind = "text"
    return {
        "type": kind,
        "minimum": one.get("minimum", one.get("exclusiveMinimum")),
        "maximum": one.get("maximum", one.get("exclusiveMaximum")),
        "choices": choices,
        "items": KINDS.get(str(among.get("type")), "other") if kind == "list" else "",
        "optional": any(part.get("type") == "null" for part in shape.get("anyOf", [])),
    }
