"""Value and derivative of each activation on eight numbers, by its name in the models' table.

A row is a formula that gives both at once, because they share most of their work. At kinks the
derivative is the one that PyTorch's automatic differentiation takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from llvmlite import ir
from numba import types
from numba.core import cgutils

from llr.training.simd import (
    LANES,
    Expression,
    arctan,
    emit_as,
    erf,
    exp,
    expm1,
    fma,
    intrinsic,
    lanes_of,
    log1p,
    normal_cdf,
    sin_cos,
    where,
)
from llr.training.simd import tanh_of as tanh

__all__ = ["CODES", "FORMULAS", "activate"]

Pair: TypeAlias = tuple[Expression, Expression]

_GELU_SCALE, _GELU_CUBIC = math.sqrt(2 / math.pi), 0.044715
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _logistic(z: Expression) -> tuple[Expression, Expression, Expression]:
    """sigmoid(z), sigmoid(-z) and e^{-|z|}."""
    u = exp(-abs(z))
    near = 1.0 / (u + 1.0)
    far = u * near
    return where(z < 0.0, far, near), where(z < 0.0, near, far), u


def _tanh(z: Expression) -> Pair:
    h = tanh(z)
    return h, fma(-h, h, 1.0)


def _sigmoid(z: Expression) -> Pair:
    s, rest, _ = _logistic(z)
    return s, s * rest


def _arctan(z: Expression) -> Pair:
    return arctan(z), 1.0 / fma(z, z, 1.0)


def _erf(z: Expression) -> Pair:
    value, bell = erf(z)
    return value, bell * (2 / math.sqrt(math.pi))


def _softsign(z: Expression) -> Pair:
    inverse = 1.0 / (abs(z) + 1.0)
    return z * inverse, inverse * inverse


def _tanhshrink(z: Expression) -> Pair:
    h = tanh(z)
    return z - h, h * h


def _rational(z: Expression) -> Pair:
    inverse = 1.0 / fma(z, z, 1.0)
    return z * inverse, fma(-z, z, 1.0) * inverse * inverse


def _softplus(z: Expression) -> Pair:
    s, _, u = _logistic(z)
    linear = z > 20.0  # from here on PyTorch takes the limit
    return z.at_least(0.0) + where(linear, 0.0, log1p(u)), where(linear, 1.0, s)


def _logsigmoid(z: Expression) -> Pair:
    _, rest, u = _logistic(z)
    return z.at_most(0.0) - log1p(u), rest


def _silu(z: Expression) -> Pair:
    s, rest, _ = _logistic(z)
    return z * s, s * fma(z, rest, 1.0)


def _gelu(z: Expression) -> Pair:
    normal, bell = normal_cdf(z)
    return z * normal, fma(z * (1 / math.sqrt(2 * math.pi)), bell, normal)


def _gelu_tanh(z: Expression) -> Pair:
    square = z * z
    t = tanh(z * fma(square, _GELU_SCALE * _GELU_CUBIC, _GELU_SCALE))
    inner = fma(square, 3 * _GELU_SCALE * _GELU_CUBIC, _GELU_SCALE)
    half = (t + 1.0) * 0.5
    return z * half, fma(z * 0.5 * fma(-t, t, 1.0), inner, half)


def _mish(z: Expression) -> Pair:
    near = z.at_most(20.0)  # tanh(log(1 + e^z)) rounds to 1 from there on
    w = exp(near)
    n = w * (w + 2.0)
    inverse = 1.0 / (n + 2.0)
    t = n * inverse
    return z * t, fma(near * 4.0 * w * (w + 1.0), inverse * inverse, t)


def _relu(z: Expression) -> Pair:
    return z.at_least(0.0), where(z > 0.0, z.constant(1.0), 0.0)


def _leaky_relu(z: Expression) -> Pair:
    slope = where(z > 0.0, z.constant(1.0), 0.01)
    return z * slope, slope


def _abs(z: Expression) -> Pair:
    return abs(z), where(z > 0.0, 1.0, where(z < 0.0, z.constant(-1.0), 0.0))


def _between(z: Expression, low: float, high: float, inside: float) -> Expression:
    """``inside`` where low < z < high, 0 elsewhere."""
    return where(z > low, where(z < high, z.constant(inside), 0.0), 0.0)


def _hardtanh(z: Expression) -> Pair:
    return z.at_least(-1.0).at_most(1.0), _between(z, -1.0, 1.0, 1.0)


def _relu6(z: Expression) -> Pair:
    return z.at_least(0.0).at_most(6.0), _between(z, 0.0, 6.0, 1.0)


def _hardsigmoid(z: Expression) -> Pair:
    return (z + 3.0).at_least(0.0).at_most(6.0) * (1 / 6), _between(z, -3.0, 3.0, 1 / 6)


def _hardswish(z: Expression) -> Pair:
    slope = where(z <= -3.0, 0.0, where(z < 3.0, fma(z, 1 / 3, 0.5), 1.0))
    return z * (z + 3.0).at_least(0.0).at_most(6.0) * (1 / 6), slope


def _softshrink(z: Expression) -> Pair:
    return z - z.at_least(-0.5).at_most(0.5), where(abs(z) > 0.5, z.constant(1.0), 0.0)


def _elu(z: Expression) -> Pair:
    tail = expm1(z.at_most(0.0))
    return z.at_least(0.0) + tail, tail + 1.0


def _selu(z: Expression) -> Pair:
    tail = expm1(z.at_most(0.0))
    scaled = fma(tail, _SELU_ALPHA, z.at_least(0.0))
    return scaled * _SELU_SCALE, where(z > 0.0, 1.0, (tail + 1.0) * _SELU_ALPHA) * _SELU_SCALE


def _sin(z: Expression) -> Pair:
    return sin_cos(z)


def _cos(z: Expression) -> Pair:
    sine, cosine = sin_cos(z)
    return cosine, -sine


def _exp(z: Expression) -> Pair:
    h = exp(z)
    return h, h


def _gaussian(z: Expression) -> Pair:
    h = exp(-(z * z))
    return h, z * h * -2.0


def _square(z: Expression) -> Pair:
    return z * z, z * 2.0


def _cube(z: Expression) -> Pair:
    square = z * z
    return square * z, square * 3.0


def _identity(z: Expression) -> Pair:
    return z, z.constant(1.0)


FORMULAS: dict[str, Callable[[Expression], Pair]] = {
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "arctan": _arctan,
    "erf": _erf,
    "softsign": _softsign,
    "tanhshrink": _tanhshrink,
    "rational": _rational,
    "softplus": _softplus,
    "logsigmoid": _logsigmoid,
    "silu": _silu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "mish": _mish,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "abs": _abs,
    "hardtanh": _hardtanh,
    "relu6": _relu6,
    "hardsigmoid": _hardsigmoid,
    "hardswish": _hardswish,
    "softshrink": _softshrink,
    "elu": _elu,
    "celu": _elu,
    "selu": _selu,
    "sin": _sin,
    "cos": _cos,
    "exp": _exp,
    "gaussian": _gaussian,
    "square": _square,
    "cube": _cube,
    "identity": _identity,
}
"""Value and derivative by the names of ``llr.models.ACTIVATIONS``."""

CODES = {name: code for code, name in enumerate(FORMULAS)}
"""The number by which compiled code knows each activation."""


@intrinsic
def activate(_context: Any, code: Any, values: Any, slopes: Any, start: Any, stop: Any) -> Any:
    """Replace values[start:stop] by the activation's, and write its derivatives to slopes.

    Computes in float64 whatever the dtype of the arrays, eight at a time; stop - start is a
    multiple of eight.
    """
    kind, wide = lanes_of[values.dtype], lanes_of[types.float64].vector

    def at(build: Any, pointer: Any, index: Any) -> Any:
        return build.bitcast(build.gep(pointer, [index]), kind.vector.as_pointer())

    def loop(build: Any, formula: Any, values: Any, slopes: Any, start: Any, stop: Any) -> None:
        step = ir.Constant(stop.type, LANES)
        align = kind.dtype.bitwidth // 8
        with cgutils.for_range_slice(build, start, stop, step, inc=True) as (index, _):
            place = at(build, values, index)
            z = build.load(place, align=align)
            narrow = z.type != wide
            results = formula(Expression(build, build.fpext(z, wide) if narrow else z))
            for result, target in zip(results, (place, at(build, slopes, index)), strict=True):
                value = result.value
                build.store(
                    build.fptrunc(value, kind.vector) if narrow else value, target, align=align
                )

    def emit(build: Any, code: Any, *operands: Any) -> None:
        end = build.append_basic_block("end")
        switch = build.switch(code, end)
        for name, number in CODES.items():
            block = build.append_basic_block(name)
            switch.add_case(ir.Constant(code.type, number), block)
            build.position_at_end(block)
            loop(build, FORMULAS[name], *operands)
            build.branch(end)
        build.position_at_end(end)

    whole = types.intp
    return emit_as(types.void(whole, values, slopes, whole, whole), emit)
