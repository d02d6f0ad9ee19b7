"""Where the slope of GELU vanishes: at one irrational point, which no float can be.

sigma' has one zero, near -0.75. Whether it is irrational is not known, but for any given float the
question is settled by evaluating sigma' in enough digits: floats differ from the zero by more than
1e-40, and so sigma' there by more than 1e-41.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np

from llr.errors import InvalidInputError
from llr.theory.arithmetic import Floats

__all__ = ["gelu_slope", "gelu_tanh_slope"]

DIGITS = 80
NEAR = (-0.76, -0.74)
DECIDED = Decimal("1e-60")

_PI = Decimal(
    "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534"
)


def gelu_slope(b: Floats) -> Floats:
    """A number of the sign of Phi(b) + b phi(b), elementwise."""
    return _decided(b, _gelu)


def gelu_tanh_slope(b: Floats) -> Floats:
    """A number of the sign of the slope of GELU's tanh form, elementwise."""
    return _decided(b, _gelu_tanh)


def _decided(b: Floats, slope: Callable[[Decimal], Decimal]) -> Floats:
    """1 away from the zero; the slope in many digits near it."""
    out = np.ones_like(b)
    for i in np.flatnonzero((b.ravel() > NEAR[0]) & (b.ravel() < NEAR[1])).tolist():
        with localcontext() as context:
            context.prec = DIGITS
            value = slope(Decimal(float(b.flat[i])))
        if abs(value) < DECIDED:
            raise InvalidInputError(
                f"the slope of the activation at {b.flat[i]!r} must be told from zero, got "
                f"{value:.2e} in {DIGITS} digits. Move the bias of this constant unit."
            )
        out.flat[i] = float(value)
    return out


def _gelu(z: Decimal) -> Decimal:
    """Phi(z) + z phi(z)."""
    density = (-z * z / 2).exp() / (2 * _PI).sqrt()
    return Decimal("0.5") + _erf_series(z) + z * density


def _erf_series(z: Decimal) -> Decimal:
    """Phi(z) - 1/2 by its Taylor series."""
    term, total, n = z, z, 0
    while abs(term) > Decimal(10) ** (-DIGITS):
        n += 1
        term *= -z * z / 2 / n
        total += term / (2 * n + 1)
    return total / (2 * _PI).sqrt()


def _gelu_tanh(z: Decimal) -> Decimal:
    """The slope of z (1 + tanh(k (z + c z^3))) / 2."""
    k, c = (2 / _PI).sqrt(), Decimal("0.044715")
    e = (2 * k * (z + c * z**3)).exp()
    t = (e - 1) / (e + 1)
    return (1 + t) / 2 + z * (1 - t * t) * k * (1 + 3 * c * z * z) / 2
