"""A copy of a module with fewer channels in its hidden layers."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from llr.diagnostics.condensing._layer_values import LayerWeights
from llr.diagnostics.condensing._wide_values import LayeredFunction
from llr.models import Layer, LocallyConnected1D, LocallyConnected2D

__all__ = ["narrow_module", "read_back"]


def narrow_module(module: nn.Module, function: LayeredFunction) -> nn.Module:
    """The module with the weights, and so the widths, of a reduced network; float64."""
    narrow = copy.deepcopy(module).to(torch.float64)
    for part, weights in zip(function.layers, function.weights, strict=True):
        layer = part.layer
        assert layer.weight is not None
        owner = narrow.get_submodule(layer.weight.rpartition(".")[0])
        shape = _weight_shape(owner, layer, weights)
        owner.weight = nn.Parameter(weights.weight.reshape(shape).contiguous())
        if weights.bias is not None:
            assert isinstance(owner.bias, Tensor)
            owner.bias = nn.Parameter(
                weights.bias.reshape(weights.channels, *owner.bias.shape[1:]).contiguous()
            )
        _state_sizes(owner, shape)
    return narrow.requires_grad_(True)


def _input_axis(owner: nn.Module) -> int:
    """The axis of a weight that counts the channels of the input."""
    if isinstance(owner, LocallyConnected1D | LocallyConnected2D):
        return 1 + owner.n_axes
    return 1


def _weight_shape(owner: nn.Module, layer: Layer, weights: LayerWeights) -> tuple[int, ...]:
    """The shape of the module's weight for fewer channels."""
    assert isinstance(owner.weight, Tensor)
    shape, axis = list(owner.weight.shape), _input_axis(owner)
    channels_in = weights.weight.shape[-2]
    shape[0], shape[axis] = weights.channels, shape[axis] * channels_in // layer.channels_in
    return tuple(shape)


def _state_sizes(owner: nn.Module, shape: tuple[int, ...]) -> None:
    """Write the sizes that a layer states of itself."""
    if isinstance(owner, nn.Linear):
        owner.out_features, owner.in_features = shape[0], shape[1]
    else:
        vars(owner).update(out_channels=shape[0], in_channels=shape[_input_axis(owner)])


def read_back(function: LayeredFunction, values: Mapping[str, Tensor]) -> LayeredFunction:
    """A reduced network with weights from a module's parameters, shaped as its own."""
    read = []
    for part, weights in zip(function.layers, function.weights, strict=True):
        layer = part.layer
        assert layer.weight is not None
        bias = None
        if weights.bias is not None:
            assert layer.bias is not None
            bias = values[layer.bias].detach().reshape(weights.bias.shape)
        weight = values[layer.weight].detach().reshape(weights.weight.shape)
        read.append(LayerWeights(weight, bias))
    return function.with_weights(tuple(read))
