"""A batch of training runs, as every engine receives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from llr._types import Parameters
from llr.errors import InvalidInputError, check_shape

__all__ = ["Problem"]


@dataclass(frozen=True)
class Problem:
    """R independent training runs of one architecture, which may differ in sample size.

    Attributes:
        model: the architecture; its own parameter values are not used.
        params: initial parameters, each with a leading run axis (R, ...), keyed and ordered as
            ``model.named_parameters()``.
        x_train: training inputs (R, n_max, *input_shape); rows from ``n_train[r]`` on are padding.
        y_train: training outputs (R, n_max, c).
        n_train: number of training samples of each run, (R,) int64.
        x_test: test inputs (R, n_test, *input_shape).
        y_test: test outputs (R, n_test, c).
        seeds: one integer per run, for dropout, (R,) int64.
        keep_at: steps, increasing, whose parameters each result keeps as a snapshot. The engines of
            this library keep them in gradient descent and Adam.

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
    keep_at: tuple[int, ...] = ()

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
            keep_at=self.keep_at,
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
            keep_at=self.keep_at,
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
            keep_at=first.keep_at,
        )
