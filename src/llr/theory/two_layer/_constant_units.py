"""Values of constant units, and phases of waves, modulo a prime.

Biases are dyadic rationals b = n / N, so e^b is a power of T = e^(1/N), which is transcendental
(Hermite-Lindemann): the rank over the reals is the rank over the field Q(T), and a random residue
for T gives it, up to an error that the degree of the polynomials bounds (Schwartz and Zippel).
cos b and sin b are rational functions of tan(1 / 2N), likewise.

Unless parameters are tied, a column meets a single bias. Such a factor is then common to the
column, and all that matters is whether it is zero.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import torch

from llr.models import ACTIVATIONS
from llr.theory.activations import (
    ActivationRow,
    Exponential,
    ExponentialLinear,
    Gaussian,
    Piecewise,
    Smooth,
    Wave,
)
from llr.theory.arithmetic import Floats, Integers, PrimeField, Residues
from llr.theory.two_layer._specialised import Specialisation, specialised

__all__ = ["ConstantValues", "common_denominator", "degree_bits", "piecewise_at"]


def common_denominator(bias: Floats) -> int:
    """N: the least common denominator of all biases."""
    return math.lcm(*(Fraction(b).denominator for b in set(bias.tolist())), 1)


def degree_bits(row: ActivationRow, bias: Floats, *, exact: bool) -> int:
    """Bits of the degree of the coefficients in the transcendental number, 0 where they are not."""
    if not bias.any() or not (exact or isinstance(row.kind, Wave)):
        return 0
    n, largest = common_denominator(bias), Fraction(float(np.abs(bias).max()))
    degree = n * largest if isinstance(row.kind, Wave) else 2 * n**2 * (largest + largest**2)
    return int(degree + 1).bit_length() + 4


@dataclass(frozen=True)
class ConstantValues:
    """Values of the activation where w = 0, modulo a prime.

    Attributes:
        row: the activation's row.
        bias: (N,).
        field: the prime field.
        exact: whether values are specialised exactly, as tied parameters ask for; otherwise a
            value that is not zero is 1.
        seed: of the specialisation.
    """

    row: ActivationRow
    bias: Floats
    field: PrimeField
    exact: bool
    seed: int

    def value(self, where: Integers) -> Residues:
        """sigma(b) where a condition holds, 0 elsewhere."""
        return self._at(where, 0)

    def slope(self, where: Integers) -> Residues:
        """sigma'(b) where a condition holds, 0 elsewhere."""
        return self._at(where, 1)

    def phases(self) -> tuple[Residues, Residues]:
        """Sin b and cos b of every unit."""
        known = {b: self._random.circle(Fraction(b)) for b in set(self.bias.tolist())}
        sine = self.field.array([known[b][1] for b in self.bias.tolist()])
        return sine, self.field.array([known[b][0] for b in self.bias.tolist()])

    def _at(self, where: Integers, which: int) -> Residues:
        """Value (0) or slope (1) of some units."""
        known: dict[float, int] = {}
        out = [0] * len(self.bias)
        for unit in np.flatnonzero(where).tolist():
            b = float(self.bias[unit]) + 0.0
            if b not in known:
                known[b] = self._pair(b)[which]
            out[unit] = known[b]
        return self.field.array(out)

    @cached_property
    def _random(self) -> Specialisation:
        """The transcendental number, specialised."""
        draw = random.Random(f"{self.seed}-{self.field.prime}")
        return Specialisation(self.field, common_denominator(self.bias), draw)

    def _pair(self, b: float) -> tuple[int, int]:
        """Value and slope at a bias."""
        kind = self.row.kind
        if isinstance(kind, Piecewise):
            value, slope = piecewise_at(kind, self.row.name, b)
            return self.field.residue(value), self.field.residue(slope)
        if isinstance(kind, Wave):
            cosine, sine = self._random.circle(Fraction(b))
            return (cosine, -sine % self.field.prime) if kind.cosine else (sine, cosine)
        if self.exact:
            return specialised(self.row, Fraction(b), self._random)
        return _nonzero(self.row, b)


def _nonzero(row: ActivationRow, b: float) -> tuple[int, int]:
    """1 for a value, or slope, that is not zero."""
    kind = row.kind
    if isinstance(kind, Smooth):
        at = np.array([b])
        return int(kind.value(at)[0] != 0), int(kind.slope(at)[0] != 0)
    if isinstance(kind, ExponentialLinear):
        return int(b != 0), 1
    if isinstance(kind, Gaussian):
        return 1, int(b != 0)
    assert isinstance(kind, Exponential)
    return 1, 1


def piecewise_at(kind: Piecewise, name: str, b: float) -> tuple[Fraction, Fraction]:
    """Exact value and slope; at a kink the slope is that of PyTorch's automatic differentiation."""
    z = Fraction(b)
    pieces = [kind.base, *(knot.jump for knot in kind.knots if z > knot.at)]
    value = sum((_evaluate(piece, z) for piece in pieces), Fraction(0))
    if any(knot.at == z for knot in kind.knots):
        slope = ACTIVATIONS[name].derivative(torch.tensor([b], dtype=torch.float64))
        return value, Fraction(float(slope[0]))
    steps = [power * c * z ** (power - 1) for p in pieces for power, c in enumerate(p) if power]
    return value, sum(steps, Fraction(0))


def _evaluate(polynomial: tuple[Fraction, ...], z: Fraction) -> Fraction:
    """The polynomial at a rational number."""
    return sum((c * z**power for power, c in enumerate(polynomial)), Fraction(0))
