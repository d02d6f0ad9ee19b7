"""How to train: small frozen classes, each with the parameters that mean something to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from llr.errors import check_number, check_positive_int

__all__ = ["Adam", "Descent", "GradientDescent", "GradientFlow", "Optimizer"]


def _check_descent(
    lr: float, max_steps: int, tol: float, weight_decay: float, dropout: float, bound: float
) -> None:
    """What gradient descent and Adam have in common."""
    check_number("lr", lr, above=0.0, below=math.inf)
    check_positive_int("max_steps", max_steps, minimum=0)
    check_number("tol", tol, minimum=0.0)
    check_number("weight_decay", weight_decay, minimum=0.0, below=math.inf)
    check_number("dropout", dropout, minimum=0.0, below=1.0)
    check_number("divergence_bound", bound, above=0.0)


@dataclass(frozen=True, kw_only=True)
class GradientDescent:
    """Full-batch gradient descent, with momentum if asked for.

    With v = 0 at the start,

        v <- momentum v + grad L(theta) + weight_decay theta,    theta <- theta - lr v.

    L is the mean squared error over the training samples (and outputs).

    Attributes:
        lr: learning rate, > 0.
        max_steps: most steps to take.
        tol: a run has converged when its training MSE is at or below this.
        weight_decay: coefficient of theta in the step, as in ``torch.optim.SGD``.
        dropout: probability of dropping a hidden unit in a training step; losses are reported
            without dropout.
        divergence_bound: a run has diverged when its training MSE is not finite or above this.
        momentum: share of the last step's velocity that is kept, as in ``torch.optim.SGD``.

    Raises:
        InvalidInputError: if a value is impossible.

    Example:
        >>> GradientDescent(lr=0.1).max_steps
        20000
    """

    lr: float = 0.1
    max_steps: int = 20_000
    tol: float = 1e-10
    weight_decay: float = 0.0
    dropout: float = 0.0
    divergence_bound: float = 1e12
    momentum: float = 0.0

    def __post_init__(self) -> None:
        _check_descent(
            self.lr,
            self.max_steps,
            self.tol,
            self.weight_decay,
            self.dropout,
            self.divergence_bound,
        )
        check_number("momentum", self.momentum, minimum=0.0, below=1.0)


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Full-batch Adam, element by element as ``torch.optim.Adam``.

    Attributes:
        lr: learning rate, > 0.
        max_steps: most steps to take.
        tol: a run has converged when its training MSE is at or below this.
        weight_decay: added to the gradient times theta, as in ``torch.optim.Adam``.
        dropout: probability of dropping a hidden unit in a training step; losses are reported
            without dropout.
        divergence_bound: a run has diverged when its training MSE is not finite or above this.
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        eps: added to the root of the second moment.

    Raises:
        InvalidInputError: if a value is impossible.

    Example:
        >>> Adam(lr=1e-3).beta2
        0.999
    """

    lr: float = 1e-3
    max_steps: int = 20_000
    tol: float = 1e-10
    weight_decay: float = 0.0
    dropout: float = 0.0
    divergence_bound: float = 1e12
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        _check_descent(
            self.lr,
            self.max_steps,
            self.tol,
            self.weight_decay,
            self.dropout,
            self.divergence_bound,
        )
        check_number("beta1", self.beta1, minimum=0.0, below=1.0)
        check_number("beta2", self.beta2, minimum=0.0, below=1.0)
        check_number("eps", self.eps, minimum=0.0)


@dataclass(frozen=True, kw_only=True)
class GradientFlow:
    """Gradient flow d theta / dt = -(grad L(theta) + weight_decay theta), L the training MSE.

    The limit of gradient descent for lr -> 0, with t = lr * steps.

    Attributes:
        tol: a run has converged when its training MSE is at or below this.
        max_time: flow time at which to stop.
        rtol: relative tolerance of a step, measured against the largest weight of a neuron. The
            final test MSE is accurate to about a hundred times this, relatively.
        atol: absolute tolerance of a step; None: far below the size of the initial parameters,
            because the direction in which a run leaves the origin decides where it ends.
        weight_decay: coefficient of theta in the flow.
        max_steps: most solver steps.

    Raises:
        InvalidInputError: if a value is impossible.

    Example:
        >>> GradientFlow().tol
        1e-20
    """

    tol: float = 1e-20
    max_time: float = 1e8
    rtol: float = 1e-4
    atol: float | None = None
    weight_decay: float = 0.0
    max_steps: int = 100_000

    def __post_init__(self) -> None:
        check_number("tol", self.tol, minimum=0.0)
        check_number("max_time", self.max_time, minimum=0.0, below=math.inf)
        check_number("rtol", self.rtol, above=0.0, below=1.0)
        if self.atol is not None:
            check_number("atol", self.atol, above=0.0)
        check_number("weight_decay", self.weight_decay, minimum=0.0, below=math.inf)
        check_positive_int("max_steps", self.max_steps)


Descent: TypeAlias = GradientDescent | Adam
Optimizer: TypeAlias = GradientDescent | Adam | GradientFlow
