"""Training MSE, its gradient and the test MSE of many runs at once, on any device."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from llr._types import Parameters
from llr.training._problem import Problem

__all__ = ["AbstractObjective"]


class AbstractObjective(ABC):
    """The losses of R runs; shorter training sets are masked.

    Args:
        problem: the runs; its parameters are not used.
        dropout: probability of dropping a hidden unit.
    """

    def __init__(self, problem: Problem, dropout: float) -> None:
        self.problem, self.dropout = problem, dropout
        self.n_outputs = problem.y_train.shape[2]
        rows = torch.arange(problem.x_train.shape[1], device=problem.n_train.device)
        padding = rows >= problem.n_train[:, None]
        dtype = problem.y_train.dtype
        # weight of a training sample in the mean: 1 / (n c), nothing for padding
        self.weight = torch.where(
            padding, 0.0, 1.0 / (problem.n_train[:, None].to(dtype) * self.n_outputs)
        )
        self.x_train = self._without_padding(problem.x_train, padding)
        self.y_train = self._without_padding(problem.y_train, padding)

    @staticmethod
    def _without_padding(tensor: Tensor, padding: Tensor) -> Tensor:
        """Padding replaced by the run's first sample, where every model is as finite as it is."""
        padding = padding.reshape(*padding.shape, *[1] * (tensor.dim() - 2))
        return torch.where(padding, tensor[:, :1], tensor)

    @abstractmethod
    def value_and_gradient(self, params: Parameters, step: Tensor) -> tuple[Tensor, Parameters]:
        """Training MSE (R,) without dropout; gradient, with dropout, of the trained parameters."""

    @abstractmethod
    def test_mse(self, params: Parameters) -> Tensor:
        """Test MSE (R,); NaN where there are no test samples."""
