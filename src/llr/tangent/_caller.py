"""Warnings that point at the line of the caller, however deep in this package they arise."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

__all__ = ["warn_the_caller"]

_PACKAGE = str(Path(__file__).parents[1])


def warn_the_caller(message: str) -> None:
    """Warn at the innermost line outside of this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
