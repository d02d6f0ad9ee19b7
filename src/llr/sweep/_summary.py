"""One row a model, scale, initial size and sample size: what its runs came to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from llr._constants import RECOVERY_THRESHOLD

__all__ = ["Setting", "SummaryTable", "setting_of"]

Setting: TypeAlias = tuple[str, int | None, int | None, float | None]
"""Model, scale, width and initial size: runs that share them differ only in samples and seed."""

_SETTING_FIELDS = ("model", "scale", "width", "init_std")

_COUNTED = ("converged", "diverged", "error")
"""Statuses that a row counts."""


class SummaryTable:
    """Gathers records one by one and keeps two numbers of each.

    Example:
        >>> table = SummaryTable()
        >>> setting = {"model": "mlp", "scale": 1, "width": 3, "init_std": 1e-10}
        >>> for error in (1e-5, 1e-1):
        ...     run = {**setting, "sample_size": 21, "status": "converged"}
        ...     table.add({**run, "train_mse": 1e-11, "test_mse": error})
        >>> row = table.rows({})[0]
        >>> row["runs"], row["recovered"], round(row["test_mse_mean"], 4)
        (2, 0.5, 0.05)
    """

    def __init__(self) -> None:
        self._errors: dict[tuple[Setting, int], list[tuple[float, float]]] = {}
        self._statuses: dict[tuple[Setting, int], Counter[str]] = {}

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one run in."""
        key = (setting_of(record), record["sample_size"])
        errors = self._errors.setdefault(key, [])
        self._statuses.setdefault(key, Counter())[record["status"]] += 1
        if record["status"] != "error":
            errors.append((_number(record["train_mse"]), _number(record["test_mse"])))

    @property
    def statuses(self) -> Counter[str]:
        """How many of all runs have each status."""
        return sum(self._statuses.values(), Counter())

    def rows(self, optimistic: Mapping[Setting, int | None]) -> list[dict[str, Any]]:
        """The table.

        Args:
            optimistic: optimistic sample sizes by setting, where known.

        Returns:
            One row a setting and sample size, settings in the order in which they were first
            seen, their sample sizes ascending. JSON values: what is not finite is None.
        """
        seen = dict.fromkeys(setting for setting, _ in self._errors)
        rank = {setting: place for place, setting in enumerate(seen)}
        return [
            {
                **dict(zip(_SETTING_FIELDS, setting, strict=True)),
                "sample_size": sample_size,
                "runs": len(self._errors[setting, sample_size]),
                **{name: self._statuses[setting, sample_size][name] for name in _COUNTED},
                **_statistics(np.array(self._errors[setting, sample_size]).reshape(-1, 2)),
                "optimistic_sample_size": optimistic.get(setting),
            }
            for setting, sample_size in sorted(self._errors, key=lambda key: (rank[key[0]], key[1]))
        ]


def setting_of(record: Mapping[str, Any]) -> Setting:
    """The setting that a run belongs to."""
    model, scale, width, init_std = (record[name] for name in _SETTING_FIELDS)
    return model, scale, width, init_std


def _number(value: float | None) -> float:
    """An error as a number: one that was not finite is as large as can be."""
    return math.inf if value is None else value


def _statistics(errors: np.ndarray) -> dict[str, float | None]:
    """Mean, standard error and median of both errors, and the share of runs that recovered.

    Args:
        errors: (runs, 2) float64, training and test MSE.
    """
    n = len(errors)
    row: dict[str, float | None] = {}
    with np.errstate(over="ignore", invalid="ignore"):
        for name, values in zip(("train_mse", "test_mse"), errors.T, strict=True):
            middle = np.sort(values)[[(n - 1) // 2, n // 2]] if n else np.array([np.nan])
            row[f"{name}_mean"] = _finite(values.mean() if n else np.nan)
            row[f"{name}_standard_error"] = _finite(
                values.std(ddof=1) / math.sqrt(n) if n > 1 else np.nan
            )
            row[f"{name}_median"] = _finite(middle.mean())
    row["recovered"] = float((errors[:, 1] < RECOVERY_THRESHOLD).mean()) if n else None
    return row


def _finite(value: float) -> float | None:
    """The number, or None where there is none to state."""
    return float(value) if math.isfinite(value) else None
