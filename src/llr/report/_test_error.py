"""Figure: test error against the number of samples, every architecture on one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from llr.report._display_names import architecture_name, colour_of
from llr.report._figure_data import Center, Curve, CurvePanel, curve_panels
from llr.report._style import (
    GREY,
    MOST_PANELS,
    across,
    decade_limits,
    mark_sample_sizes,
    panel_axes,
    plain,
    style,
    thinned,
)

__all__ = ["plot_test_error"]

_MARKERS = "osD^vPX"
_DIVERGED = "x"
_DASHED = {"ls": (0, (4, 2)), "lw": 0.9}
_LABELS = {"mean": "mean", "median": "median", "geometric_mean": "geometric mean of"}


@style()
def plot_test_error(
    df: pd.DataFrame,
    *,
    center: Center = "mean",
    by: Sequence[str] | None = None,
    figure: Figure | None = None,
) -> Figure:
    """Draw the test error against the number of samples, one curve per architecture.

    Each setting (scale, width, initialisation, and optimizer, learning rate, target, noise and the
    like where the table has them) has a panel of its own. Bars are one standard error, or the
    quartiles for the median. A dashed line marks each optimistic sample size. An error of
    zero is a hollow triangle at the lower edge, a cross at the upper edge stands where a run
    diverged. Of very many settings an even choice is shown, and the figure says so.

    Args:
        df: one row per run, with columns ``sample_size``, ``test_mse`` and perhaps ``model``,
            ``scale``, ``width``, ``init_std``, ``optimistic_sample_size``.
        center: of the runs of one setting and sample size.
        by: columns that tell settings apart; None: all that a config could set and that vary.
        figure: to draw into, such as ``plt.figure()`` for a window; None: a new one without.

    Returns:
        The figure.

    Raises:
        InvalidInputError: if a column is missing, the table empty or the centre unknown, or if
            runs of one setting differ in a column of unknown meaning.
    """
    settings = curve_panels(df, center=center, by=by)
    panels = [settings[i] for i in thinned(len(settings), MOST_PANELS)]
    models = list(dict.fromkeys(c.model for panel in panels for c in panel.curves))
    colours = colour_of(models)
    markers = dict(zip(models, cycle(_MARKERS), strict=False))
    drawn, axes = panel_axes(
        figure, len(panels), xlabel="number of samples n", ylabel=f"{_LABELS[center]} test MSE"
    )
    limits = decade_limits(
        np.concatenate([e for p in panels for c in p.curves for e in (c.center, c.high)])
    )
    for ax, panel in zip(axes, panels, strict=True):
        _draw_panel(ax, panel, colours, markers, limits)
    if len(panels) < len(settings):
        drawn.supxlabel(
            f"{len(panels)} of {len(settings)} settings", x=0.98, ha="right", fontsize=8
        )
    _draw_legend(drawn, panels, colours, markers, columns=2 if len(panels) < 3 else 4)
    return drawn


def _draw_legend(
    figure: Figure,
    panels: Sequence[CurvePanel],
    colours: Mapping[Any, str],
    markers: Mapping[Any, str],
    *,
    columns: int,
) -> None:
    """Architectures with their optimistic sample sizes, above the panels."""
    handles = []
    for model, colour in colours.items():
        curves = [c for panel in panels for c in panel.curves if c.model == model]
        sizes = {c.optimistic_sample_size for c in curves} - {None}
        name = architecture_name(model) + (f" (O = {sizes.pop()})" if len(sizes) == 1 else "")
        handles.append(Line2D([], [], color=colour, marker=markers[model], label=plain(name)))
    if any(c.optimistic_sample_size is not None for panel in panels for c in panel.curves):
        handles.append(Line2D([], [], color=GREY, **_DASHED, label="optimistic size O"))
    if any(np.isinf(c.center).any() for panel in panels for c in panel.curves):
        handles.append(Line2D([], [], color=GREY, ls="", marker=_DIVERGED, label="a run diverged"))
    figure.legend(
        handles=across(handles, columns),
        loc="outside upper left",
        ncols=columns,
        columnspacing=1.2,
        handlelength=1.8,
    )


def _draw_panel(
    ax: Axes,
    panel: CurvePanel,
    colours: Mapping[Any, str],
    markers: Mapping[Any, str],
    limits: tuple[float, float],
) -> None:
    """One setting: its curves, bars and optimistic sample sizes."""
    ax.set(yscale="log", ylim=limits)
    ax.yaxis.set_minor_locator(NullLocator())
    sizes = np.unique(np.concatenate([curve.sample_size for curve in panel.curves]))
    mark_sample_sizes(ax, sizes, most=8)
    for curve in panel.curves:
        colour = colours[curve.model]
        _draw_curve(ax, curve, colour, markers[curve.model], limits)
        if curve.optimistic_sample_size is not None:
            ax.axvline(curve.optimistic_sample_size, color=colour, **_DASHED, zorder=1)
    ax.set_title(plain(panel.title), loc="left")


def _draw_curve(
    ax: Axes, curve: Curve, colour: str, marker: str, limits: tuple[float, float]
) -> None:
    """A line with bars through the values that the axis has; marks at its ends for the rest."""
    bottom, top = limits
    good = (curve.center >= bottom) & (curve.center <= top)
    shown = np.where(good, curve.center, np.nan)
    low = np.where(good, np.clip(curve.low, bottom, None), np.nan)
    high = np.where(good, np.clip(curve.high, None, top), np.nan)
    ax.errorbar(
        curve.sample_size,
        shown,
        yerr=[np.maximum(shown - low, 0), np.maximum(high - shown, 0)],
        color=colour,
        marker=marker,
        ms=3.2 if len(shown) <= 25 else 2.0,
        elinewidth=0.7,
        zorder=3,
        clip_on=not good.any(),  # whole markers at the ends; empty lines upset the layout
    )
    for where, edge, mark in (
        (curve.center < bottom, bottom, "v"),
        ((curve.center > top) & np.isfinite(curve.center), top, "^"),
        (np.isinf(curve.center), top, _DIVERGED),
    ):
        if where.any():
            ax.plot(
                curve.sample_size[where],
                np.full(where.sum(), edge),
                mark,
                mfc="white",
                color=colour,
                clip_on=False,
                zorder=4,
            )
