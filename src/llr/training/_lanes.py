"""Eight float64 numbers at once for Numba: LLVM's own vector type, its arithmetic, and tanh.

LLVM maps the type onto whatever the processor has (one AVX-512 register, two of AVX2, four of
NEON), so the compiled kernels depend neither on automatic vectorisation nor on Intel's SVML.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.extending import models, overload, register_model

__all__ = [
    "LANES",
    "keep_lanes",
    "lane_sum",
    "load",
    "load_splat",
    "multiply_add",
    "splat",
    "splitmix64",
    "square_root",
    "store",
    "tanh",
]

LANES = 8

_INT, _FLOAT = ir.IntType(64), ir.DoubleType()
_VECTOR, _INTS = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT, LANES)
_SHUFFLE = ir.VectorType(ir.IntType(32), LANES)


class _Lanes(types.Type):
    """Numba's type of the vector."""


lanes = _Lanes("float64x8")


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    """A vector is one LLVM value and lives in registers."""

    def __init__(self, manager: Any, frontend_type: types.Type) -> None:
        super().__init__(manager, frontend_type, _VECTOR)


def _emit(signature: Any, emit: Callable[..., Any]) -> tuple[Any, Callable[..., Any]]:
    """What an intrinsic returns, from ``emit(builder, *values)``; arrays come as pointers."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        values = [
            context.make_array(kind)(context, builder, value).data
            if isinstance(kind, types.Array)
            else value
            for kind, value in zip(signature.args, values, strict=True)
        ]
        result = emit(builder, *values)
        return context.get_dummy_value() if signature.return_type is types.void else result

    return signature, codegen


def _same(value: float) -> ir.Constant:
    """A constant vector with one number in all lanes."""
    return ir.Constant(_VECTOR, [ir.Constant(_FLOAT, value)] * LANES)


def _broadcast(build: Any, scalar: Any, kind: ir.VectorType = _VECTOR) -> Any:
    """One scalar in all lanes."""
    empty = ir.Constant(kind, ir.Undefined)
    first = build.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
    return build.shuffle_vector(first, empty, ir.Constant(_SHUFFLE, [0] * LANES))


def _at(build: Any, pointer: Any, index: Any) -> Any:
    """Pointer to the vector that starts at an index."""
    return build.bitcast(build.gep(pointer, [index]), _VECTOR.as_pointer())


def _call(build: Any, name: str, *values: Any) -> Any:
    """An LLVM intrinsic on vectors, by name without its type."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(values))
    function = cgutils.get_or_insert_function(build.module, kind, f"llvm.{name}.v{LANES}f64")
    return build.call(function, values)


def _fma(build: Any, a: Any, b: Any, c: Any) -> Any:
    """The sum a * b + c, fused where the processor can."""
    return _call(build, "fmuladd", a, b, c)


def intrinsic(definition: Callable[..., Any]) -> Any:
    """A function of compiled code, called without the typing context its definition begins with."""
    return extending.intrinsic(definition)


@intrinsic
def splat(_context: Any, value: Any) -> Any:
    """A number in all lanes."""
    return _emit(lanes(types.float64), _broadcast)


@intrinsic
def load(_context: Any, array: Any, index: Any) -> Any:
    """The lanes that start at an index of a float64 array."""
    return _emit(
        lanes(array, types.intp), lambda build, a, i: build.load(_at(build, a, i), align=8)
    )


@intrinsic
def load_splat(_context: Any, array: Any, index: Any) -> Any:
    """One element of a float64 array in all lanes."""
    return _emit(
        lanes(array, types.intp),
        lambda build, a, i: _broadcast(build, build.load(build.gep(a, [i]))),
    )


@intrinsic
def store(_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Write the lanes to a float64 array from an index on."""
    return _emit(
        types.void(array, types.intp, lanes),
        lambda build, a, i, v: build.store(v, _at(build, a, i), align=8),
    )


@intrinsic
def multiply_add(_context: Any, a: Any, b: Any, c: Any) -> Any:
    """The sum a * b + c, fused where the processor can."""
    return _emit(lanes(lanes, lanes, lanes), _fma)


@intrinsic
def square_root(_context: Any, a: Any) -> Any:
    """Correctly rounded square roots."""
    return _emit(lanes(lanes), lambda build, v: _call(build, "sqrt", v))


@intrinsic
def lane_sum(_context: Any, a: Any) -> Any:
    """Sum of the lanes, by halves."""

    def emit(build: Any, value: Any) -> Any:
        empty = ir.Constant(_VECTOR, ir.Undefined)
        for half in (4, 2, 1):
            turned = ir.Constant(_SHUFFLE, [(i + half) % LANES for i in range(LANES)])
            value = build.fadd(value, build.shuffle_vector(value, empty, turned))
        return build.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return _emit(types.float64(lanes), emit)


@intrinsic
def _add(_context: Any, a: Any, b: Any) -> Any:
    return _emit(lanes(lanes, lanes), lambda build, a, b: build.fadd(a, b))


@intrinsic
def _subtract(_context: Any, a: Any, b: Any) -> Any:
    return _emit(lanes(lanes, lanes), lambda build, a, b: build.fsub(a, b))


@intrinsic
def _multiply(_context: Any, a: Any, b: Any) -> Any:
    return _emit(lanes(lanes, lanes), lambda build, a, b: build.fmul(a, b))


@intrinsic
def _divide(_context: Any, a: Any, b: Any) -> Any:
    return _emit(lanes(lanes, lanes), lambda build, a, b: build.fdiv(a, b))


@intrinsic
def _negate(_context: Any, a: Any) -> Any:
    return _emit(lanes(lanes), lambda build, a: build.fneg(a))


def _overload(symbol: Callable[..., Any], binary: Any) -> None:
    """Let an operator of Python work on lanes in compiled code."""

    def implementation(a, b):  # Numba compares signatures: no annotations
        return (lambda a, b: binary(a, b)) if a is lanes and b is lanes else None

    overload(symbol)(implementation)


_overload(operator.add, _add)
_overload(operator.sub, _subtract)
_overload(operator.mul, _multiply)
_overload(operator.truediv, _divide)


@overload(operator.neg)
def _(a):
    return (lambda a: _negate(a)) if a is lanes else None


# tanh(r) = r (1 + P1 u + P2 u^2) / (1 + Q1 u + Q2 u^2), u = r^2, interpolates at the four Chebyshev
# points of 0 <= u <= (log(2) / 4)^2: relative error 2e-17.
_P1, _P2 = 0.11110147886040408, 0.0010575592524237915
_Q1, _Q2 = 0.44443481219373676, 0.01586916331769181
_INVERSE_STEP = 2.8853900817779268  # 2 / log(2)
_STEP_HIGH = float.fromhex("0x1.62e42fefap-2")  # log(2) / 2, upper 39 bits: k * high is exact
_STEP_LOW = float.fromhex("0x1.cf79abc9e3b3ap-41")  # the rest of log(2) / 2
_ROUND = 1.5 * 2.0**52 + 1023.0  # adding it rounds to an integer and biases it as an exponent
_SATURATED = 19.1  # beyond 19.0616 tanh rounds to 1


def _tanh(build: Any, x: Any) -> Any:
    """The formula of :func:`tanh` as LLVM code."""
    one, most, least = _same(1.0), _same(_SATURATED), _same(-_SATURATED)
    x = build.select(build.fcmp_ordered(">", x, most), most, x)  # leaves NaN alone
    x = build.select(build.fcmp_ordered("<", x, least), least, x)
    rounded = _fma(build, x, _same(_INVERSE_STEP), _same(_ROUND))
    bits = build.bitcast(rounded, _INTS)
    power = build.bitcast(build.shl(bits, ir.Constant(_INTS, [52] * LANES)), _VECTOR)  # 2^k
    k = build.fsub(rounded, _same(_ROUND))
    r = _fma(build, k, _same(-_STEP_LOW), _fma(build, k, _same(-_STEP_HIGH), x))
    u = build.fmul(r, r)
    p = build.fmul(r, _fma(build, u, _fma(build, u, _same(_P2), _same(_P1)), one))
    q = _fma(build, u, _fma(build, u, _same(_Q2), _same(_Q1)), one)
    less, more = build.fsub(power, one), build.fadd(power, one)
    numerator = _fma(build, more, p, build.fmul(less, q))
    denominator = _fma(build, less, p, build.fmul(more, q))
    return build.fdiv(numerator, denominator)


@intrinsic
def tanh(_context: Any, a: Any) -> Any:
    """Hyperbolic tangents, within four units in the last place of the truth everywhere.

    With x = k log(2)/2 + r, |r| <= log(2)/4, and tanh(r) = p / q,

        tanh(x) = ((2^k - 1) q + (2^k + 1) p) / ((2^k + 1) q + (2^k - 1) p).

    Where k = 0 this is p / q, so that relative accuracy holds down to the smallest numbers. Odd,
    exactly 1 from 19.1 on, NaN at NaN.
    """
    return _emit(lanes(lanes), _tanh)


def _mix(build: Any, value: Any, constant: Callable[[int], Any]) -> Any:
    """The splitmix64 output function on int64 scalars or vectors."""
    value = build.add(value, constant(0x9E3779B97F4A7C15))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = build.mul(build.xor(value, build.lshr(value, constant(shift))), constant(factor))
    return build.xor(value, build.lshr(value, constant(31)))


@intrinsic
def splitmix64(_context: Any, value: Any) -> Any:
    """The splitmix64 hash of an int64."""
    return _emit(
        types.int64(types.int64), lambda build, v: _mix(build, v, lambda c: ir.Constant(_INT, c))
    )


@intrinsic
def keep_lanes(
    _context: Any, key: Any, first: Any, stride: Any, threshold: Any, factor: Any
) -> Any:
    """Dropout factors of the units first, first + stride, ...: ``factor`` where kept, else 0."""

    def emit(build: Any, key: Any, first: Any, stride: Any, threshold: Any, factor: Any) -> Any:
        def constant(value: int) -> ir.Constant:
            return ir.Constant(_INTS, [value] * LANES)

        ramp = ir.Constant(_INTS, list(range(LANES)))
        units = build.mul(_broadcast(build, stride, _INTS), ramp)
        start = _broadcast(build, build.add(key, first), _INTS)
        bits = build.lshr(_mix(build, build.add(start, units), constant), constant(11))
        kept = build.icmp_unsigned("<", bits, _broadcast(build, threshold, _INTS))
        return build.select(kept, _broadcast(build, factor), _same(0.0))

    whole = types.int64
    return _emit(lanes(whole, whole, whole, whole, types.float64), emit)
