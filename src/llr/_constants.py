"""Numbers and columns that several parts of the package must agree on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

__all__ = ["GROUP_COLUMNS", "RECOVERY_THRESHOLD", "SETTING_COLUMNS", "Setting", "setting_of"]

RECOVERY_THRESHOLD = 1e-3
"""A run has recovered the target if its test MSE is below this, the papers' switch from errors of
order one to small ones. Results files and analysis use the same value."""

GROUP_COLUMNS = ("model", "scale", "width", "init_std")
"""Columns of settings that every table of results shows, whether or not they vary."""

SETTING_COLUMNS = (
    *("model", "activation", "depth", "widths", "scale", "width"),
    *("init_std", "optimizer", "lr", "noise_std"),
)
"""Columns that tell the settings of a sweep apart: runs that agree in them differ only in their
number of samples and their seed."""

Setting: TypeAlias = tuple[Any, ...]
"""The values of one setting, in the order of ``SETTING_COLUMNS``."""


def setting_of(record: Mapping[str, Any]) -> Setting:
    """The setting that a run belongs to."""
    return tuple(record.get(name) for name in SETTING_COLUMNS)
