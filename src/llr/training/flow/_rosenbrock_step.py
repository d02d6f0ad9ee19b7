"""One step of a Rosenbrock method for a two-layer tanh network, with its error estimate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from llr.training._disk_cache import JIT
from llr.training.flow._block_curvature import Curvature, Samples, Sizes, evaluate, vector_field
from llr.training.flow._block_system import System, factorize, solve
from llr.training.flow._padded_algebra import copy, fill
from llr.training.flow._rosenbrock import RosenbrockMethod
from llr.training.flow._step_control import Limits

__all__ = ["StepWorkspace", "step"]


class StepWorkspace(NamedTuple):
    """What a step writes: hidden units, residuals, field, stages, end point, error estimate."""

    jt: np.ndarray
    r: np.ndarray
    work: np.ndarray
    field: np.ndarray
    u: np.ndarray
    end: np.ndarray
    error: np.ndarray


@njit(**JIT)
def _error(
    step_error: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    block_size: int,
    rtol: float,
    atol: float,
) -> float:
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
def _accumulate(
    weights: np.ndarray, factor: float, u: np.ndarray, count: int, out: np.ndarray
) -> None:
    """Add factor times the sum of weights_j u_j over the first stages."""
    for j in range(count):
        weight = factor * weights[j]
        if weight != 0.0:
            for k in range(out.size):
                out[k] += weight * u[j, k]


@njit(**JIT)
def step(
    theta: np.ndarray,
    dt: float,
    size: Sizes,
    samples: Samples,
    limits: Limits,
    method: RosenbrockMethod,
    curve: Curvature,
    system: System,
    space: StepWorkspace,
) -> float:
    """Write the stages u and the end of a step of size dt; its error, or infinity if refused."""
    wd = limits.weight_decay
    if not factorize(1.0 / (method.gamma * dt) + wd, size, samples.n, curve, system):
        return np.inf
    u, end, stages = space.u, space.end, method.m.size
    for i in range(stages):
        field = u[i]
        if i == 0:
            copy(space.field, field)
        else:
            copy(theta, end)
            _accumulate(method.a[i], 1.0, u, i, end)
            evaluate(end, size, samples, space.jt, space.r)
            vector_field(end, size, samples, wd, space.jt, space.r, space.work, field)
            _accumulate(method.c[i], 1.0 / dt, u, i, field)
        solve(size, samples.n, system, field)
    copy(theta, end)
    fill(space.error, 0.0)
    _accumulate(method.m, 1.0, u, stages, end)
    _accumulate(method.e, 1.0, u, stages, space.error)
    return _error(space.error, theta, end, size.weights + size.positions, limits.rtol, limits.atol)
