"""How a gradient flow ended, as a status and a sentence."""

from __future__ import annotations

import numpy as np

from llr._types import Parameters
from llr.training._flow_control import (
    CONVERGED,
    MAX_TIME,
    NOT_FINITE,
    OUT_OF_STEPS,
    STALL_DECADES,
    STALLED,
    STEP_TOO_SMALL,
)
from llr.training._optimizers import GradientFlow
from llr.training._problem import History, RunResult, Status

__all__ = ["flow_result"]

_STATUS: dict[int, Status] = {
    CONVERGED: "converged",
    STALLED: "stalled",
    MAX_TIME: "max_time",
    OUT_OF_STEPS: "failed",
    STEP_TOO_SMALL: "failed",
    NOT_FINITE: "failed",
}


def _reason(stand: int, optimizer: GradientFlow) -> str:
    """The end of the sentence that begins with training MSE, time and steps."""
    return {
        CONVERGED: f"at or below tol = {optimizer.tol:g}",
        STALLED: f"and had not fallen by 1% over the last {STALL_DECADES} decades of t: a local "
        "minimum, or a valley without end",
        MAX_TIME: f"max_time, and is still above tol = {optimizer.tol:g}",
        OUT_OF_STEPS: f"max_steps = {optimizer.max_steps}, before max_time = "
        f"{optimizer.max_time:g}. Allow more steps, or a larger rtol",
        STEP_TOO_SMALL: "where no step was small enough for the tolerances. Use a larger rtol or "
        "atol, and check that the model is differentiable",
        NOT_FINITE: "not finite. Check that the data and the initial parameters are",
    }[stand]


def flow_result(
    optimizer: GradientFlow,
    *,
    stand: int,
    steps: int,
    records: np.ndarray,
    seconds: float,
    params: Parameters,
    engine: str,
) -> RunResult:
    """The result of one gradient flow.

    Args:
        optimizer: how it was integrated.
        stand: how it ended.
        steps: solver steps taken.
        records: t, training MSE and test MSE at log-spaced t and at the end, (3, any number).
        seconds: wall time.
        params: final parameters by name.
        engine: name of the engine.

    Returns:
        The result.
    """
    at, train_mse, test_mse = (row.copy() for row in records)
    where = f"The training MSE was {train_mse[-1]:.3g} at t = {at[-1]:.3g} after {steps} steps"
    return RunResult(
        status=_STATUS[stand],
        message=f"{where}, {_reason(stand, optimizer)}.",
        steps=steps,
        time=float(at[-1]),
        train_mse=float(train_mse[-1]),
        test_mse=float(test_mse[-1]),
        seconds=seconds,
        history=History(at, train_mse, test_mse),
        params=params,
        engine=engine,
    )
