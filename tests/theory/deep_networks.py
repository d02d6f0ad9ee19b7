"""Small random deep networks with degenerate units, as weights and biases."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import nn

from llr.models import MLP

Matrix = list[list[float]]


@dataclass
class DeepNetwork:
    """Weights and biases (None for layers without) of layers 1..L."""

    weights: list[Matrix]
    biases: list[list[float] | None]

    @property
    def n_parameters(self) -> int:
        """M."""
        weights = sum(len(w) * len(w[0]) for w in self.weights)
        return weights + sum(len(b) for b in self.biases if b is not None)

    def module(self, activation: str = "tanh") -> nn.Sequential:
        """The network as ``nn.Sequential``."""
        kinds = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
        parts: list[nn.Module] = []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            linear = nn.Linear(
                len(weight[0]), len(weight), bias=bias is not None, dtype=torch.float64
            )
            with torch.no_grad():
                linear.weight.copy_(torch.tensor(weight))
                if bias is not None:
                    linear.bias.copy_(torch.tensor(bias))
            parts += [linear, kinds[activation]()]
        return nn.Sequential(*parts[:-1])


def _number(draw: random.Random) -> float:
    """Zero, or a small dyadic number."""
    return draw.randrange(-4, 5) / draw.choice([1, 2, 2])


def random_deep_network(seed: int, *, degenerate: bool = True) -> DeepNetwork:
    """A network of depth 3 or 4 (sometimes 2) with copied, flipped, scaled, zero and dead units."""
    draw = random.Random(seed)
    depth = draw.choice([2, 3, 3, 3, 4])
    most = 2 if depth == 4 else 3
    sizes = [draw.choice([1, 1, 2]), *(draw.choice([1, 2, 2, most]) for _ in range(depth - 1))]
    sizes.append(draw.choice([1, 1, 2]))
    pattern = draw.choice(
        [
            [True] * depth,
            [False] * depth,
            [True] * (depth - 1) + [False],
            [False] + [True] * (depth - 1),
            [draw.random() < 0.5 for _ in range(depth)],
        ]
    )
    weights = [
        [[_number(draw) for _ in range(sizes[l])] for _ in range(sizes[l + 1])]
        for l in range(depth)
    ]
    biases = [
        [_number(draw) for _ in range(sizes[l + 1])] if pattern[l] else None for l in range(depth)
    ]
    network = DeepNetwork(weights, biases)
    for _ in range(draw.choice([0, 1, 2, 3]) if degenerate else 0):
        _degrade(network, draw)
    return network


def _degrade(network: DeepNetwork, draw: random.Random) -> None:
    """Make one hidden unit special."""
    l = draw.randrange(len(network.weights) - 1)
    weight, bias, above = network.weights[l], network.biases[l], network.weights[l + 1]
    i, j = draw.randrange(len(weight)), draw.randrange(len(weight))
    kind = draw.choice(["copy", "flip", "constant", "dead", "triple", "sparse", "late copy"])
    if kind in ("copy", "flip", "triple"):
        factor = {"copy": 1, "flip": -1, "triple": 3}[kind]
        weight[i] = [factor * v for v in weight[j]]
        if bias is not None:
            bias[i] = factor * bias[j]
    elif kind == "constant":
        weight[i] = [0.0] * len(weight[i])
    elif kind == "dead":
        for row in above:
            row[i] = 0.0
    elif kind == "sparse":
        weight[i][draw.randrange(len(weight[i]))] = 0.0
    elif len(weight) > 1 and len(above) > 1:  # units above are equal once these two are merged
        weight[1] = list(weight[0])
        if bias is not None:
            bias[1] = bias[0]
        above[1] = [above[0][1], above[0][0], *above[0][2:]]
        upper = network.biases[l + 1]
        if upper is not None:
            upper[1] = upper[0]


def mlp_of(network: DeepNetwork, activation: str = "tanh") -> MLP | None:
    """The network as ``llr.MLP``, where its biases fit."""
    hidden, output = network.biases[:-1], network.biases[-1]
    if len({bias is None for bias in hidden}) > 1:
        return None
    model = MLP(
        len(network.weights[0][0]),
        widths=[len(w) for w in network.weights[:-1]],
        output_dim=len(network.weights[-1]),
        activation=activation,  # type: ignore[arg-type]
        hidden_bias=hidden[0] is not None,
        output_bias=output is not None,
    )
    source = network.module(activation)
    model.load_state_dict(
        {
            name: value
            for name, value in zip(model.state_dict(), source.state_dict().values(), strict=True)
        }
    )
    return model
