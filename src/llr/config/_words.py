"""Phrases that messages about configs share."""

from __future__ import annotations

import reprlib

from llr.errors import did_you_mean

__all__ = ["REMOVE", "listed", "short", "suggestion"]

REMOVE = "remove it (or set it to null)"

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxlevel = 2


def short(value: object) -> str:
    """A value for a message: one line, never long."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # an integer of more digits than Python prints
        return f"a {type(value).__name__} too long to print"


def suggestion(name: object, valid: list[str]) -> str:
    """``" Did you mean 'x'?"`` if a valid name is close, else nothing."""
    return did_you_mean(name, valid) if isinstance(name, str) and len(name) <= 100 else ""


def listed(values: object) -> str:
    """A sequence of names or numbers, for a message."""
    return ", ".join(str(value) for value in values) if isinstance(values, tuple) else str(values)
