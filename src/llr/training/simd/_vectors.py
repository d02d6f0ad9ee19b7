"""Eight float64 numbers at once for Numba: LLVM's own vector type and its arithmetic.

LLVM maps the type onto the registers of the processor (one AVX-512 register, two of AVX2, four of
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
    "FLOAT",
    "INT",
    "INT_VECTOR",
    "LANES",
    "VECTOR",
    "broadcast",
    "call_intrinsic",
    "constant",
    "emit_as",
    "intrinsic",
    "lane_sum",
    "lanes",
    "load",
    "load_splat",
    "multiply_add",
    "splat",
    "square_root",
    "store",
]

LANES = 8

INT, FLOAT = ir.IntType(64), ir.DoubleType()
VECTOR, INT_VECTOR = ir.VectorType(FLOAT, LANES), ir.VectorType(INT, LANES)
_SHUFFLE = ir.VectorType(ir.IntType(32), LANES)


class _Lanes(types.Type):
    """Numba's type of the vector."""


lanes = _Lanes("float64x8")


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    """A vector is one LLVM value and lives in registers."""

    def __init__(self, manager: Any, frontend_type: types.Type) -> None:
        super().__init__(manager, frontend_type, VECTOR)


def emit_as(signature: Any, emit: Callable[..., Any]) -> tuple[Any, Callable[..., Any]]:
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


def constant(value: float) -> ir.Constant:
    """A constant vector with one number in all lanes."""
    return ir.Constant(VECTOR, [ir.Constant(FLOAT, value)] * LANES)


def broadcast(build: Any, scalar: Any, kind: ir.VectorType = VECTOR) -> Any:
    """One scalar in all lanes."""
    empty = ir.Constant(kind, ir.Undefined)
    first = build.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
    return build.shuffle_vector(first, empty, ir.Constant(_SHUFFLE, [0] * LANES))


def _at(build: Any, pointer: Any, index: Any) -> Any:
    """Pointer to the vector that starts at an index."""
    return build.bitcast(build.gep(pointer, [index]), VECTOR.as_pointer())


def call_intrinsic(build: Any, name: str, *values: Any) -> Any:
    """An LLVM intrinsic on vectors, by name without its type."""
    kind = ir.FunctionType(VECTOR, [VECTOR] * len(values))
    function = cgutils.get_or_insert_function(build.module, kind, f"llvm.{name}.v{LANES}f64")
    return build.call(function, values)


def fused(build: Any, a: Any, b: Any, c: Any) -> Any:
    """The sum a * b + c, fused where the processor can."""
    return call_intrinsic(build, "fmuladd", a, b, c)


def intrinsic(definition: Callable[..., Any]) -> Any:
    """A function of compiled code, called without the typing context its definition begins with."""
    return extending.intrinsic(definition)


@intrinsic
def splat(_context: Any, value: Any) -> Any:
    """A number in all lanes."""
    return emit_as(lanes(types.float64), broadcast)


@intrinsic
def load(_context: Any, array: Any, index: Any) -> Any:
    """The lanes that start at an index of a float64 array."""
    return emit_as(
        lanes(array, types.intp), lambda build, a, i: build.load(_at(build, a, i), align=8)
    )


@intrinsic
def load_splat(_context: Any, array: Any, index: Any) -> Any:
    """One element of a float64 array in all lanes."""
    return emit_as(
        lanes(array, types.intp),
        lambda build, a, i: broadcast(build, build.load(build.gep(a, [i]))),
    )


@intrinsic
def store(_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Write the lanes to a float64 array from an index on."""
    return emit_as(
        types.void(array, types.intp, lanes),
        lambda build, a, i, v: build.store(v, _at(build, a, i), align=8),
    )


@intrinsic
def multiply_add(_context: Any, a: Any, b: Any, c: Any) -> Any:
    """The sum a * b + c, fused where the processor can."""
    return emit_as(lanes(lanes, lanes, lanes), fused)


@intrinsic
def square_root(_context: Any, a: Any) -> Any:
    """Correctly rounded square roots."""
    return emit_as(lanes(lanes), lambda build, v: call_intrinsic(build, "sqrt", v))


@intrinsic
def lane_sum(_context: Any, a: Any) -> Any:
    """Sum of the lanes, by halves."""

    def emit(build: Any, value: Any) -> Any:
        empty = ir.Constant(VECTOR, ir.Undefined)
        for half in (4, 2, 1):
            turned = ir.Constant(_SHUFFLE, [(i + half) % LANES for i in range(LANES)])
            value = build.fadd(value, build.shuffle_vector(value, empty, turned))
        return build.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return emit_as(types.float64(lanes), emit)


@intrinsic
def _add(_context: Any, a: Any, b: Any) -> Any:
    return emit_as(lanes(lanes, lanes), lambda build, a, b: build.fadd(a, b))


@intrinsic
def _subtract(_context: Any, a: Any, b: Any) -> Any:
    return emit_as(lanes(lanes, lanes), lambda build, a, b: build.fsub(a, b))


@intrinsic
def _multiply(_context: Any, a: Any, b: Any) -> Any:
    return emit_as(lanes(lanes, lanes), lambda build, a, b: build.fmul(a, b))


@intrinsic
def _divide(_context: Any, a: Any, b: Any) -> Any:
    return emit_as(lanes(lanes, lanes), lambda build, a, b: build.fdiv(a, b))


@intrinsic
def _negate(_context: Any, a: Any) -> Any:
    return emit_as(lanes(lanes), lambda build, a: build.fneg(a))


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
