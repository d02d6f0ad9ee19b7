"""Linear systems (c I + Hessian) u = b of the two-layer tanh family, with c > 0.

Woodbury, O(n^2 M). With D = c I + the kernels' blocks, D^{-1} = R^T diag(s) R and Z = R J^T,

    (D + (2 / n) J^T J)^{-1} = R^T (diag(s) - diag(s) Z K^{-1} Z^T diag(s)) R,
    K = (n / 2) I + Z^T diag(s) Z.

A block of R has the rows [R_b, -R_b V_b / c] for input weights and [0, I / sqrt(c)] for output
weights, where R_b^T diag(s_b) R_b inverts the Schur complement c I + A_b - V_b V_b^T / c. That may
be indefinite although the whole matrix is not: then s has a -1 for each negative eigenvalue, and K
has as many negative eigenvalues as all blocks together if and only if the whole matrix is positive
definite (Haynsworth, 1968). A matrix that is not positive definite is refused: the step it belongs
to would cross a saddle without seeing it.

Dense, O(n M^2): where there are more samples than parameters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from llr.training._disk_cache import JIT
from llr.training.flow._block_curvature import Curvature, Sizes
from llr.training.flow._padded_algebra import (
    LEAST_PIVOT,
    add_gram,
    add_rank_one,
    copy,
    eliminate,
    fill,
    multiply,
    padded,
    solve_eliminated,
    subtract_product,
    transposed_product,
)
from llr.training.simd import LANES, load, load_splat, multiply_add, splat, store

__all__ = ["System", "factorize", "new_system", "solve"]


class System(NamedTuple):
    """Factors of c I + Hessian, or arrays for them.

    ``c`` (1,); ``root`` (B, S, S + P), the rows of R for input weights; ``sign`` (M,), whether all
    are 1 in ``signed`` (1,); ``z`` (M, n); ``k`` (n, n), K eliminated; scratch: ``v`` (M,),
    ``p`` and ``s`` (n,), ``schur`` (S, S).
    Dense: ``z`` is J (n, M), ``k`` the matrix itself eliminated; ``p`` and ``s`` are (M,).
    """

    c: np.ndarray
    root: np.ndarray
    sign: np.ndarray
    signed: np.ndarray
    z: np.ndarray
    k: np.ndarray
    v: np.ndarray
    p: np.ndarray
    s: np.ndarray
    schur: np.ndarray


@njit(**JIT)
def new_system(size: Sizes, n: int, n_parameters: int) -> System:
    """Arrays for the systems of a run."""
    dense = n_parameters < n
    blocks, n_s = size.channels * size.kernels, size.weights
    width = padded(n_parameters if dense else n)
    return System(
        c=np.zeros(1),
        root=np.zeros((0 if dense else blocks, n_s, n_s + size.positions)),
        sign=np.ones(n_parameters),
        signed=np.zeros(1, dtype=np.bool_),
        z=np.zeros((n if dense else n_parameters, width)),
        k=np.zeros((width, width)),
        v=np.zeros(n_parameters),
        p=np.zeros(width),
        s=np.zeros(width),
        schur=np.zeros((n_s, n_s)),
    )


@njit(**JIT)
def _schur(curve: Curvature, b: int, c: float, schur: np.ndarray) -> None:
    """Write the upper triangle of c I + A_b - V_b V_b^T / c."""
    a, v = curve.a, curve.v
    for t in range(a.shape[1]):
        for u in range(t + 1):
            total = 0.0
            for p in range(v.shape[2]):
                total += v[b, t, p] * v[b, u, p]
            schur[u, t] = a[b, t, u] - total / c
        schur[t, t] += c


@njit(**JIT)
def _invert_schur(schur: np.ndarray, b: int, root: np.ndarray, first: int, sign: np.ndarray) -> int:
    """Write R_b and s_b, R_b^T diag(s_b) R_b the inverse, by elimination.

    Returns how many signs are negative, or -1 where that would amplify rounding.
    """
    size, negative, least = schur.shape[0], 0, 1.0
    for i in range(size):
        for j in range(size):
            root[b, i, j] = 0.0
        root[b, i, i] = 1.0
    for j in range(size):
        pivot, largest = schur[j, j], 0.0
        for k in range(j, size):
            largest = max(largest, abs(schur[j, k]))
        if not abs(pivot) > 0.0:
            return -1
        least = min(least, abs(pivot) / largest)
        sign[first + j] = 1.0 if pivot > 0.0 else -1.0
        negative += pivot < 0.0
        for i in range(j + 1, size):
            factor = schur[j, i] / pivot
            for k in range(i, size):
                schur[i, k] -= factor * schur[j, k]
            for k in range(j + 1):
                root[b, i, k] -= factor * root[b, j, k]
        scale = 1.0 / np.sqrt(abs(pivot))
        for k in range(j + 1):
            root[b, j, k] *= scale
    return -1 if negative > 0 and not least > LEAST_PIVOT else negative


@njit(**JIT)
def _factorize_dense(c: float, size: Sizes, n: int, curve: Curvature, system: System) -> bool:
    """Factorise the matrix itself."""
    j, k = system.z, system.k
    n_parameters, n_s, n_p = system.v.size, size.weights, size.positions
    for i in range(n):
        for m in range(n_parameters):
            j[i, m] = curve.jt[m, i]
    fill(k, 0.0)
    add_gram(j, k)
    for m in range(n_parameters):
        for i in range(m, n_parameters):
            k[m, i] *= 2.0 / n
    for b in range(size.channels * size.kernels):
        o = b * (n_s + n_p)
        for t in range(n_s):
            for u in range(t + 1):
                k[o + u, o + t] += curve.a[b, t, u]
            for p in range(n_p):
                k[o + t, o + n_s + p] += curve.v[b, t, p]
    for m in range(n_parameters):
        k[m, m] += c
    return eliminate(k, n_parameters, True, system.p) == 0


@njit(**JIT)
def _project(curve: Curvature, b: int, c: float, outer: float, system: System) -> None:
    """Complete the rows of R of kernel b, and write its rows of Z."""
    root, v, jt, z = system.root, curve.v, curve.jt, system.z
    n_s, n_p = v.shape[1:]
    width, first = jt.shape[1], b * (n_s + n_p) * jt.shape[1]
    for t in range(n_s):
        for p in range(n_p):
            total = 0.0
            for u in range(n_s):
                total += root[b, t, u] * v[b, u, p]
            root[b, t, n_s + p] = -total / c
        row = (b * n_s + t) * (n_s + n_p)
        for i in range(0, width, LANES):
            total, at = splat(0.0), first + i
            for k in range(n_s + n_p):
                total = multiply_add(load_splat(root, row + k), load(jt, at), total)
                at += width
            store(z, first + t * width + i, total)
    for i in range(first + n_s * width, first + (n_s + n_p) * width, LANES):
        store(z, i, splat(outer) * load(jt, i))


@njit(**JIT)
def factorize(c: float, size: Sizes, n: int, curve: Curvature, system: System) -> bool:
    """Factorise c I + Hessian; False where it is not positive definite, or not clearly."""
    system.c[0] = c
    n_parameters, n_s, n_p = system.v.size, size.weights, size.positions
    if n_parameters < n:
        return _factorize_dense(c, size, n, curve, system)
    sign, z, k = system.sign, system.z, system.k
    outer = 1.0 / np.sqrt(c)
    negative = 0
    for b in range(size.channels * size.kernels):
        _schur(curve, b, c, system.schur)
        count = _invert_schur(system.schur, b, system.root, b * (n_s + n_p), sign)
        if count < 0:
            return False
        negative += count
        _project(curve, b, c, outer, system)
    if size.output_bias:
        last = (n_parameters - 1) * z.shape[1]
        for i in range(0, z.shape[1], LANES):
            store(z, last + i, splat(outer) * load(curve.jt, last + i))
    fill(k, 0.0)
    add_gram(z, k)
    for m in range(n_parameters if negative > 0 else 0):
        if sign[m] < 0.0:
            add_rank_one(-2.0, z, m, k)
    for i in range(n):
        k[i, i] += 0.5 * n
    system.signed[0] = negative > 0
    return eliminate(k, n, negative == 0, system.p) == negative


@njit(**JIT)
def solve(size: Sizes, n: int, system: System, u: np.ndarray) -> None:
    """Replace u by the solution of (c I + Hessian) x = u."""
    n_parameters, n_s, n_p = u.size, size.weights, size.positions
    v, p, s, root = system.v, system.p, system.s, system.root
    if n_parameters < n:
        copy(u, p)
        solve_eliminated(system.k, n_parameters, p, s)
        copy(s, u)
        return
    outer = 1.0 / np.sqrt(system.c[0])
    blocks = size.channels * size.kernels
    o = 0
    for b in range(blocks):  # v = R u
        for t in range(n_s):
            total = 0.0
            for m in range(n_s + n_p):
                total += root[b, t, m] * u[o + m]
            v[o + t] = total
        for m in range(o + n_s, o + n_s + n_p):
            v[m] = outer * u[m]
        o += n_s + n_p
    if size.output_bias:
        v[o] = outer * u[o]
    if system.signed[0]:
        multiply(system.sign, v)
    transposed_product(system.z, v, p)
    solve_eliminated(system.k, n, p, s)
    if system.signed[0]:
        multiply(system.sign, v)
    subtract_product(system.z, s, v)
    if system.signed[0]:
        multiply(system.sign, v)
    o = 0
    for b in range(blocks):  # u = R^T v
        for m in range(n_s + n_p):
            total = 0.0 if m < n_s else outer * v[o + m]
            for t in range(n_s):
                total += root[b, t, m] * v[o + t]
            u[o + m] = total
        o += n_s + n_p
    if size.output_bias:
        u[o] = outer * v[o]
