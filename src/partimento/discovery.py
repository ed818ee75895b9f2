"""Discovery: what a package holds, one a module, found by the module's name; a file added is found.

Names come from the package's folder alone (pkgutil), so that listing imports nothing, and asking for one imports no
other. Leaves out: packages of other makers (entry points).
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from partimento.errors import InvalidSettings


def names_in(package: str) -> list[str]:
    """The names of a package's modules, sorted.

    Example:
        >>> names_in("partimento.players")
        ['counts', 'step']
    """
    return sorted(module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__))


def class_named(package: str, name: str, base: type[Any], what: str) -> Any:
    """The one subclass of `base` that the module of that name defines.

    Args:
        package: e.g. "partimento.codecs".
        name: the module's.
        base: what the class is one of.
        what: the word for it in the error's sentence, e.g. "codec".

    Raises:
        InvalidSettings: there is no such module; names those that there are.
    """
    names = names_in(package)
    if name not in names:
        raise InvalidSettings(f"There is no {what} {name!r}; there are: {', '.join(names)}.")
    module = importlib.import_module(f"{package}.{name}")
    classes = (c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__)
    return next(c for c in classes if issubclass(c, base))
