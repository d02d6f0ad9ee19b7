"""A run that diverged is infinitely wrong wherever its error is averaged, drawn or judged."""

import csv
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llr.analysis import (
    RecordSummary,
    counted_error,
    errors_of,
    recovery_curve,
    summary_table,
    transition_table,
)
from llr.config import parse_config
from llr.report._figure_data import curve_panels, heat_panels
from llr.report._page import render
from llr.report._page_data import page_data
from llr.reproduce import load_reproduction
from llr.reproduce._architectures import judge_optimistic_fig4
from llr.reproduce._heat_maps import switching_table
from llr.reproduce._judgement import Finished
from llr.reproduce._tuning import tuned_runs
from llr.sweep import (
    FinishedRun,
    JsonLinesStore,
    export_results,
    grid,
    load_results,
    open_sweep,
    read_results,
    run_sweep,
)

RUNS = ((1e-6, "converged"), (5.0, "diverged"), (1e-6, "converged"))
"""Test error and status of three runs that differ in their seed only."""


def stored_sweep(folder, runs):
    """The folder of a sweep whose runs ended as given, as if they had been trained."""
    config = parse_config(
        {
            "experiment": {"name": "stored"},
            "model": {"scale": 1},
            "sweep": {"enabled": True, "models": ["mlp"], "sample_sizes": [8], "seeds": len(runs)},
            "output": {"dir": str(folder)},
            "execution": {"executor": "in_process"},
        }
    )
    store = JsonLinesStore(folder / "stored")
    store.append(
        [
            FinishedRun(
                {name: getattr(spec, name) for name in ("id", "model", "scale", "width")}
                | {name: getattr(spec, name) for name in ("sample_size", "init_std", "seed")}
                | {"init_method": "normal", "n_parameters": spec.n_parameters, "engine": "torch"}
                | {"status": status, "steps": 9, "seconds": 0.1, "time": 1.0, "message": "."}
                | {"train_mse": error, "test_mse": error, "chunk": "together"}
            )
            for spec, (error, status) in zip(grid(config), runs, strict=True)
        ]
    )
    store.close()
    (folder / "stored" / "config.yaml").write_text(_header() + config.to_yaml())
    assert run_sweep(config, progress=False).n_trained == 0
    return folder / "stored"


def _header():
    from llr.sweep._folder import _VERSIONS

    return f"{_VERSIONS}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return stored_sweep(tmp_path_factory.mktemp("outputs"), RUNS)


def test_files_tables_figures_page_tuning_and_verdicts_agree_on_a_run_that_diverged(folder):
    # results.json: valid JSON, no mean, one run counted.
    text = (folder / "results.json").read_text()
    results = json.loads(text, parse_constant=pytest.fail)
    assert [run["test_mse"] for run in results["runs"]] == [1e-6, None, 1e-6]
    (row,) = results["summary"]
    assert (row["runs"], row["converged"], row["diverged"]) == (3, 2, 1)
    for error in ("train_mse", "test_mse"):
        assert row[f"{error}_mean"] is row[f"{error}_standard_error"] is None
        assert row[f"{error}_median"] == 1e-6
    assert row["recovered"] == 2 / 3

    # CSV, its export, and the table: one infinite error, for whoever averages them by hand.
    for file in (folder / "results.csv", export_results(folder, format="csv")):
        with file.open(newline="") as lines:
            assert [float(run["test_mse"]) for run in csv.DictReader(lines)] == [1e-6, np.inf, 1e-6]
    table = load_results(folder)
    assert table["test_mse"].tolist() == table["train_mse"].tolist() == [1e-6, math.inf, 1e-6]
    assert table["test_mse"].mean() == math.inf

    # Summary tables, also of a table that still holds the last errors.
    for runs in (table, table.assign(test_mse=[1e-6, 5.0, 1e-6])):
        (cell,) = summary_table(runs).to_dict("records")
        assert cell["mean"] == cell["geometric_mean"] == math.inf
        assert (cell["median"], cell["share"], cell["n_diverged"]) == (1e-6, 2 / 3, 1)
        assert recovery_curve(runs)["n_recovered"].tolist() == [2]
        (found,) = transition_table(runs, n_bootstrap=0).to_dict("records")
        assert (found["transition"], found["median_below"], found["mean_below"]) == (
            8.0,
            8.0,
            math.inf,
        )

        # Figures.
        ((curve,),) = (panel.curves for panel in curve_panels(runs))
        assert curve.center.tolist() == [math.inf]
        ((heat,),) = (panel.rows for panel in heat_panels(runs))
        assert heat.values.tolist() == [math.inf]

        # Verdicts.
        assert summary_table(runs, by=["model"])["mean"].tolist() == [math.inf]
        (switch,) = switching_table(
            runs, by=["model"], threshold=1e-3, expected=lambda row: None
        ).to_dict("records")
        assert switch["median_first_below"] == switch["half_recover_at"] == 8
        assert pd.isna(switch["mean_first_below"])

        # Tuning: a value none of whose runs diverged wins, however bad.
        trials = pd.concat([runs.assign(lr=0.5), runs.assign(lr=0.1, test_mse=9.0, status="max")])
        assert tuned_runs(trials, ["lr"], by=["model"])["lr"].unique().tolist() == [0.1]

    # The page.
    sweep = open_sweep(folder)
    (shown,) = page_data(sweep)["rows"]
    assert (shown["mean"], shown["geometric_mean"]) == ([None], [None])
    assert (shown["median"], shown["n_diverged"], shown["n_runs"]) == ([1e-6], [1], [3])
    assert sorted(run["test"] is None for run in page_data(sweep)["runs"]) == [False, False, True]
    assert render(sweep)


def test_a_reproduction_judges_a_run_that_diverged_as_not_recovered(folder):
    settings = load_reproduction("optimistic-fig4")
    runs = pd.concat(
        load_results(folder).assign(model=model, scale=next(iter(scales)), variant="")
        for model, scales in settings.paper["transitions"].items()
    )
    outcome = judge_optimistic_fig4(Finished(settings.title, settings, "", quick=True, runs=runs))
    by_mean = [c for c in outcome.verdict.comparisons if c.what.endswith("mean")]
    assert [c.measured for c in by_mean] == [None] * len(settings.paper["transitions"])


def test_results_of_schema_version_1_load_in_the_form_of_the_current_one(request):
    file = request.path.parent / "sweep" / "results_schema_1.json"
    stored, results = json.loads(file.read_text()), read_results(file)
    assert stored["schema_version"] == 1
    diverged = [run["status"] == "diverged" for run in stored["runs"]]
    assert 0 < sum(diverged) < len(diverged)
    table = load_results(file)
    for run, counted, error, bad in zip(
        stored["runs"], results["runs"], table["test_mse"], diverged, strict=True
    ):
        assert math.isfinite(run["test_mse"])
        assert counted == run | (dict.fromkeys(("train_mse", "test_mse")) if bad else {})
        assert error == (math.inf if bad else run["test_mse"])
    for old, new in zip(stored["summary"], results["summary"], strict=True):
        assert old["diverged"] == new["diverged"] > 0
        assert math.isfinite(old["test_mse_mean"])
        assert new["test_mse_mean"] is None
        assert {**old, **new} == new


@pytest.mark.parametrize("n_diverged", [1, 2])
def test_tuning_prefers_values_whose_runs_diverged_least_often(n_diverged):
    errors = {0.1: [1e-9] * (3 - n_diverged) + [math.nan] * n_diverged, 0.5: [math.inf] * 3}
    runs = pd.DataFrame(
        [{"n": 5, "lr": lr, "test_mse": error} for lr in errors for error in errors[lr]]
    )
    assert tuned_runs(runs[::-1], ["lr"], by=["n"])["lr"].unique().tolist() == [0.1]


def test_tuning_leaves_out_runs_that_could_not_be_trained():
    runs = pd.DataFrame(
        {"n": 5, "lr": [0.1, 0.1, 0.5], "test_mse": [1e-9, math.nan, 1e-3], "status": "converged"}
    )
    runs.loc[1, "status"] = "error"
    assert tuned_runs(runs, ["lr"], by=["n"])["lr"].tolist() == [0.1]


STATUSES = ("converged", "diverged", "max_steps", "stalled", "max_time", "failed", "error")
ENDS = st.tuples(
    st.none() | st.sampled_from([1e-9, 2.2e-4, 5.0, math.inf, math.nan]) | st.floats(0, 1e6),
    st.sampled_from(STATUSES),
)


@settings(deadline=None)
@given(st.lists(ENDS, min_size=1, max_size=8))
@example([(2.2e-4, "diverged")] * 6)
@example([(2.2e-4, "error")] * 6)
@example([(None, "converged"), (1e-9, "converged")])
def test_summaries_agree_with_the_plain_definition_whatever_the_statuses(ends):
    setting = {"model": "mlp", "scale": 1, "width": 3, "init_std": 1e-10, "sample_size": 8}
    runs = [
        {**setting, "seed": seed, "status": status, "train_mse": error, "test_mse": error}
        for seed, (error, status) in enumerate(ends)
    ]
    counted = [
        error if error is not None and status != "diverged" and math.isfinite(error) else math.inf
        for error, status in ends
        if status != "error"
    ]
    summary = RecordSummary()
    for run in runs:
        summary.add(run)
    (row,) = json.loads(json.dumps(summary.rows({}), allow_nan=False))
    assert row["runs"] == len(counted)
    assert row["diverged"] == counted.count(math.inf)
    assert row["error"] == sum(status == "error" for _, status in ends)
    if not counted:
        assert row["test_mse_mean"] is row["test_mse_median"] is row["recovered"] is None
        return
    assert [counted_error(error, status) for error, status in ends if status != "error"] == counted
    table = pd.DataFrame(runs)
    (cell,) = summary_table(table).to_dict("records")
    mean = math.fsum(counted) / len(counted) if math.inf not in counted else math.inf
    assert cell["mean"] == pytest.approx(mean, rel=1e-12)
    assert (row["test_mse_mean"] is None) == (mean == math.inf) == (row["diverged"] > 0)
    assert row["recovered"] == cell["share"] == sum(e < 1e-3 for e in counted) / len(counted)
    assert row["diverged"] == cell["n_diverged"]
    assert sorted(errors_of(table[table.status != "error"])) == sorted(counted)
    for name, statistic in (("mean", "mean"), ("standard_error",) * 2, ("median", "median")):
        value = cell[statistic]
        assert row[f"test_mse_{name}"] == (value if math.isfinite(value) else None)
    if math.inf in counted:
        assert not curve_panels(table)[0].curves[0].center[0] < math.inf
    if set(counted) == {math.inf}:
        assert row["recovered"] == 0.0
        assert row["test_mse_median"] is None
        assert transition_table(table, n_bootstrap=0)["transition"].tolist() == [math.inf]
