"""The table: one row per activation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from llr.theory.activations._rows import (
    ActivationRow,
    Exponential,
    ExponentialLinear,
    Gaussian,
    Kind,
    Knot,
    Piecewise,
    Smooth,
    Symmetry,
    Wave,
)
from llr.theory.activations._slope_zeros import gelu_slope, gelu_tanh_slope
from llr.theory.arithmetic import Floats

__all__ = ["ROWS", "row_of"]

POLES = "nearest singularity (Theorem A)"
GROWTH = "growth along the imaginary axis (Theorem B)"
CELLS = "jumps across hyperplanes (Theorem C)"
JUMPS = "jumps across hyperplanes, continued (Theorem D)"
EXPONENTIALS = "independence of exponentials of polynomials (Theorem E)"

_ODD = Symmetry(-1)
_POINT = Symmetry(-1, constant=Fraction(1))
_RAMP = Symmetry(1, slope=Fraction(-1))

SELU_SCALE, SELU_ALPHA = Fraction(1.0507009873554805), Fraction(1.6732632423543772)
"""PyTorch's constants, at their exact binary values."""


def _identity(b: Floats) -> Floats:
    return b


def _nowhere(b: Floats) -> Floats:
    return np.ones_like(b)


def _polynomial(*coefficients: float | Fraction) -> tuple[Fraction, ...]:
    """Coefficients, the constant first, at their exact values."""
    return tuple(Fraction(c) for c in coefficients)


def _piecewise(base: tuple[Fraction, ...], *knots: tuple[float, tuple[Fraction, ...]]) -> Piecewise:
    """A piecewise polynomial from its first piece and its jumps."""
    return Piecewise(base, tuple(Knot(Fraction(at), jump) for at, jump in knots))


def _rational_slope(b: Floats) -> Floats:
    """The sign of 1 - b^2, without rounding."""
    return np.sign(1.0 - np.abs(b))


_SIXTH, _HALF = Fraction(1, 6), Fraction(1, 2)
_p = _polynomial

_KINDS: dict[str, tuple[Kind, str]] = {
    "tanh": (Smooth(_ODD, _identity, _nowhere), POLES),
    "sigmoid": (Smooth(_POINT, _nowhere, _nowhere), POLES),
    "arctan": (Smooth(_ODD, _identity, _nowhere), POLES),
    "erf": (Smooth(_ODD, _identity, _nowhere), GROWTH),
    "softsign": (Smooth(_ODD, _identity, _nowhere), JUMPS),
    "tanhshrink": (Smooth(_ODD, _identity, _identity), POLES),
    "rational": (Smooth(_ODD, _identity, _rational_slope), POLES),
    "softplus": (Smooth(_RAMP, _nowhere, _nowhere), POLES),
    "logsigmoid": (Smooth(_RAMP, _nowhere, _nowhere), POLES),
    "silu": (Smooth(_RAMP, _identity, _nowhere), POLES),
    "gelu": (Smooth(_RAMP, _identity, gelu_slope), GROWTH),
    "gelu_tanh": (Smooth(_RAMP, _identity, gelu_tanh_slope), POLES),
    "mish": (Smooth(None, _identity, _nowhere), POLES),
    "relu": (_piecewise(_p(0), (0, _p(0, 1))), CELLS),
    "leaky_relu": (_piecewise(_p(0, 0.01), (0, _p(0, 1 - Fraction(0.01)))), CELLS),
    "abs": (_piecewise(_p(0, -1), (0, _p(0, 2))), CELLS),
    "hardtanh": (_piecewise(_p(-1), (-1, _p(1, 1)), (1, _p(1, -1))), CELLS),
    "relu6": (_piecewise(_p(0), (0, _p(0, 1)), (6, _p(6, -1))), CELLS),
    "hardsigmoid": (
        _piecewise(_p(0), (-3, _p(_HALF, _SIXTH)), (3, _p(_HALF, -_SIXTH))),
        CELLS,
    ),
    "hardswish": (
        _piecewise(_p(0), (-3, _p(0, _HALF, _SIXTH)), (3, _p(0, _HALF, -_SIXTH))),
        CELLS,
    ),
    "softshrink": (_piecewise(_p(_HALF, 1), (-0.5, _p(-_HALF, -1)), (0.5, _p(-_HALF, 1))), CELLS),
    "elu": (ExponentialLinear(Fraction(1), Fraction(1)), JUMPS),
    "celu": (ExponentialLinear(Fraction(1), Fraction(1)), JUMPS),
    "selu": (ExponentialLinear(SELU_ALPHA, SELU_SCALE), JUMPS),
    "sin": (Wave(cosine=False), EXPONENTIALS),
    "cos": (Wave(cosine=True), EXPONENTIALS),
    "exp": (Exponential(), EXPONENTIALS),
    "gaussian": (Gaussian(), EXPONENTIALS),
    "square": (Piecewise(_p(0, 0, 1)), "independence of monomials"),
    "cube": (Piecewise(_p(0, 0, 0, 1)), "independence of monomials"),
    "identity": (Piecewise(_p(0, 1)), "independence of monomials"),
}

ROWS: dict[str, ActivationRow] = {
    name: ActivationRow(name, kind, theorem) for name, (kind, theorem) in _KINDS.items()
}
"""The rows by name."""


def row_of(name: str) -> ActivationRow | None:
    """The row of an activation, None where exact ranks are not known."""
    return ROWS.get(name)
