"""One step of gradient descent, momentum or Adam, eight parameters at a time."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from numba import njit

from llr.training._disk_cache import INLINE, INNER
from llr.training._dropout_mask import keep_threshold
from llr.training._optimizers import Adam, Descent
from llr.training.simd import load, multiply_add, splat_of, square_root, store

__all__ = ["Hyperparameters", "Rates", "hyperparameters_of", "move", "rates_at"]


class Hyperparameters(NamedTuple):
    """How to train, as numbers; see the optimizers."""

    adam: bool
    lr: float
    weight_decay: float
    momentum: float
    beta1: float
    beta2: float
    eps: float
    tol: float
    bound: float
    max_steps: int
    keep_factor: float  # 1 / (1 - dropout)
    keep_threshold: int
    dropout: bool
    seed: int


def hyperparameters_of(optimizer: Descent, seed: int) -> Hyperparameters:
    """The hyperparameters of one run."""
    adam = optimizer if isinstance(optimizer, Adam) else None
    return Hyperparameters(
        adam=adam is not None,
        lr=float(optimizer.lr),
        weight_decay=float(optimizer.weight_decay),
        momentum=float(getattr(optimizer, "momentum", 0.0)),
        beta1=float(adam.beta1) if adam else 0.0,
        beta2=float(adam.beta2) if adam else 0.0,
        eps=float(adam.eps) if adam else 0.0,
        tol=float(optimizer.tol),
        bound=float(optimizer.divergence_bound),
        max_steps=optimizer.max_steps,
        keep_factor=1.0 / (1.0 - optimizer.dropout),
        keep_threshold=keep_threshold(optimizer.dropout),
        dropout=optimizer.dropout > 0,
        seed=seed,
    )


class Rates(NamedTuple):
    """What one step needs besides the hyperparameters."""

    rate: float  # learning rate, for Adam with its bias correction
    root: float  # sqrt(1 - beta2^t)


@njit(**INNER)
def rates_at(hyper: Hyperparameters, t: int) -> Rates:
    """The rates of step t + 1."""
    if not hyper.adam:
        return Rates(hyper.lr, 1.0)
    step = float(t + 1)
    return Rates(hyper.lr / (1.0 - hyper.beta1**step), math.sqrt(1.0 - hyper.beta2**step))


@njit(**INLINE)
def move(
    hyper: Hyperparameters,
    rates: Rates,
    space: Any,
    at: int,
    gradient: Any,
) -> None:
    """One step of the eight parameters that start at an index; see ``torch.optim``.

    ``space`` is a named tuple with ``theta`` and the moments of Adam, ``first`` and ``second``;
    ``first`` alone is the velocity of momentum. It is passed as a whole because each array that is
    passed by itself costs two atomic operations.
    """
    value = load(space.theta, at)
    if hyper.weight_decay > 0.0:
        gradient = multiply_add(splat_of(space.theta, hyper.weight_decay), value, gradient)
    if hyper.adam:
        mean, square = load(space.first, at), load(space.second, at)
        mean = multiply_add(splat_of(space.theta, 1.0 - hyper.beta1), gradient - mean, mean)
        square = multiply_add(
            splat_of(space.theta, 1.0 - hyper.beta2) * gradient,
            gradient,
            splat_of(space.theta, hyper.beta2) * square,
        )
        store(space.first, at, mean)
        store(space.second, at, square)
        gradient = mean / (
            square_root(square) / splat_of(space.theta, rates.root)
            + splat_of(space.theta, hyper.eps)
        )
    elif hyper.momentum > 0.0:
        gradient = multiply_add(
            splat_of(space.theta, hyper.momentum), load(space.first, at), gradient
        )
        store(space.first, at, gradient)
    store(space.theta, at, multiply_add(splat_of(space.theta, -rates.rate), gradient, value))
