"""Random two-layer networks with any activation, degenerate in every way there is."""

from __future__ import annotations

import random

import torch
from torch import Tensor, nn

from llr.models import (
    MLP,
    NoShareConv1D,
    Pointwise,
    SharedConv1D,
    SharedConv2D,
    TwoLayerMLP,
)

VALUES = (0.5, -0.5, 1.0, -1.0, 1.5, 0.75, -0.25, 2.0, -3.0, 0.125)
CHANGES = (
    "none",
    "none",
    "copy",
    "negate",
    "scale",
    "same frequency",
    "parallel",
    "zero in",
    "zero out",
    "null",
    "cancel",
)
FAMILIES = ("mlp", "outputs", "sequential", "shared", "unshared", "tied", "tied bias")
FACTORS = (2.0, 3.0, -2.0, 0.5, -3.0)


def random_network(activation: str, seed: int) -> nn.Module:
    """A network with a few units, in a family that the seed chooses."""
    draw = random.Random(f"{activation}-{seed}")
    family = draw.choice(FAMILIES)
    biases = {"hidden_bias": draw.random() < 0.7, "output_bias": draw.random() < 0.4}
    d, m = draw.randint(1, 3), draw.randint(1, 4)
    model: nn.Module
    if family == "mlp":
        model = TwoLayerMLP(d, width=m, activation=activation, **biases)
    elif family == "outputs":
        model = MLP(d, widths=[m], output_dim=2, activation=activation, **biases)
    elif family == "shared":
        if draw.random() < 0.2:
            model = SharedConv2D(2, width=min(m, 2), kernel_size=1, activation=activation, **biases)
        else:
            sizes = {"width": min(m, 3), "kernel_size": draw.randint(1, 2)}
            model = SharedConv1D(max(d, 2), **sizes, activation=activation, **biases)
    elif family == "unshared":
        sizes = {"width": min(m, 2), "kernel_size": 1}
        model = NoShareConv1D(max(d, 2), **sizes, activation=activation, **biases)
    else:
        hidden_bias = biases["hidden_bias"] or family == "tied bias"
        c = 1 if family == "sequential" else min(m, 3)
        m, d = (m, d) if family == "sequential" else (c, c if family == "tied" else d)
        model = nn.Sequential(
            nn.Linear(d, m, bias=hidden_bias),
            Pointwise(activation),
            nn.Linear(m, c, bias=biases["output_bias"] or family == "tied bias"),
        ).double()
    _fill(model, draw)
    if family == "tied":
        model[2].weight = model[0].weight
    if family == "tied bias":
        model[2].bias = model[0].bias
    return model


def _fill(model: nn.Module, draw: random.Random) -> None:
    """Random values, then changes to some units."""
    state = {name: _values(draw, p) for name, p in model.named_parameters()}
    names = list(state)
    weight = state[names[0]]
    bias = state.get(f"{_layer(names[0])}.bias")
    output = next(state[n] for n in names[1:] if n.endswith("weight"))
    rows = len(weight)
    per_row = output.shape[1] // rows
    for i in range(rows):
        j, change = draw.randrange(rows), draw.choice(CHANGES)
        own = slice(i * per_row, (i + 1) * per_row)
        factors = {"copy": 1.0, "cancel": 1.0, "negate": -1.0, "scale": draw.choice(FACTORS)}
        factor = factors.get(change)
        if factor is not None:
            weight[i] = factor * weight[j]
            if bias is not None:
                bias[i] = factor * bias[j]
        if change == "cancel" and i != j:
            output[:, own] = -output[:, j * per_row : (j + 1) * per_row]
        if change == "same frequency":
            weight[i] = draw.choice([1.0, -1.0]) * weight[j]
        if change == "parallel":
            weight[i] = draw.choice(FACTORS) * weight[j]
        if change in ("zero in", "null"):
            weight[i] = 0.0
            if bias is not None and draw.random() < 0.5:
                bias[i] = draw.choice([0.0, 1.0, -1.0, 3.0, 6.0, -0.5])
        if change in ("zero out", "null"):
            output[:, own] = 0.0
        if change == "null" and bias is not None:
            bias[i] = 0.0
    if draw.random() < 0.2:
        output[draw.randrange(len(output))] = 0.0
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(state[name])


def _layer(name: str) -> str:
    """The name of a parameter's layer."""
    return name.rpartition(".")[0]


def _values(draw: random.Random, parameter: Tensor) -> Tensor:
    """Values of few bits, so that units coincide by chance too."""
    numbers = [draw.choice(VALUES) for _ in range(parameter.numel())]
    return torch.tensor(numbers, dtype=torch.float64).reshape(parameter.shape)
