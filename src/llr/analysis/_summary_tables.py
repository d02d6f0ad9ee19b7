"""Summary tables: one row per setting and sample size, and one row per setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from llr._constants import RECOVERY_THRESHOLD
from llr.analysis._recovery_curve import recovery_curve
from llr.analysis._run_errors import error_statistics, errors_of
from llr.analysis._run_table import groups, shared_value, trained
from llr.analysis._setting_columns import group_columns
from llr.analysis._transition import TransitionMethod, transition

__all__ = ["summary_table", "transition_table"]


def summary_table(
    df: pd.DataFrame,
    *,
    threshold: float = RECOVERY_THRESHOLD,
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Means, medians, spreads and recovered shares, for each setting and sample size.

    A run that diverged counts as infinitely wrong: it makes the mean infinite and stands at the
    far end of the median. ``n_diverged`` counts such runs. One whose status is ``error`` was not
    trained and is left out.

    Args:
        df: one row per run, with columns ``sample_size``, ``test_mse`` and those of ``by``; where
            there are columns ``train_mse`` and ``optimistic_sample_size`` they are carried along.
        threshold: a run recovers if its test MSE is below, > 0.
        by: columns that tell settings apart; None: those of ``GROUP_COLUMNS`` that there are, and
            others that a config could set (optimizer, learning rate, target, ...) where they vary.
        confidence: of the interval of the share.

    Returns:
        One row per setting and sample size, the columns of :func:`recovery_curve` and then, each of
        the test MSE: ``mean``, ``standard_error`` (of the mean; NaN for one run), ``median``,
        ``q25``, ``q75``, ``geometric_mean``, ``geometric_factor`` (exp of the standard error of
        the mean logarithm), ``n_diverged``; ``train_median``; ``optimistic_sample_size``.

    Raises:
        InvalidInputError: if a column is missing, the table empty or an option wrong.

    Example:
        >>> runs = pd.DataFrame({"sample_size": [5, 5], "test_mse": [1e-2, 1e-4]})
        >>> row = summary_table(runs).iloc[0]
        >>> print(round(row["mean"], 5), round(row["geometric_mean"], 5))
        0.00505 0.001
    """
    df = trained(df, ["sample_size", "test_mse"])
    curve = recovery_curve(df, threshold=threshold, by=by, confidence=confidence)
    rows = [
        _cell(runs)
        for _, setting in groups(df, group_columns(df, by))
        for _, runs in setting.groupby("sample_size")
    ]
    return pd.concat([curve, pd.DataFrame(rows)], axis=1)


def transition_table(
    df: pd.DataFrame,
    *,
    threshold: float = RECOVERY_THRESHOLD,
    method: TransitionMethod = "isotonic",
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """The transition of every setting beside the optimistic sample size.

    Args:
        df: one row per run, with columns ``sample_size``, ``seed``, ``test_mse``, those of ``by``
            and perhaps ``optimistic_sample_size``.
        threshold: a run recovers if its test MSE is below, > 0.
        method: of the transition and its interval, as in :func:`transition`.
        by: columns that tell settings apart; None: those of ``GROUP_COLUMNS`` that there are, and
            others that a config could set (optimizer, learning rate, target, ...) where they vary.
        confidence: of the interval.
        n_bootstrap: number of resamples; 0 leaves the interval out.
        seed: of the resampling.

    Returns:
        One row per setting: the columns of ``by``, ``optimistic_sample_size`` (None if not known),
        ``transition``, ``low``, ``high``, ``after``, ``largest`` (see :class:`Transition`),
        ``median_below`` and ``mean_below`` (transitions of the median and of the mean),
        ``n_runs``, ``n_seeds``.

    Raises:
        InvalidInputError: if a column is missing, the table empty or an option wrong.
    """
    df = trained(df, ["sample_size", "seed", "test_mse"])
    names = group_columns(df, by)
    rows = []
    for setting, runs in groups(df, names):
        measured = runs.filter(items=["sample_size", "seed", "test_mse", "status"])
        found = transition(
            measured,
            threshold=threshold,
            method=method,
            confidence=confidence,
            n_bootstrap=n_bootstrap,
            seed=seed,
        )
        centres = {
            f"{centre}_below": transition(
                measured, threshold=threshold, method=centre, n_bootstrap=0
            ).sample_size
            for centre in ("median", "mean")
        }
        rows.append(
            {
                **setting,
                "optimistic_sample_size": shared_value(runs, "optimistic_sample_size"),
                "transition": found.sample_size,
                "low": found.low,
                "high": found.high,
                "after": found.after,
                "largest": found.largest,
                **centres,
                "n_runs": found.n_runs,
                "n_seeds": len(runs["seed"].unique()),
            }
        )
    return pd.DataFrame(rows)


def _cell(runs: pd.DataFrame) -> dict[str, Any]:
    """Statistics of the runs of one setting and sample size."""
    return {
        **error_statistics(errors_of(runs)),
        "train_median": (
            float(np.median(errors_of(runs, "train_mse"))) if "train_mse" in runs else np.nan
        ),
        "optimistic_sample_size": shared_value(runs, "optimistic_sample_size"),
    }
