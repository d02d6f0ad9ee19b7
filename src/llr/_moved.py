"""Names that have moved to another package of llr, and stay where they were with a warning."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["moved_names"]


def moved_names(old: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's ``__getattr__`` for names that now live elsewhere.

    Args:
        old: the module that the names have left.
        homes: name -> its new place, ``module`` or, if it is also renamed, ``module:name``.

    Returns:
        A function that imports the name from its new place and warns once per place of use.
    """

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {old!r} has no attribute {name!r}")
        module, _, renamed = homes[name].partition(":")
        warnings.warn(
            f"{old}.{name} is deprecated; use {module}.{renamed or name}.",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(importlib.import_module(module), renamed or name)

    return __getattr__
