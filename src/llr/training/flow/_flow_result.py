"""The result of one gradient flow, whichever code integrated it."""

from __future__ import annotations

import numpy as np

from llr._types import Parameters
from llr.training._optimizers import GradientFlow
from llr.training._run_result import History, RunResult
from llr.training.flow._flow_status import FlowStatus

__all__ = ["flow_result"]


def flow_result(
    optimizer: GradientFlow,
    *,
    status: FlowStatus,
    steps: int,
    records: np.ndarray,
    seconds: float,
    params: Parameters,
    engine: str,
) -> RunResult:
    """The result of one gradient flow.

    Args:
        optimizer: how it was integrated.
        status: how it ended.
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
        status=status.status,
        message=f"{where}, {status.sentence(optimizer)}.",
        steps=steps,
        time=float(at[-1]),
        train_mse=float(train_mse[-1]),
        test_mse=float(test_mse[-1]),
        seconds=seconds,
        history=History(at, train_mse, test_mse),
        params=params,
        engine=engine,
    )
