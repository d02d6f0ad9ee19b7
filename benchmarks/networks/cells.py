"""The grid: activations by architectures by numbers of samples, each as PyTorch and as JAX."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import torch
from torch import nn

from llr.training import Problem

__all__ = ["ACTIVATIONS", "ARCHITECTURES", "SAMPLES", "jax_output", "problem_of"]

ACTIVATIONS: dict[str, tuple[type[nn.Module], Callable[[jax.Array], jax.Array]]] = {
    "tanh": (nn.Tanh, jnp.tanh),
    "relu": (nn.ReLU, jax.nn.relu),
    "gelu": (nn.GELU, partial(jax.nn.gelu, approximate=False)),
    "sigmoid": (nn.Sigmoid, jax.nn.sigmoid),
}

WIDTHS = {
    "5-50-1": (5, 50, 1),
    "5-500-1": (5, 500, 1),
    "5-50-50-1": (5, 50, 50, 1),
    "5-100-100-100-1": (5, 100, 100, 100, 1),
}
"""Fully connected networks by the widths of their layers."""

INPUT_SHAPES = {"1-d CNN": (1, 16), "2-d CNN with pooling": (1, 8, 8)}

ARCHITECTURES = (*WIDTHS, *INPUT_SHAPES)

SAMPLES = (20, 200)


def network(architecture: str, activation: type[nn.Module]) -> nn.Sequential:
    """The network in PyTorch, float64, at PyTorch's default initialisation."""
    if architecture == "1-d CNN":
        modules = [nn.Conv1d(1, 16, 3), activation(), nn.Conv1d(16, 16, 3), activation()]
        modules += [nn.Flatten(), nn.Linear(16 * 12, 1)]
    elif architecture == "2-d CNN with pooling":
        modules = [nn.Conv2d(1, 8, 3), activation(), nn.AvgPool2d(2), nn.Conv2d(8, 8, 2)]
        modules += [activation(), nn.Flatten(), nn.Linear(8 * 4, 1)]
    else:
        sizes = WIDTHS[architecture]
        modules = [nn.Linear(sizes[0], sizes[1])]
        for before, after in itertools.pairwise(sizes[1:]):
            modules += [activation(), nn.Linear(before, after)]
    return nn.Sequential(*modules).double()


def jax_output(
    architecture: str, activation: Callable[[jax.Array], jax.Array], params: dict, x: jax.Array
) -> jax.Array:
    """Outputs (n, 1) of the same network, written as a JAX user would."""
    layers = [(params[key], params[key[:-6] + "bias"]) for key in params if key.endswith("weight")]
    for i, (weight, bias) in enumerate(layers):
        if weight.ndim == 2:
            x = x.reshape(len(x), -1) @ weight.T + bias
        else:
            axes = weight.ndim - 2
            x = jax.lax.conv_general_dilated(x, weight, (1,) * axes, "VALID")
            x = x + bias.reshape(-1, *[1] * axes)
        if i < len(layers) - 1:
            x = activation(x)
        if i == 0 and "pooling" in architecture:
            n, c, rows, columns = x.shape
            x = x.reshape(n, c, rows // 2, 2, columns // 2, 2).mean((3, 5))
    return x


def problem_of(architecture: str, activation: str, n: int, runs: int) -> Problem:
    """Runs on normal data."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    models = [network(architecture, ACTIVATIONS[activation][0]) for _ in range(runs)]
    named = [dict(model.named_parameters()) for model in models]
    shape = INPUT_SHAPES.get(architecture, (5,))
    x = torch.randn(runs, n, *shape, dtype=torch.float64, generator=generator)
    y = torch.randn(runs, n, 1, dtype=torch.float64, generator=generator)
    return Problem(
        model=models[0],
        params={name: torch.stack([p[name].detach() for p in named]) for name in named[0]},
        x_train=x,
        y_train=y,
        n_train=torch.full((runs,), n),
        x_test=x[:, :1],
        y_test=y[:, :1],
        seeds=torch.arange(runs),
    )
