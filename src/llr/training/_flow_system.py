"""Linear systems (c I + Hessian) u = b of the two-layer tanh family, with c > 0.

Woodbury, O(n^2 M): the blocks D_b = c I + [[A_b, V_b], [V_b^T, 0]] are inverted through their Schur
complements c I + A_b - V_b V_b^T / c, the rest is an n x n system with

    K = (n / 2) I + J D^{-1} J^T.

A block may be indefinite although the whole matrix is not. It then enters K with the signs of its
eigenvalues, and K has exactly as many negative eigenvalues as all blocks together if and only if
the whole matrix is positive definite (Haynsworth, 1968). A matrix that is not positive definite is
refused: the step it belongs to would cross a saddle without seeing it.

Dense, O(n M^2): where there are more samples than parameters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from llr.training._flow_linalg import JIT, add_gram, cholesky, cholesky_solve, invert_lower

__all__ = ["System", "allocate", "factorize", "prepare", "solve"]


class System(NamedTuple):
    """The factors of c I + Hessian, and room for them.

    ``c`` (1,); ``root`` R (B, S, S) and ``sign`` s (B S,) with R^T diag(s) R the inverse Schur
    complements; ``y`` = R (j_w - V h / c) (B S, n); ``gram`` = h^T h (n, n); ``k`` (n, n): the
    Cholesky factor of K, or its inverse where ``inverted`` (1,) is 1; ``work`` (n,).
    Dense: ``gram`` is the Hessian and ``k`` the Cholesky factor, both (M, M); the rest is empty.
    """

    c: np.ndarray
    root: np.ndarray
    sign: np.ndarray
    y: np.ndarray
    gram: np.ndarray
    k: np.ndarray
    inverted: np.ndarray
    work: np.ndarray


@njit(**JIT)
def allocate(blocks, n_s, n, n_parameters, dense):
    """Room for a system."""
    if dense:
        blocks = 0
    size = n_parameters if dense else n
    return System(
        c=np.zeros(1),
        root=np.zeros((blocks, n_s, n_s)),
        sign=np.ones(blocks * n_s),
        y=np.zeros((blocks * n_s, n)),
        gram=np.zeros((size, size)),
        k=np.zeros((size, size)),
        inverted=np.zeros(1, dtype=np.int64),
        work=np.zeros(n),
    )


@njit(**JIT)
def prepare(curve, output_bias, dense, system):
    """What does not depend on c: h^T h, or the whole Hessian."""
    system.gram[:] = 0.0
    if not dense:
        add_gram(system.gram, curve.h, np.ones(curve.h.shape[0]))
        return
    blocks, n_s, n_p = curve.v.shape
    n = curve.h.shape[1]
    size = n_s + n_p
    tangent = np.ones((n, blocks * size + output_bias))
    for b in range(blocks):
        o = b * size
        for t in range(n_s):
            tangent[:, o + t] = curve.j_w[b * n_s + t]
        for p in range(n_p):
            tangent[:, o + n_s + p] = curve.h[b * n_p + p]
    add_gram(system.gram, tangent, np.full(n, 2.0 / n))
    for b in range(blocks):
        o = b * size
        for t in range(n_s):
            for u in range(t + 1):
                system.gram[o + t, o + u] += curve.a[b, t, u]
            for p in range(n_p):
                system.gram[o + n_s + p, o + t] += curve.v[b, t, p]


@njit(**JIT)
def _symmetric(lower):
    """The full matrix of a lower triangle."""
    full = lower.copy()
    for i in range(lower.shape[0]):
        for j in range(i):
            full[j, i] = lower[i, j]
    return full


@njit(**JIT)
def _invert_block(schur, root, sign):
    """Write R and s with schur^{-1} = R^T diag(s) R; return how many s are negative, -1: singular.

    R is the inverse Cholesky factor where schur is positive definite.
    """
    factor = schur.copy()
    root[:] = 0.0
    sign[:] = 1.0
    if cholesky(factor):
        invert_lower(factor, root)
        return 0
    if not np.isfinite(schur).all():
        return -1
    values, vectors = np.linalg.eigh(_symmetric(schur))
    if np.abs(values).min() < 1e-8 * np.abs(values).max():
        return -1
    for k in range(values.shape[0]):
        sign[k] = np.sign(values[k])
        root[k] = vectors[:, k] / np.sqrt(abs(values[k]))
    return np.sum(values < 0.0)


@njit(**JIT)
def _invert_indefinite(k, negative):
    """Replace k by its inverse; False unless it has that many negative eigenvalues."""
    if not np.isfinite(k).all():
        return False
    values, vectors = np.linalg.eigh(_symmetric(k))
    if np.sum(values < 0.0) != negative or np.abs(values).min() == 0.0:
        return False
    k[:] = (vectors / values) @ vectors.T
    return True


@njit(**JIT)
def factorize(c, curve, output_bias, dense, system):
    """Factorise c I + Hessian; False where it is not positive definite, or not clearly."""
    system.c[0] = c
    k = system.k
    if dense:
        k[:] = system.gram
        for i in range(k.shape[0]):
            k[i, i] += c
        return cholesky(k)
    blocks, n_s, n_p = curve.v.shape
    n = k.shape[0]
    schur = np.zeros((n_s, n_s))
    work = system.work
    system.y[:] = 0.0
    negative = 0
    for b in range(blocks):
        v = curve.v[b]
        for t in range(n_s):
            for u in range(t + 1):
                total = 0.0
                for p in range(n_p):
                    total += v[t, p] * v[u, p]
                schur[t, u] = curve.a[b, t, u] - total / c
            schur[t, t] += c
        first = b * n_s
        count = _invert_block(schur, system.root[b], system.sign[first : first + n_s])
        if count < 0:
            return False
        negative += count
        for u in range(n_s):
            source = curve.j_w[first + u]
            for i in range(n):
                work[i] = source[i]
            for p in range(n_p):
                factor, row = v[u, p] / c, curve.h[b * n_p + p]
                for i in range(n):
                    work[i] -= factor * row[i]
            for t in range(0 if count > 0 else u, n_s):
                target, factor = system.y[first + t], system.root[b, t, u]
                for i in range(n):
                    target[i] += factor * work[i]
    bias = 1.0 / c if output_bias else 0.0
    for i in range(n):
        for j in range(i + 1):
            k[i, j] = system.gram[i, j] / c + bias
        k[i, i] += 0.5 * n
    add_gram(k, system.y, system.sign)
    system.inverted[0] = negative > 0
    return _invert_indefinite(k, negative) if negative > 0 else cholesky(k)


@njit(**JIT)
def solve(curve, output_bias, dense, system, u):
    """Replace u by the solution of (c I + Hessian) x = u."""
    if dense:
        cholesky_solve(system.k, u)
        return
    c = system.c[0]
    blocks, n_s, n_p = curve.v.shape
    n = system.k.shape[0]
    size = n_s + n_p
    z = np.zeros(blocks * n_s)
    s = np.zeros(n)
    for b in range(blocks):  # z = diag(sign) R (u_w - V u_a / c);  s = h^T u_a / c + y^T z
        o, first = b * size, b * n_s
        for t in range(n_s):
            value = u[o + t]
            for p in range(n_p):
                value -= curve.v[b, t, p] * u[o + n_s + p] / c
            for k in range(n_s):
                z[first + k] += system.root[b, k, t] * value
        for t in range(n_s):
            z[first + t] *= system.sign[first + t]
            value, row = z[first + t], system.y[first + t]
            for i in range(n):
                s[i] += value * row[i]
        for p in range(n_p):
            value, row = u[o + n_s + p] / c, curve.h[b * n_p + p]
            for i in range(n):
                s[i] += value * row[i]
    if output_bias:
        for i in range(n):
            s[i] += u[-1] / c
    if system.inverted[0]:
        s[:] = system.k @ s
    else:
        cholesky_solve(system.k, s)
    for b in range(blocks):
        o, first = b * size, b * n_s
        for t in range(n_s):
            row = system.y[first + t]
            value = 0.0
            for i in range(n):
                value += row[i] * s[i]
            z[first + t] -= system.sign[first + t] * value
        for t in range(n_s):  # u_w = R^T z
            value = 0.0
            for k in range(n_s):
                value += system.root[b, k, t] * z[first + k]
            u[o + t] = value
        for p in range(n_p):  # u_a = (u_a - h s - V^T u_w) / c
            row = curve.h[b * n_p + p]
            value = u[o + n_s + p]
            for i in range(n):
                value -= row[i] * s[i]
            for t in range(n_s):
                value -= curve.v[b, t, p] * u[o + t]
            u[o + n_s + p] = value / c
    if output_bias:
        u[-1] = (u[-1] - s.sum()) / c
