"""Compiled linear algebra for one run on one thread: small symmetric matrices and a rank-n update.

Matrices are symmetric and only their lower triangles are read and written.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["FAST", "JIT", "add_gram", "cholesky", "cholesky_solve", "invert_lower"]

FAST = {"contract", "reassoc", "nsz", "arcp"}
"""What the compiler may do to sums and products; NaN and infinity keep their meaning."""

JIT = {"nogil": True, "error_model": "numpy", "fastmath": FAST}


@njit(**JIT)
def cholesky(a: np.ndarray) -> bool:
    """Replace a by L with a = L L^T; False where a is not positive definite."""
    for i in range(a.shape[0]):
        row = a[i]
        for j in range(i):
            other = a[j]
            s = 0.0
            for k in range(j):
                s += row[k] * other[k]
            row[j] = (row[j] - s) * other[j]
        s = 0.0
        for k in range(i):
            s += row[k] * row[k]
        pivot = row[i] - s
        if not pivot > 0.0:
            return False
        row[i] = 1.0 / np.sqrt(pivot)  # the inverse while it is needed
    for i in range(a.shape[0]):
        a[i, i] = 1.0 / a[i, i]
    return True


@njit(**JIT)
def cholesky_solve(lower: np.ndarray, b: np.ndarray) -> None:
    """Replace b by the solution of L L^T x = b."""
    n = b.shape[0]
    for i in range(n):
        row = lower[i]
        s = 0.0
        for k in range(i):
            s += row[k] * b[k]
        b[i] = (b[i] - s) / row[i]
    for i in range(n - 1, -1, -1):
        row = lower[i]
        v = b[i] / row[i]
        b[i] = v
        for k in range(i):
            b[k] -= row[k] * v


@njit(**JIT)
def invert_lower(lower: np.ndarray, inverse: np.ndarray) -> None:
    """The inverse of a lower triangular matrix."""
    n = lower.shape[0]
    for j in range(n):
        inverse[j, j] = 1.0 / lower[j, j]
        for i in range(j + 1, n):
            s = 0.0
            for k in range(j, i):
                s += lower[i, k] * inverse[k, j]
            inverse[i, j] = -s / lower[i, i]


@njit(**JIT)
def add_gram(k: np.ndarray, y: np.ndarray, weight: np.ndarray) -> None:
    """Add sum_r weight_r y_r y_r^T over the rows of y, eight rows at a time."""
    n, rows = k.shape[0], y.shape[0]
    r = 0
    while r + 8 <= rows:
        y0, y1, y2, y3 = y[r], y[r + 1], y[r + 2], y[r + 3]
        y4, y5, y6, y7 = y[r + 4], y[r + 5], y[r + 6], y[r + 7]
        w0, w1, w2, w3 = weight[r], weight[r + 1], weight[r + 2], weight[r + 3]
        w4, w5, w6, w7 = weight[r + 4], weight[r + 5], weight[r + 6], weight[r + 7]
        for i in range(n):
            b0, b1, b2, b3 = w0 * y0[i], w1 * y1[i], w2 * y2[i], w3 * y3[i]
            b4, b5, b6, b7 = w4 * y4[i], w5 * y5[i], w6 * y6[i], w7 * y7[i]
            row = k[i]
            for j in range(i + 1):
                row[j] += (
                    b0 * y0[j]
                    + b1 * y1[j]
                    + b2 * y2[j]
                    + b3 * y3[j]
                    + b4 * y4[j]
                    + b5 * y5[j]
                    + b6 * y6[j]
                    + b7 * y7[j]
                )
        r += 8
    while r < rows:
        y0 = y[r]
        for i in range(n):
            b0 = weight[r] * y0[i]
            row = k[i]
            for j in range(i + 1):
                row[j] += b0 * y0[j]
        r += 1
