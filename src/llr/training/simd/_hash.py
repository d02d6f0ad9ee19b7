"""Dropout factors from a hash of integers, alone and eight at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from llr.training.simd._vectors import (
    INT,
    INT_VECTOR,
    LANES,
    broadcast,
    emit_as,
    intrinsic,
    lanes_of,
    same,
)

__all__ = ["keep_lanes", "splitmix64"]


def _mix(build: Any, value: Any, constant: Callable[[int], Any]) -> Any:
    """The splitmix64 output function on int64 scalars or vectors."""
    value = build.add(value, constant(0x9E3779B97F4A7C15))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = build.mul(build.xor(value, build.lshr(value, constant(shift))), constant(factor))
    return build.xor(value, build.lshr(value, constant(31)))


@intrinsic
def splitmix64(_context: Any, value: Any) -> Any:
    """The splitmix64 hash of an int64."""
    return emit_as(
        types.int64(types.int64), lambda build, v: _mix(build, v, lambda c: ir.Constant(INT, c))
    )


@intrinsic
def keep_lanes(
    _context: Any, key: Any, first: Any, stride: Any, threshold: Any, factor: Any
) -> Any:
    """Dropout factors of the units first, first + stride, ...: ``factor`` where kept, else 0."""

    def emit(build: Any, key: Any, first: Any, stride: Any, threshold: Any, factor: Any) -> Any:
        def integers(value: int) -> ir.Constant:
            return ir.Constant(INT_VECTOR, [value] * LANES)

        ramp = ir.Constant(INT_VECTOR, list(range(LANES)))
        units = build.mul(broadcast(build, stride, INT_VECTOR), ramp)
        start = broadcast(build, build.add(key, first), INT_VECTOR)
        bits = build.lshr(_mix(build, build.add(start, units), integers), integers(11))
        kept = build.icmp_unsigned("<", bits, broadcast(build, threshold, INT_VECTOR))
        return build.select(kept, broadcast(build, factor, kind.vector), same(0.0, kind.vector))

    whole, kind = types.int64, lanes_of[types.float64]
    return emit_as(kind(whole, whole, whole, whole, types.float64), emit)
