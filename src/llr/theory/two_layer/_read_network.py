"""Two-layer networks read off their modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from llr._types import Parameters
from llr.models import MLP, TwoLayerStructure, activation_of, two_layer_structure
from llr.theory._named_parameters import named_values
from llr.theory.arithmetic import exact_array
from llr.theory.two_layer._hidden_units import HiddenUnits, TwoLayerNetwork
from llr.theory.two_layer._parts import (
    layer_parameters,
    parameter_names,
    tied_parts,
    trainable_parts,
)
from llr.theory.two_layer._read_convolution import read_convolution

__all__ = ["read_structure", "read_two_layer"]


def read_two_layer(
    model: nn.Module,
    params: Mapping[str, Tensor] | None = None,
    *,
    activation: str | None = "tanh",
) -> TwoLayerNetwork | None:
    """The hidden units of a two-layer network, or None for any other module.

    Args:
        model: a two-layer network, fully connected or convolutional.
        params: parameters by name that replace the model's own.
        activation: the name that its activation must have; None: any.

    Returns:
        The network, its parameters at their exact values.
    """
    values = named_values(model, params)
    network = _read(model, values)
    if network is None or activation not in (None, network.activation):
        return None
    return network


def _read(model: nn.Module, values: Parameters) -> TwoLayerNetwork | None:
    """The hidden units of a two-layer network with any activation."""
    structure = two_layer_structure(model, activation=None)
    if structure is None:
        return _read_layers(model, values) or read_convolution(model, values)
    names = structure.names._asdict()
    found = parameter_names(model, values, names)
    if found is None:
        return None  # reparametrised: the structure does not say what theta is
    tensors = {name: values[found[part]] for part, name in names.items() if name is not None}
    return replace(
        read_structure(structure, tensors),
        trainable=trainable_parts(model, found),
        tied=tied_parts(found),
    )


def read_structure(structure: TwoLayerStructure, values: Mapping[str, Tensor]) -> TwoLayerNetwork:
    """The hidden units that a structure makes of parameters, all of them trainable."""
    names = structure.names._asdict()
    weights = structure.unpack(values)
    exact = {
        part: exact_array(names[part], tensor)
        for part, tensor in weights._asdict().items()
        if tensor is not None
    }
    c, p, s = structure.channels, structure.positions, structure.window_size
    per_unit = np.broadcast_to(exact["kernels"], (c, p, s)).reshape(c * p, s)
    bias = exact.get("kernel_bias", np.zeros((c, structure.kernels_per_channel)))
    windows = np.array(structure.windows, dtype=np.int64)
    order = np.argsort(windows, axis=1)
    slots = np.tile(order, (c, 1))
    channel = np.arange(c * p) // p
    return TwoLayerNetwork(
        units=HiddenUnits(
            channel=channel,
            kernel=channel if structure.shared else np.arange(c * p),
            coordinates=np.tile(np.take_along_axis(windows, order, axis=1), (c, 1)),
            weights=np.take_along_axis(per_unit, slots, axis=1),
            slots=slots,
            bias=np.broadcast_to(bias, (c, p)).reshape(c * p),
            output=exact["output"].reshape(c * p, 1),
        ),
        input_size=structure.input_size,
        hidden_bias=structure.hidden_bias,
        output_bias=exact["output_bias"].reshape(1) if structure.output_bias else None,
        trainable=frozenset(exact),
        activation=structure.activation,
    )


def _vector_valued_layers(model: nn.Module) -> tuple[str, str, str] | None:
    """Activation and names of the two linear layers of a network with several outputs."""
    if type(model) is MLP and len(model.layers) == 2:
        return model.activation, "layers.0", "layers.1"
    if type(model) is nn.Sequential and len(model) == 3:
        row = activation_of(model[1])
        if row is not None and type(model[0]) is type(model[2]) is nn.Linear:
            return row.name, "0", "2"
    return None


def _read_layers(model: nn.Module, values: Parameters) -> TwoLayerNetwork | None:
    """A fully connected two-layer network with several outputs."""
    layers = _vector_valued_layers(model)
    if layers is None:
        return None
    activation, hidden, output = layers
    found = layer_parameters(model, values, hidden, output)
    if found is None:
        return None
    exact = {part: exact_array(name, values[name]) for part, name in found.items()}
    m, d = exact["kernels"].shape
    coordinates = np.tile(np.arange(d), (m, 1))
    return TwoLayerNetwork(
        units=HiddenUnits(
            channel=np.arange(m),
            kernel=np.arange(m),
            coordinates=coordinates,
            weights=exact["kernels"],
            slots=coordinates,
            bias=exact.get("kernel_bias", np.zeros(m)),
            output=exact["output"].T,
        ),
        input_size=d,
        hidden_bias="kernel_bias" in exact,
        output_bias=exact.get("output_bias"),
        trainable=trainable_parts(model, found),
        activation=activation,
        tied=tied_parts(found),
    )
