"""How a gradient flow can end: a code for compiled code, a status and a sentence for users."""

from __future__ import annotations

from enum import IntEnum

from llr.training._optimizers import GradientFlow
from llr.training._run_result import Status

__all__ = ["STALL_DECADES", "FlowStatus"]

STALL_DECADES = 3
"""Decades of t without a decrease after which a run may have stalled."""


class FlowStatus(IntEnum):
    """Whether a run is still being integrated and, if not, why it ended."""

    RUNNING = 0
    CONVERGED = 1
    STALLED = 2
    MAX_TIME = 3
    OUT_OF_STEPS = 4
    STEP_TOO_SMALL = 5
    NOT_FINITE = 6

    @property
    def status(self) -> Status:
        """The status that users see."""
        return _STATUS[self]

    def sentence(self, optimizer: GradientFlow) -> str:
        """The end of a sentence that begins with the training MSE, the time and the steps."""
        return _SENTENCES[self].format(
            tol=optimizer.tol,
            max_time=optimizer.max_time,
            max_steps=optimizer.max_steps,
            decades=STALL_DECADES,
        )


_STATUS: dict[FlowStatus, Status] = {
    FlowStatus.CONVERGED: "converged",
    FlowStatus.STALLED: "stalled",
    FlowStatus.MAX_TIME: "max_time",
    FlowStatus.OUT_OF_STEPS: "failed",
    FlowStatus.STEP_TOO_SMALL: "failed",
    FlowStatus.NOT_FINITE: "failed",
}

_SENTENCES = {
    FlowStatus.CONVERGED: "at or below tol = {tol:g}",
    FlowStatus.STALLED: "and had not fallen by 1% over the last {decades} decades of t: a local "
    "minimum, or a valley without end",
    FlowStatus.MAX_TIME: "max_time, and is still above tol = {tol:g}",
    FlowStatus.OUT_OF_STEPS: "max_steps = {max_steps}, before max_time = {max_time:g}. Allow more "
    "steps, or a larger rtol",
    FlowStatus.STEP_TOO_SMALL: "where no step was small enough for the tolerances. Use a larger "
    "rtol or atol, and check that the model is differentiable",
    FlowStatus.NOT_FINITE: "not finite. Check that the data and the initial parameters are",
}
