"""The interface between a batch of runs and the code that trains them."""

from __future__ import annotations

from abc import ABC, abstractmethod

from llr.training._optimizers import Optimizer
from llr.training._problem import Problem
from llr.training._run_result import RunResult

__all__ = ["AbstractEngine"]


class AbstractEngine(ABC):
    """Trains a batch of runs.

    ``train_batch`` and ``train`` accept an instance of a subclass in place of an engine's name;
    :class:`llr.testing.EngineContract` tests that it keeps what is promised here.

    Every engine follows the same protocol. After t steps, t = 0, 1, ...: the training MSE of the
    current parameters is computed without dropout; losses are recorded where t is in
    ``log_spaced(max_steps)`` and at the end; the run ends as ``diverged`` if the MSE is not
    finite or above the bound, as ``converged`` if it is at or below ``tol``, as ``max_steps`` if
    t = max_steps; otherwise one more step is taken. A run's result does not depend on the runs
    beside it.

    Attributes:
        name: short name, reported in each result.
    """

    name: str

    @abstractmethod
    def why_not(self, problem: Problem, optimizer: Optimizer) -> str | None:
        """Why this engine cannot train these runs, as a sentence; None if it can."""

    def compile(self) -> bool:
        """Compile ahead of time what :meth:`run` needs; return whether anything was compiled."""
        return False

    @abstractmethod
    def run(
        self, problem: Problem, optimizer: Optimizer, *, threads: int | None = None
    ) -> list[RunResult]:
        """Train every run.

        Args:
            problem: the runs.
            optimizer: how to train.
            threads: most CPU threads to use; None: as many as the process may.

        Returns:
            One result per run, in order; :func:`descent_result` makes them.
        """
