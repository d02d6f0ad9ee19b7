"""The summary of a sweep, gathered from its records one by one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from llr._constants import RECOVERY_THRESHOLD, SETTING_COLUMNS, Setting, setting_of
from llr.analysis._run_errors import NOT_TRAINED, counted_error, error_statistics

__all__ = ["RecordSummary"]


class RecordSummary:
    """Gathers the records of runs one by one, keeping two numbers of each.

    The rule for runs that diverged is that of :func:`llr.analysis.summary_table`, which computes
    the same statistics from a table.

    Example:
        >>> summary = RecordSummary()
        >>> setting = {"model": "mlp", "scale": 1, "width": 3, "init_std": 1e-10}
        >>> for error in (1e-5, 1e-1):
        ...     run = {**setting, "sample_size": 21, "status": "converged"}
        ...     summary.add({**run, "train_mse": 1e-11, "test_mse": error})
        >>> row = summary.rows({})[0]
        >>> row["runs"], row["recovered"], round(row["test_mse_mean"], 4)
        (2, 0.5, 0.05)
    """

    def __init__(self) -> None:
        self._errors: dict[tuple[Setting, int], list[tuple[float, float]]] = {}
        self._statuses: dict[tuple[Setting, int], Counter[str]] = {}

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one run."""
        key, status = (setting_of(record), record["sample_size"]), record["status"]
        errors = self._errors.setdefault(key, [])
        self._statuses.setdefault(key, Counter())[status] += 1
        if status != NOT_TRAINED:
            train, test = record["train_mse"], record["test_mse"]
            errors.append((counted_error(train, status), counted_error(test, status)))

    @property
    def statuses(self) -> Counter[str]:
        """How many of all runs have each status."""
        return sum(self._statuses.values(), Counter())

    def rows(self, optimistic: Mapping[Setting, int | None]) -> list[dict[str, Any]]:
        """The summary.

        Args:
            optimistic: optimistic sample sizes by setting, where known.

        Returns:
            One row per setting and sample size: settings in the order in which they were first
            seen, their sample sizes ascending. JSON values: a number that is not finite is None,
            and ``diverged`` counts the runs that make a mean infinite.
        """
        seen = dict.fromkeys(setting for setting, _ in self._errors)
        rank = {setting: place for place, setting in enumerate(seen)}
        return [
            {
                **dict(zip(SETTING_COLUMNS, setting, strict=True)),
                "sample_size": sample_size,
                **_counts(self._statuses[setting, sample_size]),
                **_statistics(np.array(self._errors[setting, sample_size]).reshape(-1, 2)),
                "optimistic_sample_size": optimistic.get(setting),
            }
            for setting, sample_size in sorted(self._errors, key=lambda key: (rank[key[0]], key[1]))
        ]


def _counts(statuses: Counter[str]) -> dict[str, int]:
    """How many runs were trained, how many converged, how many could not be trained."""
    return {
        "runs": statuses.total() - statuses[NOT_TRAINED],
        "converged": statuses["converged"],
        "error": statuses[NOT_TRAINED],
    }


def _statistics(errors: np.ndarray) -> dict[str, float | None]:
    """Mean, standard error and median of both errors, and the share of runs that recovered.

    Args:
        errors: (runs, 2) float64, training and test MSE.
    """
    row: dict[str, float | None] = {"diverged": int(np.isinf(errors[:, 1]).sum())}
    for name, values in zip(("train_mse", "test_mse"), errors.T, strict=True):
        found = error_statistics(values)
        for statistic in ("mean", "standard_error", "median"):
            value = float(found[statistic])
            row[f"{name}_{statistic}"] = value if math.isfinite(value) else None
    n_recovered = int((errors[:, 1] < RECOVERY_THRESHOLD).sum())
    row["recovered"] = n_recovered / len(errors) if len(errors) else None
    return row
