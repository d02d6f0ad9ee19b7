"""The constant part of a target: a rational number and multiples of values sigma(b).

The values sigma(b) are folded by the activation's symmetry to b > 0. For most activations different
ones are then linearly independent over the rationals, together with 1, so that the constant part
is zero only if every coefficient is:

* tanh, sigmoid, tanhshrink, SiLU, mish: rational functions of T = e^(1/N), transcendental, with
  poles of their own; ELU, exp, Gaussian, sin, cos: distinct powers of e (Lindemann);
* softplus, logsigmoid: a relation would be prod (1 + T^k)^n = T^m, but every 1 + T^k has roots of
  its own;
* erf without a rational part: by Beukers' refinement of the theorem of Siegel and Shidlovskii.

For arctan this is false (3 arctan 1 = arctan 2 + arctan 3), and for GELU it is not known: there
float64 decides, and the result says so unless the value is clearly not zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import torch

from llr.models import ACTIVATIONS
from llr.theory.activations import (
    VALUE_AT_ZERO,
    ActivationRow,
    Exponential,
    ExponentialLinear,
    Gaussian,
    Piecewise,
    Smooth,
    Wave,
)
from llr.theory.arithmetic import Floats
from llr.theory.two_layer import piecewise_at

__all__ = ["ConstantPart", "activation_at"]

INDEPENDENT = frozenset(
    {"tanh", "sigmoid", "silu", "tanhshrink", "mish", "rational", "softsign", "softplus"}
    | {"logsigmoid"}
)
"""Smooth activations whose values at different b > 0 are proved independent, together with 1."""

NOISE = 1e-9
"""A sum larger than this, relative to its terms, is not zero in float64."""


def activation_at(row: ActivationRow, b: float) -> float:
    """sigma(b)."""
    return float(ACTIVATIONS[row.name].function(torch.tensor(b, dtype=torch.float64)))


@dataclass
class ConstantPart:
    """A constant vector with one entry for each output.

    Attributes:
        row: the activation.
        rational: (c,).
        values: the coefficients (c,) of sigma(b), by b.
        scale: the largest term, in size.
    """

    row: ActivationRow
    rational: list[Fraction]
    values: dict[float, list[Fraction]] = field(default_factory=dict)
    scale: float = 1.0

    @classmethod
    def of(
        cls, row: ActivationRow, bias: Floats, output: Floats, output_bias: Floats | None
    ) -> ConstantPart:
        """The sum of constant units (N,) with outputs (N, c), and of the output biases."""
        c = output.shape[1]
        start = np.zeros(c) if output_bias is None else output_bias
        part = cls(row, [Fraction(v) for v in start.tolist()])
        for b, outputs in zip(bias.tolist(), output.tolist(), strict=True):
            rational, symbol, factor = _split(row, b)
            part.add([Fraction(a) * rational for a in outputs])
            if symbol is not None:
                old = part.values.setdefault(symbol, [Fraction(0)] * c)
                part.values[symbol] = [old[l] + factor * Fraction(a) for l, a in enumerate(outputs)]
            part.scale = max(part.scale, *(abs(a) * abs(activation_at(row, b)) for a in outputs))
        return part

    def add(self, vector: list[Fraction]) -> None:
        """Add a rational vector."""
        self.rational = [u + v for u, v in zip(self.rational, vector, strict=True)]

    @property
    def is_rational(self) -> bool:
        """Whether no value sigma(b) is left."""
        return not any(any(factors) for factors in self.values.values())

    @property
    def numeric(self) -> Floats:
        """The vector in float64."""
        total = np.array([float(v) for v in self.rational])
        for symbol, factors in self.values.items():
            total += _symbol_value(self.row, symbol) * np.array([float(v) for v in factors])
        return total

    def decide(self) -> tuple[bool, tuple[str, ...]]:
        """Whether the vector is not zero, and what that rests on."""
        if self.is_rational:
            return any(self.rational), ()
        if bool((np.abs(self.numeric) > NOISE * self.scale).any()):
            return True, ()
        if self._proved:
            return True, ()
        return False, (
            f"the constant part of the target, {self.numeric.tolist()} in float64, is zero: no "
            f"theorem decides it for the values of {self.row.name}",
        )

    @property
    def _proved(self) -> bool:
        if not isinstance(self.row.kind, Smooth):
            return True
        if self.row.name == "erf":
            return not any(self.rational)
        return self.row.name in INDEPENDENT


def _split(row: ActivationRow, b: float) -> tuple[Fraction, float | None, Fraction]:
    """sigma(b) as rational + factor times the value at a symbol."""
    kind, z, none = row.kind, Fraction(b), Fraction(0)
    if isinstance(kind, Piecewise):
        return piecewise_at(kind, row.name, b)[0], None, none
    if isinstance(kind, Smooth):
        return _split_smooth(row, kind, z)
    if isinstance(kind, ExponentialLinear):
        if b >= 0:
            return kind.scale * z, None, none
        return -kind.scale * kind.alpha, b, kind.scale * kind.alpha
    if isinstance(kind, Wave) and not kind.cosine:
        return none, abs(b) if b else None, Fraction((b > 0) - (b < 0))
    if b == 0:
        return Fraction(1), None, none
    even = isinstance(kind, (Wave, Gaussian))
    assert even or isinstance(kind, Exponential)
    return none, abs(b) if even else b, Fraction(1)


def _split_smooth(
    row: ActivationRow, kind: Smooth, z: Fraction
) -> tuple[Fraction, float | None, Fraction]:
    """The same by the symmetry of a smooth activation."""
    none, symmetry = Fraction(0), kind.symmetry
    if row.name == "rational":
        return z / (1 + z * z), None, none
    if row.name == "softsign":
        return z / (1 + abs(z)), None, none
    if z == 0 and VALUE_AT_ZERO[row.name] == 0:
        return none, None, none
    if z == 0 and symmetry is not None and symmetry.sign < 0:
        return symmetry.constant / 2, None, none
    if z < 0 and symmetry is not None:
        rest = symmetry.constant - symmetry.slope * z
        return Fraction(rest), float(-z), Fraction(symmetry.sign)
    return none, float(z), Fraction(1)


def _symbol_value(row: ActivationRow, symbol: float) -> float:
    """What a symbol stands for, in float64."""
    if isinstance(row.kind, ExponentialLinear):
        return float(np.exp(symbol))
    return activation_at(row, symbol)
