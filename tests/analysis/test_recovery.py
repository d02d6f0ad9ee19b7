"""Recovery curves and Wilson's interval."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import binom, binomtest

from llr.analysis import recovery_curve, wilson_interval
from llr.errors import InvalidInputError

COUNTS = [(0, 1), (1, 1), (0, 5), (2, 5), (5, 5), (37, 100), (999, 1000)]


@pytest.mark.parametrize(("successes", "trials"), COUNTS)
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_wilson_interval_equals_scipys(successes, trials, confidence):
    expected = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    low, high = wilson_interval(successes, trials, confidence=confidence)
    np.testing.assert_allclose([low, high], [expected.low, expected.high], atol=1e-15)


@pytest.mark.parametrize(("successes", "trials"), [(2, 5), (37, 100)])
def test_wilson_interval_ends_where_the_score_test_rejects(successes, trials):
    z, share = ndtri(0.975), successes / trials

    def score(p):
        return (share - p) ** 2 - z**2 * p * (1 - p) / trials

    low, high = wilson_interval(successes, trials)
    assert low == pytest.approx(brentq(score, 1e-9, share), abs=1e-10)
    assert high == pytest.approx(brentq(score, share, 1 - 1e-9), abs=1e-10)


@pytest.mark.parametrize("trials", [5, 20, 100])
def test_wilson_interval_covers_the_truth_about_as_often_as_it_says(trials):
    # Exact sums over the binomial law, no sampling; averaged over p.
    successes = np.arange(trials + 1)
    low, high = wilson_interval(successes, np.full(trials + 1, trials))
    truths = np.linspace(0.005, 0.995, 199)
    coverage = [binom.pmf(successes, trials, p)[(low <= p) & (p <= high)].sum() for p in truths]
    assert 0.94 < np.mean(coverage) < 0.97


def test_wilson_interval_never_leaves_zero_to_one_and_holds_the_share():
    for trials in (1, 7, 1000):
        k = np.arange(trials + 1)
        low, high = wilson_interval(k, np.full(trials + 1, trials))
        assert (low >= 0).all()
        assert (high <= 1).all()
        assert (low <= k / trials).all()
        assert (k / trials <= high).all()


@pytest.mark.parametrize(("successes", "trials"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(InvalidInputError, match=r"0\.\.trials"):
        wilson_interval(successes, trials)


def test_recovery_curve_counts_the_runs_below_the_threshold(runs):
    curve = recovery_curve(runs, threshold=1e-3)
    for row in curve.itertuples():
        same = runs[
            (runs.model == row.model)
            & (runs.scale == row.scale)
            & (runs.sample_size == row.sample_size)
        ]
        below = sum(1 for error in same.test_mse if error < 1e-3)
        assert (row.n_runs, row.n_recovered) == (len(same), below)
        assert row.share == below / len(same)
    assert curve.n_runs.sum() == len(runs)


def test_a_diverged_run_is_a_run_that_did_not_recover():
    runs = pd.DataFrame(
        {"sample_size": 5, "test_mse": [1e-9, np.nan, np.inf, None], "status": "converged"}
    )
    assert recovery_curve(runs).loc[0, ["n_runs", "n_recovered"]].tolist() == [4, 1]


def test_a_run_that_was_not_trained_for_an_error_is_no_run():
    runs = pd.DataFrame(
        {"sample_size": 5, "test_mse": [1e-9, None], "status": ["converged", "error"]}
    )
    assert recovery_curve(runs).loc[0, ["n_runs", "n_recovered"]].tolist() == [1, 1]
    with pytest.raises(InvalidInputError, match="only errors"):
        recovery_curve(runs.iloc[1:])


def test_settings_keep_the_order_of_the_models_and_sort_the_scales(runs):
    settings = recovery_curve(runs)[["model", "scale"]].drop_duplicates()
    assert settings.values.tolist() == [
        ["mlp", 1], ["mlp", 10], ["cnn_shared", 1], ["cnn_shared", 10],
    ]  # fmt: skip


def test_a_setting_without_a_scale_keeps_its_runs():
    runs = pd.DataFrame({"model": "mlp", "scale": [None, None], "sample_size": 5, "test_mse": 1.0})
    assert recovery_curve(runs).n_runs.tolist() == [2]


def test_a_missing_column_is_named_with_the_nearest(runs):
    with pytest.raises(InvalidInputError, match=r"'sample_size'.*mean 'sample_sizes'"):
        recovery_curve(runs.rename(columns={"sample_size": "sample_sizes"}))


def test_an_empty_table_is_refused(runs):
    with pytest.raises(InvalidInputError, match="at least one row"):
        recovery_curve(runs.iloc[:0])
