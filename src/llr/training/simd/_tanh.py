"""The hyperbolic tangent of eight numbers at once."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from llr.training.simd._vectors import (
    INT_VECTOR,
    LANES,
    emit_as,
    fused,
    intrinsic,
    lanes_of,
    same,
)

__all__ = ["emit_tanh", "tanh"]

_KIND = lanes_of[types.float64]

# tanh(r) = r (1 + P1 u + P2 u^2) / (1 + Q1 u + Q2 u^2), u = r^2, interpolates at the four Chebyshev
# points of 0 <= u <= (log(2) / 4)^2: relative error 2e-17.
_P1, _P2 = 0.11110147886040408, 0.0010575592524237915
_Q1, _Q2 = 0.44443481219373676, 0.01586916331769181
_INVERSE_STEP = 2.8853900817779268  # 2 / log(2)
_STEP_HIGH = float.fromhex("0x1.62e42fefap-2")  # log(2) / 2, upper 39 bits: k * high is exact
_STEP_LOW = float.fromhex("0x1.cf79abc9e3b3ap-41")  # the rest of log(2) / 2
_ROUND = 1.5 * 2.0**52 + 1023.0  # adding it rounds to an integer and biases it as an exponent
_SATURATED = 19.1  # beyond 19.0616 tanh rounds to 1


def _same(value: float) -> ir.Constant:
    """A float64 number in all lanes."""
    return same(value, _KIND.vector)


def emit_tanh(build: Any, x: Any) -> Any:
    """The formula of :func:`tanh` as LLVM code."""
    one, most, least = _same(1.0), _same(_SATURATED), _same(-_SATURATED)
    x = build.select(build.fcmp_ordered(">", x, most), most, x)  # leaves NaN alone
    x = build.select(build.fcmp_ordered("<", x, least), least, x)
    rounded = fused(build, x, _same(_INVERSE_STEP), _same(_ROUND))
    bits = build.bitcast(rounded, INT_VECTOR)
    power = build.bitcast(
        build.shl(bits, ir.Constant(INT_VECTOR, [52] * LANES)), _KIND.vector
    )  # 2^k
    k = build.fsub(rounded, _same(_ROUND))
    r = fused(build, k, _same(-_STEP_LOW), fused(build, k, _same(-_STEP_HIGH), x))
    u = build.fmul(r, r)
    p = build.fmul(r, fused(build, u, fused(build, u, _same(_P2), _same(_P1)), one))
    q = fused(build, u, fused(build, u, _same(_Q2), _same(_Q1)), one)
    less, more = build.fsub(power, one), build.fadd(power, one)
    numerator = fused(build, more, p, build.fmul(less, q))
    denominator = fused(build, less, p, build.fmul(more, q))
    return build.fdiv(numerator, denominator)


@intrinsic
def tanh(_context: Any, a: Any) -> Any:
    """Hyperbolic tangents, within four units in the last place of the truth everywhere.

    With x = k log(2)/2 + r, |r| <= log(2)/4, and tanh(r) = p / q,

        tanh(x) = ((2^k - 1) q + (2^k + 1) p) / ((2^k + 1) q + (2^k - 1) p).

    Where k = 0 this is p / q, so that relative accuracy holds down to the smallest numbers. Odd,
    exactly 1 from 19.1 on, NaN at NaN.
    """
    return emit_as(_KIND(_KIND), emit_tanh)
