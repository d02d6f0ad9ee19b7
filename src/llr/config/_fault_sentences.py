"""What is wrong with a section or a key, in words."""

from __future__ import annotations

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from llr.config._schema import Config
from llr.config._words import short, suggestion

__all__ = ["fault_sentence", "keys_of_sections", "whereabouts"]


def keys_of_sections() -> dict[str, list[str]]:
    """Keys of every section."""
    return {
        name: list(field.annotation.model_fields)
        for name, field in Config.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def fault_sentence(fault: ErrorDetails) -> str:
    """A sentence for one fault that validation found, with its place."""
    place = fault["loc"]
    if fault["type"] == "refused":
        return f"{_dotted(place)} {fault['msg']}"
    if fault["type"] in ("extra_forbidden", "invalid_key"):
        return _unknown(place)
    if fault["type"] == "model_type":
        return f"{_dotted(place)} must be a section of keys, got {short(fault['input'])}."
    return f"{_dotted(place)}: {fault['msg']}, got {short(fault['input'])}."


def _dotted(place: tuple[int | str, ...]) -> str:
    """``sweep.sample_sizes[1]``."""
    text = ""
    for part in place:
        name = part if isinstance(part, str) and part.isprintable() else short(part)
        text += f"[{part}]" if isinstance(part, int) else f".{name[:100]}"
    return text.removeprefix(".")


def _unknown(place: tuple[int | str, ...]) -> str:
    """An unknown section or key, the valid ones, and what may have been meant."""
    keys, name = keys_of_sections(), place[-1]
    if len(place) == 1:
        hint = suggestion(name, list(keys)) or whereabouts(name)
        return f"{_dotted(place)} is not a section; valid are {', '.join(keys)}.{hint}"
    section = str(place[0])
    valid = keys[section]
    hint = suggestion(name, valid) or whereabouts(name)
    return (
        f"{_dotted(place)} is not a key of section {section!r}; valid are {', '.join(valid)}.{hint}"
    )


def whereabouts(name: object) -> str:
    """``" Did you mean 'training.lr'?"`` for the name of a key that lives in a section."""
    homes = [f"{section}.{name}" for section, keys in keys_of_sections().items() if name in keys]
    return f" Did you mean {' or '.join(map(repr, homes))}?" if homes else ""
