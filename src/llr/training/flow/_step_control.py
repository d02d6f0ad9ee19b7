"""Step sizes, records and the end of a gradient flow, for every integrator alike."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from llr.training._disk_cache import JIT
from llr.training._optimizers import GradientFlow
from llr.training.flow._flow_status import STALL_DECADES, FlowStatus

__all__ = [
    "LEAST_STEP",
    "Limits",
    "first_step",
    "limits_of",
    "most_records",
    "next_record",
    "next_step",
    "status_after",
]

LEAST_STEP = 1e-14
"""Smallest step, in units of the time reached."""

_STALL_FALL = 0.01
_RECORDS_PER_DECADE, _FIRST_RECORD = 5, 1e-2
_SAFETY, _LEAST, _MOST = 0.9, 0.2, 6.0
_FIRST_STEP = 0.05
"""First step, in units of the fastest time scale."""

_ATOL = 0.01
"""Absolute tolerance, in units of rtol times the smallest group of initial parameters."""


class Limits(NamedTuple):
    """When to stop, and how accurately to get there; see ``GradientFlow``."""

    tol: float
    max_time: float
    rtol: float
    atol: float
    weight_decay: float
    max_steps: int


def limits_of(optimizer: GradientFlow, initial: np.ndarray) -> Limits:
    """The limits of one run.

    Args:
        optimizer: how to integrate.
        initial: largest magnitude of the initial parameters in each group whose errors are
            measured together; atol follows the smallest that is not zero.
    """
    atol = optimizer.atol
    if atol is None:
        size = initial[initial > 0.0].min(initial=1.0 if not initial.any() else np.inf)
        atol = _ATOL * optimizer.rtol * float(size)
    return Limits(
        tol=float(optimizer.tol),
        max_time=float(optimizer.max_time),
        rtol=float(optimizer.rtol),
        atol=float(atol),
        weight_decay=float(optimizer.weight_decay),
        max_steps=int(optimizer.max_steps),
    )


@njit(cache=True, **JIT)
def first_step(rate: float) -> tuple[float, float]:
    """First step, and the earliest time that counts for a stall, from the size of the Hessian."""
    time_scale = 1.0 / rate if rate > 0.0 else 1.0
    return _FIRST_STEP * time_scale, time_scale


@njit(cache=True, **JIT)
def next_step(h: float, error: float, order: int, after_rejection: bool) -> float:
    """Step size to try after a step of size h whose error was ``error`` times the tolerance."""
    if not math.isfinite(error):
        return h * _LEAST
    factor = _MOST
    if error > 0.0:
        factor = min(_MOST, max(_LEAST, _SAFETY * error ** (-1.0 / order)))
    if error > 1.0:
        factor = min(factor, _SAFETY)
    elif after_rejection:
        factor = min(factor, 1.0)
    return h * factor


@njit(cache=True, **JIT)
def next_record(t: float) -> float:
    """The first log-spaced moment after t at which losses are recorded."""
    if t < _FIRST_RECORD:
        return _FIRST_RECORD
    last = math.floor(_RECORDS_PER_DECADE * math.log10(t) + 1e-9)
    return 10.0 ** ((last + 1) / _RECORDS_PER_DECADE)


def most_records(max_time: float) -> int:
    """The most records that a run can have, its beginning and its end included."""
    decades = max(0.0, math.log10(max(max_time, _FIRST_RECORD) / _FIRST_RECORD))
    return 4 + math.ceil(_RECORDS_PER_DECADE * decades)


@njit(cache=True, **JIT)
def status_after(
    t: float, h: float, steps: int, mse: float, energy: float, limits: Limits, mark: np.ndarray
) -> int:
    """The status of a run after a step of size h that ended at time t.

    It has stalled if neither the training MSE nor the energy (half the weight decay times
    |theta|^2 added) has fallen by 1% over three decades of t, and the last step doubled t: the
    solver, which refuses to step across a saddle, then sees nothing that grows within t.

    Args:
        t: time reached.
        h: size of the last step.
        steps: how many have been taken.
        mse: training MSE.
        energy: what the flow descends.
        limits: of the run.
        mark: (t, mse, energy) of the last fall, updated here.
    """
    if not math.isfinite(mse):
        return FlowStatus.NOT_FINITE
    if mse <= limits.tol:
        return FlowStatus.CONVERGED
    if t >= limits.max_time:
        return FlowStatus.MAX_TIME
    if steps >= limits.max_steps:
        return FlowStatus.OUT_OF_STEPS
    fall = 1.0 - _STALL_FALL
    if mse < fall * mark[1] or energy < fall * mark[2]:
        mark[0], mark[1], mark[2] = max(t, mark[0]), mse, energy
    elif t >= mark[0] * 10.0**STALL_DECADES and h >= 0.5 * t:
        return FlowStatus.STALLED
    return FlowStatus.RUNNING
