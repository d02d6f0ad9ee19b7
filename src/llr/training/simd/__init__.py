"""Eight float64 numbers at once in compiled code: LLVM vectors, for any processor."""

from pathlib import Path

from llr.training.simd._hash import keep_lanes, splitmix64
from llr.training.simd._tanh import tanh
from llr.training.simd._vectors import (
    LANES,
    lane_sum,
    load,
    load_splat,
    multiply_add,
    splat,
    square_root,
    store,
)

__all__ = [
    "LANES",
    "SOURCES",
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

SOURCES = [Path(__file__).with_name(f"{name}.py") for name in ("_hash", "_tanh", "_vectors")]
"""Every file whose code is compiled into a kernel that uses vectors."""
