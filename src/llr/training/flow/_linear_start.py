"""The beginning of a flow near the origin, where the two-layer tanh family is linear in theta."""

from __future__ import annotations

import numpy as np
from numba import njit

from llr.training._disk_cache import JIT
from llr.training.flow._block_curvature import Samples, Sizes, evaluate, vector_field
from llr.training.flow._padded_algebra import copy, dot
from llr.training.flow._rosenbrock_step import StepWorkspace
from llr.training.flow._step_control import Limits

__all__ = ["leave_origin"]

_TAYLOR_TERMS = 28
"""Enough for exp(A) with |A| <= 2 in double precision."""

_LINEAR = 0.01
"""Share of rtol by which the flow may differ from its linear part at the origin."""

_ROUNDING = 1e-15
"""Differences below this are rounding."""

_SHORTEST = 0.1
"""Shortest piece of the linear flow worth its while, in units of its fastest time scale."""


@njit(**JIT)
def _linear_field(
    theta: np.ndarray, size: Sizes, v: np.ndarray, weight_decay: float, rate: float, out: np.ndarray
) -> None:
    """``rate`` times (-V a - weight_decay w, -V^T w - weight_decay a) for every kernel."""
    n_s, n_p = size.weights, size.positions
    for k in range(theta.size):
        out[k] = -rate * weight_decay * theta[k]
    for b in range(size.channels * size.kernels):
        w = b * (n_s + n_p)
        for t in range(n_s):
            for p in range(n_p):
                slope, a = rate * v[b % size.kernels, t, p], w + n_s + p
                out[w + t] -= slope * theta[a]
                out[a] -= slope * theta[w + t]


@njit(**JIT)
def _propagate(
    theta: np.ndarray,
    size: Sizes,
    v: np.ndarray,
    weight_decay: float,
    dt: float,
    fastest: float,
    term: np.ndarray,
    linear: np.ndarray,
) -> None:
    """Replace theta by exp(A dt) theta, A the linear field, no eigenvalue of it above fastest."""
    pieces = int(np.ceil(0.5 * dt * fastest))
    for _ in range(pieces):
        copy(theta, term)
        for k in range(1, _TAYLOR_TERMS):
            _linear_field(term, size, v, weight_decay, dt / (pieces * k), linear)
            for m in range(theta.size):
                term[m] = linear[m]
                theta[m] += linear[m]


@njit(**JIT)
def leave_origin(
    theta: np.ndarray, size: Sizes, samples: Samples, limits: Limits, space: StepWorkspace
) -> float:
    """Follow the flow for as long as it is linear in theta, by its exponential; return that time.

    Near the origin every kernel obeys w' = -V a, a' = -V^T w with one V for all channels. This
    holds until, in some kernel, the flow differs from it by a small share of the fastest rate.
    An output bias, which leaves at once, rules it out.
    """
    if size.output_bias:
        return 0.0
    n_q, n_s, n_p, wd = size.kernels, size.weights, size.positions, limits.weight_decay
    v = np.zeros((n_q, n_s, n_p))
    total = 0.0
    for q in range(n_q):
        for p in range(n_p):
            for t in range(n_s):
                at = ((q * n_p + p) * n_s + t) * samples.y.size
                v[q, t, p] = -2.0 / samples.n * dot(samples.x, at, samples.y, 0, samples.y.size)
                total += v[q, t, p] ** 2
    fastest = np.sqrt(total) + wd
    if fastest == 0.0:
        return 0.0
    t = t_theta = 0.0
    trial, term, linear = space.end, space.field, space.error
    copy(theta, trial)
    while True:
        evaluate(trial, size, samples, space.jt, space.r)
        vector_field(trial, size, samples, wd, space.jt, space.r, space.work, term)
        _linear_field(trial, size, v, wd, 1.0, linear)
        off = greatest = 0.0
        for o in range(0, theta.size, n_s + n_p):
            difference = largest = 0.0
            for k in range(o, o + n_s + n_p):
                difference = max(difference, abs(term[k] - linear[k]))
                largest = max(largest, abs(trial[k]))
            greatest = max(greatest, largest)
            if difference > 0.0:
                off = max(off, difference / (fastest * largest))
        if not off <= _LINEAR * limits.rtol:
            return t_theta
        copy(trial, theta)
        t_theta = t
        # the difference grows like |theta|^2, and |theta| at most like exp(fastest t)
        dt = 0.5 * np.log(_LINEAR * limits.rtol / max(off, _ROUNDING)) / fastest
        if not dt * fastest >= _SHORTEST or t + dt >= limits.max_time or greatest == 0.0:
            return t
        _propagate(trial, size, v, wd, dt, fastest, term, linear)
        t += dt
