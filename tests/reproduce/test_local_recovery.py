"""Local recovery: exponents of eps, cliffs, and what the theory says of them."""

import math

import pandas as pd
import pytest

from llr.reproduce import Job, reproduce
from llr.reproduce._local_recovery import (
    _verdict,
    draw_cliffs,
    error_orders,
    judge,
    local_errors,
    onset,
)

CASES = {"shared, no bias": 6, "unshared, no bias": 12, "fully connected, no bias": 18}


def with_size(runs, size):
    """The runs with a column of the optimistic sample size."""
    return runs.assign(optimistic_sample_size=size)


def test_the_exponent_is_that_of_the_power_law(local_runs):
    runs = with_size(local_runs("v", {5: 2.0, 6: 4.0, 11: 8.0}), 6)
    orders = error_orders(runs).set_index("sample_size")["exponent"]
    assert orders.round(9).to_dict() == {5: 2.0, 6: 4.0, 11: 8.0}


def test_errors_out_of_reach_of_float64_are_left_out(local_runs):
    runs = with_size(local_runs("v", {6: 4.0}), 6)
    runs.loc[runs["init_std"] == 1e-3, "test_mse"] = 1e-28
    assert error_orders(runs)["exponent"].item() == pytest.approx(4.0)


def test_a_run_that_diverged_has_no_order_and_an_infinite_error(local_runs):
    runs = with_size(local_runs("v", {6: 4.0}, seeds=3), 6)
    runs.loc[(runs["seed"] < 2) & (runs["init_std"] == 1e-1), "status"] = "diverged"
    orders = error_orders(runs)
    assert orders["exponent"].item() == orders["exponent_low"].item() == -math.inf
    assert onset(orders, 3.0) is None
    at = local_errors(runs).set_index("eps")
    assert at.loc[1e-1, ["test_mse", "ratio", "ratio_high"]].tolist() == [math.inf] * 3
    assert at.loc[1e-2, "ratio_high"] < math.inf
    figure = draw_cliffs(local_errors(runs).assign(variant="v"), orders, {"v": "title"})
    figure.canvas.draw()


def test_the_errors_are_medians_in_units_of_eps_squared(local_runs):
    runs = with_size(local_runs("v", {5: 2.0}, seeds=5), 6)
    table = local_errors(runs)
    assert table["ratio"].nunique() < len(table) or table["ratio"].std() < 1e-12
    assert (table["ratio_low"] <= table["ratio"]).all()
    assert (table["n_runs"] == 5).all()


def test_a_cliff_must_last(local_runs):
    orders = error_orders(with_size(local_runs("v", {5: 4.0, 6: 2.0, 7: 4.0, 8: 4.0}), 7))
    assert onset(orders, 3.0) == 7
    assert onset(orders, 6.0) is None


def made_up(finished, local_runs, *, shift=0):
    """The headline's variants, their cliffs moved by so many samples."""
    sweeps = Job("local-recovery", quick=True).sweeps()
    tables = [
        local_runs(
            plan.variant,
            {
                n: 2.0 + 2.0 * (n >= CASES[plan.variant] + shift)
                for n in range(CASES[plan.variant] - 3, CASES[plan.variant] + 4)
            },
        )
        for plan, _ in sweeps
    ]
    return judge(finished("local-recovery", pd.concat(tables), sweeps=sweeps))


def test_cliffs_at_the_optimistic_sample_sizes_agree(finished, local_runs):
    outcome = made_up(finished, local_runs)
    assert outcome.verdict.word == "agrees"
    assert [c.measured for c in outcome.verdict.comparisons] == [6, 12, 18]
    assert [c.expected for c in outcome.verdict.comparisons] == [6, 12, 18]


def test_cliffs_one_sample_later_differ(finished, local_runs):
    outcome = made_up(finished, local_runs, shift=1)
    assert outcome.verdict.word == "differs"
    assert [c.measured for c in outcome.verdict.comparisons] == [7, 13, 19]


def test_the_figure_marks_every_prediction(finished, local_runs):
    outcome = made_up(finished, local_runs)
    texts = {text.get_text() for ax in outcome.figures["local_recovery"].axes for text in ax.texts}
    assert texts == {"predicted: 6", "predicted: 12", "predicted: 18"}


@pytest.mark.parametrize(("measured", "agrees"), [(6, True), (7, True), (8, False), (None, False)])
def test_where_only_a_bound_is_known_less_agrees_too(measured, agrees):
    row = {"optimistic_sample_size": 7, "bound_only": True, "linear_part": None, "largest_n": 10}
    row |= {"variant": "v", "measured": measured, "next_order_from": None}
    cliffs = pd.DataFrame([row | {"exponent_below": 2.0, "exponent_from": 4.0}])
    cliffs = cliffs.astype(dict.fromkeys(("measured", "next_order_from", "linear_part"), "Int64"))
    (comparison,) = _verdict("name", cliffs).comparisons
    assert (comparison.expected, comparison.agrees) == (7, agrees)


def test_the_exact_size_of_a_deep_network_must_be_met(finished, local_runs, tmp_path):
    job = Job("local-recovery", output=tmp_path)
    job.write_weights()
    sweeps = [(plan, config) for plan, config in job.sweeps() if plan.variant == "deep, target 1-1"]
    for measured, agrees in ((6, False), (7, True), (8, False)):
        runs = local_runs("deep, target 1-1", {n: 2.0 + 2 * (n >= measured) for n in range(4, 11)})
        (comparison,) = judge(finished("local-recovery", runs, sweeps=sweeps)).verdict.comparisons
        assert comparison.expected == 7
        assert comparison.agrees is agrees


def test_both_cliffs_of_the_shared_convolution_stand_where_the_theory_says(tmp_path):
    """Three variants, really trained: 6, 12 and 18, and d = 5 samples later."""
    options = {
        "quick": True,
        "output": tmp_path,
        "overrides": {"sweep.init_stds": [1e-2, 1e-3], "sweep.seeds": 1},
    }
    result = reproduce("local-recovery", **options)
    assert result.verdict.word == "agrees"
    assert [c.measured for c in result.verdict.comparisons] == [6, 12, 18, 11, 17, 23]
    stored = sorted(tmp_path.glob("*/*/runs/*"))
    before = [path.stat().st_mtime_ns for path in stored]
    assert reproduce("local-recovery", **options).verdict == result.verdict
    assert sorted(tmp_path.glob("*/*/runs/*")) == stored
    assert [path.stat().st_mtime_ns for path in stored] == before  # nothing is trained again
