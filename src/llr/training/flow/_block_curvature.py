"""The two-layer tanh family for the gradient flow: network, gradient, curvature.

The parameters of a run lie in B = C Q blocks, one per kernel: its S input weights (its bias, where
there is one, as the last) and its P output weights; an output bias comes at the very end. With

    f(x_i) = sum_{b,p} a_bp h_bp(x_i) + c,    h_bp(x_i) = tanh(sum_t w_bt x_qpti),

residuals r_i = f(x_i) - y_i and L = (1 / n) sum_i r_i^2, the Hessian of L is (2 / n) J^T J plus one
symmetric block [[A_b, V_b], [V_b^T, 0]] per kernel,

    A_b = (2 / n) sum_i r_i sum_p a_bp h''_bp(x_i) x_qpi x_qpi^T,    (S, S)
    V_b = (2 / n) (sum_i r_i h'_bp(x_i) x_qpi)_p.                    (S, P)

J^T is stored as (M, n), one row per parameter: the row of a_bp is h_bp itself. Samples are padded
with zeros to a multiple of eight; there h, r and J are zero.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from llr.training._disk_cache import JIT
from llr.training.flow._padded_algebra import dot, fill, square_sum
from llr.training.simd import (
    LANES,
    lane_sum,
    load,
    load_splat,
    multiply_add,
    splat,
    store,
    tanh,
)

__all__ = [
    "Curvature",
    "Samples",
    "Sizes",
    "curvature",
    "evaluate",
    "hessian_size",
    "mean_square",
    "predict_mse",
    "vector_field",
]


class Sizes(NamedTuple):
    """C channels, Q kernels per channel, P positions and S input weights per kernel."""

    channels: int
    kernels: int
    positions: int
    weights: int
    output_bias: bool


class Samples(NamedTuple):
    """What the network sees: n, x (Q, P, S, n), ones where there is a bias, and y (n,), padded."""

    n: int
    x: np.ndarray
    y: np.ndarray


class Curvature(NamedTuple):
    """At a point: ``a`` (B, S, S), lower triangles, ``v`` (B, S, P), and J^T (M, n), padded."""

    a: np.ndarray
    v: np.ndarray
    jt: np.ndarray


@njit(**JIT)
def _forward(
    theta: np.ndarray, size: Sizes, samples: Samples, keep: bool, jt: np.ndarray, r: np.ndarray
) -> None:
    """Residuals, and, to be kept, hidden units."""
    n_p, n_s, width = size.positions, size.weights, samples.y.size
    for i in range(0, width, LANES):
        total = -load(samples.y, i)
        if size.output_bias:
            total = total + load_splat(theta, theta.size - 1)
        o = 0
        for b in range(size.channels * size.kernels):
            at = (b % size.kernels) * n_p * n_s * width + i
            for p in range(n_p):
                z = splat(0.0)
                for t in range(n_s):
                    z = multiply_add(load_splat(theta, o + t), load(samples.x, at), z)
                    at += width
                h = tanh(z)
                row = o + n_s + p
                total = multiply_add(load_splat(theta, row), h, total)
                if keep:
                    store(jt, row * width + i, h)
            o += n_s + n_p
        store(r, i, total)
    for i in range(samples.n, width):
        r[i] = 0.0


@njit(**JIT)
def evaluate(
    theta: np.ndarray, size: Sizes, samples: Samples, jt: np.ndarray, r: np.ndarray
) -> None:
    """Write the hidden units to the rows of J^T that they are, and the residuals to r."""
    _forward(theta, size, samples, True, jt, r)


@njit(**JIT)
def predict_mse(theta: np.ndarray, size: Sizes, samples: Samples, r: np.ndarray) -> float:
    """Mean squared error; r (n padded) is overwritten."""
    _forward(theta, size, samples, False, r.reshape(1, -1), r)
    return mean_square(r, samples.n)


@njit(**JIT)
def mean_square(r: np.ndarray, n: int) -> float:
    """Mean of the squares of n numbers, padded; NaN where there is none."""
    return dot(r, 0, r, 0, r.size) / n if n > 0 else np.nan


@njit(**JIT)
def vector_field(
    theta: np.ndarray,
    size: Sizes,
    samples: Samples,
    weight_decay: float,
    jt: np.ndarray,
    r: np.ndarray,
    work: np.ndarray,
    out: np.ndarray,
) -> None:
    """F = -(grad L + weight_decay theta) at the point where J^T and r were evaluated."""
    n_p, n_s, width = size.positions, size.weights, samples.y.size
    scale = -2.0 / samples.n
    for k in range(out.size):
        out[k] = -weight_decay * theta[k]
    o = 0
    for b in range(size.channels * size.kernels):
        at = (b % size.kernels) * n_p * n_s * width
        for p in range(n_p):
            row = o + n_s + p
            a, slope = load_splat(theta, row), splat(0.0)
            for i in range(0, width, LANES):
                h, error = load(jt, row * width + i), load(r, i)
                slope = multiply_add(h, error, slope)
                store(work, i, a * error * multiply_add(-h, h, splat(1.0)))
            out[row] += scale * lane_sum(slope)
            for t in range(n_s):
                out[o + t] += scale * dot(work, 0, samples.x, at, width)
                at += width
        o += n_s + n_p
    if size.output_bias:
        total = splat(0.0)
        for i in range(0, width, LANES):
            total = total + load(r, i)
        out[out.size - 1] += scale * lane_sum(total)


@njit(**JIT)
def curvature(
    theta: np.ndarray,
    size: Sizes,
    samples: Samples,
    r: np.ndarray,
    work: np.ndarray,
    curve: Curvature,
) -> None:
    """Write A, V and the rows of J^T for input weights, where the rest was evaluated.

    A kernel whose weights are all zero stays there for any block, so its block is left at zero.
    """
    n_p, n_s, width = size.positions, size.weights, samples.y.size
    jt, scale = curve.jt, 2.0 / samples.n
    fill(curve.a, 0.0)
    fill(curve.v, 0.0)
    o = 0
    for b in range(size.channels * size.kernels):
        for i in range(o * width, (o + n_s) * width, LANES):
            store(jt, i, splat(0.0))
        alive = False
        for k in range(o, o + n_s + n_p):
            alive = alive or theta[k] != 0.0
        start = (b % size.kernels) * n_p * n_s * width
        for p in range(n_p if alive else 0):
            row = o + n_s + p
            a = load_splat(theta, row)
            for t in range(n_s):
                xt, total = start + t * width, splat(0.0)
                for i in range(0, width, LANES):
                    h, error = load(jt, row * width + i), load(r, i)
                    slope = multiply_add(-h, h, splat(1.0)) * load(samples.x, xt + i)
                    at = (o + t) * width + i
                    store(jt, at, multiply_add(a, slope, load(jt, at)))
                    total = multiply_add(error, slope, total)
                    store(work, i, splat(-2.0) * a * error * h * slope)
                curve.v[b, t, p] = scale * lane_sum(total)
                for u in range(t + 1):
                    xu = start + u * width
                    curve.a[b, t, u] += scale * dot(work, 0, samples.x, xu, width)
            start += n_s * width
        o += n_s + n_p


@njit(**JIT)
def hessian_size(n: int, curve: Curvature) -> float:
    """A bound on the size of the Hessian."""
    blocks = np.sqrt(square_sum(curve.a) + 2.0 * square_sum(curve.v))
    return blocks + 2.0 / n * square_sum(curve.jt)
