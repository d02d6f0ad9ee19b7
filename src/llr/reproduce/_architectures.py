"""Three architectures of many widths: JMLR Fig. 3, and Fig. 4 of the optimistic estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from llr.report import HeatPanel, architecture_name, plot_heat_panels
from llr.reproduce._heat_maps import heat_panel, row_summary, rows_of, switching_table
from llr.reproduce._outcome import Finished, Outcome, tuned_runs
from llr.reproduce._verdict import Comparison, Verdict

__all__ = ["judge_jmlr_fig3", "judge_optimistic_fig4"]

_ROW = ["model", "scale"]


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
    """A panel an architecture, the rows named by the number of parameters."""
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
    summary = row_summary(runs, by=_ROW, threshold=paper["threshold"])
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
    tolerance = finished.paper["tolerance"]
    comparisons = tuple(
        Comparison(
            f"{architecture_name(row.model)}, {row.scale:g}x",
            expected=row.paper,
            source="the paper's figure, read by eye",
            measured=None if pd.isna(row.mean_first_below) else int(row.mean_first_below),
            tolerance=tolerance,
        )
        for row in rows_of(switches)
    )
    return Outcome(
        Verdict(finished.name, _words(finished, switches), comparisons),
        {finished.name: plot_heat_panels(panels, columns=2)},
        {"test_error": summary, "transitions": switches},
    )


def _words(finished: Finished, switches: pd.DataFrame) -> str:
    """The rows of each architecture: paper, median, mean."""
    parts = []
    for model, rows in switches.groupby("model", sort=False):
        columns = ("mean_first_below", "median_first_below", "paper")
        mean, median, paper = (
            ", ".join("none" if pd.isna(n) else f"{n:g}" for n in rows[name]) for name in columns
        )
        least = rows["optimistic_sample_size"].iloc[0]
        parts.append(
            f"{architecture_name(model)} (optimistic {least}): mean below "
            f"{finished.paper['threshold']:g} from n = {mean}; median {median}; paper {paper}"
        )
    late = (switches["mean_first_below"] - switches["paper"]).dropna()
    shift = f" The mean switches {late.mean():+.1f} samples from the paper's figure on average."
    return ". ".join(parts) + "." + (shift if len(late) else "")
