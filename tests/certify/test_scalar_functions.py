"""Functions of the tape against mpmath, and the identities that their symbols build in."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from flint import arb

from llr.certify._balls import working_precision
from llr.certify._float_balls import FloatBalls, FloatBallSystem
from llr.certify._residues import FORMAL, Field
from llr.certify._scalar_functions import FUNCTIONS

DIGITS = 40
mp = mpmath.mp.clone()
mp.dps = DIGITS

TRUE = {
    "tanh": mp.tanh,
    "sigmoid": lambda z: 1 / (1 + mp.exp(-z)),
    "softplus": lambda z: mp.log(1 + mp.exp(z)),
    "normal cdf": mp.ncdf,
    "gelu tanh gate": lambda z: (
        (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (z + mp.mpf("0.044715") * z**3))) / 2
    ),
    "erf": mp.erf,
    "sin": mp.sin,
    "cos": mp.cos,
    "exp": mp.exp,
    "relative exp": mp.exp,
    "log": mp.log,
    "atan": mp.atan,
    "sqrt": mp.sqrt,
    "rsqrt": lambda z: 1 / mp.sqrt(z),
    "reciprocal": lambda z: 1 / z,
}
POSITIVE = {"log", "sqrt", "rsqrt", "reciprocal"}
POINTS = (-7.5, -1.0, -0.25, 1e-3, 0.3, 1.0, 4.0, 11.0)


def test_every_function_has_a_reference_and_a_symbol():
    assert set(TRUE) == set(FUNCTIONS) == set(FORMAL)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_derivatives_are_the_true_ones(name):
    with working_precision(160):
        for point in POINTS:
            if point <= 0 and name in POSITIVE:
                continue
            z = arb(point)
            for ball, true in (
                (FUNCTIONS[name].value(z), TRUE[name](mp.mpf(point))),
                (FUNCTIONS[name].derivative(z), mp.diff(TRUE[name], mp.mpf(point))),
            ):
                digits = ball.str(45, radius=False)
                assert mp.almosteq(mp.mpf(digits), true, rel_eps=mp.mpf(10) ** -18)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64_enclosures_hold_the_true_values_of_every_point_of_a_ball(name):
    middle = np.array([0.7, 2.5, 0.1])
    radius = np.array([0.0, 1e-10, 1e-3])
    found = FloatBalls(middle, radius).apply(name)
    for enclosure, true in zip(found, (TRUE[name], lambda z: mp.diff(TRUE[name], z)), strict=True):
        for i in range(3):
            for end in (-1, 0, 1):
                exact = true(mp.mpf(middle[i]) + end * mp.mpf(radius[i]))
                error = abs(exact - mp.mpf(enclosure.parts[0][i]))
                assert error <= mp.mpf(enclosure.parts[1][i]) + mp.mpf(10) ** -25


IDENTITIES = {
    "tanh": [lambda h, d, z: h(z) + h(-z), lambda h, d, z: d(z) - 1 + h(z) ** 2],
    "sigmoid": [lambda h, d, z: h(z) + h(-z) - 1, lambda h, d, z: d(z) - h(z) * (1 - h(z))],
    "softplus": [lambda h, d, z: h(z) - h(-z) - z, lambda h, d, z: d(z) + d(-z) - 1],
    "normal cdf": [lambda h, d, z: h(z) + h(-z) - 1, lambda h, d, z: d(z) - d(-z)],
    "gelu tanh gate": [lambda h, d, z: h(z) + h(-z) - 1, lambda h, d, z: d(z) - d(-z)],
    "erf": [lambda h, d, z: h(z) + h(-z), lambda h, d, z: d(z) - d(-z)],
    "sin": [lambda h, d, z: h(z) + h(-z), lambda h, d, z: d(z) - d(-z)],
    "cos": [lambda h, d, z: h(z) - h(-z), lambda h, d, z: d(z) + d(-z)],
    "exp": [lambda h, d, z: d(z) - h(z)],
    "relative exp": [lambda h, d, z: d(z) - h(z)],
    "log": [lambda h, d, z: d(z) * z - 1],
    "atan": [lambda h, d, z: h(z) + h(-z), lambda h, d, z: d(z) * (1 + z * z) - 1],
    "sqrt": [lambda h, d, z: 2 * z * d(z) - h(z)],
    "rsqrt": [lambda h, d, z: 2 * z * d(z) + h(z)],
    "reciprocal": [lambda h, d, z: h(z) * z - 1, lambda h, d, z: d(z) + h(z) ** 2],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_identities_of_symbols_are_true_and_built_in(name):
    """Checked twice: with real numbers, and with symbols, the reference sample being 0."""
    true = TRUE[name]
    for identity in IDENTITIES[name]:
        for point in (mp.mpf("0.3"), mp.mpf("1.7")):
            value = identity(true, lambda z: mp.diff(true, z), point)
            assert abs(value) < mp.mpf(10) ** -15
    field = Field.random(1, torch.Generator().manual_seed(0))
    p = field.primes[0]
    reference = 0 if name not in POSITIVE else 5

    def symbol(z: object, part: int) -> _Modular:
        both = np.array([reference, z.value], dtype=np.uint64)  # type: ignore[attr-defined]
        return _Modular(int(FORMAL[name](field, (both,))[part][0][1]), p)

    for identity in IDENTITIES[name]:
        z = _Modular(123456789, p)
        assert identity(lambda z: symbol(z, 0), lambda z: symbol(z, 1), z).value == 0


class _Modular:
    """An integer modulo p, with the operators of a number."""

    def __init__(self, value: int, p: int):
        self.value, self.p = value % p, p

    def _with(self, other, operation):
        return _Modular(operation(self.value, getattr(other, "value", other)), self.p)

    def __add__(self, other):
        return self._with(other, lambda a, b: a + b)

    def __sub__(self, other):
        return self._with(other, lambda a, b: a - b)

    def __rsub__(self, other):
        return _Modular(other - self.value, self.p)

    def __mul__(self, other):
        return self._with(other, lambda a, b: a * b)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return _Modular(-self.value, self.p)

    def __pow__(self, exponent):
        return _Modular(pow(self.value, exponent, self.p), self.p)


def test_addition_theorems_make_equal_frequencies_dependent():
    """sin(z + a), sin(z + b) and sin(z + c) are dependent as functions of z, and as symbols."""
    field = Field.random(1, torch.Generator().manual_seed(0))
    p = field.primes[0]
    z = np.array([7, 1000, 31337, 99], dtype=np.uint64)
    from llr.certify._modular_matrices import echelon

    for name, rank in (("sin", 2), ("cos", 2), ("exp", 1), ("tanh", 3)):
        rows = [FORMAL[name](field, (z + np.uint64(shift),))[0][0] for shift in (0, 5, 11)]
        assert echelon(np.stack(rows), p).rank == rank


def test_an_exact_zero_stays_exact_and_a_product_with_it_too():
    system = FloatBallSystem()
    zero, wide = (
        system.constant(np.zeros((1, 2, 2))),
        FloatBalls(np.ones((1, 2, 2)), np.ones((1, 2, 2))),
    )
    for product in (zero * wide, zero.matmul(wide), wide.matmul(zero)):
        assert not product.parts[0].any()
        assert not product.parts[1].any()
