"""All figures of a sweep, from its folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from llr._files import made_folder
from llr.analysis import NOT_TRAINED
from llr.report._figure_data import choose_runs
from llr.report._heat_map import plot_heat_map
from llr.report._loss_curves import plot_loss_curves
from llr.report._style import save_figure
from llr.report._sweep_in_words import time_label
from llr.report._test_error import plot_test_error
from llr.sweep import StoredSweep, open_sweep

__all__ = ["draw_all", "plots_of"]


def draw_all(folder: Path | str, *, show: bool = False) -> list[Path]:
    """Draw the figures of a sweep into ``figures/`` of its folder, as PNG and SVG.

    ``test_error``, ``heat_map``, and ``loss_curves`` of a few runs where their losses were kept.

    Args:
        folder: of the sweep, finished or not.
        show: whether to open windows too; without a display none opens.

    Returns:
        The files; none if no run was trained yet.

    Raises:
        ResultsError: if the folder holds no sweep, or its results do not follow the schema.
    """
    sweep = open_sweep(folder)
    if sweep.n_finished == 0:
        return []
    plots = plots_of(sweep)
    target = made_folder(sweep.paths.figures)
    files = [path for name, plot in plots.items() for path in save_figure(plot(), target / name)]
    if show and _has_display():
        _open_windows(plots)
    return files


def plots_of(sweep: StoredSweep) -> dict[str, Callable[..., Figure]]:
    """The figures that the sweep has data for, by name."""
    trained = sweep.runs.loc[sweep.runs["status"] != NOT_TRAINED]
    plots: dict[str, Callable[..., Figure]] = {
        "test_error": partial(plot_test_error, trained),
        "heat_map": partial(plot_heat_map, trained),
    }
    chosen = choose_runs(trained)
    sizes, shown = trained["sample_size"].nunique(), chosen["sample_size"].nunique()
    caption = f"{shown} of {sizes} sample sizes" if shown < sizes else ""
    histories = sweep.histories(chosen["id"])
    if histories:
        plots["loss_curves"] = partial(
            plot_loss_curves,
            chosen,
            histories,
            time_label=time_label(sweep.config),
            caption=caption,
        )
    return plots


def _has_display() -> bool:
    """Whether a window could open."""
    if sys.platform.startswith(("win", "darwin")):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open_windows(plots: dict[str, Callable[..., Figure]]) -> None:
    """Draw into windows and wait until they are closed."""
    import matplotlib.pyplot as plt

    for name, plot in plots.items():
        plot(figure=plt.figure(name, clear=True))
    canvas = plt.gcf().canvas
    if getattr(canvas, "required_interactive_framework", None):
        plt.show()
    for name in plots:
        plt.close(name)
