"""From YAML and dotted overrides to a config, or to sentences that say what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llr._yaml import parse_yaml
from llr.config._contradictions import contradictions
from llr.config._defaults import filled_in
from llr.config._fault_sentences import fault_sentence, keys_of_sections
from llr.config._overrides import Overrides, overridden, parsed_overrides
from llr.config._schema import Config
from llr.config._words import short
from llr.errors import ConfigError

__all__ = ["completed", "known_values", "load_config", "parse_config"]

MOST_BYTES = 8 * 2**20
"""Of a config file: a list of a million seeds fits."""


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
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "mine.yaml"
        >>> _ = path.write_text("training: {lr: 0.1, tol: 1e-10}")
        >>> load_config(path, ["training.lr=0.05"]).training.lr
        0.05
    """
    path, given = Path(path), parsed_overrides(overrides)
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such config file.") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be read: {reason}.") from None
    if len(text) > MOST_BYTES:
        raise ConfigError(f"{path}: must be at most {MOST_BYTES // 2**20} MiB, but is longer.")
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
    given = _validated(overridden(_sections(value, source), overrides), source)
    config = filled_in(given)
    _check(config, source)
    return config


def completed(config: Config) -> Config:
    """A config with every key filled in and every contradiction refused; most are so already.

    Raises:
        ConfigError: with one line for each contradiction.
    """
    config = filled_in(config)
    _check(config, "config")
    return config


def known_values(sections: object, *, source: str) -> dict[str, dict[str, Any]]:
    """The keys of a stored config that this version knows, each checked alone.

    Args:
        sections: sections by name, as a results file holds them, perhaps of another version.
        source: name of the values, for messages.

    Returns:
        Sections of plain values; what this version does not know is left out.

    Raises:
        ConfigError: if a value is not one that its key may have.
    """
    known = keys_of_sections()
    given = {
        section: {key: item for key, item in keys.items() if key in known[section]}
        if isinstance(keys, Mapping)
        else keys
        for section, keys in _sections(sections, source).items()
        if section in known
    }
    return _validated(given, source).model_dump(mode="json", exclude_unset=True)


def _sections(value: object, source: str) -> dict[Any, Any]:
    """Sections by name.

    Raises:
        ConfigError: if the values are no mapping, or those of a reproduction.
    """
    if value is not None and not isinstance(value, Mapping):
        raise ConfigError(f"{source}: must map sections to keys, got {short(value)}.")
    sections = dict(value or {})
    if {"title", "source", "about"} <= sections.keys():
        raise ConfigError(
            f"{source}: states a reproduction, not a sweep; run it by "
            f"llr reproduce {Path(source).stem}."
        )
    return sections


def _validated(sections: Mapping[Any, Any], source: str) -> Config:
    """Every key alone: known, and of a value that it may have.

    Raises:
        ConfigError: with one line for each fault.
    """
    try:
        return Config.model_validate(_without_nulls(sections))
    except ValidationError as error:
        lines = [fault_sentence(fault) for fault in error.errors()]
        raise ConfigError("\n".join(f"{source}: {line}" for line in lines)) from None


def _check(config: Config, source: str) -> None:
    """All keys together.

    Raises:
        ConfigError: with one line for each contradiction.
    """
    if lines := contradictions(config):
        raise ConfigError("\n".join(f"{source}: {line}" for line in lines))


def _without_nulls(sections: Mapping[Any, Any]) -> dict[Any, Any]:
    """Sections and keys that are null take their defaults; unknown ones stay, to be refused."""
    known = keys_of_sections()
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
