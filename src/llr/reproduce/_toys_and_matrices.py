"""Toy models and matrix completion: Figs. 1 to 3 of the optimistic estimate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from llr.analysis import summary_table
from llr.report import architecture_name, plot_heat_panels
from llr.reproduce._heat_maps import heat_panel, rows_of, switching_table, whole
from llr.reproduce._judgement import Finished, Outcome
from llr.reproduce._verdict import Comparison, Verdict

__all__ = ["judge_initial_sizes", "judge_matrices", "judge_toys"]

_LIMITS = (1e-8, 1.0)
"""Colours of the papers' figures: they stop at a training error of 1e-9."""


def judge_toys(finished: Finished) -> Outcome:
    """One panel per toy model, one row per target."""
    by, paper = ["model", "variant"], finished.paper
    summary = summary_table(finished.runs, by=by, threshold=paper["threshold"])

    def expected(row: Mapping[str, Any]) -> float | None:
        return paper["transitions"][row["model"]][row["variant"]]

    switches = switching_table(
        finished.runs, by=by, threshold=paper["threshold"], expected=expected
    )
    panels = [
        heat_panel(
            f"({letter}) {architecture_name(model)}",
            summary[summary["model"] == model],
            {target: target for target in targets},
            column="variant",
        )
        for letter, (model, targets) in zip("ab", paper["transitions"].items(), strict=True)
    ]
    comparisons = tuple(
        _comparison(f"{architecture_name(row.model)}, {row.variant}", row, "the paper's figure")
        for row in rows_of(switches)
    )
    enough = summary[summary["sample_size"] >= summary["optimistic_sample_size"]]
    early = sorted(switches.loc[switches["median_first_below"] < 3, "variant"].unique())
    headline = (
        f"The median test error falls below {paper['threshold']:g} from 3 samples on, and from 2 "
        f"for the nonlinear model on the targets {', '.join(early) or 'none'}."
    )
    findings = (
        f"From the optimistic sample size on, at least {100 * enough['share'].min():.0f}% of the "
        "runs recover."
    )
    return Outcome(
        Verdict(finished.name, headline, comparisons, findings),
        {finished.name: plot_heat_panels(panels, columns=2, limits=_LIMITS)},
        {"test_error": summary, "transitions": switches},
    )


def judge_matrices(finished: Finished) -> Outcome:
    """Completion from the best order of entries, from random entries, from given orders."""
    paper = finished.paper
    summary = summary_table(finished.runs, by=["variant"], threshold=paper["threshold"])
    switches = switching_table(
        finished.runs,
        by=["variant"],
        threshold=paper["threshold"],
        expected=lambda row: paper["transitions"].get(row["variant"]),
    )
    panels = []
    for letter, (title, belongs) in zip("abc", _MATRIX_PANELS.items(), strict=True):
        names = [name for name in switches["variant"] if belongs(name)]
        if names:
            mine = summary[summary["variant"].isin(names)]
            rows = {name: name.split(", ")[-1] if letter == "c" else name[:2] for name in names}
            panels.append(heat_panel(f"({letter}) {title}", mine, rows, column="variant"))
    comparisons = tuple(
        _comparison(row.variant, row, "the paper's figure")
        for row in rows_of(switches)
        if whole(row.paper) is not None
    )
    found = ", ".join(f"{c.what} at {c.measured}" for c in comparisons)
    random = switches[switches["variant"].str.contains("random")]
    hits = sum(bool(c.agrees) for c in comparisons)
    headline = (
        f"{hits} of {len(comparisons)} matrices and orders are completed from as many entries as "
        "in the paper's figure."
    )
    words = f"Median test error below {paper['threshold']:g} first for {found}."
    if len(random):
        words += " From entries drawn at random half the runs recover from n = " + ", ".join(
            "none" if pd.isna(n) else str(n) for n in random["half_recover_at"]
        )
        words += " (M1 to M8)."
    return Outcome(
        Verdict(finished.name, headline, comparisons, words),
        {finished.name: plot_heat_panels(panels, columns=1, limits=_LIMITS)},
        {"test_error": summary, "transitions": switches},
    )


_MATRIX_PANELS = {
    "the most telling entries first": lambda name: "," not in name,
    "entries at random": lambda name: "random" in name,
    "M2, six given orders": lambda name: "order" in name,
}


def judge_initial_sizes(finished: Finished) -> Outcome:
    """One panel per model, one row per standard deviation of the start, the largest first."""
    by, paper = ["variant", "init_std"], finished.paper
    summary = summary_table(finished.runs, by=by, threshold=paper["threshold"])
    switches = switching_table(
        finished.runs, by=by, threshold=paper["threshold"], expected=lambda row: None
    )
    stds = sorted(finished.runs["init_std"].unique(), reverse=True)
    labels = {std: f"std {std:g}" for std in stds}
    titles = {"toy": "(a) toy, target 1 + x1", "matrix": "(b) matrix of rank 1"}
    panels = [
        heat_panel(title, summary[summary["variant"] == variant], labels, column="init_std")
        for variant, title in titles.items()
    ]
    comparisons, parts, ends = [], [], []
    for variant, title in titles.items():
        rows = switches[switches["variant"] == variant].set_index("init_std").loc[stds]
        at = [whole(n) for n in rows["median_first_below"]]
        parts.append(f"{title[4:]}: n = {', '.join(str(n) for n in at)}")
        ends.append(f"from n = {at[0]} and n = {at[-1]} ({variant})")
        optimistic = paper["optimistic"][variant]
        comparisons += [
            Comparison(
                f"{variant}, smallest start (std {stds[-1]:g})",
                expected=optimistic,
                source="optimistic sample size",
                measured=at[-1],
            ),
            Comparison(
                f"{variant}, largest start (std {stds[0]:g})",
                expected=optimistic + 1,
                source="the paper's figure: later",
                measured=at[0],
                relation="at least",
            ),
        ]
    headline = f"The largest and the smallest start recover {' and '.join(ends)}."
    words = (
        f"Median test error below {paper['threshold']:g} first, for initial std "
        f"{', '.join(f'{std:g}' for std in stds)}: {'; '.join(parts)}."
    )
    return Outcome(
        Verdict(finished.name, headline, tuple(comparisons), words),
        {finished.name: plot_heat_panels(panels, columns=2, limits=_LIMITS)},
        {"test_error": summary, "transitions": switches},
    )


def _comparison(what: str, row: Any, source: str) -> Comparison:
    """The median's first sample size beside the paper's."""
    return Comparison(
        what, expected=row.paper, source=source, measured=whole(row.median_first_below)
    )
