"""Formulas on eight float64 numbers, written as formulas: each operation emits LLVM code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from llvmlite import ir
from numba import types

from llr.training.simd._vectors import INT_VECTOR, LANES, call_intrinsic, fused, lanes_of, same

__all__ = ["Expression", "Mask", "fma", "polynomial", "power_of_two", "where"]

VECTOR = lanes_of[types.float64].vector

_ROUND = 1.5 * 2.0**52  # adding it rounds to an integer
_BIAS = 1023  # of the exponent of a float64

Operand: TypeAlias = "Expression | float"


@dataclass(frozen=True)
class Mask:
    """Eight truth values."""

    build: Any
    value: Any


@dataclass(frozen=True)
class Expression:
    """Eight float64 numbers that compiled code will have computed."""

    build: Any
    value: Any

    def _other(self, operand: Operand) -> Any:
        return operand.value if isinstance(operand, Expression) else same(operand, VECTOR)

    def _made(self, value: Any) -> Expression:
        return Expression(self.build, value)

    def __add__(self, other: Operand) -> Expression:
        return self._made(self.build.fadd(self.value, self._other(other)))

    def __sub__(self, other: Operand) -> Expression:
        return self._made(self.build.fsub(self.value, self._other(other)))

    def __mul__(self, other: Operand) -> Expression:
        return self._made(self.build.fmul(self.value, self._other(other)))

    def __truediv__(self, other: Operand) -> Expression:
        return self._made(self.build.fdiv(self.value, self._other(other)))

    def __radd__(self, other: float) -> Expression:
        return self + other

    def __rsub__(self, other: float) -> Expression:
        return self._made(self.build.fsub(same(other, VECTOR), self.value))

    def __rmul__(self, other: float) -> Expression:
        return self * other

    def __rtruediv__(self, other: float) -> Expression:
        return self._made(self.build.fdiv(same(other, VECTOR), self.value))

    def __neg__(self) -> Expression:
        return self._made(self.build.fneg(self.value))

    def __gt__(self, other: Operand) -> Mask:
        return Mask(self.build, self.build.fcmp_ordered(">", self.value, self._other(other)))

    def __lt__(self, other: Operand) -> Mask:
        return Mask(self.build, self.build.fcmp_ordered("<", self.value, self._other(other)))

    def __le__(self, other: Operand) -> Mask:
        return Mask(self.build, self.build.fcmp_ordered("<=", self.value, self._other(other)))

    def __abs__(self) -> Expression:
        return self._made(call_intrinsic(self.build, "fabs", self.value))

    def constant(self, value: float) -> Expression:
        """The same number in all lanes."""
        return self._made(same(value, VECTOR))

    def at_most(self, bound: float) -> Expression:
        """The smaller of each number and a bound; NaN stays."""
        return where(self > bound, bound, self)

    def at_least(self, bound: float) -> Expression:
        """The larger of each number and a bound; NaN stays."""
        return where(self < bound, bound, self)

    def nearest_integer(self) -> tuple[Expression, Any]:
        """Each number rounded, as numbers and as int64 lanes; below 2^51 in magnitude."""
        shifted = self + _ROUND
        bits = self.build.bitcast(shifted.value, INT_VECTOR)
        first = self.build.bitcast(same(_ROUND, VECTOR), INT_VECTOR)
        return shifted - _ROUND, self.build.sub(bits, first)


def where(condition: Mask, yes: Operand, no: Operand) -> Expression:
    """``yes`` where the condition holds, ``no`` elsewhere."""
    build = condition.build
    values = [v.value if isinstance(v, Expression) else same(v, VECTOR) for v in (yes, no)]
    return Expression(build, build.select(condition.value, *values))


def fma(a: Expression, b: Operand, c: Operand) -> Expression:
    """The sum a * b + c, fused where the processor can."""
    return Expression(a.build, fused(a.build, a.value, a._other(b), a._other(c)))


def polynomial(x: Expression, coefficients: Sequence[float]) -> Expression:
    """The sum of coefficients[i] x^i, by Estrin's scheme: short chains of dependent operations."""
    pairs = [coefficients[i : i + 2] for i in range(0, len(coefficients), 2)]
    terms = [fma(x, pair[1], pair[0]) if len(pair) > 1 else x.constant(pair[0]) for pair in pairs]
    while len(terms) > 1:
        x = x * x
        halves = [terms[i : i + 2] for i in range(0, len(terms), 2)]
        terms = [fma(half[1], x, half[0]) if len(half) > 1 else half[0] for half in halves]
    return terms[0]


def power_of_two(build: Any, exponent: Any) -> Expression:
    """The float64 numbers 2^k for int64 lanes -1023 < k < 1024."""
    biased = build.add(exponent, ir.Constant(INT_VECTOR, [_BIAS] * LANES))
    bits = build.shl(biased, ir.Constant(INT_VECTOR, [52] * LANES))
    return Expression(build, build.bitcast(bits, VECTOR))
