"""How large a polynomial an entry is: the number system that bounds the chance of an error.

With symbols, an entry of J is a polynomial in random values (symbols, samples) and in reciprocals,
with dyadic coefficients. A minor of J that is not the zero polynomial vanishes at random values
modulo a random prime p with a probability of at most deg / p (Schwartz, J. ACM 27, 1980), plus the
chance that p divides all its coefficients, whose sizes are bounded too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from llr.certify._number_arrays import Entries, Movement, NumberArray

__all__ = ["DegreeSystem", "Degrees", "Size"]


class Size(NamedTuple):
    """A bound for every entry of an array.

    Attributes:
        degree: in random values and reciprocals.
        bits: base-2 logarithm of the sum of absolute coefficients.
        places: coefficients are multiples of 2^-places.
    """

    degree: float
    bits: float
    places: float

    def times(self, other: Size) -> Size:
        """Of a product."""
        return Size(*(a + b for a, b in zip(self, other, strict=True)))

    def plus(self, other: Size) -> Size:
        """Of a sum."""
        return Size(
            max(self.degree, other.degree),
            float(np.logaddexp2(self.bits, other.bits)),
            max(self.places, other.places),
        )

    def summed(self, count: int) -> Size:
        """Of a sum of that many."""
        return self._replace(bits=self.bits + math.log2(max(count, 1)))


ZERO = Size(0.0, -math.inf, 0.0)
SYMBOL = Size(1.0, 0.0, 0.0)
HALF = Size(0.0, -1.0, 1.0)
ONE = Size(0.0, 0.0, 0.0)


def _of(values: Entries) -> Size:
    """The size of constants."""
    nonzero = values[values != 0]
    if not nonzero.size:
        return ZERO
    mantissa, exponent = np.frexp(nonzero)
    integer = np.abs(mantissa * 2.0**53).astype(np.int64)
    trailing = np.log2((integer & -integer).astype(float))
    places = float((53 - exponent - trailing).max())
    return Size(0.0, float(np.log2(np.abs(nonzero)).max()), max(places, 0.0))


@dataclass
class Counts:
    """What a run has met.

    Attributes:
        clearing: by what clearing denominators multiplies a degree.
        denominator_bits: largest coefficient bits of a denominator, for each unit of degree.
        arguments: arguments of symbols, at one sample.
        argument: their largest size.
    """

    clearing: float = 1.0
    denominator_bits: float = 0.0
    arguments: int = 0
    argument: Size = ZERO


class Degrees(NumberArray):
    """An array of one sample, and one size for all its entries."""

    def __init__(self, counts: Counts, size: Size, shape: Entries) -> None:
        super().__init__(shape)
        self.counts, self.size = counts, size

    def with_parts(self, *parts: Entries) -> Self:
        return type(self)(self.counts, self.size, parts[0])

    def with_size(self, size: Size, shape: Entries | None = None) -> Self:
        """An array of another size."""
        return type(self)(self.counts, size, self.parts[0] if shape is None else shape)

    def zero(self) -> bool:
        return False

    def _together(self, other: Any) -> Entries:
        return self.parts[0] | other.parts[0]

    def __add__(self, other: Any) -> Self:
        return self.with_size(self.size.plus(other.size), self._together(other))

    def __mul__(self, other: Any) -> Self:
        return self.with_size(self.size.times(other.size), self._together(other))

    def __neg__(self) -> Self:
        return self

    def sum_axis(self, axis: int) -> Self:
        part = self.parts[0]
        return self.with_size(self.size.summed(part.shape[axis]), np.asarray(part.any(axis)))

    def scatter(self, movement: Movement) -> Self:
        out = super().scatter(movement)
        most = max((places.shape[1] for _, places in movement.groups), default=1)
        return out.with_size(self.size.summed(most))

    def product(self, other: Any) -> Self:
        size = self.size.times(other.size).summed(self.shape[-1])
        return self.with_size(size, self.parts[0] @ other.parts[0])

    def masked(self, mask: Any) -> Self:
        return self * mask if isinstance(mask, Degrees) else self

    def apply(self, name: str) -> tuple[Self, Self]:
        self._count_argument()
        value, slope = self._applied(name)
        return self.with_size(value), self.with_size(slope)

    def _count_argument(self) -> None:
        counts = self.counts
        counts.arguments += math.prod(self.shape[1:])
        counts.argument = Size(*map(max, zip(counts.argument, self.size, strict=True)))

    def _reciprocal(self, size: Size) -> Size:
        """A fresh variable; remember by what clearing it multiplies degrees."""
        self.counts.clearing *= 1 + math.prod(self.shape[1:]) * size.degree
        bits = max(size.bits, 0.0) + size.places
        self.counts.denominator_bits = max(self.counts.denominator_bits, bits)
        return SYMBOL

    def _applied(self, name: str) -> tuple[Size, Size]:
        """Sizes of the value and of the derivative, as the symbols of residues have them."""
        z = self.size
        square = SYMBOL.times(SYMBOL)
        if name == "tanh":
            return SYMBOL, square.plus(ONE)
        if name == "sigmoid":
            value = SYMBOL.plus(ONE).times(HALF)
            return value, value.times(value.plus(ONE))
        if name == "softplus":
            return z.times(HALF).plus(SYMBOL), SYMBOL.plus(ONE).times(HALF)
        if name in ("normal cdf", "gelu tanh gate"):
            return SYMBOL.plus(HALF), SYMBOL
        if name in ("sin", "cos"):
            return square.summed(2), square.summed(2)
        if name == "exp":
            return square, square
        if name == "atan":
            return SYMBOL, self._reciprocal(z.times(z).plus(ONE))
        if name == "log":
            return SYMBOL, self._reciprocal(z)
        if name == "rsqrt":
            return z.times(SYMBOL), SYMBOL.times(HALF)
        if name == "sqrt":
            return z.times(z).times(SYMBOL), z.times(SYMBOL).times(HALF)
        if name == "reciprocal":
            inverse = self._reciprocal(z)
            return inverse, inverse.times(inverse)
        return SYMBOL, SYMBOL


class DegreeSystem:
    """Sizes of polynomials; every sign is a symbol."""

    def __init__(self) -> None:
        self.counts = Counts()

    def constant(self, values: Entries) -> Degrees:
        """Exact numbers."""
        array = np.asarray(values, dtype=np.float64)
        return Degrees(self.counts, _of(array), array != 0)

    samples = constant

    def random(self, shape: Sequence[int]) -> Degrees:
        """One random sample."""
        return Degrees(self.counts, SYMBOL, np.ones((1, *shape), dtype=bool))

    def positive(self, z: Degrees) -> Degrees:
        """A symbol, or one minus it."""
        z._count_argument()
        return z.with_size(SYMBOL.plus(ONE))
