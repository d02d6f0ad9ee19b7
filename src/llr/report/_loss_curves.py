"""Figure: losses along training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from llr.errors import InvalidInputError
from llr.report._display_names import architecture_name, sci, setting_columns
from llr.report._figure_data import label_settings
from llr.report._style import (
    GREY,
    MOST_PANELS,
    across,
    decade_limits,
    panel_axes,
    plain,
    style,
    thinned,
)

__all__ = ["plot_loss_curves"]

History = Mapping[str, Sequence[float | None]]


@style()
def plot_loss_curves(
    df: pd.DataFrame,
    histories: Mapping[str, History],
    *,
    time_label: str = "steps",
    caption: str = "",
    by: Sequence[str] | None = None,
    figure: Figure | None = None,
) -> Figure:
    """Draw the losses along runs: test MSE solid, training MSE dotted.

    Each architecture has a panel, and each setting where the runs have several. Scale (or width),
    initial standard deviation and seed stand below the panels, or above each where they differ.
    Of very many panels an even choice is shown, and the figure says so.

    Args:
        df: the runs to draw, with columns ``id``, ``sample_size`` and perhaps ``model``,
            ``scale``, ``width``, ``init_std``, ``seed``.
        histories: for each id, ``at``, ``train_mse`` and ``test_mse``; runs without one are
            left out.
        time_label: what ``at`` counts.
        caption: what else to say below the panels.
        by: columns that tell settings apart; None: all that a config could set and that vary.
        figure: to draw into, such as ``plt.figure()`` for a window; None: a new one without.

    Returns:
        The figure.

    Raises:
        InvalidInputError: if no run has a history, or runs of one setting differ in a column of
            unknown meaning.
    """
    shown = df.loc[df["id"].isin(list(histories))]
    if shown.empty:
        raise InvalidInputError("At least one of the runs must have a history of losses, got none.")
    named = setting_columns(shown, by)
    groups = label_settings(shown, by).groupby(["model", "setting"], sort=False)
    every = [(model, setting, runs) for (model, setting), runs in groups]
    panels = [every[i] for i in thinned(len(every), MOST_PANELS)]
    drawn, axes = panel_axes(figure, len(panels), xlabel=time_label, ylabel="MSE")
    losses = [_losses(histories[run]) for *_, runs in panels for run in runs["id"]]
    limits = decade_limits(np.concatenate([v for _, *both in losses for v in both]))
    which = [_shared(runs, without=named) for *_, runs in panels]
    alike = len(set(which)) == 1
    for ax, (model, setting, runs), words in zip(axes, panels, which, strict=True):
        _draw_runs(ax, runs, histories)
        ax.set(xscale="log", yscale="log", ylim=limits)
        title = [architecture_name(model), setting, *(() if alike else words)]
        ax.set_title(plain(", ".join(filter(None, title))), loc="left")
    handles, labels = axes[0].get_legend_handles_labels()
    together = len(axes) > 1 and all(
        ax.get_legend_handles_labels()[1] == labels for ax in axes[1:]
    )  # then there is room for them above the panels
    for ax in () if together else axes:
        ax.legend(loc="lower left", handlelength=1.2, labelspacing=0.2)
    key = [
        *(handles if together else ()),
        Line2D([], [], color=GREY, label="test"),
        Line2D([], [], color=GREY, ls=(0, (1, 1.2)), lw=0.9, label="train"),
    ]
    columns = _columns([str(line.get_label()) for line in key], drawn.get_size_inches()[0])
    drawn.legend(
        handles=across(key, columns),
        loc="outside upper right",
        ncols=columns,
        columnspacing=1.2,
        handlelength=1.2,
    )
    few = f"{len(panels)} of {len(every)} settings" if len(panels) < len(every) else ""
    if below := ", ".join(filter(None, [*(which[0] if alike else ()), caption, few])):
        drawn.supxlabel(plain(below), x=0.98, ha="right", fontsize=8)
    return drawn


def _draw_runs(ax: Axes, runs: pd.DataFrame, histories: Mapping[str, History]) -> None:
    """The losses of the runs of one setting, from few samples to many."""
    runs = runs.sort_values("sample_size", kind="stable")
    seeds = runs["seed"] if "seed" in runs and runs["seed"].nunique() > 1 else [None] * len(runs)
    colours = colormaps["viridis"](np.linspace(0.0, 0.85, len(runs)))
    for run, n, seed, colour in zip(runs["id"], runs["sample_size"], seeds, colours, strict=True):
        at, train, test = _losses(histories[run])
        ax.plot(at, test, color=colour, label=f"n = {n:g}" + _seed_label(seed))
        ax.plot(at, train, color=colour, ls=(0, (1, 1.2)), lw=0.9)


def _seed_label(seed: float | None) -> str:
    """The seed of a run where the runs of a panel have several."""
    return "" if seed is None else f", seed {seed:g}"


def _shared(runs: pd.DataFrame, *, without: Sequence[str]) -> tuple[str, ...]:
    """Settings that all these runs share, in words: ``scale 4``, ``std 1e-10``, ``seed 0``."""
    settings = runs.filter(items=["scale", "width", "init_std", "seed"])
    found = {str(name): list(settings[name].dropna().unique()) for name in settings}
    if found.get("scale"):
        found.pop("width", None)  # follows from the scale
    found = {name: values for name, values in found.items() if name not in without}
    return tuple(
        f"{name.removeprefix('init_')} {sci(values[0])}"
        for name, values in found.items()
        if len(values) == 1
    )


def _columns(labels: Sequence[str], width: float) -> int:
    """How many legend entries fit into a row of this width in inches."""
    return max(1, min(len(labels), int(width / (0.36 + 0.065 * max(map(len, labels))))))


def _losses(history: History) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moments, training and test losses; values that a logarithmic axis cannot show are NaN."""
    at, train, test = (
        np.array([math.nan if v is None else v for v in history[name]], dtype=np.float64)
        for name in ("at", "train_mse", "test_mse")
    )
    at, train, test = (np.where(np.isfinite(v) & (v > 0), v, np.nan) for v in (at, train, test))
    return at, train, test
