"""Overrides such as ``training.lr=0.05``, from the command line or from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from llr._yaml import parse_yaml
from llr.config._fault_sentences import keys_of_sections, whereabouts
from llr.config._words import short, suggestion
from llr.errors import ConfigError

__all__ = ["Overrides", "overridden", "parsed_overrides"]

Overrides: TypeAlias = Sequence[str] | Mapping[str, Any]


def overridden(sections: Mapping[Any, Any], overrides: Overrides) -> dict[Any, Any]:
    """Sections with the overridden keys set.

    Raises:
        ConfigError: if an override does not name ``section.key`` and a value.
    """
    changed = dict(sections)
    for dotted, value in parsed_overrides(overrides).items():
        section, dot, key = dotted.partition(".")
        if not dot or not key:
            raise ConfigError(_unknown_key(dotted))
        keys = changed.get(section)
        if keys is None or isinstance(keys, Mapping):  # validation refuses anything else
            changed[section] = {**(keys or {}), key: value}
    return changed


def parsed_overrides(overrides: Overrides) -> dict[str, Any]:
    """Values by dotted key; the last override of a key wins.

    Raises:
        ConfigError: if one does not read ``section.key=value``, or its value is not valid YAML.
    """
    if isinstance(overrides, Mapping):
        return dict(overrides)
    values: dict[str, Any] = {}
    for text in overrides:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            is_file = key.endswith((".yaml", ".yml"))
            hint = f" Did you mean --config {text}?" if is_file else ""
            raise ConfigError(
                f"an override must read section.key=value, got {short(text)}; "
                f"for example training.lr=0.05.{hint}"
            )
        values[key.strip()] = parse_yaml(value, source=f"override {short(text)}")
    return values


def _unknown_key(dotted: str) -> str:
    """What to write in place of an override that names no section and key."""
    valid = list(keys_of_sections())
    hint = "" if dotted in valid else whereabouts(dotted) or suggestion(dotted, valid)
    return (
        f"an override must name section.key, got {short(dotted)}; "
        f"sections are {', '.join(valid)}.{hint}"
    )
