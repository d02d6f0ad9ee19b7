"""The gradient flow of one run of the two-layer tanh family, compiled, on one thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from llr.training import (
    _flow_control,
    _flow_linalg,
    _flow_method,
    _flow_system,
    _flow_two_layer,
    _lanes,
)
from llr.training._disk_cache import JIT, kept_on_disk
from llr.training._flow_control import (
    GOING,
    LEAST_STEP,
    STEP_TOO_SMALL,
    first_step,
    next_record,
    next_step,
    standing,
)
from llr.training._flow_linalg import copy, dot, fill, square_sum
from llr.training._flow_system import factorize, new_system, solve
from llr.training._flow_two_layer import (
    Curvature,
    curvature,
    evaluate,
    mean_square,
    predict_mse,
    vector_field,
)

__all__ = ["SOURCES", "integrate"]

_TAYLOR_TERMS = 28
"""Enough for exp(A) with |A| <= 2 in double precision."""

_LINEAR = 0.01
"""Share of rtol by which the flow may differ from its linear part at the origin."""

_ROUNDING = 1e-15
"""Differences below this are rounding."""

_SHORTEST = 0.1
"""Shortest piece of the linear flow worth its while, in units of its fastest time scale."""


class Room(NamedTuple):
    """Room for a step: hidden units, residuals, field, stages, end point and error estimate."""

    jt: np.ndarray
    r: np.ndarray
    work: np.ndarray
    field: np.ndarray
    u: np.ndarray
    end: np.ndarray
    error: np.ndarray


@njit(**JIT)
def _error(step_error, before, after, block_size, rtol, atol):
    """Root mean square of the estimated error, each kernel's against its own largest weight."""
    n_parameters = before.shape[0]
    total = 0.0
    o = 0
    while o < n_parameters:
        stop = min(o + block_size, n_parameters)
        largest = 0.0
        for k in range(o, stop):
            largest = max(largest, abs(before[k]), abs(after[k]))
        scale = 1.0 / (atol + rtol * largest)
        for k in range(o, stop):
            total += (step_error[k] * scale) ** 2
        o = stop
    return np.sqrt(total / n_parameters)


@njit(**JIT)
def _linear_field(theta, size, v, weight_decay, rate, out):
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
def _propagate(theta, size, v, weight_decay, dt, fastest, term, linear):
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
def _leave_origin(theta, size, samples, limits, room):
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
    trial, term, linear = room.end, room.field, room.error
    copy(theta, trial)
    while True:
        evaluate(trial, size, samples, room.jt, room.r)
        vector_field(trial, size, samples, wd, room.jt, room.r, room.work, term)
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


@njit(**JIT)
def _accumulate(weights, factor, u, count, out):
    """Add factor times the sum of weights_j u_j over the first stages."""
    for j in range(count):
        weight = factor * weights[j]
        if weight != 0.0:
            for k in range(out.size):
                out[k] += weight * u[j, k]


@njit(**JIT)
def _step(theta, dt, size, samples, limits, method, curve, system, room):
    """Write the stages u and the end of a step of size dt; its error, or infinity if refused."""
    wd = limits.weight_decay
    if not factorize(1.0 / (method.gamma * dt) + wd, size, samples.n, curve, system):
        return np.inf
    u, end, stages = room.u, room.end, method.m.size
    for i in range(stages):
        field = u[i]
        if i == 0:
            copy(room.field, field)
        else:
            copy(theta, end)
            _accumulate(method.a[i], 1.0, u, i, end)
            evaluate(end, size, samples, room.jt, room.r)
            vector_field(end, size, samples, wd, room.jt, room.r, room.work, field)
            _accumulate(method.c[i], 1.0 / dt, u, i, field)
        solve(size, samples.n, system, field)
    copy(theta, end)
    fill(room.error, 0.0)
    _accumulate(method.m, 1.0, u, stages, end)
    _accumulate(method.e, 1.0, u, stages, room.error)
    return _error(room.error, theta, end, size.weights + size.positions, limits.rtol, limits.atol)


@njit(**JIT)
def _hessian_size(n, curve):
    """A bound on the size of the Hessian."""
    blocks = np.sqrt(square_sum(curve.a) + 2.0 * square_sum(curve.v))
    return blocks + 2.0 / n * square_sum(curve.jt)


@njit(inline="always", **JIT)
def _integrate(theta, size, samples, test, limits, method, records, stop):
    """Integrate d theta / dt = -(grad L + weight_decay theta) from t = 0, changing theta.

    Args:
        theta: (M,) parameters in blocks.
        size: of the network.
        samples: training samples.
        test: test samples.
        limits: when to stop, and how accurately to get there.
        method: coefficients of a Rosenbrock method.
        records: (3, as many as there may be) receives t, training MSE and test MSE.
        stop: (1,) true from outside: return at once.

    Returns:
        (standing, steps, number of records); the last record is the end, unless it was stopped.
    """
    n, n_parameters, wd = samples.n, theta.size, limits.weight_decay
    blocks, width = size.channels * size.kernels, samples.y.size
    curve = Curvature(
        a=np.zeros((blocks, size.weights, size.weights)),
        v=np.zeros((blocks, size.weights, size.positions)),
        jt=np.zeros((n_parameters, width)),
    )
    if size.output_bias:
        curve.jt[n_parameters - 1, :n] = 1.0
    room = Room(
        jt=np.zeros((n_parameters, width)),
        r=np.zeros(width),
        work=np.zeros(width),
        field=np.zeros(n_parameters),
        u=np.zeros((method.m.size, n_parameters)),
        end=np.zeros(n_parameters),
        error=np.zeros(n_parameters),
    )
    system = new_system(size, n, n_parameters)
    r_test = np.zeros(test.y.size)
    t, dt, taken, steps, n_records, next_t = 0.0, 0.0, 0.0, 0, 0, 0.0
    mark = np.array([0.0, np.inf, np.inf])
    stand = GOING
    while True:
        evaluate(theta, size, samples, curve.jt, room.r)
        mse = mean_square(room.r, n)
        if stand == GOING:
            energy = mse + 0.5 * wd * square_sum(theta)
            stand = standing(t, taken, steps, mse, energy, limits, mark)
        if t >= next_t or stand != GOING:
            records[0, n_records], records[1, n_records] = t, mse
            records[2, n_records] = predict_mse(theta, size, test, r_test)
            n_records += 1
            next_t = next_record(t)
        if stand != GOING or stop[0]:
            return stand, steps, n_records
        if steps == 0 and t == 0.0:
            t = _leave_origin(theta, size, samples, limits, room)
            if t > 0.0:
                continue
        vector_field(theta, size, samples, wd, curve.jt, room.r, room.work, room.field)
        curvature(theta, size, samples, room.r, room.work, curve)
        if steps == 0:
            dt, scale = first_step(wd + _hessian_size(n, curve))
            mark[0] = max(t, scale)
        rejected = False
        while stand == GOING:
            taken = min(dt, limits.max_time - t)
            error = _step(theta, taken, size, samples, limits, method, curve, system, room)
            dt = next_step(taken, error, method.order, rejected)
            if error <= 1.0:
                copy(room.end, theta)
                t = limits.max_time if taken == limits.max_time - t else t + taken
                steps += 1
                break
            rejected = True
            if not dt > LEAST_STEP * t:
                stand = STEP_TOO_SMALL


def _entry(digest: str) -> Callable[..., tuple[int, int, int]]:
    """:func:`_integrate` as Numba's cache must see it; see :func:`kept_on_disk`."""

    def integrate(theta, size, samples, test, limits, method, records, stop):
        _ = digest
        return _integrate(theta, size, samples, test, limits, method, records, stop)

    return integrate


SOURCES = [
    Path(__file__),
    *(
        Path(str(module.__file__))
        for module in (_flow_control, _flow_linalg, _flow_method, _flow_system, _flow_two_layer)
    ),
    Path(_lanes.__file__),
]
"""Every file that is compiled into :func:`integrate`."""

integrate = kept_on_disk(_entry, SOURCES)
