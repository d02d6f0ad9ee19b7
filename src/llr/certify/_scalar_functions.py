"""Elementwise functions of the tape: name, value and derivative in ball arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from flint import arb

__all__ = ["FUNCTIONS", "BallFunction", "ScalarFunction"]

BallFunction = Callable[[arb], arb]
Growth = Literal["increasing", "bounded", "free"]


@dataclass(frozen=True)
class ScalarFunction:
    """A function of the tape.

    Attributes:
        value: the function of a ball.
        derivative: its derivative.
        growth: increasing, bounded by 1 in absolute value, or neither: for range analysis.
    """

    value: BallFunction
    derivative: BallFunction
    growth: Growth = "free"


def _half(z: arb) -> arb:
    return z / 2


def _sigmoid(z: arb) -> arb:
    return 1 / (1 + (-z).exp())


def _sech_squared(z: arb) -> arb:
    """tanh'; 1 - tanh^2 would cancel where tanh saturates."""
    return z.sech() ** 2


def _softplus(z: arb) -> arb:
    """log(1 + e^z), without overflow on either side."""
    return z + (-z).exp().log1p() if z > 0 else z.exp().log1p()


def _normal_cdf(z: arb) -> arb:
    """The normal distribution function, accurate in the left tail too."""
    return (-z / arb(2).sqrt()).erfc() / 2


def _normal_density(z: arb) -> arb:
    return (-z * z / 2).exp() / (2 * arb.pi()).sqrt()


def _gelu_tanh_argument(z: arb) -> arb:
    """sqrt(2/pi) (z + 0.044715 z^3), twice: sigma of it is the gate of GELU's tanh form."""
    return 2 * (2 / arb.pi()).sqrt() * (z + arb(44715) / 1000000 * z**3)


def _gelu_tanh_gate(z: arb) -> arb:
    return _sigmoid(_gelu_tanh_argument(z))


def _gelu_tanh_gate_derivative(z: arb) -> arb:
    inner = 2 * (2 / arb.pi()).sqrt() * (1 + arb(3 * 44715) / 1000000 * z * z)
    return _sech_squared(_half(_gelu_tanh_argument(z))) / 4 * inner


FUNCTIONS: dict[str, ScalarFunction] = {
    "tanh": ScalarFunction(arb.tanh, _sech_squared, "increasing"),
    "sigmoid": ScalarFunction(_sigmoid, lambda z: _sech_squared(_half(z)) / 4, "increasing"),
    "softplus": ScalarFunction(_softplus, _sigmoid, "increasing"),
    "normal cdf": ScalarFunction(_normal_cdf, _normal_density, "increasing"),
    "gelu tanh gate": ScalarFunction(_gelu_tanh_gate, _gelu_tanh_gate_derivative),
    "erf": ScalarFunction(arb.erf, lambda z: 2 * (-z * z).exp() / arb.pi().sqrt(), "increasing"),
    "sin": ScalarFunction(arb.sin, arb.cos, "bounded"),
    "cos": ScalarFunction(arb.cos, lambda z: -z.sin(), "bounded"),
    "exp": ScalarFunction(arb.exp, arb.exp, "increasing"),
    "relative exp": ScalarFunction(arb.exp, arb.exp, "increasing"),
    "log": ScalarFunction(arb.log, lambda z: 1 / z),
    "atan": ScalarFunction(arb.atan, lambda z: 1 / (1 + z * z), "increasing"),
    "sqrt": ScalarFunction(arb.sqrt, lambda z: z.rsqrt() / 2),
    "rsqrt": ScalarFunction(arb.rsqrt, lambda z: -(z.rsqrt() ** 3) / 2),
    "reciprocal": ScalarFunction(lambda z: 1 / z, lambda z: -1 / (z * z)),
}
"""One row for each function; every number system keys its own table by these names."""
