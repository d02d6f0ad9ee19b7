"""What each key of a config means, from the schema: for the documentation and the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic.fields import FieldInfo

from llr._yaml import write_yaml
from llr.config._fault_sentences import keys_of_sections, whereabouts
from llr.config._fields import Kind
from llr.config._schema import Config
from llr.config._words import short, suggestion
from llr.errors import ConfigError

__all__ = ["KeyDescription", "describe_keys", "described_sections"]

_DEFAULT = " Default: "


@dataclass(frozen=True)
class KeyDescription:
    """One key of a config, in words.

    Attributes:
        key: ``section.key``.
        meaning: what it stands for.
        allowed: which values it accepts.
        default: the value that it has if it is not given, or what that value depends on.
        example: a value, as YAML.
    """

    key: str
    meaning: str
    allowed: str
    default: str
    example: str


def describe_keys(name: str | None = None) -> tuple[KeyDescription, ...]:
    """The keys of a config in words, in the order of the schema.

    Args:
        name: a key as ``section.key``, or alone where one section only has it; or a section, for
            all its keys. None: every key.

    Returns:
        A description of each.

    Raises:
        ConfigError: if there is no such section or key.

    Example:
        >>> (key,) = describe_keys("training.lr")
        >>> key.allowed
        'a finite number > 0'
        >>> [key.key for key in describe_keys("init")]
        ['init.method', 'init.std']
    """
    found = tuple(key for key in _all_keys() if name is None or _is_named(key.key, name))
    if name is not None and name not in keys_of_sections():
        homes = [key.key for key in found]
        if len(homes) != 1:
            raise ConfigError(_unknown(name, homes))
    return found


def described_sections() -> dict[str, str]:
    """What each section of a config holds."""
    return {
        name: " ".join((field.annotation.__doc__ or "").split())
        for name, field in Config.model_fields.items()
        if field.annotation is not None
    }


def _is_named(key: str, name: str) -> bool:
    """Whether a name stands for a key: the whole, its section, or its last part."""
    section, _, last = key.partition(".")
    if name in keys_of_sections():
        return name == section
    return name in (key, last)


def _unknown(name: str, homes: list[str]) -> str:
    """What to write in place of a name that stands for no key, or for several."""
    sections = keys_of_sections()
    if homes:
        return f"{name} is a key of several sections: write {' or '.join(homes)}."
    section, _, key = name.partition(".")
    if section in sections:
        valid = sections[section]
        hint = suggestion(key, valid) or whereabouts(key)
        return f"{name} is not a key of section {section!r}; valid are {', '.join(valid)}.{hint}"
    every = [f"{section}.{key}" for section, keys in sections.items() for key in keys]
    names = [*sections, *every, *(key for keys in sections.values() for key in keys)]
    return (
        f"a key must be named as section.key, got {short(name)}; "
        f"sections are {', '.join(sections)}.{suggestion(name, names)}"
    )


def _all_keys() -> Iterator[KeyDescription]:
    """Every key of every section."""
    for section, field in Config.model_fields.items():
        for key, inner in _keys_of(field).items():
            yield _described(f"{section}.{key}", inner)


def _keys_of(section: FieldInfo) -> dict[str, FieldInfo]:
    """The fields of a section."""
    return getattr(section.annotation, "model_fields", {})


def _described(key: str, field: FieldInfo) -> KeyDescription:
    """A field in words; the default of a null one stands in its description."""
    text = " ".join((field.description or "").split())
    meaning, _, depends = text.partition(_DEFAULT)
    default = depends.rstrip(".") if field.default is None else _yaml(field.default)
    example = _yaml(field.examples[0]) if field.examples else ""
    return KeyDescription(key, meaning, _allowed(field), default, example)


def _allowed(field: FieldInfo) -> str:
    """Which values a field accepts; for a list of names, which names."""
    kinds = [
        *(item for item in field.metadata if isinstance(item, Kind)),
        *_kinds(field.annotation),
    ]
    inner = [kind.allowed for kind in kinds[1:] if kind.allowed.startswith("one of ")]
    return "; each ".join([kinds[0].allowed, *inner])


def _kinds(annotation: Any) -> Iterator[Kind]:
    """The kinds in an annotation, outermost first."""
    yield from (item for item in getattr(annotation, "__metadata__", ()) if isinstance(item, Kind))
    for part in get_args(annotation):
        if part is not annotation and not isinstance(part, Kind):
            yield from _kinds(part)


def _yaml(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_yaml, value))}]"
    return write_yaml({"v": value}).partition(": ")[2].strip()
