"""Interface: products with the tangent matrix of one batch: rows of J, J V and U^T J."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from llr._types import Parameters
from llr.tangent._model_function import ModelFunction
from llr.tangent._samples import Samples

__all__ = ["AbstractLinearization", "join_parameters"]


class AbstractLinearization(ABC):
    """Interface: the derivatives of one model function at one parameter point."""

    def __init__(self, function: ModelFunction) -> None:
        self.function = function

    @abstractmethod
    def rows(self, x: Samples) -> Tensor:
        """J, shape (n * c, M)."""

    @abstractmethod
    def jvp(self, x: Samples, directions: Tensor) -> Tensor:
        """J V^T, shape (n * c, k), for directions V (k, M) in parameter space."""

    @abstractmethod
    def vjp(self, x: Samples, weights: Tensor) -> Tensor:
        """U^T J, shape (k, M), for weights U (n * c, k) on the rows."""


def join_parameters(params: Parameters, lead: int) -> Tensor:
    """Parameters by name with ``lead`` leading axes, as one tensor with M last."""
    parts = [v.reshape(*v.shape[:lead], v.shape[lead:].numel()) for v in params.values()]
    return torch.cat(parts, dim=-1)
