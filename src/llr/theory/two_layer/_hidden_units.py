"""Hidden units of two-layer tanh networks, read off their modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor, nn

from llr._types import Parameters
from llr.models import MLP, TwoLayerStructure, two_layer_structure
from llr.theory._named_parameters import named_values
from llr.theory.arithmetic import Floats, Integers, exact_array

__all__ = [
    "HiddenUnits",
    "TwoLayerNetwork",
    "read_structure",
    "read_two_layer",
]


@dataclass(frozen=True)
class HiddenUnits:
    """The N = C P hidden units of a network, channel by channel, position by position.

    Attributes:
        channel: (N,), the channel of each unit.
        kernel: (N,), which kernel (and bias) each unit uses; shared units use the same.
        coordinates: (N, s), the input coordinates of the unit's window, ascending.
        weights: (N, s), the weights of these coordinates.
        slots: (N, s), the place of each of these weights in its kernel.
        bias: (N,), zero where there are no biases.
        output: (N, c), output weights.
    """

    channel: Integers
    kernel: Integers
    coordinates: Integers
    weights: Floats
    slots: Integers
    bias: Floats
    output: Floats

    def __len__(self) -> int:
        return len(self.bias)


@dataclass(frozen=True)
class TwoLayerNetwork:
    """A two-layer tanh network at a parameter point.

    Attributes:
        units: its hidden units.
        input_size: number of input coordinates.
        hidden_bias: whether hidden units have a bias.
        output_bias: the output bias (c,), or None where there is none.
        trainable: names of the weights ("kernels", "kernel_bias", "output", "output_bias") that
            count as parameters.
    """

    units: HiddenUnits
    input_size: int
    hidden_bias: bool
    output_bias: Floats | None
    trainable: frozenset[str]


def read_two_layer(
    model: nn.Module, params: Mapping[str, Tensor] | None = None
) -> TwoLayerNetwork | None:
    """The hidden units of a two-layer tanh network, or None for any other module."""
    structure = two_layer_structure(model)
    values = named_values(model, params)
    if structure is None:
        layers = _vector_valued_layers(model)
        return None if layers is None else _read_layers(model, values, layers)
    names = structure.names._asdict()
    if any(name is not None and name not in values for name in names.values()):
        return None  # tied or reparametrised: the structure no longer says what theta is
    return replace(read_structure(structure, values), trainable=_trainable(model, names))


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
    )


def _trainable(model: nn.Module, names: Mapping[str, str | None]) -> frozenset[str]:
    """The weights whose parameter requires a gradient."""
    wanted = {name for name, value in model.named_parameters() if value.requires_grad}
    return frozenset(part for part, name in names.items() if name in wanted)


def _vector_valued_layers(model: nn.Module) -> tuple[str, str] | None:
    """Names of the two linear layers of a two-layer tanh network with several outputs."""
    if type(model) is MLP and model.activation == "tanh" and len(model.layers) == 2:
        return "layers.0", "layers.1"
    if type(model) is nn.Sequential and [type(m) for m in model] == [
        nn.Linear,
        nn.Tanh,
        nn.Linear,
    ]:
        return "0", "2"
    return None


def _read_layers(
    model: nn.Module, values: Parameters, layers: tuple[str, str]
) -> TwoLayerNetwork | None:
    """A fully connected two-layer network with several outputs."""
    hidden, output = layers
    names = {
        "kernels": f"{hidden}.weight",
        "kernel_bias": f"{hidden}.bias",
        "output": f"{output}.weight",
        "output_bias": f"{output}.bias",
    }
    if names["kernels"] not in values or names["output"] not in values:
        return None
    exact = {
        part: exact_array(name, values[name]) for part, name in names.items() if name in values
    }
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
        trainable=_trainable(model, names),
    )
