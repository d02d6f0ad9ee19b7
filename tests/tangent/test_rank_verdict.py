"""From singular values to an integer, its tolerance and its verdict."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llr.errors import InvalidInputError
from llr.tangent._rank_verdict import CLEAR_GAP, decide, explicit_tolerance

EPS = torch.finfo(torch.float64).eps


def spectrum(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def judged(values, shape=(100, 50), **options):
    return decide(
        values, shape, **{"atol": None, "rtol": None, "gap": None, "noise": None} | options
    )


def test_a_wide_gap_at_the_textbook_tolerance_is_clear():
    decision = judged(spectrum(10, 3, 1e-3, 1e-15, 1e-16))
    assert (decision.rank, decision.textbook_rank, decision.verdict) == (3, 3, "clear")
    assert decision.tolerance == 100 * EPS * 10
    assert decision.gap == pytest.approx(1e-3 / (10 * EPS))  # rounding of the largest value
    assert decision.message == ""


def test_a_smooth_fall_through_the_tolerance_is_ambiguous_and_says_what_to_try():
    decision = judged(spectrum(*(10.0 ** -torch.arange(0, 17))))
    assert decision.verdict == "ambiguous"
    assert decision.gap == pytest.approx(10)
    for remedy in ("param_error=", "samples spread"):
        assert remedy in decision.message
    assert "formal_rank" not in decision.message
    exact = judged(spectrum(*(10.0 ** -torch.arange(0, 17))), two_layer=True)
    assert "llr.formal_rank, which is exact for this network" in exact.message


def test_a_full_rank_is_measured_against_the_tolerance():
    assert judged(spectrum(1, 0.5, 1e-3), (3, 50)).verdict == "clear"
    close = judged(spectrum(1, 0.5, 1e-12), (3, 50))
    assert (close.rank, close.textbook_rank, close.verdict) == (2, 3, "ambiguous")


def test_the_gap_is_reported_beside_the_textbook_count():
    trained = spectrum(5, 1, 3.4e-3, 2.4e-7, 1e-7, 1e-9, 1e-11, 3e-13, 1e-14)
    decision = judged(trained)
    assert (decision.rank, decision.textbook_rank) == (3, 8)
    assert decision.gap == pytest.approx(3.4e-3 / 2.4e-7)
    assert 2.4e-7 < decision.tolerance < 3.4e-3
    # Neither number can be called clear without knowing whether the parameters are exact.
    assert decision.verdict == "ambiguous"
    assert "8 values lie above rounding. State param_error=" in decision.message


def test_several_clear_gaps_are_ambiguous_and_named():
    decision = judged(spectrum(1, 0.1, 1e-7, 1e-7, 1e-16))
    assert (decision.rank, decision.textbook_rank, decision.verdict) == (2, 4, "ambiguous")
    decision = judged(spectrum(1, 0.1, 1e-6, 1e-10, 1e-11, 1e-16))
    assert (decision.rank, decision.textbook_rank, decision.verdict) == (2, 5, "ambiguous")
    assert "clear gaps after 3 too" in decision.message


def test_of_comparable_gaps_the_first_counts_and_a_far_wider_one_wins():
    error = 1e-5  # values of order one, of the error, of its square
    decision = judged(spectrum(1, 0.03, error, 0.5 * error, 1e-11, 1e-11, 1e-17))
    assert (decision.rank, decision.textbook_rank) == (2, 6)
    decision = judged(spectrum(1, 1e-2, 1e-5, 0.5e-5, 1e-16))
    assert (decision.rank, decision.verdict) == (4, "clear")


def test_comparable_means_at_least_the_widest_gap_to_the_power_six_tenths_and_both_are_named():
    layer_norm = spectrum(70, 3.3e-2, 6.5e-7, 1e-17)  # a direction of the size of its eps
    decision = judged(layer_norm)
    assert (decision.rank, decision.textbook_rank, decision.verdict) == (2, 3, "ambiguous")
    assert "the widest gap, 4.2e+07, is after 3" in decision.message
    exact = judged(layer_norm, noise=torch.zeros(4, dtype=torch.float64))
    assert (exact.rank, exact.verdict) == (3, "clear")
    for power, rank in ((0.59, 2), (0.61, 1)):
        first = 10 ** (-9 * power)
        assert judged(spectrum(1, first, 1e-9 * first, 0)).rank == rank


def test_a_tolerance_of_the_callers_decides_alone():
    values = spectrum(1, 1e-2, 1e-4, 1e-6)
    assert judged(values, atol=1e-3).rank == 2
    assert judged(values, rtol=1e-5).rank == 3
    assert judged(values, atol=1e-3, rtol=0.1).rank == 1
    assert judged(values, atol=1e-3).verdict == "ambiguous"
    assert judged(values, atol=1e-3, gap=50.0).verdict == "clear"


def test_noise_explains_what_lies_below_it():
    values = spectrum(1, 0.1, 1e-3, 1e-5, 1e-6, 1e-7)
    noise = spectrum(2e-5, 2e-5, 2e-5, 2e-5, 1e-5, 1e-6)
    decision = judged(values, noise=noise)
    assert (decision.rank, decision.textbook_rank, decision.verdict) == (3, 6, "clear")
    assert decision.tolerance == pytest.approx(6e-5)
    assert judged(values, noise=torch.zeros(6, dtype=torch.float64)).rank == 6
    assert judged(values, noise=torch.ones(6, dtype=torch.float64)).rank == 0


def test_no_tangent_function_at_all_is_rank_zero():
    decision = judged(spectrum(0, 0))
    assert (decision.rank, decision.verdict, decision.gap) == (0, "clear", math.inf)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"atol": -1.0}, "atol must be a number >= 0"),
        ({"rtol": math.nan}, "rtol must be a number"),
        ({"gap": 1.0}, "gap must be a number > 1"),
    ],
)
def test_wrong_numbers_are_refused(options, message):
    with pytest.raises(InvalidInputError, match=message):
        judged(spectrum(1, 0.1), **options)


@given(
    st.lists(st.floats(1e-18, 1e3), min_size=1, max_size=12),
    st.one_of(st.none(), st.floats(0, 1)),
    st.one_of(st.none(), st.floats(0, 1)),
)
def test_the_textbook_count_is_that_of_torch(values, atol, rtol):
    sigma = torch.tensor(sorted(values, reverse=True), dtype=torch.float64)
    matrix = torch.diag(sigma)
    wanted = torch.linalg.matrix_rank(matrix, atol=atol, rtol=rtol)
    shape = (len(sigma), len(sigma))
    tolerance = explicit_tolerance(float(sigma[0]), shape, atol, rtol)
    assert int((sigma > tolerance).sum()) == int(wanted)


@given(st.lists(st.floats(-17, 2), min_size=1, max_size=15), st.floats(1.5, 1e6))
def test_the_rank_is_the_count_above_the_tolerance_and_never_above_the_textbook(exponents, gap):
    values = 10.0 ** torch.tensor(sorted(exponents, reverse=True), dtype=torch.float64)
    decision = judged(values, gap=gap)
    assert decision.rank == int((values > decision.tolerance).sum()) or 1 in values.diff().eq(0)
    assert decision.rank <= decision.textbook_rank
    assert (decision.verdict == "clear") == (decision.message == "")
    if decision.verdict == "clear":
        assert decision.gap >= gap


def test_the_default_gap_is_the_stated_one():
    assert judged(spectrum(1, 1.01 / CLEAR_GAP, 1e-17)).verdict == "clear"
    assert judged(spectrum(1, 0.99 / CLEAR_GAP, 1e-17)).verdict == "ambiguous"
