"""Ball arithmetic at any precision: arrays of python-flint's ``arb``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from flint import arb, arb_mat, ctx

from llr.certify._number_arrays import Entries, NumberArray, UndecidedSignError
from llr.certify._scalar_functions import FUNCTIONS

__all__ = ["BallSystem", "Balls", "working_precision"]

SMALLEST_MATRIX = 64  # products of fewer terms are done entry by entry


@contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """Work at a precision, and restore the caller's afterwards."""
    before = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = before


_to_ball = np.frompyfunc(lambda value: arb(float(value)), 1, 1)


UNDECIDED = 2


def _sign(z: arb) -> int:
    """1, 0 (exactly zero) or -1, where a ball decides it."""
    if z > 0:
        return 1
    if z < 0:
        return -1
    if z.is_zero():
        return 0
    return UNDECIDED


_signs = np.frompyfunc(_sign, 1, 1)


class Balls(NumberArray):
    """An object array of balls."""

    def with_parts(self, *parts: Entries) -> Self:
        return type(self)(*parts)

    def zero(self) -> arb:
        return arb(0)

    def __add__(self, other: Self) -> Self:
        return self.with_parts(np.asarray(self.parts[0] + other.parts[0], dtype=object))

    def __mul__(self, other: Self) -> Self:
        return self.with_parts(np.asarray(self.parts[0] * other.parts[0], dtype=object))

    def __neg__(self) -> Self:
        return self.with_parts(np.asarray(-self.parts[0], dtype=object))

    def sum_axis(self, axis: int) -> Self:
        return self.with_parts(np.asarray(np.add.reduce(self.parts[0], axis=axis), dtype=object))

    def product(self, other: Self) -> Self:
        a, b = self.parts[0], other.parts[0]
        flat = a.ndim == b.ndim == 3 and len(a) == len(b) == 1
        if flat and a.size + b.size > SMALLEST_MATRIX:
            (_, rows, inner), columns = a.shape, b.shape[2]
            left = arb_mat(rows, inner, a.ravel().tolist())
            right = arb_mat(inner, columns, b.ravel().tolist())
            entries = np.empty(rows * columns, dtype=object)
            entries[:] = (left * right).entries()
            return self.with_parts(entries.reshape(1, rows, columns))
        return self.with_parts(np.asarray(np.matmul(a, b), dtype=object))

    def apply(self, name: str) -> tuple[Self, Self]:
        function = FUNCTIONS[name]
        value = np.frompyfunc(function.value, 1, 1)(self.parts[0])
        slope = np.frompyfunc(function.derivative, 1, 1)(self.parts[0])
        return (
            self.with_parts(np.asarray(value, dtype=object)),
            self.with_parts(np.asarray(slope, dtype=object)),
        )

    def masked(self, mask: Any) -> Self:
        zero: Any = arb(0)
        return self.with_parts(np.where(mask, self.parts[0], zero))


class BallSystem:
    """Balls at the working precision.

    Args:
        margin: radius of the inputs, so that signs hold in a neighbourhood of each sample and f is
            differentiable there.

    Attributes:
        signs: 1, 0 or -1 of each argument of a kink, in the order in which the program asked.
    """

    def __init__(self, margin: float = 0.0) -> None:
        self.margin = margin
        self.signs: list[Entries] = []

    def constant(self, values: Entries) -> Balls:
        """Exact numbers."""
        array = np.asarray(values, dtype=np.float64)
        return Balls(np.asarray(_to_ball(array), dtype=object).reshape(array.shape))

    def samples(self, values: Entries) -> Balls:
        """Inputs, with the margin as radius."""
        exact = self.constant(values)
        if not self.margin:
            return exact
        around = np.frompyfunc(lambda ball: ball + arb(0, self.margin), 1, 1)
        return Balls(np.asarray(around(exact.parts[0]), dtype=object))

    def positive(self, z: Balls) -> Entries:
        """Where z > 0; the signs are recorded.

        Raises:
            UndecidedSignError: if a ball may have both signs.
        """
        signs = np.asarray(_signs(z.parts[0])).astype(np.int8)
        if (signs == UNDECIDED).any():
            raise UndecidedSignError((signs == UNDECIDED).reshape(len(signs), -1).any(1))
        self.signs.append(signs)
        return signs > 0
