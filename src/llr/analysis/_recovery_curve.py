"""The share of runs that recover the target, against the number of samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtri

from llr._constants import RECOVERY_THRESHOLD
from llr.analysis._run_errors import errors_of
from llr.analysis._run_table import groups, trained
from llr.analysis._setting_columns import group_columns
from llr.errors import InvalidInputError, check_number

__all__ = ["recovery_curve", "wilson_interval"]


def wilson_interval(
    successes: np.ndarray | int, trials: np.ndarray | int, *, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    r"""Wilson's interval for a probability: all p that a score test does not reject.

    The ends solve :math:`|k/n - p| = z \sqrt{p (1 - p) / n}` with :math:`z` the normal quantile at
    (1 + confidence) / 2. Unlike the textbook interval it has a width at k = 0 and k = n.

    Args:
        successes: k, any shape.
        trials: n >= 1, broadcast against k.
        confidence: in (0, 1).

    Returns:
        Lower and upper ends, float64, in [0, 1].

    Raises:
        InvalidInputError: unless 0 <= k <= n and n >= 1.

    References:
        Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Example:
        >>> low, high = wilson_interval(9, 10)
        >>> round(float(low), 3), round(float(high), 3)
        (0.596, 0.982)
    """
    check_number("confidence", confidence, above=0.0, below=1.0)
    k, n = np.broadcast_arrays(np.asarray(successes, float), np.asarray(trials, float))
    if not ((n >= 1) & (k >= 0) & (k <= n)).all():
        raise InvalidInputError(
            f"successes must lie in 0..trials and trials be >= 1, got {successes!r} of {trials!r}."
        )
    z = float(ndtri((1 + confidence) / 2))
    p = k / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low = np.where(k == 0, 0.0, centre - half)
    high = np.where(k == n, 1.0, centre + half)
    return low, high


def recovery_curve(
    df: pd.DataFrame,
    *,
    threshold: float = RECOVERY_THRESHOLD,
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """The share of runs that recover the target, for each setting and sample size.

    A run recovers if its test MSE is below the threshold; one that diverged does not, and one
    whose status is ``error`` was not trained and is left out.

    Args:
        df: one row per run, with columns ``sample_size``, ``test_mse`` and those of ``by``.
        threshold: of the test MSE, > 0.
        by: columns that tell settings apart; None: those of ``GROUP_COLUMNS`` that there are, and
            others that a config could set (optimizer, learning rate, target, ...) where they vary.
        confidence: of Wilson's interval.

    Returns:
        One row per setting and sample size: the columns of ``by``, ``sample_size``, ``n_runs``,
        ``n_recovered``, ``share``, ``low``, ``high``.

    Raises:
        InvalidInputError: if a column is missing, the table empty or an option wrong.

    Example:
        >>> runs = pd.DataFrame({"sample_size": [5, 5, 9, 9], "test_mse": [1.0, 1e-5, 1e-6, 1e-7]})
        >>> recovery_curve(runs)["share"].tolist()
        [0.5, 1.0]
    """
    check_number("threshold", threshold, above=0.0)
    df = trained(df, ["sample_size", "test_mse"])
    names = group_columns(df, by)
    rows = []
    for setting, runs in groups(df, names):
        recovered = pd.Series(errors_of(runs) < threshold, index=runs["sample_size"].to_numpy())
        counts = recovered.groupby(level=0).agg(["size", "sum"])
        for size, (n_runs, n_recovered) in zip(counts.index, counts.to_numpy(), strict=True):
            rows.append(
                {**setting, "sample_size": size, "n_runs": n_runs, "n_recovered": n_recovered}
            )
    curve = pd.DataFrame(rows, columns=[*names, "sample_size", "n_runs", "n_recovered"])
    low, high = wilson_interval(
        curve["n_recovered"].to_numpy(), curve["n_runs"].to_numpy(), confidence=confidence
    )
    return curve.assign(share=curve["n_recovered"] / curve["n_runs"], low=low, high=high)
