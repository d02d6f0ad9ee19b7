"""Names that configs use, and what they stand for."""

from __future__ import annotations

import math
from typing import Literal

from llr.models import ModelName
from llr.training import Adam, GradientDescent, GradientFlow, Optimizer

__all__ = [
    "CONVOLUTIONS",
    "FULLY_CONNECTED",
    "NETWORKS",
    "OPTIMIZERS",
    "OPTIMIZER_ALIASES",
    "SEED_ARCHITECTURES",
    "WIDTHLESS",
    "DistributionName",
    "InitName",
    "OptimizerName",
    "input_shape",
    "input_size",
    "optimizer_name",
]

OptimizerName = Literal["gradient_descent", "adam", "gradient_flow"]
DistributionName = Literal["normal", "uniform", "grid", "entries"]
InitName = Literal["normal", "default", "near_target"]

OPTIMIZERS: dict[OptimizerName, type[Optimizer]] = {
    "gradient_descent": GradientDescent,
    "adam": Adam,
    "gradient_flow": GradientFlow,
}
OPTIMIZER_ALIASES: dict[str, OptimizerName] = {"sgd": "gradient_descent"}
"""Former names, which older configs and the identities of runs use."""

SEED_ARCHITECTURES: tuple[ModelName, ...] = ("mlp", "cnn_shared", "cnn_noshare")
FULLY_CONNECTED: tuple[ModelName, ...] = ("mlp", "deep_mlp")
CONVOLUTIONS: tuple[ModelName, ...] = (
    "cnn_shared",
    "cnn_noshare",
    "cnn_shared_2d",
    "cnn_noshare_2d",
)
NETWORKS: tuple[ModelName, ...] = (*FULLY_CONNECTED, *CONVOLUTIONS)
"""Models with an activation and biases."""

WIDTHLESS: tuple[ModelName, ...] = (
    "diagonal",
    "difference_of_squares",
    "toy_linear",
    "toy_nonlinear",
)


def optimizer_name(optimizer: Optimizer) -> OptimizerName:
    """What configs call an optimizer."""
    return next(name for name, kind in OPTIMIZERS.items() if type(optimizer) is kind)


def input_shape(model: str, input_dim: int) -> tuple[int, ...]:
    """Shape of one input of a model, or of a random target of that kind."""
    if model in ("matrix_factorization", "matrix"):
        return (2 * input_dim,)
    if model in ("cnn_shared_2d", "cnn_noshare_2d"):
        return (input_dim, input_dim)
    return (input_dim,)


def input_size(model: str, input_dim: int) -> int:
    """Number of coordinates of one input."""
    return math.prod(input_shape(model, input_dim))
