"""Transitions: against exact arithmetic, brute force and simulated truth."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reference import analysis as reference

from llr.analysis import transition, transition_table
from llr.errors import InvalidInputError

METHODS = ["isotonic", "logistic", "median", "mean"]

counts = st.lists(
    st.integers(1, 6).flatmap(lambda m: st.tuples(st.integers(0, m), st.just(m))),
    min_size=1,
    max_size=9,
)


def table(sizes, counts):
    """A table with k of m runs recovered at each size."""
    return pd.DataFrame(
        [
            {"sample_size": n, "seed": seed, "test_mse": 1e-8 if seed < k else 0.5}
            for n, (k, m) in zip(sizes, counts, strict=True)
            for seed in range(m)
        ]
    )


def errors_table(errors):
    """A table of test errors by size (rows) and seed (columns); NaN: no such run."""
    rows = [
        {"sample_size": n, "seed": seed, "test_mse": error}
        for n, line in enumerate(errors, start=1)
        for seed, error in enumerate(line)
        if not math.isnan(error)
    ]
    return pd.DataFrame(rows)


@given(counts)
def test_isotonic_transition_is_where_the_exact_isotonic_fit_reaches_one_half(counts):
    sizes = [3 * i + 2 for i in range(len(counts))]
    fit = reference.isotonic_fit(*map(list, zip(*counts, strict=True)))
    found = transition(table(sizes, counts), n_bootstrap=0)
    assert found.sample_size == reference.first_reaching_half(sizes, fit)


@given(counts)
def test_isotonic_transition_is_the_cut_with_fewest_runs_on_the_wrong_side(counts):
    wrong = [
        sum(k for k, _ in counts[:cut]) + sum(m - k for k, m in counts[cut:])
        for cut in range(len(counts) + 1)
    ]
    sizes = [*range(1, len(counts) + 1), math.inf]
    found = transition(table(sizes[:-1], counts), n_bootstrap=0)
    assert found.sample_size == sizes[wrong.index(min(wrong))]


@given(counts.filter(lambda drawn: len(drawn) > 1))
def test_logistic_transition_is_where_the_penalised_maximum_crosses(counts):
    sizes = [2 * 2**i + i for i in range(len(counts))]
    recovered, runs = map(list, zip(*counts, strict=True))
    level, slope = reference.firth_fit(sizes, recovered, runs)
    grid = np.arange(sizes[0], sizes[-1] + 1)
    fitted = level + slope * np.log(grid)
    found = transition(table(sizes, counts), method="logistic", n_bootstrap=0).sample_size
    if np.abs(fitted).min() < 1e-4:
        return  # the crossing lies on an integer: either side is right
    expected = grid[fitted > 0]
    assert found == (expected[0] if expected.size else math.inf)


def test_logistic_transition_is_finite_where_the_runs_separate_perfectly():
    found = transition(table([5, 10, 20, 50], [(0, 4), (0, 4), (4, 4), (4, 4)]), method="logistic")
    assert 10 < found.sample_size <= 20


@pytest.mark.parametrize("method", ["median", "mean"])
@given(
    st.lists(
        st.lists(
            st.sampled_from([1e-8, 9e-4, 1.1e-3, 0.5, math.inf, math.nan]), min_size=4, max_size=4
        ).filter(lambda line: not all(map(math.isnan, line))),
        min_size=1,
        max_size=6,
    )
)
def test_median_and_mean_transitions_are_the_first_size_from_which_on_they_stay_below(
    method, errors
):
    centre = {"median": np.median, "mean": np.mean}[method]
    centres = [centre([e for e in line if not math.isnan(e)]) for line in errors]
    sizes = list(range(1, len(errors) + 1))
    found = transition(errors_table(errors), method=method, n_bootstrap=0)
    assert found.sample_size == reference.stays_below(sizes, centres, 1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_bootstrap_interval_equals_refitting_resampled_tables_one_by_one(method):
    random = np.random.default_rng(1)
    errors = np.where(random.random((12, 6)) < np.linspace(0, 1, 12)[:, None], 1e-8, 0.3)
    errors[3, 2] = errors[7, 0] = math.nan
    runs = errors_table(errors)
    drawn = np.random.default_rng(5).integers(6, size=(60, 6))
    refitted = []
    for draw in drawn:
        again = pd.concat([runs[runs.seed == old].assign(seed=new) for new, old in enumerate(draw)])
        refitted.append(transition(again, method=method, n_bootstrap=0).sample_size)
    found = transition(runs, method=method, n_bootstrap=60, seed=5)
    ranked = sorted(refitted)
    assert (found.low, found.high) == (
        ranked[math.ceil(60 * 0.025) - 1],
        ranked[math.ceil(60 * 0.975) - 1],
    )


def test_bootstrap_interval_covers_the_true_transition():
    # 200 tables of 30 seeds, shares 1 / (1 + exp(-(n - 10.5))): the true transition is 11.
    # A coverage of 0.95 stays above 0.90 with probability 0.997.
    random = np.random.default_rng(2)
    sizes = np.arange(1, 21)
    shares = 1 / (1 + np.exp(-(sizes - 10.5)))
    hits = 0
    for trial in range(200):
        errors = np.where(random.random((20, 30)) < shares[:, None], 1e-8, 1.0)
        found = transition(errors_table(errors), n_bootstrap=200, seed=trial)
        hits += found.low <= 11 <= found.high
    assert hits >= 180


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_interval_and_the_frame_is_left_alone(runs, method):
    one = runs[(runs.model == "mlp") & (runs.scale == 10)]
    before = one.copy()
    first = transition(one, method=method, seed=3)
    assert first == transition(one.sample(frac=1, random_state=0), method=method, seed=3)
    pd.testing.assert_frame_equal(one, before)


@pytest.mark.parametrize("method", METHODS)
def test_no_recovery_is_an_infinite_transition_and_says_so(method):
    found = transition(table([5, 9, 30], [(0, 3)] * 3), method=method)
    assert found.sample_size == math.inf
    assert str(found) == "> 30 [> 30, > 30]"
    assert json.loads(found.to_json())["sample_size"] is None


@pytest.mark.parametrize("method", METHODS)
def test_recovery_everywhere_is_a_transition_at_the_smallest_size(method):
    found = transition(table([5, 9, 30], [(3, 3)] * 3), method=method)
    assert (found.sample_size, found.after, found.low, found.high) == (5, 0, 5, 5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("recovered", "expected"), [(0, math.inf), (4, 12)])
def test_a_single_sample_size_has_a_transition(method, recovered, expected):
    found = transition(table([12], [(recovered, 4)]), method=method)
    assert found.sample_size == expected


def test_one_seed_gives_no_interval():
    found = transition(table([5, 9], [(0, 1), (1, 1)]))
    assert math.isnan(found.low)
    assert str(found) == "9"


def test_the_gap_before_the_transition_is_reported():
    found = transition(table([5, 10, 20, 50], [(0, 2), (0, 2), (2, 2), (2, 2)]))
    assert (found.after, found.sample_size) == (10, 20)


def test_several_settings_at_once_are_refused(runs):
    with pytest.raises(InvalidInputError, match=r"2 values of 'model': mlp, cnn_shared"):
        transition(runs)


def test_an_unknown_method_names_the_valid_ones(runs):
    with pytest.raises(InvalidInputError, match="mean 'logistic'"):
        transition(runs, method="logit")


def test_transition_table_has_a_row_a_setting_with_the_single_transitions(runs):
    found = transition_table(runs, n_bootstrap=50, seed=1)
    assert found[["model", "scale"]].values.tolist() == [
        ["mlp", 1], ["mlp", 10], ["cnn_shared", 1], ["cnn_shared", 10],
    ]  # fmt: skip
    assert found.optimistic_sample_size.tolist() == [21, 21, 7, 7]
    for row in found.itertuples():
        one = runs[(runs.model == row.model) & (runs.scale == row.scale)]
        alone = transition(one, n_bootstrap=50, seed=1)
        assert (row.transition, row.low, row.high) == (alone.sample_size, alone.low, alone.high)
        assert row.median_below == transition(one, method="median", n_bootstrap=0).sample_size
        assert (row.n_runs, row.n_seeds) == (len(one), 8)


def test_transition_table_pools_what_it_does_not_group_by(runs):
    found = transition_table(runs, by=["model"], n_bootstrap=0)
    assert found.n_runs.tolist() == [320, 320]
