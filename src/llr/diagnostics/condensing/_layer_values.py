"""Values of a layered network, layer by layer, for whatever number of channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from llr.models import ACTIVATIONS, Layer, LayeredNetwork

__all__ = [
    "LayerWeights",
    "WeightedLayer",
    "activate",
    "first_values",
    "preactivations",
    "read_weights",
    "taps",
    "weighted_layers",
]


@dataclass(frozen=True, eq=False)
class WeightedLayer:
    """A layer with weights, and the poolings that follow it.

    Attributes:
        layer: the layer.
        poolings: average poolings up to the next layer with weights.
    """

    layer: Layer
    poolings: tuple[Layer, ...]


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """Weights of one layer, for O channels over C.

    Attributes:
        weight: (O, C, T) where the positions share it, else (O, P, C, T).
        bias: (O,) or (O, P), or None.
    """

    weight: Tensor
    bias: Tensor | None

    @property
    def channels(self) -> int:
        """O."""
        return len(self.weight)


def weighted_layers(network: LayeredNetwork) -> tuple[tuple[Layer, ...], list[WeightedLayer]]:
    """The poolings before the first layer with weights, and these layers in order."""
    places = [i for i, layer in enumerate(network.layers) if layer.weight is not None]
    ends = [*places[1:], len(network.layers)]
    layers = [
        WeightedLayer(network.layers[i], network.layers[i + 1 : end])
        for i, end in zip(places, ends, strict=True)
    ]
    return network.layers[: places[0]], layers


def read_weights(layer: Layer, values: Mapping[str, Tensor]) -> LayerWeights:
    """The weights of a layer in float64, detached."""
    assert layer.weight is not None
    taps_, shared = layer.seen.shape[1], layer.shared
    shape = (layer.channels, *(() if shared else (layer.positions,)), layer.channels_in, taps_)
    weight = values[layer.weight].detach().to(torch.float64).reshape(shape)
    if layer.bias is None:
        return LayerWeights(weight, None)
    bias = values[layer.bias].detach().to(torch.float64)
    return LayerWeights(weight, bias.reshape(layer.channels, *(() if shared else (-1,))))


def first_values(network: LayeredNetwork, poolings: Sequence[Layer], x: Tensor) -> Tensor:
    """What the first layer with weights sees: (n, C, positions)."""
    flat = torch.cat([x.flatten(1), x.new_zeros(len(x), 1)], dim=1)
    return pooled(poolings, flat[:, torch.from_numpy(network.inputs)])


def taps(layer: Layer, h: Tensor) -> Tensor:
    """What each position sees at each tap, zero where that is padding: (..., P, T)."""
    if np.any(layer.seen < 0):
        h = torch.cat([h, h.new_zeros(*h.shape[:-1], 1)], dim=-1)
    return h[..., torch.from_numpy(layer.seen)]


def preactivations(layer: Layer, weights: LayerWeights, h: Tensor) -> Tensor:
    """Values before the activation, (n, O, P)."""
    pattern = "ncpt,oct->nop" if layer.shared else "ncpt,opct->nop"
    z = torch.einsum(pattern, taps(layer, h), weights.weight)
    if weights.bias is None:
        return z
    return z + (weights.bias[:, None] if layer.shared else weights.bias)


def activate(part: WeightedLayer, z: Tensor) -> Tensor:
    """Values after the activation and the poolings, (n, O, positions)."""
    return pooled(part.poolings, ACTIVATIONS[part.layer.activation].function(z))


def pooled(poolings: Sequence[Layer], h: Tensor) -> Tensor:
    """Values after poolings and their activations."""
    for layer in poolings:
        means = taps(layer, h).sum(-1) / torch.from_numpy(layer.divisor)
        h = ACTIVATIONS[layer.activation].function(means)
    return h
