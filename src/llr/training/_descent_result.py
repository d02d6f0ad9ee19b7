"""The result of gradient descent or Adam, the same for every engine: status, sentence, history."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from llr._types import Parameters
from llr.training._optimizers import Descent
from llr.training._run_result import History, RunResult, Status, log_spaced

__all__ = ["descent_result", "descent_status"]


def descent_status(train_mse: float, optimizer: Descent) -> Status:
    """The status of a run that has ended with this training MSE."""
    if not math.isfinite(train_mse) or train_mse > optimizer.divergence_bound:
        return "diverged"
    return "converged" if train_mse <= optimizer.tol else "max_steps"


def _message(status: Status, steps: int, train_mse: float, optimizer: Descent) -> str:
    """The status as a sentence."""
    where = f"The training MSE was {train_mse:.3g} after {steps} steps"
    if status == "converged":
        return f"{where}, at or below tol = {optimizer.tol:g}."
    if status == "max_steps":
        return f"{where}, max_steps, and is still above tol = {optimizer.tol:g}."
    if math.isfinite(train_mse):
        return f"{where}, above the bound {optimizer.divergence_bound:g}. Use a smaller lr."
    return f"{where}, not finite. Use a smaller lr, and check that the data are finite."


def descent_result(
    optimizer: Descent,
    *,
    steps: int,
    recorded: tuple[np.ndarray, np.ndarray],
    final: tuple[float, float],
    seconds: float,
    params: Parameters,
    engine: str,
    snapshots: Mapping[int, Parameters] | None = None,
) -> RunResult:
    """The result of one run of gradient descent or Adam, as every engine must report it.

    An engine of your own needs only to say after how many steps it ended and with which losses;
    status and message follow from the training MSE.

    Args:
        optimizer: how it was trained.
        steps: optimizer steps taken.
        recorded: training and test MSE at ``log_spaced(max_steps)``; entries past ``steps`` are
            ignored.
        final: training and test MSE of the final parameters.
        seconds: wall time.
        params: final parameters by name.
        engine: name of the engine.
        snapshots: parameters at the steps of ``Problem.keep_at`` that the run reached.

    Returns:
        The result, its history ending with the final losses.

    Example:
        >>> import numpy as np
        >>> from llr.training import GradientDescent
        >>> losses = np.array([1.0, 0.1, np.nan])  # at steps 0, 1 and 2
        >>> result = descent_result(
        ...     GradientDescent(lr=0.1, max_steps=2, tol=0.5),
        ...     steps=1, recorded=(losses, losses), final=(0.1, 0.1),
        ...     seconds=0.0, params={}, engine="mine",
        ... )
        >>> result.status, result.history.at.tolist()
        ('converged', [0.0, 1.0])
    """
    grid = log_spaced(optimizer.max_steps)
    count = int(np.searchsorted(grid, steps))  # grid points strictly before the end
    at, train, test = (
        np.append(values[:count], end)
        for values, end in zip((grid, *recorded), (steps, *final), strict=True)
    )
    train_mse, test_mse = final
    status = descent_status(train_mse, optimizer)
    return RunResult(
        status=status,
        message=_message(status, steps, train_mse, optimizer),
        steps=steps,
        time=optimizer.lr * steps,
        train_mse=train_mse,
        test_mse=test_mse,
        seconds=seconds,
        history=History(at.astype(np.float64), train, test),
        params=params,
        engine=engine,
        snapshots=dict(snapshots or {}),
    )
