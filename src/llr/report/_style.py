"""The look of the figures: sizes in inches, readable when printed 7 cm wide."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from llr._files import written_aside

__all__ = [
    "COLUMN",
    "GREY",
    "MOST_PANELS",
    "across",
    "decade_limits",
    "figure_of",
    "mark_sample_sizes",
    "panel_axes",
    "plain",
    "save_figure",
    "style",
    "thinned",
]

COLUMN = 3.4
"""Width of a figure of one panel."""

GREY = "#666666"

MOST_PANELS = 24
"""Panels of a figure; of more settings an even choice is drawn."""

_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "llr",
    "savefig.dpi": 300,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw and save in this style, whatever the user's own settings; they stay as they were."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def figure_of(figure: Figure | None, width: float, height: float) -> Figure:
    """The user's figure, or a new one that needs no window, at a size."""
    drawn = Figure() if figure is None else figure
    drawn.set_size_inches(width, height)
    drawn.set_layout_engine("constrained")
    return drawn


def panel_axes(
    figure: Figure | None, count: int, *, xlabel: str, ylabel: str
) -> tuple[Figure, list[Axes]]:
    """Panels that share both axes, at most three per row, labelled at the outer edges only."""
    columns = min(count, 3)
    rows = math.ceil(count / columns)
    drawn = figure_of(
        figure,
        COLUMN if columns == 1 else 2.3 * columns,
        (2.1 if columns == 1 else 1.8) * rows + 0.5,
    )
    axes = drawn.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax in axes[count:]:
        ax.remove()
    for i, ax in enumerate(axes[:count]):
        left, lowest = i % columns == 0, i + columns >= count
        ax.tick_params(labelleft=left, labelbottom=lowest)
        ax.set(xlabel=xlabel if lowest else "", ylabel=ylabel if left else "")
    return drawn, list(axes[:count])


@style()
def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and SVG; the same figure gives the same bytes.

    Args:
        figure: what to write.
        stem: path without a suffix; its folder must exist.

    Returns:
        The two paths.
    """
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in ("png", "svg")]
    for path in paths:
        metadata = {"Date": None} if path.suffix == ".svg" else None
        with written_aside(path) as file:
            figure.savefig(file, format=path.suffix[1:], metadata=metadata)
    return paths


def across(handles: Sequence[Any], columns: int) -> list[Any]:
    """Legend handles, reordered so that rows (not columns) follow the given order."""
    return [handle for column in range(columns) for handle in handles[column::columns]]


def plain(text: str) -> str:
    """Text that Matplotlib shows as it is, dollar signs included."""
    return text.replace("$", r"\$")


def thinned(count: int, most: int) -> np.ndarray:
    """Positions of at most ``most`` evenly spread labels among ``count``."""
    step = next(s for s in _steps() if math.ceil(count / s) <= most)
    return np.arange(0, count, step)


def _steps() -> Iterator[int]:
    """1, 2, 5, 10, 20, 50, ..."""
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10


def decade_limits(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Powers of ten around the positive finite values, at least two apart, within 1e-100..1e100."""
    array = np.asarray(values, dtype=np.float64)
    good = array[np.isfinite(array) & (array > 0)]
    if not good.size:
        return 1e-6, 1.0
    low = max(math.floor(math.log10(good.min())), -100)
    high = min(math.ceil(math.log10(good.max())), 100)
    return 10.0**low, 10.0 ** max(high, low + 2)


def mark_sample_sizes(ax: Axes, sizes: np.ndarray, *, most: int) -> None:
    """Ticks at sample sizes; a logarithmic axis where they spread unevenly."""
    gaps = np.diff(sizes)
    if gaps.size and gaps.max() > 3 * gaps.min():
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(FixedLocator(list(sizes[thinned(len(sizes), most)])))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    elif len(sizes) <= most:
        ax.set_xticks(sizes)
    else:
        ax.locator_params(axis="x", nbins=most, integer=True)
