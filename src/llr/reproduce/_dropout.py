"""Dropout and condensation: JMLR Fig. 4."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from llr.analysis import Condensation, condensation, errors_of, summary_table
from llr.models import TwoLayerTanhMLP
from llr.report import plot_condensation, plot_heat_panels
from llr.reproduce._heat_maps import from_on, heat_panel, switching_table
from llr.reproduce._judgement import Finished, Outcome
from llr.reproduce._tuning import tuned_runs
from llr.reproduce._verdict import Comparison, Verdict
from llr.sweep import open_sweep

__all__ = ["judge"]

_ROW = ["variant"]


def judge(finished: Finished) -> Outcome:
    """The heat map with and without dropout, and the clusters at the optimistic sample size."""
    paper = finished.paper
    threshold = paper["threshold"]
    runs = tuned_runs(finished.runs, finished.tuned, by=[*_ROW, "sample_size"])
    summary = summary_table(runs, by=_ROW, threshold=threshold)
    switches = switching_table(runs, by=_ROW, threshold=threshold, expected=lambda row: None).drop(
        columns="paper"
    )
    variants = list(finished.settings.variants)
    panel = heat_panel("", summary, {name: name for name in variants}, column="variant")
    found = {name: _condensed(finished, runs, name) for name in variants}
    clusters = pd.DataFrame(
        [{"variant": name, **result.summary()} for name, result in found.items()]
    )
    figures = {finished.name: plot_heat_panels([panel], limits=(1e-3, 1.0))}
    figures |= {
        f"condensation-{name.replace(' ', '-')}": plot_condensation(result)
        for name, result in found.items()
    }
    return Outcome(
        _verdict(finished, summary, found),
        figures,
        {"test_error": summary, "transitions": switches, "clusters": clusters},
    )


def _condensed(finished: Finished, runs: pd.DataFrame, variant: str) -> Condensation:
    """Clusters of the neurons of the best run of a variant at the optimistic sample size."""
    at = (runs["variant"] == variant) & (runs["sample_size"] == finished.paper["condensation_at"])
    best = runs[at].iloc[errors_of(runs[at]).argmin()]
    for plan, config in finished.sweeps:
        chosen = all(best[key] == value for key, value in plan.tuned_columns.items())
        if plan.variant == variant and chosen:
            folder = Path(config.output.dir) / config.experiment.name
            params = open_sweep(folder).store.parameters(best["id"])
            model = TwoLayerTanhMLP(config.data.input_dim, width=int(best["width"]))
            model.load_state_dict(params)
            return condensation(model, threshold=finished.paper["cosine"], negligible=1e-2)
    raise AssertionError("every run belongs to a sweep")


def _verdict(finished: Finished, summary: pd.DataFrame, found: dict[str, Condensation]) -> Verdict:
    """Where the rows settle, dropout's floor, and how many clusters there are."""
    paper = finished.paper
    source = "the colours of the paper's figure"
    rows = {name: row for name, row in summary.groupby("variant", sort=False)}
    comparisons = [
        Comparison(
            f"{case['variant']}: mean test error below {case['below']:g} from n",
            expected=case["from"],
            source=source,
            measured=from_on(row["sample_size"], row["mean"] < case["below"]),
            tolerance=case["tolerance"],
        )
        for case in paper["settles"]
        for row in (rows[case["variant"]],)
    ]
    words = [f"{c.what} = {c.measured} (paper {c.expected:g})" for c in comparisons]
    first = {c.what.partition(":")[0]: c.measured for c in reversed(comparisons)}
    floor = paper["floor"]
    last = rows[floor["variant"]].sort_values("sample_size").iloc[-1]
    comparisons.append(
        Comparison(
            f"{floor['variant']}: mean test error at n = {last['sample_size']}",
            expected=floor["test_mse"],
            source=source,
            measured=float(last["mean"]),
            tolerance=floor["tolerance"],
        )
    )
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
    return Verdict(
        finished.name,
        f"The mean test error settles below {paper['settles'][0]['below']:g} "
        f"{_from(first['dropout'])} with dropout and {_from(first['no dropout'])} without.",
        tuple(comparisons),
        f"In full: {'; '.join(words)}. At n = {paper['condensation_at']} the neurons form "
        f"{dropout.n_clusters} clusters with dropout and {without.n_clusters} without (|cosine| at "
        f"least {paper['cosine']:g}), {_in_largest(dropout, 4):.0%} and "
        f"{_in_largest(without, 4):.0%} of them in the largest four.",
    )


def _from(n: float | None) -> str:
    """Where something holds from some n on, or nowhere."""
    return "nowhere" if n is None else f"from n = {n:g} on"


def _in_largest(found: Condensation, count: int) -> float:
    """Share of the neurons in the largest clusters."""
    return float(found.sizes[:count].sum() / max(found.sizes.sum(), 1))
