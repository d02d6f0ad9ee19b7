"""The gradient flow of one run of the two-layer tanh family, compiled, on one thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit

from llr.training import simd
from llr.training._disk_cache import JIT, kept_on_disk
from llr.training.flow._block_curvature import (
    Curvature,
    Samples,
    Sizes,
    curvature,
    evaluate,
    hessian_size,
    mean_square,
    predict_mse,
    vector_field,
)
from llr.training.flow._block_system import new_system
from llr.training.flow._flow_status import FlowStatus
from llr.training.flow._linear_start import leave_origin
from llr.training.flow._padded_algebra import copy, square_sum
from llr.training.flow._rosenbrock import RosenbrockMethod
from llr.training.flow._rosenbrock_step import StepWorkspace, step
from llr.training.flow._step_control import (
    LEAST_STEP,
    Limits,
    first_step,
    next_record,
    next_step,
    status_after,
)

__all__ = ["SOURCES", "integrate"]


@njit(inline="always", **JIT)
def _integrate(
    theta: np.ndarray,
    size: Sizes,
    samples: Samples,
    test: Samples,
    limits: Limits,
    method: RosenbrockMethod,
    records: np.ndarray,
    stop: np.ndarray,
) -> tuple[int, int, int]:
    """Integrate d theta / dt = -(grad L + weight_decay theta) from t = 0, changing theta.

    Args:
        theta: (M,) parameters in blocks.
        size: of the network.
        samples: training samples.
        test: test samples.
        limits: when to stop, and how accurately to get there.
        method: coefficients of a Rosenbrock method.
        records: (3, as many as there may be) receives t, training MSE and test MSE.
        stop: (1,) set to true from another thread: return at once.

    Returns:
        (FlowStatus, steps, number of records); the last record is the end, unless it was stopped.
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
    space = StepWorkspace(
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
    status = FlowStatus.RUNNING
    while True:
        evaluate(theta, size, samples, curve.jt, space.r)
        mse = mean_square(space.r, n)
        if status == FlowStatus.RUNNING:
            energy = mse + 0.5 * wd * square_sum(theta)
            status = status_after(t, taken, steps, mse, energy, limits, mark)
        if t >= next_t or status != FlowStatus.RUNNING:
            records[0, n_records], records[1, n_records] = t, mse
            records[2, n_records] = predict_mse(theta, size, test, r_test)
            n_records += 1
            next_t = next_record(t)
        if status != FlowStatus.RUNNING or stop[0]:
            return status, steps, n_records
        if steps == 0 and t == 0.0:
            t = leave_origin(theta, size, samples, limits, space)
            if t > 0.0:
                continue
        vector_field(theta, size, samples, wd, curve.jt, space.r, space.work, space.field)
        curvature(theta, size, samples, space.r, space.work, curve)
        if steps == 0:
            dt, scale = first_step(wd + hessian_size(n, curve))
            mark[0] = max(t, scale)
        rejected = False
        while status == FlowStatus.RUNNING:
            taken = min(dt, limits.max_time - t)
            error = step(theta, taken, size, samples, limits, method, curve, system, space)
            dt = next_step(taken, error, method.order, rejected)
            if error <= 1.0:
                copy(space.end, theta)
                t = limits.max_time if taken == limits.max_time - t else t + taken
                steps += 1
                break
            rejected = True
            if not dt > LEAST_STEP * t:
                status = FlowStatus.STEP_TOO_SMALL


def _entry(digest: str) -> Callable[..., tuple[int, int, int]]:
    """:func:`_integrate` as Numba's cache must see it; see :func:`kept_on_disk`."""

    def integrate(
        theta: np.ndarray,
        size: Sizes,
        samples: Samples,
        test: Samples,
        limits: Limits,
        method: RosenbrockMethod,
        records: np.ndarray,
        stop: np.ndarray,
    ) -> tuple[int, int, int]:
        _ = digest
        return _integrate(theta, size, samples, test, limits, method, records, stop)

    return integrate


SOURCES = [
    *(
        Path(__file__).with_name(name)
        for name in (
            "_block_curvature.py",
            "_block_system.py",
            "_flow_status.py",
            "_integrate.py",
            "_linear_start.py",
            "_padded_algebra.py",
            "_rosenbrock.py",
            "_rosenbrock_step.py",
            "_step_control.py",
        )
    ),
    *simd.SOURCES,
]
"""Every file that is compiled into :func:`integrate`."""

integrate = kept_on_disk(_entry, SOURCES)
