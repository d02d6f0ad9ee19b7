"""The papers' heat maps: test error against number of samples, and where each row switches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from llr.analysis import shared_value, summary_table, transition
from llr.report import HeatPanel, HeatRow

__all__ = ["from_on", "heat_panel", "rows_of", "switching_table", "whole"]


def heat_panel(
    title: str, summary: pd.DataFrame, labels: Mapping[Any, str], *, column: str
) -> HeatPanel:
    """A panel of one row for each label, in the order given.

    Args:
        title: of the panel.
        summary: from :func:`llr.analysis.summary_table`, the rows of this panel only.
        labels: row names by value of ``column``.
        column: column of the summary that tells the rows apart.

    Returns:
        The panel.
    """
    sizes = np.sort(summary["sample_size"].unique()).astype(np.float64)
    rows = []
    for value, label in labels.items():
        cells = summary[summary[column] == value].set_index("sample_size")
        rows.append(
            HeatRow(
                label=label,
                values=cells["mean"].reindex(sizes).to_numpy(dtype=np.float64),
                n_runs=cells["n_runs"].reindex(sizes, fill_value=0).to_numpy(dtype=np.int64),
                optimistic_sample_size=whole(shared_value(cells, "optimistic_sample_size")),
            )
        )
    return HeatPanel(title, sizes, tuple(rows))


def switching_table(
    runs: pd.DataFrame,
    *,
    by: Sequence[str],
    threshold: float,
    expected: Callable[[Mapping[str, Any]], float | None],
) -> pd.DataFrame:
    """Where each row switches, beside the theory and the paper.

    Args:
        runs: one row per run.
        by: columns that tell rows apart.
        threshold: of the test MSE.
        expected: the paper's figure for a row, given its values of ``by``.

    Returns:
        A row each: ``by``, ``optimistic_sample_size``, ``paper``, first n with the median and with
        the mean below the threshold, and n where half the runs recover with a 95% interval from
        redrawing seeds; NA where it lies beyond the largest n.
    """
    rows = []
    for values, group in runs.groupby(list(by), sort=False):
        setting = dict(zip(by, values, strict=True))
        summary = summary_table(group, threshold=threshold, by=by)
        measured = group.filter(items=["sample_size", "seed", "status", "test_mse"])
        half = transition(measured, threshold=threshold, n_bootstrap=500)
        rows.append(
            {
                **setting,
                "optimistic_sample_size": shared_value(group, "optimistic_sample_size"),
                "paper": expected(setting),
                "median_first_below": first_below(summary, "median", threshold),
                "mean_first_below": first_below(summary, "mean", threshold),
                "half_recover_at": whole(half.sample_size),
                "half_recover_low": whole(half.low),
                "half_recover_high": whole(half.high),
                "largest_n": int(group["sample_size"].max()),
                "n_seeds": int(group["seed"].nunique()),
            }
        )
    table = pd.DataFrame(rows)
    integers = [name for name in table.columns if name not in (*by, "paper")]
    return table.astype(dict.fromkeys(integers, "Int64"))


def first_below(summary: pd.DataFrame, column: str, threshold: float) -> int | None:
    """The first sample size at which a column of a summary is below a threshold.

    Example:
        >>> table = pd.DataFrame({"sample_size": [5, 6, 7], "mean": [1.0, 1e-4, 1e-9]})
        >>> first_below(table, "mean", 1e-3)
        6
    """
    below = summary.loc[summary[column] < threshold, "sample_size"]
    return None if below.empty else int(below.min())


def from_on(sample_sizes: pd.Series, holds: pd.Series) -> int | None:
    """The first sample size from which on something holds; None if it fails at the last.

    Example:
        >>> from_on(pd.Series([5, 6, 7, 8]), pd.Series([True, False, True, True]))
        7
    """
    failed = sample_sizes[~holds]
    later = sample_sizes if failed.empty else sample_sizes[sample_sizes > failed.max()]
    return None if later.empty else int(later.min())


def whole(value: Any) -> int | None:
    """A Python integer; None where the value is missing or not finite.

    Example:
        >>> whole(7.0), whole(math.inf), whole(pd.NA)
        (7, None, None)
    """
    return None if pd.isna(value) or not math.isfinite(value) else int(value)


def rows_of(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows of a table, each column an attribute."""
    return iter(frame.itertuples())
