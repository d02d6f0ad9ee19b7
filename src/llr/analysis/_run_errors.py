"""The one rule for the error of a run, and the statistics of the errors of several runs."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

__all__ = ["NOT_TRAINED", "counted_error", "error_statistics", "errors_of"]

NOT_TRAINED = "error"
"""Status of a run that could not be trained: it has no error and counts nowhere."""

_DIVERGED = "diverged"


def counted_error(error: float | None, status: object = None) -> float:
    """The error that a trained run counts with.

    A run that diverged is infinitely wrong, however finite its last error; so is one whose error
    is missing or not finite. Results files, tables, figures and verdicts all use this rule.

    Args:
        error: training or test MSE at the end of the run; None: not finite.
        status: of the run; None: not known.

    Returns:
        The error, or infinity.

    Example:
        >>> counted_error(1e-6, "converged"), counted_error(5.0, "diverged"), counted_error(None)
        (1e-06, inf, inf)
    """
    if error is None or status == _DIVERGED or not math.isfinite(error):
        return math.inf
    return error


def errors_of(df: pd.DataFrame, column: str = "test_mse") -> np.ndarray:
    """The errors that trained runs count with (:func:`counted_error`), float64, one per row."""
    errors = np.asarray(pd.to_numeric(df[column], errors="coerce"), dtype=np.float64)
    statuses = df["status"] if "status" in df.columns else [None] * len(df)
    pairs = zip(errors.tolist(), statuses, strict=True)
    return np.array([counted_error(error, status) for error, status in pairs], dtype=np.float64)


def error_statistics(errors: np.ndarray) -> dict[str, float]:
    """Means, medians and spreads of counted errors.

    One infinite error makes both means infinite and leaves them without a spread; the median is
    finite as long as more than half of the errors are.

    Args:
        errors: (runs,) float64, from :func:`errors_of`; may be empty.

    Returns:
        ``mean``, ``standard_error`` (of the mean: NaN for one run), ``median``, ``q25``, ``q75``,
        ``geometric_mean``, ``geometric_factor`` (exp of the standard error of the mean logarithm)
        and ``n_diverged``, the number of infinite errors; NaN where there are no runs.
    """
    n = len(errors)
    n_diverged = int(np.isinf(errors).sum())
    if n == 0:
        names = ("mean", "standard_error", "median", "q25", "q75", "geometric_mean")
        return dict.fromkeys((*names, "geometric_factor"), math.nan) | {"n_diverged": 0}
    ranked = np.sort(errors)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        logs = np.log(errors)
        mean, log_mean = errors.mean(), logs.mean()
        has_spread = n > 1 and np.isfinite(mean)
        has_log_spread = n > 1 and np.isfinite(log_mean)
        return {
            "mean": mean,
            "standard_error": errors.std(ddof=1) / np.sqrt(n) if has_spread else math.nan,
            "median": (ranked[(n - 1) // 2] + ranked[n // 2]) / 2,
            "q25": np.quantile(errors, 0.25, method="inverted_cdf"),
            "q75": np.quantile(errors, 0.75, method="inverted_cdf"),
            "geometric_mean": np.exp(log_mean),
            "geometric_factor": (
                np.exp(logs.std(ddof=1) / np.sqrt(n)) if has_log_spread else math.nan
            ),
            "n_diverged": n_diverged,
        }
