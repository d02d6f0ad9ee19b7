"""Keys of a config in words, for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llr.config import KeyDescription

__all__ = ["explanation"]

_WIDTH = 96
_INDENT = " " * 11


def explanation(keys: Iterable[KeyDescription]) -> str:
    """A paragraph for each key."""
    return "\n\n".join(_paragraph(key) for key in keys)


def _paragraph(key: KeyDescription) -> str:
    """A key: what it means, its default, what it may be, and an override as an example."""
    lines = [
        key.key,
        textwrap.fill(key.meaning, _WIDTH, initial_indent="  ", subsequent_indent="  "),
        _entry("default", key.default),
        _entry("allowed", key.allowed),
        _entry("example", f"{key.key}={key.example.replace(' ', '')}"),
    ]
    return "\n".join(lines)


def _entry(name: str, text: str) -> str:
    """A name and its text, later lines under the first."""
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=f"  {name}".ljust(len(_INDENT)),
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
        break_long_words=False,
    )
