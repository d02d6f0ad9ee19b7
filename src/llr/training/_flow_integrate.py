"""The gradient flow of one run of the two-layer tanh family, compiled, on one thread."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from llr.training._flow_control import (
    GOING,
    LEAST_STEP,
    STEP_TOO_SMALL,
    first_step,
    next_record,
    next_step,
    standing,
)
from llr.training._flow_linalg import JIT
from llr.training._flow_system import allocate, factorize, prepare, solve
from llr.training._flow_two_layer import (
    Curvature,
    curvature,
    evaluate,
    predict_mse,
    vector_field,
)

__all__ = ["integrate"]

_TAYLOR_TERMS = 16
"""Enough for exp(A) with |A| <= 1/2 in double precision."""

_LINEAR = 0.01
"""Share of rtol by which the flow may differ from its linear part at the origin."""


class Room(NamedTuple):
    """Shape of the run, and room for a step: hidden units, residuals, stages and the end point."""

    output_bias: bool
    dense: bool
    h: np.ndarray
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
def _linear_field(theta, v, weight_decay, channels, rate, out):
    """``rate`` times (-V a - weight_decay w, -V^T w - weight_decay a) for every kernel."""
    n_q, n_s, n_p = v.shape
    for k in range(theta.shape[0]):
        out[k] = -rate * weight_decay * theta[k]
    for b in range(channels * n_q):
        w = b * (n_s + n_p)
        a = w + n_s
        for t in range(n_s):
            for p in range(n_p):
                slope = rate * v[b % n_q, t, p]
                out[w + t] -= slope * theta[a + p]
                out[a + p] -= slope * theta[w + t]


@njit(**JIT)
def _leave_origin(theta, samples, channels, limits, room):
    """Follow the flow for as long as it is linear in theta, by its exponential; return that time.

    Near the origin every kernel obeys w' = -V a, a' = -V^T w with one V for all channels. This
    holds until, in some kernel, the flow differs from it by a small share of the fastest rate.
    An output bias, which leaves at once, rules it out.
    """
    n_q, n_p, n_s, n = samples.x.shape
    size, wd = n_s + n_p, limits.weight_decay
    if room.output_bias:
        return 0.0
    v = np.zeros((n_q, n_s, n_p))
    for q in range(n_q):
        for p in range(n_p):
            for t in range(n_s):
                v[q, t, p] = -2.0 / n * np.dot(samples.x[q, p, t], samples.y)
    fastest = np.sqrt(np.sum(v * v)) + wd
    if fastest == 0.0:
        return 0.0
    dt, t = 0.5 / fastest, 0.0
    trial, term, linear = np.empty_like(theta), np.empty_like(theta), np.empty_like(theta)
    while t + dt < limits.max_time:
        trial[:] = theta
        term[:] = theta
        for k in range(1, _TAYLOR_TERMS):
            _linear_field(term, v, wd, channels, dt / k, linear)
            term[:] = linear
            trial += term
        evaluate(trial, samples, channels, room.h, room.r)
        vector_field(trial, samples.x, channels, wd, room.h, room.r, room.work, term)
        _linear_field(trial, v, wd, channels, 1.0, linear)
        for o in range(0, theta.shape[0], size):
            off = np.abs(term[o : o + size] - linear[o : o + size]).max()
            if not off <= _LINEAR * limits.rtol * fastest * np.abs(trial[o : o + size]).max():
                return t
        if not trial.any():
            return t
        theta[:] = trial
        t += dt
    return t


@njit(**JIT)
def _step(theta, dt, samples, channels, limits, method, curve, system, room):
    """Write the stages u and the end of a step of size dt; its error, or infinity if refused."""
    wd = limits.weight_decay
    if not factorize(1.0 / (method.gamma * dt) + wd, curve, room.output_bias, room.dense, system):
        return np.inf
    a, u, end, error = method.a, room.u, room.end, room.error
    for i in range(method.m.shape[0]):
        if i == 0:
            u[i] = room.field
        else:
            end[:] = theta
            for j in range(i):
                if a[i, j] != 0.0:
                    end += a[i, j] * u[j]
            evaluate(end, samples, channels, room.h, room.r)
            vector_field(end, samples.x, channels, wd, room.h, room.r, room.work, u[i])
            for j in range(i):
                if method.c[i, j] != 0.0:
                    u[i] += (method.c[i, j] / dt) * u[j]
        solve(curve, room.output_bias, room.dense, system, u[i])
    end[:] = theta
    error[:] = 0.0
    for i in range(method.m.shape[0]):
        end += method.m[i] * u[i]
        error += method.e[i] * u[i]
    size = samples.x.shape[1] + samples.x.shape[2]
    return _error(error, theta, end, size, limits.rtol, limits.atol)


@njit(**JIT)
def _integrate(theta, samples, test, channels, limits, method, records, stop):
    """Integrate d theta / dt = -(grad L + weight_decay theta) from t = 0, changing theta.

    Args:
        theta: (M,) parameters in blocks.
        samples: training samples.
        test: test samples.
        channels: C.
        limits: when to stop, and how accurately to get there.
        method: coefficients of a Rosenbrock method.
        records: (3, as many as there may be) receives t, training MSE and test MSE.
        stop: (1,) true from outside: return at once.

    Returns:
        (standing, steps, number of records); the last record is the end, unless it was stopped.
    """
    n_q, n_p, n_s, n = samples.x.shape
    blocks, n_parameters, wd = channels * n_q, theta.shape[0], limits.weight_decay
    room = Room(
        output_bias=n_parameters > blocks * (n_s + n_p),
        dense=n_parameters < n,
        h=np.empty((blocks * n_p, n)),
        r=np.empty(n),
        work=np.empty(n),
        field=np.empty(n_parameters),
        u=np.empty((method.m.shape[0], n_parameters)),
        end=np.empty(n_parameters),
        error=np.empty(n_parameters),
    )
    curve = Curvature(
        a=np.zeros((blocks, n_s, n_s)),
        v=np.zeros((blocks, n_s, n_p)),
        j_w=np.zeros((blocks * n_s, n)),
        h=np.zeros((blocks * n_p, n)),
    )
    system = allocate(blocks, n_s, n, n_parameters, room.dense)
    h_test, r_test = np.empty((1, test.y.shape[0])), np.empty(test.y.shape[0])
    t, dt, taken, steps, n_records, next_t = 0.0, 0.0, 0.0, 0, 0, 0.0
    mark = np.array([0.0, np.inf, np.inf])
    stand = GOING
    while True:
        evaluate(theta, samples, channels, curve.h, room.r)
        mse = np.mean(room.r**2)
        if stand == GOING:
            energy = mse + 0.5 * wd * np.sum(theta**2)
            stand = standing(t, taken, steps, float(mse), energy, limits, mark)
        if t >= next_t or stand != GOING:
            records[0, n_records], records[1, n_records] = t, mse
            records[2, n_records] = predict_mse(theta, test, channels, h_test, r_test)
            n_records += 1
            next_t = next_record(t)
        if stand != GOING or stop[0]:
            return stand, steps, n_records
        if steps == 0 and t == 0.0:
            t = _leave_origin(theta, samples, channels, limits, room)
            if t > 0.0:
                continue
        vector_field(theta, samples.x, channels, wd, curve.h, room.r, room.work, room.field)
        curvature(theta, samples.x, channels, room.r, room.work, curve)
        prepare(curve, room.output_bias, room.dense, system)
        if steps == 0:
            rate = wd + np.sqrt(np.sum(curve.a**2) + 2.0 * np.sum(curve.v**2))
            rate += 2.0 / n * (np.sum(curve.j_w**2) + np.sum(curve.h**2) + n * room.output_bias)
            dt, scale = first_step(rate)
            mark[0] = max(t, scale)
        rejected = False
        while stand == GOING:
            taken = min(dt, limits.max_time - t)
            error = _step(theta, taken, samples, channels, limits, method, curve, system, room)
            dt = next_step(taken, error, method.order, rejected)
            if error <= 1.0:
                theta[:] = room.end
                t = limits.max_time if taken == limits.max_time - t else t + taken
                steps += 1
                break
            rejected = True
            if not dt > LEAST_STEP * t:
                stand = STEP_TOO_SMALL


def _entry(sources: str) -> Callable[..., tuple[int, int, int]]:
    """:func:`_integrate`, compiled on first use and kept on disk where there is a place for it."""

    def integrate(theta, samples, test, channels, limits, method, records, stop):
        _ = sources  # Numba's cache knows this file and its free variables, not what it imports
        return _integrate(theta, samples, test, channels, limits, method, records, stop)

    try:
        return njit(cache=True, **JIT)(integrate)
    except RuntimeError:  # no folder that can be written
        return njit(**JIT)(integrate)


def _digest() -> str:
    """A hash of every file that is compiled into :func:`integrate`."""
    files = sorted(Path(__file__).parent.glob("_flow_*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


integrate = _entry(_digest())
