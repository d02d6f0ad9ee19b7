"""Local recovery: the order of the test error in the distance from the target."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from llr.analysis import errors_of, exponent
from llr.models import two_layer_structure
from llr.report import figure_of, style
from llr.reproduce._beside import draw_beside
from llr.reproduce._heat_maps import from_on, rows_of, whole
from llr.reproduce._judgement import Finished, Outcome
from llr.reproduce._verdict import Comparison, Verdict
from llr.sweep import grid
from llr.theory import optimistic_sample_size

__all__ = ["error_orders", "judge", "local_errors", "onset"]

_BETWEEN_2_AND_4 = 3.0
"""An exponent above this is nearer 4 than 2."""

_BETWEEN_4_AND_8 = 6.0
"""An exponent above this is nearer 8 than 4."""

_RED = "#D00000"

_REACH = 1e-24
"""Test errors below this are out of reach: trained to 1e-29, near float64 rounding squared, times
the ill-conditioning of the samples."""


def judge(finished: Finished) -> Outcome:
    """Cliffs in the test error beside the optimistic sample sizes."""
    theory = _theory(finished)
    runs = finished.runs.drop(columns="optimistic_sample_size", errors="ignore")
    runs = runs.merge(theory[["variant", "optimistic_sample_size"]], on="variant")
    errors, orders = local_errors(runs), error_orders(runs)
    cliffs = _cliffs(orders).merge(theory.drop(columns="optimistic_sample_size"), on="variant")
    known = set(cliffs["variant"])
    headline = {name: t for name, t in finished.paper["headline"].items() if name in known}
    figures = {}
    if headline:
        figures["local_recovery"] = draw_cliffs(errors, orders, headline)
    if len(cliffs) > len(headline):
        figures["every-setting"] = draw_beside(
            list(cliffs["variant"]),
            list(cliffs["optimistic_sample_size"]),
            [whole(n) for n in cliffs["measured"]],
            bounds=list(cliffs["bound_only"]),
        )
    return Outcome(
        _verdict(finished.name, cliffs),
        figures,
        {"errors": errors, "exponents": orders, "transitions": cliffs},
    )


def _theory(finished: Finished) -> pd.DataFrame:
    """The values of the theory, one row per variant.

    ``optimistic_sample_size`` is the least upper bound, ``bound_only`` whether it is no more than
    that. ``linear_part`` is the dimension of what neurons near zero add to lowest order, the linear
    functions and, with hidden biases, the constants, beyond an output bias's own; missing where
    the model is of another kind or has no neuron to spare.
    """
    rows = []
    for plan, config in finished.sweeps:
        spec = grid(config)[0]
        model = spec.build_model()
        size = optimistic_sample_size(model, spec.target.build())
        spare = two_layer_structure(model) is not None and size.upper < sum(
            p.numel() for p in model.parameters()
        )
        constants = bool(spec.hidden_bias) and not spec.output_bias
        rows.append(
            {
                "variant": plan.variant,
                "optimistic_sample_size": size.upper,
                "bound_only": size.value is None,
                "linear_part": spec.input_dim + constants if spare else None,
            }
        )
    return pd.DataFrame(rows).astype({"linear_part": "Int64"})


def local_errors(runs: pd.DataFrame) -> pd.DataFrame:
    """Median and quartiles of the test MSE / eps^2 over seeds, one row per variant, eps and n."""
    errors = errors_of(runs)
    groups = runs.assign(test_mse=errors, ratio=errors / runs["init_std"] ** 2).groupby(
        ["variant", "optimistic_sample_size", "init_std", "sample_size"], sort=False, dropna=False
    )
    table = groups.agg(
        n_runs=("ratio", "size"),
        converged=("status", lambda status: int((status == "converged").sum())),
        test_mse=("test_mse", "median"),
        ratio=("ratio", "median"),
        ratio_low=("ratio", lambda values: _quantile(values, 0.25)),
        ratio_high=("ratio", lambda values: _quantile(values, 0.75)),
    )
    return table.reset_index().rename(columns={"init_std": "eps"})


def _quantile(values: pd.Series, share: float) -> float:
    """A quantile, interpolated; infinite where it lies between infinite values."""
    with np.errstate(invalid="ignore"):
        found = float(np.quantile(values, share))
    return math.inf if math.isnan(found) else found


def error_orders(runs: pd.DataFrame) -> pd.DataFrame:
    r"""The exponent a of the test MSE ~ eps^a, one row per variant and n.

    Fitted for each seed, whose samples and direction of noise are the same for every eps; the
    median over the seeds, with the least and the greatest. Errors out of
    float64's reach are left out. A seed with a run that diverged has the exponent -inf: its error
    does not fall with eps.
    """
    runs = runs.assign(test_mse=errors_of(runs))
    rows = []
    keys = ["variant", "optimistic_sample_size", "sample_size"]
    for (variant, optimistic, size), group in runs.groupby(keys, sort=False, dropna=False):
        slopes = [
            _order(seed["init_std"].to_numpy(), seed["test_mse"].to_numpy())
            for _, seed in group[group["test_mse"] > _REACH].groupby("seed")
            if len(seed) > 1
        ]
        rows.append(
            {
                "variant": variant,
                "optimistic_sample_size": optimistic,
                "sample_size": size,
                "exponent": float(np.median(slopes)) if slopes else math.nan,
                "exponent_low": min(slopes, default=math.nan),
                "exponent_high": max(slopes, default=math.nan),
                "n_seeds": len(slopes),
            }
        )
    return pd.DataFrame(rows)


def _order(eps: np.ndarray, errors: np.ndarray) -> float:
    """The exponent of one seed's errors; -inf if a run diverged."""
    return exponent(eps, errors).value if np.isfinite(errors).all() else -math.inf


def onset(orders: pd.DataFrame, above: float) -> int | None:
    """The first n from which on the exponent stays above a value; None if it does not.

    Example:
        >>> table = pd.DataFrame({"sample_size": [5, 6, 7], "exponent": [2.0, 3.9, 4.1]})
        >>> onset(table, 3.0)
        6
    """
    known = orders.dropna(subset="exponent")
    return from_on(known["sample_size"], known["exponent"] > above)


def _cliffs(orders: pd.DataFrame) -> pd.DataFrame:
    """Where the exponent jumps, and what it is on both sides, one row per variant."""
    rows = []
    for variant, group in orders.groupby("variant", sort=False):
        first, second = (onset(group, value) for value in (_BETWEEN_2_AND_4, _BETWEEN_4_AND_8))
        below = group[group["sample_size"] < (first or math.inf)]
        between = group[group["sample_size"].between(first or math.inf, (second or math.inf) - 1)]
        rows.append(
            {
                "variant": variant,
                "optimistic_sample_size": group["optimistic_sample_size"].iloc[0],
                "measured": first,
                "exponent_below": below["exponent"].median(),
                "exponent_from": between["exponent"].median(),
                "next_order_from": second,
                "least_n": int(group["sample_size"].min()),
                "largest_n": int(group["sample_size"].max()),
            }
        )
    return pd.DataFrame(rows).astype({"measured": "Int64", "next_order_from": "Int64"})


def _verdict(name: str, cliffs: pd.DataFrame) -> Verdict:
    """Measured onset of fourth order beside the optimistic sample size, row by row."""
    comparisons = [
        Comparison(
            row.variant,
            expected=row.optimistic_sample_size,
            source="optimistic sample size",
            measured=whole(row.measured),
            relation="at most" if row.bound_only else "equals",
        )
        for row in rows_of(cliffs)
    ]
    second = cliffs.assign(expected=cliffs["optimistic_sample_size"] + cliffs["linear_part"])
    second = second[(second["expected"] <= second["largest_n"]).fillna(value=False)]
    comparisons += [
        Comparison(
            f"{row.variant}, second cliff",
            expected=int(row.expected),
            source="optimistic sample size and linear part",
            measured=whole(row.next_order_from),
        )
        for row in rows_of(second)
    ]
    exact = cliffs[~cliffs["bound_only"]]
    hits = int((exact["measured"] == exact["optimistic_sample_size"]).sum())
    headline = (
        f"The test error turns from order eps^{exact['exponent_below'].median():.2f} to "
        f"eps^{exact['exponent_from'].median():.2f} exactly at the optimistic sample size in "
        f"{hits} of {len(exact)} settings."
    )
    words = []
    deep = cliffs[cliffs["bound_only"]]
    if len(deep):
        pairs = ", ".join(
            f"{row.variant}: {row.measured} (bound {row.optimistic_sample_size:g})"
            for row in rows_of(deep)
        )
        words.append(f"Where only an upper bound is known: {pairs}.")
    if len(second):
        hits = int((second["next_order_from"] == second["expected"]).sum())
        words.append(f"The second cliff is where expected in {hits} of {len(second)}.")
    return Verdict(name, headline, tuple(comparisons), " ".join(words))


@style()
def draw_cliffs(errors: pd.DataFrame, orders: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Test MSE / eps^2 against n for every eps, and the exponent of eps, one column per variant."""
    figure = figure_of(None, 7.0, 3.9)
    axes = figure.subplots(
        2, len(titles), sharey="row", sharex="col", squeeze=False, height_ratios=(2.4, 1)
    )
    errors = errors[errors["variant"].isin(titles)]
    stds = sorted(errors["eps"].unique(), reverse=True)
    colours = dict(zip(stds, colormaps["viridis"](np.linspace(0.0, 0.85, len(stds))), strict=True))
    for (top, bottom), (variant, title) in zip(axes.T, titles.items(), strict=True):
        mine = errors[errors["variant"] == variant]
        _draw_errors(top, mine[(mine["test_mse"] > _REACH) & np.isfinite(mine["ratio"])], colours)
        order = orders[orders["variant"] == variant]
        bottom.plot(order["sample_size"], order["exponent"], "ko-", ms=2.8, lw=0.9)
        _mark_orders(bottom)
        bottom.set_xlabel("number of samples n")
        bottom.xaxis.set_major_locator(MaxNLocator(7, integer=True))
        optimistic = int(mine["optimistic_sample_size"].iloc[0])
        for ax in (top, bottom):
            ax.axvline(optimistic, color=_RED, ls=(0, (4, 2)), lw=1, zorder=0)
        top.set_title(title)
        top.annotate(
            f"predicted: {optimistic}",
            (optimistic, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -1),
            textcoords="offset points",
            va="top",
            color=_RED,
            fontweight="bold",
        )
    highest = errors.loc[np.isfinite(errors["ratio_high"]), "ratio_high"].max()
    axes[0, 0].set_ylim(top=30 * highest if highest > 0 else None)
    axes[0, 0].set_ylabel(r"test MSE / $\epsilon^2$")
    axes[1, 0].set_ylabel("order of test MSE")
    axes[0, 0].legend(title=r"noise $\epsilon$", loc="lower left")
    return figure


def _draw_errors(ax: Axes, errors: pd.DataFrame, colours: Mapping[float, Any]) -> None:
    """A line and its quartiles for every eps, the greatest first."""
    ax.set_yscale("log")
    for eps, colour in colours.items():
        line = errors[errors["eps"] == eps].sort_values("sample_size")
        n = line["sample_size"]
        ax.fill_between(n, line["ratio_low"], line["ratio_high"], color=colour, alpha=0.15, lw=0)
        ax.plot(n, line["ratio"], "o-", color=colour, label=_power_of_ten(eps))


def _mark_orders(ax: Axes) -> None:
    """Ticks and faint lines at the orders that occur."""
    ax.set_yticks([2, 4, 8], [r"$\epsilon^2$", r"$\epsilon^4$", r"$\epsilon^8$"])
    ax.set_ylim(1, 9)
    ax.grid(axis="y", lw=0.4, alpha=0.6)


def _power_of_ten(value: float) -> str:
    """10^-4 and the like, for a legend."""
    mantissa, power = f"{value:.0e}".split("e")
    return (
        f"$10^{{{int(power)}}}$" if mantissa == "1" else f"${mantissa} \\cdot 10^{{{int(power)}}}$"
    )
