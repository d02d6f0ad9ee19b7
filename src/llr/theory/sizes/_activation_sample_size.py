"""Optimistic sample sizes in fully connected two-layer networks with any activation but tanh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from llr._types import Parameters
from llr.errors import InvalidInputError
from llr.theory._closed_forms import deep_network_bound, relu_network_bound
from llr.theory.activations import VALUE_AT_ZERO, row_of
from llr.theory.arithmetic import exact_array
from llr.theory.deep import FullyConnected
from llr.theory.sizes._deep_target import deep_target
from llr.theory.sizes._sample_size import Published, SampleSize
from llr.theory.sizes.families import LeastUnits, Student, least_network
from llr.theory.two_layer import HiddenUnits, TwoLayerNetwork, read_two_layer

__all__ = ["activation_size", "has_activation_size"]


def has_activation_size(layers: FullyConnected) -> bool:
    """Whether it is a two-layer network with an activation in the table."""
    return layers.depth == 2 and row_of(layers.activation) is not None


def activation_size(
    model: nn.Module, layers: FullyConnected, target: nn.Module | Mapping[str, Tensor] | int
) -> SampleSize:
    """The optimistic sample size of a target in a two-layer network, or bounds.

    Raises:
        NotExpressibleError: if the model cannot express the target.
        InvalidInputError: if the target is of another kind.
    """
    row = row_of(layers.activation)
    assert row is not None
    student = Student(
        row=row,
        input_size=layers.sizes[0],
        n_outputs=layers.sizes[-1],
        hidden_bias=layers.biases[0] is not None,
        output_bias=layers.biases[1] is not None,
        width=layers.sizes[1],
    )
    found = least_network(student, _target_network(layers, target))
    settled = found.lower == found.upper
    theorem = "Theorem 1, over all representations"
    lower_theorem = f"Theorem 1, for every representation; {found.unsettled}"
    return SampleSize(
        lower=found.lower,
        upper=found.upper,
        lower_theorem=theorem if settled else lower_theorem.removesuffix("; "),
        upper_theorem=theorem if settled else "Theorem 1, at the witness",
        published=_published(layers, len(found)),
        target=found.words,
        n_parameters=sum(parameter.numel() for parameter in model.parameters()),
        witness=_witness(layers, found),
        assumes=found.assumes,
        witness_note=found.note,
    )


def _target_network(
    layers: FullyConnected, target: nn.Module | Mapping[str, Tensor] | int
) -> TwoLayerNetwork:
    """The target as a two-layer network."""
    if isinstance(target, nn.Module):
        network = read_two_layer(target, activation=layers.activation)
        if network is None:
            raise InvalidInputError(
                f"target must be a two-layer network with the model's activation, as "
                f"llr.TwoLayerMLP(d, width=k, activation={layers.activation!r}), or parameters of "
                f"the model, or a number of units, got {type(target).__name__}."
            )
        got, wanted = (
            (network.input_size, network.units.output.shape[1]),
            (layers.sizes[0], layers.sizes[-1]),
        )
        if got != wanted:
            raise InvalidInputError(
                f"target must have the model's input size and output size, {wanted}, got {got}."
            )
        return network
    if isinstance(target, int) and target == 0:
        values: Parameters = {
            layers.weights[0]: torch.zeros(1, layers.sizes[0], dtype=torch.float64),
            layers.weights[1]: torch.zeros(layers.sizes[-1], 1, dtype=torch.float64),
        }
        return _as_network(layers, values)
    narrow, values = deep_target(layers, target)
    return _as_network(narrow, values)


def _as_network(layers: FullyConnected, values: Parameters) -> TwoLayerNetwork:
    """Two layers as hidden units."""
    exact = {name: exact_array(name, value) for name, value in values.items()}
    weights, output = (exact[name] for name in layers.weights)
    bias, output_bias = (None if name is None else exact.get(name) for name in layers.biases)
    m, d = weights.shape
    coordinates = np.tile(np.arange(d), (m, 1))
    return TwoLayerNetwork(
        units=HiddenUnits(
            channel=np.arange(m),
            kernel=np.arange(m),
            coordinates=coordinates,
            weights=weights,
            slots=coordinates,
            bias=np.zeros(m) if bias is None else bias,
            output=output.T,
        ),
        input_size=d,
        hidden_bias=bias is not None,
        output_bias=output_bias,
        trainable=frozenset(),
        activation=layers.activation,
    )


def _published(layers: FullyConnected, width: int) -> Published | None:
    """The printed upper bound, that of a network of the target's width."""
    if width == 0:
        return None
    sizes: dict[str, Any] = {
        "widths": (width,),
        "output_dim": layers.sizes[-1],
        "hidden_bias": layers.biases[0] is not None,
        "output_bias": layers.biases[1] is not None,
    }
    printed = (relu_network_bound if layers.activation == "relu" else deep_network_bound)(
        layers.sizes[0], **sizes
    )
    note = "an upper bound for any differentiable activation"
    return Published(printed.value, printed.formula, printed.theorem, note)


def _witness(layers: FullyConnected, found: LeastUnits) -> Parameters:
    """The units, and copies of the first with output weight zero for the others.

    A copy adds nothing: its only tangent functions are those of the first unit's output weight.
    Null units do the same where sigma(0) = 0.
    """
    d, m, c = layers.sizes
    weights, bias, output = np.zeros((m, d)), np.full(m, found.spare_bias), np.zeros((m, c))
    if VALUE_AT_ZERO[layers.activation] != 0 and len(found):
        weights[:], bias[:] = found.weights[0], found.bias[0]
    k = len(found)
    weights[:k], bias[:k], output[:k] = found.weights, found.bias, found.output
    arrays = {layers.weights[0]: weights, layers.weights[1]: output.T}
    hidden, last = layers.biases
    arrays |= {} if hidden is None else {hidden: bias}
    arrays |= {} if last is None else {last: found.constant}
    return {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()}
