"""The choice among values under trial, such as learning rates, by the mean test error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from llr.analysis import NOT_TRAINED, errors_of

__all__ = ["tuned_runs"]


def tuned_runs(runs: pd.DataFrame, tuned: Sequence[str], *, by: Sequence[str]) -> pd.DataFrame:
    """The runs with the values that give the least mean test error in each setting.

    A run that diverged makes the mean of its value infinite, so that the value is chosen in no
    setting where another one has a finite mean. Where no value has one, the value whose runs
    diverged least often stands for the setting, and its mean stays infinite.

    Args:
        runs: one row per run; those that could not be trained are left out.
        tuned: columns of the values under trial; none: all runs are returned.
        by: columns that make a setting.

    Returns:
        The rows of the best values, of ties the first.

    Example:
        >>> runs = pd.DataFrame({"n": [5, 5], "lr": [0.1, 0.5], "test_mse": [2.0, 1.0]})
        >>> tuned_runs(runs, ["lr"], by=["n"])["lr"].tolist()
        [0.5]
    """
    if not tuned:
        return runs
    if "status" in runs.columns:
        runs = runs[runs["status"] != NOT_TRAINED]
    errors = runs[[*by, *tuned]].assign(_error=errors_of(runs))
    errors = errors.assign(_diverged=np.isinf(errors["_error"]))
    values = errors.groupby([*by, *tuned], dropna=False, sort=True).mean().reset_index()
    ranked = values.sort_values(["_diverged", "_error"], kind="stable")
    best = ranked.drop_duplicates(list(by))
    return runs.merge(best[[*by, *tuned]], on=[*by, *tuned], how="inner")
