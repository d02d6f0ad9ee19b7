"""Arrays for compiled code that begin at a cache line."""

from __future__ import annotations

import numpy as np

__all__ = ["aligned", "aligned_copy"]

_LINE = 64
"""Bytes of a cache line."""


def aligned(size: int, dtype: np.dtype | type = np.float64) -> np.ndarray:
    """Zeros that start at a multiple of 64 bytes, so that no vector straddles two cache lines."""
    buffer = np.zeros(size * np.dtype(dtype).itemsize + _LINE, dtype=np.uint8)
    skip = -buffer.ctypes.data % _LINE
    return buffer[skip : skip + size * np.dtype(dtype).itemsize].view(dtype)


def aligned_copy(values: np.ndarray) -> np.ndarray:
    """A flat aligned copy."""
    flat = aligned(values.size, values.dtype)
    flat[:] = values.reshape(-1)
    return flat
