"""The plain loop: autograd and torch.optim, one run at a time. What every engine must equal."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from llr.models import MLP, activation_of
from llr.training import Adam, GradientDescent, log_spaced


@dataclass(frozen=True)
class PlainRun:
    """How one run of the plain loop ended."""

    status: str
    steps: int
    train_mse: float
    test_mse: float
    at: list[int]
    train_history: list[float]
    test_history: list[float]
    params: dict[str, Tensor]


def splitmix64(value: np.ndarray) -> np.ndarray:
    """Steele, Lea and Flood, OOPSLA 2014, on unsigned 64-bit integers."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def plain_dropout_mask(seed: int, step: int, shape: tuple[int, int], dropout: float) -> Tensor:
    """Factors 0 or 1 / (1 - dropout), (samples, units)."""
    samples, units = (np.arange(size, dtype=np.uint64) for size in shape)
    key = splitmix64(np.array([seed]).astype(np.uint64)) + np.uint64(step)
    bits = splitmix64(splitmix64(splitmix64(key) + samples)[:, None] + units)
    kept = (bits >> np.uint64(11)) < round((1 - dropout) * 2**53)
    return torch.from_numpy(kept / (1 - dropout))


def hidden_layers(
    model: nn.Module, x: Tensor
) -> list[tuple[int, Callable[[Callable[[Tensor], Tensor]], object]]]:
    """Units of each hidden layer, and how to put a function after its activation."""

    def before(module: nn.Module) -> Callable[[Callable[[Tensor], Tensor]], object]:
        return lambda change: module.register_forward_pre_hook(lambda _, args: change(args[0]))

    def after(module: nn.Module) -> Callable[[Callable[[Tensor], Tensor]], object]:
        return lambda change: module.register_forward_hook(lambda _, __, out: change(out))

    if isinstance(model, MLP):  # its activations are no modules
        return [(width, before(model.layers[l + 1])) for l, width in enumerate(model.widths)]
    if not isinstance(model, nn.Sequential):
        return [(model.output.in_features, before(model.output))]
    found = []
    for module in model:
        x = module(x)
        if activation_of(module) is not None and module is not model[-1]:
            found.append((x[0].numel(), after(module)))
    return found


def train_alone(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    x_test: Tensor,
    y_test: Tensor,
    optimizer: GradientDescent | Adam,
    *,
    seed: int = 0,
) -> PlainRun:
    """Train a copy of the model by a plain loop."""
    model = copy.deepcopy(model)
    step: int | None = None  # whose dropout mask is applied; None: no dropout
    if optimizer.dropout > 0:
        first = 0  # number of the first unit of a layer
        for units, multiply in hidden_layers(model, x):

            def mask(hidden: Tensor, first: int = first, units: int = units) -> Tensor:
                if step is None:
                    return hidden
                shape = (len(hidden), first + units)
                kept = plain_dropout_mask(seed, step, shape, optimizer.dropout)[:, first:]
                return hidden * kept.reshape(hidden.shape)

            multiply(mask)
            first += units
    options = {"lr": optimizer.lr, "weight_decay": optimizer.weight_decay}
    if isinstance(optimizer, Adam):
        betas = (optimizer.beta1, optimizer.beta2)
        update = torch.optim.Adam(model.parameters(), betas=betas, eps=optimizer.eps, **options)
    else:
        update = torch.optim.SGD(model.parameters(), momentum=optimizer.momentum, **options)

    record = set(log_spaced(optimizer.max_steps).tolist())
    at, train_history, test_history = [], [], []
    for t in range(optimizer.max_steps + 1):
        step = None
        loss = (model(x) - y).square().mean()
        train_mse = loss.item()
        if not math.isfinite(train_mse) or train_mse > optimizer.divergence_bound:
            status = "diverged"
        elif train_mse <= optimizer.tol:
            status = "converged"
        elif t == optimizer.max_steps:
            status = "max_steps"
        else:
            status = None
        if t in record or status:
            with torch.no_grad():
                test_mse = (model(x_test) - y_test).square().mean().item()
            at.append(t)
            train_history.append(train_mse)
            test_history.append(test_mse)
        if status:
            params = {name: p.detach() for name, p in model.named_parameters()}
            return PlainRun(status, t, train_mse, test_mse, at, train_history, test_history, params)
        if optimizer.dropout > 0:
            step = t
            loss = (model(x) - y).square().mean()
        update.zero_grad()
        loss.backward()
        update.step()
    raise AssertionError("the last step always ends the run")
