"""Eight numbers at once for Numba: LLVM's own vector types, of float64 and of float32.

LLVM maps the types onto the registers of the processor (float64: one of AVX-512, two of AVX2, four
of NEON), so the compiled kernels depend neither on automatic vectorisation nor on Intel's SVML.
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
    "INT",
    "INT_VECTOR",
    "LANES",
    "as_dtype",
    "broadcast",
    "call_intrinsic",
    "emit_as",
    "fused",
    "intrinsic",
    "lane_sum",
    "lanes_of",
    "load",
    "load_splat",
    "multiply_add",
    "same",
    "splat",
    "splat_of",
    "square_root",
    "store",
    "transpose",
]

LANES = 8

INT = ir.IntType(64)
INT_VECTOR = ir.VectorType(INT, LANES)
_INDEX = ir.IntType(32)
_SHUFFLE = ir.VectorType(_INDEX, LANES)


class _Lanes(types.Type):
    """Numba's type of a vector."""

    def __init__(self, dtype: types.Float, element: ir.Type, suffix: str) -> None:
        super().__init__(f"{dtype}x{LANES}")
        self.dtype, self.element, self.suffix = dtype, element, suffix
        self.vector = ir.VectorType(element, LANES)


lanes_of: dict[types.Float, _Lanes] = {
    types.float64: _Lanes(types.float64, ir.DoubleType(), "f64"),
    types.float32: _Lanes(types.float32, ir.FloatType(), "f32"),
}
"""The type of eight numbers by the type of one."""


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    """A vector is one LLVM value and lives in registers."""

    def __init__(self, manager: Any, frontend_type: _Lanes) -> None:
        super().__init__(manager, frontend_type, frontend_type.vector)


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


def same(value: float, kind: ir.VectorType) -> ir.Constant:
    """A constant vector with one number in all lanes."""
    return ir.Constant(kind, [ir.Constant(kind.element, value)] * LANES)


def broadcast(build: Any, scalar: Any, kind: ir.VectorType) -> Any:
    """One scalar in all lanes."""
    empty = ir.Constant(kind, ir.Undefined)
    first = build.insert_element(empty, scalar, ir.Constant(_INDEX, 0))
    return build.shuffle_vector(first, empty, ir.Constant(_SHUFFLE, [0] * LANES))


def _at(build: Any, pointer: Any, index: Any, kind: _Lanes) -> Any:
    """Pointer to the vector that starts at an index."""
    return build.bitcast(build.gep(pointer, [index]), kind.vector.as_pointer())


def _read(build: Any, pointer: Any, index: Any, kind: _Lanes) -> Any:
    """The vector that starts at an index."""
    return build.load(_at(build, pointer, index, kind), align=kind.dtype.bitwidth // 8)


def _write(build: Any, pointer: Any, index: Any, value: Any, kind: _Lanes) -> Any:
    """Write a vector that starts at an index."""
    return build.store(value, _at(build, pointer, index, kind), align=kind.dtype.bitwidth // 8)


def call_intrinsic(build: Any, name: str, *values: Any) -> Any:
    """An LLVM intrinsic on vectors, by name without its type."""
    vector = values[0].type
    suffix = "f64" if isinstance(vector.element, ir.DoubleType) else "f32"
    kind = ir.FunctionType(vector, [vector] * len(values))
    function = cgutils.get_or_insert_function(build.module, kind, f"llvm.{name}.v{LANES}{suffix}")
    return build.call(function, values)


def fused(build: Any, a: Any, b: Any, c: Any) -> Any:
    """The sum a * b + c, fused where the processor can."""
    return call_intrinsic(build, "fmuladd", a, b, c)


def intrinsic(definition: Callable[..., Any]) -> Any:
    """A function of compiled code, called without the typing context its definition begins with."""
    return extending.intrinsic(definition)


@intrinsic
def splat(_context: Any, value: Any) -> Any:
    """A number in all lanes, float64."""
    kind = lanes_of[types.float64]
    return emit_as(kind(types.float64), lambda build, v: broadcast(build, v, kind.vector))


@intrinsic
def splat_of(_context: Any, array: Any, value: Any) -> Any:
    """A float64 number in all lanes, rounded to the dtype of an array."""
    kind = lanes_of[array.dtype]

    def emit(build: Any, _pointer: Any, value: Any) -> Any:
        if kind.dtype is not types.float64:
            value = build.fptrunc(value, kind.element)
        return broadcast(build, value, kind.vector)

    return emit_as(kind(array, types.float64), emit)


@intrinsic
def as_dtype(_context: Any, array: Any, value: Any) -> Any:
    """Float64 lanes rounded to the dtype of an array."""
    wide, kind = lanes_of[types.float64], lanes_of[array.dtype]

    def emit(build: Any, _pointer: Any, value: Any) -> Any:
        return value if kind is wide else build.fptrunc(value, kind.vector)

    return emit_as(kind(array, wide), emit)


@intrinsic
def load(_context: Any, array: Any, index: Any) -> Any:
    """The lanes that start at an index of an array."""
    kind = lanes_of[array.dtype]
    return emit_as(kind(array, types.intp), lambda build, a, i: _read(build, a, i, kind))


@intrinsic
def load_splat(_context: Any, array: Any, index: Any) -> Any:
    """One element of an array in all lanes."""
    kind = lanes_of[array.dtype]
    return emit_as(
        kind(array, types.intp),
        lambda build, a, i: broadcast(build, build.load(build.gep(a, [i])), kind.vector),
    )


@intrinsic
def store(_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Write the lanes to an array from an index on."""
    kind = lanes_of[array.dtype]
    return emit_as(
        types.void(array, types.intp, kind),
        lambda build, a, i, v: _write(build, a, i, v, kind),
    )


@intrinsic
def transpose(
    _context: Any, source: Any, i: Any, source_stride: Any, target: Any, j: Any, target_stride: Any
) -> Any:
    """Write the transpose of eight vectors of one array to eight vectors of another."""
    kind = lanes_of[source.dtype]

    def emit(build: Any, a: Any, i: Any, a_stride: Any, b: Any, j: Any, b_stride: Any) -> Any:
        rows = []
        for _ in range(LANES):
            rows.append(_read(build, a, i, kind))
            i = build.add(i, a_stride)
        for half in (1, 2, 4):  # exchange the off-diagonal blocks of this size
            low = [l if not l & half else l - half + LANES for l in range(LANES)]
            high = [l + half if not l & half else l + LANES for l in range(LANES)]
            rows = [
                build.shuffle_vector(
                    rows[r & ~half],
                    rows[r | half],
                    ir.Constant(_SHUFFLE, high if r & half else low),
                )
                for r in range(LANES)
            ]
        for row in rows:
            _write(build, b, j, row, kind)
            j = build.add(j, b_stride)

    whole = types.intp
    return emit_as(types.void(source, whole, whole, target, whole, whole), emit)


def _elementwise(n_arguments: int, emit: Callable[..., Any]) -> Any:
    """An intrinsic on vectors of one type."""

    def definition(_context: Any, *kinds: Any) -> Any:
        if len(set(kinds)) == 1 and isinstance(kinds[0], _Lanes):
            return emit_as(kinds[0](*kinds), emit)
        return None

    if n_arguments == 1:
        return intrinsic(lambda context, a: definition(context, a))
    if n_arguments == 2:
        return intrinsic(lambda context, a, b: definition(context, a, b))
    return intrinsic(lambda context, a, b, c: definition(context, a, b, c))


multiply_add: Any = _elementwise(3, fused)
"""The sum a * b + c, fused where the processor can."""

square_root: Any = _elementwise(1, lambda build, v: call_intrinsic(build, "sqrt", v))
"""Correctly rounded square roots."""


@intrinsic
def lane_sum(_context: Any, a: Any) -> Any:
    """Sum of the lanes, by halves."""

    def emit(build: Any, value: Any) -> Any:
        empty = ir.Constant(a.vector, ir.Undefined)
        for half in (4, 2, 1):
            turned = ir.Constant(_SHUFFLE, [(i + half) % LANES for i in range(LANES)])
            value = build.fadd(value, build.shuffle_vector(value, empty, turned))
        return build.extract_element(value, ir.Constant(_INDEX, 0))

    return emit_as(a.dtype(a), emit)


def _overload(symbol: Callable[..., Any], binary: Any) -> None:
    """Let an operator of Python work on lanes in compiled code."""

    def implementation(a, b):  # Numba compares signatures: no annotations
        if isinstance(a, _Lanes) and a is b:
            return lambda a, b: binary(a, b)
        return None

    overload(symbol)(implementation)


_overload(operator.add, _elementwise(2, lambda build, a, b: build.fadd(a, b)))
_overload(operator.sub, _elementwise(2, lambda build, a, b: build.fsub(a, b)))
_overload(operator.mul, _elementwise(2, lambda build, a, b: build.fmul(a, b)))
_overload(operator.truediv, _elementwise(2, lambda build, a, b: build.fdiv(a, b)))

_negate: Any = _elementwise(1, lambda build, a: build.fneg(a))


@overload(operator.neg)
def _(a):
    return (lambda a: _negate(a)) if isinstance(a, _Lanes) else None
