"""Figure: the papers' heat map of test errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LogNorm
from matplotlib.figure import Figure

from llr.errors import InvalidInputError
from llr.report._display_names import short_number
from llr.report._figure_data import Center, HeatPanel, heat_panels
from llr.report._style import COLUMN, figure_of, plain, style, thinned

__all__ = ["boundary", "plot_heat_map", "plot_heat_panels"]

_LABELS = {"mean": "mean", "median": "median", "geometric_mean": "geometric mean of"}
_MISSING = "#dddddd"

# With more columns than this the cells are too narrow for numbers.
_MOST_NUMBERS = 9

# Inches of all rows together.
_TALLEST = 40


def plot_heat_map(
    df: pd.DataFrame,
    *,
    center: Center = "mean",
    limits: tuple[float, float] = (1e-6, 1.0),
    by: Sequence[str] | None = None,
    figure: Figure | None = None,
) -> Figure:
    """Draw the papers' heat map: one row per architecture or setting, one column per sample size.

    The colour is the test MSE, on a logarithmic scale; beyond the limits it stays that of the
    end. A dashed line marks the first column that reaches the optimistic sample size. Cells
    without runs are grey and crossed out, cells with a run that diverged hold a cross.

    Args:
        df: one row per run, with columns ``sample_size``, ``test_mse`` and perhaps ``model``,
            ``scale``, ``width``, ``init_std``, ``optimistic_sample_size``.
        center: of the runs of one setting and sample size.
        limits: of the colour scale.
        by: columns that tell settings apart; None: all that a config could set and that vary.
        figure: to draw into, such as ``plt.figure()`` for a window; None: a new one without.

    Returns:
        The figure.

    Raises:
        InvalidInputError: if a column is missing, the table empty, the centre unknown, the limits
            are not positive and ascending, or runs of one setting differ in a column of unknown
            meaning.

    References:
        Zhang et al., JMLR 26(69), 2025, Fig. 3.
    """
    panels = heat_panels(df, center=center, by=by)
    return plot_heat_panels(
        panels, label=f"{_LABELS[center]} test MSE", limits=limits, figure=figure
    )


@style()
def plot_heat_panels(
    panels: Sequence[HeatPanel],
    *,
    columns: int = 1,
    label: str = "mean test MSE",
    limits: tuple[float, float] = (1e-6, 1.0),
    figure: Figure | None = None,
) -> Figure:
    """Draw heat maps side by side, as :func:`plot_heat_map` draws them, under one colour scale.

    Args:
        panels: what to draw, row by row.
        columns: panels in a row.
        label: of the colour scale.
        limits: of the colour scale.
        figure: to draw into; None: a new one without a window.

    Returns:
        The figure.

    Raises:
        InvalidInputError: if the limits are not positive and ascending.
    """
    if not 0 < limits[0] < limits[1]:
        raise InvalidInputError(f"limits must be positive and ascending, got {limits!r}.")
    lines = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    heights = [max(len(panel.rows) for panel in line) for line in lines]
    per_row = 0.26 if sum(heights) <= 12 else min(0.17, _TALLEST / sum(heights))
    height = per_row * sum(heights) + 0.25 * len(lines) + 1.05
    drawn = figure_of(figure, COLUMN * columns, height)
    axes = drawn.subplots(
        len(lines), columns, sharex="col", squeeze=False, height_ratios=heights
    ).ravel()
    colours, norm = colormaps["viridis"], LogNorm(*limits, clip=True)
    for ax, panel in zip(axes, panels, strict=False):
        _draw_panel(ax, panel, colours, norm)
        if columns == 1:
            ax.label_outer()
    for ax in axes[len(panels) :]:
        ax.remove()
    values = np.concatenate([row.values for panel in panels for row in panel.rows])
    below, above = (values < limits[0]).any(), (values > limits[1]).any()
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max"}
    scale = drawn.colorbar(
        ScalarMappable(norm, colours),
        ax=list(axes[: len(panels)]),
        location="top",
        extend=extend.get((bool(below), bool(above)), "both"),
        label=label,
        aspect=40,
        pad=0.02,
    )
    scale.minorticks_off()
    return drawn


def boundary(sample_sizes: np.ndarray, optimistic: int | None) -> float | None:
    """Where the optimistic sample size stands among columns 0, 1, ...: before the first n >= O."""
    if optimistic is None or optimistic > sample_sizes[-1]:
        return None
    return float(np.searchsorted(sample_sizes, optimistic)) - 0.5


def _draw_panel(ax: Axes, panel: HeatPanel, colours: Colormap, norm: LogNorm) -> None:
    """One panel of cells."""
    values = np.array([row.values for row in panel.rows])
    rows, columns = values.shape
    pixels = colours(norm(np.where(np.isfinite(values), values, np.finfo(float).max)))
    pixels[np.isnan(values)] = (0, 0, 0, 0)
    ax.patch.set(facecolor=_MISSING, hatch="xxxx", edgecolor="white")
    ax.imshow(pixels, aspect="auto", interpolation="nearest")
    if columns <= _MOST_NUMBERS:
        _write_numbers(ax, values, pixels)
    else:
        for i, j in np.argwhere(np.isinf(values)):
            ax.text(j, i, "\N{MULTIPLICATION SIGN}", ha="center", va="center", fontsize=6)
    for i, row in enumerate(panel.rows):
        x = boundary(panel.sample_sizes, row.optimistic_sample_size)
        if x is not None:
            ax.plot([x, x], [i - 0.5, i + 0.5], color="white", lw=2.2, solid_capstyle="butt")
            ax.plot([x, x], [i - 0.5, i + 0.5], color="#D00000", lw=1.3, ls=(0, (2.2, 1.2)))
    ax.set_yticks(range(rows), [plain(row.label) for row in panel.rows])
    ticks = thinned(columns, 10)
    if (panel.sample_sizes[ticks] == 1).any() and columns > 10:  # 1, 11, 21 -> 10, 20, 30
        ticks = np.flatnonzero(panel.sample_sizes % (ticks[1] - ticks[0]) == 0)
    ax.set_xticks(ticks, [f"{n:g}" for n in panel.sample_sizes[ticks]])
    known = any(row.optimistic_sample_size is not None for row in panel.rows)
    ax.set_xlabel("number of samples n" + "\n(dashed: optimistic sample size)" * known)
    ax.tick_params(length=2)
    ax.spines[:].set_visible(False)
    ax.set_title(plain(panel.title), loc="left", pad=3)


def _write_numbers(ax: Axes, values: np.ndarray, pixels: np.ndarray) -> None:
    """The error in every cell, dark on light and light on dark."""
    brightness = pixels[..., :3] @ np.array([0.299, 0.587, 0.114])
    for (i, j), value in np.ndenumerate(values):
        if not np.isnan(value):
            text = (
                "\N{MULTIPLICATION SIGN}"
                if np.isinf(value)
                else "0"
                if value == 0
                else short_number(value)
            )
            colour = "black" if brightness[i, j] > 0.5 else "white"
            ax.text(j, i, text, ha="center", va="center", fontsize=6.5, color=colour)
