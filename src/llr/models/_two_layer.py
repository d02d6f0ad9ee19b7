"""The two-layer family: one structure behind fully connected and convolutional networks.

Every member computes, with C channels and P positions,

    f(x) = sum_{i=1..C} sum_{j=1..P} a_ij sigma(<w_i(j), x[window_j]> + b_i(j)) + c,

where sigma is the activation, tanh in the papers, and ``window_j`` is the tuple of input
coordinates that position j sees. Fully connected: one position that sees the whole input,
C = width. Convolution without sharing: P windows, a kernel for each channel and position.
Convolution with sharing: one kernel and one bias per channel, an output weight for each channel
and position.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn

from llr._types import Parameters
from llr.models._activations import ACTIVATIONS, activation_of

__all__ = [
    "AbstractTwoLayer",
    "AbstractTwoLayerTanh",
    "ParameterNames",
    "TwoLayerStructure",
    "TwoLayerWeights",
    "two_layer_structure",
]


class TwoLayerWeights(NamedTuple):
    """Weights of a two-layer network in the structure's own axes; leading axes are kept.

    ``kernels`` (..., C, Q, s), ``kernel_bias`` (..., C, Q) or None, ``output`` (..., C, P),
    ``output_bias`` (...) or None, with Q = 1 for one kernel per channel and Q = P otherwise.
    """

    kernels: Tensor
    kernel_bias: Tensor | None
    output: Tensor
    output_bias: Tensor | None


class ParameterNames(NamedTuple):
    """Names of a two-layer module's parameters, as in ``named_parameters()``."""

    kernels: str = "hidden.weight"
    kernel_bias: str | None = "hidden.bias"
    output: str = "output.weight"
    output_bias: str | None = "output.bias"


@dataclass(frozen=True)
class TwoLayerStructure:
    """How the parameters of a two-layer network make its hidden units.

    Attributes:
        input_shape: shape of one input; windows index the flattened input.
        windows: the input coordinates that each of the P positions sees, P tuples of length s.
        channels: number C of channels (width, or number of kernels).
        shared: whether one kernel (and bias) serves all positions.
        names: the module's parameter names; a bias that does not exist is None.
        kernels_shape: shape of the module's hidden weight.
        bias_shape: shape of the module's hidden bias, where there is one.
        activation: name of the activation, a key of ``ACTIVATIONS``.
    """

    input_shape: tuple[int, ...]
    windows: tuple[tuple[int, ...], ...]
    channels: int
    shared: bool
    names: ParameterNames
    kernels_shape: tuple[int, ...]
    bias_shape: tuple[int, ...]
    activation: str = "tanh"

    @property
    def positions(self) -> int:
        """P, the number of windows."""
        return len(self.windows)

    @property
    def window_size(self) -> int:
        """s, the number of input coordinates in a window."""
        return len(self.windows[0])

    @property
    def kernels_per_channel(self) -> int:
        """Q: 1 where one kernel serves all positions, P otherwise."""
        return 1 if self.shared else self.positions

    @cached_property
    def input_size(self) -> int:
        """Number of input coordinates."""
        size = 1
        for length in self.input_shape:
            size *= length
        return size

    @property
    def hidden_bias(self) -> bool:
        """Whether hidden units have a bias."""
        return self.names.kernel_bias is not None

    @property
    def output_bias(self) -> bool:
        """Whether the output has a bias."""
        return self.names.output_bias is not None

    @property
    def n_parameters(self) -> int:
        """M, the number of parameters."""
        kernels = self.channels * self.kernels_per_channel
        return (
            kernels * (self.window_size + self.hidden_bias)
            + self.channels * self.positions
            + self.output_bias
        )

    def unpack(self, params: Mapping[str, Tensor]) -> TwoLayerWeights:
        """Parameters by name, with any leading axes, as weights in the structure's axes."""
        lead = params[self.names.output].shape[:-2]
        c, p, q = self.channels, self.positions, self.kernels_per_channel
        return TwoLayerWeights(
            kernels=params[self.names.kernels].reshape(*lead, c, q, self.window_size),
            kernel_bias=(
                None
                if self.names.kernel_bias is None
                else params[self.names.kernel_bias].reshape(*lead, c, q)
            ),
            output=params[self.names.output].reshape(*lead, c, p),
            output_bias=(
                None
                if self.names.output_bias is None
                else params[self.names.output_bias].reshape(lead)
            ),
        )

    def pack(self, weights: TwoLayerWeights) -> Parameters:
        """The inverse of :meth:`unpack`: parameters by name, in ``named_parameters`` order."""
        lead = weights.output.shape[:-2]
        params = {self.names.kernels: weights.kernels.reshape(*lead, *self.kernels_shape)}
        if self.names.kernel_bias is not None and weights.kernel_bias is not None:
            params[self.names.kernel_bias] = weights.kernel_bias.reshape(*lead, *self.bias_shape)
        params[self.names.output] = weights.output.reshape(*lead, 1, self.channels * self.positions)
        if self.names.output_bias is not None and weights.output_bias is not None:
            params[self.names.output_bias] = weights.output_bias.reshape(*lead, 1)
        return params


class AbstractTwoLayer(nn.Module, ABC):
    """Interface of the two-layer networks: ``hidden`` layer, activation, flatten, ``output``.

    A concrete class builds ``self.hidden`` and ``self.output`` and states its structure.

    Attributes:
        activation: name of the activation, a key of ``ACTIVATIONS``.
    """

    hidden: nn.Module
    output: nn.Linear
    activation: str = "tanh"

    @property
    @abstractmethod
    def structure(self) -> TwoLayerStructure:
        """How the parameters make the hidden units."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.structure.input_shape

    @property
    def width(self) -> int:
        """Number of channels: hidden neurons of an MLP, kernels of a convolution model."""
        return self.structure.channels

    def _hidden_input(self, x: Tensor) -> Tensor:
        """The input as the hidden layer wants it."""
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of shape (n, 1) at inputs of shape (n, *input_shape)."""
        sigma = ACTIVATIONS[self.activation].function
        return self.output(sigma(self.hidden(self._hidden_input(x))).flatten(1))

    def extra_repr(self) -> str:
        """Sizes and number of parameters, for ``print(model)``."""
        shape = self.structure
        parts = [f"input_shape={shape.input_shape}", f"width={shape.channels}"]
        if shape.positions > 1 or shape.window_size < shape.input_size:
            parts += [f"positions={shape.positions}", f"window_size={shape.window_size}"]
        if self.activation != "tanh":
            parts.append(f"activation={self.activation!r}")
        parts.append(f"parameters={shape.n_parameters}")
        return ", ".join(parts)


class AbstractTwoLayerTanh(AbstractTwoLayer, ABC):
    """Interface of the two-layer networks whose activation is tanh."""


def two_layer_structure(
    module: nn.Module, *, activation: str | None = "tanh"
) -> TwoLayerStructure | None:
    """The structure of a two-layer network with one output, or None for any other module.

    Args:
        module: any module; recognised are the two-layer classes of ``llr.models``, ``MLP`` with one
            hidden layer, and ``nn.Sequential`` of ``nn.Linear``, an activation and ``nn.Linear``.
        activation: the name that the activation must have; None: any of ``ACTIVATIONS``.

    Returns:
        The structure, or None if the module is not such a network.

    Example:
        >>> from llr.models import SharedTanhConv1D
        >>> two_layer_structure(SharedTanhConv1D(5, width=1, kernel_size=3)).windows
        ((0, 1, 2), (1, 2, 3), (2, 3, 4))
    """
    structure = getattr(module, "structure", None)
    if not isinstance(structure, TwoLayerStructure):
        structure = _sequential_structure(module)
    if structure is None or activation not in (None, structure.activation):
        return None
    return structure


def _sequential_structure(module: nn.Module) -> TwoLayerStructure | None:
    """The structure of linear layer, activation, linear layer."""
    if type(module) is not nn.Sequential or len(module) != 3:
        return None
    hidden, middle, output = module
    row = activation_of(middle)
    if not (
        type(hidden) is nn.Linear
        and row is not None
        and type(output) is nn.Linear
        and output.out_features == 1
    ):
        return None
    return fully_connected_structure(hidden, output, prefixes=("0", "2"), activation=row.name)


def fully_connected_structure(
    hidden: nn.Linear, output: nn.Linear, *, prefixes: tuple[str, str], activation: str = "tanh"
) -> TwoLayerStructure:
    """Structure of ``output(sigma(hidden(x)))`` with one output."""
    d = hidden.in_features
    return TwoLayerStructure(
        input_shape=(d,),
        windows=(tuple(range(d)),),
        channels=hidden.out_features,
        shared=True,
        names=bias_names(hidden.bias is not None, output.bias is not None, prefixes=prefixes),
        kernels_shape=(hidden.out_features, d),
        bias_shape=(hidden.out_features,),
        activation=activation,
    )


def bias_names(
    hidden_bias: bool, output_bias: bool, *, prefixes: tuple[str, str] = ("hidden", "output")
) -> ParameterNames:
    """Parameter names of a hidden and an output layer under the given prefixes."""
    hidden, output = prefixes
    return ParameterNames(
        kernels=f"{hidden}.weight",
        kernel_bias=f"{hidden}.bias" if hidden_bias else None,
        output=f"{output}.weight",
        output_bias=f"{output}.bias" if output_bias else None,
    )


def convolution_windows(
    input_shape: tuple[int, ...], kernel_size: int
) -> tuple[tuple[int, ...], ...]:
    """Flat input coordinates of every window of side ``kernel_size``, positions row by row."""
    size = 1
    for length in input_shape:
        size *= length
    index = torch.arange(size).reshape(input_shape)
    for axis in range(len(input_shape)):
        index = index.unfold(axis, kernel_size, 1)
    return tuple(tuple(row) for row in index.reshape(-1, kernel_size ** len(input_shape)).tolist())
