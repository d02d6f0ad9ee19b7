"""How one training run ended, and its losses along the way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from llr._show import html_table, to_json
from llr._types import Parameters
from llr.training._training_record import TrainingRecord

__all__ = ["History", "RunResult", "Status", "log_spaced"]

Status = Literal["converged", "max_steps", "diverged", "stalled", "max_time", "failed"]


@dataclass(frozen=True)
class History:
    """Losses along one run at log-spaced moments, the first and the last included.

    Attributes:
        at: steps taken (descent) or flow time (gradient flow), (h,) float64.
        train_mse: training MSE, (h,) float64.
        test_mse: test MSE, (h,) float64.
    """

    at: np.ndarray
    train_mse: np.ndarray
    test_mse: np.ndarray

    def to_dict(self) -> dict[str, list[float]]:
        """Plain lists."""
        return {
            "at": self.at.tolist(),
            "train_mse": self.train_mse.tolist(),
            "test_mse": self.test_mse.tolist(),
        }


@dataclass(frozen=True)
class RunResult:
    """How one run ended.

    Attributes:
        status: ``converged`` (training MSE <= tol), ``max_steps``, ``diverged`` (training MSE not
            finite or beyond the bound), and for the flow ``stalled``, ``max_time``, ``failed``.
        message: the status as a sentence.
        steps: optimizer or solver steps taken.
        time: flow time reached; for descent lr * steps.
        train_mse: final training MSE, without dropout.
        test_mse: final test MSE, without dropout.
        seconds: wall time of this run; its share of the batch where runs are trained together.
        history: losses along the run.
        params: final parameters by name, on the CPU.
        engine: name of the engine that trained it.
        snapshots: parameters by the step after which they were kept; see ``Problem.keep_at``.
        record: what ``train(record=...)`` measured along the run, or None.
    """

    status: Status
    message: str
    steps: int
    time: float
    train_mse: float
    test_mse: float
    seconds: float
    history: History = field(repr=False)
    params: Parameters = field(repr=False)
    engine: str
    snapshots: Mapping[int, Parameters] = field(default_factory=dict, repr=False)
    record: TrainingRecord | None = field(default=None, repr=False)

    def summary(self) -> dict[str, Any]:
        """One flat row: everything but history and parameters."""
        names = (
            "status",
            "message",
            "steps",
            "time",
            "train_mse",
            "test_mse",
            "seconds",
            "engine",
        )
        return {name: getattr(self, name) for name in names}

    def _repr_html_(self) -> str:
        """The summary as a table, for notebooks."""
        rows = (
            (name, f"{value:.3g}" if isinstance(value, float) else str(value))
            for name, value in self.summary().items()
        )
        return html_table(rows)

    def to_json(self) -> str:
        """The summary, the history and the record as JSON; numbers not finite become null."""
        measured = {} if self.record is None else {"record": self.record.rows()}
        return to_json({**self.summary(), "history": self.history.to_dict(), **measured})


def log_spaced(max_steps: int, *, per_decade: int = 20) -> np.ndarray:
    """Steps at which a run's losses are recorded: 0, then evenly in log scale up to max_steps.

    Args:
        max_steps: last step, always included.
        per_decade: how many in each factor of ten, where integers allow.

    Returns:
        Strictly increasing int64 array.

    Example:
        >>> log_spaced(10, per_decade=3).tolist()
        [0, 1, 2, 5, 10]
    """
    if max_steps == 0:
        return np.zeros(1, dtype=np.int64)
    count = max(2, math.ceil(per_decade * math.log10(max_steps)) + 1)
    grid = np.unique(np.rint(np.geomspace(1, max_steps, count)).astype(np.int64))
    return np.concatenate([[0], grid])
