"""A wide network on samples: its weights, values and influences, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from llr.diagnostics.condensing._layer_values import (
    LayerWeights,
    WeightedLayer,
    activate,
    first_values,
    preactivations,
    read_weights,
    weighted_layers,
)
from llr.models import Layer, LayeredNetwork
from llr.seeds import generator

__all__ = ["LayeredFunction", "WideValues", "read_function", "wide_values"]

PROBES = 4  # random combinations of the outputs that measure influence


@dataclass(frozen=True, eq=False)
class LayeredFunction:
    """A network as its layers with weights, and the weights themselves.

    Attributes:
        network: the layers as they were read.
        poolings: before the first layer with weights.
        layers: those with weights; all but the last are hidden.
        weights: of each of them.
    """

    network: LayeredNetwork
    poolings: tuple[Layer, ...]
    layers: tuple[WeightedLayer, ...]
    weights: tuple[LayerWeights, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each hidden layer."""
        return tuple(weights.channels for weights in self.weights[:-1])

    def outputs(self, x: Tensor) -> Tensor:
        """Outputs (n, c) at inputs (n, ...)."""
        h = first_values(self.network, self.poolings, x)
        for part, weights in zip(self.layers, self.weights, strict=True):
            h = activate(part, preactivations(part.layer, weights, h))
        return h.flatten(1)

    def with_weights(self, weights: tuple[LayerWeights, ...]) -> LayeredFunction:
        """The same layers with other weights, of whatever widths."""
        return LayeredFunction(self.network, self.poolings, self.layers, weights)


def read_function(model: nn.Module, network: LayeredNetwork) -> LayeredFunction:
    """The weights of a module that has been read as layers."""
    values = dict(model.named_parameters())
    poolings, layers = weighted_layers(network)
    weights = tuple(read_weights(part.layer, values) for part in layers)
    return LayeredFunction(network, poolings, tuple(layers), weights)


@dataclass(frozen=True, eq=False)
class WideValues:
    """Values of a network on samples.

    Attributes:
        function: the network.
        seen: what the first layer with weights sees.
        before: of each layer with weights, its values before the activation, (n, O, P).
        influence: of each layer, (O,): root mean square of the derivative of the outputs by the
            values of each channel; ones for the last.
    """

    function: LayeredFunction
    seen: Tensor
    before: tuple[Tensor, ...]
    influence: tuple[Tensor, ...]


def wide_values(function: LayeredFunction, x: Tensor, seed: int) -> WideValues:
    """Values and influences of every layer at samples (n, ...)."""
    seen = first_values(function.network, function.poolings, x)
    h, before = seen, list[Tensor]()
    for part, weights in zip(function.layers, function.weights, strict=True):
        z = preactivations(part.layer, weights, h).detach().requires_grad_()
        before.append(z)
        h = activate(part, z)
    influence = [torch.ones(weights.channels, dtype=h.dtype) for weights in function.weights]
    for l in range(len(before) - 2, -1, -1):
        influence[l] = _influence(function, before[l], l, seed)
    return WideValues(function, seen, tuple(z.detach() for z in before), tuple(influence))


def _influence(function: LayeredFunction, z: Tensor, l: int, seed: int) -> Tensor:
    """Root mean square over samples of the derivative of the outputs by the values of a layer."""
    h = activate(function.layers[l], z)
    for part, weights in zip(function.layers[l + 1 :], function.weights[l + 1 :], strict=True):
        h = activate(part, preactivations(part.layer, weights, h))
    source, square = generator(seed, "probe", "influence", l), torch.zeros_like(z)
    for _ in range(PROBES):
        probe = torch.randn(h.shape[1:], generator=source, dtype=h.dtype).expand_as(h)
        square += torch.autograd.grad(h, z, probe, retain_graph=True)[0].square()
    return square.mean((0, 2)).sqrt()
