"""The record of a run: its fields in order, what each may be, and what is wrong with one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "ERROR_FIELDS",
    "LARGEST_INTEGER",
    "OPTIMISTIC_FIELD",
    "RECORD_FIELDS",
    "RUN_FIELDS",
    "fields_of_kind",
    "fields_of_origin",
    "history_fault",
    "in_order",
    "is_plain",
    "record_fault",
    "shown",
    "text_fault",
]

Kind = Literal["integer", "number", "name", "text"]
Origin = Literal["grid", "training", "theory"]

LARGEST_INTEGER = 2**63 - 1
"""Tables and exports hold integers of 64 bits."""

_LONGEST_TEXT = 10_000


@dataclass(frozen=True)
class _Field:
    """A field of a run's record.

    Attributes:
        name: as files and tables call it.
        kind: which values it may have.
        origin: known from the grid, the end of training, or the theory.
        nullable: whether it may be null.
        least: of an integer or a number.
        needed: whether every version of the files has it.
    """

    name: str
    kind: Kind
    origin: Origin
    nullable: bool = False
    least: int = 0
    needed: bool = True

    def fault(self, record: Mapping[str, Any]) -> str | None:
        """What is wrong with the field in a record, or None."""
        if self.name not in record:
            return f"has no {self.name}" if self.needed else None
        value = record[self.name]
        if (value is None and self.nullable) or _CHECKS[self.kind](value, self.least):
            return None
        null = " or null" if self.nullable else ""
        return f"has {shown(value)} for {self.name}, which must be {self._allowed()}{null}"

    def _allowed(self) -> str:
        """The values that the field may have, in words."""
        return {
            "integer": f"an integer from {self.least} to {LARGEST_INTEGER}",
            "number": f"a finite number >= {self.least}",
            "name": "a name of letters, digits, spaces and . _ + = : -",
            "text": f"a text of at most {_LONGEST_TEXT} characters",
        }[self.kind]


_FIELDS = (
    _Field("id", "name", "grid"),
    _Field("model", "name", "grid"),
    _Field("scale", "integer", "grid", nullable=True, least=1),
    _Field("width", "integer", "grid", nullable=True, least=1),
    _Field("sample_size", "integer", "grid", least=1),
    _Field("init_std", "number", "grid", nullable=True, needed=False),
    _Field("seed", "integer", "grid"),
    _Field("status", "name", "training"),
    _Field("steps", "integer", "training", nullable=True),
    _Field("train_mse", "number", "training", nullable=True),
    _Field("test_mse", "number", "training", nullable=True),
    _Field("seconds", "number", "training", nullable=True),
    _Field("time", "number", "training", nullable=True, needed=False),
    _Field("init_method", "name", "grid", nullable=True, needed=False),
    _Field("n_parameters", "integer", "grid", nullable=True, needed=False),
    _Field("engine", "text", "training", nullable=True, needed=False),
    _Field("message", "text", "training", nullable=True, needed=False),
    _Field("activation", "name", "grid", nullable=True, needed=False),
    _Field("depth", "integer", "grid", nullable=True, least=1, needed=False),
    _Field("widths", "text", "grid", nullable=True, needed=False),
    _Field("optimizer", "name", "grid", nullable=True, needed=False),
    _Field("lr", "number", "grid", nullable=True, needed=False),
    _Field("noise_std", "number", "grid", nullable=True, needed=False),
    _Field("optimistic_sample_size", "integer", "theory", nullable=True, needed=False),
)
"""Every field in the order of files and tables; documented in docs/results_schema.md."""

RUN_FIELDS = tuple(field.name for field in _FIELDS)
"""Fields of a run in the results: its record, and what the theory says of its setting."""

RECORD_FIELDS = tuple(field.name for field in _FIELDS if field.origin != "theory")
"""Fields of a run's record in the store."""

ERROR_FIELDS = ("train_mse", "test_mse")
"""Errors of a run, which the rule for runs that diverged is about."""

OPTIMISTIC_FIELD = "optimistic_sample_size"

_HISTORY = ("at", *ERROR_FIELDS)
"""Columns of a loss curve."""


def fields_of_kind(*kinds: Kind) -> list[str]:
    """Names of the fields of some kinds, in order."""
    return [field.name for field in _FIELDS if field.kind in kinds]


def fields_of_origin(origin: Origin) -> list[str]:
    """Names of the fields that come from the grid, from training, or from the theory."""
    return [field.name for field in _FIELDS if field.origin == origin]


def record_fault(record: Any) -> str | None:
    """What is wrong with a record of a run, to follow "it", or None.

    Args:
        record: a JSON value; further fields may have any plain value.
    """
    if not isinstance(record, Mapping):
        return f"is no record, but {shown(record)}"
    for field in _FIELDS:
        if (fault := field.fault(record)) is not None:
            return fault
    if not (record["id"].isascii() and record["id"].isalnum()):
        return f"has {shown(record['id'])} for id, which must be letters and digits"
    for name, value in record.items():
        if text_fault(name) is not None or not is_plain(value):
            return f"has {shown(value)} for {shown(name)}, which must be a number or a text"
    return None


def history_fault(history: Mapping[str, Any]) -> str | None:
    """What is wrong with the losses along a run, or None."""
    lengths = set()
    for name in _HISTORY:
        column = history.get(name)
        if not isinstance(column, list) or not column:
            return f"has no list of numbers for {name}"
        if not all(value is None or _is_number(value, -math.inf) for value in column):
            return f"has values for {name} that are not numbers"
        lengths.add(len(column))
    return None if len(lengths) == 1 else "has lists of different lengths"


def is_plain(value: Any) -> bool:
    """Whether a JSON value is null, true, false, a finite number, or a text that can be written."""
    if isinstance(value, str):
        return text_fault(value) is None
    return value is None or isinstance(value, bool) or _is_number(value, -math.inf)


def text_fault(value: Any) -> str | None:
    """Why a value is no text that can be written everywhere, or None."""
    if not isinstance(value, str):
        return f"{shown(value)} is not a text"
    if len(value) > _LONGEST_TEXT:
        return f"a text of {len(value)} characters is too long"
    return None if _writable(value) else f"{shown(value)} has characters that cannot be written"


def shown(value: Any) -> str:
    """A value for a message, shortened."""
    text = ascii(value) if isinstance(value, (str, int, float, bool, type(None))) else _kind(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _kind(value: Any) -> str:
    """A value that is not plain, by its kind."""
    return "a list" if isinstance(value, list) else "an object"


def _writable(text: str) -> bool:
    """Whether UTF-8 holds a text, and no NUL is in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _is_integer(value: Any, least: float) -> bool:
    """An integer of 64 bits."""
    return type(value) is int and least <= value <= LARGEST_INTEGER


def _is_number(value: Any, least: float) -> bool:
    """A finite number that float64 holds."""
    if type(value) is int:
        return least <= value and abs(value) <= 10**300
    return type(value) is float and math.isfinite(value) and value >= least


def _is_name(value: Any, least: float) -> bool:
    """A word that is safe in file names, figures and pages."""
    return isinstance(value, str) and re.fullmatch(r"[\w.+=: -]{1,200}", value) is not None


def _is_text(value: Any, least: float) -> bool:
    """A text that can be written."""
    return text_fault(value) is None


_CHECKS: dict[Kind, Callable[[Any, float], bool]] = {
    "integer": _is_integer,
    "number": _is_number,
    "name": _is_name,
    "text": _is_text,
}


def in_order(record: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Some fields of a record in the documented order; null where there is none."""
    return {name: record.get(name) for name in names}
