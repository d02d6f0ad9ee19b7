"""Exponents: against scipy's regression and a simulated truth."""

import json
import math

import numpy as np
import pytest
from scipy.stats import linregress
from scipy.stats import t as student

from llr.analysis import exponent
from llr.errors import InvalidInputError


@pytest.mark.parametrize("n", [3, 4, 30])
def test_exponent_equals_scipys_regression_with_students_interval(n):
    random = np.random.default_rng(n)
    x = np.exp(random.normal(size=n))
    y = 3 * x**1.7 * np.exp(0.2 * random.normal(size=n))
    expected = linregress(np.log(x), np.log(y))
    half = student.ppf(0.975, n - 2) * expected.stderr
    found = exponent(x, y)
    assert found.value == pytest.approx(expected.slope, rel=1e-12)
    assert found.low == pytest.approx(expected.slope - half, rel=1e-9)
    assert found.high == pytest.approx(expected.slope + half, rel=1e-9)
    assert found.prefactor == pytest.approx(math.exp(expected.intercept), rel=1e-12)


def test_exponents_interval_covers_the_truth():
    # 1000 fits of 8 points; a coverage of 0.95 stays within 0.93..0.97 with probability 0.996.
    random = np.random.default_rng(0)
    x = np.logspace(-4, -1, 8)
    hits = sum(
        fit.low <= 4 <= fit.high
        for fit in (exponent(x, x**4 * np.exp(random.normal(size=8))) for _ in range(1000))
    )
    assert 930 <= hits <= 970


def test_an_exact_power_law_has_an_interval_without_width():
    x = np.logspace(-4, -1, 7)
    found = exponent(x, 2.5 * x**2)
    assert found.value == pytest.approx(2, abs=1e-12)
    assert found.high - found.low < 1e-12
    assert found.prefactor == pytest.approx(2.5)


def test_two_points_leave_the_interval_open():
    found = exponent([1.0, 10.0], [1.0, 100.0])
    assert found.value == pytest.approx(2)
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert json.loads(found.to_json())["low"] is None


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_values_without_a_logarithm_are_refused(bad):
    with pytest.raises(InvalidInputError, match="y must be positive and finite"):
        exponent([1.0, 2.0, 3.0], [1.0, bad, 2.0])


def test_a_constant_x_and_unequal_lengths_are_refused():
    with pytest.raises(InvalidInputError, match="two different values"):
        exponent([1.0, 1.0], [1.0, 2.0])
    with pytest.raises(InvalidInputError, match="equal length"):
        exponent([1.0, 2.0], [1.0])
