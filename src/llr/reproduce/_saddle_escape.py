"""Saddle escape: model rank and condensation along one run of the flow."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import nn

from llr.analysis import condensation
from llr.config import Config
from llr.models import two_layer_structure
from llr.report import figure_of, style
from llr.reproduce._judgement import Finished, Outcome
from llr.reproduce._verdict import Comparison, Verdict
from llr.sweep import build_problem, single_run
from llr.tangent import model_rank
from llr.training import GradientFlow, train_batch

__all__ = ["judge", "plateaus", "trajectory"]

_FLAT = 1.05
"""On a plateau the training error changes by less than this factor from moment to moment."""

_LASTING = 3
"""A plateau lasts for at least so many moments."""

_SAME_DIRECTION = 0.99
_NEGLIGIBLE = 1e-2


def judge(finished: Finished) -> Outcome:
    """Ranks of the plateaus beside those of the stages that the theory knows."""
    paper = finished.paper
    moments = paper["moments"] // (2 if finished.quick else 1)
    tables = {
        plan.variant: trajectory(
            config, first=paper["first_moment"], moments=moments, tolerance=paper["tolerance"]
        )
        for plan, config in finished.sweeps
    }
    comparisons, words = [], []
    for variant, expected in paper["plateaus"].items():
        found = plateaus(tables[variant])
        words.append(f"{', '.join(map(str, found['rank']))} ({variant})")
        for position, rank in enumerate(expected):
            seen = found["rank"].iloc[position] if position < len(found) else None
            comparisons.append(
                Comparison(
                    f"{variant}, plateau {position + 1}",
                    expected=rank,
                    source="model rank of the stage",
                    measured=None if seen is None else int(seen),
                )
            )
    network = tables["tanh network"].dropna(subset="clusters")
    clusters = network["clusters"].to_numpy(dtype=int)
    findings = (
        f"The tanh network has {clusters.min()} direction at the first escape, up to "
        f"{clusters[clusters.argmin() :].max()} on the way, and {clusters[-1]} at a test error of "
        f"{network['test_mse'].iloc[-1]:.1e}."
    )
    headline = f"The plateaus of the loss have the model ranks {' and '.join(words)}."
    table = pd.concat([t.assign(variant=name) for name, t in tables.items()], ignore_index=True)
    return Outcome(
        Verdict(finished.name, headline, tuple(comparisons), findings),
        {finished.name: draw_trajectories(tables)},
        {"trajectory": table},
    )


def trajectory(config: Config, *, first: float, moments: int, tolerance: float) -> pd.DataFrame:
    """One run of the flow, recorded at logarithmically spaced times.

    Singular values of the tangent matrix are counted above a tolerance in units of the largest
    one at the end of the run, so that a network that is still small has rank 0.

    Args:
        config: of the single run.
        first: flow time of the first record.
        moments: how many, the last at the config's ``max_time``.
        tolerance: in those units.

    Returns:
        One row per moment: ``time, train_mse, test_mse, rank, gap, clusters, neurons``; the last
        two only for networks with hidden units.
    """
    problem = build_problem([single_run(config)])
    optimizer = config.training.build()
    assert isinstance(optimizer, GradientFlow)
    model = copy.deepcopy(problem.model)
    rows, spectra, time = [], [], 0.0
    for moment in np.geomspace(first, optimizer.max_time, moments):
        (result,) = train_batch(problem, replace(optimizer, max_time=moment - time))
        problem = replace(problem, params={k: v[None] for k, v in result.params.items()})
        time = float(moment)
        model.load_state_dict(result.params)
        spectra.append(model_rank(model).singular_values.numpy())
        losses = {"train_mse": result.train_mse, "test_mse": result.test_mse}
        rows.append({"time": time, **losses, **_directions(model)})
        if result.status == "converged":
            break
    threshold = tolerance * spectra[-1][0]
    for row, values in zip(rows, spectra, strict=True):
        row["rank"] = int((values > threshold).sum())
        kept, dropped = values[row["rank"] - 1], values[row["rank"] : row["rank"] + 1]
        row["gap"] = float(kept / dropped[0]) if row["rank"] and len(dropped) else np.nan
    return pd.DataFrame(rows)


def _directions(model: nn.Module) -> dict[str, float]:
    """Clusters of directions of the hidden neurons that count, and how many neurons those are."""
    if two_layer_structure(model) is None:
        return {"clusters": np.nan, "neurons": np.nan}
    found = condensation(model, threshold=_SAME_DIRECTION, negligible=_NEGLIGIBLE)
    return {"clusters": found.n_clusters, "neurons": len(found.neurons)}


def plateaus(table: pd.DataFrame) -> pd.DataFrame:
    """Stretches over which neither the rank nor the training error changes; the end counts too.

    Returns:
        A row each: ``rank``, ``train_mse``, ``start``, ``end`` (times).
    """
    loss, rank = table["train_mse"].to_numpy(), table["rank"].to_numpy()
    flat = (loss[:-1] / loss[1:] < _FLAT) & (rank[:-1] == rank[1:])
    stretch = np.concatenate([[0], np.cumsum(~flat)])
    rows: list[dict[str, float]] = []
    for _, group in table.groupby(stretch):
        ends_here = group.index[-1] == table.index[-1]
        new = not rows or rows[-1]["rank"] != group["rank"].iloc[0]
        if new and (len(group) >= _LASTING or ends_here):
            rows.append(
                {
                    "rank": int(group["rank"].iloc[0]),
                    "train_mse": float(group["train_mse"].median()),
                    "start": float(group["time"].iloc[0]),
                    "end": float(group["time"].iloc[-1]),
                }
            )
    return pd.DataFrame(rows, columns=["rank", "train_mse", "start", "end"])


@style()
def draw_trajectories(tables: dict[str, pd.DataFrame]) -> Figure:
    """Losses above; rank, and clusters where there are hidden units, below; one column per run."""
    figure = figure_of(None, 7.0, 3.4)
    axes = figure.subplots(2, len(tables), sharex="col", squeeze=False, height_ratios=(1.3, 1))
    for (top, bottom), (variant, table) in zip(axes.T, tables.items(), strict=True):
        _draw_losses(top, table)
        top.set_title(variant)
        _draw_counts(bottom, table)
        bottom.set_xlabel("flow time t")
        bottom.set_xlim(table["time"].min(), table["time"].max())
    axes[0, 0].set_ylabel("MSE")
    axes[0, 0].legend(loc="lower left")
    axes[1, 0].set_ylabel("count")
    axes[1, -1].legend(loc="center right")
    return figure


def _draw_losses(ax: Axes, table: pd.DataFrame) -> None:
    """Training and test MSE."""
    ax.loglog(table["time"], table["train_mse"], color="black", label="train")
    ax.loglog(table["time"], table["test_mse"], color="#D55E00", ls=(0, (3, 1.5)), label="test")
    top = table["train_mse"].iloc[0]
    ax.set_ylim(max(table["train_mse"].min(), 1e-9 * top) / 3, 5 * top)


def _draw_counts(ax: Axes, table: pd.DataFrame) -> None:
    """Rank and clusters as steps, plateaus labelled by their rank."""
    ax.step(table["time"], table["rank"], where="mid", color="black", label="model rank")
    if table["clusters"].notna().any():
        ax.step(table["time"], table["clusters"], where="mid", color="#0072B2", label="clusters")
        ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    else:
        ax.set_yticks(plateaus(table)["rank"])
        ax.grid(axis="y", lw=0.4, alpha=0.6)
