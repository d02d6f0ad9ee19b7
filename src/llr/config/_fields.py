"""Kinds of config values: what each accepts, said in words for messages and in JSON schema."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from llr.config._words import short, suggestion

__all__ = [
    "Choice",
    "Flag",
    "Integer",
    "Kind",
    "ListOf",
    "Number",
    "SeedList",
    "Text",
]

_LARGEST = 2**63 - 1


def _refusal(allowed: str, value: object, hint: str = "") -> PydanticCustomError:
    """What a config value must be, what it is, and what may have been meant."""
    got = "null" if value is None else short(value)
    message = f"must be {allowed}, got {got}.{hint}"
    return PydanticCustomError("refused", "{message}", {"message": message})


@dataclass(frozen=True)
class Kind:
    """A check in front of a field's own validation, and its JSON schema.

    Every kind says in ``allowed`` which values it accepts, in words.
    """

    @property
    def allowed(self) -> str:
        """In words."""
        raise NotImplementedError

    def check(self, value: Any) -> Any:
        """The value, converted where that loses nothing."""
        raise NotImplementedError

    def json_schema(self) -> dict[str, Any]:
        """What the JSON schema says beyond the type."""
        return {}

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | self.json_schema()


@dataclass(frozen=True)
class Number(Kind):
    """A finite number, at least ``minimum``, or above ``above``, and below ``below``."""

    minimum: float | None = None
    above: float | None = None
    below: float | None = None

    @property
    def allowed(self) -> str:
        """In words."""
        bounds = [
            f"{sign} {bound:g}"
            for sign, bound in ((">=", self.minimum), (">", self.above), ("<", self.below))
            if bound is not None
        ]
        return " ".join(["a finite number", " and ".join(bounds)]).rstrip()

    def check(self, value: Any) -> Any:
        """A float; an integer is one too."""
        try:
            number = float(value) if type(value) in (int, float) else math.nan
        except OverflowError:
            number = math.inf
        inside = (
            math.isfinite(number)
            and (self.minimum is None or number >= self.minimum)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )
        if not inside:
            raise _refusal(self.allowed, value)
        return number + 0.0  # no negative zero: equal values have equal ids

    def json_schema(self) -> dict[str, Any]:
        """The bounds."""
        bounds = {
            "minimum": self.minimum,
            "exclusiveMinimum": self.above,
            "exclusiveMaximum": self.below,
        }
        return {name: bound for name, bound in bounds.items() if bound is not None}


@dataclass(frozen=True)
class Integer(Kind):
    """An integer from ``minimum`` to ``maximum``; 2e4 counts as one."""

    minimum: int = 1
    maximum: int = _LARGEST

    @property
    def allowed(self) -> str:
        """In words."""
        limit = f" and <= {self.maximum}" if self.maximum < _LARGEST else ""
        return f"an integer >= {self.minimum}{limit}"

    def check(self, value: Any) -> Any:
        """An int."""
        if type(value) is float and math.isfinite(value) and value == int(value):
            value = int(value)
        if type(value) is not int or not self.minimum <= value <= self.maximum:
            raise _refusal(self.allowed, value)
        return value

    def json_schema(self) -> dict[str, Any]:
        """The bounds."""
        return {"minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True)
class Flag(Kind):
    """True or false."""

    @property
    def allowed(self) -> str:
        """In words."""
        return "true or false"

    def check(self, value: Any) -> Any:
        """A bool."""
        if type(value) is not bool:
            raise _refusal(self.allowed, value)
        return value


@dataclass(frozen=True)
class Text(Kind):
    """A string that matches ``pattern``, described by ``words``."""

    words: str
    pattern: str = r".+"

    @property
    def allowed(self) -> str:
        """In words."""
        return self.words

    def check(self, value: Any) -> Any:
        """A str."""
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            raise _refusal(self.allowed, value)
        return value

    def json_schema(self) -> dict[str, Any]:
        """The pattern."""
        return {"pattern": f"^(?:{self.pattern})$"}


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few names, or a former name of one."""

    names: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...] = ()

    @property
    def allowed(self) -> str:
        """In words."""
        return "one of " + ", ".join(self.names)

    def check(self, value: Any) -> Any:
        """One of the names."""
        if isinstance(value, str):
            value = dict(self.aliases).get(value, value)
        if not isinstance(value, str) or value not in self.names:
            raise _refusal(self.allowed, value, suggestion(value, list(self.names)))
        return value

    def json_schema(self) -> dict[str, Any]:
        """Former names too, where there are any."""
        return {"enum": [*self.names, *dict(self.aliases)]} if self.aliases else {}


@dataclass(frozen=True)
class ListOf(Kind):
    """A list of ``length`` values, or of one or more; no value twice, unless ``repeats``."""

    of: str
    example: str
    length: int | None = None
    repeats: bool = False

    @property
    def allowed(self) -> str:
        """In words."""
        return f"a list of {self.of}" + (" that is not empty" if self.length is None else "")

    def check(self, value: Any) -> Any:
        """A tuple."""
        fits = isinstance(value, (list, tuple)) and len(value) == (self.length or len(value)) > 0
        if not fits:
            raise _refusal(self.allowed, value, f" Write {self.example}.")
        if not self.repeats:
            _no_repeats(value)
        return tuple(value)

    def json_schema(self) -> dict[str, Any]:
        """How many items, and whether they differ."""
        return {"minItems": self.length or 1} | ({} if self.repeats else {"uniqueItems": True})


def _no_repeats(values: list[Any] | tuple[Any, ...]) -> None:
    """Refuse a list that names a value twice, which would train the same runs twice."""
    for position, value in enumerate(values):
        if isinstance(value, (str, int, float)) and value in values[:position]:
            raise _refusal("a list without repeats", value, " It is there more than once.")


@dataclass(frozen=True)
class SeedList(Kind):
    """A number of seeds, or a list of them."""

    count: Integer = Integer(1, 10**6)
    each: Integer = Integer(0)

    @property
    def allowed(self) -> str:
        """In words."""
        return "a number of seeds >= 1 or a list of seeds >= 0 that is not empty"

    def check(self, value: Any) -> Any:
        """An int or a tuple of ints."""
        convert: Callable[[Any], Any]
        if not isinstance(value, (list, tuple)):
            convert, values = self.count.check, [value]
        else:
            _no_repeats(value)
            convert, values = self.each.check, value
        try:
            checked = tuple(convert(item) for item in values)
        except PydanticCustomError:
            checked = ()
        if not checked:
            raise _refusal(self.allowed, value)
        return checked if isinstance(value, (list, tuple)) else checked[0]
