"""What an engine gets and what it gives back: a batch of runs, a result for each."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from llr._types import Parameters
from llr.errors import InvalidInputError, check_shape

__all__ = ["History", "Problem", "RunResult", "Status", "log_spaced"]

Status = Literal["converged", "max_steps", "diverged", "stalled", "max_time", "failed"]


@dataclass(frozen=True)
class Problem:
    """R independent training runs of one architecture, sample counts free to differ.

    Attributes:
        model: the architecture; its own parameter values are not used.
        params: initial parameters, each with a leading run axis (R, ...), keyed and ordered as
            ``model.named_parameters()``.
        x_train: training inputs (R, n_max, *input_shape); rows from ``n_train[r]`` on are padding.
        y_train: training outputs (R, n_max, c).
        n_train: number of training samples of each run, (R,) int64.
        x_test: test inputs (R, n_test, *input_shape).
        y_test: test outputs (R, n_test, c).
        seeds: one integer a run, for dropout, (R,) int64.

    Raises:
        InvalidInputError: if shapes, dtypes or devices disagree, a sample count lies outside
            1..n_max, or the model has no parameters.
    """

    model: nn.Module
    params: Parameters
    x_train: Tensor
    y_train: Tensor
    n_train: Tensor
    x_test: Tensor
    y_test: Tensor
    seeds: Tensor

    def __post_init__(self) -> None:
        expected = dict(self.model.named_parameters())
        if not expected:
            raise InvalidInputError(
                f"model must have parameters to train, {type(self.model).__name__} has none."
            )
        if list(self.params) != list(expected):
            raise InvalidInputError(
                f"params must be keyed as model.named_parameters(): {list(expected)}, "
                f"got {list(self.params)}."
            )
        r = self.n_runs
        for name, value in self.params.items():
            check_shape(f"params[{name!r}]", value.shape, (r, *expected[name].shape))
        for name in ("x_train", "y_train", "x_test", "y_test", "n_train", "seeds"):
            tensor: Tensor = getattr(self, name)
            if tensor.shape[:1] != (r,):
                raise InvalidInputError(
                    f"{name} must lead with the {r} runs of params, got shape "
                    f"{tuple(tensor.shape)}."
                )
        for part in ("train", "test"):
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            check_shape(f"y_{part}", y.shape, (r, x.shape[1], "c"))
        tensors = (*self.params.values(), self.x_train, self.y_train, self.x_test, self.y_test)
        if len(kinds := {t.dtype for t in tensors if t.is_floating_point()}) > 1:
            raise InvalidInputError(
                f"parameters and data must have one floating dtype, got {sorted(map(str, kinds))}. "
                "Convert the data with x.to(dtype)."
            )
        if len(places := {t.device for t in (*tensors, self.n_train, self.seeds)}) > 1:
            raise InvalidInputError(
                f"parameters and data must be on one device, got {sorted(map(str, places))}. "
                "Move the data with x.to(device)."
            )
        low, high = int(self.n_train.min()), int(self.n_train.max())
        if low < 1 or high > self.x_train.shape[1]:
            raise InvalidInputError(
                f"n_train must lie in 1..{self.x_train.shape[1]}, got {low}..{high}."
            )

    @property
    def n_runs(self) -> int:
        """R."""
        return next(iter(self.params.values())).shape[0]

    def select(self, runs: Sequence[int]) -> Problem:
        """The runs with the given indices, padding cut to the longest of them."""
        index = torch.as_tensor(runs, dtype=torch.int64, device=self.n_train.device)
        n_train = self.n_train[index]
        n_max = int(n_train.max())
        return Problem(
            model=self.model,
            params={name: value[index] for name, value in self.params.items()},
            x_train=self.x_train[index, :n_max],
            y_train=self.y_train[index, :n_max],
            n_train=n_train,
            x_test=self.x_test[index],
            y_test=self.y_test[index],
            seeds=self.seeds[index],
        )

    def to(self, device: torch.device | str) -> Problem:
        """The same runs with their tensors on a device."""
        return Problem(
            model=self.model,
            params={name: value.to(device) for name, value in self.params.items()},
            **{
                name: getattr(self, name).to(device)
                for name in ("x_train", "y_train", "n_train", "x_test", "y_test", "seeds")
            },
        )

    @staticmethod
    def stack(problems: Sequence[Problem]) -> Problem:
        """One problem holding the runs of many problems of one architecture, in order.

        Args:
            problems: at least one; same parameter shapes and same number of test samples.

        Returns:
            The stacked problem; shorter training sets are padded with zeros.
        """
        n_max = max(problem.x_train.shape[1] for problem in problems)

        def padded(tensor: Tensor) -> Tensor:
            missing = n_max - tensor.shape[1]
            zeros = tensor.new_zeros(tensor.shape[0], missing, *tensor.shape[2:])
            return torch.cat([tensor, zeros], dim=1)

        first = problems[0]
        return Problem(
            model=first.model,
            params={
                name: torch.cat([problem.params[name] for problem in problems])
                for name in first.params
            },
            x_train=torch.cat([padded(problem.x_train) for problem in problems]),
            y_train=torch.cat([padded(problem.y_train) for problem in problems]),
            n_train=torch.cat([problem.n_train for problem in problems]),
            x_test=torch.cat([problem.x_test for problem in problems]),
            y_test=torch.cat([problem.y_test for problem in problems]),
            seeds=torch.cat([problem.seeds for problem in problems]),
        )


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
        cells = "".join(
            f"<tr><th style='text-align:left'>{name}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in rows
        )
        return f"<table>{cells}</table>"

    def to_json(self) -> str:
        """The summary and the history as JSON; numbers that are not finite become null."""

        def clean(value: Any) -> Any:
            if isinstance(value, float) and not math.isfinite(value):
                return None
            if isinstance(value, list):
                return [clean(item) for item in value]
            if isinstance(value, dict):
                return {key: clean(item) for key, item in value.items()}
            return value

        return json.dumps(clean({**self.summary(), "history": self.history.to_dict()}))


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
