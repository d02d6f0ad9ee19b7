"""Values of activations at rational numbers in a prime field, at one random transcendental."""

from __future__ import annotations

import random
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from fractions import Fraction

import numpy as np

from llr.theory.activations import ActivationRow, Exponential, ExponentialLinear, Gaussian, Smooth
from llr.theory.arithmetic import PrimeField

__all__ = ["Specialisation", "specialised"]


@dataclass
class Specialisation:
    """Random residues for T = e^(1/M), a point of the unit circle, and independent numbers.

    Attributes:
        field: the prime field.
        denominator: N; exponents and angles are integers divided by N, or by 2 N^2 for squares.
        draw: the source of random numbers.
    """

    field: PrimeField
    denominator: int
    draw: random.Random
    numbers: dict[object, int] = dataclass_field(default_factory=dict)

    def exp(self, exponent: Fraction) -> int:
        """e^exponent."""
        power = exponent * 2 * self.denominator**2
        return pow(self.number("T"), int(power), self.field.prime)

    def circle(self, angle: Fraction) -> tuple[int, int]:
        """Cos and sin of an angle."""
        p, power = self.field.prime, int(angle * self.denominator)
        t = self.number("tan(1/2N)")
        inverse = pow(1 + t * t, -1, p)
        x, y = (1 - t * t) * inverse % p, 2 * t * inverse % p
        if power < 0:
            y, power = -y % p, -power
        c, s = 1, 0
        while power:
            if power & 1:
                c, s = (c * x - s * y) % p, (c * y + s * x) % p
            x, y, power = (x * x - y * y) % p, 2 * x * y % p, power >> 1
        return c, s

    def number(self, key: object) -> int:
        """A random residue, the same for one key: a number that no rational equation ties."""
        if key not in self.numbers:
            self.numbers[key] = self.draw.randrange(2, self.field.prime - 1)
        return self.numbers[key]


def specialised(row: ActivationRow, b: Fraction, at: Specialisation) -> tuple[int, int]:
    """Value and slope of an activation at a rational number, as residues."""
    p, kind = at.field.prime, row.kind
    if isinstance(kind, ExponentialLinear):
        alpha, scale = at.field.residue(kind.alpha), at.field.residue(kind.scale)
        if b > 0:
            return scale * at.field.residue(b) % p, scale
        e = at.exp(b)
        return scale * alpha * (e - 1) % p, scale * alpha * e % p
    if isinstance(kind, Exponential):
        return at.exp(b), at.exp(b)
    if isinstance(kind, Gaussian):
        e = at.exp(-b * b)
        return e, -2 * at.field.residue(b) * e % p
    if row.name in _SMOOTH:
        return _SMOOTH[row.name](b, at)
    return _stated(row, b, at)


def _logistic(b: Fraction, at: Specialisation) -> int:
    e = at.exp(b)
    return e * pow(1 + e, -1, at.field.prime) % at.field.prime


def _hyperbolic(e: int, p: int) -> int:
    """(e - 1) / (e + 1)."""
    return (e - 1) * pow(e + 1, -1, p) % p


def _odd_number(name: str, b: Fraction, at: Specialisation) -> int:
    """An independent number for |b|, with the sign of b, 0 at 0."""
    if not b:
        return 0
    number = at.number((name, abs(b)))
    return number if b > 0 else -number % at.field.prime


def _tanh(b: Fraction, at: Specialisation) -> tuple[int, int]:
    t = _hyperbolic(at.exp(2 * b), at.field.prime)
    return t, (1 - t * t) % at.field.prime


def _tanhshrink(b: Fraction, at: Specialisation) -> tuple[int, int]:
    t, _ = _tanh(b, at)
    return (at.field.residue(b) - t) % at.field.prime, t * t % at.field.prime


def _sigmoid(b: Fraction, at: Specialisation) -> tuple[int, int]:
    s = _logistic(b, at)
    return s, s * (1 - s) % at.field.prime


def _silu(b: Fraction, at: Specialisation) -> tuple[int, int]:
    s, z = _logistic(b, at), at.field.residue(b)
    return z * s % at.field.prime, (s + z * s * (1 - s)) % at.field.prime


def _mish(b: Fraction, at: Specialisation) -> tuple[int, int]:
    p, z = at.field.prime, at.field.residue(b)
    t = _hyperbolic((1 + at.exp(b)) ** 2 % p, p)
    return z * t % p, (t + z * (1 - t * t) * _logistic(b, at)) % p


def _softplus(b: Fraction, at: Specialisation) -> tuple[int, int]:
    value = at.number(("softplus", abs(b)))  # softplus(b) = softplus(-b) + b
    return (value + (at.field.residue(b) if b < 0 else 0)) % at.field.prime, _logistic(b, at)


def _logsigmoid(b: Fraction, at: Specialisation) -> tuple[int, int]:
    value, slope = _softplus(b, at)
    return (at.field.residue(b) - value) % at.field.prime, (1 - slope) % at.field.prime


def _rational(b: Fraction, at: Specialisation) -> tuple[int, int]:
    below = 1 + b * b
    return at.field.residue(b / below), at.field.residue((1 - b * b) / below**2)


def _softsign(b: Fraction, at: Specialisation) -> tuple[int, int]:
    below = 1 + abs(b)
    return at.field.residue(b / below), at.field.residue(1 / below**2)


def _arctan(b: Fraction, at: Specialisation) -> tuple[int, int]:
    return _odd_number("arctan", b, at), at.field.residue(1 / (1 + b * b))


def _erf(b: Fraction, at: Specialisation) -> tuple[int, int]:
    density = at.exp(-b * b) * at.number("2/sqrt(pi)") % at.field.prime
    return _odd_number("erf", b, at), density


def _gelu(b: Fraction, at: Specialisation) -> tuple[int, int]:
    p, z = at.field.prime, at.field.residue(b)
    cdf = (1 + _odd_number("erf(b/sqrt 2)", b, at)) * pow(2, -1, p) % p
    return z * cdf % p, (cdf + z * at.exp(-b * b / 2) * at.number("1/sqrt(2 pi)")) % p


def _gelu_tanh(b: Fraction, at: Specialisation) -> tuple[int, int]:
    p, z, half = at.field.prime, at.field.residue(b), pow(2, -1, at.field.prime)
    t, cubic = _odd_number("tanh of GELU", b, at), at.field.residue(Fraction("0.044715"))
    inner = at.number("sqrt(2/pi)") * (1 + 3 * cubic * z * z)
    return z * (1 + t) * half % p, ((1 + t) * half + z * (1 - t * t) * half * inner) % p


def _stated(row: ActivationRow, b: Fraction, at: Specialisation) -> tuple[int, int]:
    """Independent numbers for an activation of which no more is known than where it vanishes."""
    assert isinstance(row.kind, Smooth)
    place = np.array([float(b)])
    zeros = row.kind.value(place)[0] == 0, row.kind.slope(place)[0] == 0
    names = (("value", row.name, b), ("slope", row.name, b))
    value, slope = (0 if zero else at.number(n) for zero, n in zip(zeros, names, strict=True))
    return value, slope


_SMOOTH = {
    "tanh": _tanh,
    "tanhshrink": _tanhshrink,
    "sigmoid": _sigmoid,
    "silu": _silu,
    "mish": _mish,
    "softplus": _softplus,
    "logsigmoid": _logsigmoid,
    "rational": _rational,
    "softsign": _softsign,
    "arctan": _arctan,
    "erf": _erf,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
}
