"""Exceptions and the checks that write their messages.

Every message says three things: what must hold, what was got, and what to do.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import TypeVar

__all__ = [
    "ConfigError",
    "InvalidInputError",
    "LLRError",
    "MissingExtraError",
    "NotExpressibleError",
    "NotProvedError",
    "ResultsError",
    "StoreError",
    "UnsupportedModuleError",
    "check_choice",
    "check_number",
    "check_positive_int",
    "check_shape",
    "did_you_mean",
    "kind_of",
    "nearest",
    "quoted_list",
]

T = TypeVar("T", bound=str)


class LLRError(Exception):
    """Base of every error that llr raises on purpose."""


class InvalidInputError(LLRError, ValueError):
    """An argument has a wrong value, shape or type."""


class ConfigError(LLRError, ValueError):
    """A configuration names an unknown key or holds an impossible value."""


class NotExpressibleError(LLRError, ValueError):
    """No parameters of the model give the target function."""


class NotProvedError(LLRError, ValueError):
    """A rank was asked for that has not been proved."""


class UnsupportedModuleError(LLRError, TypeError):
    """The computation is not defined for this module, or not in its present mode."""


class StoreError(LLRError):
    """A results folder is missing, locked, damaged, or belongs to another sweep."""


class ResultsError(LLRError, ValueError):
    """A results file is missing or does not follow the documented schema."""


class MissingExtraError(LLRError, ImportError):
    """A library of an optional extra is not installed."""


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name that looks most like ``name``, if one is close."""
    matches = difflib.get_close_matches(str(name), list(valid), n=1, cutoff=0.5)
    return matches[0] if matches else None


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """``" Did you mean 'x'?"``, to end a message with, if a valid name is close; else nothing."""
    close = nearest(name, valid)
    return f" Did you mean {close!r}?" if close else ""


def quoted_list(names: Iterable[str]) -> str:
    """``'a', 'b', 'c'``."""
    return ", ".join(repr(name) for name in names)


def kind_of(value: object) -> str:
    """The type of a value, for a message; of a class, how to make an instance."""
    if isinstance(value, type):
        return f"the class {value.__name__}; make an instance, {value.__name__}(...)"
    return type(value).__name__


def check_choice(argument: str, value: str, valid: Iterable[T]) -> T:
    """Return ``value`` if it is one of ``valid``.

    Raises:
        InvalidInputError: otherwise, naming the valid values and the nearest one.
    """
    options = list(valid)
    for option in options:
        if value == option:
            return option
    raise InvalidInputError(
        f"{argument} must be one of {quoted_list(options)}, got {value!r}."
        f"{did_you_mean(value, options)}"
    )


def check_positive_int(argument: str, value: int, *, minimum: int = 1) -> int:
    """Return ``value`` if it is an integer and at least ``minimum``.

    Raises:
        InvalidInputError: otherwise.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise InvalidInputError(f"{argument} must be an integer >= {minimum}, got {value!r}.")
    return value


def check_number(
    argument: str,
    value: float,
    *,
    minimum: float = -math.inf,
    maximum: float = math.inf,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """Return ``value`` as a float if it is a number inside the stated interval.

    Args:
        argument: name used in the message.
        value: the number to check; NaN never passes.
        minimum: closed lower end.
        maximum: closed upper end.
        above: open lower end.
        below: open upper end.

    Raises:
        InvalidInputError: if the value is no number or lies outside.
    """
    wanted: list[str] = []
    if minimum != -math.inf:
        wanted.append(f">= {minimum:g}")
    if above is not None:
        wanted.append(f"> {above:g}")
    if maximum != math.inf:
        wanted.append(f"<= {maximum:g}")
    if below is not None:
        wanted.append(f"< {below:g}")
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    inside = (
        is_number
        and minimum <= value <= maximum
        and (above is None or value > above)
        and (below is None or value < below)
    )
    if not inside:
        condition = " and ".join(wanted) or "finite"
        raise InvalidInputError(f"{argument} must be a number {condition}, got {value!r}.")
    return float(value)


def check_shape(argument: str, shape: Iterable[int], wanted: Iterable[int | str]) -> None:
    """Check a tensor shape against sizes (integers) and free dimensions (names).

    Raises:
        InvalidInputError: if a size differs or the number of dimensions does.
    """
    got, want = tuple(shape), tuple(wanted)
    fits = len(got) == len(want) and all(
        isinstance(w, str) or g == w for g, w in zip(got, want, strict=True)
    )
    if not fits:
        pattern = "(" + ", ".join(str(w) for w in want) + ("," if len(want) == 1 else "") + ")"
        raise InvalidInputError(f"{argument} must have shape {pattern}, got {got}.")
