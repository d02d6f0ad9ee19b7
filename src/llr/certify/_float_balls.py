"""Float64 midpoints and radii: each entry encloses a real number, whatever rounding did.

Error bounds hold for IEEE arithmetic rounded to nearest, and for matrix products by any order of
summation, with or without fused multiply-adds (Higham, Accuracy and Stability, section 3.1; Rump,
Acta Numerica 2010). Values of transcendental functions come from ball arithmetic, so that the
system's mathematical library need not be trusted.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from flint import arb

from llr.certify._balls import working_precision
from llr.certify._number_arrays import Entries, NumberArray, UndecidedSignError
from llr.certify._scalar_functions import FUNCTIONS

__all__ = ["UNDERFLOW", "UNIT_ROUNDOFF", "FloatBallSystem", "FloatBalls", "LooseFloatSystem"]

UNIT_ROUNDOFF = 2.0**-53
UNDERFLOW = 1e-300  # above the error of any product that underflows, with room to spare
FUNCTION_BITS = 72


def enlarged(radius: Entries, operations: int = 1) -> Entries:
    """A radius computed in float64 by that many roundings, enlarged so that it is a bound."""
    return radius * (1 + (operations + 6) * 2 * UNIT_ROUNDOFF)


class FloatBalls(NumberArray):
    """Midpoints and radii. A radius of zero is exact: zeros stay zeros under products."""

    def with_parts(self, *parts: Entries) -> Self:
        return type(self)(*parts)

    def zero(self) -> float:
        return 0.0

    def __add__(self, other: Self) -> Self:
        (a, r), (b, q) = self.parts, other.parts
        middle = a + b
        exact = (a == 0) | (b == 0)
        rounding = np.where(exact, 0.0, UNIT_ROUNDOFF * np.abs(middle))
        return self.with_parts(middle, enlarged(r + q + rounding))

    def __mul__(self, other: Self) -> Self:
        (a, r), (b, q) = self.parts, other.parts
        middle = a * b
        radius = np.abs(a) * q + r * (np.abs(b) + q) + UNIT_ROUNDOFF * np.abs(middle)
        # Only a product with an exact zero is exact; any other may have underflown.
        inexact = ((a != 0) | (r > 0)) & ((b != 0) | (q > 0))
        return self.with_parts(middle, enlarged(radius, 4) + np.where(inexact, UNDERFLOW, 0.0))

    def __neg__(self) -> Self:
        return self.with_parts(-self.parts[0], self.parts[1])

    def sum_axis(self, axis: int) -> Self:
        middle, radius = self.parts
        count = middle.shape[axis]
        rounding = count * UNIT_ROUNDOFF * np.abs(middle).sum(axis)
        if count == 1:
            rounding = np.zeros_like(rounding)
        return self.with_parts(middle.sum(axis), enlarged(radius.sum(axis) + rounding, 2 * count))

    def product(self, other: Self) -> Self:
        (a, r), (b, q) = self.parts, other.parts
        count = a.shape[-1]
        size_a, size_b = np.abs(a), np.abs(b)
        gamma = (count + 2) * UNIT_ROUNDOFF / (1 - (count + 2) * UNIT_ROUNDOFF)
        radius = size_a @ (q + gamma * size_b)
        if r.any():
            radius = radius + r @ (size_b + q)
        # A row or column of exact zeros gives an exact zero; any other entry may have underflown.
        left = ((a != 0) | (r > 0)).any(-1, keepdims=True)
        right = ((b != 0) | (q > 0)).any(-2, keepdims=True)
        slack = np.where(left & right, 2 * count * UNDERFLOW, 0.0)
        return self.with_parts(a @ b, enlarged(radius, 3 * count) + slack)

    def apply(self, name: str) -> tuple[Self, Self]:
        function, shape = FUNCTIONS[name], self.shape
        values: list[arb] = []
        slopes: list[arb] = []
        with working_precision(FUNCTION_BITS):
            for middle, radius in zip(*(part.ravel().tolist() for part in self.parts), strict=True):
                z = arb(middle, radius) if radius else arb(middle)
                values.append(function.value(z))
                slopes.append(function.derivative(z))
        return self.with_parts(*_from_balls(values, shape)), self.with_parts(
            *_from_balls(slopes, shape)
        )

    def masked(self, mask: Any) -> Self:
        return self.each(lambda part: np.where(mask, part, 0.0))


def _from_balls(balls: list[arb], shape: tuple[int, ...]) -> tuple[Entries, Entries]:
    """Float64 midpoints and radii that enclose balls."""
    middle = np.array([float(ball.mid()) for ball in balls], dtype=np.float64).reshape(shape)
    radius = np.array([float(ball.rad()) for ball in balls], dtype=np.float64).reshape(shape)
    exact = np.array([ball.is_zero() for ball in balls], dtype=bool).reshape(shape)
    rounding = 2 * UNIT_ROUNDOFF * np.abs(middle)
    return middle, enlarged(radius + rounding) + np.where(exact, 0.0, UNDERFLOW)


class FloatBallSystem:
    """Enclosures in float64.

    Args:
        margin: radius of the inputs, so that signs hold in a neighbourhood of each sample.

    Attributes:
        signs: 1, 0 or -1 of each argument of a kink, in the order in which the program asked.
    """

    def __init__(self, margin: float = 0.0) -> None:
        self.margin = margin
        self.signs: list[Entries] = []

    def constant(self, values: Entries) -> FloatBalls:
        """Exact numbers."""
        array = np.asarray(values, dtype=np.float64)
        return FloatBalls(array, np.zeros_like(array))

    def samples(self, values: Entries) -> FloatBalls:
        """Inputs, with the margin as radius."""
        array = np.asarray(values, dtype=np.float64)
        return FloatBalls(array, np.full_like(array, self.margin))

    def positive(self, z: FloatBalls) -> Entries:
        """Where z > 0; the signs are recorded.

        Raises:
            UndecidedSignError: if an entry may have both signs.
        """
        middle, radius = z.parts
        known = (np.abs(middle) > radius) | ((middle == 0) & (radius == 0))
        if not known.all():
            raise UndecidedSignError((~known).reshape(len(known), -1).any(1))
        self.signs.append(np.sign(middle).astype(np.int8))
        return middle > 0


class LooseFloatSystem(FloatBallSystem):
    """The same, signs being those of the midpoints: for a look around, never for a proof."""

    def positive(self, z: FloatBalls) -> Entries:
        """Where the midpoint is positive."""
        self.signs.append(np.sign(z.parts[0]).astype(np.int8))
        return z.parts[0] > 0
