"""Compiled linear algebra of one run on one thread, eight numbers at a time.

Rows of a matrix are padded with zeros to a multiple of eight columns. A symmetric matrix of order n
is stored in its upper triangle; the entries below it mean nothing.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from llr.training._disk_cache import JIT
from llr.training.simd import LANES, lane_sum, load, load_splat, multiply_add, splat, store

__all__ = [
    "LEAST_PIVOT",
    "add_gram",
    "add_rank_one",
    "copy",
    "dot",
    "eliminate",
    "fill",
    "multiply",
    "padded",
    "solve_eliminated",
    "square_sum",
    "subtract_product",
    "transposed_product",
]

LEAST_PIVOT = 1e-6
"""Least pivot of an indefinite matrix, in units of the largest entry of its row."""


@njit(**JIT)
def padded(n: int) -> int:
    """The next multiple of eight."""
    return (n + LANES - 1) // LANES * LANES


@njit(**JIT)
def fill(a: np.ndarray, value: float) -> None:
    """Set all entries."""
    flat = a.reshape(-1)
    for i in range(flat.size):
        flat[i] = value


@njit(**JIT)
def copy(source: np.ndarray, target: np.ndarray) -> None:
    """Write a vector to another, as far as both go.

    Numba's own assignment brings along the sentence that it would raise at different lengths, and
    takes seconds to compile.
    """
    for i in range(min(source.size, target.size)):
        target[i] = source[i]


@njit(**JIT)
def multiply(factors: np.ndarray, out: np.ndarray) -> None:
    """Multiply a vector by another, element by element."""
    for i in range(out.size):
        out[i] *= factors[i]


@njit(**JIT)
def square_sum(a: np.ndarray) -> float:
    """Sum of the squares of all entries."""
    flat, total = a.reshape(-1), 0.0
    for i in range(flat.size):
        total += flat[i] * flat[i]
    return total


@njit(**JIT)
def add_gram(rows: np.ndarray, k: np.ndarray) -> None:
    """Add rows^T rows, in tiles of four by sixteen; k has as many rows as columns."""
    count, width = rows.shape
    for i in range(0, width, 4):
        for c in range(i // LANES * LANES, width, 2 * LANES):
            # where the last tile has one vector, the second repeats it and is not stored
            e = c + LANES if c + LANES < width else c
            a0 = a1 = a2 = a3 = splat(0.0)
            b0 = b1 = b2 = b3 = splat(0.0)
            for r in range(0, count * width, width):
                left, right = load(rows, r + c), load(rows, r + e)
                w = load_splat(rows, r + i)
                a0 = multiply_add(w, left, a0)
                b0 = multiply_add(w, right, b0)
                w = load_splat(rows, r + i + 1)
                a1 = multiply_add(w, left, a1)
                b1 = multiply_add(w, right, b1)
                w = load_splat(rows, r + i + 2)
                a2 = multiply_add(w, left, a2)
                b2 = multiply_add(w, right, b2)
                w = load_splat(rows, r + i + 3)
                a3 = multiply_add(w, left, a3)
                b3 = multiply_add(w, right, b3)
            at = i * width
            store(k, at + c, load(k, at + c) + a0)
            store(k, at + width + c, load(k, at + width + c) + a1)
            store(k, at + 2 * width + c, load(k, at + 2 * width + c) + a2)
            store(k, at + 3 * width + c, load(k, at + 3 * width + c) + a3)
            if e > c:
                store(k, at + e, load(k, at + e) + b0)
                store(k, at + width + e, load(k, at + width + e) + b1)
                store(k, at + 2 * width + e, load(k, at + 2 * width + e) + b2)
                store(k, at + 3 * width + e, load(k, at + 3 * width + e) + b3)


@njit(**JIT)
def eliminate(k: np.ndarray, n: int, definite: bool, multipliers: np.ndarray) -> int:
    """Replace k by U, k = U^T D^{-1} U with D the diagonal of U, and invert that diagonal.

    Args:
        k: symmetric, (n or more, n padded).
        n: its order.
        definite: whether k must be positive definite.
        multipliers: (n or more,), overwritten.

    Returns:
        How many eigenvalues are negative; -1 where k is not positive definite but must be, or where
        elimination without pivots would amplify rounding.
    """
    width, negative = k.shape[1], 0
    for i in range(n):
        for j in range(i):
            multipliers[j] = -k[j, i] * k[j, j]
        for c in range(i // LANES * LANES, width, LANES):
            a0 = load(k, i * width + c)
            a1 = a2 = a3 = splat(0.0)
            j, at = 0, c
            while j + 4 <= i:
                a0 = multiply_add(load_splat(multipliers, j), load(k, at), a0)
                a1 = multiply_add(load_splat(multipliers, j + 1), load(k, at + width), a1)
                a2 = multiply_add(load_splat(multipliers, j + 2), load(k, at + 2 * width), a2)
                a3 = multiply_add(load_splat(multipliers, j + 3), load(k, at + 3 * width), a3)
                j += 4
                at += 4 * width
            while j < i:
                a0 = multiply_add(load_splat(multipliers, j), load(k, at), a0)
                j += 1
                at += width
            store(k, i * width + c, (a0 + a1) + (a2 + a3))
        pivot = k[i, i]
        if definite and not pivot > 0.0:
            return -1
        if not definite:
            largest = 0.0
            for j in range(i, n):
                largest = max(largest, abs(k[i, j]))
            if not abs(pivot) > LEAST_PIVOT * largest:
                return -1
        negative += pivot < 0.0
        k[i, i] = 1.0 / pivot
    return negative


@njit(**JIT)
def solve_eliminated(k: np.ndarray, n: int, b: np.ndarray, x: np.ndarray) -> None:
    """Write the solution of U^T D^{-1} U x = b to x, both padded; b is overwritten."""
    width = k.shape[1]
    for i in range(n):
        x[i] = b[i]
        factor = splat(-b[i] * k[i, i])
        for c in range(i // LANES * LANES, width, LANES):
            store(b, c, multiply_add(factor, load(k, i * width + c), load(b, c)))
    fill(b, 0.0)
    for i in range(n - 1, -1, -1):
        total = splat(0.0)
        for c in range(i // LANES * LANES, width, LANES):
            total = multiply_add(load(k, i * width + c), load(b, c), total)
        b[i] = (x[i] - lane_sum(total)) * k[i, i]
    for i in range(width):
        x[i] = b[i]


@njit(**JIT)
def add_rank_one(factor: float, rows: np.ndarray, r: int, k: np.ndarray) -> None:
    """Add factor times the outer product of row r with itself."""
    width = rows.shape[1]
    for i in range(width):
        left = splat(factor * rows[r, i])
        for c in range(i // LANES * LANES, width, LANES):
            value = multiply_add(left, load(rows, r * width + c), load(k, i * width + c))
            store(k, i * width + c, value)


@njit(**JIT)
def transposed_product(rows: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """Write rows^T v."""
    count, width = rows.shape
    for c in range(0, width, LANES):
        a0 = a1 = a2 = a3 = splat(0.0)
        r, at = 0, c
        while r + 4 <= count:
            a0 = multiply_add(load_splat(v, r), load(rows, at), a0)
            a1 = multiply_add(load_splat(v, r + 1), load(rows, at + width), a1)
            a2 = multiply_add(load_splat(v, r + 2), load(rows, at + 2 * width), a2)
            a3 = multiply_add(load_splat(v, r + 3), load(rows, at + 3 * width), a3)
            r += 4
            at += 4 * width
        while r < count:
            a0 = multiply_add(load_splat(v, r), load(rows, at), a0)
            r += 1
            at += width
        store(out, c, (a0 + a1) + (a2 + a3))


@njit(**JIT)
def subtract_product(rows: np.ndarray, s: np.ndarray, v: np.ndarray) -> None:
    """Subtract rows s from v."""
    count, width = rows.shape
    r = 0
    while r + 4 <= count:
        at = r * width
        a0 = a1 = a2 = a3 = splat(0.0)
        for c in range(0, width, LANES):
            x = load(s, c)
            a0 = multiply_add(load(rows, at + c), x, a0)
            a1 = multiply_add(load(rows, at + width + c), x, a1)
            a2 = multiply_add(load(rows, at + 2 * width + c), x, a2)
            a3 = multiply_add(load(rows, at + 3 * width + c), x, a3)
        v[r] -= lane_sum(a0)
        v[r + 1] -= lane_sum(a1)
        v[r + 2] -= lane_sum(a2)
        v[r + 3] -= lane_sum(a3)
        r += 4
    while r < count:
        v[r] -= dot(rows, r * width, s, 0, width)
        r += 1


@njit(**JIT)
def dot(a: np.ndarray, i: int, b: np.ndarray, j: int, width: int) -> float:
    """Dot product of ``width`` numbers of a from i on and of b from j on."""
    total = splat(0.0)
    for c in range(0, width, LANES):
        total = multiply_add(load(a, i + c), load(b, j + c), total)
    return lane_sum(total)
