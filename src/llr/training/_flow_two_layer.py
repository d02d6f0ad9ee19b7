"""The two-layer tanh family for the gradient flow: network, gradient, curvature.

The parameters of a run lie in B = C Q blocks, one a kernel: its S input weights (its bias, where
there is one, as the last) and its P output weights; an output bias comes at the very end. With

    f(x_i) = sum_{b,p} a_bp h_bp(x_i) + c,    h_bp(x_i) = tanh(sum_t w_bt x_qpti),

residuals r_i = f(x_i) - y_i and L = (1 / n) sum_i r_i^2, the Hessian of L is (2 / n) J^T J plus one
symmetric block [[A_b, V_b], [V_b^T, 0]] a kernel,

    A_b = (2 / n) sum_i r_i sum_p a_bp h''_bp(x_i) x_qpi x_qpi^T,    (S, S)
    V_b = (2 / n) (sum_i r_i h'_bp(x_i) x_qpi)_p.                    (S, P)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from llr.training._flow_linalg import JIT

__all__ = ["Curvature", "Samples", "curvature", "evaluate", "predict_mse", "vector_field"]


class Samples(NamedTuple):
    """What the network sees: x (Q, P, S, n), a row of ones where there is a bias, and y (n,)."""

    x: np.ndarray
    y: np.ndarray


class Curvature(NamedTuple):
    """Second derivatives at a point.

    ``a`` (B, S, S), lower triangles; ``v`` (B, S, P); the rows of J^T: ``j_w`` (B S, n) of the
    input weights, ``h`` (B P, n), the hidden units, of the output weights.
    """

    a: np.ndarray
    v: np.ndarray
    j_w: np.ndarray
    h: np.ndarray


@njit(**JIT, inline="always")
def _tanh(z):
    """Hyperbolic tangent to four units in the last place, at 1e-300 as well.

    The seventh convergent p / q of Lambert's continued fraction at z / 8, then three times
    tanh(2 u) = 2 p q / (p^2 + q^2) without dividing.
    """
    u = min(max(z, -20.0), 20.0) * 0.125
    s = u * u
    p = u * (1.0 + s * (5.0 / 39.0 + s * (2.0 / 715.0 + s * (1.0 / 135135.0))))
    q = 1.0 + s * (6.0 / 13.0 + s * (10.0 / 429.0 + s * (4.0 / 19305.0)))
    p, q = 2.0 * p * q, p * p + q * q
    p, q = 2.0 * p * q, p * p + q * q
    p, q = 2.0 * p * q, p * p + q * q
    return p / q


@njit(**JIT)
def _hidden(w, x, h):
    """h_i = tanh(sum_t w_t x_ti) of one unit."""
    n = h.shape[0]
    v, row = w[0], x[0]
    for i in range(n):
        h[i] = v * row[i]
    for t in range(1, x.shape[0]):
        v, row = w[t], x[t]
        for i in range(n):
            h[i] += v * row[i]
    for i in range(n):
        h[i] = _tanh(h[i])


@njit(**JIT)
def evaluate(theta, samples, channels, h, r):
    """Residuals r (n,) and hidden activations; h has B P rows, or one row that is reused."""
    x, y = samples.x, samples.y
    n_q, n_p, n_s, n = x.shape
    size = n_s + n_p
    blocks = channels * n_q
    output_bias = theta[-1] if theta.shape[0] > blocks * size else 0.0
    for i in range(n):
        r[i] = output_bias - y[i]
    for b in range(blocks):
        w = theta[b * size : b * size + n_s]
        for p in range(n_p):
            row = h[(b * n_p + p) % h.shape[0]]
            _hidden(w, x[b % n_q, p], row)
            a = theta[b * size + n_s + p]
            for i in range(n):
                r[i] += a * row[i]


@njit(**JIT)
def predict_mse(theta, samples, channels, h, r):
    """Mean squared error; r (n,) and h are overwritten."""
    evaluate(theta, samples, channels, h, r)
    total = 0.0
    for i in range(r.shape[0]):
        total += r[i] * r[i]
    return total / r.shape[0] if r.shape[0] > 0 else np.nan


@njit(**JIT)
def vector_field(theta, x, channels, weight_decay, h, r, work, out):
    """F = -(grad L + weight_decay theta) at the point where h and r were evaluated."""
    n_q, n_p, n_s, n = x.shape
    size = n_s + n_p
    blocks = channels * n_q
    scale = -2.0 / n
    for k in range(out.shape[0]):
        out[k] = -weight_decay * theta[k]
    for b in range(blocks):
        o = b * size
        for p in range(n_p):
            row, inputs = h[b * n_p + p], x[b % n_q, p]
            a = scale * theta[o + n_s + p]
            slope = 0.0
            for i in range(n):
                slope += row[i] * r[i]
                work[i] = a * r[i] * (1.0 - row[i] * row[i])
            out[o + n_s + p] += scale * slope
            for t in range(n_s):
                xt = inputs[t]
                slope = 0.0
                for i in range(n):
                    slope += work[i] * xt[i]
                out[o + t] += slope
    if theta.shape[0] > blocks * size:
        slope = 0.0
        for i in range(n):
            slope += r[i]
        out[-1] += scale * slope


@njit(**JIT)
def curvature(theta, x, channels, r, work, curve):
    """Write A, V and j_w where ``curve.h`` and r were evaluated.

    A kernel whose weights are all zero stays where it is whatever its block, which is left zero.
    """
    n_q, n_p, n_s, n = x.shape
    size = n_s + n_p
    curve.a[:] = 0.0
    curve.v[:] = 0.0
    curve.j_w[:] = 0.0
    for b in range(channels * n_q):
        o = b * size
        if not theta[o : o + size].any():
            continue
        for p in range(n_p):
            row, inputs = curve.h[b * n_p + p], x[b % n_q, p]
            a = theta[o + n_s + p]
            for t in range(n_s):
                xt, jt = inputs[t], curve.j_w[b * n_s + t]
                total = 0.0
                for i in range(n):
                    slope = (1.0 - row[i] * row[i]) * xt[i]
                    jt[i] += a * slope
                    total += r[i] * slope
                    work[i] = -2.0 * a * r[i] * row[i] * slope
                curve.v[b, t, p] = total * 2.0 / n
                for u in range(t + 1):
                    xu = inputs[u]
                    total = 0.0
                    for i in range(n):
                        total += work[i] * xu[i]
                    curve.a[b, t, u] += total * 2.0 / n
