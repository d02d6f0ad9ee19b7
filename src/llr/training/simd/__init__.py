"""Eight numbers at once in compiled code: LLVM vectors, for any processor."""

from pathlib import Path

from llr.training.simd._elementary import arctan, erf, exp, expm1, log1p, normal_cdf, sin_cos
from llr.training.simd._elementary import tanh as tanh_of
from llr.training.simd._expressions import Expression, fma, where
from llr.training.simd._hash import keep_lanes, splitmix64
from llr.training.simd._tanh import tanh
from llr.training.simd._vectors import (
    LANES,
    as_dtype,
    emit_as,
    intrinsic,
    lane_sum,
    lanes_of,
    load,
    load_splat,
    multiply_add,
    splat,
    splat_of,
    square_root,
    store,
    transpose,
)

__all__ = [
    "LANES",
    "SOURCES",
    "Expression",
    "arctan",
    "as_dtype",
    "emit_as",
    "erf",
    "exp",
    "expm1",
    "fma",
    "intrinsic",
    "keep_lanes",
    "lane_sum",
    "lanes_of",
    "load",
    "load_splat",
    "log1p",
    "multiply_add",
    "normal_cdf",
    "sin_cos",
    "splat",
    "splat_of",
    "splitmix64",
    "square_root",
    "store",
    "tanh",
    "tanh_of",
    "transpose",
    "where",
]

SOURCES = [
    Path(__file__).with_name(f"{name}.py")
    for name in ("_elementary", "_expressions", "_hash", "_tanh", "_vectors")
]
"""Every file whose code is compiled into a kernel that uses vectors."""
