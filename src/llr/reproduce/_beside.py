"""Figure: numbers of the theory beside measured ones, a row each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from llr.report import figure_of, style

__all__ = ["draw_beside"]


@style()
def draw_beside(
    labels: Sequence[str],
    expected: Sequence[float],
    measured: Sequence[float | None],
    *,
    bounds: Sequence[bool] | None = None,
    quantity: str = "number of samples n",
    log: bool = False,
) -> Figure:
    """Draw what the theory says as bars across and what was measured as dots.

    Args:
        labels: names of the rows.
        expected: by the theory.
        measured: None where nothing was.
        bounds: whether the theory has only an upper bound; None: nowhere.
        quantity: name of the axis.
        log: whether the axis is logarithmic.

    Returns:
        The figure.
    """
    figure = figure_of(None, 5.0, 0.17 * len(labels) + 0.75)
    ax = figure.subplots()
    rows, theory = np.arange(len(labels)), np.asarray(expected, dtype=float)
    dots = np.array([np.nan if value is None else value for value in measured], dtype=float)
    bound = np.zeros(len(labels), bool) if bounds is None else np.asarray(bounds, dtype=bool)
    ax.hlines(rows, 1 if log else 0, theory, color="#dddddd", lw=0.8, zorder=0)
    red = "#D00000"
    ax.plot(theory[~bound], rows[~bound], "|", color=red, ms=9, mew=1.6, label="theory")
    if bound.any():
        ax.plot(theory[bound], rows[bound], "<", color=red, ms=5, mfc="none", label="upper bound")
    ax.plot(dots, rows, "o", color="black", ms=2.8, label="measured")
    ax.set_yticks(rows, labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.set_xscale("log" if log else "linear")
    ax.set_xlim(1 if log else 0, None)
    ax.set_xlabel(quantity)
    ax.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper right", ncols=3)
    return figure
