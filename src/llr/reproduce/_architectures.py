"""Three architectures of many widths: JMLR Fig. 3, and Fig. 4 of the optimistic estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from llr.analysis import summary_table
from llr.report import HeatPanel, architecture_name, plot_heat_panels
from llr.reproduce._heat_maps import heat_panel, rows_of, switching_table, whole
from llr.reproduce._judgement import Finished, Outcome
from llr.reproduce._tuning import tuned_runs
from llr.reproduce._verdict import Comparison, Verdict

__all__ = ["judge_jmlr_fig3", "judge_optimistic_fig4"]

_ROW = ["model", "scale"]
_CENTERS = {"median": "median_first_below", "mean": "mean_first_below"}


def judge_jmlr_fig3(finished: Finished) -> Outcome:
    """Panels (a) to (d): the narrowest networks, then each architecture at every width."""
    summary, switches = _measured(finished)
    narrow = summary[summary["scale"] == summary["scale"].min()]
    models = {name: architecture_name(name) for name in finished.paper["transitions"]}
    panels = [heat_panel("(a) 1x", narrow, models, column="model")]
    for letter, (model, name) in zip("bcd", models.items(), strict=False):
        mine = summary[summary["model"] == model]
        widths = {scale: f"{scale:g}x" for scale in sorted(mine["scale"].unique())}
        panels.append(heat_panel(f"({letter}) {name}", mine, widths, column="scale"))
    return _outcome(finished, summary, switches, panels)


def judge_optimistic_fig4(finished: Finished) -> Outcome:
    """One panel per architecture, the rows named by the number of parameters."""
    summary, switches = _measured(finished)
    sizes = finished.runs.drop_duplicates(_ROW).set_index(_ROW)["n_parameters"]
    panels = []
    for letter, model in zip("ab", finished.paper["transitions"], strict=False):
        mine = summary[summary["model"] == model]
        rows = {s: f"M = {sizes[model, s]}" for s in sorted(mine["scale"].unique())}
        title = f"({letter}) {architecture_name(model)}"
        panels.append(heat_panel(title, mine, rows, column="scale"))
    return _outcome(finished, summary, switches, panels)


def _measured(finished: Finished) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Summary and switching table of the architectures that the paper's figure shows."""
    paper = finished.paper
    runs = finished.runs[finished.runs["model"].isin(paper["transitions"])]
    runs = tuned_runs(runs, finished.tuned, by=[*_ROW, "sample_size"])
    summary = summary_table(runs, by=_ROW, threshold=paper["threshold"])
    if finished.tuned:
        chosen = runs.drop_duplicates([*_ROW, "sample_size"])
        summary = summary.merge(chosen[[*_ROW, "sample_size", *finished.tuned]])

    def expected(row: Mapping[str, Any]) -> float | None:
        return paper["transitions"][row["model"]].get(int(row["scale"]))

    switches = switching_table(runs, by=_ROW, threshold=paper["threshold"], expected=expected)
    return summary, switches


def _outcome(
    finished: Finished,
    summary: pd.DataFrame,
    switches: pd.DataFrame,
    panels: Sequence[HeatPanel],
) -> Outcome:
    """Every row's transition beside the paper's; figure, data, words."""
    comparisons = tuple(
        Comparison(
            f"{architecture_name(row.model)}, {row.scale:g}x, {center}",
            expected=row.paper,
            source="the paper's figure, read by eye",
            measured=whole(getattr(row, column)),
            tolerance=finished.paper["tolerance"],
        )
        for row in rows_of(switches)
        for center, column in _CENTERS.items()
    )
    figure = plot_heat_panels(panels, columns=2)
    for ax in figure.axes[: max(len(panels) - 2, 0)]:  # the panel below has the same abscissa
        ax.set_xlabel("")
    return Outcome(
        Verdict(
            finished.name,
            _headline(finished, switches, comparisons),
            comparisons,
            _findings(finished, switches),
        ),
        {finished.name: figure},
        {"test_error": summary, "transitions": switches},
    )


def _headline(finished: Finished, switches: pd.DataFrame, comparisons: Sequence[Comparison]) -> str:
    """How near the rows are to the paper's figure."""
    by_median, by_mean = (
        sum(bool(c.agrees) for c in comparisons if c.what.endswith(center)) for center in _CENTERS
    )
    return (
        f"Within {finished.paper['tolerance']} samples of the paper's figure, the median test "
        f"error drops in {by_median} of {len(switches)} rows and the mean in {by_mean}."
    )


def _findings(finished: Finished, switches: pd.DataFrame) -> str:
    """How late the rows are on average, then where each architecture switches."""
    late = [
        f"{(switches[column] - switches['paper']).dropna().mean():+.1f} samples by the {center}"
        for center, column in _CENTERS.items()
    ]
    parts = []
    for model, rows in switches.groupby("model", sort=False):
        at = [
            " ".join("none" if pd.isna(n) else f"{n:g}" for n in rows[name])
            for name in (*_CENTERS.values(), "paper")
        ]
        least = rows["optimistic_sample_size"].iloc[0]
        parts.append(
            f"{architecture_name(model)} (optimistic {least}): median {at[0]}, mean {at[1]}, "
            f"paper {at[2]}"
        )
    return (
        f"Mean distance from the paper's figure: {' and '.join(late)}. First n with a test error "
        f"below {finished.paper['threshold']:g}, narrowest first: {'; '.join(parts)}."
    )
