"""The summary table, against plain loops."""

import math

import numpy as np
import pandas as pd
import pytest

from llr.analysis import summary_table


def test_summary_table_holds_the_statistics_of_every_cell(runs):
    summary = summary_table(runs)
    assert len(summary) == 4 * 20
    for row in summary.itertuples():
        errors = [
            run.test_mse
            for run in runs.itertuples()
            if (run.model, run.scale, run.sample_size) == (row.model, row.scale, row.sample_size)
        ]
        n = len(errors)
        mean = math.fsum(errors) / n
        logs = [math.log(error) for error in errors]
        log_mean = math.fsum(logs) / n
        assert row.mean == pytest.approx(mean, rel=1e-12)
        assert row.standard_error == pytest.approx(
            math.sqrt(math.fsum((e - mean) ** 2 for e in errors) / (n - 1) / n), rel=1e-9
        )
        assert row.geometric_mean == pytest.approx(math.exp(log_mean), rel=1e-12)
        assert row.geometric_factor == pytest.approx(
            math.exp(math.sqrt(math.fsum((v - log_mean) ** 2 for v in logs) / (n - 1) / n)),
            rel=1e-9,
        )
        assert row.median == pytest.approx((sorted(errors)[3] + sorted(errors)[4]) / 2)
        assert row.q25 == sorted(errors)[1]
        assert row.q75 == sorted(errors)[5]
        assert row.optimistic_sample_size == {"mlp": 21, "cnn_shared": 7}[row.model]


def test_a_diverged_run_makes_the_mean_infinite_but_not_the_median():
    runs = pd.DataFrame({"sample_size": 4, "test_mse": [1e-6, 1e-6, math.nan]})
    row = summary_table(runs).iloc[0]
    assert row["mean"] == row["geometric_mean"] == math.inf
    assert math.isnan(row["standard_error"])
    assert row["median"] == 1e-6
    assert row["n_diverged"] == 1


def test_a_run_that_diverged_is_infinitely_wrong_however_finite_its_last_error():
    runs = pd.DataFrame({"sample_size": 4, "test_mse": [1e-6, 1e13], "status": "diverged"})
    runs.loc[0, "status"] = "converged"
    row = summary_table(runs).iloc[0]
    assert (row["mean"], row["n_diverged"]) == (math.inf, 1)


def test_an_error_of_zero_has_a_geometric_mean_of_zero():
    row = summary_table(pd.DataFrame({"sample_size": 4, "test_mse": [0.0, 1e-6]})).iloc[0]
    assert (row["geometric_mean"], row["mean"]) == (0.0, 5e-7)
    assert math.isnan(row["geometric_factor"])


def test_a_single_run_has_no_standard_error():
    row = summary_table(pd.DataFrame({"sample_size": [4], "test_mse": [1e-6]})).iloc[0]
    assert math.isnan(row["standard_error"])
    assert row["mean"] == row["median"] == row["q25"] == 1e-6


def test_columns_that_are_not_there_are_not_needed():
    row = summary_table(pd.DataFrame({"sample_size": [4], "test_mse": [1e-6]})).iloc[0]
    assert np.isnan(row["train_median"])
    assert row["optimistic_sample_size"] is None
