"""Arithmetic modulo a 61-bit prime on NumPy arrays.

A product of two residues has 122 bits. It is reduced in two steps of 31 bits: the quotient by p
comes from floating point, where it is below 2^32 and so right up to one, and the remainder from
64-bit integers, which drop the leading bits that cancel anyway.

Matrix products go through floating-point matrix products of 21-bit digits, which are exact as
long as sums stay below 2^53.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from llr.theory.arithmetic._exact_values import Floats, Integers

__all__ = ["LargePrimeField", "PrimeField", "Residues"]

Residues: TypeAlias = npt.NDArray[np.int64]
"""Integers from 0 to p - 1."""

_LOW31 = 2**31 - 1
_DIGIT = 21
_LEAST_EXPONENT, _MOST_EXPONENT = -1200, 1100  # of float64 numbers as integers times 2^exponent
_TERMS = 512  # 3 * 512 products of 21-bit digits add up to less than 2^53
_AT_ONCE = 2**14  # elements whose temporaries stay in the processor's cache


@dataclass(frozen=True)
class PrimeField:
    """The integers modulo a prime.

    Attributes:
        prime: p, between 2^60 and 2^61.
    """

    prime: int
    dtype: ClassVar[npt.DTypeLike] = np.int64

    @cached_property
    def _powers_of_two(self) -> Residues:
        """2^e modulo p, from the least exponent on."""
        power, powers = pow(2, _LEAST_EXPONENT, self.prime), []
        for _ in range(_LEAST_EXPONENT, _MOST_EXPONENT):
            powers.append(power)
            power = power * 2 % self.prime
        return np.array(powers, dtype=np.int64)

    def residues(self, values: Floats) -> Residues:
        """Floats, which are dyadic rationals, modulo p. Only zero gives zero."""
        mantissa, exponent = np.frexp(values)
        integer = (mantissa * 2.0**53).astype(np.int64)
        power = self._powers_of_two[exponent - 53 - _LEAST_EXPONENT]
        magnitude = self.times(np.abs(integer), power)
        return np.where(integer < 0, self.negative(magnitude), magnitude)

    def negative(self, a: Residues) -> Residues:
        """-a."""
        return np.where(a == 0, a, self.prime - a)

    def plus(self, a: Residues, b: Residues) -> Residues:
        """Sum a + b."""
        return self._below_p(a + b)

    def minus(self, a: Residues, b: Residues) -> Residues:
        """Difference a - b."""
        return self._from_zero(a - b)

    def times(self, a: Residues, b: Residues) -> Residues:
        """Elementwise product a b."""
        shape = np.broadcast_shapes(a.shape, b.shape)
        size = math.prod(shape)
        if size <= _AT_ONCE:
            return self._times(a, b)
        a, b, out = np.broadcast_to(a, shape), np.broadcast_to(b, shape), np.empty(shape, np.int64)
        step = max(1, _AT_ONCE * shape[0] // size)
        for start in range(0, shape[0], step):
            part = slice(start, start + step) if step > 1 or len(shape) == 1 else start
            out[part] = self.times(a[part], b[part])
        return out

    def _times(self, a: Residues, b: Residues) -> Residues:
        """Elementwise product of few elements."""
        p, inverse = self.prime, 1.0 / self.prime
        with np.errstate(over="ignore"):
            high, low, real = b >> 31, b & _LOW31, a.astype(np.float64)
            part = a * high - (real * high * inverse).astype(np.int64) * p
            quotient = np.floor((part.astype(np.float64) * 2.0**31 + real * low) * inverse)
            rest = (part << 31) + a * low - quotient.astype(np.int64) * p
        return self._below_p(self._from_zero(rest))

    def residue(self, value: Fraction) -> int:
        """A rational number modulo p."""
        return value.numerator * pow(value.denominator, -1, self.prime) % self.prime

    def array(self, values: Sequence[int]) -> Residues:
        """Residues given as Python integers."""
        out = np.empty(len(values), dtype=self.dtype)
        out[:] = values
        return out

    def inverse(self, a: int) -> int:
        """1 / a for a nonzero residue."""
        return pow(a, -1, self.prime)

    def sums(self, values: Residues, starts: Integers) -> Residues:
        """Sums of the runs of a flat array that begin at ``starts``."""
        low = np.add.reduceat(values & _LOW31, starts) % self.prime
        high = np.add.reduceat(values >> 31, starts) % self.prime
        return self.plus(self.times(high, np.array(2**31)), low)

    def matrix_product(self, a: Residues, b: Residues) -> Residues:
        """Matrix product of (n, k) and (k, m)."""
        out = np.zeros((a.shape[0], b.shape[1]), dtype=np.int64)
        step = max(1, _AT_ONCE // max(1, b.shape[1]))
        for term in range(0, a.shape[1], _TERMS):
            right = _digits(b[term : term + _TERMS])
            for start in range(0, len(a), step):
                rows = slice(start, start + step)
                part = self._product(_digits(a[rows, term : term + _TERMS]), right)
                out[rows] = self.plus(out[rows], part)
        return out

    def _product(self, left: list[Floats], right: list[Floats]) -> Residues:
        """Matrix product of digits, by floating point, put together by Horner's rule."""
        out = np.zeros((left[0].shape[0], right[0].shape[1]), dtype=np.int64)
        for place in reversed(range(5)):
            digit = sum(left[i] @ right[place - i] for i in range(3) if 0 <= place - i < 3)
            out = self._shifted(out, np.asarray(digit))
        return out

    def _shifted(self, a: Residues, digit: Floats) -> Residues:
        """2^21 a + digit, for a digit below 2^53."""
        quotient = np.floor((a.astype(np.float64) * 2.0**_DIGIT + digit) * (1.0 / self.prime))
        with np.errstate(over="ignore"):
            rest = (a << _DIGIT) + digit.astype(np.int64) - quotient.astype(np.int64) * self.prime
        return self._below_p(self._from_zero(rest))

    def _below_p(self, a: Residues) -> Residues:
        """Subtract p where a >= p."""
        return a - self.prime * (a >= self.prime)

    def _from_zero(self, a: Residues) -> Residues:
        """Add p where a < 0."""
        return a + (self.prime & (a >> 63))


class LargePrimeField(PrimeField):
    """The integers modulo a prime of any size, in arrays of Python integers: slow."""

    dtype: ClassVar[npt.DTypeLike] = object

    def residues(self, values: Floats) -> Residues:
        """Floats modulo p."""
        flat = [self.residue(Fraction(value)) for value in values.ravel().tolist()]
        return self.array(flat).reshape(values.shape)

    def negative(self, a: Residues) -> Residues:
        """-a."""
        return -a.astype(object) % self.prime

    def plus(self, a: Residues, b: Residues) -> Residues:
        """Sum a + b."""
        return (a.astype(object) + b) % self.prime

    def minus(self, a: Residues, b: Residues) -> Residues:
        """Difference a - b."""
        return (a.astype(object) - b) % self.prime

    def times(self, a: Residues, b: Residues) -> Residues:
        """Elementwise product a b."""
        return a.astype(object) * b % self.prime

    def sums(self, values: Residues, starts: Integers) -> Residues:
        """Sums of the runs of a flat array that begin at ``starts``."""
        return np.add.reduceat(values, starts) % self.prime

    def matrix_product(self, a: Residues, b: Residues) -> Residues:
        """Matrix product of (n, k) and (k, m)."""
        if not a.shape[1]:
            return np.zeros((a.shape[0], b.shape[1]), dtype=object)
        return (a.astype(object) @ b.astype(object)) % self.prime


def _digits(a: Residues) -> list[Floats]:
    """Three digits of 21 bits, the lowest first."""
    mask = 2**_DIGIT - 1
    return [((a >> _DIGIT * i) & mask).astype(np.float64) for i in range(3)]
