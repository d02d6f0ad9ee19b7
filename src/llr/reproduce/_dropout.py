"""Dropout and condensation: JMLR Fig. 4."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from llr.analysis import Condensation, condensation
from llr.models import TwoLayerTanhMLP
from llr.report import plot_condensation, plot_heat_panels
from llr.reproduce._heat_maps import heat_panel, row_summary, rows_of, switching_table, whole
from llr.reproduce._outcome import Finished, Outcome, tuned_runs
from llr.reproduce._verdict import Comparison, Verdict
from llr.sweep import JsonLinesStore

__all__ = ["judge"]

_ROW = ["variant"]


def judge(finished: Finished) -> Outcome:
    """The heat map with and without dropout, and the clusters at the optimistic sample size."""
    paper = finished.paper
    threshold = paper["threshold"]
    runs = tuned_runs(finished.runs, finished.tuned, by=[*_ROW, "sample_size"])
    summary = row_summary(runs, by=_ROW, threshold=threshold)
    switches = switching_table(
        runs, by=_ROW, threshold=threshold, expected=lambda row: paper["recovers"][row["variant"]]
    )
    panel = heat_panel("", summary, {name: name for name in paper["recovers"]}, column="variant")
    found = {name: _condensed(finished, runs, name) for name in paper["recovers"]}
    clusters = pd.DataFrame(
        [{"variant": name, **result.summary()} for name, result in found.items()]
    )
    figures = {finished.name: plot_heat_panels([panel], limits=(1e-3, 1.0))}
    figures |= {
        f"condensation-{name.replace(' ', '-')}": plot_condensation(result)
        for name, result in found.items()
    }
    return Outcome(
        _verdict(finished, switches, found),
        figures,
        {"test_error": summary, "transitions": switches, "clusters": clusters},
    )


def _condensed(finished: Finished, runs: pd.DataFrame, variant: str) -> Condensation:
    """Clusters of the neurons of the best run of a variant at the optimistic sample size."""
    at = (runs["variant"] == variant) & (runs["sample_size"] == finished.paper["condensation_at"])
    best = runs[at].sort_values("test_mse").iloc[0]
    for plan, config in finished.sweeps:
        chosen = all(best[key] == value for key, value in plan.tuned_columns.items())
        if plan.variant == variant and chosen:
            store = JsonLinesStore(Path(config.output.dir) / config.experiment.name)
            params = store.parameters(best["id"])
            store.close()
            model = TwoLayerTanhMLP(config.data.input_dim, width=int(best["width"]))
            model.load_state_dict(params)
            return condensation(model, threshold=finished.paper["cosine"], negligible=1e-2)
    raise AssertionError("every run belongs to a sweep")


def _verdict(finished: Finished, switches: pd.DataFrame, found: dict[str, Condensation]) -> Verdict:
    """Where the two rows switch, and how many clusters there are, beside the paper."""
    paper = finished.paper
    comparisons = [
        Comparison(
            f"{row.variant}: first n with mean test error below {paper['threshold']:g}",
            expected=row.paper,
            source="the paper's figure, read by eye",
            measured=whole(row.mean_first_below),
            tolerance=paper["tolerance"][row.variant],
        )
        for row in rows_of(switches)
    ]
    without, dropout = found["no dropout"], found["dropout"]
    comparisons.append(
        Comparison(
            f"clusters with dropout at n = {paper['condensation_at']}",
            expected=without.n_clusters,
            source="clusters without",
            measured=dropout.n_clusters,
            relation="at most",
        )
    )
    at = dict(zip(switches["variant"], switches["mean_first_below"], strict=True))
    words = (
        f"The mean test error is below {paper['threshold']:g} first at n = {at['dropout']} with "
        f"dropout and n = {at['no dropout']} without; at n = {paper['condensation_at']} the "
        f"neurons stand in {dropout.n_clusters} clusters with dropout and {without.n_clusters} "
        f"without (|cosine| at least {paper['cosine']:g})."
    )
    return Verdict(finished.name, words, tuple(comparisons))
