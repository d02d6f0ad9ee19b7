"""From YAML and dotted overrides to a config, or to sentences that say what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from llr._yaml import parse_yaml
from llr.errors import ConfigError
from llr.sweep._config import Config
from llr.sweep._fields import short, suggestion

__all__ = ["load_config", "parse_config"]

Overrides = Sequence[str] | Mapping[str, Any]


def load_config(path: str | Path, overrides: Overrides = ()) -> Config:
    """The config in a YAML file, with overrides, complete and checked.

    Args:
        path: the YAML file; ``null`` for a key stands for its default.
        overrides: ``"training.lr=0.05"``, each value read as YAML, or a mapping of dotted keys to
            values.

    Returns:
        The config.

    Raises:
        ConfigError: with one line for each fault, naming key, value and what is allowed.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "config.yaml"
        >>> _ = path.write_text("training: {lr: 0.1, tol: 1e-10}")
        >>> load_config(path, ["training.lr=0.05"]).training.lr
        0.05
    """
    path, given = Path(path), dict(_parsed(overrides))
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such config file.") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be read: {reason}.") from None
    return parse_config(parse_yaml(text, source=str(path)), given, source=str(path))


def parse_config(value: object, overrides: Overrides = (), *, source: str = "config") -> Config:
    """The config in plain nested values, with overrides, complete and checked.

    Args:
        value: sections by name, each a mapping of keys; None stands for no section.
        overrides: as in :func:`load_config`.
        source: name of the values, for messages.

    Returns:
        The config.

    Raises:
        ConfigError: with one line for each fault, naming key, value and what is allowed.

    Example:
        >>> parse_config({"training": {"lr": 0.1}}, {"sweep.seeds": 2}).seeds
        (0, 1)
    """
    if value is not None and not isinstance(value, Mapping):
        raise ConfigError(f"{source}: must map sections to keys, got {short(value)}.")
    sections = dict(value or {})
    if {"title", "source", "about"} <= sections.keys():
        raise ConfigError(
            f"{source}: states a reproduction, not a sweep; run it by "
            f"llr reproduce {Path(source).stem}."
        )
    for dotted, item in _parsed(overrides):
        _override(sections, dotted, item)
    try:
        return Config.model_validate(_without_nulls(sections))
    except ValidationError as error:
        lines = [line for fault in error.errors() for line in _sentences(fault)]
        raise ConfigError("\n".join(f"{source}: {line}" for line in lines)) from None


def _keys() -> dict[str, list[str]]:
    """Keys of every section."""
    return {
        name: list(field.annotation.model_fields)
        for name, field in Config.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def _without_nulls(sections: Mapping[Any, Any]) -> dict[Any, Any]:
    """Sections and keys that are null take their defaults; unknown ones stay, to be refused."""
    known = _keys()
    return {
        section: {
            key: item
            for key, item in keys.items()
            if item is not None or key not in known.get(section, ())
        }
        if isinstance(keys, Mapping)
        else keys
        for section, keys in sections.items()
        if keys is not None or section not in known
    }


def _parsed(overrides: Overrides) -> list[tuple[str, Any]]:
    """Overrides as pairs of dotted key and value."""
    if isinstance(overrides, Mapping):
        return list(overrides.items())
    pairs: list[tuple[str, Any]] = []
    for text in overrides:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            is_file = key.endswith((".yaml", ".yml"))
            hint = f" Did you mean --config {text}?" if is_file else ""
            raise ConfigError(
                f"an override must read section.key=value, got {short(text)}; "
                f"for example training.lr=0.05.{hint}"
            )
        pairs.append((key.strip(), parse_yaml(value, source=f"override {short(text)}")))
    return pairs


def _override(sections: dict[Any, Any], dotted: str, value: Any) -> None:
    """Set one dotted key."""
    section, dot, key = dotted.partition(".")
    if not dot or not key:
        hint = (
            "" if section in _keys() else _whereabouts(section) or suggestion(section, [*_keys()])
        )
        raise ConfigError(
            f"an override must name section.key, got {short(dotted)}; "
            f"sections are {', '.join(_keys())}.{hint}"
        )
    keys = sections.get(section)
    if keys is None or isinstance(keys, Mapping):  # anything else, validation refuses
        sections[section] = {**(keys or {}), key: value}


def _sentences(fault: ErrorDetails) -> list[str]:
    """What is wrong at one place, in words."""
    place = fault["loc"]
    if fault["type"] == "contradiction":
        return fault["msg"].splitlines()
    if fault["type"] == "refused":
        return [f"{_dotted(place)} {fault['msg']}"]
    if fault["type"] in ("extra_forbidden", "invalid_key"):
        return [_unknown(place)]
    if fault["type"] == "model_type":
        return [f"{_dotted(place)} must be a section of keys, got {short(fault['input'])}."]
    return [f"{_dotted(place)}: {fault['msg']}, got {short(fault['input'])}."]


def _dotted(place: tuple[int | str, ...]) -> str:
    """``sweep.sample_sizes[1]``."""
    text = ""
    for part in place:
        name = part if isinstance(part, str) and part.isprintable() else short(part)
        text += f"[{part}]" if isinstance(part, int) else f".{name[:100]}"
    return text.removeprefix(".")


def _unknown(place: tuple[int | str, ...]) -> str:
    """An unknown section or key, the valid ones, and what may have been meant."""
    keys, name = _keys(), place[-1]
    if len(place) == 1:
        hint = suggestion(name, list(keys)) or _whereabouts(name)
        return f"{_dotted(place)} is no section; valid are {', '.join(keys)}.{hint}"
    section = str(place[0])
    valid = keys[section]
    hint = suggestion(name, valid) or _whereabouts(name)
    return f"{_dotted(place)} is no key of {section}; valid are {', '.join(valid)}.{hint}"


def _whereabouts(name: object) -> str:
    """``" Did you mean 'training.lr'?"`` for the name of a key that lives in a section."""
    homes = [f"{section}.{name}" for section, keys in _keys().items() if name in keys]
    return f" Did you mean {' or '.join(map(repr, homes))}?" if homes else ""
